//! CPU, memory, network and disk in a terminal: a section of the summary, and the line of `rhaid monitor`.

use std::time::Duration;

use super::look::{Look, Mark};
use super::sparkline::sparkline;
use super::table::{Row, Table};
use crate::metrics::{Quantity, ResourceSample, Resources, builtin};
use crate::text::format;
use crate::text::format_clock;
use crate::text::{clean_line, width};

/// This process when it makes the load.
const GENERATOR: &str = "generator";

/// What this process is called in a run with so many agents: without any, it makes the load itself.
pub(super) fn process(agents: usize) -> &'static str {
    if agents == 0 { GENERATOR } else { "coordinator" }
}

/// What stands where nothing was measured.
const NO_DATA: &str = "-";

/// The section of the summary: a row for the target, the machine and this process; nothing without samples.
pub fn resource_table(resources: &Resources, look: Look) -> Vec<String> {
    table_with(resources, GENERATOR, look)
}

/// The same, with the name of this process.
pub(super) fn table_with(resources: &Resources, process: &str, look: Look) -> Vec<String> {
    if resources.stats.is_empty() {
        return Vec::new();
    }
    let info = resources.info.as_deref();
    let target = info.and_then(|info| info.target.as_deref());
    let is_generator = info.is_some_and(|info| info.target_is_generator);
    let machine = match info.and_then(|info| info.target_machine.as_ref()) {
        Some(machine) => format!("{}, {} cores", machine.name, machine.cores),
        None => format!("{} cores", info.map_or(0, |info| info.cores)),
    };
    let mut rows = Vec::new();
    if let Some(target) = target {
        let also = if is_generator { "; same process as the generator" } else { "" };
        rows.push(row(resources, "target", "target", format!("{target}{also}")));
    }
    rows.push(row(resources, "system", "machine", machine));
    if !is_generator {
        rows.push(row(resources, "generator", process, String::new()));
    }
    let headers = ["resources", "CPU mean", "max", "memory mean", "max", "threads", "files"];
    Table::new(&headers, rows).render(look)
}

fn row(resources: &Resources, of: &str, name: &str, note: String) -> Row {
    let figure = |metric: &str, value: fn(&crate::metrics::GaugeStats) -> f64| {
        let stats = resources.stats_of(&format!("{of}_{metric}"));
        stats.map_or_else(|| NO_DATA.to_owned(), |stats| amount(value(stats), stats.metric.quantity()))
    };
    let cells = vec![
        figure("cpu", |stats| stats.avg),
        figure("cpu", |stats| stats.max),
        figure("memory", |stats| stats.avg),
        figure("memory", |stats| stats.max),
        figure("threads", |stats| stats.max),
        figure("fds", |stats| stats.max),
    ];
    let notes = if note.is_empty() { Vec::new() } else { vec![clean_line(&note)] };
    Row { mark: Mark::Blank, name: name.to_owned(), cells, notes }
}

/// Seconds in a sparkline of the live block: fewer say nothing.
const SPARK_SECONDS: std::ops::RangeInclusive<usize> = 5..=40;

/// Lines of the live block, most important first: the target, the machine, this process if it makes the load. None without
/// samples.
pub(super) fn live_lines(resources: &Resources, makes_load: bool, look: Look) -> Vec<String> {
    let Some(sample) = newest(resources) else { return Vec::new() };
    let info = resources.info.as_deref();
    let has_target = info.is_some_and(|info| info.target.is_some());
    let has_generator = makes_load && !info.is_some_and(|info| info.target_is_generator);
    let shown = [("target", has_target), ("system", true), ("generator", has_generator)];
    let shown: Vec<&str> = shown.into_iter().filter(|(_, is_shown)| *is_shown).map(|(of, _)| of).collect();
    let room = |line: &str| look.width.saturating_sub(width(line) + 2) / 2;
    let rooms: Vec<usize> =
        shown.iter().map(|of| room(&live_line(resources, &sample, of, 0, look))).collect();
    // The same seconds in each line, if all have the room.
    let narrowest = rooms.iter().copied().min().filter(|room| room >= SPARK_SECONDS.start());
    let line = |(of, room): (&&str, &usize)| {
        let seconds = narrowest.unwrap_or(*room).min(*SPARK_SECONDS.end());
        live_line(resources, &sample, of, if seconds < *SPARK_SECONDS.start() { 0 } else { seconds }, look)
    };
    shown.iter().zip(&rooms).map(line).collect()
}

/// ` target     CPU   37 % ▂▅▇█   memory  41.2 MB ▁▂▃▃   threads 9   files 12`, with this many seconds in the sparklines.
fn live_line(resources: &Resources, sample: &ResourceSample, of: &str, seconds: usize, look: Look) -> String {
    let show = |metric: &str| value(sample, &format!("{of}_{metric}"));
    let figure = |metric: &str, columns: usize| {
        let samples = resources.samples.since(resources.samples.len().saturating_sub(seconds));
        let name = format!("{of}_{metric}");
        let values: Vec<Option<f64>> = samples.iter().map(|sample| sample.value(&name)).collect();
        // The first seconds of a run must not move what stands to the right.
        let gap = " ".repeat(seconds.saturating_sub(values.len()));
        let spark = if seconds == 0 { String::new() } else { format!(" {gap}{}", sparkline(&values, look)) };
        format!("{:>columns$}{spark}", show(metric))
    };
    let rest = match of {
        "system" => format!("net {} out  {} in", show("net_sent"), show("net_received")),
        _ => format!("threads {}   files {}", show("threads"), show("fds")),
    };
    let name = if of == "system" { "machine" } else { of };
    format!(" {name:<9}  CPU {}   memory {}   {rest}", figure("cpu", 5), figure("memory", 8))
}

