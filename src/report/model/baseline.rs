//! What a report shows of its baseline run.

use super::{Judgement, Model, Timeline, whole_run};
use crate::analysis::comparison::{judged_change, sign};
use crate::analysis::{ChangeVerdict, ComparedFigure, Comparison, FigureComparison};
use crate::metrics::{IntervalHistograms, IntervalKind, Snapshot, Sparse};
use crate::text::format;

/// The lines of the earlier run, drawn behind those of the run.
#[derive(Clone, Debug)]
pub struct BaselineCurves {
    /// Its seconds, in buckets.
    pub timeline: Timeline,
    /// All its successes.
    pub ok: Sparse,
    /// Its requests.
    pub requests: u64,
}

impl BaselineCurves {
    /// Of the earlier run's final figures and its intervals.
    pub fn new(snapshot: &Snapshot, intervals: &[IntervalHistograms]) -> BaselineCurves {
        BaselineCurves {
            timeline: Timeline::new(snapshot, intervals),
            ok: whole_run(intervals, IntervalKind::Ok),
            requests: snapshot.total.requests,
        }
    }
}

impl<'a> Model<'a> {
    /// The same with what changed since an earlier run: in the tiles, the endpoints, the charts and a section of
    /// its own. `curves` is `None` when the earlier run has no course that could be read.
    #[must_use]
    pub fn compared(mut self, comparison: &'a Comparison, curves: Option<BaselineCurves>) -> Model<'a> {
        if let Some(all) = comparison.endpoints.iter().find(|endpoint| endpoint.method.is_empty()) {
            for tile in &mut self.tiles {
                let figure = all.figures.iter().find(|figure| tile_of(figure.figure) == tile.label);
                tile.change = figure.and_then(marked_change);
                if let Some(ChangeVerdict::Worse) = figure.map(|figure| figure.verdict) {
                    tile.tone = Judgement::Bad;
                }
            }
        }
        if let (Some(tile), Some(curves)) = (self.tiles.first_mut(), &curves) {
            tile.change = Some(format!("baseline {}", format::count(curves.requests)));
        }
        self.comparison = Some(comparison);
        self.baseline = curves;
        self
    }

    #[cfg(feature = "charts")]
    /// What changed in one figure of an endpoint.
    pub(crate) fn change_of(
        &self,
        method: &str,
        name: &str,
        figure: ComparedFigure,
    ) -> Option<&FigureComparison> {
        let of = self.comparison?.endpoints.iter().find(|e| e.method == method && e.name == name)?;
        of.figures.iter().find(|compared| compared.figure == figure)
    }
}

/// The label of the tile that shows a figure.
fn tile_of(figure: ComparedFigure) -> &'static str {
    match figure {
        ComparedFigure::Rate => "Rate",
        ComparedFigure::Failures => "Failed",
        ComparedFigure::P50 => "p50",
        ComparedFigure::P95 => "p95",
        ComparedFigure::P99 => "p99",
    }
}

/// `✗ +12% worse`.
pub(crate) fn marked_change(figure: &FigureComparison) -> Option<String> {
    Some(format!("{} {}", sign(figure.verdict), judged_change(figure)?))
}
