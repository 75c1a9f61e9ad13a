//! The run state that scripts can read, shared by all threads: a few atomics, written once per second and when a user
//! starts or leaves.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::metrics::Phase;

/// The run as scripts see it.
#[derive(Debug, Default)]
pub(crate) struct RunState {
    started: OnceLock<Instant>,
    users: AtomicU64,
    /// Users of the run on other machines.
    users_elsewhere: AtomicU64,
    rate_bits: AtomicU64,
    phase: AtomicU8,
    aborting: AtomicBool,
    abort_reason: Mutex<Option<String>>,
}

const PHASES: [Phase; 6] =
    [Phase::Starting, Phase::RampUp, Phase::Steady, Phase::Paused, Phase::RampDown, Phase::Done];

impl RunState {
    /// The load begins now; written once.
    pub(crate) fn start(&self, at: Instant) {
        // A second start would be a mistake of the run; the first instant stays.
        let _ = self.started.set(at);
    }

    /// When the load began.
    pub(crate) fn started(&self) -> Option<Instant> {
        self.started.get().copied()
    }

    /// Time since the load began; zero before.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// A virtual user has started on some thread.
    pub(crate) fn user_started(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// One has left.
    pub(crate) fn user_left(&self) {
        self.users.fetch_sub(1, Ordering::Relaxed);
    }

    /// Takes over the figures of a new snapshot.
    pub(crate) fn publish(&self, rate: f64, phase: Phase) {
        self.rate_bits.store(rate.to_bits(), Ordering::Relaxed);
        self.set_phase(phase);
    }

    /// Another phase begins.
    pub(crate) fn set_phase(&self, phase: Phase) {
        let index = PHASES.iter().position(|&known| known == phase).unwrap_or(0);
        self.phase.store(index as u8, Ordering::Relaxed);
    }

    /// Virtual users that run now.
    pub(crate) fn users(&self) -> u64 {
        self.users.load(Ordering::Relaxed) + self.users_elsewhere.load(Ordering::Relaxed)
    }

    /// Those of them in this process.
    #[cfg(feature = "cluster")]
    pub(crate) fn users_here(&self) -> u64 {
        self.users.load(Ordering::Relaxed)
    }

    /// How many there are on other machines.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_users_elsewhere(&self, users: u64) {
        self.users_elsewhere.store(users, Ordering::Relaxed);
    }

    /// Requests per second over the last ten seconds, at the last snapshot.
    pub(crate) fn rate(&self) -> f64 {
        f64::from_bits(self.rate_bits.load(Ordering::Relaxed))
    }

    /// What the run is doing.
    pub(crate) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Relaxed)).min(PHASES.len() - 1)]
    }

    /// The script asks for the end of the run; the first reason is kept.
    pub(crate) fn abort(&self, reason: &str) {
        if let Ok(mut kept) = self.abort_reason.lock() {
            kept.get_or_insert_with(|| reason.to_owned());
        }
        self.aborting.store(true, Ordering::Release);
    }

    /// The reason the script gave for ending the run, if it asked for that.
    pub(crate) fn abort_reason(&self) -> Option<String> {
        if !self.aborting.load(Ordering::Acquire) {
            return None;
        }
        self.abort_reason.lock().ok().and_then(|kept| kept.clone())
    }
}
