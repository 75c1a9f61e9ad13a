//! Messages are what they were, however many, and foreign bytes are refused.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::error::WireError;
use super::*;
use crate::metrics::{
    Aggregator, CustomKey, CustomValues, Delta, Histogram, MetricKind, Phase, Protocol, Recorder,
    RequestSample, Tick, Timings, WorkerHealth, random_deltas,
};
use crate::vu::LaneCount;

/// An interval with this delta, and something in every other field.
fn interval(delta: Delta, number: u64) -> Interval {
    let mut lateness = Histogram::new();
    (0..number % 5).for_each(|n| lateness.record(n * 700));
    Interval {
        delta,
        users: number,
        users_peak: number + 3,
        in_flight: number * 2,
        interrupted_requests: number / 2,
        health: WorkerHealth {
            cpu: (!number.is_multiple_of(3)).then(|| Duration::from_nanos(number * 123_456_789)),
            lateness: lateness.take_sparse(),
        },
        claimed: number * 7,
        lanes: (0..number as usize % 3).map(|lane| LaneCount { lane, taken: number, users: 2 }).collect(),
    }
}

/// The messages of an agent with two threads that counted everything there is to count.
fn messages(random: &mut Xoshiro256PlusPlus) -> Vec<IntervalMessage> {
    let (first, second) = (random_deltas(random), random_deltas(random));
    let seconds = first.into_iter().zip(second).enumerate();
    let message = |(sequence, (first, second)): (usize, (Delta, Delta))| {
        let sequence = sequence as u64;
        let threads = vec![(0, interval(first, sequence)), (3, interval(second, sequence + 1))];
        IntervalMessage { sequence, second: sequence + 7, dropped: sequence / 3, threads }
    };
    seconds.map(message).collect()
}

