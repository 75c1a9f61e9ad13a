//! Merges what the worker threads counted into the figures of the whole run.
//!
//! Owns the run's totals and its history. Leaves to the caller when an interval ends.
//! Invariant: memory grows with the number of series and, slowly, with the seconds of the run,
//! never with the number of requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hashbrown::HashMap;

use super::custom::CustomTotals;
use super::delta::{Delta, ReversedDelta, SeriesDelta};
use super::generator::{Generator, WorkerHealth};
use super::groups::Groups;
use super::histogram::Histogram;
use super::intervals::{IntervalFeed, IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries};
use super::iterations::IterationTotals;
use super::recorder::TRANSACTION;
use super::resources::{ResourceBatch, Resources};
use super::series::{DEFAULT_SERIES_CAP, OTHER};
use super::series_counts::PHASES;
use super::snapshot::{
    AGGREGATED, EndpointStats, History, HistoryPoint, IntervalStats, Mark, Phase, PhaseSpan, RecentStats,
    ScenarioStats, Snapshot, TagStats, TotalsSoFar,
};
use super::sparse::Sparse;
use super::threshold::{ThresholdEvent, ThresholdStats, Thresholds};
use super::totals::{Totals, per_second};

/// How many intervals the "recent" figures cover.
const RECENT_INTERVALS: usize = 10;

/// How many marks a run has at most.
const MARK_CAP: usize = 100;

/// How many stretches of phases and stages are told apart.
const SPAN_CAP: usize = 1_000;

/// What the run knows at the end of an interval besides the workers' deltas.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Time since the load began.
    pub at: Duration,
    /// What the run is doing.
    pub phase: Phase,
    /// Name of the stage of the load, if it has one.
    pub stage: Option<Arc<str>>,
    /// By scenario, the iterations that were due so far, of those whose executor knows.
    pub planned: Vec<(Arc<str>, u64)>,
    /// Virtual users that run now.
    pub users: u64,
    /// Most virtual users at once in the interval; of several workers, the sum of theirs.
    pub users_peak: u64,
    /// Virtual users that should run now.
    pub users_target: u64,
    /// Requests that wait for their response.
    pub in_flight: u64,
    /// Requests given up so far because the run stopped.
    pub interrupted_requests: u64,
}

/// The figures of a run, merged from its workers.
#[derive(Debug)]
pub struct Aggregator {
    started_at: SystemTime,
    workers: Vec<WorkerIds>,
    total: Totals,
    endpoints: Vec<(Arc<str>, Arc<str>, Totals)>,
    endpoint_ids: HashMap<(Arc<str>, Arc<str>), usize>,
    scenarios: Vec<Scenario>,
    tags: Vec<(Arc<str>, Arc<str>, Totals)>,
    transactions: Vec<(Arc<str>, Totals)>,
    transaction_total: Totals,
    custom: CustomTotals,
    phases: [Histogram; PHASES.len()],
    iterations: IterationTotals,
    spans: Vec<PhaseSpan>,
    groups: Groups,
    series_folded: bool,
    marks: Vec<Mark>,
    recent: VecDeque<RecentInterval>,
    interval_started: Duration,
    peak_rate: Option<f64>,
    users_max: u64,
    generator: Generator,
    history: History,
    open: IntervalHistograms,
    intervals: IntervalFeed,
    resources: Resources,
    thresholds: Thresholds,
    events: Vec<ThresholdEvent>,
    /// The interval that is open is the last one.
    is_last: bool,
    /// The threshold that demands the end of the run.
    aborting: Option<ThresholdStats>,
}

/// Where a worker's own ids stand in the run's tables.
#[derive(Debug, Default)]
struct WorkerIds {
    /// By series: (endpoint, scenario).
    series: Vec<(usize, usize)>,
    tags: Vec<usize>,
    transactions: Vec<usize>,
}

#[derive(Debug)]
struct Scenario {
    name: Arc<str>,
    iterations: IterationTotals,
    requests: Totals,
}

#[derive(Debug)]
struct RecentInterval {
    length: Duration,
    requests: i64,
    failures: i64,
    ok: Histogram,
}

