//! The comparison of two runs: what changed, and what is noise.
//!
//! Owns the verdict on each figure. Leaves layout to `report` and reading runs to `results`. Pure. Invariant: a change
//! is called one only when chance within the runs does not explain it, all figures of the comparison taken together,
//! and it is larger than what two equal runs differ by anyway.

mod bootstrap;
mod facts;
mod measured;
mod normal;

#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use self::bootstrap::{Estimate, FIGURES, Figure, estimate};
use self::measured::Endpoint;
use crate::text::format::round;

pub use self::bootstrap::Figure as ComparedFigure;
pub(crate) use self::facts::{RunFacts, circumstances};
pub(crate) use self::measured::MeasuredRun;

/// The significance level, over all figures of a comparison together.
const CONFIDENCE: f64 = 0.95;

/// Relative difference in rates and latencies to expect between two identical runs, from one moment of a
/// machine to another.
pub const DEFAULT_NOISE: f64 = 0.03;

/// Absolute difference in the share of failures below which there is no change.
const FAILURE_NOISE: f64 = 0.001;

/// The comparison of two runs.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The earlier run, or the baseline.
    pub before: RunName,
    /// The later run.
    pub after: RunName,
    /// Differences in setup that may explain different figures, as sentences.
    pub warnings: Vec<String>,
    /// Whether only the steady phases are compared, without ramp-up and ramp-down.
    pub steady_only: bool,
    /// All requests together, then each endpoint by name.
    pub endpoints: Vec<EndpointComparison>,
}

/// Which run it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunName {
    /// The name of its directory.
    pub folder: String,
    /// When it started, as recorded in its `run.json`.
    pub started_at: String,
}

/// The figures of one endpoint in both runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndpointComparison {
    /// HTTP method; empty for all requests together.
    pub method: String,
    /// Name of the request; `Aggregated` for all together.
    pub name: String,
    /// Which of the runs has it.
    pub presence: Presence,
    /// In the order of rate, failures, p50, p95, p99.
    pub figures: Vec<FigureComparison>,
}

/// Which of two runs has an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// Both.
    Both,
    /// Only the earlier one.
    OnlyBefore,
    /// Only the later one.
    OnlyAfter,
}

/// One figure in both runs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FigureComparison {
    /// Which figure.
    pub figure: Figure,
    /// In the earlier run; `None` without data. Requests per second, share of 0 to 1, or microseconds.
    pub before: Option<f64>,
    /// In the later run.
    pub after: Option<f64>,
    /// How much it changed: relative for rate and latencies (0.1 is 10 % more), a difference of shares for failures.
    pub change: Option<f64>,
    /// The 95 % confidence interval of the change, by itself.
    pub interval: Option<(f64, f64)>,
    /// How the change is judged.
    pub verdict: ChangeVerdict,
}

/// How a difference between two runs is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeVerdict {
    /// Faster, fewer failures, or a higher rate.
    Better,
    /// Slower, more failures, or a lower rate.
    Worse,
    /// Explained by chance, or too small to matter.
    Noise,
    /// Too few requests or seconds to judge.
    TooLittleData,
}

impl ChangeVerdict {
    /// The word that outputs use.
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeVerdict::Better => "better",
            ChangeVerdict::Worse => "worse",
            ChangeVerdict::Noise => "noise",
            ChangeVerdict::TooLittleData => "too little data",
        }
    }
}

impl Comparison {
    /// `noise` is the relative difference to expect between identical runs, see [`DEFAULT_NOISE`].
    pub(crate) fn between(before: &MeasuredRun, after: &MeasuredRun, noise: f64) -> Comparison {
        let steady_only = before.has_steady_phase() && after.has_steady_phase();
        let (a, b) = (before.endpoints(steady_only), after.endpoints(steady_only));
        let mut endpoints: Vec<EndpointComparison> = a
            .keys()
            .chain(b.keys().filter(|key| !a.contains_key(*key)))
            .map(|key| {
                let (method, name) = key;
                let presence = match (a.get(key), b.get(key)) {
                    (Some(_), None) => Presence::OnlyBefore,
                    (None, Some(_)) => Presence::OnlyAfter,
                    _ => Presence::Both,
                };
                let figures = figures(a.get(key), b.get(key));
                EndpointComparison { method: method.clone(), name: name.clone(), presence, figures }
            })
            .collect();
        // The total has no method, so it comes first.
        endpoints.sort_by(|a, b| {
            (!a.method.is_empty(), &a.name, &a.method).cmp(&(!b.method.is_empty(), &b.name, &b.method))
        });
        judge_all(&mut endpoints, noise);
        Comparison {
            before: before.name.clone(),
            after: after.name.clone(),
            warnings: facts::differences(before, after),
            steady_only,
            endpoints,
        }
    }

    /// Whether any figure got worse.
    pub fn has_regression(&self) -> bool {
        self.changes(ChangeVerdict::Worse).next().is_some()
    }

