//! The table of endpoints, and the details of the worst of them.

use std::time::Duration;

use maud::{Markup, html};

use super::table::{Cell, Table, keyed, or_dash};
use super::{figure, percentile, section, user, wrapping};
use crate::analysis::ComparedFigure;
use crate::metrics::{EndpointStats, PHASES, Percentile, Summary};
use crate::report::charts::{endpoint_charts, sparkline};
use crate::report::model::{EndpointView, Model, marked_change};
use crate::text::{format, format_clock};

/// Endpoints with charts of their own.
const MOST_DETAILED: usize = 20;

/// The shades of the phases of a request: neighbours differ by more than one step.
const HEATS: [u8; 6] = [6, 2, 4, 1, 5, 3];

/// What a row of the table is about: an endpoint, or all of them without a view of their own.
type Line<'a> = (&'a EndpointStats, Option<&'a EndpointView<'a>>);

/// Where the window is too narrow for all columns, report.css leaves out the less important ones, by their places: the
/// details have all figures.
pub(super) fn table(model: &Model<'_>) -> Markup {
    if model.endpoints.is_empty() {
        return Markup::default();
    }
    let scale = Scale::over(model.endpoints.iter().filter_map(|view| view.stats.ok));
    let latency = |us: Option<u64>| keyed(or_dash(us, format::latency), us.map_or(-1.0, |us| us as f64));
    let lines = model.endpoints.iter().map(|view| (view.stats, Some(view)));
    let mut table: Table<'_, Line<'_>> = Table::new("endpoint-table", "Endpoints", lines)
        .named_above()
        .total((&model.snapshot.total, None))
        .bad_if(|(stats, _)| stats.failures > 0)
        .text("Endpoint", |(stats, view)| match view {
            Some(_) => html! {
                @if stats.failures > 0 { span.mark title="has failures" { "✗" } " " }
                b { (user(&stats.method)) } " " (wrapping(&stats.name))
            },
            None => html! { "Total" },
        })
        .figures("Requests", |(stats, _)| keyed(format::count(stats.requests), stats.requests as f64))
        .figures("Failed", |(stats, _)| keyed(format::count(stats.failures), stats.failures as f64))
        .figures("Failed %", |(stats, _)| share(stats.failed_share()))
        .figures("Rate/s", |(stats, _)| keyed(format::rate(stats.rate), round(stats.rate)));
    use Percentile::{P50, P90, P95, P99, P99_9};
    for of in [P50, P90, P95, P99, P99_9] {
        table = table.figures(of.name(), move |(stats, _)| latency(percentile(stats.ok, of)));
    }
    table = table
        .figures("Max", |(stats, _)| latency(stats.ok.map(|ok| ok.max_us)))
        .figures("Mean", |(stats, _)| latency(stats.ok.map(|ok| ok.mean_us.round() as u64)))
        .figures("Bytes", |(stats, _)| {
            keyed(format::bytes(stats.bytes_received), stats.bytes_received as f64)
        })
        .figures("% of time", |(_, view)| match view {
            Some(view) => share(view.time_share),
            None => "100".into(),
        })
        .text("p95 over time", |(_, view)| {
            let p95 = |view: &EndpointView<'_>| -> Vec<Option<u64>> {
                view.buckets.iter().map(|bucket| bucket.ok.percentile_us(95.0)).collect()
            };
            view.map(|view| sparkline(&p95(view))).unwrap_or_default()
        })
        .text("p50 to max", |(stats, _)| {
            stats.ok.zip(scale.as_ref()).map(|(ok, scale)| scale.bar(&ok)).unwrap_or_default()
        });
    // The last column is there when there is a run to compare with.
    if model.comparison.is_some() {
        table = table.figures("p95 change", |(stats, _)| {
            let figure = model.change_of(&stats.method, &stats.name, ComparedFigure::P95);
            let shown = or_dash(figure.and_then(marked_change), |change| change);
            keyed(shown, figure.and_then(|figure| figure.change).map(round))
        });
    }
    let content = html! {
        p.note {
            "Whole run; - means too few requests for that percentile (100 for p99, 1,000 for p99.9)."
            span.less { " More columns: in a wider window, and in " a href="#each" { "Endpoint details" } "." }
        }
        p.filter hidden {
            label { "Filter endpoints " input type="search" id="filter" autocomplete="off"; }
        }
        (table)
    };
    section("endpoints", "Endpoints", content)
}

fn share(share: Option<f64>) -> Cell {
    keyed(or_dash(share, format::percent), share.map_or(-1.0, round))
}

fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn statuses(stats: &EndpointStats) -> String {
    let one = |&(status, count): &(u16, u64)| match status {
        0 => format!("none ×{}", format::count(count)),
        status => format!("{status} ×{}", format::count(count)),
    };
    stats.statuses.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// One logarithmic scale for the small distributions of all rows.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn over(all: impl Iterator<Item = Summary> + Clone) -> Option<Scale> {
        let low = all.clone().map(|ok| ok.min_us).min()?.max(1) as f64;
        let high = (all.map(|ok| ok.max_us).max()? as f64).max(low * 2.0);
        Some(Scale { low: low.ln(), high: high.ln() })
    }

    fn x(&self, us: u64) -> f64 {
        ((us.max(1) as f64).ln() - self.low) / (self.high - self.low) * 100.0
    }

    /// From the median to the maximum: thick to p90, thin to the longest.
    fn bar(&self, ok: &Summary) -> Markup {
        let (p50, p90, max) =
            (self.x(ok.median_us()), self.x(ok.percentile_us(Percentile::P90)), self.x(ok.max_us));
        let width = (p90 - p50).max(2.0);
        html! {
            svg.mini viewBox="0 0 100 12" aria-hidden="true" {
                path.l.max d=(format_args!("M{p50:.0} 6H{max:.0}")) {}
                path.f.p50 d=(format_args!("M{p50:.0} 2h{width:.0}v8h-{width:.0}z")) {}
            }
        }
    }
}

pub(super) fn details(model: &Model<'_>) -> Markup {
    let worst = model.worst_endpoints(MOST_DETAILED);
    let content = html! {
        @if model.endpoints.len() > worst.len() {
            p.note {
                (worst.len()) " of "
                (format::count(model.endpoints.len() as u64)) " endpoints: most failures, highest p95. The table above lists all."
            }
        }
        @for view in worst {
            @let stats = view.stats;
            details {
                summary {
                    b { (user(&stats.method)) } " " (wrapping(&stats.name))
                    " · " (format::count(stats.requests)) " requests · "
                    (or_dash(stats.failed_share(), format::percent)) " % failed · p95 "
                    (or_dash(percentile(stats.ok, Percentile::P95), format::latency))
                }
                @if let Some(chart) = endpoint_charts(model, view) { (figure(&chart)) }
                (figures(view))
                (phases(stats))
                (over_time(view))
            }
        }
    };
    section("each", "Endpoint details", content)
}

/// All figures of an endpoint, those that its row has no room for too.
fn figures(view: &EndpointView<'_>) -> Markup {
    let stats = view.stats;
    use Percentile::{P50, P75, P90, P95, P99, P99_9};
    html! {
        ul.inline {
            li { "Status: " (statuses(stats)) }
            li { (format::rate(stats.rate)) " requests/s" }
            @if let Some(ok) = stats.ok {
                li { "min " (format::latency(ok.min_us)) }
                @for of in [P50, P75, P90, P95, P99, P99_9] {
                    li { (of.name()) " " (or_dash(percentile(stats.ok, of), format::latency)) }
                }
                li { "max " (format::latency(ok.max_us)) }
                li { "mean " (format::latency(ok.mean_us.round() as u64)) }
            }
            li { (format::bytes(stats.bytes_received)) " received" }
            @if let Some(share) = view.time_share { li { (format::percent(share)) " % of the time of all requests" } }
        }
    }
}

/// How the time of its requests breaks down into phases.
fn phases(stats: &EndpointStats) -> Markup {
    let sum: u64 = stats.phase_us.iter().sum();
    if sum == 0 || stats.requests == 0 {
        return Markup::default();
    }
    let mut end = 0.0;
    let all = PHASES.iter().zip(stats.phase_us).enumerate().filter_map(|(index, (phase, us))| {
        let share = us as f64 / sum as f64;
        let (from, width) = (end, share * 600.0);
        (share >= 0.001).then(|| {
            end += width;
            let bar = format!("M{from:.1} 0h{width:.1}v20h-{width:.1}z");
            (
                HEATS[index % HEATS.len()],
                bar,
                phase,
                format::percent(share),
                format::latency(us / stats.requests),
            )
        })
    });
    let phases: Vec<_> = all.collect();
    html! {
        h4 { "Where its time went" }
        svg.bar viewBox="0 0 600 20" preserveAspectRatio="none" aria-hidden="true" {
            @for (heat, bar, ..) in &phases { path.f.{ "heat" (heat) } d=(bar) {} }
        }
        ul.inline {
            @for (heat, _, phase, share, each) in &phases {
                li {
                    svg.swatch viewBox="0 0 10 10" aria-hidden="true" { path.f.{ "heat" (heat) } d="M0 0h10v10h-10z" {} }
                    " " (phase) " " (share) " % (" (each) " per request)"
                }
            }
        }
    }
}

fn over_time(view: &EndpointView<'_>) -> Markup {
    let id = format!("endpoint-{}-data", view.id);
    let caption = user(&format!("{} {} in {} s steps", view.stats.method, view.stats.name, view.width_s));
    let all = view.buckets.iter().enumerate();
    let used = all.filter(|(_, bucket)| !bucket.ok.is_empty() || !bucket.failed.is_empty());
    let table = Table::new(&id, &caption, used)
        .text("From", |(index, _)| format_clock(Duration::from_secs(*index as u64 * view.width_s)))
        .figures("Requests", |(_, bucket)| format::count(bucket.ok.count() + bucket.failed.count()))
        .figures("Failed", |(_, bucket)| format::count(bucket.failed.count()))
        .figures("p50", |(_, bucket)| or_dash(bucket.ok.percentile_us(50.0), format::latency))
        .figures("p95", |(_, bucket)| or_dash(bucket.ok.percentile_us(95.0), format::latency))
        .figures("Max", |(_, bucket)| or_dash(bucket.ok.percentile_us(100.0), format::latency));
    html! { details { summary { "Data" } (table) } }
}
