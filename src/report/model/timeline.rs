//! The seconds of a run merged into at most 300 buckets, for charts that share one time axis.

use std::time::Duration;

use crate::metrics::{
    IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries, Phase, ResourceSample, Snapshot, Sparse,
};

/// Most buckets of a chart.
pub(super) const MOST_BUCKETS: u64 = 300;

/// Widths of a bucket in seconds; a longer run takes multiples of the last one.
const WIDTHS_S: [u64; 7] = [1, 2, 5, 10, 30, 60, 300];

/// The run in buckets of one width.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// Width of a bucket, seconds.
    pub width_s: u64,
    /// Length of the run, seconds.
    pub length_s: f64,
    /// The buckets from the start on, without a gap.
    pub buckets: Vec<Bucket>,
    /// Stretches of one phase: name, begin and end in seconds.
    pub phases: Vec<(Phase, f64, f64)>,
}

/// The figures of one bucket; `None` means no sample.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Its begin, seconds since the start of the load.
    pub from_s: f64,
    /// Its end; that of the last one is the end of the run.
    pub to_s: f64,
    /// Most virtual users at a time. Runs of older versions only say how many there were at the end of each second: that of the
    /// second before counts too, because a number at the end of the last one says nothing about the users that ran in it.
    pub users: Option<u64>,
    /// The same of virtual users that should have run.
    pub users_target: Option<u64>,
    /// Iterations that were due in it; of loads that plan them.
    pub due: Option<u64>,
    /// Most requests that waited at the end of one of its seconds.
    pub in_flight: Option<u64>,
    /// Successes.
    pub ok: Sparse,
    /// Failures.
    pub failed: Sparse,
    /// How late iterations started.
    pub lag: Sparse,
    /// Phase at its end.
    pub phase: Option<Phase>,
    /// Means of what was measured of machine and processes.
    pub resources: Resources,
    /// Whether anything is known of it.
    pub is_known: bool,
    /// Length of the intervals in it, seconds: more than its own when the generator stood still.
    covered_s: f64,
}

/// Resources of a bucket: means, and for memory the last value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resources {
    /// Target's CPU, percent of one core.
    pub target_cpu: Option<f64>,
    /// Target's memory, bytes.
    pub target_memory: Option<f64>,
    /// The machine's CPU, percent of all cores.
    pub system_cpu: Option<f64>,
    /// The machine's bytes sent per second.
    pub net_sent: Option<f64>,
    /// The machine's bytes received per second.
    pub net_received: Option<f64>,
    /// This process' CPU, percent of one core.
    pub generator_cpu: Option<f64>,
    /// Open files and sockets of this process.
    pub generator_fds: Option<f64>,
}

impl Bucket {
    /// Length in seconds.
    pub fn length_s(&self) -> f64 {
        self.to_s - self.from_s
    }

    /// Successes per second; `None` when nothing is known of it.
    pub fn ok_rate(&self) -> Option<f64> {
        self.rate(&self.ok)
    }

    /// Failures per second.
    pub fn failed_rate(&self) -> Option<f64> {
        self.rate(&self.failed)
    }

    /// Iterations that were due, per second.
    pub fn due_rate(&self) -> Option<f64> {
        let due = self.due.filter(|_| self.length_s() > 0.0)?;
        Some(due as f64 / self.length_s().max(self.covered_s))
    }

    fn rate(&self, values: &Sparse) -> Option<f64> {
        (self.is_known && self.length_s() > 0.0)
            .then(|| values.count() as f64 / self.length_s().max(self.covered_s))
    }
}

/// The width of buckets so that a run of this length has at most `most` of them.
pub(super) fn width_s(length: Duration, most: u64) -> u64 {
    let seconds = length.as_secs_f64().ceil() as u64;
    let fits = |width: &u64| seconds.div_ceil(*width) <= most;
    WIDTHS_S.iter().copied().find(fits).unwrap_or_else(|| seconds.div_ceil(most).div_ceil(300) * 300)
}

/// The bucket in which the middle of an interval lies.
pub(super) fn bucket_of(from: Duration, to: Duration, width_s: u64) -> usize {
    let middle = (from + to.saturating_sub(from) / 2).as_secs_f64();
    (middle / width_s.max(1) as f64) as usize
}

impl Timeline {
    pub(super) fn new(snapshot: &Snapshot, intervals: &[IntervalHistograms]) -> Timeline {
        let length = snapshot.elapsed;
        let width_s = width_s(length, MOST_BUCKETS);
        let length_s = length.as_secs_f64();
        let count = (length_s / width_s as f64).ceil() as usize;
        let mut buckets: Vec<Bucket> = (0..count)
            .map(|index| Bucket {
                from_s: index as f64 * width_s as f64,
                to_s: ((index + 1) as f64 * width_s as f64).min(length_s),
                ..Bucket::default()
            })
            .collect();
        // Half a millisecond of a last bucket would show a rate of thousands.
        if buckets.len() > 1 && buckets.last().is_some_and(|last| last.length_s() < 0.2 * width_s as f64) {
            buckets.pop();
            if let Some(last) = buckets.last_mut() {
                last.to_s = length_s;
            }
        }
        let mut timeline = Timeline { width_s, length_s, buckets, phases: Vec::new() };
        timeline.add_intervals(intervals);
        timeline.add_history(snapshot);
        timeline.add_resources(&snapshot.resources.samples.since(0));
        timeline
    }

