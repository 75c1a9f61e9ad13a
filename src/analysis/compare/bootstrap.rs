//! How much the figures of a run vary by chance: the bootstrap.
//!
//! Seconds that follow each other are alike (a stall lasts, a cache warms), so stretches of seconds are drawn
//! with replacement, not single ones: the circular block bootstrap (Politis and Romano 1992). Pure; the
//! same runs give the same figures each time.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::measured::Endpoint;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Requests per second.
    Rate,
    /// Share of failed requests.
    Failures,
    /// Median service time of the successes.
    P50,
    /// Their 95th percentile.
    P95,
    /// Their 99th percentile.
    P99,
}

/// All figures, in the order in which they are shown.
pub(super) const FIGURES: [Figure; 5] =
    [Figure::Rate, Figure::Failures, Figure::P50, Figure::P95, Figure::P99];

impl Figure {
    /// The word that outputs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Figure::Rate => "rate",
            Figure::Failures => "failed",
            Figure::P50 => "p50",
            Figure::P95 => "p95",
            Figure::P99 => "p99",
        }
    }

    /// Whether its values are microseconds.
    pub fn is_latency(self) -> bool {
        matches!(self, Figure::P50 | Figure::P95 | Figure::P99)
    }

    /// Which part of the values lies below it, for a latency, and how many there have to be at least.
    fn percentile(self) -> Option<(f64, u64)> {
        match self {
            Figure::P50 => Some((0.5, 30)),
            Figure::P95 => Some((0.95, 100)),
            Figure::P99 => Some((0.99, 500)),
            Figure::Rate | Figure::Failures => None,
        }
    }
}

/// How often seconds are drawn anew.
const RESAMPLES: usize = 400;

/// Fewer intervals than this say nothing about how they vary.
const LEAST_INTERVALS: usize = 8;

/// Fewer requests than this have no rate and no share of failures worth comparing.
const LEAST_REQUESTS: f64 = 30.0;

/// Half the width of a bucket with three significant digits: no figure is known better.
const RESOLUTION: f64 = 0.000_5;

/// A figure of a run and how far it varies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    /// The figure itself; `None` without data.
    pub(super) value: Option<f64>,
    /// Variance: of its logarithm, or for a share of the share itself. `None` with too little data.
    variance: Option<f64>,
}

/// A figure of equal runs together, such as those of a baseline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Several {
    /// Their mean; of times and rates, that of their logarithms.
    pub(super) value: Option<f64>,
    /// Variance of that by what happens within the runs.
    within: Option<f64>,
    /// Variance from one equal run to another.
    between: f64,
    runs: f64,
}

/// How many runs the expectation about differences between equal runs is worth, against those that were made.
const WORTH_OF_EXPECTATION: f64 = 2.0;

impl Several {
    /// Of a figure in equal runs; `noise` is the relative difference to expect between two of them.
    pub(super) fn of(figure: Figure, runs: &[Estimate], noise: f64) -> Several {
        let is_relative = figure != Figure::Failures;
        let scaled = |value: f64| if is_relative { value.ln() } else { value };
        let values: Vec<f64> =
            runs.iter().filter_map(|run| run.value).map(scaled).filter(|value| value.is_finite()).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let known: Vec<f64> = runs.iter().filter_map(|run| run.variance).collect();
        let within = known.iter().sum::<f64>() / known.len() as f64 / count;
        // Few runs say little about how much runs differ, so they are weighed against what is to be expected.
        let expected = if is_relative { noise * noise / 2.0 } else { 0.0 };
        let free = (count - 1.0).max(0.0);
        let between = (WORTH_OF_EXPECTATION * expected + free * variance(&values).unwrap_or(0.0))
            / (WORTH_OF_EXPECTATION + free);
        let value = match runs {
            // As it is, not as its logarithm gives it back.
            [only] => only.value,
            _ => (count > 0.0).then(|| if is_relative { mean.exp() } else { mean }),
        };
        Several { value, within: within.is_finite().then_some(within), between, runs: count.max(1.0) }
    }

    /// The standard deviation of the difference to another equal run, chance within the runs left aside.
    pub(super) fn expected(&self) -> f64 {
        (self.between * (1.0 + 1.0 / self.runs)).sqrt()
    }

    /// The change from these to a later run; `None` when either has too little data.
    pub(super) fn change_to(&self, after: &Estimate, figure: Figure) -> Option<Spread> {
        let (a, b) = (self.value?, after.value?);
        let deviation = (self.within? + after.variance? + self.expected().powi(2)).sqrt();
        let is_relative = figure != Figure::Failures;
        let centre = if is_relative { (b / a).ln() } else { b - a };
        centre.is_finite().then_some(Spread { centre, deviation, is_relative })
    }
}

/// A change with its standard deviation, on the scale it is normal on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    centre: f64,
    deviation: f64,
    is_relative: bool,
}

impl Spread {
    /// The change that lies this many deviations from the centre.
    pub(super) fn change(&self, deviations: f64) -> f64 {
        let at = self.centre + deviations * self.deviation;
        if self.is_relative { at.exp_m1() } else { at }
    }
}

