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
use super::histogram::Histogram;
use super::intervals::{IntervalFeed, IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries};
use super::iterations::IterationTotals;
use super::recorder::{
    CheckCount, FailureCount, FailureKey, GROUP_CAP, PHASES, ScriptErrorCount, TRANSACTION, keep_message,
};
use super::resources::{ResourceBatch, Resources};
use super::series::{DEFAULT_SERIES_CAP, OTHER};
use super::snapshot::{
    EndpointStats, History, HistoryPoint, IntervalStats, Mark, Phase, PhaseSpan, RecentStats, ScenarioStats,
    Snapshot, TagStats, TotalsSoFar,
};
use super::sparse::Sparse;
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
    checks: Vec<(Arc<str>, CheckCount)>,
    failures: HashMap<FailureKey, FailureCount>,
    script_errors: Vec<ScriptErrorCount>,
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
            checks: Vec::new(),
            failures: HashMap::new(),
            script_errors: Vec::new(),
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
        }
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
            self.add_check(name, count);
        }
        for (key, count) in delta.failures {
            self.add_failure(key, count);
        }
        for group in delta.script_errors {
            self.add_script_error(group);
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
        self.history.push(HistoryPoint {
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
        let mut failures: Vec<_> = self.failures.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        failures.sort_by(|(a, m), (b, n)| n.count.cmp(&m.count).then_with(|| a.cmp(b)));
        let mut script_errors = self.script_errors.clone();
        script_errors
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.first.position.cmp(&b.first.position)));
        let empty: Arc<str> = "".into();
        let method: Arc<str> = TRANSACTION.into();
        let mut transactions: Vec<EndpointStats> =
            self.transactions.iter_mut().map(|(name, totals)| totals.stats(&method, name, tick.at)).collect();
        transactions.sort_by(|a, b| a.name.cmp(&b.name));
        let transaction_total = (!transactions.is_empty())
            .then(|| self.transaction_total.stats(&method, &"Aggregated".into(), tick.at));
        Snapshot {
            started_at: self.started_at,
            elapsed: tick.at,
            phase: tick.phase,
            stage: tick.stage.clone(),
            users: tick.users,
            users_target: tick.users_target,
            users_max: self.users_max,
            in_flight: tick.in_flight,
            total: self.total.stats(&empty, &"Aggregated".into(), tick.at),
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
            checks: self.checks.clone(),
            transactions,
            transaction_total,
            custom: self.custom.stats(tick.at.as_secs_f64()),
            marks: self.marks.clone(),
            failures,
            script_errors,
            interrupted_requests: tick.interrupted_requests,
            series_folded: self.series_folded,
            generator: self.generator.stats().clone(),
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

    fn add_check(&mut self, name: Arc<str>, count: CheckCount) {
        match self.checks.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => {
                sum.passes += count.passes;
                sum.fails += count.fails;
            }
            None => self.checks.push((name, count)),
        }
    }

    fn add_failure(&mut self, mut key: FailureKey, count: FailureCount) {
        if self.failures.len() >= GROUP_CAP && !self.failures.contains_key(&key) {
            key.name = OTHER.into();
        }
        match self.failures.get_mut(&key) {
            Some(sum) => {
                sum.count += count.count;
                sum.first_seen = sum.first_seen.min(count.first_seen);
                sum.last_seen = sum.last_seen.max(count.last_seen);
                count.messages.iter().for_each(|message| keep_message(&mut sum.messages, message));
            }
            None => {
                self.failures.insert(key, count);
            }
        }
    }

    fn add_script_error(&mut self, mut group: ScriptErrorCount) {
        let is_known = self.script_errors.iter().any(|known| {
            known.first.message == group.first.message && known.first.position == group.first.position
        });
        if !is_known && self.script_errors.len() >= GROUP_CAP {
            group.first.message = OTHER.to_owned();
            group.first.position = String::new();
        }
        let known = self.script_errors.iter_mut().find(|known| {
            known.first.message == group.first.message && known.first.position == group.first.position
        });
        match known {
            Some(sum) => {
                sum.count += group.count;
                if group.first_seen < sum.first_seen {
                    sum.first_seen = group.first_seen;
                    sum.first = group.first;
                }
                sum.last_seen = sum.last_seen.max(group.last_seen);
            }
            None => self.script_errors.push(group),
        }
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
        for (key, count) in &reversed.failures {
            // A failure whose group came too late stands under the name of the rest.
            let folded = FailureKey { name: OTHER.into(), ..key.clone() };
            let key = if self.failures.contains_key(key) { key } else { &folded };
            if let Some(group) = self.failures.get_mut(key) {
                group.count = group.count.saturating_sub(*count);
                if group.count == 0 {
                    self.failures.remove(key);
                }
            }
        }
    }
}

/// Iterations that were due so far, if any executor knows.
fn planned(tick: &Tick) -> Option<u64> {
    (!tick.planned.is_empty()).then(|| tick.planned.iter().map(|(_, count)| count).sum())
}

