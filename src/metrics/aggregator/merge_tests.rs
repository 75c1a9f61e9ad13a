//! What workers counted, merged: any split into intervals, any order of arrival and any repetition give the same
//! figures, also over the wire; what is damaged or foreign is refused.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;

use super::*;
use crate::metrics::watch::WatchKind;
use crate::metrics::{
    CheckCount, CheckGroup, ErrorKind, Failure, IterationEnd, MetricKind, Recorder, RequestSample,
    ScriptError, Timings, Watch,
};

const WORKERS: usize = 3;

/// Something that a worker counts.
enum Step {
    Request {
        protocol: Protocol,
        name: &'static str,
        tag: &'static str,
        us: u64,
        status: u16,
    },
    /// The verdict on the request of this number changes.
    Reverse(usize),
    Iteration(IterationEnd, u64),
    Check(bool),
    Transaction(u64, bool),
    Custom(MetricKind, u8),
    ScriptError(u64),
}

fn steps(random: &mut impl Rng) -> Vec<Step> {
    let kinds = [MetricKind::Counter, MetricKind::Gauge, MetricKind::Rate, MetricKind::Trend];
    let ends = [IterationEnd::Completed, IterationEnd::Failed, IterationEnd::Interrupted];
    let step = |_| match random.random_range(0..12) {
        0 => Step::Reverse(random.random_range(0..50)),
        1 => Step::Iteration(ends[random.random_range(0..3)], random.random_range(0..5_000_000)),
        2 => Step::Check(random.random()),
        3 => Step::Transaction(random.random_range(0..9_000_000), random.random()),
        4 => Step::Custom(kinds[random.random_range(0..4)], random.random()),
        5 => Step::ScriptError(random.random_range(0..3)),
        _ => Step::Request {
            protocol: Protocol::ALL[random.random_range(0..Protocol::ALL.len())],
            name: ["/a", "/b", "/c"][random.random_range(0..3)],
            tag: ["red", "blue"][random.random_range(0..2)],
            us: random.random_range(0..20_000_000),
            status: [0, 200, 200, 404, 500][random.random_range(0..5)],
        },
    };
    (0..100).map(step).collect()
}

/// What a worker counted, in intervals, of everything that there is to count.
#[cfg(feature = "cluster")]
pub(crate) fn random_deltas(random: &mut impl Rng) -> Vec<Delta> {
    deltas(&steps(random), random)
}

/// What thresholds ask for, of each kind.
fn watches() -> [Watch; 4] {
    let watch = |kind, tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Watch { kind, tags }
    };
    [
        watch(WatchKind::Requests(None), &[("team", "red")]),
        watch(WatchKind::Checks, &[]),
        watch(WatchKind::Transactions, &[]),
        watch(WatchKind::Custom("own_trend".to_owned()), &[]),
    ]
}