    fn bucket(&mut self, from: Duration, to: Duration) -> Option<&mut Bucket> {
        let last = self.buckets.len().checked_sub(1)?;
        self.buckets.get_mut(bucket_of(from, to, self.width_s).min(last))
    }

    fn add_intervals(&mut self, intervals: &[IntervalHistograms]) {
        let key = |series: IntervalSeries, kind, taken_back| IntervalKey { series, kind, taken_back };
        for interval in intervals {
            let Some(bucket) = self.bucket(interval.from, interval.to) else { return };
            let part = |key: IntervalKey| interval.histograms.get(&key);
            for (kind, sum) in
                [(IntervalKind::Ok, &mut bucket.ok), (IntervalKind::Failed, &mut bucket.failed)]
            {
                if let Some(values) = part(key(IntervalSeries::All, kind, false)) {
                    sum.merge(values);
                }
                if let Some(values) = part(key(IntervalSeries::All, kind, true)) {
                    sum.remove(values);
                }
            }
            if let Some(values) = part(key(IntervalSeries::Iterations, IntervalKind::Lag, false)) {
                bucket.lag.merge(values);
            }
            bucket.is_known |= !interval.histograms.is_empty();
        }
    }

    fn add_history(&mut self, snapshot: &Snapshot) {
        // A run of a part of a second has one point, at its end, and what it had at most is in it.
        let is_short = snapshot.history.len() == 1;
        let mut due_before = 0;
        let (mut users_before, mut target_before) = (if is_short { snapshot.users_max } else { 0 }, 0);
        for point in snapshot.history.since(0) {
            let from = point.at.saturating_sub(point.length);
            match self.phases.last_mut() {
                Some((phase, _, end)) if *phase == point.phase => *end = point.at.as_secs_f64(),
                _ => self.phases.push((point.phase, from.as_secs_f64(), point.at.as_secs_f64())),
            }
            let Some(bucket) = self.bucket(from, point.at) else { return };
            bucket.is_known = true;
            bucket.covered_s += point.length.as_secs_f64();
            bucket.users = bucket.users.max(Some(point.users_peak.max(point.users).max(users_before)));
            bucket.users_target = bucket.users_target.max(Some(point.users_target.max(target_before)));
            (users_before, target_before) = (point.users, point.users_target);
            bucket.in_flight = bucket.in_flight.max(Some(point.in_flight));
            bucket.phase = Some(point.phase);
            if let Some(due) = point.iterations_planned {
                bucket.due = Some(bucket.due.unwrap_or(0) + due.saturating_sub(due_before));
                due_before = due_before.max(due);
            }
        }
    }

    fn add_resources(&mut self, samples: &[std::sync::Arc<ResourceSample>]) {
        let mut sums: Vec<[(f64, u32); 5]> = vec![[(0.0, 0); 5]; self.buckets.len()];
        for sample in samples {
            let from = sample.at.saturating_sub(sample.length);
            let index = bucket_of(from, sample.at, self.width_s);
            let (Some(bucket), Some(sums)) = (self.buckets.get_mut(index), sums.get_mut(index)) else {
                continue;
            };
            let target = sample.target.as_ref();
            let generator = sample.generator.as_ref();
            let means = [
                target.and_then(|target| target.cpu),
                sample.system.cpu,
                sample.system.net_sent,
                sample.system.net_received,
                generator.and_then(|generator| generator.cpu),
            ];
            for (sum, value) in sums.iter_mut().zip(means) {
                if let Some(value) = value {
                    *sum = (sum.0 + value, sum.1 + 1);
                }
            }
            let resources = &mut bucket.resources;
            resources.target_memory = target.map(|target| target.memory as f64).or(resources.target_memory);
            let fds = generator.and_then(|generator| generator.fds).map(|fds| fds as f64);
            resources.generator_fds = fds.or(resources.generator_fds);
        }
        for (bucket, sums) in self.buckets.iter_mut().zip(sums) {
            let mean = |(sum, count): (f64, u32)| (count > 0).then(|| sum / f64::from(count));
            let resources = &mut bucket.resources;
            [
                &mut resources.target_cpu,
                &mut resources.system_cpu,
                &mut resources.net_sent,
                &mut resources.net_received,
                &mut resources.generator_cpu,
            ]
            .into_iter()
            .zip(sums)
            .for_each(|(slot, sum)| *slot = mean(sum));
        }
    }
}
