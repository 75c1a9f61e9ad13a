//! Merges what the worker threads counted into the figures of the whole run.
//!
//! Owns the run's totals and its history. Leaves to the caller when an interval ends.
//! Invariant: memory grows with the number of series and, slowly, with the seconds of the run,
//! never with the number of requests.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::agents::AgentStats;
use super::arrivals::{Arrivals, MergeError, Merged};
use super::counts::{PhaseTimes, RequestCounts};
use super::custom::CustomTotals;
use super::delta::{Delta, ReversedDelta, Tag};
use super::gathered::Gathered;
use super::generator::{CpuTimes, Generator, GeneratorPoint, WorkerHealth};
use super::groups::{Groups, NotEnded};
use super::intervals::{IntervalFeed, IntervalKey, IntervalKind, IntervalSeries, OpenInterval};
use super::iterations::IterationTotals;
use super::resources::{ResourceBatch, Resources};
use super::sample::Protocol;
use super::series::{DEFAULT_SERIES_CAP, OTHER, SeriesKey};
use super::snapshot::{History, HistoryPoint, Lever, Mark, Phase, PhaseSpan, Snapshot, TotalsSoFar};
use super::sparse::Sparse;
use super::table::Table;
use super::threshold::{ThresholdEvent, ThresholdStats, Thresholds};
use super::totals::{IntervalTotals, Totals};

mod late;
mod peaks;
mod published;

use self::late::ClosedSeconds;
use self::peaks::Peaks;

/// How many intervals the "recent" figures cover.
const RECENT_INTERVALS: usize = 10;

/// How many marks a run has at most.
const MARK_CAP: usize = 100;

/// How many series are gathered at most before they are added to the totals.
const GATHERED_CAP: usize = 4 * DEFAULT_SERIES_CAP;

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
    /// Those that were due at a time, by a rate; a number of iterations is due as a whole.
    pub due: Option<u64>,
    /// Virtual users that run now.
    pub users: u64,
    /// Most virtual users at once in the interval; of several workers, the sum of theirs.
    pub users_peak: u64,
    /// Virtual users that should run now.
    pub users_target: u64,
    /// What can be changed of the load as a whole.
    pub lever: Option<Lever>,
    /// Requests that wait for their response.
    pub in_flight: u64,
    /// Requests given up so far because the run stopped.
    pub interrupted_requests: u64,
    /// How long the load was paused so far.
    pub paused: Duration,
}

impl Tick {
    /// Iterations that were due so far, if any executor knows.
    fn iterations_planned(&self) -> Option<u64> {
        (!self.planned.is_empty()).then(|| self.planned.iter().map(|(_, count)| count).sum())
    }

    /// Nothing runs.
    pub fn idle(phase: Phase) -> Tick {
        Tick {
            at: Duration::ZERO,
            phase,
            stage: None,
            planned: Vec::new(),
            due: None,
            lever: None,
            users: 0,
            users_peak: 0,
            users_target: 0,
            in_flight: 0,
            interrupted_requests: 0,
            paused: Duration::ZERO,
        }
    }
}

/// The figures of a run, merged from its workers.
#[derive(Debug)]
pub struct Aggregator {
    started_at: SystemTime,
    /// By worker, which of its deltas are here.
    arrivals: Vec<Arrivals>,
    /// Requests that are not yet part of the totals below: those of many threads are put together first, because each
    /// series is part of several totals. See `settle`.
    gathered: Table<SeriesKey, RequestCounts<Gathered>>,
    total: Totals,
    /// The protocol of all requests so far, of which `total` is the total too; see `protocols`.
    only_protocol: Option<Protocol>,
    /// Empty until there is a second protocol: most runs have one, and its histograms would be merged twice.
    protocols: Table<Protocol, Totals>,
    endpoints: Table<Endpoint, Totals>,
    scenarios: Table<Arc<str>, Scenario>,
    tags: Table<Tag, Totals>,
    transactions: Table<Arc<str>, Totals>,
    transaction_total: Totals,
    custom: CustomTotals,
    /// Of HTTP requests.
    phases: PhaseTimes,
    iterations: IterationTotals,
    spans: Vec<PhaseSpan>,
    groups: Groups,
    series_folded: bool,
    texts_cut: u64,
    not_ended: Option<NotEnded>,
    marks: Vec<Mark>,
    recent: VecDeque<RecentInterval>,
    interval_started: Duration,
    peaks: Peaks,
    generator: Generator,
    agents: Vec<AgentStats>,
    history: History,
    open: OpenInterval,
    /// Seconds that may still be told of; see `late`.
    closed: ClosedSeconds,
    /// The last second of the load of which all have told that may still tell.
    told_until: u64,
    intervals: IntervalFeed,
    resources: Resources,
    thresholds: Thresholds,
    events: Vec<ThresholdEvent>,
    /// The interval that is open is the last one.
    is_last: bool,
    /// How long the load had been paused at the end of the last interval.
    paused: Duration,
    /// The threshold that demands the end of the run.
    aborting: Option<ThresholdStats>,
}

