//! `rhaid ctl`: looks at and steers a run of this machine from another terminal, through its HTTP API.

use std::path::Path;
use std::time::Duration;

use http::header::HeaderValue;
use serde_json::{Value, json};
use url::Url;

use super::args::{CtlAction, CtlArgs};
use super::control_file::{self, Address};
use super::exit::Exit;
use super::output;
use crate::outbound::{Client, Proxies, parse_url};
use crate::text::{clean_line, format, shell_word};

/// How long a run may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does what the arguments ask for.
pub(super) fn ctl(args: &CtlArgs) -> Exit {
    match done(args) {
        Ok(status) => {
            let text = if args.json { format!("{status:#}") } else { sentence(&status) };
            output::out(&format!("{text}\n"));
            Exit::Passed
        }
        Err(problem) => {
            output::error(&problem);
            Exit::Errors
        }
    }
}

fn done(args: &CtlArgs) -> Result<Value, String> {
    let client = Client::new(PATIENCE, Proxies::Ignored)?;
    let address = address(args, &client)?;
    let (path, body) = match &args.action {
        CtlAction::Status => ("status", None),
        CtlAction::Users { users, spawn_rate, scenario } => {
            ("control", Some(json!({ "users": users, "spawn_rate": spawn_rate, "scenario": scenario })))
        }
        CtlAction::Rate { rate, scenario } => {
            ("control", Some(json!({ "rate": rate, "scenario": scenario })))
        }
        CtlAction::Pause => ("control", Some(json!({ "pause": true }))),
        CtlAction::Resume => ("control", Some(json!({ "pause": false }))),
        CtlAction::Next => ("control", Some(json!({ "next_stage": true }))),
        CtlAction::Reload => ("control", Some(json!({ "reload": true }))),
        CtlAction::Stop => ("stop", Some(json!({}))),
    };
    call(&client, &address, path, body)
}

/// The run that is meant.
fn address(args: &CtlArgs, client: &Client) -> Result<Address, String> {
    if let Some(url) = &args.url {
        let url = parse_url(url).map_err(|problem| format!("--url '{}': {problem}", clean_line(url)))?;
        let token = args.token.clone().unwrap_or_default();
        return Ok(Address {
            url: url.as_str().trim_end_matches('/').to_owned(),
            token,
            pid: 0,
            folder: None,
        });
    }
    if let Some(run) = &args.run {
        let folder = if run.is_dir() { run.clone() } else { args.results_dir.join(run) };
        let none = || {
            format!(
                "{} is not a run that can be steered: it is over, or was started without --web or --control",
                Path::display(&folder)
            )
        };
        return control_file::of_folder(&folder).ok_or_else(none);
    }
    let (mut on, mut idle) = (Vec::new(), Vec::new());
    for address in control_file::known() {
        match call(client, &address, "status", None) {
            Ok(status) if goes_on(&status) => on.push((address, status)),
            Ok(status) => idle.push((address, status)),
            Err(_) => control_file::forget(&address),
        }
    }
    let listed = |found: &[(Address, Value)]| -> String {
        let line = |(address, status): &(Address, Value)| {
            let place = match &address.folder {
                Some(folder) => format!("--run {}", shell_word(&folder.display().to_string())),
                None => format!("--url {}", address.url),
            };
            format!("\n  {place}  {}", sentence(status))
        };
        found.iter().map(line).collect()
    };
    match (&on[..], &idle[..]) {
        ([(address, _)], _) => Ok(address.clone()),
        ([], []) => {
            Err("no run of this machine can be steered; start one with rhaid run SCRIPT --control, or --web"
                .to_owned())
        }
        // What it says of itself is the answer.
        ([], [(address, _)]) if matches!(args.action, CtlAction::Status) => Ok(address.clone()),
        ([], pages) => Err(format!("no run goes on; runs are started on these pages:{}", listed(pages))),
        (runs, _) => Err(format!(
            "{} runs can be steered; name one with --run DIR, or with --url and --token:{}",
            runs.len(),
            listed(runs)
        )),
    }
}

/// Whether there is something to steer; the page of `rhaid web` is there before and after its runs too.
fn goes_on(status: &Value) -> bool {
    !matches!(status["state"].as_str(), Some("waiting" | "finished"))
}

/// Makes a call, and gives the JSON of its answer.
fn call(client: &Client, address: &Address, path: &str, body: Option<Value>) -> Result<Value, String> {
    let url = format!("{}/api/v1/{path}", address.url);
    let url = Url::parse(&url).map_err(|error| format!("'{url}' is not a URL: {error}"))?;
    let token = HeaderValue::from_str(&format!("Bearer {}", address.token)).ok();
    let reply = match body {
        None => client.get(&url, token.as_ref()),
        Some(mut body) => {
            if let Some(body) = body.as_object_mut() {
                body.retain(|_, value| !value.is_null());
            }
            client.post_json_as(&url, token.as_ref(), body.to_string())
        }
    };
    let reply = reply.map_err(|problem| format!("no answer from {}: {problem}", address.url))?;
    let json: Value = serde_json::from_slice(&reply.body)
        .map_err(|_| format!("{} answers, but not as rhaid does (status {})", address.url, reply.status))?;
    if reply.status == 200 {
        return Ok(json);
    }
    Err(match json["error"].as_str() {
        Some(reason) => clean_line(reason),
        None => format!("status {}", reply.status),
    })
}

/// What was changed, if anything, and a status, in one line.
fn sentence(status: &Value) -> String {
    let changed = status["changed"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let changed: String = changed.map(|words| format!("{}; ", clean_line(words))).collect();
    format!("{changed}{}", standing(status))
}

/// A status in one line.
fn standing(status: &Value) -> String {
    let word = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).map(clean_line);
    let state = status["verdict"]["words"].as_str().or_else(|| status["state"].as_str()).unwrap_or("?");
    let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    if let Some(name) = word("/recruiting/name") {
        let ready = status["recruiting"]["agents"].as_array().map_or(0, Vec::len);
        return format!("{name} waits for agents, {ready} of {}", number("/recruiting/wanted"));
    }
    let Some(name) = word("/run/name") else { return format!("{state}: no run yet") };
    let rate = status["recent"]["rate"].as_f64().map_or_else(|| "-".to_owned(), format::rate);
    let elapsed = Duration::from_secs_f64(status["elapsed_s"].as_f64().unwrap_or(0.0).max(0.0));
    let failed = status["failed_share"].as_f64().map_or_else(|| "-".to_owned(), format::percent);
    format!(
        "{name} {state} {}  users {}/{}  rate {rate}/s  requests {}  failed {failed} %",
        crate::text::format_clock(elapsed),
        format::count(number("/users")),
        format::count(number("/users_target")),
        format::count(number("/requests")),
    )
}
