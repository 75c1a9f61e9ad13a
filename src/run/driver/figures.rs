//! The figures of a run on their way: from the workers' intervals to snapshots, and to those who write samples down.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::metrics::{
    Aggregator, MetricKind, Phase, ResourceSource, Sample, SampleFileStats, Snapshot, Tap, Thresholds, Tick,
};
use crate::run::samples::SampleWriter;
use crate::system::CpuMeter;
use crate::vu::{Interval, Shared};

/// See the module's description.
pub(super) struct Figures {
    pub(super) aggregator: Aggregator,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// Measures machine, generator and target, when that was asked for.
    resources: Option<Box<dyn ResourceSource>>,
    /// Where samples of the run as a whole go, and who writes all samples down, when that was asked for.
    samples: Option<(Tap, SampleWriter)>,
    /// Dropped iterations that were passed on there.
    dropped_told: u64,
    /// By worker, what it said last of the moment.
    moments: Vec<Moment>,
    /// The same at the end of each second that may still be told of.
    then: VecDeque<Vec<Moment>>,
    /// Who uses the CPU.
    cpu: CpuMeter,
}

/// Users and requests of a worker at the end of its last interval.
#[derive(Clone, Copy, Default)]
struct Moment {
    /// It has no users, whatever is still told of the time before.
    is_gone: bool,
    users: u64,
    users_peak: u64,
    in_flight: u64,
    interrupted_requests: u64,
}

impl Figures {
    pub(super) fn new(
        shared: &Shared,
        workers: usize,
        resources: Option<Box<dyn ResourceSource>>,
        samples: Option<(Tap, SampleWriter)>,
    ) -> (Figures, watch::Receiver<Arc<Snapshot>>) {
        let (thresholds, _) = Thresholds::new(&shared.thresholds, &shared.own_metrics);
        let secrets = &shared.inputs.common.secrets;
        let thresholds = thresholds.masked(|text| secrets.mask(text));
        let mut aggregator = Aggregator::new(workers, SystemTime::now()).with_thresholds(thresholds);
        let mut nothing = aggregator.preview(Tick::idle(Phase::Starting));
        if shared.plan.capacity.is_some() {
            nothing.thresholds.clear();
        }
        let (snapshots, receiver) = watch::channel(Arc::new(nothing));
        let moments = vec![Moment::default(); workers];
        let cpu = CpuMeter::new();
        let then = VecDeque::new();
        (Figures { aggregator, snapshots, resources, samples, dropped_told: 0, moments, then, cpu }, receiver)
    }

    /// A worker has joined.
    pub(super) fn join(&mut self) {
        self.moments.push(Moment::default());
        self.aggregator.join();
    }

    /// The load begins.
    pub(super) fn begin(&mut self, start: Instant) {
        self.aggregator.start(SystemTime::now() - start.elapsed());
        if let Some(resources) = &mut self.resources {
            resources.begin(start.into_std());
        }
        self.aggregator.cpu_times(self.cpu.now());
    }

    /// When the last interval was closed.
    pub(super) fn closed_at(&self) -> Duration {
        self.aggregator.closed_at()
    }

    /// A worker has no users any more, as far as it is known.
    pub(super) fn left(&mut self, worker: usize) {
        if let Some(moment) = self.moments.get_mut(worker) {
            let interrupted_requests = moment.interrupted_requests;
            *moment = Moment { is_gone: true, interrupted_requests, ..Moment::default() };
        }
    }

    /// It may have users again.
    pub(super) fn is_back(&mut self, worker: usize) {
        if let Some(moment) = self.moments.get_mut(worker) {
            moment.is_gone = false;
        }
    }

    /// Takes over what workers have counted.
    pub(super) fn take(&mut self, intervals: Vec<(usize, Interval)>, now: Duration) {
        for (worker, interval) in intervals {
            let Interval { delta, users, users_peak, in_flight, interrupted_requests, health, .. } = interval;
            if let Err(error) = self.aggregator.add(worker, delta) {
                self.aggregator.mark(now, error.to_string());
            }
            self.aggregator.health(worker, &health);
            let moment = &mut self.moments[worker];
            // Two intervals may have come since the last look: the second must not hide the peak of the first.
            moment.users_peak = users_peak.max(moment.users_peak);
            moment.interrupted_requests = interrupted_requests;
            (moment.users, moment.in_flight) = if moment.is_gone { (0, 0) } else { (users, in_flight) };
        }
    }

    /// Takes over what workers counted in a second that has been closed, into that second if it is kept.
    pub(super) fn take_late(&mut self, second: u64, intervals: Vec<(usize, Interval)>, now: Duration) {
        let place = self.aggregator.kept_place(second);
        let Some((place, then)) = place.and_then(|place| Some((place, self.then.get_mut(place)?))) else {
            return self.take(intervals, now);
        };
        let (mut users, mut in_flight, mut deltas) = (0, 0, Vec::new());
        for (worker, interval) in intervals {
            if let Some(moment) = self.moments.get_mut(worker) {
                moment.interrupted_requests = moment.interrupted_requests.max(interval.interrupted_requests);
                // One that is always late has told of nothing since.
                if !moment.is_gone {
                    (moment.users, moment.in_flight) = (interval.users, interval.in_flight);
                }
            }
            // It may have been counted with what it had before.
            if let Some(then) = then.get_mut(worker) {
                users += interval.users as i64 - then.users as i64;
                in_flight += interval.in_flight as i64 - then.in_flight as i64;
                (then.users, then.in_flight) = (interval.users, interval.in_flight);
            }
            deltas.push((worker, interval.delta));
        }
        for error in self.aggregator.amend(place, deltas, users, in_flight) {
            self.aggregator.mark(now, error.to_string());
        }
    }

