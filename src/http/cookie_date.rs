//! The date in a cookie's `Expires`, read as RFC 6265 section 5.1.1 says: the parts in any order, anything between them.
//!
//! Pure.

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Seconds since 1970 of a cookie's date; `None` when the text is none. It may have bytes of any kind.
pub(super) fn parse(text: &str) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.as_bytes().split(|&byte| is_delimiter(byte)).filter(|token| !token.is_empty()) {
        if time.is_none()
            && let Some(found) = time_of(token)
        {
            time = Some(found);
        } else if day.is_none()
            && let Some(found) = number(token, 1, 2)
        {
            day = Some(found);
        } else if month.is_none()
            && let Some(found) = month_of(token)
        {
            month = Some(found);
        } else if year.is_none()
            && let Some(found) = number(token, 2, 4)
        {
            year = Some(found);
        }
    }
    let ([hour, minute, second], day, month) = (time?, day?, month?);
    let year = match year? {
        year @ 70..=99 => 1900 + year,
        year @ 0..=69 => 2000 + year,
        year => year,
    };
    if year < 1601 || hour > 23 || minute > 59 || second > 59 || day < 1 || day > days_in(year, month) {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, 0x09 | 0x20..=0x2f | 0x3b..=0x40 | 0x5b..=0x60 | 0x7b..=0x7e)
}

/// A number of so many digits at the start of a token, with no further digit after it.
fn number(token: &[u8], least: usize, most: usize) -> Option<i64> {
    let digits = token.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits < least || digits > most {
        return None;
    }
    Some(token[..digits].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// `8:49:37`, with anything but a digit after it.
fn time_of(token: &[u8]) -> Option<[i64; 3]> {
    let mut parts = token.splitn(3, |&byte| byte == b':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = |part: &[u8]| number(part, part.len().max(1), 2);
    Some([whole(hour)?, whole(minute)?, number(second, 1, 2)?])
}

/// The month by the first three letters, from 1.
fn month_of(token: &[u8]) -> Option<i64> {
    let name = token.get(..3)?;
    let at = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month.as_bytes()))?;
    Some(at as i64 + 1)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// In the Gregorian calendar: Howard Hinnant's `days_from_civil`, for years after Christ.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_servers_write_them() {
        let bond = Some(784_111_777);
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", bond),
            ("Sunday, 06-Nov-94 08:49:37 GMT", bond),
            ("Sun Nov  6 08:49:37 1994", bond),
            ("Sun, 06 Nov 1994 08:49:37 UTC", bond),
            ("Sun, 6 Nov 1994 8:49:37 +0000", bond),
            ("06-November-1994 08:49:37", bond),
            ("1994 nov 6 08:49:37Z", bond),
            ("Sun, 06 Nov 1994 08:49:37.000 GMT", bond),
            ("\"Sun, 06 Nov 1994 08:49:37 GMT\"", bond),
            ("Thu, 01 Jan 1970 00:00:00 UTC", Some(0)),
            ("Thu, 01-Jan-1970 00:00:00 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00", Some(0)),
            ("01 Jan 70 00:00:00", Some(0)),
            ("01 Jan 69 00:00:00 GMT", Some(3_124_224_000)),
            ("Wed, 29 Feb 2040 12:00:00 GMT", Some(2_214_129_600)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Mon, 01 Jan 1601 00:00:00 GMT", Some(-11_644_473_600)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "tomorrow",
            "Thu, 01 Jan 1600 00:00:00 GMT",
            "Thu, 30 Feb 2023 00:00:00 GMT",
            "Thu, 01 Jan 2023 24:00:00 GMT",
            "Thu, 01 Jan 2023 00:60:00",
            "Thu, 01 Jan 2023",
            "01 Jan 00:00:00",
            "01 Foo 2023 00:00:00",
            "1 Jan 20233 00:00:00",
            "0 Jan 2023 00:00:00",
            "\u{e4}\u{e4} 00:00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
