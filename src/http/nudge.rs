//! The waker that is passed to hyper.
//!
//! Owns one flag. Hyper's parts (its queue, its response channel, its connection) wake one another; when one
//! task polls them all, each such wake would make the runtime poll the whole virtual user once more for
//! nothing. Given this waker instead, they set a flag, and whoever polls them looks at it and goes round again
//! at once. The socket does not use it: it wakes the task itself (see `link.rs`).
//!
//! Invariant: a set flag is never left behind. `Driver::advance` either goes round again or wakes the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

/// A flag and the waker that sets it; one a worker thread is enough, since it is cleared before every use.
pub(super) struct Nudge {
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Nudge {
    pub(super) fn new() -> Nudge {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        Nudge { flag, waker }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    pub(super) fn clear(&self) {
        self.flag.0.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.flag.0.load(Ordering::Relaxed)
    }
}
