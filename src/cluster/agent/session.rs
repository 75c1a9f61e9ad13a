//! One run on an agent: its threads do what the coordinator tells them, and what they count is sent every second.
//!
//! Owns the agent's side of the run in time. Invariants: intervals end at whole seconds of the agreed start; what has been counted
//! waits here, in bounds, while NATS is away, and the load goes on; a run whose coordinator is gone for good ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::files::{self, Files};
use super::{AgentSays, Say, Told, is_told, store_log};
use crate::cluster::ClusterError;
use crate::cluster::clock::{Clock, instant};
use crate::cluster::link::{Kept, Link, Outbox};
use crate::cluster::protocol::{self, Duty, Health, Order, Pulse, Word, subjects};
use crate::cluster::seal::Key;
use crate::cluster::wire::{IntervalEncoder, IntervalMessage};
use crate::metrics::{BlockingStats, Generator};
use crate::run::{Command, Fleet, Heard, Job, LAST_PATIENCE, Notice, PATIENCE, Threads, Watchdog};
use crate::script::{Level, Message, RunState, Value};
use crate::share::Share;
use crate::system::CpuMeter;
use crate::vu::{Event, Interval, Shared};

/// Intervals that wait while NATS is away: ten minutes.
const MOST_WAITING: usize = 600;

/// Orders that were read and not yet followed.
const ORDERS: usize = 256;

/// Messages to people, each second.
const MOST_MESSAGES: u64 = 100;

/// How long a run goes on without a sign of its coordinator.
const ORPHAN_AFTER: Duration = Duration::from_secs(150);

/// How often the coordinator's clock is asked for.
const CLOCK_EVERY: Duration = Duration::from_secs(10);

/// How long users may take to end when the agent leaves.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// How often it is looked whether they have.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long the last words may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(35);

/// Why an agent ends that finds no stream any more: which of the two it is, it cannot tell.
const RUN_IS_UNKNOWN: &str = "NATS does not know the run any more: it has ended while this agent could not be reached, or NATS was \
                              started again without its storage";

const SECOND: Duration = Duration::from_secs(1);

/// Takes part in a run to its end.
pub(super) async fn run(
    link: Link,
    run: &str,
    duty: Duty,
    files: &mut Files,
    say: &Say,
    told: Told,
) -> Result<(), ClusterError> {
    let key = Arc::new(Key::from_bytes(duty.key)?);
    let outbox = link.outbox(run, format!("agent-{}", duty.agent), MOST_WAITING);
    let words = Words { subject: subjects::words(run, duty.agent), key: key.clone(), outbox };
    let mut session = match Session::begin(&link, run, &duty, key, files, words, say).await {
        Ok(session) => session,
        Err((words, error)) => {
            words.say(&Word::Failed(error.to_string()));
            words.outbox.written(LAST_WORDS).await;
            return Err(error);
        }
    };
    session.words.say(&Word::Ready);
    let ended = session.follow_orders(told).await;
    session.words.say(&match &ended {
        Ok(()) => Word::Done,
        Err(error) if session.has_told_all => {
            Word::Left { reason: error.to_string(), intervals: session.sequence }
        }
        Err(error) => Word::Failed(error.to_string()),
    });
    let Session { fleet, words, .. } = session;
    fleet.end().await;
    if !words.outbox.written(LAST_WORDS).await {
        return Err(ClusterError::Ask(match words.outbox.lost() {
            0 => "what was counted last could not be sent: NATS cannot be reached".to_owned(),
            lost => format!("{RUN_IS_UNKNOWN}; what was counted in the last {lost} intervals is lost"),
        }));
    }
    ended
}

/// What the agent says besides its intervals.
struct Words {
    subject: String,
    key: Arc<Key>,
    outbox: Outbox,
}

impl Words {
    fn say(&self, word: &Word) {
        if let Ok(sealed) = self.key.seal(&protocol::json(word)) {
            self.outbox.put(self.subject.clone(), sealed);
        }
    }
}

