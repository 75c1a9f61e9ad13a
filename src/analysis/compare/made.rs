//! Comparisons that are made up, for tests of what shows them.

use super::*;

/// All requests and one endpoint: p95 20 % slower, no other change; and a warning.
pub(crate) fn comparison(method: &str, name: &str) -> Comparison {
    let figure = |figure: Figure| {
        let (before, after) = match figure {
            Figure::Rate => (100.0, 101.0),
            Figure::Failures => (0.01, 0.01),
            Figure::P50 => (20_000.0, 20_000.0),
            Figure::P95 => (50_000.0, 60_000.0),
            Figure::P99 => (80_000.0, 80_000.0),
        };
        let is_judged = figure != Figure::P99;
        let change = if figure == Figure::Failures { after - before } else { after / before - 1.0 };
        FigureComparison {
            figure,
            before: Some(before),
            after: Some(after),
            change: is_judged.then_some(change),
            expected: 0.07,
            interval: is_judged.then_some((change - 0.05, change + 0.05)),
            verdict: match figure {
                Figure::P95 => ChangeVerdict::Worse,
                Figure::P99 => ChangeVerdict::TooLittleData,
                _ => ChangeVerdict::Noise,
            },
        }
    };
    let endpoint = |method: &str, name: &str| EndpointComparison {
        method: method.to_owned(),
        name: name.to_owned(),
        presence: Presence::Both,
        figures: FIGURES.into_iter().map(figure).collect(),
    };
    let run =
        |folder: &str| RunName { folder: folder.to_owned(), started_at: "2026-01-02T03:04:05Z".to_owned() };
    Comparison {
        before: run("then"),
        baseline_runs: 1,
        least_change: Some(LeastChange { figure: Figure::P95, change: 0.152 }),
        after: run("now"),
        warnings: vec!["the host differs: a before, <b> after".to_owned()],
        steady_only: true,
        endpoints: vec![endpoint("", "Aggregated"), endpoint(method, name)],
    }
}
