//! `rhaid convert`: scripts from recordings, curl commands, API descriptions and tests of other tools.
//!
//! Owns reading the input and writing the script. Invariant: the script goes to standard output or to a file, what is
//! to be known about it to standard error; a file that exists is not overwritten without `--force`.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::output;
use super::places::Places;
use crate::convert::{
    Converted, Environment, HarOptions, Problem, convert_curl, convert_har, convert_jmeter, convert_openapi,
    convert_postman,
};
use crate::outbound::{self, Client, Proxies};
use crate::{LoadTest, Severity};

/// What the error of a file that is not there says.
const FILE_NOT_FOUND: [&str; 2] = ["file '", "not found: looked for"];

/// An input larger than this is refused.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// A description that is fetched may have so many bytes; the largest known ones have a fifth of that.
const MOST_FETCHED: usize = 64 * 1024 * 1024;

/// How long fetching may take.
const TIME_TO_FETCH: Duration = Duration::from_secs(30);

/// Arguments of `rhaid convert`.
#[derive(Clone, Debug, Args)]
pub(super) struct ConvertArgs {
    #[command(subcommand)]
    from: From,
}

#[derive(Clone, Debug, Subcommand)]
enum From {
    /// A browser recording (HAR): "Save all as HAR" in the network panel
    Har {
        /// File to convert, or `-` for standard input
        #[arg(value_name = "INPUT")]
        input: String,

        /// Also convert images, fonts, styles, scripts and media
        #[arg(long)]
        keep_assets: bool,

        /// Convert requests to this host instead of the hosts of the pages; can be repeated
        #[arg(long, value_name = "HOST", value_delimiter = ',')]
        host: Vec<String>,

        /// Convert requests to every host
        #[arg(long, conflicts_with = "host")]
        all_hosts: bool,

        /// Maximum pause between requests, in seconds; 0 means no pauses
        #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=3600))]
        max_think: u32,

        #[command(flatten)]
        out: OutArgs,
    },
    /// curl commands, such as those from a browser's "Copy as cURL"
    Curl {
        /// File with commands, `-` for standard input, or the command itself in quotes
        #[arg(value_name = "COMMAND", default_value = "-")]
        input: String,

        #[command(flatten)]
        out: OutArgs,
    },
    /// An API description: OpenAPI 3.0 or 3.1, JSON or YAML
    Openapi {
        /// File to convert, its URL (http://…), or `-` for standard input
        #[arg(value_name = "INPUT")]
        input: String,

        #[command(flatten)]
        out: OutArgs,
    },
    /// A Postman collection, exported as v2.1
    Postman {
        /// File to convert, or `-` for standard input
        #[arg(value_name = "INPUT")]
        input: String,

        /// An exported environment, whose values override those of the collection
        #[arg(long, value_name = "FILE")]
        environment: Option<String>,

        #[command(flatten)]
        out: OutArgs,
    },
    /// A JMeter test plan (.jmx)
    Jmeter {
        /// File to convert, or `-` for standard input
        #[arg(value_name = "INPUT")]
        input: String,

        #[command(flatten)]
        out: OutArgs,
    },
}

/// Where the script goes.
#[derive(Clone, Debug, Args)]
struct OutArgs {
    /// Write the script to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Overwrite the file if it exists
    #[arg(long, requires = "output")]
    force: bool,
}

/// Reads the input, converts it and writes the script.
pub(super) fn convert(args: &ConvertArgs) -> Exit {
    let (converted, out) = match &args.from {
        From::Har { input, keep_assets, host, all_hosts, max_think, out } => {
            let options = HarOptions {
                keep_assets: *keep_assets,
                hosts: host.clone(),
                all_hosts: *all_hosts,
                max_think: *max_think,
                folder: out.output.as_deref().map(folder_of),
            };
            (converted(input, "the recording", |text| convert_har(text, &options)), out)
        }
        From::Curl { input, out } => (curl(input), out),
        From::Openapi { input, out } if is_url(input) => (fetched(input), out),
        From::Openapi { input, out } => {
            (converted(input, "the description", |text| convert_openapi(text, None)), out)
        }
        From::Jmeter { input, out } => (converted(input, "the test plan", convert_jmeter), out),
        From::Postman { input, environment, out } => (postman(input, environment.as_deref()), out),
    };
    let input = match &args.from {
        From::Har { input, .. }
        | From::Curl { input, .. }
        | From::Openapi { input, .. }
        | From::Postman { input, .. }
        | From::Jmeter { input, .. } => input,
    };
    let mut places = Places::default();
    places.reads("the input", Path::new(input));
    if let From::Postman { environment: Some(environment), .. } = &args.from {
        places.reads("--environment", Path::new(environment));
    }
    places.may_write("--output", out.output.as_ref());
    match converted.and_then(|converted| places.check().and_then(|()| write(converted, out))) {
        Ok(problems) if problems.is_empty() => Exit::Passed,
        Ok(problems) => {
            problems.iter().for_each(|problem| output::error(&problem.to_string()));
            output::error("the converted script does not load; correct the input, or the script by hand");
            Exit::Configuration
        }
        Err(problem) => {
            output::error(&problem);
            Exit::Configuration
        }
    }
}

