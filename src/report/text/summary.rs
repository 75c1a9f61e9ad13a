//! The summary at the end of a run; the verdict comes last, so it stays visible.

use std::time::{Duration, SystemTime};

use super::agents::agent_table;
use super::capacity::curve;
use super::comparison::comparison_table;
use super::distribution::distribution;
use super::endpoints::{all, percent_or_dash, percentile_or_dash, table};
use super::generator;
use super::limits::{broken_limits, limits};
use super::look::{Look, Mark, Tone};
use super::resources::{process, table_with};
use super::table::{Row, Table};
use crate::analysis::Comparison;
use crate::analysis::Verdict;
use crate::analysis::warnings;
use crate::analysis::{Finding, findings};
use crate::metrics::{
    CustomFigures, CustomStats, EndpointStats, FailureCount, FailureKey, Percentile, ScriptErrorCount,
    Snapshot,
};
use crate::plan::{EndedBy, RunInfo, RunRecord};
use crate::report::model::{Judgement, judgement};
use crate::text::format;
use crate::text::format_clock;
use crate::text::{clean_lines, cut_middle};

/// How many groups of failures, and of script errors, are listed.
const MOST_GROUPS: usize = 10;

/// How many custom metrics are listed.
const MOST_CUSTOM: usize = 30;

/// The metric that has a line of its own.
const RETRIES: &str = "http_req_retries";

/// How many script errors are shown with the source line and the call chain.
const MOST_TRACES: usize = 3;

/// Lines of such a trace: a deep recursion must not push everything else off the screen.
const TRACE_LINES: usize = 12;

/// Endpoints that are shown; the files have all of them.
const MOST_ENDPOINTS: usize = 40;

/// Maximum columns of one message; a terminal wraps it, but a whole response body would bury the rest.
const MESSAGE_COLUMNS: usize = 300;

/// The summary of a finished run; ends with the verdict and a line break.
///
/// Figures cover the whole run. Latencies are those of successful requests.
pub fn summary(record: &RunRecord, look: Look) -> String {
    compared_summary(record, None, look)
}

/// The same with a comparison above the verdict.
pub fn compared_summary(record: &RunRecord, comparison: Option<&Comparison>, look: Look) -> String {
    let (snapshot, ended_by) = (&*record.snapshot, record.ended_by());
    let sections = [
        endpoints(record, look),
        distribution(&busiest(snapshot), look),
        failures(snapshot, look),
        script_errors(snapshot, look),
        checks(snapshot, look),
        transactions(snapshot, look),
        custom(snapshot, look),
        iterations_and_data(snapshot, look),
        agent_table(&snapshot.agents, look),
        table_with(&snapshot.resources, process(snapshot.agents.len()), look),
        what_happened(record, look),
        warnings(snapshot, look),
        setup_error(ended_by, look),
        comparison.map_or_else(Vec::new, |comparison| comparison_table(comparison, look)),
        snapshot.capacity.as_deref().map_or_else(Vec::new, |capacity| curve(capacity, look)),
        limits(snapshot, look),
        vec![verdict(record, look)],
    ];
    joined(&sections)
}

/// The same without figures: a single iteration says nothing about performance.
pub fn short_summary(record: &RunRecord, look: Look) -> String {
    let (snapshot, ended_by) = (&*record.snapshot, record.ended_by());
    joined(&[
        failures(snapshot, look),
        script_errors(snapshot, look),
        checks(snapshot, look),
        setup_error(ended_by, look),
        vec![verdict(record, look)],
    ])
}

