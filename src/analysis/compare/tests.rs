//! Whether a comparison finds what is there and nothing else, on made-up runs.

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::measured::{Endpoint, Second};
use super::*;

/// What a made-up run is like.
#[derive(Clone, Copy)]
struct Made {
    seed: u64,
    seconds: usize,
    per_second: usize,
    /// Latencies are longer by this factor.
    slower: f64,
    failing: f64,
}

const MADE: Made = Made { seed: 0, seconds: 60, per_second: 100, slower: 1.0, failing: 0.01 };

/// Log-normal latency with a median of 20 ms that drifts by some per cent from second to second, as a machine that
/// others use too makes it.
fn made(made: Made) -> Endpoint {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(made.seed);
    let latency = LogNormal::new(20_000_f64.ln(), 0.5).unwrap();
    let mut drift = 0.0;
    let seconds = (0..made.seconds).map(|_| {
        drift = 0.7 * drift + 0.03 * (rng.random::<f64>() - 0.5);
        let mut second = Second { length_s: 1.0, ..Second::default() };
        for _ in 0..made.per_second {
            second.requests += 1;
            if rng.random::<f64>() < made.failing {
                second.failures += 1;
            } else {
                let us = latency.sample(&mut rng) * made.slower * f64::exp(drift);
                // Three significant digits, as in a histogram.
                second.ok.push(((us / 64.0).round() as u64 * 64, 1));
            }
        }
        second
    });
    Endpoint { seconds: seconds.collect() }
}

/// Equal runs of the made-up kind differ by far less.
const NOISE: f64 = 0.03;

/// The verdict on each figure.
fn verdicts(before: &Endpoint, after: &Endpoint) -> Vec<(Figure, ChangeVerdict)> {
    verdicts_on(&[before], after, NOISE)
}

/// The same of a run and several equal ones before it.
fn verdicts_on(before: &[&Endpoint], after: &Endpoint, noise: f64) -> Vec<(Figure, ChangeVerdict)> {
    let mut endpoints = [EndpointComparison {
        method: "GET".into(),
        name: "/".into(),
        presence: Presence::Both,
        figures: figures(before, Some(after), noise),
    }];
    judge(&mut endpoints);
    endpoints[0].figures.iter().map(|figure| (figure.figure, figure.verdict)).collect()
}

/// How many of twenty pairs of runs have a figure with this verdict.
fn called(verdict: ChangeVerdict, second: Made) -> usize {
    let pair =
        |seed: u64| (made(Made { seed: 2 * seed, ..MADE }), made(Made { seed: 2 * seed + 1, ..second }));
    let is_called = |seed| {
        let (before, after) = pair(seed);
        verdicts(&before, &after).iter().any(|(_, found)| *found == verdict)
    };
    (0..20).filter(|&seed| is_called(seed)).count()
}

#[test]
fn two_runs_of_the_same_thing_are_noise() {
    let changes = called(ChangeVerdict::Worse, MADE) + called(ChangeVerdict::Better, MADE);
    assert!(changes <= 3, "{changes} of 20 pairs of equal runs are called different");
}

#[test]
fn ten_per_cent_more_latency_is_found() {
    let found = called(ChangeVerdict::Worse, Made { slower: 1.1, ..MADE });
    assert!(found >= 19, "{found} of 20");
    let found = called(ChangeVerdict::Better, Made { slower: 0.9, ..MADE });
    assert!(found >= 19, "{found} of 20");
}

#[test]
fn each_figure_is_judged_by_its_own_direction() {
    let verdict = |second: Made, figure: Figure| {
        let found = verdicts(&made(MADE), &made(Made { seed: 7, ..second }));
        found.into_iter().find(|(known, _)| *known == figure).unwrap().1
    };
    assert_eq!(verdict(Made { failing: 0.06, ..MADE }, Figure::Failures), ChangeVerdict::Worse);
    assert_eq!(verdict(Made { failing: 0.06, ..MADE }, Figure::P50), ChangeVerdict::Noise);
    assert_eq!(verdict(Made { per_second: 80, ..MADE }, Figure::Rate), ChangeVerdict::Worse);
    assert_eq!(verdict(Made { per_second: 120, ..MADE }, Figure::Rate), ChangeVerdict::Better);
    assert_eq!(verdict(Made { slower: 0.7, ..MADE }, Figure::P99), ChangeVerdict::Better);
}

