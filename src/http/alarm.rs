//! The timeout of a request.
//!
//! Owns one timer that a user keeps for all its requests. Leaves to others what a limit means. Putting off a
//! timer that is running already costs a fraction of registering a new one, and most requests are done long
//! before it would ring. Invariant: a timer left behind by a finished request wakes its task at most once.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Stands for "never" where a limit is larger than what a clock can hold.
const FAR_AWAY: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A timer that is set anew for each request.
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// Rings `limit` after `start`; takes the timer of an earlier request if there is one.
    pub(super) fn set(earlier: Option<Alarm>, start: Instant, limit: Duration) -> Alarm {
        let deadline = start.checked_add(limit).unwrap_or_else(|| start + FAR_AWAY);
        match earlier {
            Some(mut alarm) => {
                alarm.0.as_mut().reset(deadline);
                alarm
            }
            None => Alarm(Box::pin(sleep_until(deadline))),
        }
    }

    /// Ready once the limit is reached.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
