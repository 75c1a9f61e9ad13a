//! State shared by virtual users across threads, or across machines: values, queues, barriers and signals.
//!
//! Owns who waits, and for what. On one machine a change is made at once; on several, each has a replica, a change is a message of a
//! log that all of them apply in its order (`set_log`), and its answer is the one that it gives when it comes back. Leaves what a change
//! does to `state`, and the log to whoever sets it. Not on the path of a request, so one lock is enough. Invariants: the
//! lock is never held while waiting; a user that stops waiting at a barrier is no longer counted there.

mod state;
#[cfg(test)]
pub(crate) mod test_log;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::value::Value;
pub(crate) use state::StoreChange;
use state::{Caller, Happened, State, limit};

/// How long a change over a log may take to come back.
#[cfg(any(test, feature = "cluster"))]
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Longest change as a message, in bytes: a message of NATS may have 1 MB by default.
const LONGEST_CHANGE: usize = 768 << 10;

/// Where the answer of a change is expected.
pub(crate) type Answer = oneshot::Sender<Result<Value, String>>;

/// The order of all changes of several machines.
pub(crate) trait StoreLog: Send + Sync {
    /// Sends a change on its way, without waiting. The changes of one machine stay in their order. When it comes back, it is
    /// given to [`Store::replay`] with this answer; where nobody waits for the answer, the change counts all the same.
    fn submit(&self, change: Vec<u8>, answer: Answer);
}

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Store {
    inner: Mutex<Inner>,
    log: OnceLock<Log>,
    /// Calls of barriers, to tell them apart.
    calls: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    /// Those who wait here, on this machine.
    waiting: BTreeMap<Happened, Arc<Notify>>,
    /// Those of them who are not counted at their barriers any more, because this machine was taken for lost.
    put_out: BTreeSet<Caller>,
}

struct Log {
    agent: u64,
    /// How long a change may take to come back.
    answer_time: Duration,
    log: Arc<dyn StoreLog>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl Inner {
    fn apply(&mut self, change: StoreChange<'_>) -> Result<Value, String> {
        let (answer, happened) = self.state.apply(change)?;
        if let Some(happened) = happened {
            self.wake(&happened);
        }
        Ok(answer)
    }

    fn wake(&mut self, happened: &Happened) {
        if let Some(waiting) = self.waiting.remove(happened) {
            waiting.notify_waiters();
        }
    }

    /// This machine is about to be taken for lost.
    fn put_out(&mut self, agent: u64) {
        let here: Vec<_> = self.state.waiting_of(agent).map(|(name, by)| (name.to_owned(), by)).collect();
        for (name, by) in here {
            self.put_out.insert(by);
            self.wake(&Happened::Opened(name));
        }
    }
}

impl Store {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on changes go over a log. `agent` is a number that no other machine has had in this run. To be called before
    /// anything is changed; a second log is not taken.
    #[cfg(any(test, feature = "cluster"))]
    pub(crate) fn set_log(&self, agent: u64, log: Arc<dyn StoreLog>) {
        let _ = self.log.set(Log { agent, answer_time: ANSWER_TIME, log });
    }

    /// Whether other machines have it too, so that a change has to be waited for.
    pub(crate) fn has_log(&self) -> bool {
        self.log.get().is_some()
    }

    /// The value of a name; with a log, as far as it has come back.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.inner().state.get(name)
    }

    /// Makes a change here, at once.
    ///
    /// # Errors
    /// When it cannot be made, in words.
    pub(crate) fn apply(&self, change: StoreChange<'_>) -> Result<Value, String> {
        let mut inner = self.inner();
        if let StoreChange::Lost { agent } = change
            && self.log.get().is_some_and(|log| log.agent == agent)
        {
            inner.put_out(agent);
        }
        inner.apply(change)
    }

    /// Makes a change that the log has: to be called for each of them, in its order, with the answer for those that were submitted here.
    #[cfg(any(test, feature = "cluster"))]
    pub(crate) fn replay(&self, change: &[u8], answer: Option<Answer>) {
        // One that cannot be read is no change for any machine: all have the same version.
        let read =
            serde_json::from_slice(change).map_err(|error| format!("the change is unreadable: {error}"));
        let result = read.and_then(|change| self.apply(change));
        if let Some(answer) = answer {
            // Nobody waits for it any more when its user was stopped.
            let _ = answer.send(result);
        }
    }

