//! What a report shows of each endpoint besides its row: its timeline.

use std::sync::Arc;

use hashbrown::HashMap;

use super::timeline::{bucket_of, width_s};
use crate::metrics::{EndpointStats, IntervalHistograms, IntervalSeries, OutcomeTimes, Snapshot};

/// Most buckets of an endpoint's own charts: they are small, and a report has many.
pub(super) const MOST_BUCKETS: u64 = 30;

/// An endpoint with its course.
#[derive(Clone, Debug)]
pub struct EndpointView<'a> {
    /// Its place among the endpoints, from 0.
    pub id: usize,
    /// Its figures.
    pub stats: &'a EndpointStats,
    /// Its share of the time of all requests, 0 to 1; `None` without a request.
    pub time_share: Option<f64>,
    /// Width of its buckets, seconds.
    pub width_s: u64,
    /// Its buckets from the start on.
    pub buckets: Vec<OutcomeTimes>,
}

pub(super) fn views<'a>(snapshot: &'a Snapshot, intervals: &[IntervalHistograms]) -> Vec<EndpointView<'a>> {
    let width_s = width_s(snapshot.elapsed, MOST_BUCKETS);
    let count = (snapshot.elapsed.as_secs_f64() / width_s as f64).ceil() as usize;
    let ids: HashMap<(Arc<str>, Arc<str>), usize> = snapshot
        .endpoints
        .iter()
        .enumerate()
        .map(|(id, stats)| ((stats.method.clone(), stats.name.clone()), id))
        .collect();
    let mut views: Vec<EndpointView<'a>> = snapshot
        .endpoints
        .iter()
        .enumerate()
        .map(|(id, stats)| EndpointView {
            id,
            stats,
            time_share: time_share(snapshot, stats),
            width_s,
            buckets: vec![OutcomeTimes::default(); count],
        })
        .collect();
    for interval in intervals {
        let bucket = bucket_of(interval.from, interval.to, width_s).min(count.saturating_sub(1));
        for (key, values) in &interval.histograms {
            let IntervalSeries::Requests { method, name, .. } = &key.series else { continue };
            let view = ids.get(&(method.clone(), name.clone())).and_then(|&id| views.get_mut(id));
            let Some(bucket) = view.and_then(|view| view.buckets.get_mut(bucket)) else { continue };
            bucket.add(key, values);
        }
    }
    views
}

/// Time of successes and failures together.
fn time_us(stats: &EndpointStats) -> f64 {
    [stats.ok, stats.failed].into_iter().flatten().map(|times| times.mean_us * times.count as f64).sum()
}

fn time_share(snapshot: &Snapshot, stats: &EndpointStats) -> Option<f64> {
    let all = time_us(&snapshot.total);
    (all > 0.0).then(|| (time_us(stats) / all).min(1.0))
}
