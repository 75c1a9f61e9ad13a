//! The timers of a worker thread, exact to some ten microseconds.
//!
//! The timer of tokio ticks in milliseconds, so whoever waits on it is woken up to one and a bit too late, and
//! a request is counted as answered later than it was. Here the kernel's own timer wakes the thread (Linux;
//! elsewhere it is tokio's after all). All waits of a thread share one such timer, which is set to the
//! earliest of them. A wait costs no allocation, and giving one up leaves nothing behind.
//!
//! Owns the waits, and how late those who waited went on, which says whether this thread keeps up with its
//! work. Invariants: nobody is woken before their time; the clock is set to the first deadline or earlier.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::deadlines::{Deadlines, Slot};
use crate::metrics::{Histogram, Sparse};

/// See the module's description.
pub(crate) struct Timers {
    deadlines: RefCell<Deadlines>,
    clock: Clock,
    /// What the clock is set to.
    set_to: Cell<Option<Instant>>,
    lateness: RefCell<Histogram>,
}

enum Clock {
    #[cfg(target_os = "linux")]
    Kernel(kernel::Clock),
    /// Set through the notification.
    Tokio(Notify),
}

impl Timers {
    /// Timers of the calling thread, which runs an event loop. They need [`Timers::run`] to go.
    pub(crate) fn new() -> Rc<Timers> {
        #[cfg(target_os = "linux")]
        if let Ok(clock) = kernel::Clock::new() {
            return Timers::with(Clock::Kernel(clock));
        }
        Timers::with(Clock::Tokio(Notify::new()))
    }

    fn with(clock: Clock) -> Rc<Timers> {
        Rc::new(Timers {
            deadlines: RefCell::default(),
            clock,
            set_to: Cell::new(None),
            lateness: RefCell::default(),
        })
    }

    /// Wakes those whose time has come, for as long as it is polled.
    pub(crate) async fn run(&self) {
        loop {
            match &self.clock {
                #[cfg(target_os = "linux")]
                Clock::Kernel(clock) => clock.rings().await,
                Clock::Tokio(set) => match self.set_to.get() {
                    Some(at) => tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = set.notified() => continue,
                    },
                    None => {
                        set.notified().await;
                        continue;
                    }
                },
            }
            self.wake_due(Instant::now());
        }
    }

    /// Wakes those whose time has come at `now`. May be called at any time, by whoever knows the time anyway:
    /// a thread that is busy then looks at its clock later than at its work.
    #[inline]
    pub(crate) fn wake(&self, now: Instant) {
        if self.set_to.get().is_some_and(|at| at <= now) {
            self.wake_due(now);
        }
    }

    fn wake_due(&self, now: Instant) {
        self.set_to.set(None);
        loop {
            // Woken outside the borrow: a waker may run code that sets timers.
            let due = self.deadlines.borrow_mut().pop(now);
            match due {
                Some(waker) => waker.wake(),
                None => break,
            }
        }
        let first = self.deadlines.borrow().first();
        if let Some(first) = first {
            self.set(first);
        }
    }

    /// Sets the clock so that it rings at `at` or earlier.
    fn set(&self, at: Instant) {
        if self.set_to.get().is_some_and(|set_to| set_to <= at) {
            return;
        }
        self.set_to.set(Some(at));
        match &self.clock {
            #[cfg(target_os = "linux")]
            Clock::Kernel(clock) => clock.set(at),
            Clock::Tokio(set) => set.notify_one(),
        }
    }

    /// Waits until an instant; ready at once when it has passed.
    pub(crate) fn sleep_until(self: &Rc<Self>, at: Instant) -> Sleep {
        Sleep { timers: self.clone(), at, slot: None }
    }

    /// How late those who waited went on, since the last call.
    pub(crate) fn take_lateness(&self) -> Sparse {
        self.lateness.borrow_mut().take_sparse()
    }
}

/// A wait until an instant. Giving it up is dropping it.
pub(crate) struct Sleep {
    timers: Rc<Timers>,
    at: Instant,
    slot: Option<Slot>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        match this.slot {
            Some(slot) => {
                let mut deadlines = this.timers.deadlines.borrow_mut();
                if !deadlines.is_due(slot) {
                    deadlines.set_waker(slot, context.waker());
                    return Poll::Pending;
                }
                let waker = deadlines.remove(slot);
                drop((deadlines, waker));
                this.slot = None;
                let late = Instant::now().saturating_duration_since(this.at);
                let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
                this.timers.lateness.borrow_mut().record(late_us);
                Poll::Ready(())
            }
            None if this.at <= Instant::now() => Poll::Ready(()),
            None => {
                let waker = context.waker().clone();
                this.slot = Some(this.timers.deadlines.borrow_mut().insert(this.at, waker));
                this.timers.set(this.at);
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            // The waker outlives the borrow: dropping it may end a task, and with it another wait.
            let waker = self.timers.deadlines.borrow_mut().remove(slot);
            drop(waker);
        }
    }
}

/// The kernel's timer as a file that the event loop watches.
#[cfg(target_os = "linux")]
mod kernel {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
        timerfd_create, timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::Instant;

    pub(super) struct Clock {
        file: AsyncFd<OwnedFd>,
        /// One moment on the clock of `Instant` and on the kernel's, to go from one to the other.
        moment: (Instant, Duration),
    }