#[test]
fn the_total_of_one_endpoint_is_not_a_second_look() {
    // A change that chance explains once in 150 times: significant among five figures, not among ten.
    let figure = |figure: Figure, deviations: f64| {
        let width = 0.04 / deviations * normal::TWO_SIDED_95;
        FigureComparison {
            figure,
            before: Some(100.0),
            after: Some(104.0),
            change: Some(0.04_f64.exp_m1()),
            interval: Some(((0.04 - width).exp_m1(), (0.04 + width).exp_m1())),
            expected: NOISE,
            verdict: ChangeVerdict::Noise,
        }
    };
    let endpoint = |method: &str| EndpointComparison {
        method: method.to_owned(),
        name: "/".to_owned(),
        presence: Presence::Both,
        figures: FIGURES.into_iter().map(|f| figure(f, if f == Figure::P95 { 2.71 } else { 0.1 })).collect(),
    };
    let found = |mut endpoints: Vec<EndpointComparison>| {
        judge_all(&mut endpoints);
        endpoints.iter().map(|e| e.figures[3].verdict).collect::<Vec<_>>()
    };
    assert_eq!(found(vec![endpoint(""), endpoint("GET")]), [ChangeVerdict::Worse; 2]);
    assert_eq!(found(vec![endpoint(""), endpoint("GET"), endpoint("PUT")]), [ChangeVerdict::Noise; 3]);
}

#[test]
fn what_has_little_data_is_not_judged() {
    let few = Made { seconds: 5, ..MADE };
    let found = verdicts(&made(few), &made(Made { seed: 3, slower: 3.0, ..few }));
    assert!(found.iter().all(|(_, verdict)| *verdict == ChangeVerdict::TooLittleData), "{found:?}");
    let slow = Made { per_second: 4, ..MADE };
    let found = verdicts(&made(slow), &made(Made { seed: 3, ..slow }));
    assert_eq!(
        found[4],
        (Figure::P99, ChangeVerdict::TooLittleData),
        "240 values have no 99th percentile to compare"
    );
    assert_ne!(found[2].1, ChangeVerdict::TooLittleData);
    let nothing = figures(&[], Some(&made(MADE)), NOISE);
    assert!(nothing.iter().all(|f| f.before.is_none() && f.change.is_none() && f.after.is_some()));
}

#[test]
fn no_failure_at_all_is_compared_too() {
    let none = Made { failing: 0.0, ..MADE };
    let verdict = |second: Made| verdicts(&made(none), &made(Made { seed: 9, ..second }))[1];
    assert_eq!(verdict(none), (Figure::Failures, ChangeVerdict::Noise));
    assert_eq!(verdict(Made { failing: 0.02, ..none }), (Figure::Failures, ChangeVerdict::Worse));
}

#[test]
fn the_confidence_interval_holds_the_true_change() {
    let held = (0..40_u64).filter(|seed| {
        let before = made(Made { seed: 100 + 2 * seed, ..MADE });
        let after = made(Made { seed: 101 + 2 * seed, slower: 1.2, ..MADE });
        let figures = figures(&[&before], Some(&after), NOISE);
        let (low, high) = figures[2].interval.unwrap();
        low <= 0.2 && 0.2 <= high
    });
    let held = held.count();
    assert!(held >= 32, "{held} of 40 intervals at 95 % hold the true change of the median");
}

/// A run on a machine that is slower by some per cent for its whole time, as a shared one is.
fn on_a_shared_machine(seed: u64, seconds: usize, per_cent: f64) -> Endpoint {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_mul(0x9e37_79b9));
    let deviation: f64 = rand_distr::StandardNormal.sample(&mut rng);
    let slower = f64::exp(per_cent / 100.0 * deviation);
    made(Made { seed, seconds, slower, ..MADE })
}

#[test]
fn what_differs_from_run_to_run_is_no_regression() {
    let worse = (0..14_u64).filter(|seed| {
        let run = |seed| on_a_shared_machine(seed, 12, 5.0);
        let found = verdicts_on(&[&run(2 * seed)], &run(2 * seed + 1), DEFAULT_NOISE);
        found.iter().any(|(_, verdict)| *verdict == ChangeVerdict::Worse)
    });
    let worse = worse.count();
    assert!(worse <= 1, "{worse} of 14 equal loads are called a regression");
}

#[test]
fn several_runs_as_a_baseline_tell_more_than_one() {
    let found = |runs: u64, slower: f64| {
        let is_found = |seed: &u64| {
            let before: Vec<Endpoint> =
                (0..runs).map(|run| on_a_shared_machine(1_000 + 50 * seed + run, 20, 1.0)).collect();
            let before: Vec<&Endpoint> = before.iter().collect();
            let after = made(Made { seed: 7_000 + seed, seconds: 20, slower, ..MADE });
            let found = verdicts_on(&before, &after, DEFAULT_NOISE);
            found.iter().any(|(_, verdict)| *verdict == ChangeVerdict::Worse)
        };
        (0..5).filter(is_found).count()
    };
    let (one, eight) = (found(1, 1.15), found(8, 1.15));
    assert!(one < eight && eight >= 4, "15 % are found by one run {one} times of 5, by eight {eight} times");
    assert!(found(8, 1.0) == 0, "and nothing is found where nothing is");
}
