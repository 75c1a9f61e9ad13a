//! What a figure is counted in, and numbers with units.

use crate::text::parse_duration;
use serde::{Deserialize, Serialize};

/// What a figure is, and so its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Quantity {
    /// Milliseconds.
    Time,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// A share of 0 to 1.
    Share,
    /// Per cent of something that can be more than all of it, such as one core.
    Percent,
    /// Events per second.
    PerSecond,
    /// A plain number.
    Number,
}

const BYTES: [(&str, f64); 9] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

const TIMES: [(&str, f64); 6] =
    [("ms", 1.0), ("s", 1e3), ("us", 1e-3), ("µs", 1e-3), ("m", 60e3), ("h", 3_600e3)];

impl Quantity {
    /// The unit that outputs name, empty for a plain number.
    pub fn unit(self) -> &'static str {
        match self {
            Quantity::Time => "ms",
            Quantity::Bytes => "B",
            Quantity::BytesPerSecond => "B/s",
            Quantity::Share => "share",
            Quantity::Percent => "%",
            Quantity::PerSecond => "/s",
            Quantity::Number => "",
        }
    }

    /// The word of k6 for what values are.
    pub fn contains(self) -> &'static str {
        match self {
            Quantity::Time => "time",
            Quantity::Bytes | Quantity::BytesPerSecond => "data",
            Quantity::Percent => "percent",
            Quantity::Share | Quantity::PerSecond | Quantity::Number => "default",
        }
    }

    /// A number with the unit that was written after it, in the unit of this quantity.
    ///
    /// # Errors
    /// What units there are.
    pub(super) fn read(self, number: f64, unit: &str) -> Result<f64, String> {
        let among = |units: &[(&str, f64)], unit: &str| {
            units
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(unit))
                .map(|(_, factor)| number * factor)
        };
        let value = match (self, unit) {
            (_, "") => Some(number),
            // Exactly: `M` is no minute.
            (Quantity::Time, _) => TIMES.iter().find(|(u, _)| *u == unit).map(|(_, factor)| number * factor),
            (Quantity::Bytes, _) => among(&BYTES, unit),
            (Quantity::BytesPerSecond, _) => unit.strip_suffix("/s").and_then(|unit| match unit {
                "" => Some(number),
                unit => among(&BYTES, unit),
            }),
            (Quantity::Share, "%") => Some(number / 100.0),
            (Quantity::Percent, "%") => Some(number),
            (Quantity::PerSecond, "/s") => Some(number),
            // A metric of a script may hold bytes.
            (Quantity::Number, _) => among(&BYTES, unit),
            (Quantity::Share | Quantity::Percent | Quantity::PerSecond, _) => None,
        };
        value.ok_or_else(|| format!("the unit '{unit}' does not fit; {}", self.what_fits()))
    }

    /// A time of several units, such as `1m30s`, in milliseconds.
    pub(super) fn read_compound(self, text: &str) -> Option<f64> {
        (self == Quantity::Time)
            .then(|| parse_duration(text).ok())
            .flatten()
            .map(|time| time.as_secs_f64() * 1e3)
    }

    fn what_fits(self) -> &'static str {
        match self {
            Quantity::Time => "this is a time: us, ms, s, m, h or nothing for milliseconds",
            Quantity::Bytes => "these are bytes: B, kB, MB, GB, KiB, MiB, GiB or nothing for bytes",
            Quantity::BytesPerSecond => "these are bytes per second: /s, kB/s, MB/s or nothing",
            Quantity::Share => "this is a share: % or nothing for a share of 0 to 1",
            Quantity::Percent => "this is in per cent: % or nothing",
            Quantity::PerSecond => "this is a number per second: /s or nothing",
            Quantity::Number => "this is a plain number: nothing, or B, kB, MB, GB for bytes",
        }
    }
}