    /// How often both clocks are read.
    const READINGS: usize = 8;

    /// One moment on both clocks, and how far apart the readings are.
    fn moment() -> Option<(Duration, (Instant, Duration))> {
        // In this order the kernel's reading is the later one: a timer rings a hair late, never early.
        let instant = Instant::now();
        let kernel = clock_gettime(ClockId::Monotonic);
        let gap = instant.elapsed();
        let kernel = Duration::new(kernel.tv_sec.try_into().ok()?, kernel.tv_nsec.try_into().ok()?);
        Some((gap, (instant, kernel)))
    }

    impl Clock {
        pub(super) fn new() -> io::Result<Clock> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let file = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // What it is replaced by is `unsafe`, for the sake of types whose file may change; an `OwnedFd`'s
            // does not.
            #[allow(deprecated)]
            let file = AsyncFd::with_interest(file, Interest::READABLE)?;
            // This thread may be interrupted between two readings; the closest pair counts.
            let moment = (0..READINGS).filter_map(|_| moment()).min_by_key(|(gap, _)| *gap);
            let Some((_, moment)) = moment else {
                return Err(io::Error::other("the monotonic clock is before its start"));
            };
            Ok(Clock { file, moment })
        }

        /// Waits until the clock rings.
        pub(super) async fn rings(&self) {
            match self.file.readable().await {
                // Nothing is read: setting the timer anew takes the ring back, and each ring is an event of
                // its own for an event loop that watches edges.
                Ok(mut ring) => ring.clear_ready(),
                // The event loop is being shut down.
                Err(_) => std::future::pending().await,
            }
        }

        pub(super) fn set(&self, at: Instant) {
            let (instant, kernel) = self.moment;
            let at = kernel.saturating_add(at.saturating_duration_since(instant));
            let value = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: at.subsec_nanos().into(),
                },
            };
            let set = timerfd_settime(self.file.get_ref(), TimerfdTimerFlags::ABSTIME, &value);
            // Only a wrong file or a wrong number of nanoseconds could be refused.
            debug_assert!(set.is_ok(), "{set:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::LocalSet;

    use super::*;

    fn run<F: Future>(test: impl Fn(&'static str, Rc<Timers>) -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for name in ["the best there is", "tokio"] {
            LocalSet::new().block_on(&runtime, async {
                let timers = match name {
                    "tokio" => Timers::with(Clock::Tokio(Notify::new())),
                    _ => Timers::new(),
                };
                let going = timers.clone();
                tokio::task::spawn_local(async move { going.run().await });
                test(name, timers).await;
            });
        }
    }

    async fn poll_once(sleep: &mut Pin<Box<Sleep>>) -> Poll<()> {
        std::future::poll_fn(|context| Poll::Ready(sleep.as_mut().poll(context))).await
    }

    #[test]
    fn nobody_is_woken_early_and_all_are_woken() {
        run(async |name, timers: Rc<Timers>| {
            let start = Instant::now();
            let waits = [7, 3, 3, 11, 0, 5].map(|ms| {
                let (timers, at) = (timers.clone(), start + Duration::from_millis(ms));
                tokio::task::spawn_local(async move {
                    timers.sleep_until(at).await;
                    Instant::now() >= at
                })
            });
            for wait in waits {
                assert!(wait.await.unwrap(), "{name}");
            }
            assert_eq!(timers.take_lateness().count(), 5, "{name}: one was over before it was waited for");
        });
    }

    #[test]
    fn an_earlier_wait_sets_the_clock_back_and_one_that_is_given_up_is_forgotten() {
        run(async |name, timers: Rc<Timers>| {
            let start = Instant::now();
            let mut long = Box::pin(timers.sleep_until(start + Duration::from_secs(3600)));
            assert!(poll_once(&mut long).await.is_pending());
            let mut short = Box::pin(timers.sleep_until(start + Duration::from_millis(500)));
            assert!(poll_once(&mut short).await.is_pending());
            timers.sleep_until(start + Duration::from_millis(5)).await;
            drop(short);
            assert_eq!(timers.deadlines.borrow().first(), Some(start + Duration::from_secs(3600)), "{name}");
            drop(long);
            assert_eq!(timers.deadlines.borrow().first(), None, "{name}");
            timers.sleep_until(Instant::now() + Duration::from_millis(5)).await;
        });
    }

    #[test]
    fn a_busy_thread_wakes_the_due_without_its_event_loop() {
        run(async |name, timers: Rc<Timers>| {
            let at = Instant::now() + Duration::from_millis(1);
            let mut sleep = Box::pin(timers.sleep_until(at));
            assert!(poll_once(&mut sleep).await.is_pending());
            timers.wake(at - Duration::from_micros(1));
            assert!(poll_once(&mut sleep).await.is_pending(), "{name}");
            timers.wake(at);
            assert!(poll_once(&mut sleep).await.is_ready(), "{name}");
        });
    }

    #[test]
    fn a_task_that_moves_its_wait_is_woken_where_it_is() {
        run(async |_, timers: Rc<Timers>| {
            let mut sleep = Box::pin(timers.sleep_until(Instant::now() + Duration::from_millis(5)));
            assert!(poll_once(&mut sleep).await.is_pending());
            tokio::task::spawn_local(sleep).await.unwrap();
        });
    }
}
