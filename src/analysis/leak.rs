//! Leaks: memory of the target that grows for as long as all users run.
//!
//! Pure. Owns what counts as a leak and its wording; leaves the line and its confidence to `slope`.
//! Invariant: memory that levels off, or goes up and down, is not a leak.

use std::time::Duration;

use super::finding::Finding;
use super::slope::trend;
use crate::metrics::{Phase, Snapshot};
use crate::text::format;

/// Minimum number of seconds needed to detect a leak.
const FEWEST_SAMPLES: usize = 20;

/// Share of the whole rise that the second half of a leak has, a second.
const LASTING: f64 = 0.6;

/// The target's memory while all users ran: seconds since the start, bytes.
pub(crate) fn steady_memory(snapshot: &Snapshot) -> Vec<(f64, f64)> {
    // In one process, the load generator's own memory cannot be told from the target's.
    if snapshot.resources.info.as_ref().is_some_and(|info| info.target_is_generator) {
        return Vec::new();
    }
    let history = snapshot.history.since(0);
    let steady = || history.iter().filter(|point| point.phase == Phase::Steady).map(|point| point.at);
    let (Some(from), Some(to)) = (steady().next(), steady().next_back()) else { return Vec::new() };
    let samples = snapshot.resources.samples.since(0);
    let within = samples.iter().filter(|sample| sample.at >= from && sample.at <= to);
    within
        .filter_map(|sample| Some((sample.at.as_secs_f64(), sample.target.as_ref()?.memory as f64)))
        .collect()
}

/// A steady growth of the target's memory; points are (seconds since the start, bytes) of the steady phase.
pub fn leak(points: &[(f64, f64)]) -> Option<Finding> {
    if points.len() < FEWEST_SAMPLES {
        return None;
    }
    let line = trend(points)?;
    let growth = line.last - line.first;
    // What fills up after the start rises, too; a leak still does in the second half, and about as fast.
    let later = trend(points.get(points.len() / 2..)?)?;
    let goes_on = later.low > 0.0 && later.slope > LASTING * line.slope;
    let is_steady = line.low > 0.0 && line.explained > 0.7 && goes_on;
    // A cache that fills by some kilobytes is no leak that anybody could see.
    if !is_steady || growth < 1e6 || growth < 0.05 * line.first.abs() {
        return None;
    }
    let (from, to) = (points.first()?.0, points.last()?.0);
    let size = |amount: f64| format::bytes(amount.max(0.0).round() as u64);
    Some(Finding {
        kind: "leak",
        at: Some(Duration::from_secs_f64(from.max(0.0))),
        until: Some(Duration::from_secs_f64(to.max(0.0))),
        text: format!(
            "target memory grows steadily: {} to {}, {}/min (95 % confidence: {} to {}); a leak or an unbounded cache",
            size(line.first),
            size(line.last),
            size(line.slope * 60.0),
            size(line.low * 60.0),
            size(line.high * 60.0),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_rises_is_told_and_memory_that_does_not_is_not() {
        let rising: Vec<_> = (0..60).map(|s| (f64::from(s), 100e6 + 1e6 * f64::from(s))).collect();
        let found = leak(&rising).unwrap();
        assert!(
            found
                .sentence()
                .starts_with("00:00-00:59 target memory grows steadily: 100.0 MB to 159.0 MB, 60.0 MB/min"),
            "{found:?}"
        );
        let flat: Vec<_> = (0..60).map(|s| (f64::from(s), 100e6 + f64::from(s % 7) * 1e5)).collect();
        assert_eq!(leak(&flat), None);
    }

    /// Memory of a target that leaks three kilobytes a request, in MB by the second; it stood still from 12 to 14 s.
    const LEAK_WITH_A_STALL: [f64; 24] = [
        52.0, 54.1, 58.3, 62.6, 66.4, 69.9, 72.0, 76.3, 78.3, 82.4, 84.6, 84.7, 84.7, 93.0, 97.1, 103.4,
        107.6, 111.8, 113.9, 120.2, 124.3, 128.5, 130.6, 132.7,
    ];

    fn by_second(values: impl IntoIterator<Item = f64>) -> Vec<(f64, f64)> {
        values.into_iter().enumerate().map(|(second, mb)| (second as f64, mb * 1e6)).collect()
    }

    /// Between -1 and 1, without a pattern.
    fn noise(index: u64) -> f64 {
        let mixed = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 52) as f64
            - 1.0
    }

    #[test]
    fn a_leak_is_told_although_a_stall_interrupts_it() {
        let found = leak(&by_second(LEAK_WITH_A_STALL)).unwrap();
        assert!(
            found.text.contains("50.1 MB to 132.3 MB, 214.4 MB/min (95 % confidence: 159.6 MB"),
            "{found:?}"
        );
        // Wherever the two seconds lie.
        for pause in 2..38 {
            let level =
                |second: u64| if second < pause { second } else { second.saturating_sub(2).max(pause) };
            let mb = (0..40).map(|second| 50.0 + 3.5 * level(second) as f64 + noise(second));
            assert!(leak(&by_second(mb)).is_some(), "pause at {pause} s");
        }
    }

    #[test]
    fn what_fills_up_and_what_goes_up_and_down_is_no_leak() {
        for (wobble, seconds) in [(0.0, 40_u64), (0.3, 40), (1.0, 40), (0.3, 120), (1.0, 300)] {
            for share in [0.1, 0.2, 0.33, 0.5] {
                let fill = |second: u64| 1.0 - (-(second as f64) / (share * seconds as f64)).exp();
                let mb = (0..seconds).map(|second| 50.0 + 80.0 * fill(second) + wobble * noise(second));
                assert_eq!(leak(&by_second(mb)), None, "wobble {wobble}, {share} of {seconds} s");
            }
            let mb = (0..seconds).map(|second| 90.0 + 40.0 * noise(second) + wobble);
            assert_eq!(leak(&by_second(mb)), None, "noise of {seconds} s");
            let mb = (0..seconds)
                .map(|second| 90.0 + wobble * noise(second) + if second * 2 > seconds { 40.0 } else { 0.0 });
            assert_eq!(leak(&by_second(mb)), None, "one step in {seconds} s");
        }
        // Collected every ten seconds.
        assert_eq!(leak(&by_second((0..60).map(|second| 50.0 + 5.0 * f64::from(second % 10)))), None);
    }
}
