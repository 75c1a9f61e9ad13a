//! Drawings against what they are made from.

use super::*;
use crate::fixture::{self, assert_golden};
use crate::metrics::{IntervalHistograms, Snapshot};
use crate::plan::EndedBy;

/// The charts of the made-up run, drawn from its log.
fn charts() -> Vec<Chart> {
    of_run(&fixture::snapshots())
}

fn of_run(snapshots: &[Snapshot]) -> Vec<Chart> {
    let snapshot = snapshots.last().unwrap();
    of(snapshot, &snapshot.intervals.taker().take())
}

fn of(snapshot: &Snapshot, intervals: &[IntervalHistograms]) -> Vec<Chart> {
    let record = fixture::record(EndedBy::RunTime, snapshot);
    let model = Model::new(&record, intervals, &[]);
    let endpoints = model.endpoints.iter().filter_map(|view| endpoint_charts(&model, view));
    timeline_charts(&model).into_iter().chain(distribution_charts(&model)).chain(endpoints).collect()
}

/// The run with limits near each other, on each other, at edges, in phases and far away.
fn limited_charts() -> Vec<Chart> {
    of_run(&fixture::limited_by(&LIMITS))
}

const LIMITS: [&str; 12] = [
    "http_req_duration: p(95) < 100ms",
    "http_req_duration: med < 105ms",
    "http_req_duration: p(99) < 100ms over 3s",
    "http_req_duration{expected_response:true}: max < 2s in steady",
    "http_req_duration: p(99) < 1h",
    "http_req_duration: avg < 90ms",
    "http_req_duration: p(50) > 1us",
    "http_req_duration{name:/health,method:GET}: p(95) < 5ms",
    "http_req_duration{name:/health,method:POST}: p(99) < 5ms",
    "http_req_duration{name:/quality/analyze}: p(95) < 60s",
    "http_reqs: rate > 105/s",
    "http_reqs: rate > 200 in nosuch",
];

fn chart_of<'c>(charts: &'c [Chart], id: &str) -> &'c Chart {
    charts.iter().find(|chart| chart.id == id).unwrap()
}

#[test]
fn the_latency_chart_looks_as_it_should() {
    let charts = charts();
    let ids: Vec<&str> = charts.iter().map(|chart| chart.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "load",
            "throughput",
            "latency",
            "latency-linear",
            "in-flight",
            "lag",
            "distribution",
            "percentiles",
            "heat",
            "knee",
            "endpoint-0",
            "endpoint-1",
            "endpoint-2"
        ]
    );
    assert_golden("latency.svg", &charts[2].svg_file());
    assert_golden("heat.svg", &charts[8].svg_file());
}

#[test]
fn a_gap_is_no_line_and_no_zero() {
    let latency = charts().swap_remove(2);
    // The sixth of thirteen seconds has no response: each percentile is two lines.
    let paths = |class: &str| -> usize {
        latency
            .body
            .split("<path ")
            .filter(|p| p.starts_with(&format!("class=\"l {class}\"")))
            .map(|p| p.matches('M').count())
            .sum()
    };
    assert_eq!((paths("p50"), paths("p95"), paths("p99")), (2, 2, 2), "{}", latency.body);
}

/// A text of a drawing with the place of its letters: left, right, top, bottom.
fn texts(body: &str) -> Vec<(String, [f64; 4])> {
    let all = body.split("<text ").skip(1);
    all.map(|element| {
        let attribute =
            |name: &str| element.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let text = element.split('>').nth(1).unwrap().split('<').next().unwrap();
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        let (x, y): (f64, f64) = (attribute("x").parse().unwrap(), attribute("y").parse().unwrap());
        let width = text.chars().count() as f64 * 24.0 * 0.56;
        let left = match attribute("class").split(' ').next_back() {
            Some("m") => x - width / 2.0,
            Some("e") => x - width,
            _ => x,
        };
        (text, [left, left + width, y - 18.0, y + 5.0])
    })
    .collect()
}

#[test]
fn no_label_touches_another() {
    let (long, intervals) = fixture::long_run(3, 120, 2);
    for chart in charts()
        .into_iter()
        .chain(limited_charts())
        .chain(of(&long, &intervals))
        .chain(of_run(&fixture::open()))
    {
        let texts = texts(&chart.body);
        assert!(texts.len() > 4, "{}: {texts:?}", chart.id);
        for (index, (one, [left, right, top, bottom])) in texts.iter().enumerate() {
            assert!(*bottom <= f64::from(chart.size.1), "{}: {one} leaves the drawing", chart.id);
            for (other, place) in &texts[index + 1..] {
                let apart =
                    *right <= place[0] || place[1] <= *left || *bottom <= place[2] || place[3] <= *top;
                assert!(apart, "{}: {one} and {other} meet, at {left} {top} and {place:?}", chart.id);
            }
        }
    }
}