impl Aggregator {
    /// An aggregator for a run with this many worker threads whose load began at `started_at`.
    pub fn new(workers: usize, started_at: SystemTime) -> Self {
        Aggregator {
            started_at,
            workers: (0..workers).map(|_| WorkerIds::default()).collect(),
            total: Totals::default(),
            endpoints: Vec::new(),
            endpoint_ids: HashMap::new(),
            scenarios: Vec::new(),
            tags: Vec::new(),
            transactions: Vec::new(),
            transaction_total: Totals::default(),
            custom: CustomTotals::default(),
            phases: Default::default(),
            iterations: IterationTotals::default(),
            spans: Vec::new(),
            groups: Groups::default(),
            series_folded: false,
            marks: Vec::new(),
            recent: VecDeque::new(),
            interval_started: Duration::ZERO,
            peak_rate: None,
            users_max: 0,
            generator: Generator::new(workers),
            history: History::default(),
            open: IntervalHistograms::default(),
            intervals: IntervalFeed::default(),
            resources: Resources::default(),
            thresholds: Thresholds::default(),
            events: Vec::new(),
            is_last: false,
            aborting: None,
        }
    }

    /// Judges these thresholds from now on.
    #[must_use]
    pub(crate) fn with_thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// The open interval is the last one: thresholds are judged for good when it ends.
    pub(crate) fn end(&mut self) {
        self.is_last = true;
    }

    /// Breaches and recoveries of thresholds since the last call.
    pub(crate) fn take_threshold_events(&mut self) -> Vec<ThresholdEvent> {
        std::mem::take(&mut self.events)
    }

    /// The broken threshold that demands the end of the run, once.
    pub(crate) fn take_aborting_threshold(&mut self) -> Option<ThresholdStats> {
        self.aborting.take()
    }

    /// The load begins at this time.
    pub fn start(&mut self, at: SystemTime) {
        self.started_at = at;
    }

    /// The figures as they are, without ending the interval.
    pub fn preview(&mut self, tick: Tick) -> Snapshot {
        self.snapshot(tick)
    }

    /// Adds what worker number `worker` counted in the interval that is open.
    pub fn add(&mut self, worker: usize, delta: Delta) {
        self.learn_ids(worker, &delta);
        self.thresholds.add(&delta);
        for (id, counts) in &delta.series {
            let (endpoint, scenario) = self.workers[worker].series[id.index()];
            self.total.add(counts);
            self.endpoints[endpoint].2.add(counts);
            self.scenarios[scenario].requests.add(counts);
            self.log_requests(endpoint, scenario, counts, false);
        }
        for (id, counts) in &delta.tags {
            let tag = self.workers[worker].tags[id.index()];
            self.tags[tag].2.add(counts);
            self.log(self.tag_series(tag), counts, false);
        }
        for (id, counts) in &delta.transactions {
            let transaction = self.workers[worker].transactions[id.index()];
            self.transactions[transaction].1.add(counts);
            self.transaction_total.add(counts);
            self.log(IntervalSeries::Transaction(self.transactions[transaction].0.clone()), counts, false);
        }
        self.custom.add(delta.custom);
        for (histogram, sparse) in self.phases.iter_mut().zip(&delta.phases) {
            histogram.merge_sparse(sparse);
        }
        for iterations in &delta.iterations {
            self.iterations.add(iterations);
            let scenario = self.scenario(&iterations.scenario);
            self.scenarios[scenario].iterations.add(iterations);
            for (kind, values) in
                [(IntervalKind::Duration, &iterations.duration), (IntervalKind::Lag, &iterations.lag)]
            {
                let key = IntervalKey { series: IntervalSeries::Iterations, kind, taken_back: false };
                self.open.add(key, values);
            }
        }
        for (name, count) in delta.checks {
            self.groups.add_check(name, count);
        }
        for (key, count) in delta.failures {
            self.groups.add_failure(key, count);
        }
        for group in delta.script_errors {
            self.groups.add_script_error(group);
        }
        self.reverse(worker, &delta.reversed);
        self.series_folded |= delta.folded;
    }

    fn log_requests(&mut self, endpoint: usize, scenario: usize, counts: &SeriesDelta, taken_back: bool) {
        let (method, name, _) = &self.endpoints[endpoint];
        let (method, name) = (method.clone(), name.clone());
        let scenario = self.scenarios[scenario].name.clone();
        self.log(IntervalSeries::Requests { scenario, method, name }, counts, taken_back);
        self.log(IntervalSeries::All, counts, taken_back);
    }

