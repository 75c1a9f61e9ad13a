//! How long a thread was ready to run and had no core: the machine's doing, not the thread's.

use std::path::PathBuf;
use std::time::Duration;

/// Where the system tells it of one thread.
#[derive(Debug)]
pub(crate) struct RunQueue(Option<PathBuf>);

impl RunQueue {
    /// That of the calling thread.
    pub(crate) fn of_this_thread() -> RunQueue {
        let thread =
            cfg!(target_os = "linux").then(|| std::fs::read_link("/proc/thread-self").ok()).flatten();
        RunQueue(thread.map(|thread| PathBuf::from("/proc").join(thread).join("schedstat")))
    }

    /// How long it has waited since it began; `None` where the system does not say.
    pub(crate) fn waited(&self) -> Option<Duration> {
        parse(&std::fs::read_to_string(self.0.as_ref()?).ok()?)
    }
}

/// Time on a core, time ready for one, both in nanoseconds, and how often.
fn parse(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_figure_is_the_wait() {
        assert_eq!(parse("61183 2500000 3\n"), Some(Duration::from_micros(2_500)));
        assert_eq!((parse("61183"), parse(""), parse("a b c")), (None, None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn another_thread_can_ask() {
        let queue = RunQueue::of_this_thread();
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(queue.waited().is_some(), "{queue:?}"));
        });
    }
}