#[test]
fn every_chart_is_small_named_and_alone() {
    for chart in charts().into_iter().chain(limited_charts()) {
        let svg = chart.inline_svg().into_string();
        assert!(svg.len() < 9_000, "{}: {} bytes", chart.id, svg.len());
        assert!(svg.contains("role=\"img\"") && svg.contains("<title") && svg.contains("<desc"), "{svg}");
        assert!(chart.description.ends_with('.'), "{}", chart.description);
        assert!(!svg.contains("http") && !svg.contains('#'), "no colour, no reference: {svg}");
        assert!(chart.svg_file().contains("prefers-color-scheme:dark"));
    }
}

/// The names of the limits in a chart, as its legend has them.
fn limit_names(chart: &Chart) -> Vec<String> {
    chart.limits.clone()
}

/// The height of the line of an axis that has this label, which stands on it.
fn height(chart: &Chart, text: &str) -> f64 {
    let place = texts(&chart.body).into_iter().find(|(other, [left, ..])| other == text && *left == 0.0);
    let [_, _, top, _] = place.unwrap_or_else(|| panic!("no {text} in {}", chart.body)).1;
    top + 18.0 + f64::from(super::plot::ABOVE_LINE)
}

/// Where the plot begins and ends.
const PLOT: (i32, i32) = (super::plot::LEFT as i32, (super::plot::WIDTH - super::plot::RIGHT) as i32 - 1);

/// Begin, end and height of the lines of limits.
fn limit_lines(chart: &Chart) -> Vec<[i32; 3]> {
    let path = chart.body.split("<path class=\"l limit\" d=\"").nth(1).unwrap_or_default();
    let lines = path.split('"').next().unwrap().split('M').skip(1);
    lines
        .map(|line| {
            let (from, step) = line.split_once('l').unwrap();
            let (x, y) = from.split_once(' ').unwrap();
            let (width, down) = step.split_once(' ').unwrap();
            assert_eq!(down, "0", "{line}");
            let x: i32 = x.parse().unwrap();
            [x, x + width.parse::<i32>().unwrap(), y.parse().unwrap()]
        })
        .collect()
}

#[test]
fn a_limit_stands_at_its_height_on_both_scales() {
    let run = fixture::limited_by(&["http_req_duration: p(95) < 100ms", "http_req_duration: p(99) < 1s"]);
    let charts = of_run(&run);
    for (id, label) in [("latency", "100ms"), ("latency-linear", "1.00s")] {
        let chart = chart_of(&charts, id);
        assert_eq!(limit_names(chart).len(), 2, "{id}");
        let of_label = height(chart, label);
        let lines = limit_lines(chart);
        assert_eq!(lines.len(), 2, "{lines:?}");
        let is_there =
            lines.iter().any(|[from, to, y]| (*from, *to) == PLOT && (f64::from(*y) - of_label).abs() <= 1.5);
        assert!(is_there, "{id}: {lines:?}, {label} is at {of_label}");
        let legend: Vec<&str> = chart.explained().map(|(.., label)| label).collect();
        assert!(legend.contains(&"threshold p95 < 100ms"), "{legend:?}");
    }
    assert!(charts[0].limits.is_empty(), "no threshold on users");
}

#[test]
fn a_chart_has_the_limits_on_what_it_draws() {
    let charts = limited_charts();
    let mut log = limit_names(chart_of(&charts, "latency"));
    log.sort_unstable();
    assert_eq!(
        log,
        [
            "threshold max < 2s in steady",
            "threshold med < 105ms",
            "threshold p95 < 100ms",
            "threshold p99 < 100ms over 3s"
        ]
    );
    let description = &chart_of(&charts, "latency").description;
    assert!(
        description.ends_with("; threshold p99 < 3600s is far above; threshold p50 > 0.001ms is far below."),
        "{description}"
    );
    let linear = &chart_of(&charts, "latency-linear").description;
    assert!(linear.ends_with("; threshold p99 < 3600s is far above."), "{linear}");
    assert_eq!(limit_names(chart_of(&charts, "throughput")), ["threshold rate > 105/s"]);
    // Its line is there only while it counts: steady begins with the third second of 12.4.
    let steady = limit_lines(chart_of(&charts, "latency")).iter().map(|[from, ..]| *from).max();
    assert_eq!(steady, Some(PLOT.0 + (f64::from(PLOT.1 - PLOT.0) * 2.0 / 12.4).round() as i32));

    let health = charts.iter().find(|chart| chart.title == "Latency of GET /health").unwrap();
    assert_eq!(limit_names(health), ["threshold p95 < 5ms"], "none of another method");
    let analyze = charts.iter().find(|chart| chart.title == "Latency of POST /quality/analyze").unwrap();
    assert!(limit_lines(analyze).is_empty() && limit_names(analyze).is_empty());
    assert!(analyze.description.ends_with("; threshold p95 < 60s is far above."), "{}", analyze.description);

    let distribution = chart_of(&charts, "distribution");
    let told: Vec<String> = texts(&distribution.body).into_iter().map(|(text, _)| text).collect();
    for name in ["avg < 90ms", "p95 < 100ms", "p50 "] {
        assert!(told.iter().any(|text| text.starts_with(name)), "{name} in {told:?}");
    }
    assert!(!told.iter().any(|text| text.contains("over 3s") || text.contains("steady")), "{told:?}");
}

