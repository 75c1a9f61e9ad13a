//! Time × latency: how many requests in each time step had which latency. The best picture of a stall.

use std::time::Duration;

use super::timeline::{bucket_of, width_s};
use crate::metrics::{IntervalHistograms, IntervalKey, IntervalKind, IntervalSeries};

/// Most columns.
const MOST_COLUMNS: u64 = 100;

/// Rows, evenly spaced in the logarithm.
const ROWS: usize = 24;

#[cfg(feature = "charts")]
/// Steps of the colour ramp.
pub(in crate::report) const LEVELS: u8 = 6;

/// See the module's description.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Width of a column, seconds.
    pub width_s: u64,
    /// Latency at the lower edge, microseconds.
    pub low_us: f64,
    /// Latency at the upper edge, microseconds.
    pub high_us: f64,
    /// By column, then row from below: how many requests.
    pub columns: Vec<[u64; ROWS]>,
    /// The largest count.
    pub most: u64,
}

impl HeatMap {
    /// All requests, failed ones too; `None` without any.
    pub(super) fn new(length: Duration, intervals: &[IntervalHistograms]) -> Option<HeatMap> {
        let key = |kind| IntervalKey { series: IntervalSeries::All, kind, taken_back: false };
        let keys = [key(IntervalKind::Ok), key(IntervalKind::Failed)];
        let values = || {
            intervals.iter().flat_map(|interval| {
                keys.iter().filter_map(move |key| Some((interval, interval.histograms.get(key)?)))
            })
        };
        let (mut low, mut high) = (u64::MAX, 0);
        for (value, _) in values().flat_map(|(_, values)| values.values()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if high == 0 {
            return None;
        }
        let (low_us, high_us) = (low.max(1) as f64 * 0.95, high.max(2) as f64 * 1.05);
        let width_s = width_s(length, MOST_COLUMNS);
        let count = ((length.as_secs_f64() / width_s as f64).ceil() as usize).max(1);
        let mut columns = vec![[0; ROWS]; count];
        let scale = ROWS as f64 / (high_us / low_us).ln();
        for (interval, values) in values() {
            let column = bucket_of(interval.from, interval.to, width_s).min(count - 1);
            for (value, n) in values.values() {
                let row = ((value.max(1) as f64 / low_us).ln() * scale) as usize;
                columns[column][row.min(ROWS - 1)] += n;
            }
        }
        let most = columns.iter().flatten().copied().max().unwrap_or(0);
        Some(HeatMap { width_s, low_us, high_us, columns, most })
    }

    #[cfg(feature = "charts")]
    /// The step of the colour ramp of a count: 0 for none, then by its logarithm up to [`LEVELS`].
    pub(in crate::report) fn level(&self, count: u64) -> u8 {
        if count == 0 {
            return 0;
        }
        let share = (count as f64).ln_1p() / (self.most as f64).ln_1p();
        ((share * f64::from(LEVELS)).ceil() as u8).clamp(1, LEVELS)
    }

    /// Latency at the lower edge of a row, microseconds.
    pub fn row_us(&self, row: usize) -> f64 {
        self.low_us * (self.high_us / self.low_us).powf(row as f64 / ROWS as f64)
    }
}
