//! Watches the worker threads from the run's own: says who keeps a thread from its other virtual users.
//!
//! Owns when a thread counts as blocked: a script function computes, or waits without suspending, for more than a tenth of a
//! second. Time in which the thread was ready and the machine gave it no core does not count. Leaves it to the driver
//! what becomes of a worker that does not answer. Invariant: nothing here waits for a worker.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::metrics::{BlockedFunction, BlockedSpan, BlockingStats, LostWorker};
use crate::script::{Beat, Level, Message, Pulse};
use crate::vu::Shared;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long a script may keep its thread.
const MOST: Duration = Duration::from_millis(100);

/// The same outside of scripts, where only the beats of the event loop are seen.
const MOST_OUTSIDE: Duration = Duration::from_millis(400);

/// When one that still blocks is told of.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// When looks are so far apart, this thread had no core either: where the system does not say for how long the others had
/// none, nothing can be said of the time between.
const MOST_APART: Duration = Duration::from_millis(250);

/// When they are so far apart, the process did not run.
const STANDSTILL: Duration = Duration::from_secs(1);

/// See the module's description.
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    workers: Vec<Watched>,
    last_look: Instant,
    /// Functions that have been told of.
    told: BTreeSet<String>,
    stats: BlockingStats,
}

/// A worker thread since it was last seen to go on.
struct Watched {
    pulse: Arc<Pulse>,
    beat: Beat,
    since: Instant,
    /// How long it had waited for a core then, where the system says that.
    waited: Option<Duration>,
    /// Time since then of which nothing can be said.
    unknown: Duration,
    /// How long it has been blocked.
    blocked: Duration,
}

impl Watchdog {
    pub(crate) fn new(shared: &Arc<Shared>, pulses: Vec<Arc<Pulse>>) -> Rc<RefCell<Watchdog>> {
        let now = Instant::now();
        let watched = |pulse: Arc<Pulse>| Watched {
            beat: pulse.look(),
            since: now,
            waited: None,
            unknown: Duration::ZERO,
            blocked: Duration::ZERO,
            pulse,
        };
        Rc::new(RefCell::new(Watchdog {
            shared: shared.clone(),
            workers: pulses.into_iter().map(watched).collect(),
            last_look: now,
            told: BTreeSet::new(),
            stats: BlockingStats::default(),
        }))
    }

