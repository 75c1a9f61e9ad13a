//! Durations as people write them: `300ms`, `90`, `1.5`, `1m30s`, `2h`.
//!
//! Pure. A bare number is seconds.

use std::time::Duration;

/// Longest duration accepted: a year. Anything longer is most likely a typing error.
pub const LONGEST_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a duration: a bare number of seconds (`90`, `0.5`) or numbers with units (`300ms`, `1m30s`, `1.5h`).
///
/// # Errors
/// A sentence that quotes the text and says what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = |why: &str| format!("'{text}' is not a duration{why}; write it like 300ms, 90, 1m30s or 2h");
    let trimmed = text.trim();
    if trimmed.starts_with('-') {
        return Err(wrong(": it is negative"));
    }
    let duration = match trimmed.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong(""))?,
        Err(_) => parse_units(trimmed).ok_or_else(|| wrong(""))?,
    };
    if duration > LONGEST_DURATION { Err(wrong(": it is longer than a year")) } else { Ok(duration) }
}

/// Number-unit pairs; `humantime` reads whole numbers, so a pair with a decimal point is read here.
fn parse_units(text: &str) -> Option<Duration> {
    if !text.contains('.') {
        return humantime::parse_duration(text).ok();
    }
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, rest) = text.split_at(split);
    let unit_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let one = humantime::parse_duration(&format!("1{unit}")).ok()?;
    let first = Duration::try_from_secs_f64(number.trim().parse::<f64>().ok()? * one.as_secs_f64()).ok()?;
    if rest.trim().is_empty() { Some(first) } else { first.checked_add(parse_units(rest.trim())?) }
}

/// A duration as people write it, the inverse of [`parse_duration`]: `300ms`, `1m 30s`.
pub fn format_duration(duration: Duration) -> String {
    if duration.is_zero() { "0s".to_owned() } else { humantime::format_duration(duration).to_string() }
}

/// Elapsed time as a clock shows it: `mm:ss`, or `h:mm:ss` from an hour on.
pub fn format_clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        let check =
            |text: &str, ms: u64| assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        check("300ms", 300);
        check("90", 90_000);
        check("0.5", 500);
        check("1m30s", 90_000);
        check("1m 30s", 90_000);
        check("2h", 7_200_000);
        check("1.5s", 1_500);
        check("1.5m30s", 120_000);
        check(" 10s ", 10_000);
        check("0", 0);
    }

    #[test]
    fn what_is_refused_says_what_is_accepted() {
        for text in ["5 parsecs", "", "-3s", "-1", "s", "1x", "NaN", "inf", "1e99", "900000h", "1.s.5"] {
            let message = parse_duration(text).unwrap_err();
            assert!(message.contains(text) && message.contains("1m30s"), "{message}");
        }
    }

    #[test]
    fn clocks() {
        assert_eq!(format_clock(Duration::from_secs(71)), "01:11");
        assert_eq!(format_clock(Duration::from_secs(3671)), "1:01:11");
    }
}
