//! Drawings against what they are made from.

use super::super::fixture::{self, assert_golden};
use super::*;
use crate::plan::EndedBy;

/// The charts of the made-up run, drawn from its log.
fn charts() -> Vec<Chart> {
    let snapshots = fixture::snapshots();
    let snapshot = snapshots.last().unwrap();
    let intervals = snapshot.intervals.take();
    let (info, ended_by) = (fixture::info(), EndedBy::RunTime);
    let model = Model::new(&info, &ended_by, snapshot, &intervals, &[]);
    timeline_charts(&model).into_iter().chain(distribution_charts(&model)).collect()
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
            "knee"
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
fn texts(body: &str) -> Vec<(&str, [f64; 4])> {
    let all = body.split("<text ").skip(1);
    all.map(|element| {
        let attribute =
            |name: &str| element.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        let text = element.split('>').nth(1).unwrap().split('<').next().unwrap();
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
    for chart in charts() {
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
    for chart in charts() {
        let svg = chart.inline_svg();
        assert!(svg.len() < 9_000, "{}: {} bytes", chart.id, svg.len());
        assert!(svg.contains("role=\"img\"") && svg.contains("<title") && svg.contains("<desc"), "{svg}");
        assert!(chart.description.ends_with('.'), "{}", chart.description);
        assert!(!svg.contains("http") && !svg.contains('#'), "no colour, no reference: {svg}");
        assert!(chart.svg_file().contains("prefers-color-scheme:dark"));
    }
}
