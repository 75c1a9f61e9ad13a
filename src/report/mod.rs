//! How a run is presented to people: views made from a snapshot alone.
//!
//! Owns layout. Leaves wording of results to `analysis`, printing to `cli` and files to `results`.
//! Invariant: pure functions of snapshot and run facts, without clock or I/O, so that two views of
//! one snapshot show the same figures.

#[cfg(feature = "charts")]
mod charts;
#[cfg(feature = "charts")]
mod html;
#[cfg(feature = "junit")]
mod junit;
mod markdown;
#[cfg(feature = "charts")]
mod markup;
mod model;
mod text;

pub use crate::credentials::masked;
#[cfg(feature = "charts")]
pub use charts::{
    Chart, capacity_chart, distribution_charts, resources_svg, timeline_charts, trend_charts, trend_row,
};
#[cfg(feature = "charts")]
pub use html::{
    comparison_page, html_report, live_page, live_parts, live_script, live_style, live_top,
    playground_script, trend_page,
};
#[cfg(feature = "junit")]
pub use junit::{junit, refused_junit};
pub use markdown::{compared_markdown, comparison_markdown, markdown};
pub use model::{BaselineCurves, Bucket, EndpointView, HeatMap, Judgement, Model, Tile, Timeline};
#[cfg(feature = "web")]
pub(crate) use model::{bucket_width_s, endpoint_bucket_width_s};
pub use text::{
    Look, compared_summary, comparison_table, first_failure, generator_warning, live, percentile_table,
    plain_line, plain_resource_line, resource_line, resource_table, short_summary, summary, trend_table,
};
#[cfg(feature = "cli")]
pub(crate) use text::{Mark, Tone};
