//! The block that is redrawn during a run: its current state, and what is wrong.
//!
//! It fits the terminal. Where there are few lines, endpoints and resources give way; where there are more, they get them.

use std::time::Duration;

use super::agents::live_line;
use super::endpoints::{few, percent_or_dash, percentile_or_dash, table};
use super::generator::generator_warning;
use super::limits::limit_lines;
use super::look::{Look, Tone};
use super::resources::live_lines;
use super::sparkline::sparkline;
use super::summary::{failure_name, script_error_name, subject};
use crate::analysis::last_stall;
use crate::metrics::{EndpointStats, FailureCount, FailureKey, Percentile, Snapshot, ms};
use crate::plan::RunInfo;
use crate::text::format;
use crate::text::format_clock;
use crate::text::{cut_middle, width};

/// Endpoints that are shown before anything else gets a line.
const FEWEST_ENDPOINTS: usize = 3;

/// Kinds of failures that are shown where there is room.
const MOST_FAILURES: usize = 5;

/// Columns of the name of a stage.
const LONGEST_STAGE: usize = 24;

/// Most seconds in a sparkline.
const MOST_SECONDS: usize = 60;

/// The live block, one string a line, none wider than `look.width`; `rows` lines at most, if state and thresholds fit in them.
///
/// `planned` is the time until the users are taken away, for the progress bar. Each figure stands
/// beside the window it covers.
pub fn live(
    info: &RunInfo,
    snapshot: &Snapshot,
    planned: Option<Duration>,
    look: Look,
    rows: usize,
) -> Vec<String> {
    let mut above = header(info, snapshot, planned, look);
    above.extend(now(snapshot, look));
    above.extend(live_line(&snapshot.agents));
    above.push(seconds(snapshot, look));
    let mut troubles = troubles(snapshot, look);
    let thresholds = limit_lines(snapshot, look);
    let resources = live_lines(&snapshot.resources, snapshot.agents.is_empty(), look);

    let of_failures = snapshot.failures.len().min(1);
    let mut left = rows.saturating_sub(above.len() + troubles.len() + of_failures + thresholds.len());
    // First a few endpoints, then the target, then all endpoints, then the rest.
    let fewest = endpoints(snapshot, FEWEST_ENDPOINTS, look).len();
    let of_target = usize::from(!resources.is_empty() && left > fewest);
    let endpoints = endpoints_within(snapshot, left - of_target, look);
    left -= endpoints.len();
    let resources = &resources[..resources.len().min(left)];
    left -= resources.len();
    troubles.extend(failures(snapshot, (of_failures + left).min(MOST_FAILURES), look));
    troubles.truncate(rows.saturating_sub(above.len() + thresholds.len()));

    let lines = [&above[..], resources, &endpoints, &troubles, &thresholds].concat();
    lines.iter().map(|line| look.clip(line.trim_end())).collect()
}

/// Script and host, state and progress: side by side, or on a line each where they do not fit.
fn header(info: &RunInfo, snapshot: &Snapshot, planned: Option<Duration>, look: Look) -> Vec<String> {
    let (progress, done) = progress(info, snapshot, planned);
    let phase = match &snapshot.stage {
        Some(stage) => cut_middle(&look.user(stage), LONGEST_STAGE, look.ellipsis()),
        None => snapshot.phase.as_str().to_owned(),
    };
    let subject = subject(info, look);
    let room = look.width.saturating_sub(width(&subject) + 4);
    let right = |columns: usize| match done {
        Some(share) => {
            let bar = if columns > 0 { bar(share, columns, look) + " " } else { String::new() };
            format!("{phase}  {progress}  {bar}{:>3.0}%", (share * 100.0).floor())
        }
        None => format!("{phase}  {progress}"),
    };
    // A host is worth more than a bar.
    let beside = [20, 12, 6, 0].map(right).into_iter().find(|right| width(right) <= room);
    let strong = look.paint(Tone::Strong, &subject);
    let right_alone = || format!(" {}", right(if look.width < 60 { 6 } else { 20 }));
    match beside {
        Some(right) => vec![format!(" {strong}{}   {right}", " ".repeat(room - width(&right)))],
        None if width(&subject) < look.width => vec![format!(" {strong}"), right_alone()],
        // The host is then alone in its line.
        None => {
            let (script, host) = subject.split_once(" -> ").unwrap_or((&subject, ""));
            let lines = [script, host].into_iter().filter(|text| !text.is_empty());
            let lines = lines.map(|text| format!(" {}", look.paint(Tone::Strong, text)));
            lines.chain([right_alone()]).collect()
        }
    }
}

