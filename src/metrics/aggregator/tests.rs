use super::*;
use crate::metrics::CheckCount;
use crate::metrics::ErrorKind;
use crate::metrics::IntervalHistograms;
use crate::metrics::recorder::Recorder;
use crate::metrics::sample::RequestSample;
use crate::metrics::sample::{Failure, IterationEnd, Protocol, Timings};
use crate::metrics::series::SeriesId;

fn sample(series: SeriesId, ms: u64, failure: Option<&'static str>) -> RequestSample {
    RequestSample {
        protocol: Protocol::Http,
        series,
        tags: Vec::new(),
        status: if failure.is_some() { 500 } else { 200 },
        service: Duration::from_millis(ms),
        response: Duration::from_millis(ms + 1),
        timings: Timings::waited(Duration::from_millis(ms)),
        bytes_sent: 10,
        bytes_received: 100,
        failure: failure
            .map(|kind| Box::new(Failure { kind: ErrorKind::from(Arc::from(kind)), message: "why".into() })),
    }
}

pub(super) fn tick(seconds: u64) -> Tick {
    Tick {
        paused: Duration::ZERO,
        at: Duration::from_secs(seconds),
        phase: Phase::Steady,
        stage: None,
        planned: Vec::new(),
        due: None,
        lever: None,
        users: 1,
        users_peak: 1,
        users_target: 1,
        in_flight: 0,
        interrupted_requests: 0,
    }
}

#[test]
fn a_pause_is_no_part_of_a_rate() {
    let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
    let mut recorder = Recorder::new(100);
    let series = recorder.series(Protocol::Http, "default", "GET", "/a");
    for (second, paused) in [(1, 0), (2, 0), (3, 1), (4, 2), (5, 2)] {
        if second <= 2 || second == 5 {
            (0..10).for_each(|_| recorder.request(&sample(series, 10, None)));
        }
        assert!(aggregator.add(0, recorder.take()).is_ok());
        let paused = Duration::from_secs(paused);
        let snapshot = aggregator.close_interval(Tick { paused, ..tick(second) });
        assert_eq!((snapshot.total.rate, snapshot.endpoints[0].rate), (10.0, 10.0), "second {second}");
    }
}

#[test]
fn a_second_is_of_the_phase_that_took_most_of_it() {
    let mut aggregator = Aggregator::new(0, SystemTime::UNIX_EPOCH);
    let ms = Duration::from_millis;
    for (at, phase) in [(0, Phase::RampUp), (1_400, Phase::Steady), (3_000, Phase::RampDown)] {
        aggregator.enter(ms(at), phase, None);
        if at == 1_400 {
            for second in [1, 2] {
                aggregator.close_interval(tick(second));
            }
        }
    }
    let last = aggregator.close_interval(Tick { phase: Phase::RampDown, ..tick(3) });
    let phases: Vec<Phase> = last.history.since(0).iter().map(|point| point.phase).collect();
    assert_eq!(phases, [Phase::RampUp, Phase::Steady, Phase::Steady]);
    assert_eq!(last.phase, Phase::RampDown, "what it does now is another matter");
}

