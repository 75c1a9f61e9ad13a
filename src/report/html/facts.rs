//! Who ran what how: scenarios, the script's own metrics, resources, facts of the run, and a legend of terms.

use sha2::{Digest, Sha256};

use super::table::{Row, figures, table, text};
use super::{escape, section, user, user_lines};
use crate::metrics::{CustomFigures, GaugeStats, Percentile, Quantity, Summary};
use crate::plan::{Machine, Origin};
use crate::report::model::Model;
use crate::text::format;
use crate::text::utc;
use crate::text::{format_clock, format_duration, shell_word};

/// Bytes of a script that a page repeats; the folder has all of it.
const MOST_SCRIPT: usize = 60_000;

fn at(latency: Option<Summary>, percentile: Percentile) -> String {
    let telling = latency.and_then(|latency| latency.telling_us(percentile));
    telling.map_or_else(|| "-".to_owned(), format::latency)
}

fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), format::percent)
}

pub(super) fn scenarios(model: &Model<'_>) -> String {
    let snapshot = model.snapshot;
    let planned: u64 = model.info.scenarios.iter().map(|(_, users)| users).sum();
    let ran: u64 = snapshot.scenarios.iter().map(|scenario| scenario.iterations.ended()).sum();
    let of = |part: u64, all: u64| share((all > 0).then(|| part as f64 / all as f64));
    let mut names: Vec<&str> = model.info.scenarios.iter().map(|(name, _)| name.as_str()).collect();
    names.extend(snapshot.scenarios.iter().map(|scenario| &*scenario.name));
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    let rows: Vec<Row> = names
        .iter()
        .map(|name| {
            let users = model.info.scenarios.iter().find(|(known, _)| known == name).map(|(_, users)| *users);
            let stats = snapshot.scenarios.iter().find(|scenario| &*scenario.name == *name);
            let requests = stats.map(|stats| &stats.requests);
            Row::new(vec![
                user(name),
                users.map_or_else(|| "-".to_owned(), format::count),
                users.map_or_else(|| "-".to_owned(), |users| of(users, planned)),
                stats.map_or_else(|| "0".to_owned(), |stats| format::count(stats.iterations.ended())),
                of(stats.map_or(0, |stats| stats.iterations.ended()), ran),
                requests.map_or_else(|| "0".to_owned(), |requests| format::count(requests.requests)),
                share(requests.and_then(|requests| requests.failed_share())),
                at(requests.and_then(|requests| requests.ok), Percentile::P95),
            ])
        })
        .collect();
    let columns = [
        text("Scenario"),
        figures("Users"),
        figures("Planned %"),
        figures("Iterations"),
        figures("Real %"),
        figures("Requests"),
        figures("Failed %"),
        figures("p95"),
    ];
    let mut content = table("scenario-table", "Scenarios", &columns, &rows, None);
    let iterations = &snapshot.iterations;
    content.push_str(&format!(
        "<p>{} iterations completed, {} failed, {} interrupted; duration p50 {}, p95 {}; they started late by p99 {}.</p>\n",
        format::count(iterations.completed),
        format::count(iterations.failed),
        format::count(iterations.interrupted),
        at(iterations.duration, Percentile::P50),
        at(iterations.duration, Percentile::P95),
        at(iterations.lag, Percentile::P99),
    ));
    if let (Some(service), Some(response)) = (snapshot.total.ok, snapshot.total.response) {
        let (measured, corrected) =
            (service.percentile_us(Percentile::P99), response.percentile_us(Percentile::P99));
        content.push_str(&format!(
            "<p>p99 of the service time {}, of the response time counted from when a request was due {}: {} more, \
             in which requests waited for a user, a connection, or the generator.</p>\n",
            format::latency(measured),
            format::latency(corrected),
            format::latency(corrected.saturating_sub(measured)),
        ));
    }
    section("scenarios", "Scenarios", &content)
}

