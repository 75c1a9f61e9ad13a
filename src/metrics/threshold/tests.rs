use crate::metrics::ErrorKind;
use crate::metrics::Percentile;
use std::time::{Duration, SystemTime};

use super::super::recorder::Recorder;
use super::super::sample::{Failure, IterationEnd, Protocol, RequestSample, Timings};
use super::super::snapshot::{Phase, Snapshot};
use super::super::{Aggregator, MetricKind, ProcessUse, ResourceBatch, Tick};
use super::*;
use crate::metrics::{Known, ThresholdText, resolve};

/// A run with two worker threads and these thresholds.
struct Run {
    recorders: Vec<Recorder>,
    aggregator: Aggregator,
    second: u64,
    phase: Phase,
    stage: Option<&'static str>,
}

fn own() -> Vec<CustomMetric> {
    let metric = |name: &str, kind, is_time| CustomMetric { name: name.to_owned(), kind, is_time };
    vec![
        metric("price", MetricKind::Trend, false),
        metric("orders", MetricKind::Counter, false),
        metric("hit", MetricKind::Rate, false),
        metric("queue", MetricKind::Gauge, false),
    ]
}

impl Run {
    fn with(thresholds: &[&str]) -> Run {
        Run::of(thresholds.iter().map(|text| ThresholdText::new(*text, "here")).collect())
    }

    fn of(texts: Vec<ThresholdText>) -> Run {
        let known =
            Known { own: own(), scenarios: vec!["a".into(), "b".into()], stages: Some(vec!["peak".into()]) };
        let (thresholds, _) = resolve(&texts, &known).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let (made, watches) = Thresholds::new(&thresholds, &known.own);
        let recorders = (0..2).map(|_| {
            let mut recorder = Recorder::new(100);
            recorder.watch(&watches);
            recorder
        });
        Run {
            recorders: recorders.collect(),
            aggregator: Aggregator::new(2, SystemTime::UNIX_EPOCH).with_thresholds(made),
            second: 0,
            phase: Phase::Steady,
            stage: None,
        }
    }

    /// A request on each thread: scenario and name, status, milliseconds.
    fn request(&mut self, (scenario, name): (&str, &str), status: u16, ms: u64) -> Vec<RequestSample> {
        self.recorders
            .iter_mut()
            .map(|recorder| {
                let sample = RequestSample {
                    protocol: Protocol::Http,
                    series: recorder.series(Protocol::Http, scenario, "GET", name),
                    tags: vec![recorder.tag("team", if ms > 50 { "slow" } else { "fast" })],
                    status,
                    service: Duration::from_millis(ms),
                    response: Duration::from_millis(ms + 5),
                    timings: Timings::waited(Duration::from_millis(ms)),
                    bytes_sent: 100,
                    bytes_received: 1000,
                    failure: (status >= 400)
                        .then(|| Box::new(Failure { kind: ErrorKind::Status, message: String::new() })),
                };
                recorder.request(&sample);
                sample
            })
            .collect()
    }

    /// What the target's processor did.
    fn cpu(&mut self, percents: &[f64]) {
        let sample = |&cpu: &f64| ResourceSample {
            target: Some(ProcessUse { cpu: Some(cpu), memory: 5, ..ProcessUse::default() }),
            ..ResourceSample::default()
        };
        let samples = percents.iter().map(sample).collect();
        self.aggregator.add_resources(ResourceBatch { samples, ..ResourceBatch::default() });
    }

    fn second(&mut self) -> Snapshot {
        self.second += 1;
        for (worker, recorder) in self.recorders.iter_mut().enumerate() {
            assert!(self.aggregator.add(worker, recorder.take()).is_ok());
        }
        let tick = Tick {
            paused: Duration::ZERO,
            at: Duration::from_secs(self.second),
            phase: self.phase,
            stage: self.stage.map(Into::into),
            planned: Vec::new(),
            due: None,
            lever: None,
            users: 10 * self.second,
            users_peak: 10 * self.second,
            users_target: 100,
            in_flight: 0,
            interrupted_requests: 0,
        };
        self.aggregator.close_interval(tick)
    }

    fn last(&mut self) -> Snapshot {
        self.aggregator.end();
        self.second()
    }
}

