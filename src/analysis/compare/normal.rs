//! The normal distribution, as far as a comparison needs it. Pure.

/// 95 % of all values lie within this many standard deviations of the mean.
pub(super) const TWO_SIDED_95: f64 = 1.959_964;

/// The probability of a value at least this many standard deviations from the mean, on either side.
pub(super) fn two_sided_p(deviations: f64) -> f64 {
    erfc(deviations.abs() / std::f64::consts::SQRT_2)
}

/// The deviations from the mean beyond which a value lies with this probability, on either side.
pub(super) fn deviations_of(p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if two_sided_p(middle) > p { low = middle } else { high = middle }
    }
    high
}

/// The complementary error function for `x >= 0`, to a relative error of 1.2e-7 everywhere.
///
/// The rational Chebyshev fit of Numerical Recipes (Press et al., 2nd edition, section 6.2).
fn erfc(x: f64) -> f64 {
    const FIT: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let t = 1.0 / (1.0 + 0.5 * x);
    let polynomial = FIT.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    t * (polynomial - x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (deviations, p) in
            [(0.0, 1.0), (1.0, 0.317_310_5), (TWO_SIDED_95, 0.05), (3.0, 0.002_699_8), (6.0, 1.973e-9)]
        {
            let found = two_sided_p(deviations);
            assert!((found / p - 1.0).abs() < 1e-3, "{deviations}: {found}");
            assert_eq!(found, two_sided_p(-deviations));
            assert!((deviations_of(p) - deviations).abs() < 1e-3, "{deviations}");
        }
        assert_eq!(two_sided_p(f64::INFINITY), 0.0);
    }
}