    fn tag_series(&self, tag: usize) -> IntervalSeries {
        let (key, value, _) = &self.tags[tag];
        IntervalSeries::Tag { key: key.clone(), value: value.clone() }
    }

    /// Files the histograms of one series under the open interval.
    fn log(&mut self, series: IntervalSeries, counts: &SeriesDelta, taken_back: bool) {
        let mut add = |kind, values: &Sparse| {
            if !values.is_empty() {
                self.open.add(IntervalKey { series: series.clone(), kind, taken_back }, values);
            }
        };
        add(IntervalKind::Ok, &counts.ok);
        add(IntervalKind::Failed, &counts.failed);
        add(IntervalKind::Response, &counts.response);
    }

    /// Hands the open interval out.
    fn close_log(&mut self, at: Duration) {
        let mut interval = std::mem::take(&mut self.open);
        interval.from = self.interval_started;
        interval.to = at;
        self.intervals.push(interval);
    }

    /// How worker number `worker` did in the interval that is open.
    pub(crate) fn health(&mut self, worker: usize, health: &WorkerHealth) {
        self.generator.add(worker, health);
    }

    /// CPU time that the process has used since it was started. To be told when the load begins, and before
    /// each end of an interval; `None` where the system does not say.
    pub(crate) fn process_cpu(&mut self, total: Option<Duration>) {
        self.generator.process_cpu(total);
    }

    /// Notes something that happens now.
    pub fn mark(&mut self, at: Duration, text: String) {
        if self.marks.len() < MARK_CAP {
            self.marks.push(Mark { at, text });
        }
    }

    /// Adds what was measured of machine, generator and target.
    pub fn add_resources(&mut self, mut batch: ResourceBatch) {
        batch.events.drain(..).for_each(|(at, text)| self.mark(at, text));
        for sample in &batch.samples {
            self.thresholds.resources(sample);
        }
        self.resources.extend(batch);
    }

    /// Another phase or stage begins now.
    pub fn enter(&mut self, at: Duration, phase: Phase, stage: Option<Arc<str>>) {
        self.leave(at);
        if self.spans.len() < SPAN_CAP {
            self.spans.push(PhaseSpan { phase, stage, from: at, to: None });
        }
    }

    /// The phase that was entered last ends now.
    pub fn leave(&mut self, at: Duration) {
        if let Some(last) = self.spans.last_mut().filter(|span| span.to.is_none()) {
            last.to = Some(at);
        }
    }

    /// Iterations of a scenario that were due and are never begun, as the run finds at the end.
    pub fn add_dropped(&mut self, scenario: &Arc<str>, count: u64) {
        self.iterations.add_dropped(count);
        let scenario = self.scenario(scenario);
        self.scenarios[scenario].iterations.add_dropped(count);
    }

    /// Iterations of a scenario that were started so far, and those that never will be.
    pub fn begun_and_dropped(&self, scenario: &str) -> (u64, u64) {
        let known = self.scenarios.iter().find(|known| *known.name == *scenario);
        known.map_or((0, 0), |scenario| scenario.iterations.begun_and_dropped())
    }

