//! Whether a series of measurements rises steadily: a linear fit with a confidence interval for its slope. Pure.
//!
//! Least squares. Successive measurements of memory are correlated, so they carry less information: the
//! effective sample size is reduced by the correlation of neighbouring residuals (Bartlett's formula
//! for a first-order process). Without that, every slow wave would look like a leak.
//!
//! Where neighbours are strongly correlated, the level wanders: what shifted it once, a pause of two
//! seconds, say, shifts everything after it. Then hardly any sample would count, and the confidence comes from
//! the steps from one measurement to the next instead. They tell a steady rise with a pause from a wave.

/// A slope and its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trend {
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

/// Minimum number of points for a slope.
const FEWEST: usize = 8;

/// Correlation of neighbouring residuals above which the level is assumed to wander.
const WANDERING: f64 = 0.5;

/// The line through the points, which ascend in x; `None` for too few of them, or all at one x.
pub(crate) fn trend(points: &[(f64, f64)]) -> Option<Trend> {
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
    let alike = correlation(&residuals);
    let half = if alike > WANDERING {
        half_by_steps(points, slope)
    } else {
        let independent = independent(n, alike).max(3.0);
        // Of `independent` points, two are spent on the line.
        let variance = sse / n * independent / (independent - 2.0);
        student_t_95(independent - 2.0) * (variance / (sxx / n * independent)).sqrt()
    };
    Some(Trend {
        slope,
        low: slope - half,
        high: slope + half,
        explained: if syy > 0.0 { 1.0 - sse / syy } else { 1.0 },
        first: at(points[0].0),
        last: at(points[points.len() - 1].0),
    })
}

/// Half the interval of the slope of a level that wanders: a line through the sum of n random steps has a
/// variance of 6/5 of that of the straight way from the first to the last point.
fn half_by_steps(points: &[(f64, f64)], slope: f64) -> f64 {
    let steps: Vec<f64> =
        points.windows(2).map(|pair| pair[1].1 - pair[0].1 - slope * (pair[1].0 - pair[0].0)).collect();
    let n = steps.len() as f64;
    let length: f64 = points.windows(2).map(|pair| pair[1].0 - pair[0].0).sum();
    // Steps that are alike are those of a curve, not of a line.
    let independent = independent(n, correlation(&steps)).max(2.0);
    let variance = steps.iter().map(|step| step * step).sum::<f64>() / n * independent / (independent - 1.0);
    student_t_95(independent - 1.0) * (1.2 * variance / independent).sqrt() * n / length
}

/// Correlation of neighbours, 0 to 0.99; those that differ more than by chance are taken for independent.
fn correlation(residuals: &[f64]) -> f64 {
    let squares: f64 = residuals.iter().map(|r| r * r).sum();
    let neighbours: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    if squares > 0.0 { (neighbours / squares).clamp(0.0, 0.99) } else { 0.0 }
}

fn independent(n: f64, correlation: f64) -> f64 {
    n * (1.0 - correlation) / (1.0 + correlation)
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
    fn a_pause_of_a_steady_rise_leaves_it_certain() {
        let points: Vec<_> = (0..30_u64)
            .map(|x| (x as f64, if x < 14 { x as f64 } else { x.saturating_sub(3).max(13) as f64 }))
            .collect();
        let trend = trend(&points).unwrap();
        assert!(trend.low > 0.25 && trend.high < 1.3, "{trend:?}");
    }

    #[test]
    fn sums_of_random_steps_are_seldom_certain_to_rise() {
        let certain = (0..400_u64).filter(|walk| {
            let mut level = 0.0;
            let step = |x: u64| {
                level += noise(walk * 1_000 + x);
                (x as f64, level)
            };
            trend(&(0..60).map(step).collect::<Vec<_>>()).unwrap().low > 0.0
        });
        // 2.5 % by the interval's definition, and some for what is estimated.
        let certain = certain.count();
        assert!(certain <= 24, "{certain} of 400");
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
