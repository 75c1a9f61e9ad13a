//! Timestamps as text, always in UTC.

use std::time::{Duration, SystemTime};

/// Last second that four digits of a year can say: 9999-12-31T23:59:59Z.
const LAST_S: u64 = 253_402_300_799;

/// `2026-11-23T17:45:04Z`. A moment before 1970 or after 9999 (a broken clock) becomes the nearest one.
pub(crate) fn utc(moment: SystemTime) -> String {
    let seconds = epoch_seconds(moment).min(LAST_S);
    // `humantime` panics outside the range that was just ensured.
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// `2026-11-23T17:45:04.000120Z`, the same with microseconds.
pub(crate) fn utc_micros(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let moment = SystemTime::UNIX_EPOCH + since.min(Duration::from_secs(LAST_S));
    humantime::format_rfc3339_micros(moment).to_string()
}

/// Whole seconds since 1970; 0 for a moment before.
pub(crate) fn epoch_seconds(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_clock_gives_a_text() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(utc(at(1_795_455_904)), "2026-11-23T17:45:04Z");
        assert_eq!(utc(at(951_782_400)), "2000-02-29T00:00:00Z");
        assert_eq!(utc(at(LAST_S + 5)), "9999-12-31T23:59:59Z");
        assert_eq!(utc(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
    }
}