/// What requests are shown by: protocol, method, name.
type Endpoint = (Protocol, Arc<str>, Arc<str>);

#[derive(Debug, Default)]
struct Scenario {
    iterations: IterationTotals,
    requests: Totals,
}

#[derive(Debug)]
struct RecentInterval {
    length: Duration,
    requests: IntervalTotals,
}

impl Aggregator {
    /// An aggregator for a run with this many worker threads whose load began at `started_at`.
    pub fn new(workers: usize, started_at: SystemTime) -> Self {
        Aggregator {
            started_at,
            arrivals: (0..workers).map(|_| Arrivals::default()).collect(),
            gathered: Table::default(),
            total: Totals::default(),
            only_protocol: None,
            protocols: Table::default(),
            endpoints: Table::default(),
            scenarios: Table::default(),
            tags: Table::default(),
            transactions: Table::default(),
            transaction_total: Totals::default(),
            custom: CustomTotals::default(),
            phases: PhaseTimes::default(),
            iterations: IterationTotals::default(),
            spans: Vec::new(),
            groups: Groups::default(),
            series_folded: false,
            texts_cut: 0,
            not_ended: None,
            marks: Vec::new(),
            recent: VecDeque::new(),
            interval_started: Duration::ZERO,
            peaks: Peaks::default(),
            generator: Generator::new(workers),
            agents: Vec::new(),
            history: History::default(),
            open: OpenInterval::default(),
            closed: ClosedSeconds::default(),
            told_until: u64::MAX,
            intervals: IntervalFeed::default(),
            resources: Resources::default(),
            thresholds: Thresholds::default(),
            events: Vec::new(),
            is_last: false,
            paused: Duration::ZERO,
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

    /// When the last interval was closed, since the load began.
    pub(crate) fn closed_at(&self) -> Duration {
        self.interval_started
    }

    /// The figures as they are, without ending the interval.
    pub fn preview(&mut self, tick: Tick) -> Snapshot {
        self.snapshot(tick)
    }

    /// Adds what worker number `worker` counted, to the interval that is open. Deltas count in their sequence: one that
    /// is early waits for those before it, one that comes again is left out. So whatever the order, and however often they
    /// come, the figures are the same.
    ///
    /// # Errors
    /// When it cannot be one of this run; then nothing of it is counted.
    pub fn add(&mut self, worker: usize, delta: Delta) -> Result<Merged, MergeError> {
        let arrivals = self.arrivals.get_mut(worker).ok_or(MergeError::UnknownWorker(worker))?;
        let (merged, due) = arrivals.arrive(delta)?;
        due.into_iter().for_each(|delta| self.merge(delta));
        Ok(merged)
    }

    fn merge(&mut self, delta: Delta) {
        self.thresholds.add(&delta);
        for (key, counts) in &delta.series {
            if !self.gathered.contains(key) {
                // Scenarios are shown in the order in which they appear, whether with a request or an iteration.
                self.scenarios.of(&key.scenario);
                if self.gathered.len() >= GATHERED_CAP {
                    self.settle();
                }
            }
            self.gathered.of(key).gather(counts);
        }
        for (tag, counts) in &delta.tags {
            let tag = &self.known_tag(tag);
            self.tags.of(tag).add(counts);
            self.log(tag_series(tag), counts, false);
        }
        for (name, counts) in &delta.transactions {
            let name = &self.known_transaction(name);
            self.transactions.of(name).add(counts);
            self.transaction_total.add(counts);
            self.log(IntervalSeries::Transaction(name.clone()), counts, false);
        }
        let thresholds = &self.thresholds;
        self.series_folded |= self.custom.add(delta.custom, |metric| thresholds.is_on(metric));
        self.phases.merge(&delta.phases);
        for iterations in &delta.iterations {
            self.iterations.add(iterations);
            self.scenarios.of(&iterations.scenario).iterations.add(iterations);
            for (kind, values) in
                [(IntervalKind::Duration, &iterations.duration), (IntervalKind::Lag, &iterations.lag)]
            {
                let key = IntervalKey { series: IntervalSeries::Iterations, kind, taken_back: false };
                self.open.add(key, values);
            }
        }
        for group in delta.checks {
            self.groups.add_checks(group);
        }
        for (key, count) in delta.failures {
            self.groups.add_failure(key, count);
        }
        for group in delta.script_errors {
            self.groups.add_script_error(group);
        }
        self.reverse(&delta.reversed);
        self.series_folded |= delta.folded;
        self.groups.folded |= delta.groups_folded;
        self.texts_cut = self.texts_cut.saturating_add(delta.texts_cut);
        if let Some(not_ended) = delta.not_ended {
            NotEnded::add(&mut self.not_ended, not_ended);
        }
    }

    /// Adds the requests that were gathered to the totals.
    fn settle(&mut self) {
        for (key, counts) in self.gathered.take() {
            let counts = counts.finish();
            self.each_total(&key, |totals| totals.add(&counts));
            self.log_requests(&key, &counts, false);
        }
    }

    /// A tag, or the one of the rest: each worker has its own cap, and together they may meet more than one run shows.
    fn known_tag(&mut self, tag: &Tag) -> Tag {
        if self.tags.len() < DEFAULT_SERIES_CAP
            || self.tags.contains(tag)
            || self.thresholds.select(&tag.0, &tag.1)
        {
            return tag.clone();
        }
        self.series_folded = true;
        let folded = (tag.0.clone(), Arc::from(OTHER));
        let has_room = self.tags.len() < 2 * DEFAULT_SERIES_CAP || self.tags.contains(&folded);
        if has_room { folded } else { (OTHER.into(), OTHER.into()) }
    }

    /// The same of a transaction.
    fn known_transaction(&mut self, name: &Arc<str>) -> Arc<str> {
        if self.transactions.len() < DEFAULT_SERIES_CAP
            || self.transactions.contains(name)
            || self.thresholds.select("name", name)
        {
            return name.clone();
        }
        self.series_folded = true;
        OTHER.into()
    }

    /// All totals that a series is part of.
    fn each_total(&mut self, key: &SeriesKey, act: impl Fn(&mut Totals)) {
        let mut endpoint = (key.protocol, key.method.clone(), key.name.clone());
        // Each worker has its own cap; together they may still meet more names than one run shows.
        if self.endpoints.len() >= DEFAULT_SERIES_CAP && !self.endpoints.contains(&endpoint) {
            if !self.thresholds.select("name", &endpoint.2) {
                endpoint.2 = OTHER.into();
                self.series_folded = true;
            }
            if self.endpoints.len() >= 2 * DEFAULT_SERIES_CAP
                && !self.endpoints.contains(&endpoint)
                && !self.thresholds.select("method", &endpoint.1)
            {
                endpoint.1 = OTHER.into();
            }
        }
        let only = *self.only_protocol.get_or_insert(key.protocol);
        if only != key.protocol && self.protocols.len() == 0 {
            *self.protocols.of(&only) = self.total.clone();
        }
        if self.protocols.len() > 0 {
            act(self.protocols.of(&key.protocol));
        }
        act(&mut self.total);
        act(self.endpoints.of(&endpoint));
        act(&mut self.scenarios.of(&key.scenario).requests);
    }

    fn log_requests(&mut self, key: &SeriesKey, counts: &RequestCounts<Sparse>, taken_back: bool) {
        let SeriesKey { scenario, method, name, .. } = key.clone();
        self.log(IntervalSeries::Requests { scenario, method, name }, counts, taken_back);
        self.log(IntervalSeries::All, counts, taken_back);
    }

    /// Files the histograms of one series under the open interval.
    fn log(&mut self, series: IntervalSeries, counts: &RequestCounts<Sparse>, taken_back: bool) {
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
        let closed = self.open.close(self.interval_started, at);
        if self.is_last {
            self.closed.clear();
        } else {
            self.closed.close(&closed, self.told_until);
        }
        self.intervals.push(closed);
    }

    /// A worker has joined, with the next number.
    pub(crate) fn join(&mut self) {
        self.arrivals.push(Arrivals::default());
        self.generator.join();
    }

    /// How worker number `worker` did in the interval that is open.
    pub(crate) fn health(&mut self, worker: usize, health: &WorkerHealth) {
        self.generator.add(worker, health);
    }

    /// What the system says of CPU time now. To be told when the load begins, and before each end of an interval.
    pub(crate) fn cpu_times(&mut self, now: CpuTimes) {
        self.generator.cpu_times(now);
    }

    /// What the agents of a distributed run say of themselves; they are the load generator then. Before each end of an interval.
    pub(crate) fn agents(&mut self, agents: Vec<AgentStats>) {
        self.agents = agents;
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
        self.scenarios.of(scenario).iterations.add_dropped(count);
    }

    /// Iterations of a scenario that were started so far, and those that never will be.
    pub fn begun_and_dropped(&self, scenario: &str) -> (u64, u64) {
        let known = self.scenarios.iter().find(|(name, _)| **name == *scenario);
        known.map_or((0, 0), |(_, scenario)| scenario.iterations.begun_and_dropped())
    }

    /// Ends the open interval: its figures become a history point, and a snapshot of the run is made.
    pub fn close_interval(&mut self, tick: Tick) -> Snapshot {
        self.settle();
        self.close_log(tick.at);
        let length = tick.at.saturating_sub(self.interval_started);
        self.interval_started = tick.at;
        let users_peak = tick.users_peak.max(tick.users);
        self.thresholds.users(tick.users, self.peaks.users().max(users_peak));
        self.thresholds.dropped(self.iterations.begun_and_dropped().1);
        let (phase, stage) = self.most_of(tick.at.saturating_sub(length), &tick);
        let phases = [phase.as_str(), stage.as_deref().unwrap_or_default()];
        // No time of a pause is part of a rate.
        let active = length.saturating_sub(tick.paused.saturating_sub(self.paused));
        self.paused = tick.paused;
        let told = self.thresholds.close(tick.at, (length, active), &phases, self.is_last);
        self.events.extend(told);
        if !self.is_last {
            self.aborting = self.thresholds.abort(tick.at).or(self.aborting.take());
        }
        let interval = self.total.take_interval();
        let mut endpoints = Vec::new();
        for ((_, method, name), totals) in self.endpoints.iter_mut() {
            let interval = totals.take_interval();
            if interval.requests != 0 || interval.failures != 0 {
                endpoints.push((method.clone(), name.clone(), interval.stats()));
            }
        }
        // Only the total and the endpoints have a history.
        let tags = self.tags.iter_mut().map(|(_, totals)| totals);
        let others = tags.chain(self.transactions.iter_mut().map(|(_, totals)| totals));
        let others = others.chain(self.protocols.iter_mut().map(|(_, totals)| totals));
        let others = others.chain(self.scenarios.iter_mut().map(|(_, scenario)| &mut scenario.requests));
        others.chain([&mut self.transaction_total]).for_each(|totals| drop(totals.take_interval()));
        let total = interval.stats();
        let mut generator = self.generator.close(tick.at, length);
        if let Some(GeneratorPoint { cpu, machine, .. }) = AgentStats::busiest_now(&self.agents) {
            // Threads elsewhere tell of themselves, but this process makes no load.
            (generator.cpu, generator.machine) = (cpu, machine);
        }
        self.recent.push_back(RecentInterval { length, requests: interval });
        if self.recent.len() > RECENT_INTERVALS {
            self.recent.pop_front();
        }
        let so_far = TotalsSoFar {
            requests: self.total.counts.requests,
            failures: self.total.counts.failures,
            ok: self.total.summaries()[0],
            bytes_received: self.total.counts.bytes_received,
        };
        self.history.push_second(HistoryPoint {
            at: tick.at,
            length,
            phase,
            stage,
            users: tick.users,
            users_peak,
            users_target: tick.users_target,
            in_flight: tick.in_flight,
            iterations_planned: tick.due,
            iterations_started: self.iterations.begun_and_dropped().0,
            dropped_iterations: self.iterations.begun_and_dropped().1,
            total,
            endpoints,
            generator,
            so_far,
        });
        self.history.may_change(self.closed.len());
        self.peaks.look(&self.history, self.closed.len());
        self.snapshot(tick)
    }

    /// Takes back what was counted under a verdict that the script changed later.
    fn reverse(&mut self, reversed: &ReversedDelta) {
        if !reversed.series.is_empty() {
            self.settle();
        }
        for (key, counts) in &reversed.series {
            self.each_total(key, |totals| totals.remove(counts));
            self.log_requests(key, counts, true);
        }
        for (tag, counts) in &reversed.tags {
            let tag = &self.known_tag(tag);
            self.tags.of(tag).remove(counts);
            self.log(tag_series(tag), counts, true);
        }
        self.phases.remove(&reversed.phases);
        self.groups.take_back_failures(&reversed.failures);
    }
}

fn tag_series((key, value): &Tag) -> IntervalSeries {
    IntervalSeries::Tag { key: key.clone(), value: value.clone() }
}

#[cfg(test)]
pub(super) mod merge_tests;
#[cfg(test)]
mod tests;
