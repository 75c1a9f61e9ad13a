//! What the store holds, and how it changes: a state machine without clock, threads or chance.
//!
//! Owns the bounds. Leaves waking those who wait to the store. Invariant: the same changes in the same order give the same
//! state and the same answers, on any machine.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::script::value::Value;

/// Most names of values, of barriers and of signals.
const MOST_NAMES: usize = 1_000_000;

/// Longest queue: values that are never popped must not fill the memory.
const LONGEST_QUEUE: usize = 10_000_000;

/// How much all values may take together, in bytes.
const MOST_BYTES: usize = 1 << 30;

/// What a name takes besides its text and its value, in bytes.
const NAME_BYTES: usize = 64;

/// Who waits at a barrier: a call on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Caller {
    /// Number of the machine.
    pub(crate) agent: u64,
    /// Number of the call there.
    pub(crate) call: u64,
}

/// Everything that changes the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum StoreChange<'a> {
    /// Gives a name a value.
    Set { name: Cow<'a, str>, value: Value },
    /// Adds to a number, which is 0 at first; answered with the sum.
    Incr { name: Cow<'a, str>, by: Value },
    /// Puts a value at the end of a queue; answered with its length.
    Push { name: Cow<'a, str>, value: Value },
    /// Takes the oldest value of a queue; answered with it, or with nothing.
    Pop { name: Cow<'a, str> },
    /// One more waits at a barrier that opens for `size`.
    Arrive { name: Cow<'a, str>, size: u64, by: Caller },
    /// One waits there no longer; answered with whether it still did.
    Leave { name: Cow<'a, str>, by: Caller },
    /// Gives a signal, for all who wait for it and all who will.
    Signal { name: Cow<'a, str> },
    /// A machine is lost, and with it all that waited there.
    Lost { agent: u64 },
}

/// What those who wait may have waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happened {
    /// A barrier has opened.
    Opened(String),
    /// A signal was given.
    Given(String),
}

/// See the module's description.
#[derive(Debug, PartialEq)]
pub(super) struct State {
    values: BTreeMap<String, Kept>,
    /// What the values and their names take.
    bytes: usize,
    most_bytes: usize,
    /// Those at which somebody waits.
    barriers: BTreeMap<String, Barrier>,
    /// Those that were given.
    signals: BTreeSet<String>,
}

impl Default for State {
    fn default() -> State {
        State::bounded(MOST_BYTES)
    }
}

#[derive(Debug, PartialEq)]
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

#[derive(Debug, PartialEq)]
struct Barrier {
    /// How many have to come.
    size: u64,
    here: BTreeSet<Caller>,
}

impl State {
    /// Empty; its values may take so many bytes.
    pub(super) fn bounded(most_bytes: usize) -> State {
        State {
            values: BTreeMap::new(),
            bytes: 0,
            most_bytes,
            barriers: BTreeMap::new(),
            signals: BTreeSet::new(),
        }
    }

    /// Makes a change; gives its answer, and what others may have waited for.
    ///
    /// # Errors
    /// Why it cannot be made, in words.
    pub(super) fn apply(&mut self, change: StoreChange<'_>) -> Result<(Value, Option<Happened>), String> {
        let answer = match change {
            StoreChange::Set { name, value } => self.set(name, value)?,
            StoreChange::Incr { name, by } => self.incr(name, &by)?,
            StoreChange::Push { name, value } => self.push(name, value)?,
            StoreChange::Pop { name } => self.pop(&name)?,
            StoreChange::Arrive { name, size, by } => {
                let opened = self.arrive(&name, size, by)?;
                return Ok((Value::Unit, opened.then(|| Happened::Opened(name.into_owned()))));
            }
            StoreChange::Leave { name, by } => Value::Bool(self.leave(&name, by)),
            StoreChange::Signal { name } => {
                limit("signals", self.signals.len(), self.signals.contains(&*name))?;
                let name = name.into_owned();
                self.signals.insert(name.clone());
                return Ok((Value::Unit, Some(Happened::Given(name))));
            }
            StoreChange::Lost { agent } => {
                self.lose(agent);
                Value::Unit
            }
        };
        Ok((answer, None))
    }

    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        self.values.get(name).map(|kept| match kept {
            Kept::Value(value) => value.clone(),
            Kept::Queue(queue) => Value::List(queue.iter().cloned().collect()),
        })
    }

    /// Whether somebody waits at a barrier.
    pub(super) fn waits(&self, barrier: &str, by: Caller) -> bool {
        self.barriers.get(barrier).is_some_and(|barrier| barrier.here.contains(&by))
    }

    /// Who of a machine waits at which barrier.
    pub(super) fn waiting_of(&self, agent: u64) -> impl Iterator<Item = (&str, Caller)> {
        let of_agent = move |caller: &&Caller| caller.agent == agent;
        self.barriers.iter().flat_map(move |(name, barrier)| {
            barrier.here.iter().filter(of_agent).map(|caller| (name.as_str(), *caller))
        })
    }

    /// Whether a signal was given.
    pub(super) fn is_given(&self, signal: &str) -> bool {
        self.signals.contains(signal)
    }

    fn set(&mut self, name: Cow<'_, str>, value: Value) -> Result<Value, String> {
        let kept = match value {
            Value::List(list) => Kept::Queue(list.into()),
            value => Kept::Value(value),
        };
        self.limit_values(&name)?;
        let before = self.values.get(&*name).map_or(0, Kept::bytes);
        self.take_room(&name, before, kept.bytes())?;
        self.values.insert(name.into_owned(), kept);
        Ok(Value::Unit)
    }

    fn incr(&mut self, name: Cow<'_, str>, by: &Value) -> Result<Value, String> {
        self.limit_values(&name)?;
        match self.values.get_mut(&*name) {
            Some(Kept::Value(number)) => {
                let sum = sum(&name, number, by)?;
                number.clone_from(&sum);
                Ok(sum)
            }
            Some(Kept::Queue(_)) => Err(no_number(&name)),
            None => {
                let sum = sum(&name, &Value::Int(0), by)?;
                self.take_room(&name, 0, sum.bytes())?;
                self.values.insert(name.into_owned(), Kept::Value(sum.clone()));
                Ok(sum)
            }
        }
    }

    fn push(&mut self, name: Cow<'_, str>, value: Value) -> Result<Value, String> {
        self.limit_values(&name)?;
        match self.values.get(&*name) {
            Some(Kept::Value(_)) => return Err(no_array(&name)),
            Some(Kept::Queue(queue)) if queue.len() >= LONGEST_QUEUE => {
                return Err(format!(
                    "'{name}' already has {LONGEST_QUEUE} values; use store::pop to remove some"
                ));
            }
            _ => self.take_room(&name, 0, value.bytes())?,
        }
        if let Some(Kept::Queue(queue)) = self.values.get_mut(&*name) {
            queue.push_back(value);
            return Ok(Value::Int(queue.len() as i64));
        }
        self.values.insert(name.into_owned(), Kept::Queue(VecDeque::from([value])));
        Ok(Value::Int(1))
    }

    fn pop(&mut self, name: &str) -> Result<Value, String> {
        match self.values.get_mut(name) {
            None => Ok(Value::Unit),
            Some(Kept::Queue(queue)) => {
                let Some(value) = queue.pop_front() else { return Ok(Value::Unit) };
                self.bytes = self.bytes.saturating_sub(value.bytes());
                Ok(value)
            }
            Some(Kept::Value(_)) => Err(no_array(name)),
        }
    }

    /// Whether that opened the barrier, for all who are there; then it is closed again.
    fn arrive(&mut self, name: &str, size: u64, by: Caller) -> Result<bool, String> {
        limit("barriers", self.barriers.len(), self.barriers.contains_key(name))?;
        if size <= 1 && !self.barriers.contains_key(name) {
            return Ok(false);
        }
        let barrier =
            self.barriers.entry(name.to_owned()).or_insert_with(|| Barrier { size, here: BTreeSet::new() });
        if barrier.size != size {
            return Err(format!(
                "the barrier '{name}' is called with count {size} here, but with {} by users that wait",
                barrier.size
            ));
        }
        barrier.here.insert(by);
        let opens = barrier.here.len() as u64 >= size;
        if opens {
            self.barriers.remove(name);
        }
        Ok(opens)
    }

    fn leave(&mut self, name: &str, by: Caller) -> bool {
        let Some(barrier) = self.barriers.get_mut(name) else { return false };
        let was_here = barrier.here.remove(&by);
        if barrier.here.is_empty() {
            self.barriers.remove(name);
        }
        was_here
    }

    fn lose(&mut self, agent: u64) {
        self.barriers.retain(|_, barrier| {
            barrier.here.retain(|caller| caller.agent != agent);
            !barrier.here.is_empty()
        });
    }

    fn limit_values(&self, name: &str) -> Result<(), String> {
        limit("values", self.values.len(), self.values.contains_key(name))
    }

    /// Makes room for so many bytes more under a name, where there were `before`.
    fn take_room(&mut self, name: &str, before: usize, more: usize) -> Result<(), String> {
        let of_name = if self.values.contains_key(name) { 0 } else { NAME_BYTES + name.len() };
        let bytes = self.bytes.saturating_sub(before) + of_name + more;
        // What makes it smaller is fine also when it is full.
        if bytes > self.most_bytes && bytes > self.bytes {
            return Err(format!(
                "the store would hold more than {} MB with the value of '{name}', the maximum for all of them; \
                 remove what is not needed with store::pop or store::set(name, ())",
                self.most_bytes >> 20
            ));
        }
        self.bytes = bytes;
        Ok(())
    }
}

fn sum(name: &str, number: &Value, by: &Value) -> Result<Value, String> {
    Ok(match (number, by) {
        (Value::Int(a), Value::Int(b)) => {
            Value::Int(a.checked_add(*b).ok_or_else(|| format!("adding to '{name}' would overflow"))?)
        }
        (Value::Int(a), Value::Float(b)) => Value::Float(*a as f64 + b),
        (Value::Float(a), Value::Int(b)) => Value::Float(a + *b as f64),
        (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
        (Value::Int(_) | Value::Float(_), _) => return Err("the value to add must be a number".to_owned()),
        _ => return Err(no_number(name)),
    })
}

fn no_number(name: &str) -> String {
    format!("the value of '{name}' is not a number")
}

fn no_array(name: &str) -> String {
    format!("the value of '{name}' is not an array")
}

/// An error when there are too many names and this one is not among them.
pub(super) fn limit(what: &str, names: usize, is_known: bool) -> Result<(), String> {
    if names >= MOST_NAMES && !is_known {
        return Err(format!("the store already has {MOST_NAMES} {what}, the maximum"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl State {
        fn make(&mut self, change: StoreChange<'_>) -> Result<Value, String> {
            self.apply(change).map(|(answer, _)| answer)
        }
    }

    fn set(name: &str, value: Value) -> StoreChange<'_> {
        StoreChange::Set { name: name.into(), value }
    }

    fn incr(name: &str, by: Value) -> StoreChange<'_> {
        StoreChange::Incr { name: name.into(), by }
    }

    fn push(name: &str, value: Value) -> StoreChange<'_> {
        StoreChange::Push { name: name.into(), value }
    }

    fn pop(name: &str) -> StoreChange<'_> {
        StoreChange::Pop { name: name.into() }
    }

    #[test]
    fn numbers_are_added_and_only_numbers() {
        let mut store = State::default();
        assert_eq!(store.make(incr("n", Value::Int(2))), Ok(Value::Int(2)));
        assert_eq!(store.make(incr("n", Value::Float(0.5))), Ok(Value::Float(2.5)));
        store.make(set("n", Value::Int(i64::MAX))).unwrap();
        assert!(store.make(incr("n", Value::Int(1))).unwrap_err().contains("overflow"));
        assert_eq!(store.get("n"), Some(Value::Int(i64::MAX)));
        assert!(store.make(incr("n", Value::Unit)).unwrap_err().contains("must be a number"));
        assert!(store.make(incr("new", Value::Unit)).is_err() && store.get("new").is_none());
        store.make(set("text", Value::Text("1".into()))).unwrap();
        assert!(store.make(incr("text", Value::Int(1))).unwrap_err().contains("'text' is not a number"));
        assert!(store.make(push("text", Value::Unit)).is_err() && store.make(pop("text")).is_err());
        store.make(push("list", Value::Unit)).unwrap();
        assert!(store.make(incr("list", Value::Int(1))).unwrap_err().contains("'list' is not a number"));
    }

    #[test]
    fn queues_give_the_oldest_first() {
        let mut store = State::default();
        assert_eq!(store.make(pop("q")), Ok(Value::Unit));
        store.make(set("q", Value::List(vec![Value::Int(1)]))).unwrap();
        assert_eq!(store.make(push("q", Value::Int(7))), Ok(Value::Int(2)));
        assert_eq!(store.get("q"), Some(Value::List(vec![Value::Int(1), Value::Int(7)])));
        assert_eq!(store.make(pop("q")), Ok(Value::Int(1)));
        assert_eq!(store.make(pop("q")), Ok(Value::Int(7)));
        assert_eq!(store.make(pop("q")), Ok(Value::Unit));
    }

    #[test]
    fn the_store_is_bounded_in_bytes_and_can_be_emptied() {
        let mut store = State::bounded(10_000);
        let text = |bytes| Value::Text("x".repeat(bytes));
        store.make(set("a", text(4_000))).unwrap();
        store.make(push("q", text(4_000))).unwrap();
        for refused in [set("b", text(4_000)), push("q", text(4_000))] {
            assert!(store.make(refused).unwrap_err().contains("the maximum for all of them"));
        }
        assert_eq!(store.get("b"), None, "nothing of it is kept");
        let error = store.make(set("a", Value::List(vec![text(3_000), text(3_000)]))).unwrap_err();
        assert!(error.contains("the value of 'a'"), "{error}");
        // In place of what is there, and where there was something.
        store.make(set("a", text(5_000))).unwrap();
        assert_ne!(store.make(pop("q")), Ok(Value::Unit));
        store.make(set("b", text(4_000))).unwrap();
        store.make(set("a", Value::Unit)).unwrap();
        store.make(set("c", Value::Map(vec![("k".repeat(2_000), text(2_000))]))).unwrap();
        let mut numbers = 0;
        while store.make(incr(&format!("n{numbers}"), Value::Int(1))).is_ok() {
            numbers += 1;
        }
        assert!((5..100).contains(&numbers), "names count too: {numbers}");
        let before = store.bytes;
        for _ in 0..100 {
            store.make(set("a", text(50))).unwrap_or(Value::Unit);
            store.make(incr("n0", Value::Int(1))).unwrap();
            store.make(push("b", Value::Unit)).unwrap_err();
        }
        assert!(store.bytes <= before + 100);
    }

    #[test]
    fn a_barrier_forgets_who_left_and_all_of_a_machine_that_is_lost() {
        let mut store = State::default();
        let caller = |agent, call| Caller { agent, call };
        let arrive = |size, by| StoreChange::Arrive { name: "b".into(), size, by };
        let leave = |by| StoreChange::Leave { name: "b".into(), by };
        let opened = Some(Happened::Opened("b".to_owned()));
        assert_eq!(store.apply(arrive(3, caller(0, 1))).unwrap().1, None);
        assert_eq!(store.apply(arrive(3, caller(1, 1))).unwrap().1, None);
        assert!(store.make(arrive(2, caller(2, 1))).unwrap_err().contains("with count 2 here, but with 3"));
        assert_eq!(store.make(leave(caller(0, 1))), Ok(Value::Bool(true)));
        assert_eq!(store.make(leave(caller(0, 1))), Ok(Value::Bool(false)), "it can leave once");
        store.make(arrive(3, caller(0, 2))).unwrap();
        store.make(StoreChange::Lost { agent: 0 }).unwrap();
        store.make(arrive(3, caller(2, 1))).unwrap();
        assert!(store.waits("b", caller(1, 1)) && !store.waits("b", caller(0, 2)));
        assert_eq!(store.apply(arrive(3, caller(2, 2))).unwrap().1, opened);
        assert!(!store.waits("b", caller(1, 1)));
        // It is for others again, with a count of their own.
        assert_eq!(store.apply(arrive(2, caller(1, 2))).unwrap().1, None);
        store.make(StoreChange::Lost { agent: 1 }).unwrap();
        assert_eq!(store, State::default(), "what nobody waits at takes no room");
    }
}
