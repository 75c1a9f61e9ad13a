//! The block that is redrawn during a run: its current state, and what is wrong.

use std::time::Duration;

use super::endpoints::{few, percent_or_dash, percentile_or_dash, table};
use super::generator::generator_warning;
use super::limits::limit_lines;
use super::look::{Look, Tone};
use super::sparkline::sparkline;
use super::summary::{failure_name, script_error_name, subject};
use crate::metrics::{EndpointStats, Percentile, Snapshot, ms};
use crate::plan::RunInfo;
use crate::text::format;
use crate::text::format_clock;
use crate::text::{cut_middle, width};

/// Endpoints in the table.
const MOST_ENDPOINTS: usize = 10;

/// Most seconds in a sparkline.
const MOST_SECONDS: usize = 60;

/// The live block, one string a line, none wider than `look.width`.
///
/// `planned` is the time until the users are taken away, for the progress bar. Each figure stands
/// beside the window it covers.
pub fn live(info: &RunInfo, snapshot: &Snapshot, planned: Option<Duration>, look: Look) -> Vec<String> {
    let mut lines = vec![header(info, snapshot, planned, look)];
    lines.extend(now(snapshot, look));
    lines.push(seconds(snapshot, look));
    lines.extend(endpoints(snapshot, look));
    lines.extend(troubles(snapshot, look));
    lines.extend(limit_lines(snapshot, look));
    lines.iter().map(|line| look.clip(line.trim_end())).collect()
}

fn header(info: &RunInfo, snapshot: &Snapshot, planned: Option<Duration>, look: Look) -> String {
    let (progress, done) = progress(info, snapshot, planned);
    let phase = match &snapshot.stage {
        Some(stage) => look.user(stage),
        None => snapshot.phase.as_str().to_owned(),
    };
    let mut right = format!("{phase}  {progress}");
    if let Some(share) = done {
        right.push_str(&format!("  {} {:>3.0}%", bar(share, look), (share * 100.0).floor()));
    }
    let room = look.width.saturating_sub(width(&right) + 4);
    let subject = cut_middle(&subject(info, look), room, look.ellipsis());
    let pad = " ".repeat(room.saturating_sub(width(&subject)));
    format!(" {}{pad}   {right}", look.paint(Tone::Strong, &subject))
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
            let progress = format!("{elapsed}  {} / {} iterations", format::count(ended), format::count(all));
            (progress, share(ended as f64, all as f64))
        }
        (None, None) => (elapsed, None),
    }
}

fn bar(share: f64, look: Look) -> String {
    let (full, empty) = if look.unicode { ("█", "░") } else { ("#", ".") };
    let columns = if look.width < 100 { 12 } else { 20 };
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

fn endpoints(snapshot: &Snapshot, look: Look) -> Vec<String> {
    if snapshot.endpoints.is_empty() {
        return Vec::new();
    }
    let mut busiest: Vec<&EndpointStats> = snapshot.endpoints.iter().collect();
    // A stable sort: endpoints with equal counts do not change places from second to second.
    busiest.sort_by_key(|stats| std::cmp::Reverse(stats.requests));
    busiest.truncate(MOST_ENDPOINTS);
    let mut lines = vec![look.paint(Tone::Faint, " whole run, latency of successes")];
    lines.extend(table(&busiest, None, &few(), look));
    let more = snapshot.endpoints.len() - busiest.len();
    if more > 0 {
        lines.push(format!("   + {more} more"));
    }
    lines
}

/// A generator warning, the latest script error and the latest failure, each with the count of its kind.
fn troubles(snapshot: &Snapshot, look: Look) -> Vec<String> {
    let error = snapshot.script_errors.iter().max_by_key(|group| group.last_seen);
    let failure = snapshot.failures.iter().max_by_key(|(_, group)| group.last_seen);
    let line =
        |count, text: String| format!(" {} {} {text}", look.paint(Tone::Warning, "!"), look.times(count));
    let mut lines = Vec::new();
    if let Some((capacity, trying)) = snapshot.capacity.as_ref().and_then(|c| Some((c, c.trying?))) {
        let best = capacity.best.map_or_else(|| "-".to_owned(), |best| format!("{}/s", format::rate(best)));
        lines.push(format!(" capacity   trying {}/s, best so far {best}", format::rate(trying)));
    }
    let sign = look.paint(Tone::Warning, "!");
    lines.extend(generator_warning(snapshot, look).map(|text| format!(" {sign} {text}")));
    lines.extend(error.map(|group| line(group.count, script_error_name(group, look))));
    lines.extend(failure.map(|(key, group)| {
        let message =
            group.messages.first().map_or_else(String::new, |message| format!(": {}", look.user(message)));
        line(group.count, format!("{}{message}", look.user(&failure_name(key))))
    }));
    lines
}
