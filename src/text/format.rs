//! Human-readable figures: counts, latencies, rates, shares, sizes, each rounded in one place.
//!
//! Owns rounding and units. Leaves colours and columns to the views. Invariant: a figure is never
//! rounded across a border that matters: a share is only 0 or 100 % when it is exactly that.

use std::time::Duration;

pub use super::format_count as count;
use super::format_duration;

/// A count and its noun: "1 response", "2 responses".
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", self::count(count), if count == 1 { "" } else { "s" })
}

/// A latency with its unit and three significant digits: `350µs`, `5ms`, `21.4ms`, `1.20s`.
pub fn latency(us: u64) -> String {
    let us = three_digits(us);
    match us {
        // None of any unit.
        0 => "0".to_owned(),
        1..1_000 => format!("{us}µs"),
        1_000..1_000_000 => {
            let text = format!("{}.{:03}", us / 1_000, us % 1_000);
            format!("{}ms", text.trim_end_matches('0').trim_end_matches('.'))
        }
        1_000_000..10_000_000 => format!("{}.{:02}s", us / 1_000_000, us / 10_000 % 100),
        10_000_000..100_000_000 => format!("{}.{}s", us / 1_000_000, us / 100_000 % 10),
        _ => format!("{}s", count(us / 1_000_000)),
    }
}

/// Rounded to three significant digits before the unit is chosen: 999.6 ms is a second.
fn three_digits(us: u64) -> u64 {
    let mut step = 1;
    while us / step >= 1_000 {
        step *= 10;
    }
    us.saturating_add(step / 2) / step * step
}

/// A number from a script: integers with separators, others with four significant digits.
pub(crate) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(value.abs() as u64));
    }
    let power = value.abs().log10().floor();
    if !(-6.0..12.0).contains(&power) {
        return format!("{value:.3e}");
    }
    format!("{value:.*}", (3.0 - power).clamp(0.0, 9.0) as usize)
}

/// Events per second without their unit: `0.03`, `6.0`, `120.4`, `41,152`.
pub fn rate(per_s: f64) -> String {
    if per_s > 0.0 && per_s < 0.095 {
        return format!("{per_s:.2}");
    }
    // 999.95 is printed as a thousand either way; it takes the separator with it.
    if per_s < 999.95 { format!("{per_s:.1}") } else { count(per_s.round() as u64) }
}

/// A share from 0 to 1 as a percentage, without the sign: `0.0`, `0.25`, `7.3`, `46.3`, `100`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent <= 0.0 {
        "0.0".to_owned()
    } else if percent < 0.0095 {
        "<0.01".to_owned()
    } else if percent < 0.995 {
        format!("{percent:.2}")
    } else if share < 1.0 {
        format!("{:.1}", percent.min(99.9))
    } else {
        "100".to_owned()
    }
}

/// An amount of data in decimal units: `831 B`, `40.2 kB`, `1.3 GB`.
pub fn bytes(amount: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if amount < 1_000 {
        return format!("{amount} B");
    }
    let mut value = amount as f64 / 1_000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// How long a run took: `0.4 s`, `30.0 s`, `2m 30s`.
pub fn run_length(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 119.95 {
        format!("{seconds:.1} s")
    } else {
        format_duration(Duration::from_secs(seconds.round() as u64))
    }
}

/// Rounds to this many decimals, so that 0.1 + 0.2 is written as 0.3.
pub(crate) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        for (n, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (12_345, "12,345")]
        {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn latencies_keep_three_digits_and_take_the_fitting_unit() {
        for (us, text) in [
            (0, "0"),
            (350, "350µs"),
            (999, "999µs"),
            (1_000, "1ms"),
            (4_530, "4.53ms"),
            (4_534, "4.53ms"),
            (5_000, "5ms"),
            (9_996, "10ms"),
            (21_449, "21.4ms"),
            (160_000, "160ms"),
            (999_499, "999ms"),
            (999_500, "1.00s"),
            (1_200_000, "1.20s"),
            (1_204_999, "1.20s"),
            (9_995_000, "10.0s"),
            (12_340_000, "12.3s"),
            (99_949_999, "99.9s"),
            (99_950_000, "100s"),
            (3_600_000_000, "3,600s"),
            // A script may have measured anything.
            (u64::MAX, "18,400,000,000,000s"),
        ] {
            assert_eq!(latency(us), text, "{us} µs");
        }
    }

    #[test]
    fn rates() {
        for (per_s, text) in [
            (0.0, "0.0"),
            (0.03, "0.03"),
            (0.0951, "0.1"),
            (6.04, "6.0"),
            (120.44, "120.4"),
            (999.94, "999.9"),
            (999.96, "1,000"),
            (41_152.3, "41,152"),
        ] {
            assert_eq!(rate(per_s), text, "{per_s}/s");
        }
    }

    #[test]
    fn shares_are_none_or_all_only_when_they_are() {
        for (share, text) in [
            (0.0, "0.0"),
            (0.000_01, "<0.01"),
            (0.000_1, "0.01"),
            (3.0 / 1_204.0, "0.25"),
            (0.009_94, "0.99"),
            (0.009_96, "1.0"),
            (0.073, "7.3"),
            (25.0 / 54.0, "46.3"),
            (0.999_9, "99.9"),
            (1.0, "100"),
        ] {
            assert_eq!(percent(share), text, "{share}");
        }
    }

    #[test]
    fn sizes() {
        for (amount, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (40_240, "40.2 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_340_000_000, "1.3 GB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(bytes(amount), text, "{amount}");
        }
    }

    #[test]
    fn lengths_of_runs() {
        for (ms, text) in
            [(0, "0.0 s"), (400, "0.4 s"), (30_000, "30.0 s"), (119_960, "2m"), (150_400, "2m 30s")]
        {
            assert_eq!(run_length(Duration::from_millis(ms)), text, "{ms} ms");
        }
    }
}