struct Session {
    link: Link,
    run: String,
    key: Arc<Key>,
    shared: Arc<Shared>,
    _store: store_log::Following,
    fleet: Fleet<Threads>,
    watchdog: std::rc::Rc<std::cell::RefCell<Watchdog>>,
    /// What was told last of what it has seen.
    blocking: BlockingStats,
    /// Numbers of this agent's threads among all.
    first: usize,
    words: Words,
    intervals: String,
    orders: mpsc::Receiver<Kept>,
    messages: mpsc::Receiver<Message>,
    dropped_messages: Arc<AtomicU64>,
    encoder: Arc<std::sync::Mutex<IntervalEncoder>>,
    sequence: u64,
    dropped: u64,
    clock: Clock,
    generator: Generator,
    cpu: CpuMeter,
    /// When the load began, and the last whole second that was asked for.
    start: Option<Instant>,
    second: u64,
    closed_at: Duration,
    /// Set when the answer to this order is awaited.
    last: Option<u64>,
    last_sign: Instant,
    is_orphan: bool,
    /// Why the agent leaves before the end of the run, once it does.
    leaving: Option<Leaving>,
    /// It leaves, and has sent all that was counted.
    has_told_all: bool,
}

/// The agent leaves: its users are ended, and then what was counted last is asked for.
struct Leaving {
    reason: ClusterError,
    /// Users that have not ended by then are not waited for.
    until: Instant,
    is_asked: bool,
}

impl Session {
    async fn begin(
        link: &Link,
        run: &str,
        duty: &Duty,
        key: Arc<Key>,
        files: &mut Files,
        words: Words,
        say: &Say,
    ) -> Result<Session, (Words, ClusterError)> {
        let (send, messages) = mpsc::channel(MOST_MESSAGES as usize);
        let dropped_messages = Arc::new(AtomicU64::new(0));
        let dropped = dropped_messages.clone();
        let sink = move |message: Message| {
            if send.try_send(message).is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        };
        let share = Share::new(duty.threads, &duty.all);
        let prepare = async {
            let job = files::one(link, run, &key, duty.job).await?;
            let job: Job =
                serde_json::from_slice(&job).map_err(|error| ClusterError::Ask(error.to_string()))?;
            say(AgentSays::Begins { run: run.to_owned(), script: job.info().name.clone() });
            files.fetch(link, run, &key, &job.blobs()).await?;
            let test = job.into_load_test(|hash| files.get(hash));
            let test = test.map_err(|error| ClusterError::Run(error.to_string()))?;
            let prepared = test.share(share).on_message(sink).prepare();
            let shared = prepared.map_err(|error| ClusterError::Run(error.to_string()))?.into_shared();
            let store = store_log::follow(link, run, duty.agent as u64, &key, &shared.inputs.common.store);
            let mut clock = Clock::default();
            clock.look(link, run).await?;
            let threads = Threads::start(&shared, None).await;
            let threads = threads.map_err(|error| ClusterError::Run(error.words()))?;
            Ok((shared, threads, clock, store))
        };
        let (shared, threads, clock, store) = match prepare.await {
            Ok(prepared) => prepared,
            Err(error) => return Err((words, error)),
        };
        if clock.ahead_us().unsigned_abs() > 1_000_000 {
            let text = format!(
                "this machine's clock is {:+.1} s off the coordinator's; times of this run are corrected by that",
                clock.ahead_us() as f64 / 1e6
            );
            say(AgentSays::Warning(text));
        }
        let watchdog = Watchdog::new(&shared, threads.pulses());
        let (kept, orders) = mpsc::channel(ORDERS);
        let (reader, of_run) = (link.clone(), run.to_owned());
        tokio::spawn(async move { reader.read(&of_run, subjects::orders(&of_run), kept).await });
        Ok(Session {
            link: link.clone(),
            run: run.to_owned(),
            generator: Generator::new(duty.threads.here),
            _store: store,
            shared,
            fleet: Fleet::new(threads),
            watchdog,
            blocking: BlockingStats::default(),
            first: duty.threads.first,
            intervals: subjects::intervals(run, duty.agent),
            words,
            key,
            orders,
            messages,
            dropped_messages,
            encoder: Arc::default(),
            sequence: 0,
            dropped: 0,
            clock,
            cpu: CpuMeter::new(),
            start: None,
            second: 0,
            closed_at: Duration::ZERO,
            last: None,
            last_sign: Instant::now(),
            is_orphan: false,
            leaving: None,
            has_told_all: false,
        })
    }

    async fn follow_orders(&mut self, told: Told) -> Result<(), ClusterError> {
        let watchdog = self.watchdog.clone();
        let watching = Watchdog::keep_looking(watchdog);
        tokio::select! {
            ended = self.follow(told) => ended,
            never = watching => match never {},
        }
    }

