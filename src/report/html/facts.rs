//! Scenarios, custom metrics, resources, run details, and a glossary.

use maud::{Markup, Render, html};
use sha2::{Digest, Sha256};

use super::table::{Table, or_dash};
use super::{VERSION, percentile, section, user, user_lines, wrapping};
use crate::metrics::{CustomFigures, Percentile, Quantity, ScenarioStats, Summary};
use crate::plan::{Machine, Origin};
use crate::report::model::Model;
use crate::text::{format, format_clock, format_duration, shell_word};

/// Bytes of a script that a page repeats; the folder has all of it.
const MOST_SCRIPT: usize = 60_000;

fn share(share: Option<f64>) -> String {
    or_dash(share, format::percent)
}

fn latency(times: Option<Summary>, of: Percentile) -> String {
    or_dash(percentile(times, of), format::latency)
}

pub(super) fn scenarios(model: &Model<'_>) -> Markup {
    let snapshot = model.snapshot;
    let planned: u64 = model.info.scenarios.iter().map(|(_, users)| users).sum();
    let ran: u64 = snapshot.scenarios.iter().map(|scenario| scenario.iterations.ended()).sum();
    let of = |part: u64, all: u64| share((all > 0).then(|| part as f64 / all as f64));
    let users_of =
        |name: &str| model.info.scenarios.iter().find(|(known, _)| known == name).map(|(_, users)| *users);
    let stats_of = |name: &str| snapshot.scenarios.iter().find(|scenario| &*scenario.name == name);
    let unplanned =
        snapshot.scenarios.iter().map(|scenario| &*scenario.name).filter(|name| users_of(name).is_none());
    let names = model.info.scenarios.iter().map(|(name, _)| name.as_str()).chain(unplanned);
    let rows = names.map(|name| (name, users_of(name), stats_of(name)));
    let ended = |stats: &Option<&ScenarioStats>| stats.map_or(0, |stats| stats.iterations.ended());
    let table = Table::new("scenario-table", "Scenarios", rows)
        .named_above()
        .text("Scenario", |(name, ..)| wrapping(name));
    let iterations_of = |stats: &Option<&ScenarioStats>| format::count(ended(stats));
    let table = if model.info.has_executors() {
        // Users say nothing about shares here: those of a rate are as many as it takes.
        let executor = |name: &str| model.info.executor_of(name).map(str::to_owned);
        let most = move |name: &str, users: u64| {
            let is_open = executor(name).is_some_and(|executor| is_open(&executor));
            if is_open { format!("up to {}", format::count(users)) } else { format::count(users) }
        };
        table
            .text("Executor", move |(name, ..)| executor(name).unwrap_or_else(|| "—".to_owned()))
            .figures("Users", move |(name, users, _)| or_dash(*users, |users| most(name, users)))
            .figures("Iterations planned", |(.., stats): &(_, _, Option<&ScenarioStats>)| {
                or_dash(stats.and_then(|stats| stats.iterations.planned), format::count)
            })
            .figures("Iterations", move |(.., stats)| iterations_of(stats))
            .figures("Share", move |(.., stats)| of(ended(stats), ran))
    } else {
        table
            .figures("Users", |(_, users, _)| or_dash(*users, format::count))
            .figures("Planned %", move |(_, users, _)| or_dash(*users, |users| of(users, planned)))
            .figures("Iterations", move |(.., stats)| iterations_of(stats))
            .figures("Actual %", move |(.., stats)| of(ended(stats), ran))
    };
    let table = table
        .figures("Requests", |(.., stats)| format::count(stats.map_or(0, |stats| stats.requests.requests)))
        .figures("Failed %", |(.., stats)| share(stats.and_then(|stats| stats.requests.failed_share())))
        .figures("p95", |(.., stats)| latency(stats.and_then(|stats| stats.requests.ok), Percentile::P95));
    let iterations = &snapshot.iterations;
    let content = html! {
        (table)
        p {
            (format::count(iterations.completed)) " iterations completed, "
            (format::count(iterations.failed)) " failed, "
            (format::count(iterations.interrupted)) " interrupted; "
            "duration p50 " (latency(iterations.duration, Percentile::P50)) ", p95 " (latency(iterations.duration, Percentile::P95))
            "; start delay p99 " (latency(iterations.lag, Percentile::P99)) "."
        }
        @if let (Some(service), Some(response)) = (snapshot.total.ok, snapshot.total.response) {
            @let (measured, corrected) = (service.percentile_us(Percentile::P99), response.percentile_us(Percentile::P99));
            p {
                "p99 service time " (format::latency(measured))
                ", p99 response time (from when a request was due) " (format::latency(corrected)) ": "
                (format::latency(corrected.saturating_sub(measured)))
                " of waiting for a free user, a connection, or the generator."
            }
        }
    };
    section("scenarios", "Scenarios", content)
}