pub(super) fn own_metrics(model: &Model<'_>) -> String {
    let snapshot = model.snapshot;
    let mut content = String::new();
    if !snapshot.transactions.is_empty() {
        let columns = [
            text("Transaction"),
            figures("Count"),
            figures("Failed %"),
            figures("p50"),
            figures("p95"),
            figures("Max"),
        ];
        let rows: Vec<Row> = snapshot
            .transactions
            .iter()
            .map(|stats| Row {
                is_bad: stats.failures > 0,
                ..Row::new(vec![
                    user(&stats.name),
                    format::count(stats.requests),
                    share(stats.failed_share()),
                    at(stats.ok, Percentile::P50),
                    at(stats.ok, Percentile::P95),
                    stats.ok.map_or_else(|| "-".to_owned(), |ok| format::latency(ok.max_us)),
                ])
            })
            .collect();
        content.push_str(&table("transaction-table", "Transactions", &columns, &rows, None));
    }
    if !snapshot.custom.is_empty() {
        let rows: Vec<Row> = snapshot
            .custom
            .iter()
            .map(|stats| {
                let tag =
                    stats.tag.as_ref().map(|(key, value)| format!("{{{key}:{value}}}")).unwrap_or_default();
                let unit = if stats.is_time { " ms" } else { "" };
                Row::new(vec![user(&format!("{}{tag}", stats.name)), escape(&custom(&stats.figures, unit))])
            })
            .collect();
        let columns = [text("Metric"), text("Figures")];
        content.push_str(&table("custom-table", "Metrics of the script", &columns, &rows, None));
    }
    section("metrics", "Transactions and metrics of the script", &content)
}

fn custom(figures: &CustomFigures, unit: &str) -> String {
    let number = format::number;
    match figures {
        CustomFigures::Counter { count, rate } => {
            format!("sum {}{unit}, {}/s", number(*count), format::rate(*rate))
        }
        CustomFigures::Gauge { value, min, max, .. } => {
            format!("last {}{unit}, from {}{unit} to {}{unit}", number(*value), number(*min), number(*max))
        }
        CustomFigures::Rate { passes, fails } => {
            let all = passes + fails;
            let part = (all > 0).then(|| *passes as f64 / all as f64);
            format!("{} % true ({} of {})", share(part), format::count(*passes), format::count(all))
        }
        CustomFigures::Trend(trend) => format!(
            "mean {}{unit}, p50 {}{unit}, p95 {}{unit}, p99 {}{unit}, longest {}{unit}, {} values",
            number(trend.avg),
            number(trend.med),
            number(trend.p95),
            number(trend.p99),
            number(trend.max),
            format::count(trend.count)
        ),
    }
}

pub(super) fn resources(model: &Model<'_>) -> String {
    let resources = &model.snapshot.resources;
    if resources.stats.is_empty() {
        return String::new();
    }
    let rows: Vec<Row> = resources.stats.iter().map(gauge).collect();
    let columns = [text("What"), figures("Mean"), figures("Least"), figures("Most"), figures("Last")];
    let mut content = String::new();
    if let Some(info) = &resources.info {
        let target = info.target.as_deref().unwrap_or("no process was watched as the target");
        content.push_str(&format!(
            "<p>Target: {}{}. Generator's machine: {} cores, {} memory.</p>\n",
            user(target),
            if info.target_is_generator { ", which is the generator's own process" } else { "" },
            info.cores,
            format::bytes(info.memory_total)
        ));
    }
    content.push_str(&table("resource-table", "Machine, target and generator", &columns, &rows, None));
    section("resources", "Resources", &content)
}

fn gauge(stats: &GaugeStats) -> Row {
    let value = |value: f64| match stats.metric.quantity() {
        Quantity::Percent => format!("{value:.1} %"),
        Quantity::Bytes => format::bytes(value.max(0.0).round() as u64),
        Quantity::BytesPerSecond => format!("{}/s", format::bytes(value.max(0.0).round() as u64)),
        _ => format::number((value * 10.0).round() / 10.0),
    };
    Row::new(vec![
        escape(stats.metric.name),
        value(stats.avg),
        value(stats.min),
        value(stats.max),
        value(stats.last),
    ])
}

