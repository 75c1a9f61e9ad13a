//! What an interval holds, field by field, in the order of the wire.
//!
//! A change here is a change of the format: it needs another [`VERSION`](super::VERSION) and a line in `docs/wire.md`.

use std::sync::Arc;

use super::bytes::{Reader, Wire, Writer, fields, write_number};
use super::error::WireError;
use crate::metrics::{
    CheckCount, CheckGroup, CustomKey, CustomValues, Delta, Distribution, ErrorKind, FailureCount,
    FailureKey, FailureSample, IterationDelta, MetricKind, NotEnded, Protocol, RequestCounts, RequestsDelta,
    ReversedDelta, ScriptError, ScriptErrorCount, SeriesKey, Sparse, WatchDelta, WorkerHealth,
};
use crate::vu::{Interval, LaneCount};

fields! {
    Interval { users, users_peak, in_flight, interrupted_requests, health, claimed, lanes, delta }
    LaneCount { lane, taken, users }
    WorkerHealth { cpu, lateness }
    Delta {
        sequence, series, transactions, custom, tags, phases, iterations, checks, failures, script_errors, reversed,
        watched, folded, groups_folded, not_ended, texts_cut
    }
    ReversedDelta { series, tags, phases, failures }
    SeriesKey { protocol, scenario, method, name }
    CustomKey { name, kind, is_time, tag }
    IterationDelta { scenario, started, completed, failed, interrupted, dropped, duration, lag, response }
    CheckGroup { path, checks }
    CheckCount { passes, fails }
    FailureKey { method, name, kind, status }
    FailureCount { count, first_seen, last_seen, messages, samples }
    FailureSample { seen, url, message, body, body_bytes }
    ScriptErrorCount { count, first_seen, last_seen, first }
    ScriptError { message, position, trace }
    NotEnded { count, name }
    RequestsDelta { candidates, added, removed, phases_added, phases_removed }
    Distribution { counts, count, sum, min, max }
}

/// Which other times of a series its response times equal: usual where nothing was late.
const RESPONSE_IS_OK: u8 = 1;
const RESPONSE_IS_FAILED: u8 = 2;

