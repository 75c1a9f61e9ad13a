//! What a worker thread is doing, for whoever looks on from another thread.
//!
//! Owns what is published, and how: a few relaxed stores whenever a script goes on or waits. Leaves to the run what
//! follows from it. Invariant: writing never waits. A reader may see parts of two moments, so only what stays the same over
//! several looks means something.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::TestPlan;
use crate::system::RunQueue;

/// See the module's description. Not on a cache line with anything else, since it is written so often.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Pulse {
    /// Counts how often a script went on or waited: odd while one runs.
    turns: AtomicU64,
    /// Counts the beats of the thread's event loop.
    beats: AtomicU64,
    /// The virtual user whose script went on last, and what it was called for.
    vu: AtomicU64,
    calling: AtomicU64,
    /// How long the thread waited for a core.
    run_queue: OnceLock<RunQueue>,
}

/// What a script function is called for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Calling {
    #[default]
    Setup,
    Teardown,
    Listener,
    Shape,
    OnStart,
    OnStop,
    Wait,
    Summary,
    /// The task of this index.
    Task(u16),
}

/// What was published, as seen at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) turns: u64,
    pub(crate) beats: u64,
    pub(crate) vu: u64,
    calling: u64,
}

impl Pulse {
    /// Called on the worker's thread before anything else.
    pub(crate) fn begin(&self) {
        let _ = self.run_queue.set(RunQueue::of_this_thread());
    }

    /// The thread's event loop goes round.
    pub(crate) fn beat(&self) {
        count(&self.beats);
    }

    /// A script goes on.
    #[inline]
    pub(super) fn enter(&self, vu: u64, scenario: u32, calling: Calling) {
        self.vu.store(vu, Ordering::Relaxed);
        self.calling.store(u64::from(scenario) << 32 | calling.code(), Ordering::Relaxed);
        count(&self.turns);
    }

    /// It waits, or has ended.
    #[inline]
    pub(super) fn leave(&self) {
        count(&self.turns);
    }

    /// What is published now.
    pub(crate) fn look(&self) -> Beat {
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Beat {
            turns: read(&self.turns),
            beats: read(&self.beats),
            vu: read(&self.vu),
            calling: read(&self.calling),
        }
    }

    /// How long the thread was ready to run and had no core, since it began; `None` where the system does not say.
    pub(crate) fn waited_for_a_core(&self) -> Option<std::time::Duration> {
        self.run_queue.get().and_then(RunQueue::waited)
    }
}

/// Only one thread counts, so this needs no more than a load and a store.
fn count(figure: &AtomicU64) {
    figure.store(figure.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

impl Beat {
    /// Whether a script runs.
    pub(crate) fn is_in_script(&self) -> bool {
        self.turns % 2 == 1
    }

    /// The script function that was called, as its author knows it.
    pub(crate) fn function(&self, plan: &TestPlan) -> String {
        let scenario = plan.scenarios.get((self.calling >> 32) as usize);
        let named = match Calling::of(self.calling & u64::from(u32::MAX)) {
            Calling::Setup => return "setup".to_owned(),
            Calling::Teardown => return "teardown".to_owned(),
            Calling::Summary => return "summary".to_owned(),
            Calling::Listener => return "a listener (on)".to_owned(),
            Calling::Shape => return "the shape function".to_owned(),
            Calling::Wait => return "the wait function".to_owned(),
            Calling::OnStart => scenario.and_then(|scenario| scenario.on_start.clone()),
            Calling::OnStop => scenario.and_then(|scenario| scenario.on_stop.clone()),
            Calling::Task(index) => scenario
                .and_then(|scenario| scenario.tasks.get(usize::from(index)))
                .map(|task| task.function.clone()),
        };
        named.map_or_else(|| "a function".to_owned(), |name| format!("'{name}'"))
    }
}

impl Calling {
    const KINDS: [Calling; 8] = [
        Calling::Setup,
        Calling::Teardown,
        Calling::Listener,
        Calling::Shape,
        Calling::OnStart,
        Calling::OnStop,
        Calling::Wait,
        Calling::Summary,
    ];

    fn code(self) -> u64 {
        match self {
            Calling::Setup => 0,
            Calling::Teardown => 1,
            Calling::Listener => 2,
            Calling::Shape => 3,
            Calling::OnStart => 4,
            Calling::OnStop => 5,
            Calling::Wait => 6,
            Calling::Summary => 7,
            Calling::Task(index) => Calling::KINDS.len() as u64 + u64::from(index),
        }
    }

    fn of(code: u64) -> Calling {
        match Calling::KINDS.get(code as usize) {
            Some(kind) => *kind,
            None => Calling::Task((code - Calling::KINDS.len() as u64) as u16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Options, ScenarioPlan, TaskPlan};

    #[test]
    fn what_is_published_names_the_user_and_the_function() {
        let tasks = vec![TaskPlan::new("browse", 1), TaskPlan::new("buy", 1)];
        let scenario =
            ScenarioPlan { on_start: Some("log_in".to_owned()), ..ScenarioPlan::new("shop", tasks) };
        let scenarios = vec![ScenarioPlan::new("other", vec![TaskPlan::new("f", 1)]), scenario];
        let plan = TestPlan::new(Options::default(), scenarios, 1).unwrap();
        let pulse = Pulse::default();
        let cases = [
            (Calling::Task(1), "'buy'"),
            (Calling::Task(0), "'browse'"),
            (Calling::OnStart, "'log_in'"),
            (Calling::Setup, "setup"),
            (Calling::Wait, "the wait function"),
            (Calling::OnStop, "a function"),
        ];
        for (calling, function) in cases {
            pulse.enter(7, 1, calling);
            let beat = pulse.look();
            assert_eq!((beat.vu, beat.is_in_script()), (7, true));
            assert_eq!(beat.function(&plan), function);
            pulse.leave();
            assert!(!pulse.look().is_in_script());
        }
    }
}
