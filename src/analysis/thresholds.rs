//! The wording of thresholds.
//!
//! Pure. Owns how a threshold, its actual value and the margin between them are written. Leaves layout to the
//! views. Invariant: values on opposite sides of a threshold are never written alike.

use crate::metrics::{Aggregation, Quantity, Threshold};
use crate::metrics::{ThresholdState, ThresholdStats};
use crate::text::format;
use crate::text::format_clock;

/// A value with its unit: `84.4ms`, `7.3 %`, `1.3 GB`, `120.4/s`.
pub fn amount(value: f64, quantity: Quantity) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    match quantity {
        Quantity::Time => format!("{sign}{}", format::latency((size * 1e3).round() as u64)),
        Quantity::Bytes => format!("{sign}{}", format::bytes(size.round() as u64)),
        Quantity::BytesPerSecond => format!("{sign}{}/s", format::bytes(size.round() as u64)),
        Quantity::Share => format!("{sign}{} %", format::percent(size)),
        Quantity::Percent => format!("{} %", short(value)),
        Quantity::PerSecond => format!("{sign}{}/s", format::rate(size)),
        Quantity::Number => format::number(value),
    }
}

/// Three digits are enough for CPU percentages.
fn short(value: f64) -> String {
    if value.abs() < 99.95 { format!("{value:.1}") } else { format::number(value.round()) }
}

/// The actual value, with as many digits as it takes to tell it from the threshold; `no data` without one.
pub fn measured(stats: &ThresholdStats) -> String {
    let threshold = &stats.threshold;
    stats
        .measured
        .map_or_else(|| "no data".to_owned(), |value| told_apart(value, threshold.limit, threshold.quantity))
}

/// A value with as many digits as it takes to tell it from a threshold.
pub(crate) fn told_apart(value: f64, limit: f64, quantity: Quantity) -> String {
    let text = amount(value, quantity);
    if value == limit || text != amount(limit, quantity) {
        return text;
    }
    let (scaled, unit) = match quantity {
        Quantity::Share => (value * 100.0, " %"),
        Quantity::Percent => (value, " %"),
        other => (value, other.unit()),
    };
    format!("{}{unit}", trimmed(scaled))
}

/// The comparison and the value it demands: `< 200ms`.
pub fn demanded(threshold: &Threshold) -> String {
    format!("{} {}", threshold.comparison.as_str(), set(threshold.limit, threshold.quantity))
}

/// The value of a threshold as it was set, without rounding: `200ms`, `1.5s`, `0.1 %`, `1GB`.
pub(crate) fn set(limit: f64, quantity: Quantity) -> String {
    const BYTES: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let size = limit.abs();
    match quantity {
        Quantity::Time if size >= 1e3 => format!("{}s", trimmed(limit / 1e3)),
        Quantity::Time => format!("{}ms", trimmed(limit)),
        Quantity::Share => format!("{} %", trimmed(limit * 100.0)),
        Quantity::Percent => format!("{} %", trimmed(limit)),
        Quantity::Bytes | Quantity::BytesPerSecond => {
            let per = if quantity == Quantity::Bytes { "" } else { "/s" };
            let unit = BYTES.into_iter().find(|(factor, _)| size >= *factor);
            let (factor, unit) = unit.unwrap_or((1.0, "B"));
            format!("{}{unit}{per}", trimmed(limit / factor))
        }
        Quantity::PerSecond => format!("{}/s", trimmed(limit)),
        Quantity::Number => trimmed(limit),
    }
}

/// At most six decimals, without trailing zeros.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How far the actual value is from breaching the threshold, in percent of it: `58 %`, `-12 %`, `-`.
pub fn margin(stats: &ThresholdStats) -> String {
    match stats.margin() {
        None => "-".to_owned(),
        Some(margin) => {
            let percent = margin * 100.0;
            // On the wrong side, however little.
            if percent < 0.0 && percent > -1.0 {
                return "-<1 %".to_owned();
            }
            format!("{} %", format::number(percent.clamp(-99_999.0, 99_999.0).round()))
        }
    }
}

/// When it was first breached: `00:11`; `-` for one that is met, even if it was not for a while.
pub fn first_broken(stats: &ThresholdStats) -> String {
    stats.first_breach().map_or_else(|| "-".to_owned(), format_clock)
}

/// The full text of a threshold: `http_req_duration{name:/x}: p(95) < 200ms over 30s`.
pub fn whole(threshold: &Threshold) -> String {
    format!("{}: {}", threshold.selector(), threshold.expression)
}

/// The short name of an aggregation: `p95`, `max`.
pub(crate) fn figure(aggregation: Aggregation) -> String {
    match aggregation {
        Aggregation::Avg => "avg".to_owned(),
        Aggregation::Min => "min".to_owned(),
        Aggregation::Med => "med".to_owned(),
        Aggregation::Max => "max".to_owned(),
        Aggregation::Percentile(percentile) => format!("p{percentile}"),
        Aggregation::Count => "count".to_owned(),
        Aggregation::Rate => "rate".to_owned(),
        Aggregation::Sum => "sum".to_owned(),
        Aggregation::Value => "value".to_owned(),
    }
}

