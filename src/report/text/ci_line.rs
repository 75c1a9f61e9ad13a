//! The progress line for CI logs: fixed keys in a fixed order, ASCII, one line each time.

use std::time::Duration;

use super::endpoints::percentile_or_dash;
use super::look::Look;
use crate::metrics::Percentile;
use crate::metrics::Snapshot;
use crate::text::format;
use crate::text::format_clock;

/// The state of a run as `key=value` pairs.
///
/// `requests` counts the whole run; `rate`, `failed` and latencies (of successes) are of the last ten
/// seconds. A figure without data is `-`. `time` is elapsed and, when it is known, planned time.
pub fn plain_line(snapshot: &Snapshot, planned: Option<Duration>) -> String {
    let recent = &snapshot.recent;
    let planned = planned.map_or_else(String::new, |planned| format!("/{}", format_clock(planned)));
    let rate = recent.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}/s"));
    let failed =
        recent.failed_share.map_or_else(|| "-".to_owned(), |share| format!("{}%", format::percent(share)));
    let ascii = Look { width: 0, unicode: false, color: false };
    let latency = |percentile| percentile_or_dash(recent.ok, percentile, ascii);
    let broken = snapshot.broken_thresholds().count();
    let limits = match snapshot.thresholds.len() {
        0 => String::new(),
        all => format!(" thresholds_breached={broken}/{all}"),
    };
    format!(
        "time={}{planned} phase={} users={}/{} requests={} rate={rate} failed={failed} in_flight={} \
         p50={} p95={} p99={} max={}{limits}",
        format_clock(snapshot.elapsed),
        snapshot.phase.as_str(),
        snapshot.users,
        snapshot.users_target,
        snapshot.total.requests,
        snapshot.in_flight,
        latency(Percentile::P50),
        latency(Percentile::P95),
        latency(Percentile::P99),
        ascii.latency_or_dash(recent.ok.map(|ok| ok.max_us)),
    )
}