/// Whether an executor starts iterations at a rate, with as many users as that takes.
fn is_open(executor: &str) -> bool {
    !matches!(executor, "users" | "constant-vus" | "ramping-vus" | "per-vu-iterations" | "shared-iterations")
}

pub(super) fn own_metrics(model: &Model<'_>) -> Markup {
    let snapshot = model.snapshot;
    let transactions = Table::new("transaction-table", "Transactions", &snapshot.transactions)
        .bad_if(|stats| stats.failures > 0)
        .text("Transaction", |stats| wrapping(&stats.name))
        .figures("Count", |stats| format::count(stats.requests))
        .figures("Failed %", |stats| share(stats.failed_share()))
        .figures("p50", |stats| latency(stats.ok, Percentile::P50))
        .figures("p95", |stats| latency(stats.ok, Percentile::P95))
        .figures("Max", |stats| or_dash(stats.ok, |ok| format::latency(ok.max_us)));
    let custom = Table::new("custom-table", "Custom metrics", &snapshot.custom)
        .text("Metric", |stats| {
            let tag = stats.tag.as_ref().map(|(key, value)| format!("{{{key}:{value}}}")).unwrap_or_default();
            user(&format!("{}{tag}", stats.name))
        })
        .text("Figures", |stats| custom(&stats.figures, if stats.is_time { " ms" } else { "" }));
    let content = html! {
        @if !snapshot.transactions.is_empty() { (transactions) }
        @if !snapshot.custom.is_empty() { (custom) }
    };
    section("metrics", "Transactions and custom metrics", content)
}

fn custom(figures: &CustomFigures, unit: &str) -> String {
    let number = format::number;
    match figures {
        CustomFigures::Counter { count, rate } => {
            format!("sum {}{unit}, {}/s", number(*count), format::rate(*rate))
        }
        CustomFigures::Gauge { value, min, max, .. } => {
            format!("last {}{unit}, min {}{unit}, max {}{unit}", number(*value), number(*min), number(*max))
        }
        CustomFigures::Rate { passes, fails } => {
            let all = passes + fails;
            let part = (all > 0).then(|| *passes as f64 / all as f64);
            format!("{} % true ({} of {})", share(part), format::count(*passes), format::count(all))
        }
        CustomFigures::Trend(trend) => format!(
            "mean {}{unit}, p50 {}{unit}, p95 {}{unit}, p99 {}{unit}, max {}{unit}, {} values",
            number(trend.avg),
            number(trend.med),
            number(trend.p95),
            number(trend.p99),
            number(trend.max),
            format::count(trend.count)
        ),
    }
}

