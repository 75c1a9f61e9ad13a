//! Quantities, and numbers with units.

use crate::text::parse_duration;
use serde::{Deserialize, Serialize};

/// The quantity of a statistic, which determines its unit.
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
    /// Percent of a reference that can be exceeded, such as one core.
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
        value.ok_or_else(|| format!("the unit '{unit}' does not fit: {}", self.what_fits()))
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
            Quantity::Time => "expected a time in us, ms, s, m or h; without a unit, milliseconds",
            Quantity::Bytes => "expected B, kB, MB, GB, KiB, MiB or GiB; without a unit, bytes",
            Quantity::BytesPerSecond => "expected /s, kB/s or MB/s; without a unit, bytes per second",
            Quantity::Share => "expected %; without a unit, a share from 0 to 1",
            Quantity::Percent => "expected % or no unit",
            Quantity::PerSecond => "expected /s or no unit",
            Quantity::Number => "expected a plain number, or B, kB, MB or GB for bytes",
        }
    }
}
