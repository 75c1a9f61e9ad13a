//! State shared by virtual users across threads: values, queues, barriers and signals.
//!
//! Not on the path of a request, so one lock is enough. Invariant: the lock is never held while waiting, and a
//! user that stops waiting at a barrier is no longer counted there.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::value::Value;

/// Most names of values, of barriers and of signals.
const MOST_NAMES: usize = 1_000_000;

/// Longest queue: values that are never popped must not fill the memory.
const LONGEST_QUEUE: usize = 10_000_000;

/// How much all values may take together, in bytes.
const MOST_BYTES: usize = 1 << 30;

/// What a name takes besides its text and its value, in bytes.
const NAME_BYTES: usize = 64;

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Store {
    state: Mutex<State>,
    most_bytes: usize,
}

impl Default for Store {
    fn default() -> Store {
        Store { state: Mutex::default(), most_bytes: MOST_BYTES }
    }
}

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<String, Kept>,
    /// What the values and their names take.
    bytes: usize,
    barriers: BTreeMap<String, Barrier>,
    signals: BTreeMap<String, Signal>,
}

#[derive(Debug)]
enum Kept {
    Value(Value),
    /// An array, which can be taken from at its beginning.
    Queue(VecDeque<Value>),
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Kept::Value(value) => value.bytes(),
            Kept::Queue(queue) => queue.iter().map(Value::bytes).sum(),
        }
    }
}

