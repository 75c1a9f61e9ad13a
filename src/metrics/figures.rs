//! What a metric of the engine came to, read from a snapshot: for whatever shows or exports all of them.
//!
//! Pure. Invariant: a metric without data has no figures, never 0.

use super::builtin::{Builtin, IterationFigure, RequestFigure, Source, TransactionFigure};
use super::custom::{CustomFigures, CustomStats};
use super::groups::CheckCount;
use super::histogram::Summary;
use super::sample::Protocol;
use super::snapshot::{EndpointStats, IterationStats, Snapshot};
use super::threshold::SubmetricFigures;

impl Builtin {
    /// Its figures over the whole run; `None` without data.
    pub fn figures(&self, snapshot: &Snapshot) -> Option<SubmetricFigures> {
        match self.metric.source {
            Source::Requests(None, figure) => request_figures(figure, &snapshot.total, snapshot),
            Source::Requests(Some(protocol), figure) => {
                let stats = snapshot.protocol(protocol);
                // Of HTTP also that there was none.
                let is_told = stats.requests > 0 || protocol == Protocol::Http;
                is_told.then(|| request_figures(figure, &stats, snapshot)).flatten()
            }
            Source::RequestPhase(index) => snapshot.phases[index].map(SubmetricFigures::Times),
            Source::Iterations(figure) => iteration_figures(figure, &snapshot.iterations, snapshot),
            Source::Checks => {
                let sum = |count: fn(&CheckCount) -> u64| snapshot.checks.iter().map(|(_, c)| count(c)).sum();
                rate(sum(|check| check.passes), sum(|check| check.fails))
            }
            Source::Transactions(figure) => {
                let figure = match figure {
                    TransactionFigure::Count => RequestFigure::Count,
                    TransactionFigure::Failed => RequestFigure::Failed,
                    TransactionFigure::Duration => RequestFigure::Duration,
                };
                request_figures(figure, snapshot.transaction_total.as_ref()?, snapshot)
            }
            Source::ScriptErrors => {
                Some(counter(snapshot.script_errors.iter().map(|group| group.count).sum(), snapshot))
            }
            Source::Users { most } => {
                let [value, min, max] = if most {
                    [snapshot.users_max; 3]
                } else {
                    let fewest = snapshot.history.since(0).iter().map(|point| point.users).min();
                    [snapshot.users, fewest.unwrap_or(snapshot.users), snapshot.users_max]
                };
                let [value, min, max] = [value, min, max].map(|users| users as f64);
                Some(SubmetricFigures::Values(CustomFigures::Gauge { value, avg: None, min, max }))
            }
            Source::Resource(..) => {
                let stats = snapshot.resources.stats_of(self.name)?;
                let (value, min, max) = (stats.last, stats.min, stats.max);
                Some(SubmetricFigures::Values(CustomFigures::Gauge { value, avg: Some(stats.avg), min, max }))
            }
            Source::Recorded | Source::Groups => {
                let its = |stats: &&CustomStats| *stats.name == *self.name && stats.tag.is_none();
                Some(SubmetricFigures::Values(snapshot.custom.iter().find(its)?.figures))
            }
        }
    }
}

/// One figure of requests.
pub(crate) fn request_figures(
    figure: RequestFigure,
    stats: &EndpointStats,
    snapshot: &Snapshot,
) -> Option<SubmetricFigures> {
    let times = |summary: Option<Summary>| summary.map(SubmetricFigures::Times);
    match figure {
        RequestFigure::Count => Some(counter(stats.requests, snapshot)),
        // k6's words: a pass of this rate is a request for which "failed" is true.
        RequestFigure::Failed => rate(stats.failures, stats.requests - stats.failures),
        RequestFigure::Duration => times(stats.ok),
        RequestFigure::Response => times(stats.response),
        RequestFigure::Sent => Some(counter(stats.bytes_sent, snapshot)),
        RequestFigure::Received => Some(counter(stats.bytes_received, snapshot)),
    }
}

/// One figure of iterations.
pub(crate) fn iteration_figures(
    figure: IterationFigure,
    stats: &IterationStats,
    snapshot: &Snapshot,
) -> Option<SubmetricFigures> {
    let times = |summary: Option<Summary>| summary.map(SubmetricFigures::Times);
    match figure {
        IterationFigure::Count => Some(counter(stats.ended(), snapshot)),
        IterationFigure::Duration => times(stats.duration),
        IterationFigure::Lag => times(stats.lag),
        IterationFigure::Response => times(stats.response),
        // Where iterations start when a user is free, none can be dropped.
        IterationFigure::Dropped => stats.planned.map(|_| counter(stats.dropped, snapshot)),
    }
}

fn counter(count: u64, snapshot: &Snapshot) -> SubmetricFigures {
    let seconds = snapshot.elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    SubmetricFigures::Values(CustomFigures::Counter { count: count as f64, rate })
}

/// A share; none without a value, because no share is as wrong as 0 or 100 %.
fn rate(passes: u64, fails: u64) -> Option<SubmetricFigures> {
    (passes + fails > 0).then_some(SubmetricFigures::Values(CustomFigures::Rate { passes, fails }))
}
