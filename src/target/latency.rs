//! The simulated latency of the demo application.
//!
//! Owns the latency model: a seeded log-normal per route whose median rises with the requests in service, and the
//! seeded choice of which requests fail. Leaves the waiting itself, and counting what is in service, to `routes`.
//!
//! Invariant: pure. What a request draws depends on the seed, its number and the load it meets, never on a clock or
//! on shared generator state, so a run can be repeated whatever order the connections are served in.

use super::TargetOptions;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::time::Duration;

/// What a route costs, as a share of the median of an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// A health probe: 1/20 of an analysis.
    Health,
    /// A login: 3/10 of an analysis.
    Login,
    /// Reading the insights: 2/5 of an analysis.
    Insights,
    /// An analysis.
    Analyze,
}

impl Cost {
    fn share(self) -> f64 {
        match self {
            Cost::Health => 0.05,
            Cost::Login => 0.3,
            Cost::Insights => 0.4,
            Cost::Analyze => 1.0,
        }
    }
}

/// What the model decided for one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Draw {
    /// How long the request is held before it is answered; zero means not at all.
    pub(super) delay: Duration,
    /// Whether it is answered with 500.
    pub(super) fails: bool,
}

/// No request is held longer than this, however heavy the tail and the load.
const LONGEST: Duration = Duration::from_secs(60);

/// Decides delay and failure of request `number`, which arrives while `in_service` others are being served.
///
/// The delay is `median × share × (1 + in_service / knee) × exp(sigma × z)`, with `z` standard normal: a log-normal
/// whose median is everything before the exponential.
pub(super) fn draw(options: &TargetOptions, cost: Cost, number: u64, in_service: usize) -> Draw {
    let mut rng = stream(options.seed, number);
    // Both are always drawn, in this order, so that changing one knob leaves the other's draws as they were.
    let z: f64 = StandardNormal.sample(&mut rng);
    let fails = rng.random::<f64>() < options.error_rate;

    let slowdown = 1.0 + in_service as f64 / options.knee;
    let seconds = options.median.as_secs_f64() * cost.share() * slowdown * (options.sigma * z).exp();
    // `try_from` also turns a NaN or an infinity, possible with options nobody validated, into the cap.
    let delay = Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST);
    Draw { delay, fails }
}

/// The random stream of one request. The multiplier is odd, so no two numbers share a seed, and it is not the
/// increment that `seed_from_u64` expands with, which would make the streams of neighbours overlap.
fn stream(seed: u64, number: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93))
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: u64 = 20_001;

    fn quantiles_ms(options: &TargetOptions, cost: Cost, in_service: usize) -> (f64, f64) {
        let mut ms: Vec<f64> =
            (0..N).map(|n| draw(options, cost, n, in_service).delay.as_secs_f64() * 1e3).collect();
        ms.sort_by(f64::total_cmp);
        let at = |q: f64| ms[(q * (N - 1) as f64) as usize];
        (at(0.5), at(0.95))
    }

    fn assert_near(actual: f64, expected: f64, what: &str) {
        assert!((actual / expected - 1.0).abs() < 0.03, "{what}: expected about {expected}, got {actual}");
    }

    #[test]
    fn quantiles_are_those_of_the_log_normal() {
        let options = TargetOptions::default();
        for (cost, median) in
            [(Cost::Health, 1.0), (Cost::Login, 6.0), (Cost::Insights, 8.0), (Cost::Analyze, 20.0)]
        {
            let (p50, p95) = quantiles_ms(&options, cost, 0);
            assert_near(p50, median, "median");
            assert_near(p95, median * (1.645 * options.sigma).exp(), "p95");
        }
    }

    #[test]
    fn the_median_doubles_at_the_knee() {
        let options = TargetOptions { knee: 10.0, ..TargetOptions::default() };
        assert_near(quantiles_ms(&options, Cost::Analyze, 10).0, 40.0, "at the knee");
        assert_near(quantiles_ms(&options, Cost::Analyze, 30).0, 80.0, "at three knees");
    }

    #[test]
    fn a_zero_median_adds_nothing() {
        let options = TargetOptions { median: Duration::ZERO, ..TargetOptions::default() };
        assert!((0..1_000).all(|n| draw(&options, Cost::Analyze, n, 500).delay.is_zero()));
    }

    #[test]
    fn failures_are_the_asked_for_share() {
        let share = |error_rate| {
            let options = TargetOptions { error_rate, ..TargetOptions::default() };
            (0..N).filter(|&n| draw(&options, Cost::Health, n, 0).fails).count() as f64 / N as f64
        };
        assert_eq!(share(0.0), 0.0);
        assert_eq!(share(1.0), 1.0);
        assert!((share(0.2) - 0.2).abs() < 0.01);
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let draws = |seed| {
            let options = TargetOptions { seed, error_rate: 0.5, ..TargetOptions::default() };
            (0..50).map(|n| draw(&options, Cost::Analyze, n, 3)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn the_delay_is_capped() {
        let options = TargetOptions { knee: 1e-9, ..TargetOptions::default() };
        assert_eq!(draw(&options, Cost::Analyze, 0, 1_000).delay, LONGEST);
    }
}