impl Estimate {
    /// Of an endpoint that a run does not have.
    pub(super) const NONE: Estimate = Estimate { value: None, variance: None };
}

/// What is known of an endpoint in one run.
pub(super) fn estimate(endpoint: &Endpoint) -> [Estimate; FIGURES.len()] {
    let table = Table::new(endpoint);
    let all = table.sum_of(0..table.seconds.len());
    let values = table.figures(&all);
    let too_little = table.seconds.len() < LEAST_INTERVALS || all.requests < LEAST_REQUESTS;
    if too_little {
        return values.map(|value| Estimate { value, variance: None });
    }
    let drawn = table.resample();
    std::array::from_fn(|index| {
        let figure = FIGURES[index];
        let scale = |value: f64| if figure == Figure::Failures { value } else { value.ln() };
        let replicates: Vec<f64> = drawn
            .iter()
            .filter_map(|figures| figures[index])
            .map(scale)
            .filter(|value| value.is_finite())
            .collect();
        let enough = match figure.percentile() {
            Some((_, least)) => all.successes() >= least as f64,
            None => true,
        };
        let least_variance = match figure {
            // A share of 0 of 1,000 is not sure to be 0: the variance of one failure more.
            Figure::Failures => {
                let (failed, ok) = (all.failures + 1.0, all.requests - all.failures + 1.0);
                failed * ok / (all.requests + 2.0).powi(3)
            }
            _ => RESOLUTION * RESOLUTION,
        };
        let variance = variance(&replicates).map(|variance| variance.max(least_variance));
        Estimate { value: values[index], variance: variance.filter(|_| enough) }
    })
}

/// Seconds of an endpoint with their values counted by place in one list of all values.
struct Table {
    values_us: Vec<u64>,
    seconds: Vec<Second>,
    block: usize,
}

#[derive(Clone, Default)]
struct Second {
    length: f64,
    requests: f64,
    failures: f64,
    /// Place in `values_us`, and how often.
    counts: Vec<(usize, f64)>,
}

/// Several seconds together.
struct Sum {
    length: f64,
    requests: f64,
    failures: f64,
    counts: Vec<f64>,
}

impl Sum {
    fn successes(&self) -> f64 {
        self.counts.iter().sum()
    }
}

impl Table {
    fn new(endpoint: &Endpoint) -> Table {
        let mut values_us: Vec<u64> =
            endpoint.seconds.iter().flat_map(|second| second.ok.iter().map(|&(value, _)| value)).collect();
        values_us.sort_unstable();
        values_us.dedup();
        let place = |value: u64| values_us.partition_point(|&known| known < value);
        let seconds: Vec<Second> = endpoint
            .seconds
            .iter()
            .map(|second| Second {
                length: second.length_s,
                requests: second.requests as f64,
                failures: second.failures as f64,
                counts: second.ok.iter().map(|&(value, count)| (place(value), count as f64)).collect(),
            })
            .collect();
        // The length that makes the variance best known grows with the cube root (Künsch 1989).
        let block = (seconds.len() as f64).cbrt().round().max(1.0) as usize;
        Table { values_us, seconds, block }
    }

    fn sum_of(&self, seconds: impl Iterator<Item = usize>) -> Sum {
        let mut sum =
            Sum { length: 0.0, requests: 0.0, failures: 0.0, counts: vec![0.0; self.values_us.len()] };
        for second in seconds.map(|index| &self.seconds[index]) {
            sum.length += second.length;
            sum.requests += second.requests;
            sum.failures += second.failures;
            for &(place, count) in &second.counts {
                sum.counts[place] += count;
            }
        }
        sum
    }

    fn figures(&self, sum: &Sum) -> [Option<f64>; FIGURES.len()] {
        let mut figures = [
            (sum.length > 0.0).then(|| sum.requests / sum.length),
            (sum.requests > 0.0).then(|| sum.failures / sum.requests),
            None,
            None,
            None,
        ];
        // The nearest rank, as everywhere; one pass, since percentiles ascend.
        let successes = sum.successes();
        let mut next = 2;
        let mut seen = 0.0;
        for (place, count) in sum.counts.iter().enumerate() {
            seen += count;
            while let Some((share, _)) = FIGURES.get(next).and_then(|figure| figure.percentile())
                && seen > 0.0
                && seen >= (share * successes).ceil()
            {
                figures[next] = Some(self.values_us[place] as f64);
                next += 1;
            }
        }
        figures
    }

    /// The figures of many runs that might have been.
    fn resample(&self) -> Vec<[Option<f64>; FIGURES.len()]> {
        let count = self.seconds.len();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(count as u64);
        (0..RESAMPLES)
            .map(|_| {
                let starts: Vec<usize> =
                    (0..count.div_ceil(self.block)).map(|_| rng.random_range(0..count)).collect();
                let drawn = starts.iter().flat_map(|start| (0..self.block).map(move |k| (start + k) % count));
                let sum = self.sum_of(drawn.take(count));
                self.figures(&sum)
            })
            .collect()
    }
}

/// The variance of values, with what the few blocks of a short run hide made good; `None` for fewer than two.
fn variance(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    Some(values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0))
}