/// The deltas of a worker that is asked for its interval now and then.
fn deltas(steps: &[Step], random: &mut impl Rng) -> Vec<Delta> {
    let (mut recorder, scenario): (_, Arc<str>) = (Recorder::new(100), "shop".into());
    recorder.watch(&watches());
    let (mut counted, mut deltas) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            &Step::Request { protocol, name, tag, us, status } => {
                let time = Duration::from_micros(us);
                let kind = if status == 0 { ErrorKind::Named("lost".into()) } else { ErrorKind::Status };
                let failure = Failure { kind, message: "why".to_owned() };
                let sample = RequestSample {
                    protocol,
                    series: recorder.series(protocol, &scenario, "GET", name),
                    tags: vec![recorder.tag("team", tag)],
                    status,
                    service: time,
                    response: time + Duration::from_millis(1),
                    timings: Timings::waited(time),
                    bytes_sent: us % 1_000,
                    bytes_received: us % 77_777,
                    failure: (status == 0 || status >= 400).then(|| Box::new(failure)),
                };
                recorder.request(&sample);
                counted.push(Some(sample));
            }
            Step::Reverse(index) => {
                if let Some(sample) = counted.get_mut(*index).and_then(Option::take) {
                    recorder.reverse(&sample, &());
                    recorder.request(&RequestSample { failure: None, status: 201, ..sample });
                }
            }
            Step::Iteration(end, us) => {
                recorder.iteration_started(&scenario);
                recorder.iteration(
                    &scenario,
                    *end,
                    Duration::from_micros(*us),
                    Duration::from_micros(us / 9),
                );
            }
            Step::Check(passed) => recorder.check("c", *passed, &()),
            Step::Transaction(us, failed) => {
                recorder.transaction("t", Duration::from_micros(*us), *failed, &());
            }
            Step::Custom(kind, value) => {
                let id = recorder.custom(&format!("own_{kind}"), *kind, false).unwrap();
                let tags = [("shop".to_owned(), "north".to_owned())];
                // Sums of small whole numbers are exact in any order.
                recorder.custom_value(id, f64::from(*value), &tags, &()).unwrap();
            }
            Step::ScriptError(number) => recorder.script_error(&ScriptError {
                message: format!("error {number}"),
                position: String::new(),
                trace: String::new(),
            }),
        }
        if random.random_range(0..20) == 0 {
            deltas.push(recorder.take());
        }
    }
    deltas.push(recorder.take());
    deltas
}

/// The figures of a run that got these deltas, without what depends on the moment of the test or on who came first.
fn figures(arrivals: impl IntoIterator<Item = (usize, Delta)>) -> Value {
    let mut aggregator = Aggregator::new(WORKERS, SystemTime::UNIX_EPOCH);
    for (worker, delta) in arrivals {
        aggregator.add(worker, delta).unwrap();
    }
    assert!(aggregator.arrivals.iter().all(Arrivals::is_complete));
    let mut snapshot = aggregator.close_interval(super::tests::tick(1));
    snapshot.tags.sort_by(|a, b| a.value.cmp(&b.value));
    for (_, group) in &mut snapshot.failures {
        (group.first_seen, group.last_seen) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    }
    for group in &mut snapshot.script_errors {
        (group.first_seen, group.last_seen) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH);
    }
    // Of two workers that set a gauge, the later one counts; which one that is depends on the test.
    for stats in &mut snapshot.custom {
        if let crate::metrics::CustomFigures::Gauge { value, .. } = &mut stats.figures {
            *value = 0.0;
        }
    }
    serde_json::to_value(&snapshot).unwrap()
}

fn over_the_wire(delta: &Delta) -> Delta {
    serde_json::from_slice(&serde_json::to_vec(delta).unwrap()).unwrap()
}

#[test]
fn split_order_and_repetition_change_no_figure() {
    for seed in 0..25 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let steps: Vec<Vec<Step>> = (0..WORKERS).map(|_| steps(&mut random)).collect();
        let mut all = || -> Vec<(usize, Delta)> {
            let of = |(worker, steps): (usize, &Vec<Step>)| {
                deltas(steps, &mut random).into_iter().map(move |delta| (worker, delta)).collect::<Vec<_>>()
            };
            steps.iter().enumerate().flat_map(of).collect()
        };
        let expected = figures(all());
        assert!(expected["total"]["requests"].as_u64().unwrap() > 50);
        let mut split = all();
        same(&figures(split.clone()), &expected, seed);
        split.extend(split.clone());
        split.shuffle(&mut random);
        let wired = split.iter().map(|(worker, delta)| (*worker, over_the_wire(delta)));
        same(&figures(wired), &expected, seed);
    }
}