    /// Ends the open interval: its figures become a history point, and a snapshot of the run is made.
    pub fn close_interval(&mut self, tick: Tick) -> Snapshot {
        self.close_log(tick.at);
        let length = tick.at.saturating_sub(self.interval_started);
        self.interval_started = tick.at;
        self.users_max = self.users_max.max(tick.users_peak);
        self.thresholds.gauge("vus", tick.users as f64);
        self.thresholds.gauge("vus_max", self.users_max as f64);
        self.thresholds.dropped(self.iterations.begun_and_dropped().1);
        let phases = [tick.phase.as_str(), tick.stage.as_deref().unwrap_or_default()];
        let told = self.thresholds.close(tick.at, length, &phases, self.is_last);
        self.events.extend(told);
        if !self.is_last {
            self.aborting = self.thresholds.abort(tick.at).or(self.aborting.take());
        }
        let interval = std::mem::take(&mut self.total.interval);
        let rate = per_second(interval.requests.max(0) as u64, length);
        // A cut-off last interval would make a peak out of a few requests in a few milliseconds.
        if length >= Duration::from_millis(500) {
            self.peak_rate = Some(self.peak_rate.map_or(rate, |peak| peak.max(rate)));
        }
        let endpoints = self
            .endpoints
            .iter_mut()
            .filter(|(_, _, totals)| totals.interval.requests != 0 || totals.interval.failures != 0)
            .map(|(method, name, totals)| (method.clone(), name.clone(), totals.take_interval()))
            .collect();
        for scenario in &mut self.scenarios {
            scenario.requests.take_interval();
        }
        for (_, _, totals) in &mut self.tags {
            totals.take_interval();
        }
        for (_, totals) in &mut self.transactions {
            totals.take_interval();
        }
        self.transaction_total.take_interval();
        let total = IntervalStats {
            requests: interval.requests,
            failures: interval.failures,
            ok: interval.ok.summary(),
        };
        self.recent.push_back(RecentInterval {
            length,
            requests: interval.requests,
            failures: interval.failures,
            ok: interval.ok,
        });
        if self.recent.len() > RECENT_INTERVALS {
            self.recent.pop_front();
        }
        let so_far = TotalsSoFar {
            requests: self.total.requests,
            failures: self.total.failures,
            ok: self.total.summaries()[0],
            bytes_received: self.total.bytes_received,
        };
        self.history.push_second(HistoryPoint {
            at: tick.at,
            length,
            phase: tick.phase,
            stage: tick.stage.clone(),
            users: tick.users,
            users_target: tick.users_target,
            in_flight: tick.in_flight,
            iterations_planned: planned(&tick),
            iterations_started: self.iterations.begun_and_dropped().0,
            dropped_iterations: self.iterations.begun_and_dropped().1,
            total,
            endpoints,
            generator: self.generator.close(tick.at, length),
            so_far,
        });
        self.snapshot(tick)
    }

