//! Whether the load generator kept up with its own work, or stands in its own figures.
//!
//! Owns the CPU time of the process and of each worker thread, and how late those went on who waited for an
//! instant: that is the generator's own delay, while the lag of an iteration may also be that of a target
//! which keeps every user busy. Pure. Invariant: a verdict rests on data; without any there is none.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::histogram::{Histogram, Summary};
use super::percentile::Percentile;
use super::sparse::Sparse;

/// Share of its cores above which the generator counts as saturated.
pub const CPU_LIMIT: f64 = 0.9;

/// Lateness above which it does.
pub const LATENESS_LIMIT: Duration = Duration::from_millis(10);

/// Percentiles that waits are judged by, and the fewest waits for each: of a few, the slowest ones say nothing.
const JUDGED_BY: [(Percentile, u64); 3] =
    [(Percentile::P99, 100), (Percentile::P90, 10), (Percentile::P50, 1)];

/// Share of the periods of a CPU quota in which the process was held to it, above which the generator counts as saturated.
pub const THROTTLED_LIMIT: f64 = 0.05;

/// Fewer such periods are an accident.
const LEAST_PERIODS: u64 = 3;

/// Share of the machine's CPU time above which it counts as busy.
const MACHINE_BUSY: f64 = 0.8;

/// Shorter intervals, such as the last one, say nothing about a rate.
const LEAST_INTERVAL: Duration = Duration::from_millis(500);

/// Seconds above the CPU limit that matter: so many, and this share of all.
const LEAST_SECONDS: u64 = 3;
const LEAST_SHARE: f64 = 0.05;

/// How a worker thread did in an interval.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WorkerHealth {
    /// CPU time it used; `None` where the system does not say.
    pub(crate) cpu: Option<Duration>,
    /// How late it went on after its waits, microseconds.
    pub(crate) lateness: Sparse,
}

/// CPU time as the system counts it: since the process was started, or the machine. What it does not say is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTimes {
    /// Cores that the process may use: what affinity and quotas leave.
    pub(crate) cores: Option<f64>,
    /// Time that the process has used.
    pub(crate) process: Option<Duration>,
    /// Time in which the machine's cores were busy, and all their time.
    pub(crate) machine: Option<(Duration, Duration)>,
    /// Periods of a CPU quota in which the process wanted to run, and those in which it was held to the quota.
    pub(crate) periods: Option<(u64, u64)>,
}

/// The machine's CPU time, as shares of all its cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MachineShare {
    /// How busy they were.
    pub busy: f64,
    /// What this process used of them.
    pub own: f64,
}

impl MachineShare {
    /// Whether other programs kept the machine busy, more than this process did.
    pub(crate) fn is_taken_by_others(self) -> bool {
        self.busy > MACHINE_BUSY && self.own < self.busy / 2.0
    }
}

/// Who a delay of the load generator is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// This process had more to do than its cores can.
    Itself,
    /// Its CPU quota.
    Quota,
    /// Other programs on the machine.
    Others,
    /// Neither is known to have used the CPU: the machine may have been suspended, or share its cores with others.
    Unknown,
}

impl Blame {
    /// The word of `run.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Blame::Itself => "load generator",
            Blame::Quota => "CPU quota",
            Blame::Others => "other programs",
            Blame::Unknown => "unknown",
        }
    }
}

/// The generator in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GeneratorPoint {
    /// Share of its cores that the process used, 0 to 1.
    pub cpu: Option<f64>,
    /// Share of one core that the busiest worker thread used, 0 to 1.
    pub busiest_worker: Option<f64>,
    /// 99th percentile of how late waits ended, all worker threads together, microseconds.
    pub lateness_p99_us: Option<u64>,
    /// The machine that it ran on.
    pub machine: Option<MachineShare>,
}

impl GeneratorPoint {
    /// Whether it was at its limit.
    pub fn is_saturated(&self) -> bool {
        let over = |share: Option<f64>| share.is_some_and(|share| share > CPU_LIMIT);
        over(self.cpu) || over(self.busiest_worker) || is_late(self.lateness_p99_us)
    }

    /// Whether it was late because other programs used the machine.
    pub fn is_held_up_by_others(&self) -> bool {
        let over = |share: Option<f64>| share.is_some_and(|share| share > CPU_LIMIT);
        !over(self.cpu)
            && !over(self.busiest_worker)
            && self.machine.is_some_and(MachineShare::is_taken_by_others)
    }
}