/// The newest sample in one line, for a terminal: machine, then process.
pub fn resource_line(resources: &Resources, planned: Option<Duration>) -> String {
    let Some(sample) = newest(resources) else { return " measuring …".to_owned() };
    let planned = planned.map_or_else(String::new, |planned| format!(" / {}", format_clock(planned)));
    let show = |name: &str| value(&sample, name);
    let mut line = format!(
        " {}{planned}  machine CPU {} memory {} net {} out {} in",
        format_clock(sample.at),
        show("system_cpu"),
        show("system_memory"),
        show("system_net_sent"),
        show("system_net_received"),
    );
    if resources.info.as_deref().is_some_and(|info| info.target.is_some()) {
        line.push_str(&format!(
            "  target CPU {} memory {} threads {} files {}",
            show("target_cpu"),
            show("target_memory"),
            show("target_threads"),
            show("target_fds"),
        ));
    }
    line
}

/// The newest sample as `key=value` pairs in a fixed order, for logs: percent, bytes, bytes per second, counts.
pub fn plain_resource_line(resources: &Resources) -> String {
    const KEYS: [&str; 8] = [
        "system_cpu",
        "system_memory",
        "system_net_sent",
        "system_net_received",
        "target_cpu",
        "target_memory",
        "target_threads",
        "target_fds",
    ];
    let sample = newest(resources).unwrap_or_default();
    let mut line = format!("time={}", format_clock(sample.at));
    for key in KEYS {
        let value = sample.value(key).map_or_else(|| NO_DATA.to_owned(), |value| format!("{value:.1}"));
        line.push_str(&format!(" {key}={value}"));
    }
    line
}

fn newest(resources: &Resources) -> Option<ResourceSample> {
    let newest = resources.samples.since(resources.samples.len().saturating_sub(1));
    newest.first().map(|sample| ResourceSample::clone(sample))
}

fn value(sample: &ResourceSample, name: &str) -> String {
    match (sample.value(name), builtin::named(name)) {
        (Some(value), Some(metric)) => amount(value, metric.quantity()),
        _ => NO_DATA.to_owned(),
    }
}

/// A value with its unit: `37 %`, `41.2 MB`, `1.3 MB/s`, `12`.
fn amount(value: f64, unit: Quantity) -> String {
    let whole = value.round().max(0.0) as u64;
    match unit {
        Quantity::Percent => format!("{whole} %"),
        Quantity::Bytes => format::bytes(whole),
        Quantity::BytesPerSecond => format!("{}/s", format::bytes(whole)),
        _ => format::count(whole),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::{ProcessUse, ResourceInfo, SystemUse};

    const PLAIN: Look = Look { width: 100, unicode: false, color: false };

    fn measured(target: Option<ProcessUse>) -> Resources {
        let info = ResourceInfo {
            cores: 2,
            memory_total: 8_000_000_000,
            target: Some("shop (pid 7)".to_owned()),
            ..ResourceInfo::default()
        };
        let mut resources = Resources { info: Some(Arc::new(info)), ..Resources::default() };
        let system = SystemUse { cpu: Some(25.4), memory: Some(2_000_000_000), ..SystemUse::default() };
        resources.add(ResourceSample {
            at: Duration::from_secs(61),
            system,
            target,
            ..ResourceSample::default()
        });
        resources
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let target =
            ProcessUse { processes: 1, memory: 41_200_000, threads: Some(9), ..ProcessUse::default() };
        let resources = measured(Some(target));
        let table = resource_table(&resources, PLAIN).join("\n");
        let target = table.lines().find(|line| line.contains("target")).unwrap();
        let cells: Vec<&str> = target.split_whitespace().collect();
        assert_eq!(cells, ["target", "-", "-", "41.2", "MB", "41.2", "MB", "9", "-"]);
        assert!(
            table.contains("shop (pid 7)") && table.contains("2 cores") && table.contains("25 %"),
            "{table}"
        );
        let line = resource_line(&resources, Some(Duration::from_secs(120)));
        assert!(line.starts_with(" 01:01 / 02:00  machine CPU 25 % memory 2.0 GB net - out - in"), "{line}");
        assert!(line.ends_with("target CPU - memory 41.2 MB threads 9 files -"), "{line}");
        let plain = plain_resource_line(&resources);
        assert!(
            plain.contains("system_cpu=25.4") && plain.contains("target_cpu=- target_memory=41200000.0"),
            "{plain}"
        );
    }

    #[test]
    fn a_target_that_is_gone_has_no_figures() {
        let table = resource_table(&measured(None), PLAIN).join("\n");
        let target = table.lines().find(|line| line.contains("target")).unwrap();
        let cells: Vec<&str> = target.split_whitespace().collect();
        assert_eq!(cells, ["target", "-", "-", "-", "-", "-", "-"], "{table}");
        assert!(resource_table(&Resources::default(), PLAIN).is_empty());
    }
}