    /// Looks from now on.
    pub(crate) async fn keep_looking(watchdog: Rc<RefCell<Watchdog>>) -> Infallible {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            watchdog.borrow_mut().look(Instant::now());
        }
    }

    fn look(&mut self, now: Instant) {
        let apart = now.saturating_duration_since(self.last_look);
        if apart > STANDSTILL
            && let Some(at) = self.since_start(self.last_look)
        {
            self.stats.stood_still(BlockedSpan { agent: None, at, length: apart });
            self.say(format!(
                "rhaid did not run for {:.1} s: the process was stopped, or the machine gave it no time",
                apart.as_secs_f64()
            ));
        }
        for worker in 0..self.workers.len() {
            let watched = &mut self.workers[worker];
            if watched.goes_on() {
                let ended = watched.ended();
                watched.begin(now);
                if let Some((beat, since, blocked)) = ended {
                    self.count(worker, beat, since, blocked);
                }
            } else if watched.look(now, apart) >= TELL_AFTER {
                let (beat, blocked) = (watched.beat, watched.blocked);
                self.tell(worker, beat, blocked, true);
            }
        }
        self.last_look = now;
    }

    fn count(&mut self, worker: usize, beat: Beat, since: Instant, blocked: Duration) {
        self.tell(worker, beat, blocked, false);
        let blocked = self.function(worker, beat, since, blocked);
        self.stats.blocked(blocked);
    }

    fn function(&self, worker: usize, beat: Beat, since: Instant, longest: Duration) -> BlockedFunction {
        BlockedFunction {
            function: self.name(beat),
            count: 1,
            longest,
            agent: None,
            worker,
            vu: if beat.is_in_script() { beat.vu } else { 0 },
            at: self.since_start(since).unwrap_or_default(),
        }
    }

    fn name(&self, beat: Beat) -> String {
        if beat.is_in_script() { beat.function(&self.shared.plan) } else { String::new() }
    }

    fn since_start(&self, at: Instant) -> Option<Duration> {
        self.shared.run.started().map(|start| at.saturating_duration_since(start))
    }

    /// Says once of each function that it blocks.
    fn tell(&mut self, worker: usize, beat: Beat, blocked: Duration, is_still: bool) {
        let name = self.name(beat);
        if !self.told.insert(name.clone()) {
            return;
        }
        let seconds = blocked.as_secs_f64();
        let blocks = if is_still { "has blocked" } else { "blocked" };
        self.say(if beat.is_in_script() {
            let user = if beat.vu == 0 { name } else { format!("VU {} in {name}", beat.vu) };
            let hint = if self.shared.extensions.is_empty() {
                ""
            } else {
                " (a function added with with_engine must not block; see with_async_fn)"
            };
            format!(
                "{user} {blocks} worker thread {worker} for {seconds:.1} s: its other virtual users had to wait{hint}"
            )
        } else {
            format!("worker thread {worker} was blocked for {seconds:.1} s outside of scripts: its virtual users had to wait")
        });
    }

    fn say(&self, text: String) {
        (self.shared.messages)(Message { level: Level::Warning, text, from: None });
    }

    /// A worker that does not answer, and what keeps it busy.
    pub(crate) fn silent(&self, worker: usize, silent_for: Duration) -> LostWorker {
        let beat = self.workers.get(worker).map(|watched| watched.pulse.look()).unwrap_or_default();
        LostWorker {
            worker,
            silent_for,
            vu: beat.is_in_script().then_some(beat.vu),
            function: self.name(beat),
        }
    }

    /// What has been seen so far, with what goes on now.
    pub(crate) fn stats(&self) -> BlockingStats {
        let mut stats = self.stats.clone();
        for (worker, watched) in self.workers.iter().enumerate() {
            if let Some((beat, since, blocked)) = watched.ended() {
                stats.blocked(self.function(worker, beat, since, blocked));
            }
        }
        stats
    }
}

impl Watched {
    fn begin(&mut self, now: Instant) {
        self.beat = self.pulse.look();
        (self.since, self.waited) = (now, None);
        (self.unknown, self.blocked) = (Duration::ZERO, Duration::ZERO);
    }

    /// Whether it is not where it was at the last look.
    fn goes_on(&self) -> bool {
        let beat = self.pulse.look();
        beat.turns != self.beat.turns || (!beat.is_in_script() && beat.beats != self.beat.beats)
    }

    /// How long it has been blocked; the last look was so long ago.
    fn look(&mut self, now: Instant, apart: Duration) -> Duration {
        let time = now.saturating_duration_since(self.since);
        // Asking the system costs more than a look, so it is done when there is a reason.
        if !self.beat.is_in_script() && time < MOST_OUTSIDE / 2 {
            return Duration::ZERO;
        }
        let waited = self.pulse.waited_for_a_core();
        if apart > if waited.is_some() { STANDSTILL } else { MOST_APART } {
            self.unknown += apart;
        }
        match (self.waited, waited) {
            // What was before is not known.
            (None, Some(_)) => (self.since, self.waited, self.unknown) = (now, waited, Duration::ZERO),
            (Some(before), Some(waited)) => {
                self.blocked =
                    time.saturating_sub(waited.saturating_sub(before)).saturating_sub(self.unknown);
            }
            _ => self.blocked = time.saturating_sub(self.unknown),
        }
        self.blocked
    }

    /// What it was blocked by, and for how long, if that is worth telling.
    fn ended(&self) -> Option<(Beat, Instant, Duration)> {
        let most = if self.beat.is_in_script() { MOST } else { MOST_OUTSIDE };
        (self.blocked >= most).then_some((self.beat, self.since, self.blocked))
    }
}