#[test]
fn charts_of_resources_have_limits_on_their_lines() {
    let (long, intervals) = fixture::long_run(1, 120, 2);
    let charts = of(&long, &intervals);
    let mut cpu = limit_names(chart_of(&charts, "cpu"));
    cpu.sort_unstable();
    assert_eq!(cpu, ["threshold machine max < 100 %", "threshold target avg < 150 %"]);
    let memory = chart_of(&charts, "memory");
    assert_eq!(limit_names(memory), ["threshold max < 200MB"]);
    let [[_, _, y]] = limit_lines(memory)[..] else { panic!("{}", memory.body) };
    assert!((f64::from(y) - height(memory, "200 MB")).abs() <= 1.5, "{y} in {}", memory.body);
    // Its limit counts in the steady phase, which this run does not reach.
    let throughput = chart_of(&charts, "throughput");
    assert!(limit_names(throughput).is_empty() && limit_lines(throughput).is_empty());
}

#[test]
fn the_iterations_that_were_due_are_a_line_of_an_open_load_only() {
    let open = of_run(&fixture::open());
    let throughput = chart_of(&open, "throughput");
    assert!(throughput.legend.contains(&(Role::Planned, Shape::Line, "iterations due")));
    assert!(
        throughput.description.ends_with("; up to 200.0 iterations per second were due."),
        "{}",
        throughput.description
    );
    let path =
        throughput.body.split("<path class=\"l planned\" d=\"M").nth(1).unwrap().split('"').next().unwrap();
    let numbers = path.replace(['l', ' '], "|").replace('-', "|-");
    let numbers: Vec<f64> = numbers.split('|').filter_map(|number| number.parse().ok()).collect();
    // 100 in the first second, 200 from the second on to the twelfth, then none, without a gap at the stall.
    let [_, first, _, step, ..] = numbers[..] else { panic!("{path}") };
    assert!((first - height(throughput, "100")).abs() <= 1.5, "{path}");
    assert!((first + step - height(throughput, "200")).abs() <= 1.5, "{path}");
    let end: f64 = numbers.iter().skip(1).step_by(2).sum();
    assert!((end - height(throughput, "0")).abs() <= 1.5, "{path}");
    assert_eq!(path.matches('M').count(), 0, "{path}");

    let closed = charts();
    let closed = chart_of(&closed, "throughput");
    assert!(closed.legend.iter().all(|(role, ..)| *role != Role::Planned));
    assert!(
        !closed.body.contains("planned") && !closed.description.contains("due"),
        "{}",
        closed.description
    );
}

#[test]
fn the_name_of_a_threshold_does_not_lie_on_the_data_and_is_in_the_legend_anyhow() {
    let charts = limited_charts();
    for id in ["latency", "latency-linear"] {
        let chart = chart_of(&charts, id);
        let data = ["l p50", "l p95", "l p99", "d max"].map(|class| format!("<path class=\"{class}\" d=\""));
        let paths = data.iter().flat_map(|start| chart.body.split(start.as_str()).skip(1));
        let points: Vec<(f64, f64)> =
            paths.flat_map(|path| places(path.split('"').next().unwrap())).collect();
        assert!(points.len() > 20, "{points:?}");
        let names: Vec<String> = chart.limits.iter().map(|name| name.replace("threshold ", "")).collect();
        for (text, [left, right, top, bottom]) in texts(&chart.body) {
            if names.contains(&text) {
                let is_on = |(x, y): &&(f64, f64)| *x > left && *x < right && *y > top && *y < bottom;
                assert_eq!(points.iter().find(is_on), None, "{id}: {text}");
            }
        }
    }
}

/// The places that a path of our own leads through.
fn places(path: &str) -> Vec<(f64, f64)> {
    let (mut all, mut pen) = (Vec::new(), (0.0, 0.0));
    for part in path.split('M').skip(1) {
        let spaced = part.replace(['l', 'h', 'z'], " ").replace('-', " -");
        let numbers: Vec<f64> = spaced.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        for (index, pair) in numbers.chunks_exact(2).enumerate() {
            pen = if index == 0 { (pair[0], pair[1]) } else { (pen.0 + pair[0], pen.1 + pair[1]) };
            all.push(pen);
        }
    }
    all
}

#[test]
fn equal_percentiles_are_labelled_from_the_highest_down() {
    let charts = charts();
    let labels = texts(&chart_of(&charts, "latency").body);
    let top = |name: &str| labels.iter().rfind(|(text, _)| text == name).unwrap().1[2];
    assert!(top("p99") < top("p95") && top("p95") < top("p50"), "{labels:?}");
}

#[test]
fn drawings_reach_from_edge_to_edge_of_the_text() {
    for chart in charts() {
        let grid = chart.body.split("<path class=\"l grid\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        let lines = grid.split('M').filter(|line| line.starts_with("0 ") && line.contains("l1040 0"));
        assert!(lines.count() > 0, "{}: {grid}", chart.id);
        assert!(texts(&chart.body).iter().any(|(_, [left, ..])| *left == 0.0), "{}", chart.id);
    }
}