/// The environment, notes, command and commit of a run, those that are known.
fn origin(origin: &Origin) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    facts.extend(origin.label.as_ref().map(|label| ("Environment", user(label))));
    facts.extend(origin.notes.iter().map(|note| ("Note", user(note))));
    if !origin.command.is_empty() {
        facts.push(("Command", format!("<code>{}</code>", user(&command_line(origin)))));
    }
    if let Some(commit) = &origin.commit {
        let branch =
            commit.branch.as_ref().map_or_else(String::new, |branch| format!(" on {}", user(branch)));
        let changes = match commit.has_changes {
            Some(true) => ", with changes that were not committed",
            Some(false) | None => "",
        };
        facts.push(("Commit", format!("<code>{}</code>{branch}{changes}", user(&commit.hash))));
    }
    facts
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

pub(super) fn facts(model: &Model<'_>) -> String {
    let (info, snapshot) = (model.info, model.snapshot);
    let script = info.script.display().to_string();
    let planned = match (info.run_time, info.iterations) {
        (Some(time), _) => format_duration(time),
        (None, Some(iterations)) => format!("{} iterations", format::count(iterations)),
        (None, None) => "until stopped".to_owned(),
    };
    let mut facts = origin(&info.origin);
    facts.extend([
        ("Script", user(if script.is_empty() { &info.name } else { &script })),
        ("Host", info.host.as_deref().map_or_else(|| "named by the script".to_owned(), user)),
        ("Started", escape(&utc(info.started_at))),
        ("Planned", escape(&planned)),
        ("Ran", escape(&format::run_length(snapshot.elapsed))),
        ("Ended by", escape(model.ended_by.as_str())),
        (
            "Load",
            format!(
                "{} users, {} started per second; at most {} ran at once",
                format::count(info.users),
                format::rate(info.spawn_rate),
                format::count(snapshot.users_max)
            ),
        ),
        ("Stop timeout", escape(&format_duration(info.stop_timeout))),
        ("Seed", info.seed.to_string()),
        ("Worker threads", info.threads.to_string()),
        (
            "Data",
            format!(
                "{} received, {} sent",
                format::bytes(snapshot.total.bytes_received),
                format::bytes(snapshot.total.bytes_sent)
            ),
        ),
        ("HTTP version", user(&info.http_version)),
        ("Generator", user(&machine(&info.machine))),
        ("Version", format!("rhaid {}", env!("CARGO_PKG_VERSION"))),
    ]);
    facts.retain(|(_, value)| !value.is_empty());
    for (name, value) in &info.params {
        facts.push(("Parameter", format!("{} = {}", user(name), user(value))));
    }
    for mark in &snapshot.marks {
        facts.push(("Mark", format!("{} {}", format_clock(mark.at), user(&mark.text))));
    }
    let list: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")).collect();
    section("facts", "The run", &format!("<dl class=\"facts\">\n{list}</dl>\n{}", sources(model)))
}

fn sources(model: &Model<'_>) -> String {
    let mut html = String::new();
    let mut room = MOST_SCRIPT;
    for (name, text) in &model.info.files {
        let hash: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        html.push_str(&format!("<details><summary>{} <code>sha256 {hash}</code></summary>", user(name)));
        if text.len() <= room {
            room -= text.len();
            html.push_str(&format!("<pre tabindex=\"0\">{}</pre>", user_lines(text)));
        } else {
            html.push_str("<p>Too long for this page; it is in the run's folder script/.</p>");
        }
        html.push_str("</details>\n");
    }
    html
}

pub(super) fn terms() -> String {
    section(
        "terms",
        "Terms",
        "<dl class=\"facts\">\
         <div><dt>Service time</dt><dd>from a request sent to its response received</dd></div>\
         <div><dt>Response time</dt><dd>from when a request was due to its response received</dd></div>\
         <div><dt>p95</dt><dd>95 % of the requests were as fast or faster; p50 is the median</dd></div>\
         <div><dt>Failed %</dt><dd>requests without a good response, of all requests</dd></div>\
         <div><dt>Responses/s</dt><dd>responses that came back in a second, failed ones too</dd></div>\
         <div><dt>In flight</dt><dd>requests that wait for their response</dd></div>\
         <div><dt>Iteration</dt><dd>one pass of a virtual user through its task</dd></div></dl>\n",
    )
}

pub(super) fn footer(model: &Model<'_>) -> String {
    format!(
        "<footer>{} · {} · made by rhaid {}</footer>",
        user(&model.info.name),
        escape(&utc(model.info.started_at)),
        env!("CARGO_PKG_VERSION")
    )
}