fn random(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

#[test]
fn what_is_decoded_is_what_was_encoded() {
    let mut parts = [0; 9];
    for seed in 0..40 {
        let (mut encoder, mut decoder) = (IntervalEncoder::default(), IntervalDecoder::default());
        let mut random = random(seed);
        for mut message in messages(&mut random) {
            fill(&mut message.threads[0].1.delta, &mut random);
            let delta = &message.threads[0].1.delta;
            let lengths = [
                delta.series.len(),
                delta.transactions.len(),
                delta.custom.len(),
                delta.tags.len(),
                delta.checks.len(),
                delta.failures.len(),
                delta.script_errors.len(),
                delta.reversed.series.len(),
                delta.watched.len(),
            ];
            parts.iter_mut().zip(lengths).for_each(|(sum, length)| *sum += length);
            if random.random_bool(0.2) {
                encoder.reset();
            }
            let decoded = decoder.decode(&encoder.encode(&message)).unwrap();
            assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
        }
    }
    assert!(parts.iter().all(|&length| length > 40), "something of everything: {parts:?}");
}

/// What the random deltas leave empty.
fn fill(delta: &mut Delta, random: &mut Xoshiro256PlusPlus) {
    for (_, count) in &mut delta.failures {
        count.samples.push(crate::metrics::FailureSample {
            seen: SystemTime::UNIX_EPOCH - Duration::new(5, 1),
            url: "http://host/ä?q=1".to_owned(),
            message: String::new(),
            body: random.random_bool(0.5).then(|| "<\0\u{1f600}>".to_owned()),
            body_bytes: random.random(),
        });
    }
    let name = Arc::from("pay");
    delta.not_ended = Some(crate::metrics::NotEnded { count: random.random(), name });
    (delta.folded, delta.groups_folded, delta.texts_cut) =
        (random.random(), random.random(), random.random());
    let key = CustomKey { name: "odd".into(), kind: MetricKind::Counter, is_time: true, tag: None };
    let value = [-0.0, f64::MIN_POSITIVE / 3.0, 0.1 + 0.2, f64::MAX][random.random_range(0..4)];
    delta.custom.push((key, CustomValues::Counter(value)));
}

#[test]
fn numbers_keep_every_bit() {
    for bits in [f64::NAN.to_bits() | 0x123, (-0.0_f64).to_bits(), 1, u64::MAX] {
        let key = CustomKey { name: "n".into(), kind: MetricKind::Counter, is_time: false, tag: None };
        let custom = vec![(key, CustomValues::Counter(f64::from_bits(bits)))];
        let threads = vec![(7, interval(Delta { custom, sequence: bits, ..Delta::default() }, bits >> 34))];
        let message = IntervalMessage { sequence: bits, second: bits, dropped: bits, threads };
        let bytes = IntervalEncoder::default().encode(&message);
        let mut decoded = IntervalDecoder::default().decode(&bytes).unwrap();
        assert_eq!((decoded.sequence, decoded.second, decoded.dropped), (bits, bits, bits));
        let delta = decoded.threads.remove(0).1.delta;
        assert_eq!(delta.sequence, bits);
        let CustomValues::Counter(value) = delta.custom[0].1 else { panic!("{delta:?}") };
        assert_eq!(value.to_bits(), bits);
    }
}

/// A worker's recorder with some requests of a second, each of which goes into `all` too.
fn record(recorder: &mut Recorder, all: &mut Histogram, random: &mut Xoshiro256PlusPlus) -> Delta {
    for _ in 0..random.random_range(0..60) {
        let us = 1_u64 << random.random_range(0..24);
        let time = Duration::from_micros(us + random.random_range(0..us));
        let name = format!("/{}", random.random_range(0..20));
        let sample = RequestSample {
            protocol: Protocol::Http,
            series: recorder.series(Protocol::Http, "default", "GET", &name),
            tags: Vec::new(),
            status: 200,
            service: time,
            response: time + Duration::from_micros(random.random_range(0..3)),
            timings: Timings::waited(time),
            bytes_sent: 1,
            bytes_received: us,
            failure: None,
        };
        recorder.request(&sample);
        all.record(time.as_micros() as u64);
    }
    recorder.take()
}

#[test]
fn merged_percentiles_over_the_wire_are_those_of_one_histogram_of_all_samples() {
    const AGENTS: usize = 5;
    let (mut random, mut all) = (random(99), Histogram::new());
    let start = SystemTime::UNIX_EPOCH;
    let (mut near, mut far) = (Aggregator::new(2 * AGENTS, start), Aggregator::new(2 * AGENTS, start));
    let mut recorders: Vec<Recorder> = (0..2 * AGENTS).map(|_| Recorder::new(100)).collect();
    let mut wires: Vec<(IntervalEncoder, IntervalDecoder)> =
        (0..AGENTS).map(|_| Default::default()).collect();
    for sequence in 0..6 {
        for (agent, (encoder, decoder)) in wires.iter_mut().enumerate() {
            let mut threads = Vec::new();
            for worker in [2 * agent, 2 * agent + 1] {
                let delta = record(&mut recorders[worker], &mut all, &mut random);
                near.add(worker, delta.clone()).unwrap();
                threads.push((threads.len(), interval(delta, sequence)));
            }
            let message = IntervalMessage { sequence, second: sequence, dropped: 0, threads };
            let decoded = decoder.decode(&encoder.encode(&message)).unwrap();
            for (thread, interval) in decoded.threads {
                far.add(2 * agent + thread, interval.delta).unwrap();
            }
        }
        let tick = |sequence| Tick { at: Duration::from_secs(sequence + 1), ..Tick::idle(Phase::Steady) };
        let (near, far) = (near.close_interval(tick(sequence)), far.close_interval(tick(sequence)));
        assert_eq!(serde_json::to_value(&far).unwrap(), serde_json::to_value(&near).unwrap());
        assert_eq!(far.total.ok, all.summary(), "every percentile, the mean, the smallest and the largest");
    }
}

#[test]
fn names_are_sent_once_and_again_in_a_new_dictionary() {
    let mut random = random(4);
    let (mut encoder, mut decoder) = (IntervalEncoder::default(), IntervalDecoder::default());
    let mut recorder = Recorder::new(100);
    let mut next = |sequence| {
        let sample = record(&mut recorder, &mut Histogram::new(), &mut random);
        IntervalMessage { sequence, second: sequence, dropped: 0, threads: vec![(0, interval(sample, 1))] }
    };
    let has_name = |bytes: &[u8]| bytes.windows(7).any(|window| window == b"default");
    for sequence in 0..9 {
        if sequence == 6 {
            encoder.reset();
        }
        let bytes = encoder.encode(&next(sequence));
        assert_eq!(has_name(&bytes), sequence == 0 || sequence == 6, "message {sequence}");
        decoder.decode(&bytes).unwrap();
    }
}

#[test]
fn repeated_and_overtaken_messages_are_read_and_one_without_its_names_is_refused() {
    let mut random = random(11);
    let messages = messages(&mut random);
    let mut encoder = IntervalEncoder::default();
    let bytes: Vec<Vec<u8>> = messages.iter().map(|message| encoder.encode(message)).collect();
    assert!(bytes.len() >= 3);
    let mut decoder = IntervalDecoder::default();
    assert_eq!(decoder.decode(&bytes[1]).unwrap_err(), WireError::NamesMissing);
    for index in [0, 0, 1, 0, 1, 2, 1] {
        let decoded = decoder.decode(&bytes[index]).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{:?}", messages[index]), "message {index}");
    }
    encoder.reset();
    let renewed = encoder.encode(&messages[2]);
    decoder.decode(&renewed).unwrap();
    assert_eq!(decoder.decode(&bytes[0]).unwrap_err(), WireError::Late);
    // A decoder that begins there, as after a restart, needs none before it.
    let mut late = IntervalDecoder::default();
    let decoded = late.decode(&renewed).unwrap();
    assert_eq!(format!("{decoded:?}"), format!("{:?}", messages[2]));
}

#[test]
fn another_format_is_refused_with_both_named() {
    let mut bytes = IntervalEncoder::default().encode(&messages(&mut random(1))[0]);
    bytes[0] = 9;
    let error = IntervalDecoder::default().decode(&bytes).unwrap_err();
    assert_eq!(error, WireError::Version(9));
    let text = error.to_string();
    assert!(
        text.contains("format 9") && text.contains("format 1") && text.contains("same version"),
        "{text}"
    );
}

#[test]
fn names_without_end_are_written_out_and_remembered_up_to_a_bound() {
    let (mut encoder, mut decoder) = (IntervalEncoder::default(), IntervalDecoder::default());
    let long: Arc<str> = "x".repeat(LONGEST_NAME + 1).into();
    for sequence in 0..3 {
        let name = |number: usize| match number {
            0 => long.clone(),
            _ => format!("{sequence} {number}").into(),
        };
        let transactions = (0..MOST_NAMES * 2 / 3).map(|number| (name(number), Default::default())).collect();
        let delta = Delta { sequence, transactions, ..Delta::default() };
        let message = IntervalMessage {
            sequence,
            second: sequence,
            dropped: 0,
            threads: vec![(0, interval(delta, 1))],
        };
        let decoded = decoder.decode(&encoder.encode(&message)).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
    }
}

#[test]
fn damaged_messages_are_refused_and_leave_the_names_as_they_were() {
    let mut random = random(21);
    let messages = messages(&mut random);
    let mut encoder = IntervalEncoder::default();
    let bytes: Vec<Vec<u8>> = messages.iter().take(2).map(|message| encoder.encode(message)).collect();
    let mut decoder = IntervalDecoder::default();
    decoder.decode(&bytes[0]).unwrap();
    let good = &bytes[1];
    for end in 0..good.len() {
        assert!(decoder.decode(&good[..end]).is_err(), "cut off at {end}");
    }
    assert_eq!(
        decoder.decode(&[&good[..], &[0]].concat()).unwrap_err(),
        WireError::Damaged("bytes after its end")
    );
    for _ in 0..3_000 {
        let mut bad = good.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(1..bad.len());
            bad[at] = random.random();
        }
        // Some bytes may be any number; names that such a message adds are those of another decoder.
        let mut copy = IntervalDecoder { dictionary: decoder.dictionary, names: decoder.names.clone() };
        if let Err(error) = copy.decode(&bad) {
            assert!(!error.to_string().contains('\u{fffd}'));
            assert_eq!(copy.names, decoder.names);
        }
    }
    let decoded = decoder.decode(good).unwrap();
    assert_eq!(format!("{decoded:?}"), format!("{:?}", messages[1]));
    let too_long = vec![VERSION; MOST_BYTES + 1];
    assert_eq!(decoder.decode(&too_long).unwrap_err(), WireError::TooLong(MOST_BYTES + 1));
}