/// What was measured, and whether it holds.
fn found(snapshot: &Snapshot) -> Vec<(Option<f64>, ThresholdState)> {
    snapshot.thresholds.iter().map(|stats| (stats.measured, stats.state)).collect()
}

#[track_caller]
fn measured(snapshot: &Snapshot, expected: &[Option<f64>]) {
    for (stats, expected) in snapshot.thresholds.iter().zip(expected) {
        let close = match (stats.measured, expected) {
            (Some(a), Some(b)) => (a - b).abs() <= b.abs() * 1e-9,
            (a, b) => a == *b,
        };
        assert!(close, "{}: {:?}, not {expected:?}", stats.threshold.selector(), stats.measured);
    }
    assert_eq!(snapshot.thresholds.len(), expected.len());
}

#[test]
fn names_beyond_those_that_a_thread_tells_apart_are_judged() {
    let mut run =
        Run::with(&["http_req_failed{name:/critical}: rate < 1%", "http_reqs{name:/n/140}: count == 2"]);
    for i in 0..150 {
        run.request(("a", &format!("/n/{i}")), 200, 10);
    }
    run.request(("a", "/critical"), 500, 10);
    let last = run.last();
    assert!(last.series_folded);
    let judged = |index: usize| (last.thresholds[index].measured, last.thresholds[index].state);
    assert_eq!(judged(0), (Some(1.0), ThresholdState::Broken));
    assert_eq!(judged(1), (Some(2.0), ThresholdState::Holds));
}

#[test]
fn every_metric_of_requests_with_any_tags() {
    let mut run = Run::with(&[
        "http_reqs: count > 1",
        "http_reqs: rate > 1",
        "http_req_failed: rate < 1",
        "http_req_failed: count < 100",
        "http_req_duration: max < 1s",
        "http_resp_time: max < 1s",
        "http_req_waiting: max < 1s",
        "http_req_connecting: max < 1s",
        "data_sent: count > 1",
        "data_received: rate > 1",
        "http_req_duration{name:/x}: avg < 1s",
        "http_req_duration{name:/x,scenario:b}: max < 1s",
        "http_req_duration{name:/x,scenario:b,method:POST}: max < 1s",
        "http_reqs{team:slow,scenario:a}: count > 1",
        "http_req_duration{status:503}: min < 1s",
        "http_req_duration{expected_response:false}: max < 1s",
        "http_req_waiting{name:/y}: max < 1s",
        "http_reqs{name:/x,status:500}: count < 1",
        "http_reqs{name:/nosuch,status:500}: count < 1",
        "http_req_failed{name:/y}: rate < 1",
    ]);
    run.request(("a", "/x"), 200, 10);
    run.request(("b", "/x"), 200, 30);
    run.second();
    run.request(("a", "/y"), 503, 90);
    let snapshot = run.last();
    measured(
        &snapshot,
        &[
            Some(6.0),
            Some(3.0),
            Some(1.0 / 3.0),
            Some(2.0),
            Some(30.0),
            Some(95.0),
            Some(90.0),
            None,
            Some(600.0),
            Some(3000.0),
            Some(20.0),
            Some(30.0),
            None,
            Some(2.0),
            Some(90.0),
            Some(90.0),
            Some(90.0),
            Some(0.0),
            None,
            Some(1.0),
        ],
    );
    assert_eq!(snapshot.total.requests, 6, "what is watched is counted once");
}

