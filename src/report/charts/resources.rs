//! What `rhaid monitor` measured, as one picture: CPU, memory, network and disk of target and machine over time.
//!
//! Owns how samples become points. Invariant: a second without a value is a gap, and so is time that no sample
//! covers; the largest values are taken from all samples, even where a point merges many.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::labels::label_ends;
use super::plot::{Axis, LEFT, RIGHT, WIDTH, bytes, bytes_per_second, draw, draw_line, percent, plot};
use super::svg_file::stacked;
use super::theme::Role;
use super::{Chart, Shape};
use crate::credentials::masked;
use crate::metrics::{ResourceInfo, ResourceSample, Resources};
use crate::text::format;
use crate::text::format_clock;
use crate::text::utc::utc;
use crate::text::{clean_line, cut_middle};

const HEIGHT: u32 = 260;

/// Maximum number of points of a line; more could not be distinguished.
const MOST_POINTS: usize = 300;

/// Letters of a line about the target that fit into the width.
const LONGEST_LINE: usize = 105;

/// One of the lines of a panel: a resource metric, what it is called there, and how it looks.
type Line = (&'static str, &'static str, Role);

/// A chart of one unit.
struct Panel {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    lines: &'static [Line],
    label: fn(f64) -> String,
    /// What all of it is, where that is known: the axis ends there.
    whole: Option<f64>,
}

const PANELS: [Panel; 6] = [
    Panel {
        id: "target-cpu",
        title: "CPU of the target",
        unit: "% of one core",
        lines: &[("target_cpu", "target", Role::One)],
        label: percent,
        whole: None,
    },
    Panel {
        id: "target-memory",
        title: "Memory of the target",
        unit: "resident",
        lines: &[("target_memory", "target", Role::One)],
        label: bytes,
        whole: None,
    },
    Panel {
        id: "system-cpu",
        title: "CPU of the machine",
        unit: "% of all cores",
        lines: &[("system_cpu", "machine", Role::Two)],
        label: percent,
        whole: Some(100.0),
    },
    Panel {
        id: "system-memory",
        title: "Memory of the machine",
        unit: "in use",
        lines: &[("system_memory", "machine", Role::Two)],
        label: bytes,
        whole: None,
    },
    Panel {
        id: "network",
        title: "Network of the machine, loopback included",
        unit: "bytes/s",
        lines: &[("system_net_received", "received", Role::One), ("system_net_sent", "sent", Role::Two)],
        label: bytes_per_second,
        whole: None,
    },
    Panel {
        id: "disk",
        title: "Disks of the machine",
        unit: "bytes/s",
        lines: &[("system_disk_read", "read", Role::One), ("system_disk_written", "written", Role::Two)],
        label: bytes_per_second,
        whole: None,
    },
];

/// The samples as one SVG file, with a chart for each of those panels that have data; `None` without any.
pub fn resources_svg(resources: &Resources, started_at: SystemTime) -> Option<String> {
    let samples = resources.samples.since(0);
    let charts: Vec<Chart> = PANELS.iter().filter_map(|panel| chart(panel, &samples)).collect();
    if charts.is_empty() {
        return None;
    }
    let info = resources.info.as_deref();
    let target = info.and_then(|info| info.target.as_deref());
    let target = target.map(|target| masked(&clean_line(target)).into_owned());
    let of = target.map_or_else(|| "Machine only".to_owned(), |target| format!("Target: {target}"));
    let title = format!("Resources from {}, {}", utc(started_at), machine(info));
    Some(stacked(&title, &cut_middle(&of, LONGEST_LINE, "…"), &charts))
}

fn machine(info: Option<&ResourceInfo>) -> String {
    match info {
        Some(ResourceInfo { cores, memory_total, .. }) => {
            format!("{cores} cores, {} of memory", format::bytes(*memory_total))
        }
        None => "machine of unknown size".to_owned(),
    }
}

fn chart(panel: &Panel, samples: &[Arc<ResourceSample>]) -> Option<Chart> {
    let label = panel.label;
    let with_data: Vec<(&Line, Duration, f64)> = panel
        .lines
        .iter()
        .filter_map(|line| peak(samples, line.0).map(|(at, most)| (line, at, most)))
        .collect();
    let points: Vec<Points> = with_data.iter().map(|(line, ..)| points(samples, line.0)).collect();
    let most = points.iter().flatten().filter_map(|(_, value)| *value).max_by(f64::total_cmp)?;
    let x = Axis::time(samples.last()?.at.as_secs_f64());
    let y = match panel.whole {
        Some(whole) => Axis::to_whole(whole, label),
        None => Axis::from_zero(most, label),
    };
    let body = draw(HEIGHT, |area| {
        let mut plot = plot(area, &x, &y, |_| Ok(()))?;
        for ((line, ..), points) in with_data.iter().zip(&points) {
            draw_line(&mut plot, points.iter().copied(), line.2)?;
        }
        let ends = with_data.iter().zip(&points).map(|((line, ..), points)| {
            let last = points.iter().rev().find_map(|(_, value)| *value);
            (x.range.end, last, line.1, line.2)
        });
        // A line alone is named by the title.
        label_ends(area, &plot, if with_data.len() > 1 { ends.collect() } else { Vec::new() })
    })?;
    let told = with_data
        .iter()
        .map(|(line, at, most)| format!("{} up to {}, at {}", line.1, label(*most), format_clock(*at)));
    let each = samples_a_point(samples.len());
    let means = if each > 1 { format!("; each point is the mean of {each} samples") } else { String::new() };
    Some(Chart {
        id: panel.id.to_owned(),
        title: panel.title.to_owned(),
        unit: panel.unit,
        description: format!("{}{means}.", told.collect::<Vec<_>>().join("; ")),
        size: (WIDTH, HEIGHT),
        time_axis: Some((LEFT, WIDTH - RIGHT)),
        legend: with_data.iter().map(|(line, ..)| (line.2, Shape::Line, line.1)).collect(),
        limits: Vec::new(),
        body,
    })
}