    /// A machine is lost, and nobody waits there any more: the change that says so, to be submitted once by whoever notices.
    #[cfg(any(test, feature = "cluster"))]
    pub(crate) fn lost(agent: u64) -> Vec<u8> {
        serde_json::to_vec(&StoreChange::Lost { agent }).unwrap_or_default()
    }

    /// Makes a change: at once, or over the log.
    ///
    /// # Errors
    /// When it cannot be made, or the log does not answer, in words.
    pub(crate) async fn change(&self, change: StoreChange<'_>) -> Result<Value, String> {
        let Some(log) = self.log.get() else { return self.apply(change) };
        let answer = log.submit(&change)?;
        match tokio::time::timeout(log.answer_time, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err("the store that the machines of the run share is gone".to_owned()),
            Err(_) => Err(format!(
                "the store that the machines of the run share has not answered for {} s; the change may still be made",
                log.answer_time.as_secs()
            )),
        }
    }

    /// Waits until `size` virtual users are at the barrier; then it opens for all of them and is closed again. False when that takes
    /// longer than the timeout.
    ///
    /// # Errors
    /// When others wait there for another number, in words.
    pub(crate) async fn barrier(
        &self,
        name: &str,
        size: u64,
        timeout: Option<Duration>,
    ) -> Result<bool, String> {
        let agent = self.log.get().map_or(0, |log| log.agent);
        let by = Caller { agent, call: self.calls.fetch_add(1, Ordering::Relaxed) };
        let mut place = Place { store: self, name, by, is_left: false };
        let meeting = async {
            loop {
                self.change(StoreChange::Arrive { name: name.into(), size, by }).await?;
                let opened = Happened::Opened(name.to_owned());
                self.until("barriers", opened, |state| !state.waits(name, by)).await?;
                // Whoever was put out is here all the same, and counts again.
                if !self.inner().put_out.remove(&by) {
                    return Ok(());
                }
            }
        };
        let met = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, meeting).await.ok(),
            None => Some(meeting.await),
        };
        match met {
            Some(Ok(())) => {
                place.is_left = true;
                Ok(true)
            }
            Some(Err(why)) => Err(why),
            None => {
                place.is_left = true;
                // It may have opened meanwhile: then the others have counted on this one.
                let left = self.change(StoreChange::Leave { name: name.into(), by }).await?;
                let was_put_out = self.inner().put_out.remove(&by);
                Ok(left == Value::Bool(false) && !was_put_out)
            }
        }
    }

    /// Waits until a signal has been given.
    ///
    /// # Errors
    /// When too many signals are waited for, in words.
    pub(crate) async fn wait(&self, name: &str) -> Result<(), String> {
        self.until("signals", Happened::Given(name.to_owned()), |state| state.is_given(name)).await
    }

    /// Waits until something has happened, as the state tells.
    async fn until(
        &self,
        what: &str,
        happened: Happened,
        has_happened: impl Fn(&State) -> bool,
    ) -> Result<(), String> {
        loop {
            let gate = {
                let mut inner = self.inner();
                if has_happened(&inner.state) {
                    return Ok(());
                }
                limit(what, inner.waiting.len(), inner.waiting.contains_key(&happened))?;
                inner.waiting.entry(happened.clone()).or_default().clone()
            };
            let mut opening = pin!(gate.notified());
            // Listens before it looks again, so that what happens in between is not missed.
            opening.as_mut().enable();
            if has_happened(&self.inner().state) {
                return Ok(());
            }
            opening.await;
        }
    }
}

impl Log {
    fn submit(&self, change: &StoreChange<'_>) -> Result<oneshot::Receiver<Result<Value, String>>, String> {
        let message = serde_json::to_vec(change).map_err(|error| format!("it cannot be sent: {error}"))?;
        if message.len() > LONGEST_CHANGE {
            return Err(format!(
                "the value takes {} KB on its way to the other machines of the run, where at most {} KB may be stored at once",
                message.len().div_ceil(1024),
                LONGEST_CHANGE / 1024
            ));
        }
        let (answer, answered) = oneshot::channel();
        self.log.submit(message, answer);
        Ok(answered)
    }
}