/// Time, or iterations when they are what ends the run, and which share of it is done.
fn progress(info: &RunInfo, snapshot: &Snapshot, planned: Option<Duration>) -> (String, Option<f64>) {
    let elapsed = format_clock(snapshot.elapsed);
    let share = |done: f64, all: f64| (all > 0.0).then(|| (done / all).min(1.0));
    match (planned, info.iterations) {
        (Some(planned), _) => (
            format!("{elapsed} / {}", format_clock(planned)),
            share(snapshot.elapsed.as_secs_f64(), planned.as_secs_f64()),
        ),
        (None, Some(all)) => {
            let ended = snapshot.iterations.ended();
            let progress =
                format!("{elapsed}  {} / {}", format::count(ended), format::plural(all, "iteration"));
            (progress, share(ended as f64, all as f64))
        }
        (None, None) => (elapsed, None),
    }
}

fn bar(share: f64, columns: usize, look: Look) -> String {
    let (full, empty) = if look.unicode { ("█", "░") } else { ("#", ".") };
    let filled = (share * columns as f64).floor() as usize;
    format!("{}{}", full.repeat(filled), empty.repeat(columns - filled))
}

fn now(snapshot: &Snapshot, look: Look) -> [String; 2] {
    let peak = snapshot.peak_rate.map_or_else(|| "-".to_owned(), |peak| format!("{}/s", format::rate(peak)));
    let recent = &snapshot.recent;
    let rate = recent.rate.map_or_else(|| "-".to_owned(), |rate| format!("{}/s", format::rate(rate)));
    let latency = |percentile| percentile_or_dash(recent.ok, percentile, look);
    let failing = recent.failed_share.is_some_and(|share| share > 0.0);
    let mut failed = format!("failed {}", percent_or_dash(recent.failed_share));
    if failing {
        failed = look.paint(Tone::Bad, &failed);
    }
    [
        format!(
            " now        users {}/{}   in flight {}   requests {} (peak {peak})",
            format::count(snapshot.users),
            format::count(snapshot.users_target),
            format::count(snapshot.in_flight),
            format::count(snapshot.total.requests),
        ),
        format!(
            " {:<9}  rate {rate}   {failed}   p50 {}  p95 {}  p99 {}",
            format!("last {} s", recent.seconds),
            latency(Percentile::P50),
            latency(Percentile::P95),
            latency(Percentile::P99),
        ),
    ]
}

/// Rate and p95 second by second, the newest on the right.
fn seconds(snapshot: &Snapshot, look: Look) -> String {
    let room = look.width.saturating_sub(52) / 2;
    let shown = snapshot.history.len().min(room.clamp(10, MOST_SECONDS));
    let points = snapshot.history.since(snapshot.history.len() - shown);
    let rates: Vec<Option<f64>> = points
        .iter()
        .map(|point| {
            let seconds = point.length.as_secs_f64();
            (seconds > 0.0).then(|| point.total.requests.max(0) as f64 / seconds)
        })
        .collect();
    let p95_us: Vec<Option<u64>> =
        points.iter().map(|point| point.total.ok.map(|ok| ok.percentile_us(Percentile::P95))).collect();
    let p95: Vec<Option<f64>> = p95_us.iter().map(|us| us.map(ms)).collect();
    let fastest = rates.iter().flatten().fold(0.0_f64, |a, &b| a.max(b));
    let rate_max = if shown == 0 { "-".to_owned() } else { format!("{}/s", format::rate(fastest)) };
    let p95_max = look.latency_or_dash(p95_us.iter().flatten().max().copied());
    format!(
        " {:<9}  rate {} max {rate_max}   p95 {} max {p95_max}",
        format!("last {shown} s"),
        sparkline(&rates, look),
        sparkline(&p95, look)
    )
}

