//! Seconds that are told of when they have been closed already: by agents that could not be heard meanwhile.
//!
//! Owns what is kept of closed seconds for that. Leaves to the caller who may still tell, and of which second. Invariants: a
//! figure that is told late is where it would be had it been told in time, but for the percentiles of "so far" in points of the
//! history, which stay what they were; what is kept is bounded.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use super::Aggregator;
use crate::metrics::arrivals::MergeError;
use crate::metrics::delta::Delta;
use crate::metrics::histogram::Summary;
use crate::metrics::intervals::{IntervalHistograms, IntervalSeries, OpenInterval, OutcomeTimes};
use crate::metrics::series::OTHER;
use crate::metrics::snapshot::IntervalStats;
use crate::metrics::totals::IntervalTotals;

/// Most seconds that are kept.
const MOST_SECONDS: usize = 120;

/// Most histograms that are kept, in all of them together.
const MOST_HISTOGRAMS: usize = 20_000;

/// Histograms of the last seconds of the history, from the first one on that may still be told of.
#[derive(Debug, Default)]
pub(super) struct ClosedSeconds {
    seconds: VecDeque<IntervalHistograms>,
    histograms: usize,
}

impl ClosedSeconds {
    /// Keeps a second that has been closed, and forgets those of which all have told, up to this one.
    pub(super) fn close(&mut self, closed: &IntervalHistograms, told_until: u64) {
        if closed.to.as_secs() > told_until {
            self.histograms += closed.histograms.len();
            self.seconds.push_back(closed.clone());
        }
        while let Some(oldest) = self.seconds.front()
            && (oldest.to.as_secs() <= told_until
                || self.seconds.len() > MOST_SECONDS
                || self.histograms > MOST_HISTOGRAMS)
        {
            self.histograms -= oldest.histograms.len();
            self.seconds.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = ClosedSeconds::default();
    }

    pub(super) fn len(&self) -> usize {
        self.seconds.len()
    }

    /// The place of the interval that a whole second of the load belongs to, if it is kept.
    fn place(&self, second: u64) -> Option<usize> {
        let end = Duration::from_secs(second);
        self.seconds.iter().position(|kept| kept.from < end && end <= kept.to)
    }

    /// Adds to one; gives all that it has now.
    fn add(&mut self, place: usize, late: IntervalHistograms) -> &IntervalHistograms {
        let kept = &mut self.seconds[place];
        self.histograms -= kept.histograms.len();
        kept.merge(late);
        self.histograms += kept.histograms.len();
        kept
    }
}

/// What the interval that is open has had so far.
struct SetAside {
    open: OpenInterval,
    total: IntervalTotals,
    endpoints: Vec<IntervalTotals>,
}

impl Aggregator {
    /// All that may still tell have told what they counted until the end of this second of the load. To be told before each end of
    /// an interval, where that is not always so.
    pub(crate) fn told_until(&mut self, second: u64) {
        self.told_until = second;
    }

    /// How many seconds, the last ones of the history, may still be told of.
    pub(crate) fn kept(&self) -> usize {
        self.closed.len()
    }

    /// The place among these of a second, if it is one.
    pub(crate) fn kept_place(&self, second: u64) -> Option<usize> {
        self.closed.place(second)
    }