pub(super) fn resources(model: &Model<'_>) -> Markup {
    let resources = &model.snapshot.resources;
    if resources.stats.is_empty() {
        return Markup::default();
    }
    // Where agents make the load, this process only coordinates them.
    let process = if model.snapshot.agents.is_empty() { "Generator" } else { "Coordinator" };
    let caption = format!("Machine, target and {}", process.to_lowercase());
    let table = Table::new("resource-table", &caption, &resources.stats)
        .text("Resource", |stats| resource(stats.metric.name, process))
        .figures("Mean", |stats| amount(stats.metric.quantity(), stats.avg))
        .figures("Min", |stats| amount(stats.metric.quantity(), stats.min))
        .figures("Max", |stats| amount(stats.metric.quantity(), stats.max))
        .figures("Last", |stats| amount(stats.metric.quantity(), stats.last));
    let content = html! {
        @if let Some(info) = &resources.info {
            p {
                "Target: " (user(info.target.as_deref().unwrap_or("no target process was monitored")))
                @if info.target_is_generator { ", the same process as the generator" }
                ". " (process) " machine: " (info.cores) " cores, " (format::bytes(info.memory_total)) " memory."
            }
        }
        (table)
    };
    section("resources", "Resources", content)
}

/// A resource as people call it, with what its figures count: `Target: open files and sockets`.
fn resource(metric: &str, process: &str) -> String {
    let whose = [("target_", "Target"), ("system_", "Machine"), ("generator_", process)];
    let of = whose.into_iter().find_map(|(prefix, name)| Some((name, metric.strip_prefix(prefix)?)));
    let Some((whose, what)) = of else { return metric.to_owned() };
    let what = match what {
        "cpu" if whose == "Machine" => "CPU, of all cores",
        "cpu" => "CPU, of one core",
        "memory" if whose == "Machine" => "memory in use",
        "memory" => "resident memory",
        "threads" => "threads",
        "fds" => "open files and sockets",
        "processes" => "processes",
        "disk_read" => "disk reads",
        "disk_written" => "disk writes",
        "net_sent" => "network, sent",
        "net_received" => "network, received",
        other => other,
    };
    format!("{whose}: {what}")
}

fn amount(unit: Quantity, value: f64) -> String {
    match unit {
        Quantity::Percent => format!("{value:.1} %"),
        Quantity::Bytes => format::bytes(value.max(0.0).round() as u64),
        Quantity::BytesPerSecond => format!("{}/s", format::bytes(value.max(0.0).round() as u64)),
        // Means of counts.
        _ if value.fract() != 0.0 && value.abs() < 1e4 => format!("{value:.1}"),
        _ => format::number(value.round()),
    }
}

/// A line of a list of facts; nothing when nothing is known.
fn fact(name: &str, value: impl Render) -> Markup {
    let value = value.render();
    html! { @if !value.0.is_empty() { div { dt { (name) } dd { (value) } } } }
}

/// The environment, notes, command and commit of a run, those that are known.
fn origin(origin: &Origin) -> Markup {
    html! {
        @if let Some(label) = &origin.label { (fact("Environment", user(label))) }
        @for note in &origin.notes { (fact("Note", user(note))) }
        @if !origin.command.is_empty() { (fact("Command", html! { code { (user(&command_line(origin))) } })) }
        @if let Some(commit) = &origin.commit {
            (fact("Commit", html! {
                code { (user(&commit.hash)) }
                @if let Some(branch) = &commit.branch { " on " (user(branch)) }
                @if commit.has_changes == Some(true) { ", with uncommitted changes" }
            }))
        }
    }
}

/// The command as a shell takes it.
fn command_line(origin: &Origin) -> String {
    origin.command.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// The machine in a line; empty when nothing is known of it.
fn machine(machine: &Machine) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(machine.os_version.clone().or(Some(machine.os.clone()).filter(|os| !os.is_empty())));
    parts.extend(Some(machine.arch.clone()).filter(|arch| !arch.is_empty()));
    parts.extend((machine.cores > 0).then(|| format!("{} cores", machine.cores)));
    parts.extend(machine.cpu.clone());
    parts.extend(machine.memory_bytes.map(|bytes| format!("{} memory", format::bytes(bytes))));
    parts.join(", ")
}