impl Wire for RequestCounts<Sparse> {
    fn write(&self, to: &mut Writer<'_>) {
        let RequestCounts {
            requests,
            failures,
            ok,
            failed,
            response,
            phase_us,
            bytes_sent,
            bytes_received,
            statuses,
        } = self;
        [requests, failures].into_iter().for_each(|count| count.write(to));
        [ok, failed].into_iter().for_each(|times| times.write(to));
        if failed.is_empty() && response == ok {
            to.byte(RESPONSE_IS_OK);
        } else if ok.is_empty() && response == failed {
            to.byte(RESPONSE_IS_FAILED);
        } else {
            to.byte(0);
            response.write(to);
        }
        phase_us.write(to);
        [bytes_sent, bytes_received].into_iter().for_each(|bytes| bytes.write(to));
        statuses.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<RequestCounts<Sparse>, WireError> {
        let (requests, failures) = Wire::read(from)?;
        let (ok, failed): (Sparse, Sparse) = Wire::read(from)?;
        let response = match from.byte()? {
            0 => Sparse::read(from)?,
            RESPONSE_IS_OK => ok.clone(),
            RESPONSE_IS_FAILED => failed.clone(),
            _ => return Err(WireError::Damaged("response times of an unknown kind")),
        };
        Ok(RequestCounts {
            requests,
            failures,
            ok,
            failed,
            response,
            phase_us: Wire::read(from)?,
            bytes_sent: Wire::read(from)?,
            bytes_received: Wire::read(from)?,
            statuses: Wire::read(from)?,
        })
    }
}

/// The length of the counts and the counts, as HdrHistogram's V2 has them; if there are any, the exact minimum, how much
/// larger the maximum is, and the sum.
impl Wire for Sparse {
    fn write(&self, to: &mut Writer<'_>) {
        let begin = to.bytes.len();
        // Counts of up to 127 bytes have a length of one; the rest moves.
        to.byte(0);
        self.write_counts(&mut to.bytes);
        let length = to.bytes.len() - begin - 1;
        if length < 0x80 {
            to.bytes[begin] = length as u8;
        } else {
            let counts = to.bytes.split_off(begin + 1);
            to.bytes.pop();
            write_number(&mut to.bytes, length as u64);
            to.bytes.extend_from_slice(&counts);
        }
        if length > 0 {
            let [min, max, sum] = self.exact();
            [min, max.saturating_sub(min), sum].into_iter().for_each(|number| number.write(to));
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Sparse, WireError> {
        let length = from.length()?;
        if length == 0 {
            return Ok(Sparse::default());
        }
        let counts = from.bytes(length)?;
        let [min, more, sum]: [u64; 3] = Wire::read(from)?;
        let max = min.checked_add(more).ok_or(WireError::Damaged("a number that is too large"))?;
        Sparse::read_counts(counts, [min, max, sum]).map_err(|why| WireError::Damaged(why.0))
    }
}

impl Wire for Protocol {
    fn write(&self, to: &mut Writer<'_>) {
        to.byte(match self {
            Protocol::Http => 0,
            Protocol::WebSocket => 1,
            Protocol::Call => 2,
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<Protocol, WireError> {
        match from.byte()? {
            0 => Ok(Protocol::Http),
            1 => Ok(Protocol::WebSocket),
            2 => Ok(Protocol::Call),
            _ => Err(WireError::Damaged("an unknown protocol")),
        }
    }
}

impl Wire for MetricKind {
    fn write(&self, to: &mut Writer<'_>) {
        to.byte(match self {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
            MetricKind::Rate => 2,
            MetricKind::Trend => 3,
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<MetricKind, WireError> {
        match from.byte()? {
            0 => Ok(MetricKind::Counter),
            1 => Ok(MetricKind::Gauge),
            2 => Ok(MetricKind::Rate),
            3 => Ok(MetricKind::Trend),
            _ => Err(WireError::Damaged("an unknown kind of metric")),
        }
    }
}

/// Its word, as a name.
impl Wire for ErrorKind {
    fn write(&self, to: &mut Writer<'_>) {
        Arc::<str>::from(self.as_str()).write(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<ErrorKind, WireError> {
        Ok(ErrorKind::from(Arc::<str>::read(from)?))
    }
}

impl Wire for CustomValues {
    fn write(&self, to: &mut Writer<'_>) {
        match self {
            CustomValues::Counter(sum) => {
                to.byte(0);
                sum.write(to);
            }
            CustomValues::Gauge { last, at, min, max } => {
                to.byte(1);
                at.write(to);
                [last, min, max].into_iter().for_each(|value| value.write(to));
            }
            CustomValues::Rate { passes, fails } => {
                to.byte(2);
                [passes, fails].into_iter().for_each(|count| count.write(to));
            }
            CustomValues::Trend(distribution) => {
                to.byte(3);
                distribution.write(to);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<CustomValues, WireError> {
        Ok(match from.byte()? {
            0 => CustomValues::Counter(Wire::read(from)?),
            1 => {
                let at = Wire::read(from)?;
                let [last, min, max] = Wire::read(from)?;
                CustomValues::Gauge { last, at, min, max }
            }
            2 => CustomValues::Rate { passes: Wire::read(from)?, fails: Wire::read(from)? },
            3 => CustomValues::Trend(Wire::read(from)?),
            _ => return Err(WireError::Damaged("values of an unknown kind")),
        })
    }
}

impl Wire for WatchDelta {
    fn write(&self, to: &mut Writer<'_>) {
        match self {
            WatchDelta::Requests(delta) => {
                to.byte(0);
                delta.write(to);
            }
            WatchDelta::Checks(count) => {
                to.byte(1);
                count.write(to);
            }
            WatchDelta::Transactions(counts) => {
                to.byte(2);
                counts.write(to);
            }
            WatchDelta::Custom(values) => {
                to.byte(3);
                values.write(to);
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<WatchDelta, WireError> {
        Ok(match from.byte()? {
            0 => WatchDelta::Requests(Wire::read(from)?),
            1 => WatchDelta::Checks(Wire::read(from)?),
            2 => WatchDelta::Transactions(Wire::read(from)?),
            3 => WatchDelta::Custom(Wire::read(from)?),
            _ => return Err(WireError::Damaged("an unknown kind of watch")),
        })
    }
}
