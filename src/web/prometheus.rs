//! The run as metrics in Prometheus' text format.
//!
//! Names, units and types follow its conventions: base units, `_total` for counters. Invariants: the series are bounded, and
//! an endpoint keeps its own once it has them; the buckets of a histogram add up to its count, to the request.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use super::live::LiveRun;
use crate::analysis::agents::shown;
use crate::metrics::{
    AgentStats, IntervalHistograms, IntervalSeries, OutcomeTimes, Snapshot, Sparse, ThresholdState,
};

/// What the answer is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets, seconds.
const BOUNDS_S: [f64; 16] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// Endpoints, checks and thresholds with series of their own; the rest of the endpoints is `(other)` together.
const MOST_SERIES: usize = 200;

/// All metrics; without a run, that there is none.
pub(super) fn text(run: Option<&LiveRun>) -> String {
    let mut out = Text::default();
    out.metric("rhaid_up", "gauge", "Whether a run has begun or has been made.");
    out.value("rhaid_up", &[], f64::from(u8::from(run.is_some())));
    let Some(run) = run else { return out.0 };
    let record = run.record();
    out.metric("rhaid_run_info", "gauge", "The run: its name, id and version.");
    let labels = [("name", &*record.info.name), ("id", &run.id()), ("version", env!("CARGO_PKG_VERSION"))];
    out.value("rhaid_run_info", &labels, 1.0);
    let snapshot = &record.snapshot;
    state(&mut out, snapshot);
    run.with_intervals(&record, |intervals| requests(&mut out, intervals));
    iterations(&mut out, snapshot);
    checks(&mut out, snapshot);
    thresholds(&mut out, snapshot);
    agents(&mut out, snapshot);
    resources(&mut out, snapshot);
    out.0
}

/// The format as it is written.
#[derive(Default)]
struct Text(String);

impl Text {
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{}\"", if index == 0 { '{' } else { ',' }, escaped(text));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.metric(name, kind, help);
            self.value(name, &[], value);
        }
    }
}

