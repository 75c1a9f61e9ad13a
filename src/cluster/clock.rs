//! By how much this machine's clock is ahead of the coordinator's.
//!
//! As NTP does (RFC 5905, section 8): the other side's time, asked for, belongs to the middle of the round trip, and the shortest
//! round trip errs least, by at most half its length.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::ClusterError;
use super::link::Link;
use super::protocol::subjects;

/// Round trips of one look.
const ROUNDS: usize = 12;

/// A look that is worse than the one before counts again after so many: clocks drift.
const KEPT_LOOKS: u32 = 6;

/// See the module's description.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// Nanoseconds that this clock is ahead.
    ahead: i64,
    /// By how much that may be wrong.
    within: u64,
    looks: u32,
}

impl Clock {
    pub(super) fn ahead_us(&self) -> i64 {
        self.ahead / 1_000
    }

    pub(super) fn within_us(&self) -> u64 {
        self.within / 1_000
    }

    /// A moment of the coordinator's clock as one of this machine's, nanoseconds since 1970.
    pub(super) fn here(&self, there: u64) -> u64 {
        there.saturating_add_signed(self.ahead)
    }

    /// Asks the coordinator.
    pub(super) async fn look(&mut self, link: &Link, run: &str) -> Result<(), ClusterError> {
        let mut best: Option<(i64, u64)> = None;
        for _ in 0..ROUNDS {
            // In this order: a pause between the two makes the trip seem longer, and not the clock wrong.
            let (began, before) = (std::time::Instant::now(), unix_ns());
            let answer = link.ask(subjects::clock(run), Vec::new()).await?;
            let trip = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let Ok(there) = answer.as_ref().try_into().map(u64::from_be_bytes) else { continue };
            let look = look(before, trip, there);
            if best.is_none_or(|(_, within)| look.1 < within) {
                best = Some(look);
            }
        }
        self.looks += 1;
        if let Some((ahead, within)) = best
            && (self.looks == 1 || within <= self.within || self.looks.is_multiple_of(KEPT_LOOKS))
        {
            (self.ahead, self.within) = (ahead, within);
        }
        Ok(())
    }
}

/// How far ahead this clock is, and within what, by one round trip.
fn look(before: u64, trip: u64, there: u64) -> (i64, u64) {
    let middle = i128::from(before) + i128::from(trip / 2);
    let ahead = (middle - i128::from(there)).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    (ahead as i64, trip / 2)
}

/// Nanoseconds since 1970, as this machine's clock says.
pub(super) fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A moment of this machine's clock, if it is near enough, as an instant.
pub(super) fn instant(at: u64) -> std::time::Instant {
    let (now, now_ns) = (std::time::Instant::now(), unix_ns());
    if at >= now_ns {
        now + Duration::from_nanos(at - now_ns)
    } else {
        now.checked_sub(Duration::from_nanos(now_ns - at)).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_two_seconds_ahead_is_found_to_half_the_round_trip() {
        const S: u64 = 1_000_000_000;
        // It takes 3 ms there and 1 ms back.
        let (ahead, within) = look(1_002 * S, 4_000_000, 1_000 * S + 3_000_000);
        assert_eq!((ahead, within), (1_999_000_000, 2_000_000));
        let clock = Clock { ahead, within, looks: 1 };
        assert_eq!(clock.here(5 * S), 5 * S + 1_999_000_000);
        let behind = look(998 * S, 0, 1_000 * S).0;
        assert_eq!(Clock { ahead: behind, ..clock }.here(5 * S), 3 * S);
    }
}