/// The generator over the whole load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GeneratorStats {
    /// Cores that the process may use, fractions of a CPU quota included.
    pub cores: f64,
    /// Worker threads.
    pub threads: usize,
    /// Share of its cores that the process used, 0 to 1.
    pub cpu: Option<f64>,
    /// The same in the second in which it was highest.
    pub cpu_max: Option<f64>,
    /// Share of one core that the busiest worker thread used, 0 to 1.
    pub busiest_worker: Option<f64>,
    /// How late waits ended on the worker thread that was latest.
    pub lateness: Option<Summary>,
    /// The machine that it ran on.
    pub machine: Option<MachineShare>,
    /// Periods of a CPU quota in which the process wanted to run, and those in which it was held to the quota.
    pub periods: Option<(u64, u64)>,
    /// Seconds that were looked at.
    pub seconds: u64,
    /// Those of them in which it was at its limit.
    pub saturated_seconds: u64,
    /// The last second.
    pub now: GeneratorPoint,
    /// Seconds in which the process, or one of its threads, was above the limit of CPU.
    pub(crate) busy_seconds: (u64, u64),
    /// The machine in the seconds in which waits ended late.
    pub(crate) machine_when_late: Option<MachineShare>,
}

/// Why a generator counts as saturated.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Saturation {
    /// The process used this share of its cores, and more than [`CPU_LIMIT`] in so many seconds.
    Cpu {
        /// Share over the whole load.
        share: f64,
        /// Seconds above the limit.
        seconds: u64,
    },
    /// One worker thread used this share of a core, while others had less to do.
    Worker {
        /// Share over the whole load.
        share: f64,
        /// Seconds above the limit.
        seconds: u64,
    },
    /// A CPU quota stopped the process.
    Throttled {
        /// Periods in which it did.
        periods: u64,
        /// Of so many in which the process wanted to run.
        of: u64,
    },
    /// Waits ended late on one worker thread.
    Late {
        /// The percentile that says so: the 99th where there were enough waits.
        percentile: Percentile,
        /// Its value, microseconds.
        us: u64,
    },
}

impl GeneratorStats {
    /// Whether figures of this run contain delays of the generator; `None` when nothing is known of it.
    pub fn saturated(&self) -> Option<bool> {
        let known = self.cpu.is_some() || self.busiest_worker.is_some() || self.lateness.is_some();
        known.then(|| !self.causes().is_empty())
    }

    /// Why it counts as saturated; empty when it does not.
    pub fn causes(&self) -> Vec<Saturation> {
        let (process, worker) = self.busy_seconds;
        let busy = |share: Option<f64>, seconds: u64| {
            let often = seconds >= LEAST_SECONDS && seconds as f64 >= self.seconds as f64 * LEAST_SHARE;
            share.filter(|&share| share > CPU_LIMIT || often)
        };
        let mut causes = Vec::new();
        if let Some(share) = busy(self.cpu, process) {
            causes.push(Saturation::Cpu { share, seconds: process });
        } else if let Some(share) = busy(self.busiest_worker, worker) {
            causes.push(Saturation::Worker { share, seconds: worker });
        }
        if let Some((of, periods)) = self.periods
            && periods >= LEAST_PERIODS
            && periods as f64 >= of as f64 * THROTTLED_LIMIT
        {
            causes.push(Saturation::Throttled { periods, of });
        }
        if let Some((percentile, us)) = self.lateness.and_then(judged_by)
            && is_late(Some(us))
        {
            causes.push(Saturation::Late { percentile, us });
        }
        causes
    }

    /// Who the delays are due to; `None` where there are none.
    pub fn blame(&self) -> Option<Blame> {
        let causes = self.causes();
        let is = |wanted: fn(&Saturation) -> bool| causes.iter().any(wanted);
        if causes.is_empty() {
            return None;
        }
        Some(if is(|cause| matches!(cause, Saturation::Throttled { .. })) {
            Blame::Quota
        } else if is(|cause| matches!(cause, Saturation::Cpu { .. } | Saturation::Worker { .. })) {
            Blame::Itself
        } else if self.machine_when_late.or(self.machine).is_some_and(MachineShare::is_taken_by_others) {
            Blame::Others
        } else {
            Blame::Unknown
        })
    }
}

