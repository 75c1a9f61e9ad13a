//! The origin of a run: the command, the commit, the environment label and notes.
//!
//! Invariant: looking for the commit never fails and never takes long; what is not known is left out. Credentials in the
//! command are masked here by the names of flags and variables, and once more by the engine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use super::args::OutputArgs;
use crate::credentials::{MASK, is_credential, masked, masked_url};
use crate::plan::{Commit, Origin};

/// Longest time that git gets: a working copy on a slow disk must not keep a run from its start.
const GIT_TIME: Duration = Duration::from_secs(1);

/// Variables in which CI services name the commit, for images without git.
const CI_COMMITS: [&str; 3] = ["GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"];

/// Flags whose whole value is a credential, or holds some that have no name: a webhook's URL is its password.
const SECRET_FLAGS: [&str; 1] = ["--on-breach-url"];

/// Flags that set a variable. Scripts are given their credentials so, under any name, and nothing else of a run tells them.
const VARIABLE_FLAGS: [&str; 2] = ["-e", "--env"];

/// Flags whose value is a URL that may lack its scheme.
const URL_FLAGS: [&str; 3] = ["-H", "--host", "--proxy"];

/// The facts of a run but for its commit.
pub(super) fn origin(output: &OutputArgs, profile: Option<&str>) -> Origin {
    Origin {
        command: shown_command(std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned())),
        commit: None,
        label: output.label.clone().filter(|label| !label.is_empty()),
        notes: output.note.iter().filter(|note| !note.is_empty()).cloned().collect(),
        profile: profile.map(str::to_owned),
    }
}

/// The command with these arguments, without credentials. The program is named as it is known, wherever it lies.
fn shown_command(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut command = vec!["rhaid".to_owned()];
    let mut flag = String::new();
    for argument in arguments {
        let shown = match argument.split_once('=') {
            // `-eKEY=VALUE`, maybe behind other letters: one too many masked does no harm.
            Some((name, _)) if is_letters(name) && name.contains('e') && !argument.starts_with("-e=") => {
                format!("{name}={MASK}")
            }
            Some((name, value)) if argument.starts_with('-') => format!("{name}={}", shown(name, value)),
            _ => shown(&flag, &argument),
        };
        flag = if argument.starts_with('-') { argument } else { String::new() };
        command.push(shown);
    }
    command
}

/// Whether an argument is one of short flags, one dash and letters.
fn is_letters(argument: &str) -> bool {
    argument.starts_with('-') && !argument.starts_with("--")
}

/// The value of a flag; empty is none.
fn shown(flag: &str, value: &str) -> String {
    if SECRET_FLAGS.contains(&flag) {
        return MASK.to_owned();
    }
    let is_secret = |name: &str| {
        VARIABLE_FLAGS.contains(&flag) || (flag == "--param" && (is_credential(name) || name == "key"))
    };
    if let Some((name, _)) = value.split_once('=').filter(|(name, _)| is_secret(name)) {
        return format!("{name}={MASK}");
    }
    if URL_FLAGS.contains(&flag) { masked_url(value) } else { masked(value) }.into_owned()
}

/// Git on its way to tell the commit; a script loads in less time than it takes.
pub(super) struct CommitSearch {
    answer: Option<Receiver<std::io::Result<std::process::Output>>>,
    until: Instant,
}

/// Looks for the commit of the working copy that the folder belongs to.
pub(super) fn look_for_commit(folder: &Path) -> CommitSearch {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut git = Command::new("git");
    // A repository may name a program as its monitor of files: nothing of a folder with scripts is to be run.
    git.args(["-c", "core.fsmonitor=false", "-C"])
        .arg(folder)
        .args(["status", "--porcelain=v2", "--branch", "--untracked-files=no", "--", "."])
        // Looking must not change anything, nor wait for who does.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let (send, answer) = mpsc::sync_channel(1);
    // A git that hangs is left to itself.
    let thread =
        std::thread::Builder::new().name("rhaid-git".to_owned()).spawn(move || send.send(git.output()));
    CommitSearch { answer: thread.ok().map(|_| answer), until: Instant::now() + GIT_TIME }
}