#[test]
fn everything_but_requests() {
    let mut run = Run::with(&[
        "iterations: count > 1",
        "iterations{scenario:b}: count > 1",
        "iteration_duration{scenario:b}: max < 1h",
        "iteration_lag: max < 1s",
        "checks: rate > 0.5",
        "checks{check:one}: rate > 0.5",
        "checks{check:one,scenario:a}: rate > 0.5",
        "transactions: count > 1",
        "transaction_duration{name:pay}: max < 1h",
        "transaction_failed: rate < 1",
        "price: p(50) < 100",
        "price{kind:x,scenario:b}: sum < 100",
        "orders: rate > 0",
        "orders{kind:never}: count < 5",
        "hit: rate > 0.1",
        "queue: value < 5",
        "vus: avg < 100",
        "vus_max: value < 100",
        "script_errors: count < 1",
        "target_cpu: avg < 85%",
        "target_cpu: value < 85% over 1s",
        "target_memory: max < 1GB",
        "system_cpu: avg < 85%",
    ]);
    struct In(&'static str);
    impl super::super::watch::Tagged for In {
        fn tag(&self, key: &str) -> Option<std::borrow::Cow<'_, str>> {
            (key == "scenario").then_some(self.0.into())
        }
    }
    for (worker, recorder) in run.recorders.iter_mut().enumerate() {
        let scenario = ["a", "b"][worker];
        let (long, short) = (Duration::from_millis(80 * (worker as u64 + 1)), Duration::from_millis(3));
        recorder.iteration(&scenario.into(), IterationEnd::Completed, long, short);
        recorder.check("one", worker == 0, &In(scenario));
        recorder.check("two", true, &In(scenario));
        recorder.transaction("pay", long, worker == 1, &In(scenario));
        let tags = [("kind".to_owned(), "x".to_owned())];
        for (name, kind, value) in [
            ("price", MetricKind::Trend, 7.0),
            ("orders", MetricKind::Counter, 3.0),
            ("hit", MetricKind::Rate, worker as f64),
            ("queue", MetricKind::Gauge, 4.0),
        ] {
            let id = recorder.custom(name, kind, false).unwrap();
            recorder.custom_value(id, value, &tags, &In(scenario)).unwrap();
        }
    }
    run.cpu(&[25.0, 75.0]);
    run.second();
    run.cpu(&[100.0]);
    measured(
        &run.last(),
        &[
            Some(2.0),
            Some(1.0),
            Some(160.0),
            Some(3.0),
            Some(0.75),
            Some(0.5),
            Some(1.0),
            Some(2.0),
            Some(80.0),
            Some(0.5),
            Some(7.0),
            Some(7.0),
            Some(3.0),
            None,
            Some(0.5),
            Some(4.0),
            Some(15.0),
            Some(20.0),
            Some(0.0),
            Some(200.0 / 3.0),
            Some(100.0),
            Some(5.0),
            None,
        ],
    );
}

#[test]
fn whole_run_figures_are_those_of_the_snapshot() {
    let mut run =
        Run::with(&["http_req_duration: p(95) < 1", "http_req_duration: avg < 1", "http_reqs: rate > 1"]);
    for ms in 1..300 {
        run.request(("a", "/x"), 200, ms);
        if ms % 100 == 0 {
            run.second();
        }
    }
    let snapshot = run.last();
    let ok = snapshot.total.ok.unwrap();
    measured(
        &snapshot,
        &[
            Some(ok.percentile_us(Percentile::P95) as f64 / 1e3),
            Some(ok.mean_us / 1e3),
            Some(snapshot.total.rate),
        ],
    );
}

#[test]
fn no_data_is_not_judged_while_the_run_goes_on_and_fails_at_its_end() {
    let mut run = Run::with(&["http_req_failed: rate < 1%", "http_req_duration: p(95) < 200ms"]);
    let snapshot = run.second();
    assert_eq!(found(&snapshot), [(None, ThresholdState::NoData); 2]);
    assert_eq!(snapshot.broken_thresholds().count(), 0);
    let mut snapshot = run.last();
    snapshot.phase = Phase::Done;
    assert_eq!(snapshot.broken_thresholds().count(), 2);
    let events = run.aggregator.take_threshold_events();
    assert_eq!(events.len(), 2, "it is told");
}

#[test]
fn only_the_last_judgement_of_the_whole_run_counts_and_the_first_breach_is_kept() {
    let mut run = Run::with(&["http_req_failed: rate < 30%"]);
    run.request(("a", "/x"), 500, 10);
    assert_eq!(found(&run.second())[0].1, ThresholdState::Broken);
    (0..9).for_each(|_| drop(run.request(("a", "/x"), 200, 10)));
    let snapshot = run.last();
    assert_eq!(found(&snapshot), [(Some(0.1), ThresholdState::Holds)]);
    assert_eq!(snapshot.thresholds[0].first_broken, Some(Duration::from_secs(1)));
}

