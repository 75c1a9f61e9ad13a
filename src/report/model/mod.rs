//! Everything a report shows, computed once: verdict, tiles, findings, the seconds in buckets, endpoints,
//! distributions. The report at the end of a run and `rhaid report` are made from the same model.
//!
//! Owns what is shown and over which time. Leaves drawing to `charts` and layout to `html`. Pure.
//! Invariants: percentiles of a bucket come from merged histograms, never from other percentiles; what has
//! no sample is `None`, so that a chart has a gap.

mod baseline;
mod endpoints;
mod heat;
mod timeline;

#[cfg(test)]
mod tests;

use crate::analysis::Verdict;
use crate::analysis::{Comparison, TrendPoint};
use crate::analysis::{Finding, findings};
use crate::metrics::{
    IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries, Percentile, Snapshot, Sparse,
};
use crate::plan::{EndedBy, RunInfo, RunRecord};
use crate::text::format;

pub use baseline::BaselineCurves;
#[cfg(feature = "charts")]
pub(crate) use baseline::marked_change;
pub use endpoints::EndpointView;
pub use heat::HeatMap;
pub use timeline::{Bucket, Timeline};

/// Width of the buckets of the charts of a run of this length, seconds.
#[cfg(feature = "web")]
pub(crate) fn bucket_width_s(length: std::time::Duration) -> u64 {
    timeline::width_s(length, timeline::MOST_BUCKETS)
}

/// The same of the charts of an endpoint.
#[cfg(feature = "web")]
pub(crate) fn endpoint_bucket_width_s(length: std::time::Duration) -> u64 {
    timeline::width_s(length, endpoints::MOST_BUCKETS)
}

/// Whether a figure or a state is good or bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Good.
    Good,
    /// Worth a look.
    Warning,
    /// Bad.
    Bad,
    /// No judgement.
    Neutral,
}

/// One of the figures on top.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// What it is.
    pub label: &'static str,
    /// The figure with its unit; `-` without data.
    pub value: String,
    /// A note below it.
    pub note: String,
    /// Its judgement.
    pub tone: Judgement,
    /// What changed since the run it is compared with.
    pub change: Option<String>,
}

/// See the module's description.
#[derive(Clone, Debug)]
pub struct Model<'a> {
    /// What was run, and how.
    pub info: &'a RunInfo,
    /// Why it ended.
    pub ended_by: &'a EndedBy,
    /// The final figures.
    pub snapshot: &'a Snapshot,
    /// What could not be read of the run, as sentences.
    pub problems: &'a [String],
    /// The verdict in capital letters.
    pub verdict: &'static str,
    /// The judgement of the verdict.
    pub verdict_tone: Judgement,
    /// Its reason in one sentence.
    pub sentence: String,
    /// Requests, rate, failed, p50, p95, p99.
    pub tiles: Vec<Tile>,
    /// What happened.
    pub findings: Vec<Finding>,
    /// The seconds of the run, in buckets.
    pub timeline: Timeline,
    /// Endpoints, in the order of the snapshot.
    pub endpoints: Vec<EndpointView<'a>>,
    /// All successes.
    pub ok: Sparse,
    /// All failures.
    pub failed: Sparse,
    /// Time × latency.
    pub heat: Option<HeatMap>,
    /// What changed since an earlier run.
    pub comparison: Option<&'a Comparison>,
    /// The timeline of that run.
    pub baseline: Option<BaselineCurves>,
    /// The last runs of the test, oldest first, with this one at the end.
    pub last_runs: Vec<TrendPoint>,
}