    /// The figures with this verdict.
    pub fn changes(
        &self,
        verdict: ChangeVerdict,
    ) -> impl Iterator<Item = (&EndpointComparison, &FigureComparison)> {
        self.endpoints.iter().flat_map(move |endpoint| {
            endpoint
                .figures
                .iter()
                .filter(move |figure| figure.verdict == verdict)
                .map(move |figure| (endpoint, figure))
        })
    }

    /// The comparison as JSON. Latencies in milliseconds, shares from 0 to 1, rates per second.
    pub fn json(&self) -> Value {
        json!({
            "before": { "folder": self.before.folder, "started_at": self.before.started_at },
            "after": { "folder": self.after.folder, "started_at": self.after.started_at },
            "warnings": self.warnings,
            "steady_only": self.steady_only,
            "regression": self.has_regression(),
            "endpoints": self.endpoints.iter().map(endpoint_json).collect::<Vec<_>>(),
        })
    }
}

fn endpoint_json(endpoint: &EndpointComparison) -> Value {
    let figures = endpoint.figures.iter().map(|figure| {
        let scale = if figure.figure.is_latency() { 1e-3 } else { 1.0 };
        let value = |value: Option<f64>| value.map(|value| round(value * scale, 6));
        let json = json!({
            "before": value(figure.before),
            "after": value(figure.after),
            "change": figure.change.map(|change| round(change, 6)),
            "interval": figure.interval.map(|(low, high)| [round(low, 6), round(high, 6)]),
            "verdict": figure.verdict.as_str(),
        });
        (figure.figure.as_str().to_owned(), json)
    });
    json!({
        "method": endpoint.method,
        "name": endpoint.name,
        "only_in": match endpoint.presence {
            Presence::Both => Value::Null,
            Presence::OnlyBefore => "before".into(),
            Presence::OnlyAfter => "after".into(),
        },
        "figures": figures.collect::<serde_json::Map<_, _>>(),
    })
}

/// The figures of an endpoint, not judged yet: what chance does not explain waits for the others.
fn figures(before: Option<&Endpoint>, after: Option<&Endpoint>) -> Vec<FigureComparison> {
    let before = before.map_or([const { Estimate::NONE }; FIGURES.len()], estimate);
    let after = after.map_or([const { Estimate::NONE }; FIGURES.len()], estimate);
    let pairs = FIGURES.into_iter().zip(before.into_iter().zip(after));
    pairs
        .map(|(figure, (before, after))| {
            let spread = before.change_to(&after, figure);
            FigureComparison {
                figure,
                before: before.value,
                after: after.value,
                change: spread.map(|spread| spread.change(0.0)),
                interval: spread.map(|spread| {
                    (spread.change(-normal::TWO_SIDED_95), spread.change(normal::TWO_SIDED_95))
                }),
                verdict: match spread {
                    // Until the others are known; see `judge`.
                    Some(_) => ChangeVerdict::Noise,
                    None => ChangeVerdict::TooLittleData,
                },
            }
        })
        .collect()
}

/// Judges all figures. The total of a single endpoint is that endpoint: looked at twice it would only make
/// each harder to find.
fn judge_all(endpoints: &mut [EndpointComparison], noise: f64) {
    match endpoints {
        [total, only] if total.figures == only.figures => {
            judge(std::slice::from_mut(only), noise);
            total.figures.clone_from(&only.figures);
        }
        all => judge(all, noise),
    }
}

/// Calls those differences changes that are neither chance nor small. With many figures some are far off by
/// chance, so each has to be the more unlikely the more there are: Holm's step-down procedure (Holm 1979).
fn judge(endpoints: &mut [EndpointComparison], noise: f64) {
    let mut open: Vec<(f64, &mut FigureComparison)> = endpoints
        .iter_mut()
        .flat_map(|endpoint| &mut endpoint.figures)
        .filter(|figure| figure.verdict == ChangeVerdict::Noise)
        .map(|figure| (p_value(figure), figure))
        .collect();
    open.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = open.len();
    for (index, (p, figure)) in open.into_iter().enumerate() {
        if p > (1.0 - CONFIDENCE) / (count - index) as f64 {
            break;
        }
        let change = figure.change.unwrap_or(0.0);
        let least = if figure.figure == Figure::Failures { FAILURE_NOISE } else { noise };
        if change.abs() > least {
            let is_worse = (change > 0.0) != (figure.figure == Figure::Rate);
            figure.verdict = if is_worse { ChangeVerdict::Worse } else { ChangeVerdict::Better };
        }
    }
}

/// How likely chance alone makes a difference of this size, read back from the confidence interval.
fn p_value(figure: &FigureComparison) -> f64 {
    let (Some(change), Some((low, high))) = (figure.change, figure.interval) else { return 1.0 };
    // Relative changes are symmetric on the scale of logarithms.
    let scale = |x: f64| if figure.figure == Figure::Failures { x } else { x.ln_1p() };
    let deviation = (scale(high) - scale(low)) / (2.0 * normal::TWO_SIDED_95);
    normal::two_sided_p(scale(change) / deviation)
}
