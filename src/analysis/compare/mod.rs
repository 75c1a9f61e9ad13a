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

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::bootstrap::{Estimate, FIGURES, Figure, Several, estimate};
use self::measured::Endpoint;
use crate::text::format::round;

pub use self::bootstrap::Figure as ComparedFigure;
pub(crate) use self::facts::{RunFacts, circumstances};
pub(crate) use self::measured::MeasuredRun;

/// The significance level, over all figures of a comparison together.
const CONFIDENCE: f64 = 0.95;

/// Relative difference in rates and latencies to expect between two identical runs, from one moment of a
/// machine to another.
pub const DEFAULT_NOISE: f64 = 0.07;

/// Absolute difference in the share of failures below which there is no change.
const FAILURE_NOISE: f64 = 0.001;

/// The comparison of two runs.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The earlier run, or the baseline; of several runs, the first.
    pub before: RunName,
    /// How many runs the baseline is made of.
    pub baseline_runs: usize,
    /// The smallest change that would be told from chance; `None` with too little data.
    pub least_change: Option<LeastChange>,
    /// The later run.
    pub after: RunName,
    /// Differences in setup that may explain different figures, as sentences.
    pub warnings: Vec<String>,
    /// Whether only the steady phases are compared, without ramp-up and ramp-down.
    pub steady_only: bool,
    /// All requests together, then each endpoint by name.
    pub endpoints: Vec<EndpointComparison>,
}

/// How much can be told at all.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LeastChange {
    /// A figure of all requests together: p95 where that has enough data.
    pub figure: Figure,
    /// The relative change that it takes.
    pub change: f64,
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
    /// How much equal runs are expected to differ; a smaller change is noise.
    pub expected: f64,
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
    /// Of a run with equal earlier ones, of which there is at least one: the first names them. `noise` is the relative
    /// difference to expect between identical runs, see [`DEFAULT_NOISE`].
    pub(crate) fn between(
        first: &MeasuredRun,
        more: &[MeasuredRun],
        after: &MeasuredRun,
        noise: f64,
    ) -> Comparison {
        let all_before = || std::iter::once(first).chain(more);
        let steady_only = all_before().chain([after]).all(MeasuredRun::has_steady_phase);
        let a: Vec<_> = all_before().map(|run| run.endpoints(steady_only)).collect();
        let b = after.endpoints(steady_only);
        let names: BTreeSet<_> = a.iter().flat_map(BTreeMap::keys).chain(b.keys()).collect();
        let mut endpoints: Vec<EndpointComparison> = names
            .into_iter()
            .map(|key| {
                let (method, name) = key;
                let earlier: Vec<&Endpoint> = a.iter().filter_map(|run| run.get(key)).collect();
                let presence = match (earlier.is_empty(), b.get(key)) {
                    (false, None) => Presence::OnlyBefore,
                    (true, Some(_)) => Presence::OnlyAfter,
                    _ => Presence::Both,
                };
                let figures = figures(&earlier, b.get(key), noise);
                EndpointComparison { method: method.clone(), name: name.clone(), presence, figures }
            })
            .collect();
        // The total has no method, so it comes first.
        endpoints.sort_by(|a, b| {
            (!a.method.is_empty(), &a.name, &a.method).cmp(&(!b.method.is_empty(), &b.name, &b.method))
        });
        judge_all(&mut endpoints);
        Comparison {
            before: first.name.clone(),
            baseline_runs: 1 + more.len(),
            least_change: least_change(&endpoints),
            after: after.name.clone(),
            warnings: facts::differences(first, after),
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
            "baseline_runs": self.baseline_runs,
            "least_change": self.least_change.map(|least| json!({
                "figure": least.figure.as_str(),
                "change": round(least.change, 6),
            })),
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
fn figures(before: &[&Endpoint], after: Option<&Endpoint>, noise: f64) -> Vec<FigureComparison> {
    let before: Vec<_> = before.iter().map(|endpoint| estimate(endpoint)).collect();
    let after = after.map_or([const { Estimate::NONE }; FIGURES.len()], estimate);
    let pairs = FIGURES.into_iter().zip(after).enumerate();
    pairs
        .map(|(index, (figure, after))| {
            let runs: Vec<Estimate> = before.iter().map(|run| run[index]).collect();
            let before = Several::of(figure, &runs, noise);
            let spread = before.change_to(&after, figure);
            FigureComparison {
                figure,
                before: before.value,
                after: after.value,
                change: spread.map(|spread| spread.change(0.0)),
                interval: spread.map(|spread| {
                    (spread.change(-normal::TWO_SIDED_95), spread.change(normal::TWO_SIDED_95))
                }),
                expected: if figure == Figure::Failures { FAILURE_NOISE } else { before.expected() },
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
fn judge_all(endpoints: &mut [EndpointComparison]) {
    match endpoints {
        [total, only] if total.figures == only.figures => {
            judge(std::slice::from_mut(only));
            total.figures.clone_from(&only.figures);
        }
        all => judge(all),
    }
}

/// The smallest change of all requests together that would be told, were it the only one.
fn least_change(endpoints: &[EndpointComparison]) -> Option<LeastChange> {
    let total = endpoints.iter().find(|endpoint| endpoint.method.is_empty())?;
    let judged = endpoints.iter().flat_map(|endpoint| &endpoint.figures);
    let count = judged.filter(|figure| figure.verdict != ChangeVerdict::TooLittleData).count();
    let least = |figure: &FigureComparison| {
        let deviations = normal::deviations_of((1.0 - CONFIDENCE) / count as f64);
        Some((deviations * deviation(figure)?).max(figure.expected).exp_m1())
    };
    [Figure::P95, Figure::P50, Figure::Rate].into_iter().find_map(|wanted| {
        let figure = total.figures.iter().find(|figure| figure.figure == wanted)?;
        Some(LeastChange { figure: wanted, change: least(figure)? })
    })
}

/// Calls those differences changes that are neither chance nor small. With many figures some are far off by
/// chance, so each has to be the more unlikely the more there are: Holm's step-down procedure (Holm 1979).
fn judge(endpoints: &mut [EndpointComparison]) {
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
        if change.abs() > figure.expected {
            let is_worse = (change > 0.0) != (figure.figure == Figure::Rate);
            figure.verdict = if is_worse { ChangeVerdict::Worse } else { ChangeVerdict::Better };
        }
    }
}

/// How likely chance alone makes a difference of this size, read back from the confidence interval.
fn p_value(figure: &FigureComparison) -> f64 {
    let (Some(change), Some(deviation)) = (figure.change, deviation(figure)) else { return 1.0 };
    normal::two_sided_p(scaled(figure.figure, change) / deviation)
}

/// The standard deviation of a change, on the scale that it is symmetric on.
fn deviation(figure: &FigureComparison) -> Option<f64> {
    let (low, high) = figure.interval?;
    let scaled = |x: f64| scaled(figure.figure, x);
    Some((scaled(high) - scaled(low)) / (2.0 * normal::TWO_SIDED_95))
}

/// Relative changes are symmetric on the scale of logarithms.
fn scaled(figure: Figure, change: f64) -> f64 {
    if figure == Figure::Failures { change } else { change.ln_1p() }
}
