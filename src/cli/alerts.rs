//! Alerts: what `--on-breach` and `--on-breach-url` do when a threshold is breached, and when it recovers.
//!
//! Owns delivery: a command, or a POST, one after the other on a thread of its own. Leaves to the thresholds when
//! to alert. Invariants: the run never waits for an alert; the queue is bounded, and so is the time that
//! one takes; a failed alert is reported and changes nothing else.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use url::Url;

use super::args::OutputArgs;
use crate::analysis::limit_sentence;
use crate::analysis::thresholds;
use crate::metrics::{Mask, Snapshot, ThresholdStats};
use crate::outbound::{self, Proxies};
use crate::plan::RunInfo;
use crate::report::masked;
use crate::results::threshold_json;
use crate::text::clean_line;

/// Maximum queue length, for each way of delivery.
const WAITING: usize = 16;

/// Maximum time for delivering one alert.
const TIME_TO_TELL: Duration = Duration::from_secs(10);

/// Maximum time after the run for delivering all of them.
const TIME_AT_THE_END: Duration = Duration::from_secs(15);

/// How often to check whether a command has exited.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Bytes of a command's standard error that are kept for the message.
const MOST_OUTPUT: usize = 4096;

/// An alert to deliver.
#[derive(Clone)]
struct Alert {
    variables: Vec<(&'static str, String)>,
    json: String,
}

/// Delivers breaches and recoveries of a run.
#[derive(Default)]
pub(super) struct Alerts {
    tellers: Vec<Teller>,
    /// Without it nothing is known to be secret.
    mask: Option<Mask>,
    /// By threshold: breaches reported so far, and whether the last one continues.
    seen: HashMap<String, (u32, bool)>,
    /// What went wrong.
    problems: Option<Receiver<String>>,
}

struct Teller {
    flag: &'static str,
    alerts: SyncSender<Alert>,
    /// Closed when everything has been delivered.
    done: Receiver<()>,
}

impl Alerts {
    /// The alerts that the flags ask for. A command gets no variable whose value `mask` changes.
    ///
    /// # Errors
    /// If the URL is not valid, with the reason.
    pub(super) fn new(output: &OutputArgs, mask: Mask) -> Result<Alerts, String> {
        let (problem, problems) = channel();
        let mut tellers = Vec::new();
        if let Some(command) = output.on_breach.clone() {
            let mask = mask.clone();
            let tell = move |alert: &Alert| run_command(&command, alert, &mask);
            tellers.push(Teller::start("--on-breach", problem.clone(), move || Ok(tell))?);
        }
        if let Some(url) = &output.on_breach_url {
            let flag = "--on-breach-url";
            // Not what was typed: it may be a secret with a slip in it.
            let url = outbound::parse_url(url).map_err(|why| format!("{flag}: not a valid URL: {why}"))?;
            tellers.push(Teller::start(flag, problem, move || poster(url))?);
        }
        Ok(Alerts { tellers, mask: Some(mask), seen: HashMap::new(), problems: Some(problems) })
    }

    /// Whether any way of delivery is set.
    pub(super) fn are_asked_for(&self) -> bool {
        !self.tellers.is_empty()
    }

    /// Delivers what has changed with a snapshot; returns what could not be delivered, and earlier problems.
    pub(super) fn look(&mut self, info: &RunInfo, snapshot: &Snapshot) -> Vec<String> {
        if self.tellers.is_empty() {
            return Vec::new();
        }
        let mut trouble = self.problems();
        for stats in &snapshot.thresholds {
            let key = thresholds::whole(&stats.threshold);
            let (breaches, in_breach) = self.seen.get(&key).copied().unwrap_or_default();
            let event = if stats.breaches > breaches {
                "breach"
            } else if in_breach && !stats.in_breach {
                "recovery"
            } else {
                continue;
            };
            self.seen.insert(key, (stats.breaches, stats.in_breach));
            let alert = alert(event, info, snapshot, stats, self.mask.as_ref());
            for teller in &self.tellers {
                if let Err(TrySendError::Full(_)) = teller.alerts.try_send(alert.clone()) {
                    trouble.push(format!(
                        "warning: {}: {WAITING} alerts are already waiting; a {event} alert was dropped",
                        teller.flag
                    ));
                }
            }
        }
        trouble
    }