#[test]
fn a_delta_counts_once_and_only_for_a_worker_of_the_run() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    let deltas = deltas(&steps(&mut random), &mut random);
    let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
    assert_eq!(aggregator.add(1, deltas[0].clone()), Err(MergeError::UnknownWorker(1)));
    assert_eq!(aggregator.add(0, deltas[1].clone()), Ok(Merged::Waiting));
    assert_eq!(aggregator.add(0, deltas[1].clone()), Ok(Merged::Repeated));
    assert_eq!(aggregator.add(0, deltas[0].clone()), Ok(Merged::Now));
    assert_eq!(aggregator.add(0, deltas[0].clone()), Ok(Merged::Repeated));
    let early = Delta { sequence: u64::MAX, ..deltas[0].clone() };
    assert_eq!(aggregator.add(0, early), Ok(Merged::Waiting));
    let counts = RequestCounts { failures: 1, ..RequestCounts::default() };
    let key = SeriesKey::default();
    let damaged = Delta { sequence: 2, series: vec![(key, counts)], ..Delta::default() };
    assert_eq!(aggregator.add(0, damaged), Err(MergeError::Damaged(2)));
}

/// Numbers of a delta in JSON are replaced at random: it is refused, or counted without a panic.
#[test]
fn damage_on_the_wire_panics_nowhere() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let delta = deltas(&steps(&mut random), &mut random).pop().unwrap();
    let text = serde_json::to_string(&Delta { sequence: 0, ..delta }).unwrap();
    let (mut refused, mut counted) = (0, 0);
    for _ in 0..800 {
        let mut mutated = text.clone();
        for _ in 0..random.random_range(1..4) {
            let digits: Vec<usize> =
                mutated.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()).map(|(i, _)| i).collect();
            let at = digits[random.random_range(0..digits.len())];
            let number = ["0", "9", "18446744073709551615", "-1"][random.random_range(0..4)];
            mutated.replace_range(at..=at, number);
        }
        let Ok(delta) = serde_json::from_str::<Delta>(&mutated) else {
            refused += 1;
            continue;
        };
        let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
        match aggregator.add(0, delta) {
            Ok(_) => counted += 1,
            Err(_) => refused += 1,
        }
        aggregator.close_interval(super::tests::tick(1));
    }
    assert!(refused > 100 && counted > 100, "{refused} refused, {counted} counted");
}

/// Taking back more than is there ends at 0.
#[test]
fn nothing_falls_below_zero() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
    let delta = deltas(&steps(&mut random), &mut random).pop().unwrap();
    let reversed =
        ReversedDelta { series: delta.series.clone(), tags: delta.tags.clone(), ..Default::default() };
    let mut aggregator = Aggregator::new(1, SystemTime::UNIX_EPOCH);
    let taken = Delta {
        reversed,
        checks: vec![CheckGroup {
            path: "".into(),
            checks: vec![("c".into(), CheckCount { passes: u64::MAX, fails: 1 })],
        }],
        ..Delta::default()
    };
    assert_eq!(aggregator.add(0, taken.clone()), Ok(Merged::Now));
    assert_eq!(aggregator.add(0, Delta { sequence: 1, ..taken }), Ok(Merged::Now));
    let snapshot = aggregator.close_interval(super::tests::tick(1));
    assert_eq!((snapshot.total.requests, snapshot.total.bytes_sent, snapshot.total.failures), (0, 0, 0));
    assert_eq!(snapshot.checks[0].1, CheckCount { passes: u64::MAX, fails: 2 });
}

fn same(figures: &Value, expected: &Value, seed: u64) {
    let mut found = Vec::new();
    differences(figures, expected, "", &mut found);
    assert!(found.is_empty(), "seed {seed}: {found:#?}");
}

/// The places where two values differ.
fn differences(a: &Value, b: &Value, at: &str, found: &mut Vec<String>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
            x.iter().for_each(|(key, value)| differences(value, &y[key], &format!("{at}/{key}"), found));
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            (x.iter().zip(y).enumerate())
                .for_each(|(i, (x, y))| differences(x, y, &format!("{at}/{i}"), found));
        }
        _ if a != b => found.push(format!("{at}: {a} {b}")),
        _ => {}
    }
}