/// The value of a label: backslash, quote and line break have a form of their own, other control characters are left out.
fn escaped(text: &str) -> String {
    let text = crate::credentials::masked(text);
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

fn state(out: &mut Text, snapshot: &Snapshot) {
    let now = AgentStats::busiest_now(&snapshot.agents).unwrap_or(snapshot.generator.now);
    let gauges = [
        ("rhaid_virtual_users", "Virtual users that run.", Some(snapshot.users as f64)),
        ("rhaid_virtual_users_target", "Virtual users that should run.", Some(snapshot.users_target as f64)),
        ("rhaid_requests_in_flight", "Requests without an answer yet.", Some(snapshot.in_flight as f64)),
        ("rhaid_run_elapsed_seconds", "Time since the load began.", Some(snapshot.elapsed.as_secs_f64())),
        (
            "rhaid_generator_cpu_ratio",
            "Share of its cores that the load generator, of several the busiest, used in the last second.",
            now.cpu,
        ),
    ];
    for (name, help, value) in gauges {
        out.single(name, "gauge", help, value);
    }
    let total = &snapshot.total;
    let counters = [
        ("rhaid_data_sent_bytes_total", "Bytes sent by requests.", total.bytes_sent),
        ("rhaid_data_received_bytes_total", "Bytes received by requests.", total.bytes_received),
    ];
    for (name, help, value) in counters {
        out.single(name, "counter", help, Some(value as f64));
    }
    out.metric("rhaid_run_phase", "gauge", "1 for the phase of the run.");
    out.value("rhaid_run_phase", &[("phase", snapshot.phase.as_str())], 1.0);
}

/// Latency of an endpoint: successes and failures.
struct Latency {
    method: Arc<str>,
    name: Arc<str>,
    times: OutcomeTimes,
}

/// Requests by endpoint, as they appeared.
fn by_endpoint(intervals: &[IntervalHistograms]) -> Vec<Latency> {
    let unknown = |method: &Arc<str>, name: &Arc<str>| Latency {
        method: method.clone(),
        name: name.clone(),
        times: OutcomeTimes::default(),
    };
    let mut places = BTreeMap::new();
    let mut endpoints: Vec<Latency> = Vec::new();
    for (key, values) in intervals.iter().flat_map(|interval| &interval.histograms) {
        let IntervalSeries::Requests { method, name, .. } = &key.series else { continue };
        let place = *places.entry((method.clone(), name.clone())).or_insert_with(|| {
            // Whoever comes later shares the last place.
            if endpoints.len() < MOST_SERIES {
                endpoints.push(unknown(method, name));
            } else if endpoints.len() == MOST_SERIES {
                endpoints.push(unknown(&Arc::from(""), &Arc::from("(other)")));
            }
            endpoints.len() - 1
        });
        endpoints[place].times.add(key, values);
    }
    endpoints
}

fn requests(out: &mut Text, intervals: &[IntervalHistograms]) {
    let name = "rhaid_request_duration_seconds";
    out.metric(name, "histogram", "Service time of requests, successes and failures apart.");
    for latency in by_endpoint(intervals) {
        for (outcome, values) in [("ok", &latency.times.ok), ("failed", &latency.times.failed)] {
            if values.is_empty() {
                continue;
            }
            let labels = [("method", &*latency.method), ("name", &*latency.name), ("outcome", outcome)];
            histogram(out, name, &labels, values);
        }
    }
}

fn histogram(out: &mut Text, name: &str, labels: &[(&str, &str)], values: &Sparse) {
    let bucket = format!("{name}_bucket");
    let mut rest = values.values().peekable();
    let mut below = 0;
    for bound in BOUNDS_S {
        // Each value stands for its whole bucket of three digits.
        while let Some((_, count)) = rest.next_if(|(us, _)| *us as f64 <= bound * 1e6) {
            below += count;
        }
        let bound = bound.to_string();
        out.value(&bucket, &[labels, &[("le", bound.as_str())]].concat(), below as f64);
    }
    out.value(&bucket, &[labels, &[("le", "+Inf")]].concat(), values.count() as f64);
    out.value(&format!("{name}_sum"), labels, values.sum_us() as f64 / 1e6);
    out.value(&format!("{name}_count"), labels, values.count() as f64);
}

fn iterations(out: &mut Text, snapshot: &Snapshot) {
    let stats = &snapshot.iterations;
    let name = "rhaid_iterations_total";
    out.metric(name, "counter", "Iterations that ended.");
    let ways = [("completed", stats.completed), ("failed", stats.failed), ("interrupted", stats.interrupted)];
    for (outcome, count) in ways {
        out.value(name, &[("outcome", outcome)], count as f64);
    }
    let dropped = Some(stats.dropped as f64);
    out.single(
        "rhaid_dropped_iterations_total",
        "counter",
        "Iterations that were due and never began.",
        dropped,
    );
    let errors = snapshot.script_errors.iter().map(|group| group.count).sum::<u64>();
    out.single("rhaid_script_errors_total", "counter", "Errors of scripts.", Some(errors as f64));
}

fn checks(out: &mut Text, snapshot: &Snapshot) {
    if snapshot.checks.is_empty() {
        return;
    }
    let name = "rhaid_checks_total";
    out.metric(name, "counter", "Checks by name and outcome.");
    for (check, count) in snapshot.checks.iter().take(MOST_SERIES) {
        out.value(name, &[("name", check), ("outcome", "passed")], count.passes as f64);
        out.value(name, &[("name", check), ("outcome", "failed")], count.fails as f64);
    }
}

fn thresholds(out: &mut Text, snapshot: &Snapshot) {
    if snapshot.thresholds.is_empty() {
        return;
    }
    let name = "rhaid_threshold_breached";
    out.metric(name, "gauge", "1 while a threshold is breached.");
    for stats in snapshot.thresholds.iter().take(MOST_SERIES) {
        let breached = stats.state == ThresholdState::Broken;
        out.value(
            name,
            &[("threshold", &crate::analysis::thresholds::whole(&stats.threshold))],
            f64::from(u8::from(breached)),
        );
    }
}

/// By name: an agent that was started again is one with the one before.
fn agents(out: &mut Text, snapshot: &Snapshot) {
    if snapshot.agents.is_empty() {
        return;
    }
    #[derive(Default)]
    struct Sum {
        is_up: bool,
        users: u64,
        requests: u64,
        cpu: Option<f64>,
    }
    let (shown, _) = shown(&snapshot.agents, MOST_SERIES);
    let mut by_name: BTreeMap<&str, Sum> = BTreeMap::new();
    for agent in shown {
        let sum = by_name.entry(&agent.name).or_default();
        let is_up = agent.state.is_there();
        sum.is_up |= is_up;
        sum.users += agent.users;
        sum.requests += agent.requests;
        let cpu = agent.generator.as_ref().and_then(|generator| generator.now.cpu);
        sum.cpu = cpu.filter(|_| is_up).or(sum.cpu);
    }
    type Value = fn(&Sum) -> Option<f64>;
    let metrics: [(&str, &str, &str, Value); 4] = [
        ("rhaid_agent_up", "gauge", "Whether the agent takes part, or has done its part.", |sum| {
            Some(f64::from(u8::from(sum.is_up)))
        }),
        ("rhaid_agent_virtual_users", "gauge", "Virtual users that run on the agent.", |sum| {
            Some(sum.users as f64)
        }),
        ("rhaid_agent_requests_total", "counter", "Requests that the agent has reported.", |sum| {
            Some(sum.requests as f64)
        }),
        (
            "rhaid_agent_cpu_ratio",
            "gauge",
            "Share of its cores that the agent used in the last second.",
            |sum| sum.cpu,
        ),
    ];
    for (name, kind, help, value) in metrics {
        out.metric(name, kind, help);
        for (agent, sum) in &by_name {
            if let Some(value) = value(sum) {
                out.value(name, &[("agent", agent)], value);
            }
        }
    }
}

fn resources(out: &mut Text, snapshot: &Snapshot) {
    let metrics: [(&str, &str, &str, f64); 6] = [
        ("target_cpu", "rhaid_target_cpu_ratio", "CPU of the target, in cores.", 0.01),
        ("target_memory", "rhaid_target_memory_bytes", "Memory of the target.", 1.0),
        ("system_cpu", "rhaid_system_cpu_ratio", "Share of the machine's CPU in use.", 0.01),
        ("system_memory", "rhaid_system_memory_bytes", "Memory of the machine in use.", 1.0),
        ("generator_cpu", "rhaid_process_cpu_ratio", "CPU of the load generator, in cores.", 0.01),
        ("generator_memory", "rhaid_process_memory_bytes", "Memory of the load generator.", 1.0),
    ];
    for (metric, name, help, factor) in metrics {
        let last = snapshot.resources.stats_of(metric).map(|stats| stats.last * factor);
        out.single(name, "gauge", help, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_cpu_of_the_generator_is_that_of_the_last_second_and_of_the_busiest_agent() {
        let told = |run: &Snapshot| {
            let mut out = Text::default();
            state(&mut out, run);
            let line = out.0.lines().find(|line| line.starts_with("rhaid_generator_cpu_ratio"));
            line.unwrap_or_default().to_owned()
        };
        let mut run = fixture::finished();
        (run.generator.cpu, run.generator.now.cpu) = (Some(0.25), Some(0.75));
        assert_eq!(told(&run), "rhaid_generator_cpu_ratio 0.75");
        run.agents = fixture::distributed().agents;
        for (agent, cpu) in run.agents.iter_mut().zip([0.5, 0.875]) {
            agent.generator.as_mut().unwrap().now.cpu = Some(cpu);
        }
        assert_eq!(told(&run), "rhaid_generator_cpu_ratio 0.875");
    }

    #[test]
    fn agents_have_series_by_name_once_and_none_of_what_is_not_known() {
        let mut run = fixture::distributed();
        // It was started again under its name.
        let again = crate::metrics::AgentStats { name: "a3".to_owned(), users: 5, ..run.agents[0].clone() };
        let told = |run: &Snapshot| {
            let mut out = Text::default();
            agents(&mut out, run);
            out.0
        };
        assert!(told(&run).contains("\nrhaid_agent_up{agent=\"a3\"} 0\n"));
        run.agents.push(again);
        let text = told(&run);
        for line in [
            "rhaid_agent_up{agent=\"a3\"} 1",
            "rhaid_agent_virtual_users{agent=\"a3\"} 5",
            "rhaid_agent_requests_total{agent=\"a3\"} 763",
            "rhaid_agent_cpu_ratio{agent=\"a2\"} 0.97",
        ] {
            assert_eq!(text.lines().filter(|one| *one == line).count(), 1, "{line} in {text}");
        }
        assert!(!text.contains("rhaid_agent_cpu_ratio{agent=\"a4\"}"), "{text}");
        assert_eq!(told(&fixture::finished()), "");
    }
}