    /// Adds up the users and requests of all workers, of one that is late those that it had, and what was measured
    /// meanwhile.
    pub(super) fn look(&mut self, tick: &mut Tick) {
        for moment in &mut self.moments {
            tick.users += moment.users;
            tick.users_peak += moment.users_peak.max(moment.users);
            tick.in_flight += moment.in_flight;
            tick.interrupted_requests += moment.interrupted_requests;
            moment.users_peak = moment.users;
        }
        if let Some(resources) = &mut self.resources {
            self.aggregator.add_resources(resources.take());
        }
        self.aggregator.cpu_times(self.cpu.now());
    }

    /// Ends an interval.
    pub(super) fn close(&mut self, tick: Tick, last: bool) -> Snapshot {
        if last {
            self.aggregator.end();
            self.aggregator.leave(tick.at);
        }
        let mut snapshot = self.aggregator.close_interval(tick);
        self.then.push_back(self.moments.clone());
        self.then.drain(..self.then.len().saturating_sub(self.aggregator.kept()));
        if last {
            // The seconds keep the phase they were part of; it is the run that is done.
            snapshot.phase = Phase::Done;
        }
        snapshot
    }

    /// Gives a snapshot to whoever watches.
    pub(super) fn publish(&mut self, snapshot: Snapshot) {
        self.pass_on(&snapshot);
        // Nobody may be watching.
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    /// Publishes the last snapshot again, with what is different now.
    pub(super) fn amend(&self, phase: Phase, stage: Option<Arc<str>>, users_target: u64) {
        self.snapshots.send_modify(|snapshot| {
            let last = Arc::make_mut(snapshot);
            (last.phase, last.stage, last.users_target) = (phase, stage, users_target);
        });
    }

    /// Passes on what k6 samples once a second, and the iterations that were dropped since.
    fn pass_on(&mut self, snapshot: &Snapshot) {
        let Some((tap, _)) = &mut self.samples else { return };
        let dropped = snapshot.iterations.dropped - self.dropped_told;
        self.dropped_told = snapshot.iterations.dropped;
        let gauge = |metric, value: u64| Sample::Run { metric, kind: MetricKind::Gauge, value: value as f64 };
        tap.add(gauge("vus", snapshot.users));
        tap.add(gauge("vus_max", snapshot.users_max));
        if dropped > 0 {
            let (metric, value) = ("dropped_iterations", dropped as f64);
            tap.add(Sample::Run { metric, kind: MetricKind::Counter, value });
        }
        tap.send(&[], &[]);
    }

    /// The snapshot that was published last.
    pub(super) fn last(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// The last snapshot, when the workers have ended and all samples are written.
    pub(super) fn finish(self) -> Arc<Snapshot> {
        let mut snapshot = self.snapshots.borrow().clone();
        if let Some((tap, writer)) = self.samples {
            // All other taps went with the workers: what is on its way is all there is.
            drop(tap);
            let whole = Arc::make_mut(&mut snapshot);
            whole.samples = writer.finish();
            whole.notes.extend(whole.samples.iter().filter_map(SampleFileStats::warning));
            self.snapshots.send_replace(snapshot.clone());
        }
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoadTest;
    use crate::metrics::{Recorder, WorkerHealth};

    /// So many users of a worker, each with a request.
    fn told(worker: usize, users: u64) -> Vec<(usize, Interval)> {
        let interval = Interval {
            delta: Recorder::new(1).take(),
            users,
            users_peak: users,
            in_flight: users,
            interrupted_requests: 0,
            health: WorkerHealth::default(),
            claimed: 0,
            lanes: Vec::new(),
        };
        vec![(worker, interval)]
    }

    #[test]
    fn users_of_an_agent_that_is_always_late_are_among_those_of_the_moment() {
        let shared = LoadTest::from_text("a.rhai", "fn iteration() {}").prepare().unwrap().shared;
        let (mut figures, _snapshots) = Figures::new(&shared, 2, None, None);
        figures.begin(Instant::now());
        figures.aggregator.told_until(0);
        let end = |figures: &mut Figures, second: u64| {
            let at = Duration::from_secs(second);
            figures.take(told(0, 3), at);
            let mut tick = Tick { at, ..Tick::idle(Phase::Steady) };
            figures.look(&mut tick);
            figures.close(tick, false)
        };
        assert_eq!(end(&mut figures, 1).users, 3);
        for second in 2..5 {
            figures.take_late(second - 1, told(1, 5), Duration::from_secs(second));
            let snapshot = end(&mut figures, second);
            assert_eq!((snapshot.users, snapshot.users_max), (8, 8));
        }
        figures.left(1);
        figures.take_late(4, told(1, 5), Duration::from_secs(5));
        assert_eq!(end(&mut figures, 5).users, 3, "it is gone, whatever is still told of the time before");
    }
}