pub(super) fn facts(model: &Model<'_>) -> Markup {
    let (info, snapshot) = (model.info, model.snapshot);
    let is_local = snapshot.agents.is_empty();
    let script = info.script.display().to_string();
    let planned = match (info.planned.or(info.run_time), info.iterations) {
        // They may be done earlier.
        (Some(time), _) if info.executors.iter().any(|executor| executor.ends_with("iterations")) => {
            format!("at most {}", format_duration(time))
        }
        (Some(time), _) => format_duration(time),
        (None, Some(iterations)) => format::plural(iterations, "iteration"),
        (None, None) => "until stopped".to_owned(),
    };
    let load = html! {
        @if info.has_executors() {
            (executors(&info.executors)) "; at most " (format::count(info.users)) " users"
        } @else {
            (format::count(info.users)) " users, spawn rate " (format::rate(info.spawn_rate)) "/s"
        }
        "; peak " (format::count(snapshot.users_max)) " users"
    };
    let total = &snapshot.total;
    let data =
        format!("{} received, {} sent", format::bytes(total.bytes_received), format::bytes(total.bytes_sent));
    let content = html! {
        dl.facts {
            (origin(&info.origin))
            (fact("Script", wrapping(if script.is_empty() { &info.name } else { &script })))
            (fact("Host", wrapping(info.host.as_deref().unwrap_or("set by the script"))))
            (fact("Started", super::moment(info.started_at)))
            (fact("Planned duration", planned))
            (fact("Actual duration", format::run_length(snapshot.elapsed)))
            (fact("Ended by", model.ended_by.words(info)))
            (fact("Load", load))
            (fact("Stop timeout", format_duration(info.stop_timeout)))
            (fact("Seed", info.seed))
            (fact("Worker threads", threads(model)))
            (fact("Data", data))
            (fact("HTTP version", user(&info.http_version)))
            (fact(if is_local { "Generator machine" } else { "Coordinator's machine" }, user(&machine(&info.machine))))
            (fact("Version", VERSION))
            @for (name, value) in &info.params { (fact("Parameter", format!("{} = {}", user(name), user(value)))) }
            @for mark in &snapshot.marks { (fact("Mark", format!("{} {}", format_clock(mark.at), user(&mark.text)))) }
        }
        (sources(model))
    };
    section("facts", "Run details", content)
}

/// Each of them once, in the order of their scenarios.
fn executors(names: &[String]) -> String {
    let mut once: Vec<&str> = Vec::new();
    for name in names {
        if !once.contains(&name.as_str()) {
            once.push(name);
        }
    }
    once.join(", ")
}

/// How many there are; in a distributed run, those of the agents.
fn threads(model: &Model<'_>) -> String {
    let agents = &model.snapshot.agents;
    let threads: usize = agents.iter().map(|agent| agent.threads).sum();
    match agents.len() {
        0 => model.info.threads.to_string(),
        1 => format!("{threads} of 1 agent"),
        count => format!("{threads} of {count} agents"),
    }
}

fn sources(model: &Model<'_>) -> Markup {
    let mut room = MOST_SCRIPT;
    let mut fits = |text: &str| {
        let left = room.checked_sub(text.len());
        room = left.unwrap_or(room);
        left.is_some()
    };
    html! {
        @for (name, text) in &model.info.files {
            @let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            details {
                summary { (user(name)) " " code { "sha256 " (hash) } }
                @if fits(text) {
                    pre tabindex="0" { (user_lines(text)) }
                } @else {
                    p { "Too long for this page; see script/ in the run directory." }
                }
            }
        }
    }
}

pub(super) fn terms() -> Markup {
    let content = html! {
        dl.facts {
            (fact("Service time", "from sending the request to the end of the response"))
            (fact("Response time", "from when the request was due to the end of the response"))
            (fact("p95", "95 % of requests were at least this fast; p50 is the median"))
            (fact("Failed %", "share of requests that failed"))
            (fact("Responses/s", "responses per second, including failed ones"))
            (fact("In flight", "requests waiting for a response"))
            (fact("Iteration", "one execution of a task by a virtual user"))
        }
    };
    section("terms", "Terms", content)
}