    async fn follow(&mut self, mut told: Told) -> Result<(), ClusterError> {
        let subscribed = self.link.client.subscribe(subjects::pulse(&self.run)).await;
        let mut pulses = subscribed.map_err(|error| ClusterError::Ask(error.to_string()))?;
        let mut clock_ticks = tokio::time::interval(CLOCK_EVERY);
        let mut message_ticks = tokio::time::interval(SECOND);
        let mut messages_left = MOST_MESSAGES;
        let (clock_in, mut clocks) = mpsc::channel::<Clock>(1);
        loop {
            let is_asked_last = self.leaving.as_ref().is_some_and(|leaving| leaving.is_asked);
            let next_second = self.start.filter(|_| !is_asked_last);
            let next_second = next_second.map(|start| start + SECOND * (self.second as u32 + 1));
            let until =
                self.leaving.as_ref().filter(|leaving| !leaving.is_asked).map(|leaving| leaving.until);
            let users_ended = users_ended(self.shared.run.clone(), until);
            let tick = async {
                match next_second {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                heard = self.fleet.next() => match heard {
                    Heard::Notice(worker, notice) => self.notice(worker, notice),
                    Heard::Intervals(intervals) => {
                        self.send(intervals);
                        if is_asked_last && let Some(leaving) = self.leaving.take() {
                            self.has_told_all = self.fleet.silent().is_empty();
                            return Err(leaving.reason);
                        }
                    }
                },
                () = is_told(&mut told), if self.leaving.is_none() => {
                    self.leave(ClusterError::Run("it was told to end".to_owned()));
                }
                () = users_ended => self.ask_last_of_all(),
                () = tick => {
                    let elapsed = self.start.map_or(Duration::ZERO, |start| start.elapsed());
                    self.second = elapsed.as_secs().max(self.second + 1);
                    self.fleet.ask(PATIENCE);
                }
                order = self.orders.recv() => {
                    let Some(order) = order else {
                        return Err(ClusterError::Run(RUN_IS_UNKNOWN.to_owned()));
                    };
                    if let Some(order) = self.open(&order.payload)
                        && self.order(order).await
                    {
                        return Ok(());
                    }
                }
                pulse = pulses.next() => if let Some(pulse) = pulse {
                    self.last_sign = Instant::now();
                    if let Some(pulse) = self.open::<Pulse>(&pulse.payload) {
                        self.shared.run.publish(pulse.rate, pulse.phase);
                        self.shared.run.set_users_elsewhere(pulse.users.saturating_sub(self.shared.run.users_here()));
                    }
                },
                message = self.messages.recv(), if messages_left > 0 => if let Some(message) = message {
                    messages_left -= 1;
                    let Message { level, text, from } = message;
                    self.words.say(&Word::Message { level, text, from });
                },
                Some(clock) = clocks.recv() => self.clock = clock,
                _ = clock_ticks.tick() => {
                    let (link, run, mut clock, clock_in) =
                        (self.link.clone(), self.run.clone(), self.clock, clock_in.clone());
                    tokio::spawn(async move {
                        if clock.look(&link, &run).await.is_ok() {
                            // The run may be over.
                            let _ = clock_in.try_send(clock);
                        }
                    });
                }
                _ = message_ticks.tick() => {
                    messages_left = MOST_MESSAGES;
                    self.look_for_coordinator();
                    if self.is_orphan && self.leaving.is_none() && self.shared.run.users_here() == 0 {
                        self.leave(ClusterError::Ask(format!(
                            "there was no sign of the coordinator for {} s: the run was ended",
                            ORPHAN_AFTER.as_secs()
                        )));
                    }
                }
            }
        }
    }

    /// Ends all users at once. What they have counted then is the last that this agent tells of.
    fn leave(&mut self, reason: ClusterError) {
        self.leaving = Some(Leaving { reason, until: Instant::now() + LEAVE_WITHIN, is_asked: false });
        self.fleet.tell_all(Command::StopNow);
    }

    /// All users have ended, and are counted.
    fn ask_last_of_all(&mut self) {
        if let Some(leaving) = &mut self.leaving {
            leaving.is_asked = true;
        }
        // It belongs to the second that has begun.
        self.second = self.start.map_or(0, |start| start.elapsed().as_secs() + 1);
        self.fleet.ask_last(LAST_PATIENCE);
    }

    /// A load that nobody watches any more ends.
    fn look_for_coordinator(&mut self) {
        if !self.link.is_connected() {
            // Nobody can be heard; what is counted meanwhile is kept.
            self.last_sign = Instant::now();
        }
        if !self.is_orphan && self.last_sign.elapsed() >= ORPHAN_AFTER {
            self.is_orphan = true;
            self.fleet.tell_all(Command::Stop);
        }
    }

    fn open<T: serde::de::DeserializeOwned>(&self, sealed: &Bytes) -> Option<T> {
        // What cannot be opened comes from somebody else.
        serde_json::from_slice(&self.key.open(sealed).ok()?).ok()
    }

    /// Follows an order; true when it was the last one.
    async fn order(&mut self, order: Order) -> bool {
        match order {
            Order::Tell { to: None, command } => self.fleet.tell_all(*command),
            Order::Tell { to: Some(worker), command } => {
                if let Some(here) = worker.checked_sub(self.first).filter(|&here| here < self.fleet.count()) {
                    self.fleet.tell(here, *command);
                }
            }
            Order::Start { at, data } => self.start_load(at, data).await,
            Order::Last { number } => {
                self.last = Some(number);
                self.fleet.ask_last(LAST_PATIENCE);
            }
            Order::End => return true,
        }
        false
    }

    async fn start_load(&mut self, at: u64, data: Arc<Value>) {
        let start = Instant::from_std(instant(self.clock.here(at)));
        self.shared.run.start(start.into_std());
        tokio::time::sleep_until(start).await;
        self.start = Some(start);
        // One that joins later begins with the second that it came in.
        self.second = start.elapsed().as_secs();
        self.closed_at = start.elapsed();
        self.generator.cpu_times(self.cpu.now());
        self.fleet.tell_all(Command::Start { data });
    }

    fn notice(&mut self, worker: usize, notice: Notice) {
        if self.leaving.is_some() {
            // That its users are gone is no end of their load.
            return;
        }
        let worker = self.first + worker;
        let word = match notice {
            Notice::Event(Event::Abort) => {
                Word::Abort { worker, reason: self.shared.run.abort_reason().unwrap_or_default() }
            }
            notice => Word::Notice { worker, notice: Box::new(notice) },
        };
        self.words.say(&word);
    }

    /// Sends what the threads have counted until now.
    fn send(&mut self, intervals: Vec<(usize, Interval)>) {
        let at = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        for (worker, interval) in &intervals {
            self.generator.add(*worker, &interval.health);
        }
        self.generator.cpu_times(self.cpu.now());
        self.generator.close(at, at.saturating_sub(self.closed_at));
        self.closed_at = at;
        let blocking = self.watchdog.borrow().stats();
        // What NATS did not take in ten minutes is dropped: the last one says all again.
        let is_told = self.last.is_none() && blocking == self.blocking;
        self.blocking = blocking;
        let health = Health {
            blocking: (!is_told).then(|| self.blocking.clone()),
            generator: self.generator.stats().clone(),
            clock_us: self.clock.ahead_us(),
            clock_within_us: self.clock.within_us(),
            dropped_messages: self.dropped_messages.load(Ordering::Relaxed),
            last: self.last.take(),
        };
        let message = IntervalMessage {
            sequence: self.sequence,
            second: self.second,
            dropped: self.dropped,
            threads: intervals,
        };
        self.sequence += 1;
        let (encoder, key) = (self.encoder.clone(), self.key.clone());
        // Encoded when it is its turn: names are sent once, with the first interval that is really sent.
        let gone = self.words.outbox.put_later(self.intervals.clone(), move || {
            let health = protocol::json(&health);
            let mut encoder = encoder.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut bytes = Vec::with_capacity(4 + health.len());
            bytes.extend((health.len() as u32).to_be_bytes());
            bytes.extend(health);
            bytes.extend(encoder.encode(&message));
            key.seal(&bytes).unwrap_or_default()
        });
        if gone > 0 {
            self.dropped += gone;
            self.words.say(&Word::Message {
                level: Level::Warning,
                text: format!(
                    "{} intervals had to be dropped so far: NATS was away for more than {MOST_WAITING} s",
                    self.dropped
                ),
                from: None,
            });
        }
    }
}

/// Waits until no user is left, but no longer than until then; for ever when that is `None`.
async fn users_ended(run: Arc<RunState>, until: Option<Instant>) {
    let Some(until) = until else { return std::future::pending().await };
    while run.users_here() > 0 && Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