#[test]
fn a_number_to_be_reached_is_pending_until_the_end() {
    let mut run = Run::with(&["http_reqs: count >= 4", "http_reqs: count >= 400"]);
    run.request(("a", "/x"), 200, 10);
    assert_eq!(found(&run.second()), [(Some(2.0), ThresholdState::Pending); 2]);
    run.request(("a", "/x"), 200, 10);
    let states: Vec<ThresholdState> = found(&run.last()).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [ThresholdState::Holds, ThresholdState::Broken]);
}

#[test]
fn a_window_forgets_but_its_breach_stays() {
    let mut run = Run::with(&["http_req_duration: max < 100ms over 3s", "http_reqs: count > 1 over 2s"]);
    run.request(("a", "/x"), 200, 10);
    assert_eq!(found(&run.second()), [(None, ThresholdState::NoData); 2], "not full yet");
    run.request(("a", "/x"), 200, 500);
    let snapshot = run.second();
    assert_eq!(found(&snapshot)[1], (Some(4.0), ThresholdState::Holds));
    run.request(("a", "/x"), 200, 10);
    assert_eq!(found(&run.second())[0], (Some(500.0), ThresholdState::Broken));
    run.request(("a", "/x"), 200, 10);
    run.second();
    run.request(("a", "/x"), 200, 20);
    assert_eq!(found(&run.second())[0], (Some(20.0), ThresholdState::Holds));
    run.second();
    let snapshot = run.second();
    assert_eq!(
        found(&snapshot)[1],
        (Some(0.0), ThresholdState::Broken),
        "nothing in two seconds is a figure"
    );
    let snapshot = run.last();
    assert_eq!(found(&snapshot)[0], (Some(500.0), ThresholdState::Broken), "the worst window");
    assert_eq!(snapshot.thresholds[0].first_broken, Some(Duration::from_secs(3)));
}

#[test]
fn a_run_shorter_than_its_window_is_judged_by_what_there_is() {
    let mut run = Run::with(&["http_req_duration: max < 100ms over 1m"]);
    run.request(("a", "/x"), 200, 500);
    run.second();
    assert_eq!(found(&run.last()), [(Some(500.0), ThresholdState::Broken)]);
}

#[test]
fn a_phase_counts_its_own_seconds() {
    let mut run = Run::with(&[
        "http_req_duration: max < 100ms in steady",
        "http_reqs: rate > 1 in steady",
        "http_reqs: count > 1 in peak",
        "http_req_duration: max < 100ms over 2s in steady",
        "http_req_duration: max < 100ms in peak",
    ]);
    run.phase = Phase::RampUp;
    run.request(("a", "/x"), 200, 900);
    run.second();
    run.phase = Phase::Steady;
    run.request(("a", "/x"), 200, 10);
    run.second();
    run.stage = Some("peak");
    run.request(("a", "/x"), 200, 7);
    run.second();
    run.stage = None;
    run.phase = Phase::RampDown;
    run.request(("a", "/x"), 200, 900);
    measured(&run.last(), &[Some(10.0), Some(2.0), Some(2.0), Some(10.0), Some(7.0)]);
}

#[test]
fn a_verdict_that_is_taken_back_is_taken_back_here_too() {
    let mut run = Run::with(&[
        "http_req_failed{name:/x}: rate < 1%",
        "http_req_failed: rate < 1% over 2s",
        "http_req_duration{name:/x}: max < 1s",
        "http_reqs{expected_response:true}: count > 0",
    ]);
    let samples = run.request(("a", "/x"), 200, 10);
    run.second();
    for (recorder, sample) in run.recorders.iter_mut().zip(&samples) {
        recorder.reverse(sample, &());
        let failure = Some(Box::new(Failure { kind: ErrorKind::Expect, message: String::new() }));
        recorder.request(&RequestSample { failure, ..sample.clone() });
    }
    measured(&run.last(), &[Some(1.0), Some(1.0), None, Some(0.0)]);
}

