//! The last seconds of a figure as a sparkline; a second without a sample is a gap, not a zero.

use super::look::Look;

/// One character for each value, from nothing to the largest of them.
pub(crate) fn sparkline(values: &[Option<f64>], look: Look) -> String {
    let levels: &[char] = if look.unicode {
        &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
    } else {
        &['_', ',', '-', '~', '=', '+', '*', '#']
    };
    let gap = if look.unicode { '·' } else { ' ' };
    let largest = values.iter().flatten().fold(0.0_f64, |a, &b| a.max(b));
    let level = |value: f64| {
        let share = if largest > 0.0 { value / largest } else { 0.0 };
        levels[((share * levels.len() as f64) as usize).min(levels.len() - 1)]
    };
    values.iter().map(|value| value.map_or(gap, level)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_not_a_zero() {
        let look = Look { width: 80, unicode: true, color: false };
        let values = [Some(0.0), Some(50.0), None, Some(100.0)];
        assert_eq!(sparkline(&values, look), "▁▅·█");
        assert_eq!(sparkline(&values, Look { unicode: false, ..look }), "_= #");
        assert_eq!(sparkline(&[Some(0.0), None], look), "▁·");
        assert_eq!(sparkline(&[], look), "");
    }
}
