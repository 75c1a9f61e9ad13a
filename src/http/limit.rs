//! A time limit that says the truth on a busy thread.

use std::time::Duration;

use tokio::time::{Instant, timeout};

/// What `work` gives within a limit since `started`. What was complete only after it is too late, although the timer had not been
/// looked at by then because the thread was busy.
pub(super) async fn within<T>(limit: Duration, started: Instant, work: impl Future<Output = T>) -> Option<T> {
    let done = timeout(limit, work).await;
    done.ok().filter(|_| started.elapsed() <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_complete_after_the_limit_is_too_late_though_no_timer_fired() {
        let limit = Duration::from_millis(20);
        let busy = async { std::thread::sleep(2 * limit) };
        assert_eq!(within(limit, Instant::now(), busy).await, None);
        assert_eq!(within(limit, Instant::now(), std::future::pending::<()>()).await, None);
        assert_eq!(within(Duration::from_secs(60), Instant::now(), async { 7 }).await, Some(7));
    }
}