/// As many of the busiest endpoints as fit in so many lines.
fn endpoints_within(snapshot: &Snapshot, rows: usize, look: Look) -> Vec<String> {
    // Two lines stand above them, and rows with a long host have two.
    let mut most = rows.saturating_sub(2).min(snapshot.endpoints.len());
    while most > 0 {
        let lines = endpoints(snapshot, most, look);
        if lines.len() <= rows {
            return lines;
        }
        most -= 1;
    }
    Vec::new()
}

fn endpoints(snapshot: &Snapshot, most: usize, look: Look) -> Vec<String> {
    if snapshot.endpoints.is_empty() {
        return Vec::new();
    }
    let mut busiest: Vec<&EndpointStats> = snapshot.endpoints.iter().collect();
    // A stable sort: endpoints with equal counts do not change places from second to second.
    busiest.sort_by_key(|stats| std::cmp::Reverse(stats.requests));
    busiest.truncate(most);
    let mut lines = vec![look.paint(Tone::Faint, " whole run, latency of successes")];
    lines.extend(table(&busiest, None, &few(), look));
    let more = snapshot.endpoints.len() - busiest.len();
    if more > 0 {
        lines.push(format!("   + {more} more"));
    }
    lines
}

/// A search for the capacity, a generator warning, the last stall and the latest script error.
fn troubles(snapshot: &Snapshot, look: Look) -> Vec<String> {
    let error = snapshot.script_errors.iter().max_by_key(|group| group.last_seen);
    let mut lines = Vec::new();
    if let Some((capacity, trying)) = snapshot.capacity.as_ref().and_then(|c| Some((c, c.trying?))) {
        let best = capacity.best.map_or_else(|| "-".to_owned(), |best| format!("{}/s", format::rate(best)));
        lines.push(format!(" capacity   trying {}/s, best so far {best}", format::rate(trying)));
    }
    let sign = look.paint(Tone::Warning, "!");
    lines.extend(generator_warning(snapshot, look).map(|text| format!(" {sign} {text}")));
    lines.extend(last_stall(snapshot).map(|stall| format!(" {sign} {}", look.user(&stall.sentence()))));
    lines.extend(error.map(|group| counted(group.count, &script_error_name(group, look), look)));
    lines
}

/// The latest kind of failure or, where there is room for more lines, the most frequent ones.
fn failures(snapshot: &Snapshot, most: usize, look: Look) -> Vec<String> {
    let mut failures: Vec<_> = snapshot.failures.iter().collect();
    match most {
        0 | 1 => failures.sort_by_key(|(_, group)| std::cmp::Reverse(group.last_seen)),
        // Stable: equal ones do not change places from second to second.
        _ => failures.sort_by_key(|(_, group)| std::cmp::Reverse(group.count)),
    }
    let line = |(key, group): &(FailureKey, FailureCount)| {
        let message =
            group.messages.first().map_or_else(String::new, |message| format!(": {}", look.user(message)));
        counted(group.count, &format!("{}{message}", look.user(&failure_name(key))), look)
    };
    failures.into_iter().take(most).map(line).collect()
}

fn counted(count: u64, text: &str, look: Look) -> String {
    format!(" {} {} {text}", look.paint(Tone::Warning, "!"), look.times(count))
}
