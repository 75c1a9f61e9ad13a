//! CPU time of this process and this thread.

use std::time::Duration;

/// CPU time of all threads of this process, user and system; `None` where the system does not report it.
pub(crate) fn process_cpu() -> Option<Duration> {
    clock(Clock::Process)
}

/// CPU time of the calling thread, user and system; `None` where the system does not report it.
pub(crate) fn thread_cpu() -> Option<Duration> {
    clock(Clock::Thread)
}

enum Clock {
    Process,
    Thread,
}

#[cfg(unix)]
fn clock(clock: Clock) -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(match clock {
        Clock::Process => ClockId::ProcessCPUTime,
        Clock::Thread => ClockId::ThreadCPUTime,
    });
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn clock(_: Clock) -> Option<Duration> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn computing_is_seen_on_both_clocks() {
        let (process, thread) = (process_cpu().unwrap(), thread_cpu().unwrap());
        let mut sum = 0_u64;
        while thread_cpu().unwrap() - thread < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(process_cpu().unwrap() - process >= Duration::from_millis(5), "after {sum} rounds");
    }
}
