//! What a threshold measures: values of one kind, added up, and the figures that they have.
//!
//! Pure. Invariants: a figure without data is `None`; times are kept in the same histograms as everywhere.

use super::super::custom::CustomValues;
use super::super::distribution::Distribution;
use super::super::histogram::{Histogram, Summary, ms};
use super::super::sparse::Sparse;
use crate::metrics::Aggregation;

/// Values since some moment.
#[derive(Clone, Debug)]
pub(super) enum Figures {
    Times(Histogram),
    Numbers(Distribution),
    /// `seen` is set when there was anything to count, so that 0 is a figure.
    Count {
        sum: f64,
        seen: bool,
    },
    Share {
        passes: i64,
        all: i64,
    },
    State(Option<State>),
}

/// A gauge.
#[derive(Clone, Debug)]
pub(super) struct State {
    last: f64,
    min: f64,
    max: f64,
    /// Its values at the ends of the seconds.
    seconds: Distribution,
}

/// Values of one interval, small enough to be kept for each second of a window.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Times {
        added: Sparse,
        removed: Sparse,
    },
    Numbers(Distribution),
    Count {
        sum: f64,
        seen: bool,
    },
    Share {
        passes: i64,
        all: i64,
    },
    State {
        last: f64,
        min: f64,
        max: f64,
    },
    /// Values of a gauge that is looked at, oldest first; one a second, give or take one.
    Seen(Vec<f64>),
    Nothing,
}

impl Figures {
    /// Nothing of this kind yet.
    pub(super) fn emptied(&self) -> Figures {
        match self {
            Figures::Times(_) => Figures::Times(Histogram::new()),
            Figures::Numbers(_) => Figures::Numbers(Distribution::default()),
            Figures::Count { .. } => Figures::Count { sum: 0.0, seen: false },
            Figures::Share { .. } => Figures::Share { passes: 0, all: 0 },
            Figures::State(_) => Figures::State(None),
        }
    }

    pub(super) fn add(&mut self, part: &Part) {
        match (self, part) {
            (Figures::Times(times), Part::Times { added, removed }) => {
                times.merge_sparse(added);
                times.remove_sparse(removed);
            }
            (Figures::Numbers(numbers), Part::Numbers(more)) => numbers.merge(more),
            (Figures::Count { sum, seen }, Part::Count { sum: more, seen: now }) => {
                *sum += more;
                *seen |= now;
            }
            (Figures::Share { passes, all }, Part::Share { passes: p, all: a }) => {
                *passes += p;
                *all += a;
            }
            (Figures::State(state), Part::State { last, min, max }) => {
                State::merge(state, *last, *min, *max);
            }
            (Figures::State(state), Part::Seen(values)) => {
                values.iter().for_each(|&value| State::merge(state, value, value, value));
            }
            // A measure has one kind; an interval may have nothing.
            (_, _) => {}
        }
    }

    /// One figure; times are milliseconds. `seconds` is the time that the values cover.
    pub(super) fn value(&self, aggregation: Aggregation, seconds: f64) -> Option<f64> {
        let per_second = |count: f64| (seconds > 0.0).then(|| count / seconds);
        match self {
            Figures::Times(times) => match aggregation {
                Aggregation::Count => Some(times.count() as f64).filter(|count| *count > 0.0),
                Aggregation::Rate => per_second(times.count() as f64).filter(|rate| *rate > 0.0),
                _ if times.count() == 0 => None,
                Aggregation::Sum => Some(ms(times.sum_us())),
                Aggregation::Percentile(p) => times.percentile_us(p).map(ms),
                Aggregation::Med => times.percentile_us(50.0).map(ms),
                Aggregation::Avg => times.summary().map(|summary| summary.mean_us / 1e3),
                Aggregation::Min => times.summary().map(|summary| ms(summary.min_us)),
                Aggregation::Max => times.summary().map(|summary| ms(summary.max_us)),
                Aggregation::Value => None,
            },
            Figures::Numbers(numbers) => of_numbers(numbers, aggregation, seconds),
            Figures::Count { seen: false, .. } => None,
            Figures::Count { sum, .. } => match aggregation {
                Aggregation::Rate => per_second(*sum),
                _ => Some(*sum),
            },
            Figures::Share { all, .. } if *all <= 0 => None,
            Figures::Share { passes, all } => match aggregation {
                Aggregation::Count => Some(*passes as f64),
                _ => Some(*passes as f64 / *all as f64),
            },
            Figures::State(state) => {
                let State { last, min, max, seconds: distribution } = state.as_ref()?;
                match aggregation {
                    Aggregation::Value => Some(*last),
                    Aggregation::Min => Some(*min),
                    Aggregation::Max => Some(*max),
                    other => of_numbers(distribution, other, seconds),
                }
            }
        }
    }

    pub(super) fn summary(&self) -> Option<Summary> {
        match self {
            Figures::Times(times) => times.summary(),
            _ => None,
        }
    }
}

impl State {
    fn merge(state: &mut Option<State>, last: f64, min: f64, max: f64) {
        let state = state.get_or_insert_with(|| State { last, min, max, seconds: Distribution::default() });
        state.last = last;
        state.min = state.min.min(min);
        state.max = state.max.max(max);
        state.seconds.record(last);
    }

    /// Last, smallest, largest.
    pub(super) fn values(&self) -> (f64, f64, f64) {
        (self.last, self.min, self.max)
    }
}

impl Part {
    /// What values of a script's own metric are.
    pub(super) fn own(values: &CustomValues) -> Part {
        match values {
            CustomValues::Counter(sum) => Part::Count { sum: *sum, seen: true },
            CustomValues::Gauge { last, min, max, .. } => Part::State { last: *last, min: *min, max: *max },
            CustomValues::Rate { passes, fails } => {
                Part::Share { passes: *passes as i64, all: (*passes + *fails) as i64 }
            }
            CustomValues::Trend(distribution) => Part::Numbers(distribution.clone()),
        }
    }
}

fn of_numbers(numbers: &Distribution, aggregation: Aggregation, seconds: f64) -> Option<f64> {
    let summary = numbers.summary()?;
    match aggregation {
        Aggregation::Avg => Some(summary.avg),
        Aggregation::Min => Some(summary.min),
        Aggregation::Med => Some(summary.med),
        Aggregation::Max => Some(summary.max),
        Aggregation::Percentile(percentile) => numbers.value_at(percentile),
        Aggregation::Count => Some(summary.count as f64),
        Aggregation::Rate => (seconds > 0.0).then(|| summary.count as f64 / seconds),
        Aggregation::Sum => Some(numbers.sum()),
        Aggregation::Value => None,
    }
}