#[test]
fn breaches_and_recoveries_are_told_when_they_last() {
    let mut run = Run::with(&["http_req_failed: rate < 50% over 1s"]);
    let statuses = [500, 200, 500, 500, 500, 200, 200, 200, 200, 500, 200, 200, 200, 200, 200, 200, 500];
    let mut told = Vec::new();
    for (second, status) in statuses.into_iter().enumerate() {
        run.request(("a", "/x"), status, 10);
        let is_last = second + 1 == statuses.len();
        let snapshot = if is_last { run.last() } else { run.second() };
        told.extend(run.aggregator.take_threshold_events().iter().map(|event| (second + 1, event.is_breach)));
        let stats = &snapshot.thresholds[0];
        assert_eq!(stats.in_breach, told.last().is_some_and(|(_, is_breach)| *is_breach), "{told:?}");
    }
    assert_eq!(told, [(4, true), (15, false)], "that it was broken is no news at the end");
}

#[test]
fn abort_waits_for_its_time_and_comes_once() {
    let mut run = Run::with(&["http_req_failed: rate < 50% abort after 3s", "checks: rate > 0.5 abort"]);
    for second in 1..=4 {
        run.request(("a", "/x"), 500, 10);
        let snapshot = run.second();
        let aborting = run.aggregator.take_aborting_threshold();
        let metric = aborting.map(|stats| stats.threshold.metric.clone());
        let expected = (second == 3).then(|| "http_req_failed".to_owned());
        assert_eq!(metric, expected, "second {second}: no data does not abort");
        assert_eq!(snapshot.thresholds[0].aborted, second >= 3);
    }
}

#[test]
fn submetrics_hold_what_is_selected_over_the_whole_run() {
    let mut run = Run::with(&[
        "http_req_duration{name:/x}: p(95) < 1s over 2s",
        "http_req_duration{name:/x}: p(99) < 1s",
        "http_req_duration: p(99) < 1s",
        "checks{check:never}: rate > 0",
        "vus: max < 1000",
    ]);
    (0..3).for_each(|_| drop(run.request(("a", "/x"), 200, 10)));
    run.second();
    let snapshot = run.last();
    let selectors: Vec<&str> = snapshot.submetrics.iter().map(|sub| sub.selector.as_str()).collect();
    assert_eq!(selectors, ["http_req_duration{name:/x}", "checks{check:never}", "vus"]);
    let SubmetricFigures::Times(times) = snapshot.submetrics[0].figures else { panic!("{snapshot:?}") };
    assert_eq!(times.count, 6);
    let rate = CustomFigures::Rate { passes: 0, fails: 0 };
    assert_eq!(snapshot.submetrics[1].figures, SubmetricFigures::Values(rate));
}

#[test]
fn limits_of_a_profile_on_the_target_count_when_it_is_measured() {
    let mut run = Run::of(crate::plan::Profile::Load.limits());
    run.request(("a", "/x"), 200, 10);
    let snapshot = run.last();
    assert_eq!(snapshot.thresholds.len(), 4, "{:#?}", snapshot.thresholds);
    let told = run.aggregator.take_threshold_events();
    assert_eq!(told.len(), 1, "only the rate");

    let mut run = Run::of(crate::plan::Profile::Load.limits());
    run.cpu(&[99.0]);
    let snapshot = run.last();
    assert_eq!(snapshot.thresholds.len(), 6);
    assert_eq!(snapshot.thresholds[4].state, ThresholdState::Broken);
}

#[test]
fn names_of_other_tools_are_answered_with_a_threshold_that_is_accepted() {
    let known = Known { own: own(), scenarios: vec!["a".into()], stages: None };
    for wrong in
        ["errors < 1%", "cpu < 85%", "Memory: max < 1GB", "p95 < 200ms", "rps > 50", "fail-ratio < 0.01"]
    {
        let Err(problems) = resolve(&[ThresholdText::new(wrong, "--threshold")], &known) else {
            panic!("{wrong} is accepted");
        };
        let [problem] = problems.as_slice() else { panic!("{problems:#?}") };
        let (_, rest) = problem.split_once(" — write ").unwrap_or_else(|| panic!("{problem}"));
        let proposed = rest.lines().next().unwrap();
        let accepted = resolve(&[ThresholdText::new(proposed, "--threshold")], &known);
        assert!(accepted.is_ok(), "{proposed}: {accepted:?}");
    }
}