impl State {
    /// Makes room for so many bytes more under a name, where there were `before`.
    fn take_room(&mut self, name: &str, before: usize, more: usize, most: usize) -> Result<(), String> {
        let of_name = if self.values.contains_key(name) { 0 } else { NAME_BYTES + name.len() };
        let bytes = self.bytes.saturating_sub(before) + of_name + more;
        // What makes it smaller is fine also when it is full.
        if bytes > most && bytes > self.bytes {
            return Err(format!(
                "the store would hold more than {} MB with the value of '{name}', the maximum for all of them; \
                 remove what is not needed with store::pop or store::set(name, ())",
                most >> 20
            ));
        }
        self.bytes = bytes;
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Barrier {
    /// How many have to come.
    size: u64,
    here: u64,
    /// How often it has opened.
    opened: u64,
    opens: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Signal {
    given: bool,
    gives: Arc<Notify>,
}

impl Store {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.state().values.get(name).map(|kept| match kept {
            Kept::Value(value) => value.clone(),
            Kept::Queue(queue) => Value::List(queue.iter().cloned().collect()),
        })
    }

    /// Gives a name a value.
    ///
    /// # Errors
    /// When there are too many names, or all values take too much memory, in words.
    pub(crate) fn set(&self, name: &str, value: Value) -> Result<(), String> {
        let kept = match value {
            Value::List(list) => Kept::Queue(list.into()),
            value => Kept::Value(value),
        };
        let mut state = self.state();
        limit("values", &state.values, name)?;
        let before = state.values.get(name).map_or(0, Kept::bytes);
        state.take_room(name, before, kept.bytes(), self.most_bytes)?;
        state.values.insert(name.to_owned(), kept);
        Ok(())
    }

    /// Adds to a number, which is 0 at first; gives the sum.
    ///
    /// # Errors
    /// When one of the two is no number, or the sum is too large, in words.
    pub(crate) fn incr(&self, name: &str, by: &Value) -> Result<Value, String> {
        let mut state = self.state();
        limit("values", &state.values, name)?;
        if !state.values.contains_key(name) {
            state.take_room(name, 0, Value::Int(0).bytes(), self.most_bytes)?;
        }
        let kept = state.values.entry(name.to_owned()).or_insert(Kept::Value(Value::Int(0)));
        let no_number = || format!("the value of '{name}' is not a number");
        let Kept::Value(number) = kept else { return Err(no_number()) };
        let sum = match (&*number, by) {
            (Value::Int(a), Value::Int(b)) => {
                Value::Int(a.checked_add(*b).ok_or_else(|| format!("adding to '{name}' would overflow"))?)
            }
            (Value::Int(a), Value::Float(b)) => Value::Float(*a as f64 + b),
            (Value::Float(a), Value::Int(b)) => Value::Float(a + *b as f64),
            (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
            (Value::Int(_) | Value::Float(_), _) => {
                return Err("the value to add must be a number".to_owned());
            }
            _ => return Err(no_number()),
        };
        *number = sum.clone();
        Ok(sum)
    }

    /// Puts a value at the end of a queue; gives its length.
    ///
    /// # Errors
    /// When the name has a value that is no array, or the queue or the store is full, in words.
    pub(crate) fn push(&self, name: &str, value: Value) -> Result<usize, String> {
        let mut state = self.state();
        limit("values", &state.values, name)?;
        let has_room = |kept: &Kept| matches!(kept, Kept::Queue(queue) if queue.len() < LONGEST_QUEUE);
        if state.values.get(name).is_none_or(has_room) {
            state.take_room(name, 0, value.bytes(), self.most_bytes)?;
        }
        let kept = state.values.entry(name.to_owned()).or_insert_with(|| Kept::Queue(VecDeque::new()));
        match kept {
            Kept::Queue(queue) if queue.len() >= LONGEST_QUEUE => {
                Err(format!("'{name}' already has {LONGEST_QUEUE} values; use store::pop to remove some"))
            }
            Kept::Queue(queue) => {
                queue.push_back(value);
                Ok(queue.len())
            }
            Kept::Value(_) => Err(format!("the value of '{name}' is not an array")),
        }
    }

    /// Takes the oldest value of a queue; `None` when there is none.
    ///
    /// # Errors
    /// When the name has a value that is no array, in words.
    pub(crate) fn pop(&self, name: &str) -> Result<Option<Value>, String> {
        let mut state = self.state();
        let state = &mut *state;
        match state.values.get_mut(name) {
            None => Ok(None),
            Some(Kept::Queue(queue)) => {
                let value = queue.pop_front();
                state.bytes = state.bytes.saturating_sub(value.as_ref().map_or(0, Value::bytes));
                Ok(value)
            }
            Some(Kept::Value(_)) => Err(format!("the value of '{name}' is not an array")),
        }
    }

    /// Waits until `size` virtual users are at the barrier; then it opens for all of them and is closed again.
    ///
    /// # Errors
    /// When others wait there for another number, in words.
    pub(crate) async fn barrier(&self, name: &str, size: u64) -> Result<(), String> {
        let (opens, opened) = {
            let mut state = self.state();
            limit("barriers", &state.barriers, name)?;
            let barrier = state.barriers.entry(name.to_owned()).or_default();
            if barrier.here > 0 && barrier.size != size {
                return Err(format!(
                    "the barrier '{name}' is called with count {size} here, but with {} by users that wait",
                    barrier.size
                ));
            }
            barrier.size = size;
            barrier.here += 1;
            if barrier.here >= size {
                barrier.here = 0;
                barrier.opened += 1;
                barrier.opens.notify_waiters();
                return Ok(());
            }
            (barrier.opens.clone(), barrier.opened)
        };
        let _leave = LeaveBarrier { store: self, name, opened };
        loop {
            // Listens before it looks, so that an opening in between is not missed.
            let opening = opens.notified();
            if self.state().barriers.get(name).is_none_or(|barrier| barrier.opened != opened) {
                return Ok(());
            }
            opening.await;
        }
    }

    /// Gives a signal, for all who wait for it and all who will.
    ///
    /// # Errors
    /// When there are too many names, in words.
    pub(crate) fn signal(&self, name: &str) -> Result<(), String> {
        let mut state = self.state();
        limit("signals", &state.signals, name)?;
        let signal = state.signals.entry(name.to_owned()).or_default();
        signal.given = true;
        signal.gives.notify_waiters();
        Ok(())
    }

    /// Waits until a signal has been given.
    ///
    /// # Errors
    /// When there are too many names, in words.
    pub(crate) async fn wait(&self, name: &str) -> Result<(), String> {
        let gives = {
            let mut state = self.state();
            limit("signals", &state.signals, name)?;
            state.signals.entry(name.to_owned()).or_default().gives.clone()
        };
        loop {
            let mut given = pin!(gives.notified());
            given.as_mut().enable();
            if self.state().signals.get(name).is_some_and(|signal| signal.given) {
                return Ok(());
            }
            given.await;
        }
    }
}

/// Takes whoever waits at a barrier out of its count, unless it has opened meanwhile.
struct LeaveBarrier<'a> {
    store: &'a Store,
    name: &'a str,
    opened: u64,
}

impl Drop for LeaveBarrier<'_> {
    fn drop(&mut self) {
        if let Some(barrier) = self.store.state().barriers.get_mut(self.name)
            && barrier.opened == self.opened
        {
            barrier.here = barrier.here.saturating_sub(1);
        }
    }
}

fn limit<T>(what: &str, names: &BTreeMap<String, T>, name: &str) -> Result<(), String> {
    if names.len() >= MOST_NAMES && !names.contains_key(name) {
        return Err(format!("the store already has {MOST_NAMES} {what}, the maximum"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_are_added_and_only_numbers() {
        let store = Store::default();
        assert_eq!(store.incr("n", &Value::Int(2)), Ok(Value::Int(2)));
        assert_eq!(store.incr("n", &Value::Float(0.5)), Ok(Value::Float(2.5)));
        store.set("n", Value::Int(i64::MAX)).unwrap();
        assert!(store.incr("n", &Value::Int(1)).unwrap_err().contains("overflow"));
        assert_eq!(store.get("n"), Some(Value::Int(i64::MAX)));
        assert!(store.incr("n", &Value::Unit).unwrap_err().contains("must be a number"));
        store.set("text", Value::Text("1".into())).unwrap();
        assert!(store.incr("text", &Value::Int(1)).unwrap_err().contains("'text' is not a number"));
        assert!(store.push("text", Value::Unit).is_err() && store.pop("text").is_err());
    }

    #[test]
    fn queues_give_the_oldest_first() {
        let store = Store::default();
        assert_eq!(store.pop("q"), Ok(None));
        store.set("q", Value::List(vec![Value::Int(1)])).unwrap();
        assert_eq!(store.push("q", Value::Int(2)), Ok(2));
        assert_eq!(store.get("q"), Some(Value::List(vec![Value::Int(1), Value::Int(2)])));
        assert_eq!(store.pop("q"), Ok(Some(Value::Int(1))));
        assert_eq!(store.pop("q"), Ok(Some(Value::Int(2))));
        assert_eq!(store.pop("q"), Ok(None));
    }

    #[test]
    fn the_store_is_bounded_in_bytes_and_can_be_emptied() {
        let store = Store { most_bytes: 10_000, ..Store::default() };
        let text = |bytes| Value::Text("x".repeat(bytes));
        store.set("a", text(4_000)).unwrap();
        store.push("q", text(4_000)).unwrap();
        for refused in [store.set("b", text(4_000)), store.push("q", text(4_000)).map(drop)] {
            assert!(refused.unwrap_err().contains("the maximum for all of them"));
        }
        assert_eq!(store.get("b"), None, "nothing of it is kept");
        let error = store.set("a", Value::List(vec![text(3_000), text(3_000)])).unwrap_err();
        assert!(error.contains("the value of 'a'"), "{error}");
        // In place of what is there, and where there was something.
        store.set("a", text(5_000)).unwrap();
        assert!(store.pop("q").unwrap().is_some());
        store.set("b", text(4_000)).unwrap();
        store.set("a", Value::Unit).unwrap();
        store.set("c", Value::Map(vec![("k".repeat(2_000), text(2_000))])).unwrap();
        let mut numbers = 0;
        while store.incr(&format!("n{numbers}"), &Value::Int(1)).is_ok() {
            numbers += 1;
        }
        assert!((5..100).contains(&numbers), "names count too: {numbers}");
        let before = store.state().bytes;
        for _ in 0..100 {
            store.set("a", text(50)).unwrap_or_default();
            store.incr("n0", &Value::Int(1)).unwrap();
            store.push("b", Value::Unit).unwrap_err();
        }
        assert!(store.state().bytes <= before + 100);
    }

    #[tokio::test]
    async fn a_barrier_opens_again_and_again_and_forgets_who_left() {
        let store = Store::default();
        for _ in 0..3 {
            let given_up = tokio::time::timeout(Duration::from_millis(20), store.barrier("b", 2)).await;
            assert!(given_up.is_err(), "one alone waits");
            let (a, b) = tokio::join!(store.barrier("b", 2), store.barrier("b", 2));
            assert_eq!((a, b), (Ok(()), Ok(())));
        }
        let (_, other) = tokio::join!(
            tokio::time::timeout(Duration::from_millis(20), store.barrier("c", 3)),
            store.barrier("c", 2)
        );
        assert!(other.unwrap_err().contains("with count 2 here, but with 3"));
        assert_eq!(store.barrier("alone", 1).await, Ok(()));
    }

    #[tokio::test]
    async fn a_signal_is_for_those_who_wait_and_those_who_come_later() {
        let store = Store::default();
        let (early, ()) = tokio::join!(store.wait("s"), async { store.signal("s").unwrap() });
        assert_eq!(early, Ok(()));
        assert_eq!(store.wait("s").await, Ok(()));
        assert!(tokio::time::timeout(Duration::from_millis(20), store.wait("other")).await.is_err());
    }
}
