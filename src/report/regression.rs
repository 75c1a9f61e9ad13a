//! Whether a series of measurements rises steadily: a straight line with the confidence of its slope. Pure.
//!
//! Least squares. Successive measurements of memory are alike, so they count as fewer than they are: the
//! number of independent ones is reduced by the correlation of neighbouring residuals (Bartlett's formula
//! for a first-order process). Without that, every slow wave would be a certain leak.

/// A slope and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    /// Value per unit of x.
    pub slope: f64,
    /// Ends of the interval that holds the true slope with 95 % confidence.
    pub low: f64,
    /// See `low`.
    pub high: f64,
    /// Share of the variation that the line explains, 0 to 1.
    pub explained: f64,
    /// Value of the line at the first x.
    pub first: f64,
    /// Value of the line at the last x.
    pub last: f64,
}

/// Fewest points a slope is computed from.
const FEWEST: usize = 8;

/// The line through the points, which ascend in x; `None` for too few of them, or all at one x.
pub(super) fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    if points.len() < FEWEST || points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return None;
    }
    let n = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let sxx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let syy: f64 = points.iter().map(|(_, y)| (y - mean_y).powi(2)).sum();
    let sxy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    if sxx <= 0.0 {
        return None;
    }
    let slope = sxy / sxx;
    let at = |x: f64| mean_y + slope * (x - mean_x);
    let residuals: Vec<f64> = points.iter().map(|(x, y)| y - at(*x)).collect();
    let sse: f64 = residuals.iter().map(|r| r * r).sum();
    let neighbours: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let correlation = if sse > 0.0 { (neighbours / sse).clamp(0.0, 0.99) } else { 0.0 };
    let independent = (n * (1.0 - correlation) / (1.0 + correlation)).max(3.0);
    // Of `independent` points, two are spent on the line.
    let variance = sse / n * independent / (independent - 2.0);
    let error = (variance / (sxx / n * independent)).sqrt();
    let half = student_t_95(independent - 2.0) * error;
    Some(Trend {
        slope,
        low: slope - half,
        high: slope + half,
        explained: if syy > 0.0 { 1.0 - sse / syy } else { 1.0 },
        first: at(points[0].0),
        last: at(points[points.len() - 1].0),
    })
}

/// The two-sided 95 % point of Student's t, by the expansion of Abramowitz and Stegun 26.7.5; above it by less
/// than 4 % from two degrees of freedom on, and never below 12.7 for fewer.
fn student_t_95(degrees: f64) -> f64 {
    const Z: f64 = 1.959_964;
    if degrees < 2.0 {
        return 12.706;
    }
    let z3 = Z.powi(3);
    let z5 = Z.powi(5);
    let z7 = Z.powi(7);
    let v = degrees;
    Z + (z3 + Z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / (384.0 * v * v * v)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fixed row of numbers in -1..1 without a pattern.
    fn noise(index: u64) -> f64 {
        let mixed = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 52) as f64
            - 1.0
    }

    #[test]
    fn a_line_is_found_with_its_slope() {
        let points: Vec<_> = (0..60).map(|x| (x as f64, 100.0 + 2.0 * x as f64 + 5.0 * noise(x))).collect();
        let trend = trend(&points).unwrap();
        assert!(trend.low < 2.0 && 2.0 < trend.high && trend.low > 1.5, "{trend:?}");
        assert!(trend.explained > 0.95 && (trend.last - 218.0).abs() < 5.0, "{trend:?}");
    }

    #[test]
    fn noise_and_waves_have_no_certain_slope() {
        let flat: Vec<_> = (0..60).map(|x| (x as f64, 100.0 + 5.0 * noise(x))).collect();
        let of_flat = trend(&flat).unwrap();
        assert!(of_flat.low < 0.0 && of_flat.high > 0.0, "{of_flat:?}");
        // Half a wave rises, but a run that ends at its top must not be sure of it.
        let wave: Vec<_> = (0..60).map(|x| (x as f64, (x as f64 / 19.0).sin())).collect();
        let of_wave = trend(&wave).unwrap();
        assert!(of_wave.low < 0.0, "{of_wave:?}");
    }

    #[test]
    fn too_little_gives_nothing() {
        assert_eq!(trend(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(trend(&[(1.0, 1.0); 20]), None);
        assert_eq!(trend(&[(0.0, f64::NAN); 20]), None);
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (degrees, table) in [(2.0, 4.303), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042), (1e6, 1.960)] {
            let ours = student_t_95(degrees);
            assert!((ours - table).abs() < 0.04 * table, "{degrees}: {ours} {table}");
        }
    }
}
