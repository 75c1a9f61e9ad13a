//! An 80 × 20 sparkline for a table row; hand-written, since a page may hold five hundred of them.

use std::fmt::Write;

use maud::{Markup, html};

/// p95 over time: gaps stay gaps, the scale is logarithmic from the smallest to the largest value. Empty when
/// there is no value.
pub(crate) fn sparkline(values: &[Option<u64>]) -> Markup {
    let known = || values.iter().flatten().map(|&value| (value.max(1) as f64).ln());
    let (Some(low), Some(high)) = (known().min_by(f64::total_cmp), known().max_by(f64::total_cmp)) else {
        return Markup::default();
    };
    // Two nearly equal values are a flat line, not a cliff.
    let span = (high - low).max(0.7);
    let step = 78.0 / values.len().saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    let mut is_down = false;
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_down = false;
            continue;
        };
        let x = 1.0 + index as f64 * step;
        let y = 18.0 - ((*value).max(1) as f64).ln().mul_add(1.0, -low) / span * 16.0;
        let next_is_gap = values.get(index + 1).is_none_or(Option::is_none);
        let _ = write!(path, "{}{x:.0} {y:.0}", if is_down { 'L' } else { 'M' });
        // A value between two gaps is a dot.
        if !is_down && next_is_gap {
            path.push_str("h1");
        }
        is_down = true;
    }
    html! { svg.spark viewBox="0 0 80 20" aria-hidden="true" { path d=(path) {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_stay_gaps() {
        assert_eq!(sparkline(&[None, None]).into_string(), "");
        let line = sparkline(&[Some(1_000), Some(10_000), None, Some(1_000)]).into_string();
        assert!(line.contains("d=\"M1 18L27 2M79 18h1\""), "{line}");
        let flat = sparkline(&[Some(1_000), Some(1_001)]).into_string();
        assert!(flat.contains("M1 18L79 18"), "{flat}");
    }
}