/// The sections that have lines, with an empty line between them.
fn joined(sections: &[Vec<String>]) -> String {
    let mut text = String::new();
    for section in sections.iter().filter(|section| !section.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        for line in section {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// The endpoints with the most requests, in the order of the snapshot.
fn busiest(snapshot: &Snapshot) -> Vec<EndpointStats> {
    let mut by_requests: Vec<u64> = snapshot.endpoints.iter().map(|stats| stats.requests).collect();
    by_requests.sort_unstable_by(|a, b| b.cmp(a));
    let least = by_requests.get(MOST_ENDPOINTS - 1).copied().unwrap_or(0);
    let busy = snapshot.endpoints.iter().filter(|stats| stats.requests >= least);
    busy.take(MOST_ENDPOINTS).cloned().collect()
}

fn endpoints(record: &RunRecord, look: Look) -> Vec<String> {
    let RunRecord { info, snapshot, .. } = record;
    let mut lines = vec![look.paint(Tone::Strong, &format!(" {}", subject(info, look)))];
    let facts = format!(
        " whole run: {}, up to {}, end: {}; latency of successes",
        format::run_length(snapshot.elapsed),
        format::plural(snapshot.users_max, "user"),
        record.ended_by().words(info),
    );
    lines.push(look.paint(Tone::Faint, &facts));
    if snapshot.total.requests > 0 {
        let shown = busiest(snapshot);
        lines.extend(table(&shown.iter().collect::<Vec<_>>(), Some(&snapshot.total), &all(), look));
        let left = snapshot.endpoints.len() - shown.len();
        if left > 0 {
            lines.push(
                look.paint(Tone::Faint, &format!("   + {left} more with fewer requests, in stats.csv")),
            );
        }
    }
    lines
}

/// The script and its host: `shop.rhai -> http://127.0.0.1:8000`.
pub(crate) fn subject(info: &RunInfo, look: Look) -> String {
    let script = info.script.file_name().map_or(info.name.as_str().into(), |name| name.to_string_lossy());
    let script = look.user(&script);
    match &info.host {
        Some(host) => format!("{script} -> {}", look.user(host)),
        None => script,
    }
}

fn failures(snapshot: &Snapshot, look: Look) -> Vec<String> {
    if snapshot.failures.is_empty() {
        return Vec::new();
    }
    let listed = snapshot.failures.iter().take(MOST_GROUPS);
    let rows = listed.map(|(key, failure)| failure_row(snapshot, key, failure, look)).collect();
    let mut lines =
        Table::new(&["failed requests", "count", "of endpoint", "first", "last"], rows).render(look);
    let more = snapshot.failures.len().saturating_sub(MOST_GROUPS);
    if more > 0 {
        lines.push(format!("   + {more} more kinds of failure"));
    }
    lines
}

fn failure_row(snapshot: &Snapshot, key: &FailureKey, failure: &FailureCount, look: Look) -> Row {
    let endpoint = snapshot.endpoints.iter().find(|e| e.method == key.method && e.name == key.name);
    let share = endpoint.filter(|e| e.requests > 0).map(|e| failure.count as f64 / e.requests as f64);
    Row {
        mark: Mark::Failing,
        name: look.user(&failure_name(key)),
        cells: vec![
            format::count(failure.count),
            percent_or_dash(share),
            clock(snapshot, failure.first_seen),
            clock(snapshot, failure.last_seen),
        ],
        notes: failure.messages.iter().map(|message| one_message(message, look)).collect(),
    }
}

/// A group of failures in a few words: `status 500  GET /quality/export`.
pub(crate) fn failure_name(key: &FailureKey) -> String {
    match key.status {
        0 => format!("{}  {} {}", key.kind, key.method, key.name),
        status => format!("{} {status}  {} {}", key.kind, key.method, key.name),
    }
}

/// The first failure so far on one line, for a message while the run goes on.
pub fn first_failure(snapshot: &Snapshot, look: Look) -> Option<String> {
    let (key, group) = snapshot.failures.iter().min_by_key(|(_, group)| group.first_seen)?;
    let message = group.messages.first().map_or_else(String::new, |message| format!(": {message}"));
    Some(format!("first failed request: {}", one_message(&format!("{}{message}", failure_name(key)), look)))
}

fn one_message(message: &str, look: Look) -> String {
    cut_middle(&look.user(message), MESSAGE_COLUMNS, look.ellipsis())
}

fn script_errors(snapshot: &Snapshot, look: Look) -> Vec<String> {
    if snapshot.script_errors.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![look.paint(Tone::Strong, "   script errors")];
    for (index, group) in snapshot.script_errors.iter().take(MOST_GROUPS).enumerate() {
        lines.push(format!(
            " {} {} {}",
            look.paint(Tone::Bad, look.mark(Mark::Failing)),
            look.times(group.count),
            script_error_name(group, look)
        ));
        let (first, last) = (clock(snapshot, group.first_seen), clock(snapshot, group.last_seen));
        lines.push(look.paint(Tone::Faint, &format!("      first {first}, last {last}")));
        if index < MOST_TRACES {
            lines.extend(trace(&group.first.trace, look));
        }
    }
    let more = snapshot.script_errors.len().saturating_sub(MOST_GROUPS);
    if more > 0 {
        lines.push(format!("   + {more} more script errors"));
    }
    lines
}

/// Place and message of a script error on one line.
pub(crate) fn script_error_name(group: &ScriptErrorCount, look: Look) -> String {
    let message = one_message(&group.first.message, look);
    match group.first.position.as_str() {
        "" => message,
        position => format!("{}: {message}", look.user(position)),
    }
}

fn trace(trace: &str, look: Look) -> Vec<String> {
    let lines = clean_lines(trace);
    let more = lines.len().saturating_sub(TRACE_LINES);
    let mut shown: Vec<String> =
        lines.iter().take(TRACE_LINES).map(|line| format!("      {}", one_message(line, look))).collect();
    if more > 0 {
        shown.push(format!("      + {more} more lines"));
    }
    shown
}

fn checks(snapshot: &Snapshot, look: Look) -> Vec<String> {
    if snapshot.checks.is_empty() {
        return Vec::new();
    }
    let rows = snapshot
        .checks
        .iter()
        .map(|(name, count)| {
            let all = count.passes + count.fails;
            let share = (all > 0).then(|| count.passes as f64 / all as f64);
            Row {
                mark: if count.fails == 0 { Mark::Pass } else { Mark::Fail },
                name: look.user(name),
                cells: vec![format::count(count.passes), format::count(count.fails), percent_or_dash(share)],
                notes: Vec::new(),
            }
        })
        .collect();
    Table::new(&["checks", "passed", "failed", "pass rate"], rows).render(look)
}

fn transactions(snapshot: &Snapshot, look: Look) -> Vec<String> {
    let rows = snapshot.transactions.iter().map(|stats| Row {
        mark: if stats.failures > 0 { Mark::Failing } else { Mark::Blank },
        name: look.user(&stats.name),
        cells: vec![
            format::count(stats.requests),
            percent_or_dash(stats.failed_share()),
            percentile_or_dash(stats.ok, Percentile::P50, look),
            percentile_or_dash(stats.ok, Percentile::P95, look),
            percentile_or_dash(stats.ok, Percentile::P99, look),
            look.latency_or_dash(stats.ok.map(|ok| ok.max_us)),
        ],
        notes: Vec::new(),
    });
    let rows: Vec<Row> = rows.collect();
    if rows.is_empty() {
        return Vec::new();
    }
    Table::new(&["transactions", "count", "failed", "p50", "p95", "p99", "max"], rows).render(look)
}

/// The custom metrics. Values by tag are in run.json only: there can be a thousand of them.
fn custom(snapshot: &Snapshot, look: Look) -> Vec<String> {
    let all = snapshot.custom.iter().filter(|stats| stats.tag.is_none() && stats.name.as_ref() != RETRIES);
    let rows: Vec<Row> = all
        .clone()
        .take(MOST_CUSTOM)
        .map(|stats| Row {
            mark: Mark::Blank,
            name: look.user(&stats.name),
            cells: vec![custom_figures(stats)],
            notes: Vec::new(),
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut lines = Table::new(&["custom metrics", ""], rows).render(look);
    let more = all.count().saturating_sub(MOST_CUSTOM);
    if more > 0 {
        lines.push(format!("   + {more} more metrics"));
    }
    lines
}

fn custom_figures(stats: &CustomStats) -> String {
    let unit = if stats.is_time { " ms" } else { "" };
    let number = format::number;
    match stats.figures {
        CustomFigures::Counter { count, rate } => format!("{} ({}/s)", number(count), number(rate)),
        CustomFigures::Gauge { value, min, max, .. } => {
            format!("{} (min {}, max {})", number(value), number(min), number(max))
        }
        CustomFigures::Rate { passes, fails } => {
            let all = passes + fails;
            let share = (all > 0).then(|| passes as f64 / all as f64);
            format!("{}, {} of {}", percent_or_dash(share), format::count(passes), format::count(all))
        }
        CustomFigures::Trend(trend) => format!(
            "avg {}{unit}, p50 {}{unit}, p95 {}{unit}, max {}{unit}",
            number(trend.avg),
            number(trend.med),
            number(trend.p95),
            number(trend.max)
        ),
    }
}

fn iterations_and_data(snapshot: &Snapshot, look: Look) -> Vec<String> {
    let iterations = &snapshot.iterations;
    let mut line = format!(
        "   iterations  {} completed, {} failed, {} interrupted",
        format::count(iterations.completed),
        format::count(iterations.failed),
        format::count(iterations.interrupted),
    );
    if let Some(planned) = iterations.planned {
        // Beside them there may be scenarios whose iterations are never due.
        let due = snapshot.scenarios.iter().filter(|scenario| scenario.iterations.planned.is_some());
        let started = due.map(|scenario| scenario.iterations.started).sum();
        line.push_str(&format!(
            "; {} of {} planned iterations started, {} dropped",
            format::count(started),
            format::count(planned),
            format::count(iterations.dropped)
        ));
    }
    let mut lines = vec![line];
    if iterations.duration.is_some() {
        lines.push(format!(
            "               duration p50 {}, p95 {}; start delay p99 {}",
            percentile_or_dash(iterations.duration, Percentile::P50, look),
            percentile_or_dash(iterations.duration, Percentile::P95, look),
            percentile_or_dash(iterations.lag, Percentile::P99, look),
        ));
    }
    if snapshot.agents.is_empty() {
        lines.extend(generator::facts(&snapshot.generator, look));
    }
    for mark in &snapshot.marks {
        lines.push(format!("   {:<10}  {}", format_clock(mark.at), look.user(&mark.text)));
    }
    let total = &snapshot.total;
    if total.requests > 0 {
        lines.push(format!(
            "   data        received {}, sent {}",
            amount(total.bytes_received, snapshot.elapsed),
            amount(total.bytes_sent, snapshot.elapsed),
        ));
    }
    lines.extend(retries(snapshot));
    lines
}

/// Requests that were sent more than once: the server has seen more than the run counts.
fn retries(snapshot: &Snapshot) -> Option<String> {
    let stats = snapshot.custom.iter().find(|stats| stats.name.as_ref() == RETRIES && stats.tag.is_none())?;
    let CustomFigures::Counter { count, .. } = stats.figures else { return None };
    Some(format!(
        "   retries     {} (sent again because the server had not processed them)",
        format::number(count)
    ))
}

fn amount(bytes: u64, time: Duration) -> String {
    let per_s = if time.is_zero() { 0.0 } else { bytes as f64 / time.as_secs_f64() };
    format!("{} ({}/s)", format::bytes(bytes), format::bytes(per_s.round() as u64))
}

/// The findings, except those that the lists above show in more detail.
fn what_happened(record: &RunRecord, look: Look) -> Vec<String> {
    let line = |finding: Finding| {
        format!(" {} {}", look.paint(Tone::Warning, "!"), one_message(&finding.sentence(), look))
    };
    findings(record).into_iter().map(line).collect()
}

fn warnings(snapshot: &Snapshot, look: Look) -> Vec<String> {
    let sign = look.paint(Tone::Warning, "!");
    let line = |(index, line): (usize, &String)| match index {
        0 => format!(" {sign} {}", look.user(line)),
        _ => format!("   {}", look.user(line)),
    };
    let all = warnings::warnings(snapshot);
    all.iter().flat_map(|warning| warning.iter().enumerate().map(line)).collect()
}

fn setup_error(ended_by: &EndedBy, look: Look) -> Vec<String> {
    let EndedBy::SetupFailed(error) = ended_by else { return Vec::new() };
    // The verdict has the first line; source line and call chain come before it.
    if error.lines().nth(1).is_some() { trace(error, look) } else { Vec::new() }
}

fn verdict(record: &RunRecord, look: Look) -> String {
    let snapshot = &*record.snapshot;
    let verdict = Verdict::of(record);
    let tone = match judgement(verdict) {
        Judgement::Good if matches!(verdict, Verdict::ThresholdsMet(_)) => Tone::Pass,
        Judgement::Good => Tone::Good,
        Judgement::Neutral => Tone::Strong,
        Judgement::Warning => Tone::Warning,
        Judgement::Bad => Tone::Bad,
    };
    let figures = || figures(snapshot, look);
    let sentence = match (verdict, Verdict::reason(record)) {
        // A table above has all of them.
        (Verdict::ThresholdsBreached(_, _), _) => format!("{}; {}", broken_limits(snapshot, look), figures()),
        (Verdict::SetupFailed(_) | Verdict::NoRequests, Some(reason)) => one_message(&reason, look),
        (_, Some(reason)) => format!("{}; {}", one_message(&reason, look), figures()),
        (_, None) => figures(),
    };
    format!(" {}: {sentence}", look.paint(tone, verdict.words()))
}

/// The same for a page, which has no width to keep.
pub(crate) fn figures_of(snapshot: &Snapshot) -> String {
    figures(snapshot, Look { width: usize::MAX, unicode: true, color: false })
}

/// The run in half a sentence: `1,204 requests in 30.0 s, 3 failed (0.25 %), p95 21.4ms`.
fn figures(snapshot: &Snapshot, look: Look) -> String {
    let total = &snapshot.total;
    let mut text = format!(
        "{} {} in {}, {} failed",
        format::count(total.requests),
        if total.requests == 1 { "request" } else { "requests" },
        format::run_length(snapshot.elapsed),
        format::count(total.failures)
    );
    if let Some(share) = total.failed_share() {
        text.push_str(&format!(" ({} %)", format::percent(share)));
    }
    // An iteration that failed made fewer requests than it should: none of them failing says less than it seems to.
    if snapshot.iterations.failed > 0 {
        text.push_str(&format!(
            ", {} of {} failed",
            format::count(snapshot.iterations.failed),
            format::plural(snapshot.iterations.ended(), "iteration")
        ));
    }
    if let Some(ok) = total.ok {
        text.push_str(&format!(", p95 {}", look.latency(ok.percentile_us(Percentile::P95))));
    }
    text
}

/// A moment of the run as time since its start.
fn clock(snapshot: &Snapshot, moment: SystemTime) -> String {
    // The system's clock may be set back during a run; then the moment counts as the start.
    format_clock(moment.duration_since(snapshot.started_at).unwrap_or_default())
}
