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

/// A percentile of fewer values is no figure.
const LEAST_WAITS: u64 = 100;

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
}

impl GeneratorPoint {
    /// Whether it was at its limit.
    pub fn is_saturated(&self) -> bool {
        let over = |share: Option<f64>| share.is_some_and(|share| share > CPU_LIMIT);
        over(self.cpu) || over(self.busiest_worker) || is_late(self.lateness_p99_us)
    }
}

/// The generator over the whole load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GeneratorStats {
    /// Cores that the process may use.
    pub cores: usize,
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
    /// Seconds that were looked at.
    pub seconds: u64,
    /// Those of them in which it was at its limit.
    pub saturated_seconds: u64,
    /// The last second.
    pub now: GeneratorPoint,
    /// Seconds in which the process, or one of its threads, was above the limit of CPU.
    pub(crate) busy_seconds: (u64, u64),
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
    /// Waits ended late: the 99th percentile of one worker thread, microseconds.
    Late {
        /// That percentile.
        p99_us: u64,
    },
}

impl GeneratorStats {
    /// Whether figures of this run contain delays of the generator; `None` when nothing is known of it.
    pub fn saturated(&self) -> Option<bool> {
        let known = self.cpu.is_some() || self.busiest_worker.is_some() || self.lateness_p99_us().is_some();
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
        if let Some(p99_us) = self.lateness_p99_us().filter(|&p99| is_late(Some(p99))) {
            causes.push(Saturation::Late { p99_us });
        }
        causes
    }

    fn lateness_p99_us(&self) -> Option<u64> {
        p99(self.lateness)
    }
}

fn p99(lateness: Option<Summary>) -> Option<u64> {
    lateness
        .filter(|lateness| lateness.count >= LEAST_WAITS)
        .map(|lateness| lateness.percentile_us(Percentile::P99))
}

fn is_late(p99_us: Option<u64>) -> bool {
    p99_us.is_some_and(|us| Duration::from_micros(us) > LATENESS_LIMIT)
}

/// Adds up what the worker threads and the process say.
#[derive(Debug)]
pub(crate) struct Generator {
    cores: usize,
    workers: Vec<WorkerTotals>,
    /// CPU time of the process when the load began, and when the interval did.
    process: Option<(Duration, Duration)>,
    process_now: Option<Duration>,
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
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            workers: (0..workers).map(|_| WorkerTotals::default()).collect(),
            process: None,
            process_now: None,
            interval: Histogram::new(),
            stats: GeneratorStats { threads: workers, ..GeneratorStats::default() },
        }
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

    /// CPU time that the process has used since it was started; the first call is the start of the load.
    pub(crate) fn process_cpu(&mut self, total: Option<Duration>) {
        self.process_now = total;
        if let (None, Some(total)) = (self.process, total) {
            self.process = Some((total, total));
        }
    }

    /// Ends an interval of this length, `at` this time since the load began.
    pub(crate) fn close(&mut self, at: Duration, length: Duration) -> GeneratorPoint {
        let share = |cpu: Duration, time: Duration, cores: usize| {
            (!time.is_zero()).then(|| cpu.as_secs_f64() / time.as_secs_f64() / cores as f64)
        };
        let (mut cpu, mut total) = (None, None);
        if let (Some((start, before)), Some(now)) = (&mut self.process, self.process_now) {
            cpu = share(now.saturating_sub(*before), length, self.cores);
            total = share(now.saturating_sub(*start), at, self.cores);
            *before = now;
        }
        let busiest = self.workers.iter_mut().filter_map(|worker| worker.interval_cpu.take()).max();
        let interval = std::mem::take(&mut self.interval);
        let point = GeneratorPoint {
            cpu,
            busiest_worker: busiest.and_then(|busiest| share(busiest, length, 1)),
            // A second has fewer waits than a run; the last of a few is worth a look, not a verdict.
            lateness_p99_us: interval.summary().map(|summary| summary.percentile_us(Percentile::P99)),
        };
        let stats = &mut self.stats;
        stats.cores = self.cores;
        stats.cpu = total;
        stats.busiest_worker =
            self.workers.iter().filter_map(|w| w.cpu).max().and_then(|busiest| share(busiest, at, 1));
        let latest = self.workers.iter().filter_map(|worker| worker.lateness.summary());
        stats.lateness = latest.max_by_key(|summary| (p99(Some(*summary)), summary.max_us));
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
        generator.cores = 2;
        generator
    }

    /// So many seconds in which the process and its two workers use so many milliseconds of CPU.
    fn run(generator: &mut Generator, seconds: std::ops::Range<u32>, process_ms: u64, worker_ms: [u64; 2]) {
        for second in seconds {
            generator.process_cpu(generator.process_now.or(Some(SECOND)));
            for (worker, &cpu) in worker_ms.iter().enumerate() {
                generator.add(worker, &health(cpu, 0, 10));
            }
            generator.process_cpu(generator.process_now.map(|cpu| cpu + Duration::from_millis(process_ms)));
            generator.close(SECOND * (second + 1), SECOND);
        }
    }

    #[test]
    fn without_data_there_is_no_verdict() {
        let mut generator = Generator::new(1);
        let nothing = WorkerHealth { cpu: None, lateness: Sparse::default() };
        generator.add(0, &nothing);
        generator.process_cpu(None);
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
            generator.add(worker, &health(1, late, 99));
        }
        assert_eq!(generator.close(SECOND, SECOND).lateness_p99_us.map(|us| us / 1_000), Some(25));
        assert_eq!(generator.stats().causes(), [], "99 waits have no 99th percentile");
        for (worker, late) in [(0, 1), (1, 25)] {
            generator.add(worker, &health(1, late, 10));
        }
        generator.close(2 * SECOND, SECOND);
        let causes = generator.stats().causes();
        assert!(matches!(causes[..], [Saturation::Late { p99_us: 25_000..26_000 }]), "{causes:?}");
    }

    #[test]
    fn a_cut_off_interval_is_no_second() {
        let mut generator = generator();
        generator.process_cpu(Some(Duration::ZERO));
        generator.process_cpu(Some(Duration::from_millis(20)));
        generator.close(Duration::from_millis(10), Duration::from_millis(10));
        assert_eq!((generator.stats().seconds, generator.stats().cpu_max), (0, None));
    }
}