#[cfg(test)]
mod tests {
    use super::super::recorder::Recorder;
    use super::super::sample::RequestSample;
    use super::super::sample::{Failure, IterationEnd, Phases};
    use super::super::series::SeriesId;
    use super::*;

    fn sample(series: SeriesId, ms: u64, failure: Option<&'static str>) -> RequestSample {
        RequestSample {
            series,
            tags: Vec::new(),
            status: if failure.is_some() { 500 } else { 200 },
            service: Duration::from_millis(ms),
            response: Duration::from_millis(ms + 1),
            phases: Phases { waiting: Duration::from_millis(ms), ..Phases::default() },
            bytes_sent: 10,
            bytes_received: 100,
            failure: failure.map(|kind| Box::new(Failure { kind, message: "why".into() })),
        }
    }

    fn tick(seconds: u64) -> Tick {
        Tick {
            at: Duration::from_secs(seconds),
            phase: Phase::Steady,
            stage: None,
            planned: Vec::new(),
            users: 1,
            users_peak: 1,
            users_target: 1,
            in_flight: 0,
            interrupted_requests: 0,
        }
    }

    #[test]
    fn two_workers_become_one_run() {
        let mut aggregator = Aggregator::new(2, SystemTime::UNIX_EPOCH);
        for worker in 0..2 {
            let mut recorder = Recorder::new(100);
            // The second worker meets the series in another order.
            let names = if worker == 0 { ["/a", "/b"] } else { ["/b", "/a"] };
            for name in names {
                let series = recorder.series("default", "GET", name);
                recorder.request(&sample(series, 10, None));
            }
            let b = recorder.series("default", "GET", "/b");
            recorder.request(&sample(b, 20, Some("status")));
            recorder.iteration(&"default".into(), IterationEnd::Completed, Duration::ZERO, Duration::ZERO);
            recorder.check("ok", worker == 0);
            aggregator.add(worker, recorder.take());
        }
        let snapshot = aggregator.close_interval(tick(2));
        assert_eq!(snapshot.total.requests, 6);
        assert_eq!(snapshot.total.failures, 2);
        assert_eq!(snapshot.total.rate, 3.0);
        let rows: Vec<_> = snapshot.endpoints.iter().map(|e| (&*e.name, e.requests, e.failures)).collect();
        assert_eq!(rows, [("/a", 2, 0), ("/b", 4, 2)]);
        assert_eq!(
            snapshot.endpoints[1].ok.unwrap().max_us,
            10_000,
            "failures stay out of the success latency"
        );
        assert_eq!(snapshot.endpoints[1].failed.unwrap().max_us, 20_000);
        assert_eq!(snapshot.failures.len(), 1);
        assert_eq!(snapshot.failures[0].1.count, 2);
        assert_eq!(snapshot.checks, [("ok".into(), CheckCount { passes: 1, fails: 1 })]);
        assert_eq!(snapshot.iterations.completed, 2);
    }

    #[test]
    fn a_changed_verdict_is_counted_once() {
        let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
        let mut recorder = Recorder::new(100);
        let series = recorder.series("default", "GET", "/a");
        let first = sample(series, 10, None);
        recorder.request(&first);
        aggregator.add(0, recorder.take());
        aggregator.close_interval(tick(1));
        recorder.reverse(&first);
        recorder.request(&sample(series, 10, Some("expect")));
        aggregator.add(0, recorder.take());
        let snapshot = aggregator.close_interval(tick(2));
        assert_eq!((snapshot.total.requests, snapshot.total.failures), (1, 1));
        assert_eq!(snapshot.total.ok, None);
        assert_eq!(snapshot.total.bytes_received, 100);
        let sum: i64 = snapshot.history.since(0).iter().map(|point| point.total.requests).sum();
        assert_eq!(sum, 1, "the seconds add up to the total");
    }

    #[test]
    fn an_empty_second_has_no_latency_and_no_rate_of_its_own() {
        let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
        let snapshot = aggregator.close_interval(tick(1));
        assert_eq!(snapshot.recent.ok, None);
        assert_eq!(snapshot.recent.rate, Some(0.0));
        assert_eq!(snapshot.total.failed_share(), None);
        assert_eq!(snapshot.history.since(0)[0].total.ok, None);
    }

    #[test]
    fn recent_figures_forget_after_ten_seconds() {
        let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
        let mut recorder = Recorder::new(100);
        let series = recorder.series("default", "GET", "/a");
        recorder.request(&sample(series, 900, None));
        aggregator.add(0, recorder.take());
        let mut snapshot = aggregator.close_interval(tick(1));
        assert_eq!(snapshot.recent.ok.unwrap().max_us, 900_000);
        for second in 2..=12 {
            snapshot = aggregator.close_interval(tick(second));
        }
        assert_eq!(snapshot.recent.ok, None);
        assert_eq!(snapshot.total.ok.unwrap().max_us, 900_000);
    }
}