/// The percentile that so many waits are judged by, with its value.
fn judged_by(lateness: Summary) -> Option<(Percentile, u64)> {
    let (percentile, _) = JUDGED_BY.into_iter().find(|(_, fewest)| lateness.count >= *fewest)?;
    Some((percentile, lateness.percentile_us(percentile)))
}

fn is_late(us: Option<u64>) -> bool {
    us.is_some_and(|us| Duration::from_micros(us) > LATENESS_LIMIT)
}

/// Adds up what the worker threads and the process say.
#[derive(Debug)]
pub(crate) struct Generator {
    cores: f64,
    workers: Vec<WorkerTotals>,
    /// What the system said when the load began, when the interval did, and last.
    times: Option<[CpuTimes; 3]>,
    /// The machine's busy time, this process's and all of it, in the seconds in which waits ended late.
    late: (Duration, Duration, Duration),
    interval: Histogram,
    stats: GeneratorStats,
}

#[derive(Debug, Default)]
struct WorkerTotals {
    cpu: Option<Duration>,
    interval_cpu: Option<Duration>,
    lateness: Histogram,
}

impl Generator {
    pub(crate) fn new(workers: usize) -> Generator {
        Generator {
            cores: std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64),
            workers: (0..workers).map(|_| WorkerTotals::default()).collect(),
            times: None,
            late: Default::default(),
            interval: Histogram::new(),
            stats: GeneratorStats { threads: workers, ..GeneratorStats::default() },
        }
    }

    /// A worker has joined.
    pub(crate) fn join(&mut self) {
        self.workers.push(WorkerTotals::default());
        self.stats.threads += 1;
    }

    /// What a worker thread says of the interval that is open.
    pub(crate) fn add(&mut self, worker: usize, health: &WorkerHealth) {
        let totals = &mut self.workers[worker];
        totals.interval_cpu = health.cpu;
        if let Some(cpu) = health.cpu {
            totals.cpu = Some(totals.cpu.unwrap_or_default() + cpu);
        }
        totals.lateness.merge_sparse(&health.lateness);
        self.interval.merge_sparse(&health.lateness);
    }

    /// What the system says of CPU time now; the first call is the start of the load.
    pub(crate) fn cpu_times(&mut self, now: CpuTimes) {
        self.cores = now.cores.unwrap_or(self.cores);
        let [start, before, _] = self.times.unwrap_or([now; 3]);
        self.times = Some([start, before, now]);
    }

    /// Ends an interval of this length, `at` this time since the load began.
    pub(crate) fn close(&mut self, at: Duration, length: Duration) -> GeneratorPoint {
        let share = |cpu: Duration, time: Duration, cores: f64| {
            (!time.is_zero()).then(|| cpu.as_secs_f64() / time.as_secs_f64() / cores)
        };
        let cores = self.cores;
        let since = |from: CpuTimes, to: CpuTimes, time: Duration| {
            let used = to.process.zip(from.process).map(|(to, from)| to.saturating_sub(from));
            (used.and_then(|used| share(used, time, cores)), machine_time(from, to))
        };
        let (mut cpu, mut total, mut machine, mut machine_total) = (None, None, None, None);
        if let Some([start, before, now]) = &mut self.times {
            (cpu, machine) = since(*before, *now, length);
            (total, machine_total) = since(*start, *now, at);
            self.stats.periods = now
                .periods
                .zip(start.periods)
                .map(|(now, start)| (now.0.saturating_sub(start.0), now.1.saturating_sub(start.1)));
            *before = *now;
        }
        let busiest = self.workers.iter_mut().filter_map(|worker| worker.interval_cpu.take()).max();
        let interval = std::mem::take(&mut self.interval);
        let point = GeneratorPoint {
            cpu,
            busiest_worker: busiest.and_then(|busiest| share(busiest, length, 1.0)),
            // A second has fewer waits than a run; the last of a few is worth a look, not a verdict.
            lateness_p99_us: interval.summary().map(|summary| summary.percentile_us(Percentile::P99)),
            machine: machine.and_then(machine_share),
        };
        if let (true, Some((busy, own, all))) = (is_late(point.lateness_p99_us), machine) {
            self.late = (self.late.0 + busy, self.late.1 + own, self.late.2 + all);
        }
        let stats = &mut self.stats;
        stats.cores = self.cores;
        stats.cpu = total;
        stats.busiest_worker =
            self.workers.iter().filter_map(|w| w.cpu).max().and_then(|busiest| share(busiest, at, 1.0));
        let latest = self.workers.iter().filter_map(|worker| worker.lateness.summary());
        stats.lateness = latest.max_by_key(|summary| (judged_by(*summary).map(|(_, us)| us), summary.max_us));
        stats.machine = machine_total.and_then(machine_share);
        stats.machine_when_late = machine_share(self.late);
        if length >= LEAST_INTERVAL {
            let over = |share: Option<f64>| u64::from(share.is_some_and(|share| share > CPU_LIMIT));
            stats.now = point;
            stats.seconds += 1;
            stats.saturated_seconds += u64::from(point.is_saturated());
            stats.busy_seconds.0 += over(point.cpu);
            stats.busy_seconds.1 += over(point.busiest_worker);
            stats.cpu_max = stats.cpu_max.into_iter().chain(point.cpu).reduce(f64::max);
        }
        point
    }

    pub(crate) fn stats(&self) -> &GeneratorStats {
        &self.stats
    }
}