#[test]
fn two_workers_become_one_run() {
    let mut aggregator = Aggregator::new(2, SystemTime::UNIX_EPOCH);
    for worker in 0..2 {
        let mut recorder = Recorder::new(100);
        // The second worker meets the series in another order.
        let names = if worker == 0 { ["/a", "/b"] } else { ["/b", "/a"] };
        for name in names {
            let series = recorder.series(Protocol::Http, "default", "GET", name);
            recorder.request(&sample(series, 10, None));
        }
        let b = recorder.series(Protocol::Http, "default", "GET", "/b");
        recorder.request(&sample(b, 20, Some("status")));
        recorder.iteration(&"default".into(), IterationEnd::Completed, Duration::ZERO, Duration::ZERO);
        recorder.check("ok", worker == 0, &());
        assert!(aggregator.add(worker, recorder.take()).is_ok());
    }
    let snapshot = aggregator.close_interval(tick(2));
    assert_eq!(snapshot.total.requests, 6);
    assert_eq!(snapshot.total.failures, 2);
    assert_eq!(snapshot.total.rate, 3.0);
    let rows: Vec<_> = snapshot.endpoints.iter().map(|e| (&*e.name, e.requests, e.failures)).collect();
    assert_eq!(rows, [("/a", 2, 0), ("/b", 4, 2)]);
    assert_eq!(snapshot.endpoints[1].ok.unwrap().max_us, 10_000, "failures stay out of the success latency");
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
    let series = recorder.series(Protocol::Http, "default", "GET", "/a");
    let first = sample(series, 10, None);
    recorder.request(&first);
    assert!(aggregator.add(0, recorder.take()).is_ok());
    aggregator.close_interval(tick(1));
    recorder.reverse(&first, &());
    recorder.request(&sample(series, 10, Some("expect")));
    assert!(aggregator.add(0, recorder.take()).is_ok());
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
fn only_the_newest_seconds_know_their_endpoints() {
    let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
    let mut recorder = Recorder::new(100);
    let series = recorder.series(Protocol::Http, "default", "GET", "/a");
    let mut earlier = None;
    for second in 1..=350 {
        recorder.request(&sample(series, 10, None));
        assert!(aggregator.add(0, recorder.take()).is_ok());
        let snapshot = aggregator.close_interval(tick(second));
        if second == 60 {
            earlier = Some(snapshot);
        }
    }
    let history = earlier.unwrap().history;
    assert_eq!(history.len(), 60, "an earlier snapshot has its seconds");
    let history = aggregator.close_interval(tick(351)).history.since(0);
    let known: Vec<bool> = history.iter().map(|point| !point.endpoints.is_empty()).collect();
    // The last second had no request.
    assert_eq!((known.len(), known.iter().filter(|&&known| known).count()), (351, 299));
    assert_eq!(known.iter().position(|&known| known), Some(51));
    assert!(history.iter().take(350).all(|point| point.total.requests == 1 && point.total.ok.is_some()));
}

#[test]
fn recent_figures_forget_after_ten_seconds() {
    let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
    let mut recorder = Recorder::new(100);
    let series = recorder.series(Protocol::Http, "default", "GET", "/a");
    recorder.request(&sample(series, 900, None));
    assert!(aggregator.add(0, recorder.take()).is_ok());
    let mut snapshot = aggregator.close_interval(tick(1));
    assert_eq!(snapshot.recent.ok.unwrap().max_us, 900_000);
    for second in 2..=12 {
        snapshot = aggregator.close_interval(tick(second));
    }
    assert_eq!(snapshot.recent.ok, None);
    assert_eq!(snapshot.total.ok.unwrap().max_us, 900_000);
}

/// Whatever is told late: also that a worker had fewer users than it was thought to have.
#[test]
fn the_peaks_are_those_of_the_seconds_of_the_history() {
    let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
    let mut recorder = Recorder::new(100);
    let series = recorder.series(Protocol::Http, "default", "GET", "/a");
    let mut second = |aggregator: &mut Aggregator, requests: u64, end_ms: u64, users: u64| {
        (0..requests).for_each(|_| recorder.request(&sample(series, 10, None)));
        assert!(aggregator.add(0, recorder.take()).is_ok());
        let tick = Tick { at: Duration::from_millis(end_ms), users, users_peak: users, ..tick(0) };
        let snapshot = aggregator.close_interval(tick);
        (snapshot.users_max, snapshot.peak_rate)
    };
    aggregator.told_until(0);
    assert_eq!(second(&mut aggregator, 10, 1_000, 6), (6, Some(10.0)));
    // The users of one that is silent are counted while others have them already.
    assert_eq!(second(&mut aggregator, 30, 2_500, 12), (12, Some(20.0)));
    let place = aggregator.kept_place(2).unwrap();
    assert!(aggregator.amend(place, Vec::new(), -6, 0).is_empty());
    // A few requests in a last moment are no peak.
    assert_eq!(second(&mut aggregator, 30, 2_600, 6), (6, Some(20.0)));
}

/// Deltas that are told after others of later seconds, as by an agent that could not be heard meanwhile.
#[test]
fn what_is_told_late_is_where_it_would_be_had_it_been_told_in_time() {
    type Seconds = std::collections::BTreeMap<Duration, IntervalHistograms>;
    let run = |is_late: bool| {
        let mut aggregator = Aggregator::new(2, SystemTime::UNIX_EPOCH);
        let mut recorders = [Recorder::new(100), Recorder::new(100)];
        let (mut held, mut snapshots) = (Vec::new(), Vec::new());
        for second in 1..=5 {
            for (worker, recorder) in recorders.iter_mut().enumerate() {
                let series = recorder.series(Protocol::Http, "default", "GET", ["/a", "/b"][worker]);
                for more in 0..second {
                    let ms = 10 * (worker as u64 + 1) + 3 * second + more;
                    recorder.request(&sample(series, ms, (more == 1).then_some("expect")));
                }
                let delta = recorder.take();
                if is_late && worker == 1 && (second == 2 || second == 3) {
                    held.push((second, delta));
                    continue;
                }
                let due = if worker == 1 { held.len() } else { 0 };
                for (second, delta) in held.drain(..due) {
                    let place = aggregator.kept_place(second).unwrap();
                    assert!(aggregator.amend(place, vec![(1, delta)], 0, 0).is_empty());
                }
                assert!(aggregator.add(worker, delta).is_ok());
            }
            aggregator.told_until(if held.is_empty() { second } else { 1 });
            snapshots.push(aggregator.close_interval(tick(second)));
        }
        let settled: Vec<usize> =
            snapshots.iter().map(|snapshot| snapshot.history.settled_since(0).len()).collect();
        assert_eq!(settled, if is_late { [1, 1, 1, 4, 5] } else { [1, 2, 3, 4, 5] });
        let last = snapshots.pop().unwrap();
        let mut seconds = Seconds::new();
        for interval in last.intervals.taker().take() {
            match seconds.get_mut(&interval.to) {
                Some(known) => known.merge(interval),
                None => drop(seconds.insert(interval.to, interval)),
            }
        }
        (last, seconds)
    };
    let ((late, late_seconds), (in_time, seconds)) = (run(true), run(false));
    for (late, in_time) in late.history.since(0).iter().zip(in_time.history.since(0)) {
        assert_eq!((&late.total, &late.endpoints), (&in_time.total, &in_time.endpoints), "{:?}", late.at);
        assert_eq!(late.so_far.requests, in_time.so_far.requests);
        assert_eq!(late.so_far.failures, in_time.so_far.failures);
    }
    assert_eq!(late_seconds, seconds);
    assert_eq!(
        (&late.total, &late.recent, late.peak_rate),
        (&in_time.total, &in_time.recent, in_time.peak_rate)
    );
}