fn curl(input: &str) -> Result<Converted, String> {
    let is_command = input.contains(char::is_whitespace) && !Path::new(input).exists();
    if is_command {
        return convert_curl(input).map_err(|problem| problem.told_of("the command"));
    }
    converted(input, "the curl command", convert_curl)
}

fn postman(input: &str, environment: Option<&str>) -> Result<Converted, String> {
    let environment = environment.map(|file| {
        let text = read(file, "the environment")?;
        Environment::parse(&text).map_err(|problem| problem.told_of(name_of(file)))
    });
    let environment = environment.transpose()?;
    converted(input, "the collection", |text| convert_postman(text, environment.as_ref()))
}

/// Converts an input to a script; errors name the input.
fn converted(
    input: &str,
    what: &str,
    convert: impl FnOnce(&str) -> Result<Converted, Problem>,
) -> Result<Converted, String> {
    convert(&read(input, what)?).map_err(|problem| problem.told_of(name_of(input)))
}

fn is_url(input: &str) -> bool {
    input.starts_with("http://") || input.starts_with("https://")
}

/// Fetches a description and converts it.
fn fetched(input: &str) -> Result<Converted, String> {
    let url = outbound::parse_url(input).map_err(|why| format!("not a valid URL: {why}"))?;
    // Without what may be a secret.
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    let _ = shown.set_username("").and_then(|()| shown.set_password(None));
    let client = Client::new(TIME_TO_FETCH, Proxies::Environment)?.with_longest(MOST_FETCHED);
    let reply = client.get(&url, None).map_err(|why| format!("cannot fetch {shown}: {why}"))?;
    if !(200..300).contains(&reply.status) {
        return Err(format!("cannot fetch {shown}: the server answered with status {}", reply.status));
    }
    let text = text(reply.body, shown.as_str())?;
    convert_openapi(&text, Some(&reply.url)).map_err(|problem| problem.told_of(shown.as_str()))
}

fn name_of(input: &str) -> &str {
    if input == "-" { "standard input" } else { input }
}

/// The text of a file, or of standard input.
fn read(input: &str, what: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let name = name_of(input);
    let result = if input == "-" {
        if std::io::stdin().is_terminal() {
            output::err(&format!("Paste {what}, then press Ctrl-D on a line of its own.\n"));
        }
        std::io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(input).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
    };
    result.map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("{name} is larger than {} MB", MOST_BYTES / 1024 / 1024));
    }
    text(bytes, name)
}

fn text(bytes: Vec<u8>, name: &str) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{name} is not valid UTF-8 at byte {at}; save it as UTF-8")
    })
}

/// The folder for files of a script, beside it.
fn folder_of(script: &Path) -> String {
    let stem = script.file_stem().map_or_else(|| "script".into(), |stem| stem.to_string_lossy());
    format!("{stem}-files")
}

/// Whether a file may be written: one that exists is kept, unless told otherwise.
fn may_write(path: &Path, force: bool) -> Result<(), String> {
    if !force && path.symlink_metadata().is_ok() {
        let path = path.display();
        return Err(format!("{path} already exists; overwrite it with --force, or choose another name"));
    }
    Ok(())
}

/// What `rhaid check` finds wrong with a script. Files that it reads may have to be put beside it yet.
fn problems_of(test: &LoadTest) -> Vec<crate::Problem> {
    let found = test.find_problems().problems.into_iter();
    found
        .filter(|problem| problem.severity == Severity::Error)
        .filter(|problem| !FILE_NOT_FOUND.iter().all(|words| problem.message.contains(words)))
        .collect()
}

fn write(converted: Converted, out: &OutArgs) -> Result<Vec<crate::Problem>, String> {
    let script = match &out.output {
        None => {
            output::out(&converted.script);
            "SCRIPT".to_owned()
        }
        Some(path) => {
            let folder = path.parent().unwrap_or(Path::new(""));
            let beside = converted.files.iter().map(|file| (folder.join(&file.path), &*file.content));
            let files: Vec<(PathBuf, &[u8])> =
                std::iter::once((path.clone(), converted.script.as_bytes())).chain(beside).collect();
            files.iter().try_for_each(|(path, _)| may_write(path, out.force))?;
            for (path, content) in files {
                output::write_file(&path, content)?;
                output::err(&format!("Wrote {}.\n", path.display()));
            }
            path.display().to_string()
        }
    };
    let problems = problems_of(&LoadTest::from_text(&script, &converted.script));
    for note in &converted.notes {
        output::err(&format!("note: {note}\n"));
    }
    if !problems.is_empty() {
        return Ok(problems);
    }
    let params: String = converted.required.iter().map(|name| format!(" --param {name}=…")).collect();
    let host = if converted.has_host { "" } else { " --host URL" };
    output::err(&format!("Try it: rhaid run {script} --once{host}{params}\n"));
    Ok(problems)
}