/// The machine's busy time between two moments, what this process used of it, and all there was.
fn machine_time(from: CpuTimes, to: CpuTimes) -> Option<(Duration, Duration, Duration)> {
    let own = to.process?.saturating_sub(from.process?);
    let ((busy, all), (busy_before, all_before)) = (to.machine?, from.machine?);
    Some((busy.saturating_sub(busy_before), own, all.saturating_sub(all_before)))
}

fn machine_share((busy, own, all): (Duration, Duration, Duration)) -> Option<MachineShare> {
    let share = |time: Duration| time.as_secs_f64() / all.as_secs_f64();
    (!all.is_zero()).then(|| MachineShare { busy: share(busy).min(1.0), own: share(own).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A worker that used so many milliseconds of CPU and was so many milliseconds late, that many times.
    fn health(cpu_ms: u64, late_ms: u64, times: u32) -> WorkerHealth {
        let mut lateness = Histogram::new();
        lateness.record_n(late_ms * 1_000, times);
        WorkerHealth { cpu: Some(Duration::from_millis(cpu_ms)), lateness: lateness.take_sparse() }
    }

    fn generator() -> Generator {
        let mut generator = Generator::new(2);
        generator.cores = 2.0;
        generator
    }

    /// What the system says when the process has used so much.
    fn times(process: Duration) -> CpuTimes {
        CpuTimes { process: Some(process), ..CpuTimes::default() }
    }

    /// So many seconds in which the process and its two workers use so many milliseconds of CPU.
    fn run(generator: &mut Generator, seconds: std::ops::Range<u32>, process_ms: u64, worker_ms: [u64; 2]) {
        for second in seconds {
            let before = generator.times.map_or(SECOND, |[.., last]| last.process.unwrap());
            generator.cpu_times(times(before));
            for (worker, &cpu) in worker_ms.iter().enumerate() {
                generator.add(worker, &health(cpu, 0, 10));
            }
            generator.cpu_times(times(before + Duration::from_millis(process_ms)));
            generator.close(SECOND * (second + 1), SECOND);
        }
    }

    #[test]
    fn without_data_there_is_no_verdict() {
        let mut generator = Generator::new(1);
        let nothing = WorkerHealth { cpu: None, lateness: Sparse::default() };
        generator.add(0, &nothing);
        generator.cpu_times(CpuTimes::default());
        assert_eq!(generator.close(SECOND, SECOND), GeneratorPoint::default());
        assert_eq!(generator.stats().saturated(), None);
        assert!(!generator.stats().now.is_saturated());
    }

    #[test]
    fn an_idle_generator_is_not_saturated() {
        let mut generator = generator();
        run(&mut generator, 0..20, 400, [150, 150]);
        let stats = generator.stats();
        assert_eq!(stats.saturated(), Some(false));
        assert_eq!((stats.cpu, stats.cpu_max, stats.busiest_worker), (Some(0.2), Some(0.2), Some(0.15)));
        assert_eq!((stats.seconds, stats.saturated_seconds), (20, 0));
    }

    #[test]
    fn all_cores_busy_is_saturated_and_says_by_how_much() {
        let mut generator = generator();
        run(&mut generator, 0..10, 1_900, [930, 930]);
        let causes = generator.stats().causes();
        assert_eq!(causes, [Saturation::Cpu { share: 0.95, seconds: 10 }], "and not once more for a thread");
    }

    #[test]
    fn one_thread_at_its_end_is_saturated_although_a_core_is_free() {
        let mut generator = generator();
        run(&mut generator, 0..10, 1_000, [970, 20]);
        assert_eq!(generator.stats().causes(), [Saturation::Worker { share: 0.97, seconds: 10 }]);
    }

    #[test]
    fn a_busy_minute_in_a_quiet_hour_counts_and_two_busy_seconds_do_not() {
        let mut generator = generator();
        run(&mut generator, 0..18, 200, [100, 100]);
        run(&mut generator, 18..20, 2_000, [990, 990]);
        assert_eq!(generator.stats().saturated(), Some(false));
        assert_eq!(generator.stats().saturated_seconds, 2);
        run(&mut generator, 20..22, 2_000, [990, 990]);
        assert_eq!(generator.stats().saturated(), Some(true), "four seconds of 22");
    }

    #[test]
    fn the_latest_worker_decides_once_there_are_enough_waits() {
        let mut generator = Generator::new(2);
        for (worker, late) in [(0, 1), (1, 25)] {
            generator.add(worker, &health(1, late, 105));
        }
        assert_eq!(generator.close(SECOND, SECOND).lateness_p99_us.map(|us| us / 1_000), Some(25));
        let causes = generator.stats().causes();
        let expected = Saturation::Late { percentile: Percentile::P99, us: 25_000 };
        assert_eq!(causes, [expected], "{causes:?}");
        assert_eq!(generator.stats().blame(), Some(Blame::Unknown), "nothing is known of the machine");
    }

    #[test]
    fn a_run_of_few_waits_is_judged_by_what_there_is() {
        let judged = |waits: &[(u64, u32)]| {
            let mut generator = Generator::new(1);
            waits.iter().for_each(|&(late, times)| generator.add(0, &health(1, late, times)));
            generator.close(SECOND, SECOND);
            generator.stats().causes().len()
        };
        assert_eq!(judged(&[(0, 90), (60, 9)]), 0, "less than one of ten was late");
        assert_eq!(judged(&[(0, 10), (60, 30)]), 1);
        assert_eq!(judged(&[(0, 5), (60, 1)]), 0, "one of a few is an accident");
        assert_eq!(judged(&[(60, 3)]), 1);
    }

    /// A generator that uses so many milliseconds of CPU a second on a machine of two cores that are busy for so many, and
    /// is late.
    fn late_on(own_ms: u64, busy_ms: u64) -> Option<Blame> {
        let mut generator = generator();
        for second in 0..3 {
            let at = SECOND * second;
            let ms = |ms: u64| Duration::from_millis(ms) * second;
            let machine = Some((ms(busy_ms), at * 2));
            generator.cpu_times(CpuTimes { process: Some(ms(own_ms)), machine, ..CpuTimes::default() });
            if second > 0 {
                generator.add(0, &health(10, 40, 50));
                generator.close(at, SECOND);
            }
        }
        generator.stats().blame()
    }

    #[test]
    fn a_delay_is_blamed_on_who_used_the_machine() {
        assert_eq!(late_on(40, 1_980), Some(Blame::Others));
        assert_eq!(late_on(1_900, 1_980), Some(Blame::Itself));
        assert_eq!(late_on(40, 200), Some(Blame::Unknown));
        assert_eq!(late_on(1_100, 1_980), Some(Blame::Unknown), "it used most of what was used");
    }

    #[test]
    fn a_quota_that_stops_the_process_is_a_cause_of_its_own() {
        let mut generator = generator();
        for (second, throttled) in [(0, 5), (1, 88)] {
            let periods = Some((20 + second * 86, throttled));
            let process = Some(Duration::from_millis(480) * second as u32);
            generator.cpu_times(CpuTimes { cores: Some(0.5), process, periods, ..CpuTimes::default() });
        }
        generator.close(SECOND, SECOND);
        let stats = generator.stats();
        assert_eq!((stats.cores, stats.cpu), (0.5, Some(0.96)));
        assert!(stats.causes().contains(&Saturation::Throttled { periods: 83, of: 86 }), "{stats:?}");
        assert_eq!(stats.blame(), Some(Blame::Quota));
    }

    #[test]
    fn a_cut_off_interval_is_no_second() {
        let mut generator = generator();
        generator.cpu_times(times(Duration::ZERO));
        generator.cpu_times(times(Duration::from_millis(20)));
        generator.close(Duration::from_millis(10), Duration::from_millis(10));
        assert_eq!((generator.stats().seconds, generator.stats().cpu_max), (0, None));
    }
}