    fn snapshot(&mut self, tick: Tick) -> Snapshot {
        let mut endpoints: Vec<EndpointStats> = self
            .endpoints
            .iter_mut()
            // A name that was only seen in requests which are not counted, as with `record: false`, is no endpoint.
            .filter(|(_, _, totals)| totals.requests != 0)
            .map(|(method, name, totals)| totals.stats(method, name, tick.at))
            .collect();
        endpoints.sort_by(|a, b| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
        let empty: Arc<str> = "".into();
        let method: Arc<str> = TRANSACTION.into();
        let mut transactions: Vec<EndpointStats> =
            self.transactions.iter_mut().map(|(name, totals)| totals.stats(&method, name, tick.at)).collect();
        transactions.sort_by(|a, b| a.name.cmp(&b.name));
        let transaction_total = (!transactions.is_empty())
            .then(|| self.transaction_total.stats(&method, &AGGREGATED.into(), tick.at));
        Snapshot {
            started_at: self.started_at,
            elapsed: tick.at,
            phase: tick.phase,
            stage: tick.stage.clone(),
            users: tick.users,
            users_target: tick.users_target,
            users_max: self.users_max,
            in_flight: tick.in_flight,
            total: self.total.stats(&empty, &AGGREGATED.into(), tick.at),
            endpoints,
            scenarios: self
                .scenarios
                .iter_mut()
                .map(|Scenario { name, iterations, requests }| {
                    let planned =
                        tick.planned.iter().find(|(known, _)| known == name).map(|(_, count)| *count);
                    ScenarioStats {
                        name: name.clone(),
                        iterations: iterations.stats(planned),
                        requests: requests.stats(&empty, name, tick.at),
                    }
                })
                .collect(),
            tags: self
                .tags
                .iter_mut()
                // A tag that no request has had is only one that a scenario has or a threshold asks for.
                .filter(|(_, _, totals)| totals.requests != 0)
                .map(|(key, value, totals)| TagStats {
                    key: key.clone(),
                    value: value.clone(),
                    requests: totals.stats(key, value, tick.at),
                })
                .collect(),
            recent: self.recent_stats(),
            peak_rate: self.peak_rate,
            phases: std::array::from_fn(|i| self.phases[i].summary()),
            iterations: self.iterations.stats(planned(&tick)),
            spans: self.spans.clone(),
            notes: Vec::new(),
            samples: Vec::new(),
            checks: self.groups.checks.clone(),
            transactions,
            transaction_total,
            custom: self.custom.stats(tick.at.as_secs_f64()),
            marks: self.marks.clone(),
            failures: self.groups.failures(),
            script_errors: self.groups.script_errors(),
            interrupted_requests: tick.interrupted_requests,
            series_folded: self.series_folded,
            generator: self.generator.stats().clone(),
            capacity: None,
            thresholds: self.thresholds.stats(),
            submetrics: self.thresholds.submetrics(),
            history: self.history.clone(),
            intervals: self.intervals.clone(),
            resources: self.resources.clone(),
        }
    }

    fn recent_stats(&self) -> RecentStats {
        let length: Duration = self.recent.iter().map(|interval| interval.length).sum();
        let requests: i64 = self.recent.iter().map(|interval| interval.requests).sum();
        let failures: i64 = self.recent.iter().map(|interval| interval.failures).sum();
        let mut ok = Histogram::new();
        self.recent.iter().for_each(|interval| ok.merge(&interval.ok));
        RecentStats {
            seconds: length.as_secs_f64().round() as u32,
            rate: (length > Duration::ZERO).then(|| per_second(requests.max(0) as u64, length)),
            failed_share: (requests > 0).then(|| failures.max(0) as f64 / requests as f64),
            ok: ok.summary(),
        }
    }

    fn learn_ids(&mut self, worker: usize, delta: &Delta) {
        for key in &delta.new_series {
            let mut endpoint = (key.method.clone(), key.name.clone());
            // Each thread has its own cap; together they may still meet more names than one run shows.
            if self.endpoints.len() >= DEFAULT_SERIES_CAP && !self.endpoint_ids.contains_key(&endpoint) {
                endpoint.1 = OTHER.into();
                self.series_folded = true;
            }
            let (method, name) = endpoint.clone();
            let next = self.endpoints.len();
            let endpoint_index = *self.endpoint_ids.entry(endpoint).or_insert(next);
            if endpoint_index == next {
                self.endpoints.push((method, name, Totals::default()));
            }
            let scenario = self.scenario(&key.scenario);
            self.workers[worker].series.push((endpoint_index, scenario));
        }
        for name in &delta.new_transactions {
            let index = self.transactions.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                self.transactions.push((name.clone(), Totals::default()));
                self.transactions.len() - 1
            });
            self.workers[worker].transactions.push(index);
        }
        for (key, value) in &delta.new_tags {
            let index = self.tags.iter().position(|(k, v, _)| k == key && v == value).unwrap_or_else(|| {
                self.tags.push((key.clone(), value.clone(), Totals::default()));
                self.tags.len() - 1
            });
            self.workers[worker].tags.push(index);
        }
    }

    fn scenario(&mut self, name: &Arc<str>) -> usize {
        self.scenarios.iter().position(|known| known.name == *name).unwrap_or_else(|| {
            self.scenarios.push(Scenario {
                name: name.clone(),
                iterations: IterationTotals::default(),
                requests: Totals::default(),
            });
            self.scenarios.len() - 1
        })
    }

    /// Takes back what was counted under a verdict that the script changed later.
    fn reverse(&mut self, worker: usize, reversed: &ReversedDelta) {
        for (id, counts) in &reversed.series {
            let (endpoint, scenario) = self.workers[worker].series[id.index()];
            self.total.remove(counts);
            self.endpoints[endpoint].2.remove(counts);
            self.scenarios[scenario].requests.remove(counts);
            self.log_requests(endpoint, scenario, counts, true);
        }
        for (id, counts) in &reversed.tags {
            let tag = self.workers[worker].tags[id.index()];
            self.tags[tag].2.remove(counts);
            self.log(self.tag_series(tag), counts, true);
        }
        for (histogram, sparse) in self.phases.iter_mut().zip(&reversed.phases) {
            histogram.remove_sparse(sparse);
        }
        self.groups.take_back_failures(&reversed.failures);
    }
}

/// Iterations that were due so far, if any executor knows.
fn planned(tick: &Tick) -> Option<u64> {
    (!tick.planned.is_empty()).then(|| tick.planned.iter().map(|(_, count)| count).sum())
}

#[cfg(test)]
mod tests;
