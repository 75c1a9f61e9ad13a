//! Simulated problems of the demo application: a stall, and a memory leak.
//!
//! Owns when a stall ends and how much is leaked. Leaves the waiting to `routes`. Both start with the first
//! request, so that there is no hurry to start a test. Invariant: nothing is leaked unless requested, and never
//! more than [`MOST_LEAKED`].

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::TargetOptions;

/// A target that somebody forgot must not take the machine with it.
const MOST_LEAKED: u64 = 1_000_000_000;

/// See the module's description.
#[derive(Default)]
pub(super) struct Trouble {
    first_request: OnceLock<Instant>,
    /// What is kept, in the pieces in which it grew.
    leaked: Mutex<Vec<Vec<u8>>>,
}

impl Trouble {
    /// A request arrived; how long it has to wait for the end of a stall.
    pub(super) fn meet(&self, options: &TargetOptions) -> Duration {
        if options.stall_at.is_none() && options.leak_per_s == 0 {
            return Duration::ZERO;
        }
        let running = self.first_request.get_or_init(Instant::now).elapsed();
        self.grow(kept(options, running));
        wait(options, running)
    }

    fn grow(&self, bytes: u64) {
        // A piece is pushed whole, so a panic elsewhere leaves nothing half done.
        let mut leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = bytes.saturating_sub(leaked.iter().map(|piece| piece.len() as u64).sum());
        // Pieces of some size, so that many requests make few of them; not zeros, which take no memory yet.
        if missing >= 100_000 {
            leaked.push(vec![1; missing as usize]);
        }
    }
}

/// What should be kept after so long.
fn kept(options: &TargetOptions, running: Duration) -> u64 {
    ((options.leak_per_s as f64 * running.as_secs_f64()) as u64).min(MOST_LEAKED)
}

/// How long a request that arrives now waits.
fn wait(options: &TargetOptions, running: Duration) -> Duration {
    let Some(begin) = options.stall_at.filter(|begin| running >= *begin) else { return Duration::ZERO };
    begin.saturating_add(options.stall_length).saturating_sub(running)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TargetOptions {
        TargetOptions {
            stall_at: Some(Duration::from_secs(6)),
            leak_per_s: 5_000_000,
            ..TargetOptions::default()
        }
    }

    #[test]
    fn a_stall_has_a_begin_and_an_end() {
        let waits = [5.9, 6.0, 7.5, 8.0, 9.0].map(|s| wait(&options(), Duration::from_secs_f64(s)));
        let ms = |ms| Duration::from_millis(ms);
        assert_eq!(waits, [ms(0), ms(2_000), ms(500), ms(0), ms(0)]);
        assert_eq!(wait(&TargetOptions::default(), ms(6_500)), ms(0));
    }

    #[test]
    fn memory_grows_with_time_and_not_without_end() {
        assert_eq!(kept(&options(), Duration::from_secs(3)), 15_000_000);
        assert_eq!(kept(&options(), Duration::from_secs(30_000)), MOST_LEAKED);
        let trouble = Trouble::default();
        trouble.grow(99_999);
        trouble.grow(3_000_000);
        trouble.grow(3_050_000);
        let pieces: Vec<usize> = trouble.leaked.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(pieces, [3_000_000]);
    }
}