    fn problems(&self) -> Vec<String> {
        self.problems.iter().flat_map(Receiver::try_iter).collect()
    }

    /// Waits some seconds until everything has been delivered; returns what went wrong.
    pub(super) fn finish(mut self) -> Vec<String> {
        let deadline = Instant::now() + TIME_AT_THE_END;
        let mut late = Vec::new();
        for Teller { flag, alerts, done } in std::mem::take(&mut self.tellers) {
            drop(alerts);
            let left = deadline.saturating_duration_since(Instant::now());
            if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = done.recv_timeout(left) {
                late.push(format!("warning: {flag}: the last alerts were not delivered in time"));
            }
        }
        let mut trouble = self.problems();
        trouble.extend(late);
        trouble
    }
}

impl Teller {
    /// Starts a thread that delivers one alert after the other with what `make` returns on that thread.
    fn start<T: FnMut(&Alert) -> Result<(), String>>(
        flag: &'static str,
        problem: Sender<String>,
        make: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<Teller, String> {
        let (alerts, waiting) = sync_channel::<Alert>(WAITING);
        let (finished, done) = channel::<()>();
        let tell_all = move || {
            // Nobody listens when the run is over and has been waited for long enough.
            let say = |text: String| drop(problem.send(format!("warning: {flag}: {text}")));
            match make() {
                Ok(mut tell) => waiting.iter().for_each(|alert| {
                    if let Err(text) = tell(&alert) {
                        say(text);
                    }
                }),
                Err(text) => say(text),
            }
            drop(finished);
        };
        std::thread::Builder::new()
            .name("rhaid-alerts".to_owned())
            .spawn(tell_all)
            .map_err(|error| format!("{flag}: cannot start a thread: {error}"))?;
        Ok(Teller { flag, alerts, done })
    }
}

fn alert(
    event: &'static str,
    info: &RunInfo,
    snapshot: &Snapshot,
    stats: &ThresholdStats,
    mask: Option<&Mask>,
) -> Alert {
    let without_secrets = |text: String| mask.and_then(|mask| mask(&text)).unwrap_or(text);
    let sentence = match event {
        "recovery" => {
            format!("{} recovered: {}", thresholds::whole(&stats.threshold), thresholds::measured(stats))
        }
        _ => limit_sentence(stats),
    };
    let sentence = masked(&clean_line(&without_secrets(sentence))).into_owned();
    let text = format!("{}: {event}: {sentence}", info.name);
    let time_s = format!("{:.1}", snapshot.elapsed.as_secs_f64());
    let variables = vec![
        ("RHAID_EVENT", event.to_owned()),
        ("RHAID_NAME", info.name.clone()),
        ("RHAID_METRIC", stats.threshold.selector()),
        ("RHAID_LIMIT", stats.threshold.expression.clone()),
        ("RHAID_MEASURED", thresholds::measured(stats)),
        ("RHAID_TEXT", text.clone()),
        ("RHAID_TIME_S", time_s),
    ];
    let clean = |(name, value): (&'static str, String)| {
        (name, masked(&clean_line(&without_secrets(value))).into_owned())
    };
    let json = json!({
        "event": event,
        // The key that chat programs show.
        "text": text,
        "name": info.name,
        "host": info.host,
        "time_s": snapshot.elapsed.as_secs_f64(),
        "threshold": threshold_json(stats, false),
    });
    Alert { variables: variables.into_iter().map(clean).collect(), json: json.to_string() }
}

/// Runs a command of the shell, with the alert in its environment and on its standard input. Secrets of the script are
/// not passed on: neither rhaid's own variables, among them parameters, nor others that hold one.
fn run_command(command: &str, alert: &Alert, mask: &Mask) -> Result<(), String> {
    let mut shell = shell(command);
    for (name, value) in std::env::vars_os() {
        let is_own = name.to_string_lossy().starts_with("RHAID_");
        if is_own || mask(&value.to_string_lossy()).is_some() {
            shell.env_remove(name);
        }
    }
    shell
        .envs(alert.variables.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = shell.spawn().map_err(|error| format!("the command did not start: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It need not read it; what is written fits into the pipe.
        let _ = stdin.write_all(alert.json.as_bytes());
    }
    let output = first_output(&mut child);
    let deadline = Instant::now() + TIME_TO_TELL;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_EVERY),
            Ok(None) => {
                end(&mut child);
                return Err(format!(
                    "the command was killed: it took more than {} s",
                    TIME_TO_TELL.as_secs()
                ));
            }
            Err(error) => return Err(format!("waiting for the command failed: {error}")),
        }
    };
    if status.success() {
        return Ok(());
    }
    // What it wrote last may still be on its way.
    std::thread::sleep(LOOK_EVERY);
    let said = output.lock().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let said = masked(&clean_line(said.lines().next().unwrap_or_default())).into_owned();
    Err(format!("the command failed ({status}){}{said}", if said.is_empty() { "" } else { ": " }))
}

fn shell(command: &str) -> Command {
    #[cfg(windows)]
    {
        let mut shell = Command::new("cmd");
        shell.args(["/C", command]);
        shell
    }
    #[cfg(not(windows))]
    {
        use std::os::unix::process::CommandExt;
        let mut shell = Command::new("sh");
        // A group of its own: it can be ended with what it started, and Ctrl-C is not meant for it.
        shell.args(["-c", command]).process_group(0);
        shell
    }
}

/// Reads standard error to its end and keeps the beginning. The thread ends with the last process that holds it.
fn first_output(child: &mut Child) -> Arc<Mutex<Vec<u8>>> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    if let Some(mut stderr) = child.stderr.take() {
        let keep = kept.clone();
        let read = move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                if let Ok(mut kept) = keep.lock() {
                    let room = MOST_OUTPUT.saturating_sub(kept.len());
                    kept.extend_from_slice(&buffer[..count.min(room)]);
                }
            }
        };
        // Without a thread there is no text for the message, and the command may block: it is ended then.
        let _ = std::thread::Builder::new().name("rhaid-alert-output".to_owned()).spawn(read);
    }
    kept
}