/// The short name of what a threshold is on: `p95`, `failed`, `p95(/health)`, `target_cpu avg`.
pub fn short_name(threshold: &Threshold) -> String {
    let figure = figure(threshold.aggregation);
    let name = match (threshold.metric.as_str(), threshold.aggregation) {
        ("http_req_duration", Aggregation::Rate | Aggregation::Count | Aggregation::Sum) => {
            format!("http_req_duration {figure}")
        }
        ("http_req_duration", _) => figure,
        ("http_req_failed", Aggregation::Rate) => "failed".to_owned(),
        ("http_reqs", Aggregation::Rate) => "rate".to_owned(),
        ("checks", Aggregation::Rate) => "checks".to_owned(),
        (metric, Aggregation::Value) => metric.to_owned(),
        (metric, _) => format!("{metric} {figure}"),
    };
    if threshold.tags.is_empty() {
        return name;
    }
    let values: Vec<&str> = threshold.tags.iter().map(|(_, value)| value.as_str()).collect();
    format!("{name}({})", values.join(", "))
}

/// A threshold and its actual value: `p95(/health) < 50ms: 10ms`.
pub fn short_line(stats: &ThresholdStats) -> String {
    let threshold = &stats.threshold;
    let measured = match stats.state {
        ThresholdState::NoData => "no data yet".to_owned(),
        _ => measured(stats),
    };
    let scope = if threshold.window.is_some() || threshold.phase.is_some() {
        format!(" ({})", threshold.scope())
    } else {
        String::new()
    };
    format!("{} {}{scope}: {measured}", short_name(threshold), demanded(threshold))
}

/// A threshold that was not met, as part of a sentence: `p95(/health) is 1.20s, threshold < 500ms`.
pub fn limit_sentence(stats: &ThresholdStats) -> String {
    let threshold = &stats.threshold;
    let scope = if threshold.window.is_some() || threshold.phase.is_some() {
        format!(" in {}", threshold.scope())
    } else {
        String::new()
    };
    match stats.measured {
        None => format!("{} has no data, threshold {}{scope}", short_name(threshold), demanded(threshold)),
        Some(_) => {
            format!(
                "{} is {}, threshold {}{scope}",
                short_name(threshold),
                measured(stats),
                demanded(threshold)
            )
        }
    }
}

/// That a breached threshold would have been met in steady, and how to say that; `None` where it would not.
pub(crate) fn steady_hint(stats: &ThresholdStats) -> Option<String> {
    let threshold = &stats.threshold;
    let rate = amount(stats.would_hold_in_steady()?, threshold.quantity);
    Some(format!(
        "{} covers the whole run, ramps included; in steady it was {rate}: to judge that, write '{} {} in steady'",
        whole(threshold),
        figure(threshold.aggregation),
        demanded(threshold)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{MetricKind, Operator};
    use std::sync::Arc;

    fn stats(quantity: Quantity, limit: f64, measured: Option<f64>) -> ThresholdStats {
        let threshold = Threshold {
            metric: "http_req_duration".into(),
            tags: vec![("name".into(), "/x".into())],
            aggregation: Aggregation::Percentile(95.0),
            comparison: Operator::Less,
            limit,
            quantity,
            window: None,
            phase: None,
            abort_after: None,
            if_measured: false,
            expression: "p(95) < 200ms".into(),
        };
        ThresholdStats {
            threshold: Arc::new(threshold),
            kind: MetricKind::Trend,
            measured,
            state: ThresholdState::Broken,
            first_broken: None,
            in_breach: false,
            breaches: 0,
            aborted: false,
            in_steady: None,
        }
    }

    #[test]
    fn units() {
        for (value, quantity, text) in [
            (84.4, Quantity::Time, "84.4ms"),
            (0.073, Quantity::Share, "7.3 %"),
            (84.96, Quantity::Percent, "85.0 %"),
            (195.2, Quantity::Percent, "195 %"),
            (1.3e9, Quantity::Bytes, "1.3 GB"),
            (2e3, Quantity::BytesPerSecond, "2.0 kB/s"),
            (50.0, Quantity::PerSecond, "50.0/s"),
            (-3.0, Quantity::Number, "-3"),
        ] {
            assert_eq!(amount(value, quantity), text);
        }
    }

    #[test]
    fn what_breaks_a_limit_is_not_written_like_it() {
        assert_eq!(measured(&stats(Quantity::Time, 200.0, Some(200.3))), "200.3ms");
        assert_eq!(measured(&stats(Quantity::Time, 200.0, Some(200.0))), "200ms");
        assert_eq!(measured(&stats(Quantity::Share, 0.01, Some(0.010_01))), "1.001 %");
        assert_eq!(measured(&stats(Quantity::Time, 200.0, None)), "no data");
        assert_eq!(margin(&stats(Quantity::Time, 200.0, Some(200.3))), "-<1 %");
        assert_eq!(margin(&stats(Quantity::Time, 200.0, Some(50.0))), "75 %");
        assert_eq!(margin(&stats(Quantity::Time, 0.0, Some(50.0))), "-");
    }

    #[test]
    fn sentences() {
        let broken = stats(Quantity::Time, 500.0, Some(1200.0));
        assert_eq!(limit_sentence(&broken), "p95(/x) is 1.20s, threshold < 500ms");
        assert_eq!(short_line(&broken), "p95(/x) < 500ms: 1.20s");
        assert_eq!(
            limit_sentence(&stats(Quantity::Time, 500.0, None)),
            "p95(/x) has no data, threshold < 500ms"
        );
        for (limit, quantity, text) in [
            (4.805, Quantity::Time, "4.805ms"),
            (90_000.0, Quantity::Time, "90s"),
            (0.001, Quantity::Share, "0.1 %"),
            (85.0, Quantity::Percent, "85 %"),
            (1e9, Quantity::Bytes, "1GB"),
            (1536.0, Quantity::BytesPerSecond, "1.536kB/s"),
            (50.0, Quantity::PerSecond, "50/s"),
            (0.0, Quantity::Number, "0"),
        ] {
            assert_eq!(set(limit, quantity), text);
        }
    }
}
