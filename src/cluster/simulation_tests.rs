//! What the messages of 1,000 agents cost a coordinator: `performance/benchmarks/cluster`.

use std::time::{Duration, Instant, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::wire::{IntervalDecoder, IntervalEncoder, IntervalMessage};
use crate::metrics::{
    Aggregator, Delta, Histogram, IterationEnd, Phase, Protocol, Recorder, RequestSample, Tick, Timings,
    WorkerHealth,
};
use crate::system::thread_cpu;
use crate::vu::Interval;

const AGENTS: usize = 1_000;
const THREADS: usize = 2;
const SERIES: usize = 200;
const SECONDS: usize = 30;

/// Requests of a thread in a second, per series.
const REQUESTS: u64 = 5;

/// Agents that differ; the others repeat them. Each has an encoder and a decoder of its own.
const DIFFERENT: usize = 40;

/// What one thread counts in each second.
fn seconds_of(thread: usize) -> Vec<Delta> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(thread as u64);
    let mut recorder = Recorder::new(1_000);
    let scenario = "default".into();
    let series: Vec<_> = (0..SERIES)
        .map(|number| {
            recorder.series(Protocol::Http, "default", "GET", &format!("/api/v1/resource/{number}"))
        })
        .collect();
    let mut second = || {
        for &series in &series {
            for _ in 0..REQUESTS {
                // 5 to 200 ms, most of them short.
                let time = Duration::from_secs_f64(0.005 / (1.0 - random.random_range(0.0..0.975_f64)));
                recorder.request(&RequestSample {
                    protocol: Protocol::Http,
                    series,
                    tags: Vec::new(),
                    status: 200,
                    service: time,
                    response: time + Duration::from_micros(random.random_range(0..300)),
                    timings: Timings::waited(time),
                    bytes_sent: 120,
                    bytes_received: random.random_range(200..9_000),
                    failure: None,
                });
                recorder.iteration_started(&scenario);
                recorder.iteration(&scenario, IterationEnd::Completed, time, Duration::from_micros(90));
                recorder.check("status is 200", true, &());
            }
        }
        recorder.take()
    };
    (0..SECONDS).map(|_| second()).collect()
}

fn interval(delta: &Delta) -> Interval {
    let mut lateness = Histogram::new();
    (0..50).for_each(|n| lateness.record(n * n));
    Interval {
        delta: delta.clone(),
        users: 50,
        users_peak: 50,
        in_flight: 20,
        interrupted_requests: 0,
        claimed: 0,
        lanes: Vec::new(),
        health: WorkerHealth { cpu: Some(Duration::from_millis(300)), lateness: lateness.take_sparse() },
    }
}

/// The messages of an agent, second by second.
fn encoded(agent: usize) -> Vec<Vec<u8>> {
    let threads: Vec<Vec<Delta>> = (0..THREADS).map(|thread| seconds_of(agent * THREADS + thread)).collect();
    let mut encoder = IntervalEncoder::default();
    let message = |second: usize| {
        let threads = threads.iter().map(|deltas| interval(&deltas[second])).enumerate().collect();
        IntervalMessage { sequence: second as u64, second: second as u64, dropped: 0, threads }
    };
    (0..SECONDS).map(|second| encoder.encode(&message(second))).collect()
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[test]
#[ignore = "a benchmark: performance/benchmarks/cluster runs it in release mode"]
#[allow(clippy::print_stdout, reason = "what the script reads")]
fn cost_of_a_thousand_agents() {
    let agents: Vec<Vec<Vec<u8>>> = (0..DIFFERENT).map(encoded).collect();
    let bytes: usize = agents.iter().flatten().map(Vec::len).sum();
    let message_of = |agent: usize, second: usize| &agents[agent % DIFFERENT][second];
    let before = resident();
    let mut decoders: Vec<IntervalDecoder> = (0..AGENTS).map(|_| IntervalDecoder::default()).collect();
    let mut aggregator = Aggregator::new(AGENTS * THREADS, SystemTime::now());
    let log = aggregator.preview(Tick::idle(Phase::Starting)).intervals.taker();
    let (mut most, mut decoding, mut delays) = (0, Duration::ZERO, Vec::new());
    let cpu = thread_cpu().unwrap();
    for second in 0..SECONDS {
        // All messages of the second are there at once.
        let begun = Instant::now();
        for (agent, decoder) in decoders.iter_mut().enumerate() {
            let before = Instant::now();
            let message = decoder.decode(message_of(agent, second)).unwrap();
            decoding += before.elapsed();
            for (thread, Interval { delta, health, .. }) in message.threads {
                let worker = agent * THREADS + thread;
                aggregator.health(worker, &health);
                aggregator.add(worker, delta).unwrap();
            }
        }
        most = most.max(resident());
        let at = Duration::from_secs(second as u64 + 1);
        let snapshot = aggregator.close_interval(Tick { at, ..Tick::idle(Phase::Steady) });
        delays.push(begun.elapsed());
        assert_eq!(
            snapshot.total.requests,
            (second as u64 + 1) * (AGENTS * THREADS * SERIES) as u64 * REQUESTS
        );
        assert_eq!(snapshot.endpoints.len(), SERIES);
        most = most.max(resident());
        drop(log.take());
    }
    let cpu = thread_cpu().unwrap() - cpu;
    delays.sort_unstable();
    println!("message_bytes {}", bytes / DIFFERENT / SECONDS);
    println!("cpu_percent {:.1}", cpu.as_secs_f64() / SECONDS as f64 * 100.0);
    println!("decoding_percent {:.1}", decoding.as_secs_f64() / SECONDS as f64 * 100.0);
    println!("memory_mb {:.0}", most.saturating_sub(before) as f64 / 1e6);
    println!(
        "delay_ms {:.0} {:.0}",
        delays[SECONDS / 2].as_secs_f64() * 1e3,
        delays[SECONDS - 1].as_secs_f64() * 1e3
    );
}