    /// Counts what workers counted in a second that is kept, and by how much more users and requests in flight there were at its
    /// end; gives what cannot be counted.
    pub(crate) fn amend(
        &mut self,
        place: usize,
        deltas: Vec<(usize, Delta)>,
        users: i64,
        in_flight: i64,
    ) -> Vec<MergeError> {
        let behind = self.closed.len() - 1 - place;
        let Some(index) = self.history.len().checked_sub(behind + 1) else { return Vec::new() };
        let aside = self.set_aside();
        let before = self.so_far();
        let merged = deltas.into_iter().map(|(worker, delta)| self.add(worker, delta));
        let refused = merged.filter_map(Result::err).collect();
        self.settle();
        let (from, to) = (self.closed.seconds[place].from, self.closed.seconds[place].to);
        let late = self.open.close(from, to);
        let (total, endpoints) = self.bring_back(aside);
        let all = self.closed.add(place, late.clone());
        let (ok, oks) = ok_times(all, &endpoints);
        self.intervals.push(late);
        let after = self.so_far();
        let mut told = None;
        self.history.amend(index, |at, point| {
            if at == index {
                point.users = point.users.saturating_add_signed(users);
                // The users of one that was late were counted as they had been before.
                let peak = point.users_peak.saturating_add_signed(users.min(0));
                point.users_peak = peak.max(point.users);
                point.in_flight = point.in_flight.saturating_add_signed(in_flight);
                add(&mut point.total, &total, ok);
                for ((method, name, more), ok) in endpoints.iter().zip(&oks) {
                    match point.endpoints.iter_mut().find(|(m, n, _)| m == method && n == name) {
                        Some((_, _, stats)) => add(stats, more, *ok),
                        None => point.endpoints.push((method.clone(), name.clone(), more.stats())),
                    }
                }
                told = Some((point.phase, point.stage.clone()));
            }
            let more = |figure: &mut u64, of: usize| {
                *figure = (*figure + after[of]).saturating_sub(before[of]);
            };
            more(&mut point.so_far.requests, 0);
            more(&mut point.so_far.failures, 1);
            more(&mut point.so_far.bytes_received, 2);
            more(&mut point.iterations_started, 3);
            more(&mut point.dropped_iterations, 4);
        });
        if let Some((phase, stage)) = told {
            self.thresholds.close_late(behind, &[phase.as_str(), stage.as_deref().unwrap_or_default()]);
            self.peaks.look(&self.history, self.closed.len());
        }
        if let Some(recent) = self.recent.iter_mut().rev().nth(behind) {
            recent.requests.requests += total.requests;
            recent.requests.failures += total.failures;
            recent.requests.ok.merge(&total.ok);
        }
        refused
    }

    fn so_far(&self) -> [u64; 5] {
        let (begun, dropped) = self.iterations.begun_and_dropped();
        let counts = &self.total.counts;
        [counts.requests, counts.failures, counts.bytes_received, begun, dropped]
    }

    fn set_aside(&mut self) -> SetAside {
        self.settle();
        self.thresholds.set_aside();
        SetAside {
            open: std::mem::take(&mut self.open),
            total: self.total.take_interval(),
            endpoints: self.endpoints.iter_mut().map(|(_, totals)| totals.take_interval()).collect(),
        }
    }

    /// The interval that was open is open again; gives what was counted meanwhile, in all and by method and name.
    fn bring_back(&mut self, aside: SetAside) -> (IntervalTotals, Vec<Late>) {
        self.open = aside.open;
        let total = std::mem::replace(&mut self.total.interval, aside.total);
        let mut before = aside.endpoints.into_iter();
        let mut late = Vec::new();
        for ((_, method, name), totals) in self.endpoints.iter_mut() {
            let counted = std::mem::replace(&mut totals.interval, before.next().unwrap_or_default());
            if counted.requests != 0 || counted.failures != 0 {
                late.push((method.clone(), name.clone(), counted));
            }
        }
        (total, late)
    }
}

/// Method, name, and what was told late of it.
type Late = (std::sync::Arc<str>, std::sync::Arc<str>, IntervalTotals);

fn add(stats: &mut IntervalStats, more: &IntervalTotals, ok: Option<Summary>) {
    stats.requests += more.requests;
    stats.failures += more.failures;
    stats.ok = ok.or(stats.ok);
}

/// Times of the successes of an interval: of all requests, and of these endpoints. What was folded has no times of its own.
fn ok_times(all: &IntervalHistograms, endpoints: &[Late]) -> (Option<Summary>, Vec<Option<Summary>>) {
    let mut total = OutcomeTimes::default();
    let mut by_name: HashMap<(&str, &str), OutcomeTimes> =
        endpoints.iter().map(|(method, name, _)| ((&**method, &**name), OutcomeTimes::default())).collect();
    for (key, values) in &all.histograms {
        match &key.series {
            IntervalSeries::All => total.add(key, values),
            IntervalSeries::Requests { method, name, .. } => {
                if let Some(times) = by_name.get_mut(&(&**method, &**name)) {
                    times.add(key, values);
                }
            }
            _ => {}
        }
    }
    let summary = |times: &OutcomeTimes| times.ok.histogram().summary();
    let of = |(method, name, _): &Late| {
        by_name.get(&(&**method, &**name)).filter(|_| **name != *OTHER).and_then(summary)
    };
    (summary(&total), endpoints.iter().map(of).collect())
}