/// Ends a command with everything that it has started.
fn end(child: &mut Child) {
    #[cfg(not(windows))]
    {
        let group = format!("-{}", child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// What posts alerts to a URL.
fn poster(url: Url) -> Result<impl FnMut(&Alert) -> Result<(), String>, String> {
    let client = outbound::Client::new(TIME_TO_TELL, Proxies::Environment)?;
    Ok(move |alert: &Alert| {
        let host = url.host_str().unwrap_or_default();
        match client.post_json(&url, alert.json.clone()) {
            Err(why) => Err(format!("cannot reach {host}: {why}")),
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("{host} responded with status {}", answer.status)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn command(command: &str) -> Result<(), String> {
        let run = fixture::limited();
        let alert = alert("breach", &fixture::info(), &run[5], &run[5].thresholds[1], None);
        let mask: Mask = Arc::new(|_| None);
        run_command(command, &alert, &mask)
    }

    #[test]
    fn a_command_has_the_alert_in_its_environment_and_on_its_input() {
        command(
            "[ \"$RHAID_EVENT $RHAID_METRIC\" = 'breach http_req_failed' ] && grep -q '\"event\":\"breach\"'",
        )
        .unwrap();
        command("[ \"$RHAID_LIMIT\" = 'rate < 0.1% abort after 1h' ] && [ -n \"$RHAID_TEXT\" ]").unwrap();
        command("exit 0").unwrap();
    }

    #[test]
    fn what_a_command_says_when_it_fails_is_told_without_credentials() {
        let error = command("echo 'no token=abc123' >&2; echo more >&2; exit 3").unwrap_err();
        assert!(error.contains("exit status: 3") && error.contains("no token=***"), "{error}");
        assert!(!error.contains("more"), "{error}");
    }

    #[test]
    fn nothing_is_told_without_a_way_to() {
        let mut alerts = Alerts::new(&OutputArgs::default(), Arc::new(|_| None)).unwrap();
        let run = fixture::limited();
        assert!(run.iter().flat_map(|snapshot| alerts.look(&fixture::info(), snapshot)).next().is_none());
        assert!(alerts.finish().is_empty());
        let wrong = OutputArgs { on_breach_url: Some("nonsense".into()), ..OutputArgs::default() };
        assert!(Alerts::new(&wrong, Arc::new(|_| None)).is_err());
    }
}