impl CommitSearch {
    /// The commit that git knows, or else the CI service.
    pub(super) fn found(self) -> Option<Commit> {
        self.of_git().or_else(ci_commit)
    }

    fn of_git(self) -> Option<Commit> {
        let left = self.until.saturating_duration_since(Instant::now());
        let output = self.answer?.recv_timeout(left).ok()?.ok().filter(|output| output.status.success())?;
        read_status(&String::from_utf8_lossy(&output.stdout))
    }
}

/// What `git status --porcelain=v2 --branch` says; the format is described in git-status(1).
fn read_status(text: &str) -> Option<Commit> {
    let header =
        |name: &str| text.lines().find_map(|line| line.strip_prefix("# branch.")?.strip_prefix(name));
    let is_hash = |hash: &&str| hash.len() >= 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(Commit {
        hash: header("oid ").filter(is_hash)?.to_owned(),
        branch: header("head ").filter(|&branch| branch != "(detached)").map(str::to_owned),
        has_changes: Some(text.lines().any(|line| !line.starts_with('#'))),
    })
}

fn ci_commit() -> Option<Commit> {
    let hash = CI_COMMITS.iter().find_map(|name| std::env::var(name).ok().filter(|hash| !hash.is_empty()))?;
    Some(Commit { hash, branch: None, has_changes: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_without_credentials() {
        let command =
            |arguments: &[&str]| shown_command(arguments.iter().map(|a| (*a).to_owned()))[1..].join(" ");
        for (arguments, expected) in [
            (&["run", "a.rhai", "-u", "5"][..], "run a.rhai -u 5"),
            (&["run", "-H", "http://u:p@h:1/x"], "run -H http://***@h:1/x"),
            (&["run", "--proxy=u:p@h:1"], "run --proxy=***@h:1"),
            (&["run", "-e", "DB_PASS=a b", "-e", "REGION=eu"], "run -e DB_PASS=*** -e REGION=***"),
            (&["run", "--env=API_KEY=x=y"], "run --env=API_KEY=***"),
            (&["run", "-eX=1", "-qeY=2", "-e=Z=3"], "run -eX=*** -qeY=*** -e=Z=***"),
            (&["run", "--param", "token=x y", "--param=n=5"], "run --param token=*** --param=n=5"),
            (&["run", "--on-breach-url", "https://h/T0/B1/x"], "run --on-breach-url ***"),
            (&["run", "--on-breach-url=https://h/T0"], "run --on-breach-url=***"),
            (&["run", "--on-breach", "curl h?token=abc&a=1"], "run --on-breach curl h?token=***&a=1"),
            (&["run", "--note", "a=b"], "run --note a=b"),
            (
                &["run", "--note", "x-csrf-token: abc", "--tag", "apiKey=abc"],
                "run --note x-csrf-token: *** --tag apiKey=***",
            ),
        ] {
            assert_eq!(command(arguments), expected);
        }
    }

    #[test]
    fn a_status_of_git_is_a_commit() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let status = format!("# branch.oid {hash}\n# branch.head main\n1 .M N... 1 1 1 a b scripts/a.rhai\n");
        let commit =
            Commit { hash: hash.to_owned(), branch: Some("main".to_owned()), has_changes: Some(true) };
        assert_eq!(read_status(&status), Some(commit.clone()));
        let status = format!("# branch.oid {hash}\n# branch.head (detached)\n");
        assert_eq!(read_status(&status), Some(Commit { branch: None, has_changes: Some(false), ..commit }));
        assert_eq!(read_status("# branch.oid (initial)\n# branch.head main\n"), None);
        assert_eq!(read_status("nothing"), None);
    }
}
