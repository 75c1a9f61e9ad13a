//! The percentiles that every output shows. Pure data.

/// A percentile that is computed of every set of times, so that two outputs of one run can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Percentile {
    /// The median.
    P50,
    /// 66 %.
    P66,
    /// 75 %.
    P75,
    /// 80 %.
    P80,
    /// 90 %.
    P90,
    /// 95 %.
    P95,
    /// 98 %.
    P98,
    /// 99 %.
    P99,
    /// 99.9 %.
    P99_9,
    /// 99.99 %.
    P99_99,
    /// The largest value.
    P100,
}

impl Percentile {
    /// All of them, ascending.
    pub const ALL: [Percentile; 11] = [
        Percentile::P50,
        Percentile::P66,
        Percentile::P75,
        Percentile::P80,
        Percentile::P90,
        Percentile::P95,
        Percentile::P98,
        Percentile::P99,
        Percentile::P99_9,
        Percentile::P99_99,
        Percentile::P100,
    ];

    /// Its number, 0 to 100.
    pub fn number(self) -> f64 {
        match self {
            Percentile::P50 => 50.0,
            Percentile::P66 => 66.0,
            Percentile::P75 => 75.0,
            Percentile::P80 => 80.0,
            Percentile::P90 => 90.0,
            Percentile::P95 => 95.0,
            Percentile::P98 => 98.0,
            Percentile::P99 => 99.0,
            Percentile::P99_9 => 99.9,
            Percentile::P99_99 => 99.99,
            Percentile::P100 => 100.0,
        }
    }

    /// The columns of the summary.
    pub const SUMMARY: [Percentile; 5] =
        [Percentile::P50, Percentile::P90, Percentile::P95, Percentile::P99, Percentile::P99_9];

    /// As outputs name it.
    pub fn name(self) -> &'static str {
        match self {
            Percentile::P50 => "p50",
            Percentile::P66 => "p66",
            Percentile::P75 => "p75",
            Percentile::P80 => "p80",
            Percentile::P90 => "p90",
            Percentile::P95 => "p95",
            Percentile::P98 => "p98",
            Percentile::P99 => "p99",
            Percentile::P99_9 => "p99.9",
            Percentile::P99_99 => "p99.99",
            Percentile::P100 => "p100",
        }
    }

    /// Fewest values of which it says more than their maximum does: one in a hundred needs a hundred.
    pub fn fewest(self) -> u64 {
        match self {
            Percentile::P99 => 100,
            Percentile::P99_9 => 1_000,
            Percentile::P99_99 => 10_000,
            _ => 1,
        }
    }
}