/// The largest value, and when it was measured.
fn peak(samples: &[Arc<ResourceSample>], metric: &str) -> Option<(Duration, f64)> {
    let values = samples.iter().filter_map(|sample| Some((sample.at, sample.value(metric)?)));
    values.max_by(|a, b| a.1.total_cmp(&b.1))
}

fn samples_a_point(samples: usize) -> usize {
    samples.div_ceil(MOST_POINTS).max(1)
}

/// Places of a line in seconds, without a value where it is broken.
type Points = Vec<(f64, Option<f64>)>;

/// A point for each sample, or for each few of a long measurement, in the middle of its time.
fn points(samples: &[Arc<ResourceSample>], metric: &str) -> Points {
    let mut points = Points::new();
    let mut covered = Duration::ZERO;
    for group in samples.chunks(samples_a_point(samples.len())) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let from = first.at.saturating_sub(first.length);
        // Seconds that nothing was measured in, such as those of a machine that slept.
        if from > covered + first.length / 2 {
            points.push((covered.as_secs_f64(), None));
        }
        covered = last.at;
        let values: Vec<f64> = group.iter().filter_map(|sample| sample.value(metric)).collect();
        let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        points.push(((from + last.at).as_secs_f64() / 2.0, mean));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ProcessUse, SystemUse};

    /// A sample of each second, of a machine whose CPU is the second's number.
    fn measured(seconds: impl IntoIterator<Item = u64>, target: impl Fn(u64) -> Option<f64>) -> Resources {
        let info = ResourceInfo {
            cores: 2,
            memory_total: 8_000_000_000,
            target: Some("<shop> & sons (pid 7)".to_owned()),
            ..ResourceInfo::default()
        };
        let mut resources = Resources { info: Some(Arc::new(info)), ..Resources::default() };
        for second in seconds {
            resources.add(ResourceSample {
                at: Duration::from_secs(second),
                length: Duration::from_secs(1),
                system: SystemUse { cpu: Some(second as f64), ..SystemUse::default() },
                target: target(second).map(|cpu| ProcessUse {
                    processes: 1,
                    cpu: Some(cpu),
                    memory: second * 1_000_000,
                    ..ProcessUse::default()
                }),
                generator: None,
            });
        }
        resources
    }

    /// Strokes of a class in a panel; those of the legend lie flat and are none.
    fn strokes(svg: &str, panel: &str, class: &str) -> usize {
        let chart = svg.split("<g transform").find(|part| part.contains(panel)).unwrap_or_default();
        let start = format!("<path class=\"l {class}\" d=\"");
        let paths = chart.split(start.as_str()).skip(1).map(|path| path.split('"').next().unwrap());
        paths.filter(|path| !path.contains('h')).map(|path| path.matches('M').count()).sum()
    }

    #[test]
    fn what_was_not_measured_is_a_gap_and_no_chart() {
        // The target is away in seconds 4 to 6; nobody looked in seconds 10 to 19.
        let away = |second| (!(4..=6).contains(&second)).then_some(50.0);
        let svg = resources_svg(&measured((1..10).chain(20..25), away), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(strokes(&svg, ">CPU of the target", "one"), 3, "{svg}");
        assert_eq!(strokes(&svg, ">Memory of the target", "one"), 3, "{svg}");
        assert_eq!(strokes(&svg, ">CPU of the machine", "two"), 2, "{svg}");
        assert!(!svg.contains("Network") && !svg.contains("Disk") && !svg.contains("Memory of the machine"));
        assert!(svg.contains("CPU of the target: target up to 50 %, at 00:24."), "{svg}");
        assert!(svg.contains("Resources from 1970-01-01T00:00:00Z, 2 cores, 8.0 GB of memory"), "{svg}");
        assert!(svg.contains("Target: &lt;shop&gt; &amp; sons (pid 7)"), "{svg}");
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert_eq!(svg.matches("http").count(), 1, "only the name of the format: {svg}");
    }

    #[test]
    fn a_day_is_a_small_picture_that_tells_its_highest_second() {
        let day = measured(1..=86_400, |second| Some(if second == 40_000 { 400.0 } else { 10.0 }));
        let svg = resources_svg(&day, SystemTime::UNIX_EPOCH).unwrap();
        assert!(svg.len() < 30_000, "{} bytes", svg.len());
        assert!(
            svg.contains("target up to 400 %, at 11:06:40; each point is the mean of 288 samples"),
            "{svg}"
        );
        assert_eq!(points(&day.samples.since(0), "target_cpu").len(), MOST_POINTS);
    }

    #[test]
    fn nothing_measured_is_no_picture() {
        assert_eq!(resources_svg(&Resources::default(), SystemTime::UNIX_EPOCH), None);
        let one = resources_svg(&measured(1..2, |_| None), SystemTime::UNIX_EPOCH).unwrap();
        assert!(one.contains("<path class=\"d two\""), "one sample is a dot: {one}");
        assert!(!one.contains("of the target"), "{one}");
    }
}