/// Takes whoever waits at a barrier out of its count, unless it has opened.
struct Place<'a> {
    store: &'a Store,
    name: &'a str,
    by: Caller,
    is_left: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        self.store.inner().put_out.remove(&self.by);
        let leave = StoreChange::Leave { name: self.name.into(), by: self.by };
        // Nobody waits for the answer.
        let _ = match self.store.log.get() {
            Some(log) => log.submit(&leave).map(drop),
            None => self.store.apply(leave).map(drop),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use rand::RngExt;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::test_log::Order;
    use super::*;

    async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(time, future).await.ok()
    }

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_barrier_opens_again_and_again_and_forgets_who_left() {
        let store = Store::default();
        for _ in 0..3 {
            assert_eq!(within(SOON, store.barrier("b", 2, None)).await, None, "one alone waits");
            assert_eq!(store.barrier("b", 2, Some(SOON)).await, Ok(false));
            let (a, b) = tokio::join!(store.barrier("b", 2, None), store.barrier("b", 2, Some(SOON)));
            assert_eq!((a, b), (Ok(true), Ok(true)));
        }
        let (_, other) = tokio::join!(within(SOON, store.barrier("c", 3, None)), store.barrier("c", 2, None));
        assert!(other.unwrap_err().contains("with count 2 here, but with 3"));
        assert_eq!(store.barrier("alone", 1, None).await, Ok(true));
    }

    #[tokio::test]
    async fn a_signal_is_for_those_who_wait_and_those_who_come_later() {
        let store = Store::default();
        let give = || StoreChange::Signal { name: "s".into() };
        let (early, given) = tokio::join!(store.wait("s"), async { store.apply(give()) });
        assert_eq!((early, given), (Ok(()), Ok(Value::Unit)));
        assert_eq!(store.wait("s").await, Ok(()));
        assert_eq!(within(SOON, store.wait("other")).await, None);
    }

    /// A change of any kind, on few names, so that changes meet.
    fn any_change(random: &mut Xoshiro256PlusPlus) -> StoreChange<'static> {
        let name = format!("n{}", random.random_range(0..4));
        let value = match random.random_range(0..4) {
            0 => Value::Float(random.random_range(0.0..1.0)),
            1 => Value::List(vec![Value::Int(1), Value::Text("x".repeat(random.random_range(0..400)))]),
            _ => Value::Int(random.random_range(0..100)),
        };
        let by = Caller { agent: random.random_range(0..3), call: random.random_range(0..3) };
        let name = name.into();
        match random.random_range(0..9) {
            0 => StoreChange::Set { name, value },
            1 | 2 => StoreChange::Incr { name, by: value },
            3 | 4 => StoreChange::Push { name, value },
            5 => StoreChange::Pop { name },
            6 => StoreChange::Arrive { name, size: 3, by },
            7 => StoreChange::Leave { name, by },
            _ if by.call == 0 => StoreChange::Lost { agent: by.agent },
            _ => StoreChange::Signal { name },
        }
    }

    #[tokio::test]
    async fn replicas_of_any_changes_have_the_same_state_and_give_the_same_answers() {
        for seed in 0..20 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let order = Order::start(3, seed);
            // So little that the bounds matter too.
            order.stores.iter().for_each(|store| store.inner().state = State::bounded(1_500));
            let alone = Store::default();
            alone.inner().state = State::bounded(1_500);
            for _ in 0..100 {
                let change = any_change(&mut random);
                let on = &order.stores[random.random_range(0..3)];
                assert_eq!(on.change(change.clone()).await, alone.apply(change));
            }
            order.settle().await;
            for store in &order.stores {
                assert_eq!(store.inner().state, alone.inner().state, "seed {seed}");
            }
        }
    }

    #[tokio::test]
    async fn what_many_add_at_once_is_the_sum_and_each_is_told_another_one() {
        let order = Order::start(3, 1);
        let add = |store: Arc<Store>| async move {
            let sum = store.change(StoreChange::Incr { name: "n".into(), by: Value::Int(1) }).await.unwrap();
            assert!(store.get("n").is_some(), "one sees what one has written");
            let Value::Int(sum) = sum else { panic!("{sum:?}") };
            sum
        };
        let all = (0..300).map(|index| tokio::spawn(add(order.stores[index % 3].clone())));
        let mut sums = BTreeSet::new();
        for adding in all.collect::<Vec<_>>() {
            sums.insert(adding.await.unwrap());
        }
        assert_eq!(sums, (1..=300).collect());
    }

    #[tokio::test]
    async fn what_is_pushed_anywhere_is_popped_once_anywhere() {
        let order = Order::start(3, 2);
        let mut all = Vec::new();
        for index in 0..300 {
            let store = order.stores[index as usize % 3].clone();
            all.push(tokio::spawn(async move {
                store.change(StoreChange::Push { name: "q".into(), value: Value::Int(index) }).await.unwrap();
            }));
        }
        let mut popped = BTreeSet::new();
        for index in 0.. {
            match order.stores[index % 3].change(StoreChange::Pop { name: "q".into() }).await.unwrap() {
                Value::Int(value) => assert!(popped.insert(value), "{value} twice"),
                _ if popped.len() == 300 => break,
                _ => {}
            }
        }
        assert_eq!(popped.len(), 300);
    }

    #[tokio::test]
    async fn a_barrier_opens_over_machines_and_counts_nobody_who_left() {
        let order = Order::start(3, 3);
        let [a, b, c] = [0, 1, 2].map(|index| order.stores[index].clone());
        for round in 0..5 {
            assert_eq!(within(SOON, a.barrier("b", 3, None)).await, None, "stopped while it waits");
            assert_eq!(b.barrier("b", 3, Some(SOON)).await, Ok(false), "round {round}");
            assert_eq!(
                within(SOON, async { tokio::join!(a.barrier("b", 3, None), b.wait("x")) }).await,
                None
            );
            let (one, two, three) =
                tokio::join!(a.barrier("b", 3, None), b.barrier("b", 3, None), c.barrier("b", 3, None));
            assert_eq!((one, two, three), (Ok(true), Ok(true), Ok(true)));
        }
        let (waits, other) = tokio::join!(within(SOON, a.barrier("d", 3, None)), async {
            tokio::time::sleep(SOON / 2).await;
            c.barrier("d", 2, None).await
        });
        assert_eq!(waits, None);
        assert!(other.unwrap_err().contains("with count 2 here, but with 3"));
    }

    #[tokio::test]
    async fn a_lost_machine_is_not_counted_at_barriers() {
        let order = Order::start(2, 4);
        let [a, b] = [0, 1].map(|index| order.stores[index].clone());
        // The last that is heard of it.
        let by = Caller { agent: 9, call: 0 };
        let arrive = StoreChange::Arrive { name: "b".into(), size: 2, by };
        order.submit_unanswered(serde_json::to_vec(&arrive).unwrap());
        order.settle().await;
        assert!(a.inner().state.waits("b", by));
        order.submit_unanswered(Store::lost(9));
        let waits = within(SOON, b.barrier("b", 2, None)).await;
        assert_eq!(waits, None, "the one that is lost does not open it");
        let (one, two) = tokio::join!(a.barrier("b", 2, None), b.barrier("b", 2, None));
        assert_eq!((one, two), (Ok(true), Ok(true)));
    }

    /// A log whose messages the test applies itself.
    #[derive(Default)]
    struct ByHand(Mutex<Vec<(Vec<u8>, Answer)>>);

    impl StoreLog for ByHand {
        fn submit(&self, change: Vec<u8>, answer: Answer) {
            self.0.lock().unwrap().push((change, answer));
        }
    }

    #[tokio::test]
    async fn who_gives_up_just_when_its_machine_is_taken_for_lost_was_not_met() {
        let (store, log) = (Store::default(), Arc::new(ByHand::default()));
        store.set_log(0, log.clone());
        let next = async || {
            loop {
                let first = log.0.lock().unwrap().pop();
                match first {
                    Some(first) => return first,
                    None => tokio::time::sleep(SOON / 20).await,
                }
            }
        };
        let other = async {
            let (arrive, answer) = next().await;
            store.replay(&arrive, Some(answer));
            let (leave, answer) = next().await;
            store.replay(&Store::lost(0), None);
            store.replay(&leave, Some(answer));
        };
        let (met, ()) = tokio::join!(store.barrier("b", 2, Some(SOON)), other);
        assert_eq!(met, Ok(false));
    }

    #[tokio::test]
    async fn a_machine_that_was_taken_for_lost_counts_again() {
        let order = Order::start(2, 7);
        let [a, b] = [0, 1].map(|index| order.stores[index].clone());
        let at = |call| Caller { agent: 0, call };
        let is_counted = |call| b.inner().state.waits("b", at(call));
        let start = |timeout| {
            let a = a.clone();
            tokio::spawn(async move { a.barrier("b", 3, timeout).await })
        };
        let (waits, gives_up) = (start(None), start(Some(8 * SOON)));
        for _ in 0..2 {
            while !is_counted(0) || !is_counted(1) {
                tokio::task::yield_now().await;
            }
            order.submit_unanswered(Store::lost(0));
            order.settle().await;
        }
        assert_eq!(gives_up.await.unwrap(), Ok(false), "it was not opened, it was put out");
        let (one, two) = tokio::join!(b.barrier("b", 3, None), b.barrier("b", 3, None));
        assert_eq!((one, two, waits.await.unwrap()), (Ok(true), Ok(true), Ok(true)));
        assert!(a.inner().put_out.is_empty());
    }

    #[tokio::test]
    async fn a_signal_reaches_all_machines_and_those_who_come_later() {
        let order = Order::start(2, 5);
        let give = StoreChange::Signal { name: "s".into() };
        let (waited, given) = tokio::join!(order.stores[0].wait("s"), order.stores[1].change(give));
        assert_eq!((waited, given), (Ok(()), Ok(Value::Unit)));
        order.settle().await;
        assert_eq!(order.stores[1].wait("s").await, Ok(()));
        assert_eq!(within(SOON, order.stores[1].wait("other")).await, None);
    }

    /// A log that never answers, or is gone.
    struct Silent {
        kept: Mutex<Vec<Answer>>,
        is_gone: bool,
    }

    impl StoreLog for Silent {
        fn submit(&self, _: Vec<u8>, answer: Answer) {
            if !self.is_gone {
                self.kept.lock().unwrap().push(answer);
            }
        }
    }

    #[tokio::test]
    async fn a_log_that_does_not_answer_is_an_error_after_some_time() {
        for (is_gone, expected) in [(false, "has not answered for 1 s"), (true, "is gone")] {
            let store = Store::default();
            let log = Arc::new(Silent { kept: Mutex::default(), is_gone });
            store.log.set(Log { agent: 0, answer_time: Duration::from_millis(1_001), log }).unwrap();
            let started = Instant::now();
            let error = store.change(StoreChange::Pop { name: "q".into() }).await.unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert_eq!(started.elapsed().as_secs(), if is_gone { 0 } else { 1 });
        }
    }

    #[tokio::test]
    async fn a_value_that_no_message_holds_is_refused() {
        let order = Order::start(1, 6);
        let value = Value::Text("x".repeat(LONGEST_CHANGE));
        let started = Instant::now();
        let error = order.stores[0].change(StoreChange::Set { name: "a".into(), value }).await.unwrap_err();
        assert!(error.contains("769 KB") && error.contains("at most 768 KB"), "{error}");
        assert!(started.elapsed() < ANSWER_TIME);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        let store = Store::default();
        let (answer, mut answered) = oneshot::channel();
        store.replay(b"{\"Odd\":1}", Some(answer));
        assert!(answered.try_recv().unwrap().unwrap_err().contains("unreadable"));
        assert_eq!(store.inner().state, State::default());
    }
}