impl<'a> Model<'a> {
    /// The model of a run.
    pub fn new(record: &'a RunRecord, intervals: &[IntervalHistograms], problems: &'a [String]) -> Model<'a> {
        let (snapshot, ended_by) = (&*record.snapshot, record.ended_by());
        let timeline = Timeline::new(snapshot, intervals);
        let all = |kind| whole_run(intervals, kind);
        let (ok, failed) = (all(IntervalKind::Ok), all(IntervalKind::Failed));
        let findings = findings(record);
        let (verdict_tone, sentence) = verdict_sentence(record, &findings);
        Model {
            info: &record.info,
            ended_by,
            snapshot,
            problems,
            verdict: Verdict::of(record).words(),
            verdict_tone,
            sentence,
            tiles: tiles(snapshot),
            findings,
            endpoints: endpoints::views(snapshot, intervals),
            heat: HeatMap::new(snapshot.elapsed, intervals),
            timeline,
            ok,
            failed,
            comparison: None,
            baseline: None,
            last_runs: Vec::new(),
        }
    }

    /// Adds the last runs of the test, of which this one is the last; see [`Trend::up_to`](crate::results::Trend::up_to).
    #[must_use]
    pub fn among(mut self, last_runs: Vec<TrendPoint>) -> Self {
        self.last_runs = last_runs;
        self
    }

    /// The endpoints that deserve their own charts, the worst first: failing most, then slowest.
    pub fn worst_endpoints(&self, most: usize) -> Vec<&EndpointView<'a>> {
        let mut worst: Vec<&EndpointView<'a>> = self.endpoints.iter().collect();
        let p95 = |view: &EndpointView<'_>| view.stats.ok.map_or(0, |ok| ok.percentile_us(Percentile::P95));
        worst.sort_by(|a, b| {
            (b.stats.failures, p95(b)).cmp(&(a.stats.failures, p95(a))).then_with(|| a.id.cmp(&b.id))
        });
        worst.truncate(most);
        worst
    }
}

/// All values of the run of one kind, verdicts that changed later taken back.
fn whole_run(intervals: &[IntervalHistograms], kind: IntervalKind) -> Sparse {
    let part = |taken_back| {
        let key = IntervalKey { series: IntervalSeries::All, kind, taken_back };
        let mut sum = Sparse::default();
        intervals.iter().filter_map(|interval| interval.histograms.get(&key)).for_each(|v| sum.merge(v));
        sum
    };
    let mut values = part(false);
    values.remove(&part(true));
    values
}

/// The verdict of a run: its judgement, and its reason with the figures in one sentence.
pub(super) fn verdict_of(record: &RunRecord) -> (Judgement, String) {
    verdict_sentence(record, &findings(record))
}

fn verdict_sentence(record: &RunRecord, findings: &[Finding]) -> (Judgement, String) {
    let figures = super::text::figures_of(&record.snapshot);
    let first = |kind: &str| findings.iter().find(|finding| finding.kind == kind).map(Finding::sentence);
    let verdict = Verdict::of(record);
    let sentence = match (verdict, Verdict::reason(record)) {
        (Verdict::SetupFailed(_) | Verdict::NoRequests, Some(reason)) => reason,
        (_, Some(reason)) => format!("{reason}; {figures}"),
        (Verdict::NoThresholdsSet, None) => match first("stall").or_else(|| first("failing")) {
            Some(worst) => format!("{figures}; {worst}"),
            None => figures,
        },
        (_, None) => figures,
    };
    (judgement(verdict), sentence)
}

/// How a verdict is shown: whether it is good is its own matter.
pub(in crate::report) fn judgement(verdict: Verdict<'_>) -> Judgement {
    match verdict {
        Verdict::StoppedBySignal | Verdict::Unfinished => Judgement::Warning,
        Verdict::NoThresholdsSet => Judgement::Neutral,
        verdict if verdict.is_good() => Judgement::Good,
        _ => Judgement::Bad,
    }
}

fn tiles(snapshot: &Snapshot) -> Vec<Tile> {
    let total = &snapshot.total;
    let tile = |label, value, note, tone| Tile { label, value, note, tone, change: None };
    let latency = |percentile: Percentile| {
        let value = total.ok.and_then(|ok| ok.telling_us(percentile)).map(format::latency);
        let note = match (total.ok, &value) {
            (Some(_), None) => format!("fewer than {} successes", percentile.fewest()),
            _ => String::new(),
        };
        tile(percentile.name(), value.unwrap_or_else(|| "-".to_owned()), note, Judgement::Neutral)
    };
    let failed = total.failed_share();
    vec![
        tile(
            "Requests",
            format::count(total.requests),
            format!("in {}", format::run_length(snapshot.elapsed)),
            Judgement::Neutral,
        ),
        tile(
            "Rate",
            format!("{}/s", format::rate(total.rate)),
            snapshot.peak_rate.map_or_else(String::new, |peak| format!("peak {}/s", format::rate(peak))),
            Judgement::Neutral,
        ),
        tile(
            "Failed",
            failed.map_or_else(|| "-".to_owned(), |share| format!("{} %", format::percent(share))),
            format::plural(total.failures, "request"),
            if total.failures > 0 { Judgement::Bad } else { Judgement::Neutral },
        ),
        latency(Percentile::P50),
        latency(Percentile::P95),
        latency(Percentile::P99),
    ]
}
