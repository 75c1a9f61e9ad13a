//! Instants in order, each with somebody who waits for it. Pure.
//!
//! A binary heap that knows where each of its entries stands, so that one can be taken out in the middle:
//! a wait that is given up leaves nothing behind. Invariants: `slots[heap[i].slot].place == i`; a slot that is
//! not in the heap is either due (its owner still has to give it back) or free. Memory is kept, so a wait
//! allocates only when there were never so many at once.

use std::task::Waker;

use tokio::time::Instant;

/// Names an entry until [`Deadlines::remove`] is called for it.
pub(super) type Slot = u32;

/// Stands where a place in the heap would: the entry has come due.
const DUE: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Deadlines {
    heap: Vec<Entry>,
    slots: Vec<Waiting>,
    free: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Entry {
    at: Instant,
    slot: Slot,
}

struct Waiting {
    place: u32,
    waker: Option<Waker>,
}

impl Deadlines {
    /// Adds somebody who is to be woken at an instant.
    pub(super) fn insert(&mut self, at: Instant, waker: Waker) -> Slot {
        let waiting = Waiting { place: self.heap.len() as u32, waker: Some(waker) };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = waiting;
                slot
            }
            None => {
                self.slots.push(waiting);
                (self.slots.len() - 1) as Slot
            }
        };
        self.heap.push(Entry { at, slot });
        self.rise(self.heap.len() - 1);
        slot
    }

    /// Gives a slot back, whether it has come due or not, and with it the waker that is not needed any more.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<Waker> {
        let waiting = &mut self.slots[slot as usize];
        let (place, waker) = (waiting.place, waiting.waker.take());
        self.free.push(slot);
        if place != DUE {
            self.take_out(place as usize);
        }
        waker
    }

    /// Whether the entry has come due.
    pub(super) fn is_due(&self, slot: Slot) -> bool {
        self.slots[slot as usize].place == DUE
    }

    /// Another task waits for the entry from now on.
    pub(super) fn set_waker(&mut self, slot: Slot, waker: &Waker) {
        let kept = &mut self.slots[slot as usize].waker;
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    /// The earliest instant that somebody waits for.
    pub(super) fn first(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Makes the earliest entry due if its time has come, and says whom to wake.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Waker> {
        let first = self.heap.first().filter(|entry| entry.at <= now)?;
        let slot = first.slot as usize;
        self.take_out(0);
        self.slots[slot].place = DUE;
        self.slots[slot].waker.take()
    }

    fn take_out(&mut self, place: usize) {
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.settle(place);
            self.sink(place);
            self.rise(place);
        }
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent].at <= self.heap[place].at {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let Some(mut child) = self.heap.get(left).map(|_| left) else { return };
            if self.heap.get(left + 1).is_some_and(|right| right.at < self.heap[left].at) {
                child = left + 1;
            }
            if self.heap[place].at <= self.heap[child].at {
                return;
            }
            self.swap(place, child);
            place = child;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.settle(a);
        self.settle(b);
    }

    /// Tells a slot where its entry stands now.
    fn settle(&mut self, place: usize) {
        self.slots[self.heap[place].slot as usize].place = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn they_come_due_in_order_and_not_before() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::default();
        let [late, early, middle] = [30, 10, 20].map(|ms| deadlines.insert(at(ms), Waker::noop().clone()));
        assert_eq!(deadlines.first(), Some(at(10)));
        assert!(deadlines.pop(at(9)).is_none());
        assert!(deadlines.pop(at(25)).is_some());
        assert!(deadlines.is_due(early) && !deadlines.is_due(middle));
        assert!(deadlines.pop(at(25)).is_some());
        assert!(deadlines.pop(at(25)).is_none());
        assert!(deadlines.is_due(middle) && !deadlines.is_due(late));
        assert_eq!(deadlines.first(), Some(at(30)));
    }

    /// The same as a sorted map does, whatever is added, taken out and comes due in between.
    #[test]
    fn it_agrees_with_a_sorted_map() {
        let start = Instant::now();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut deadlines = Deadlines::default();
        let mut model: BTreeMap<(Instant, Slot), ()> = BTreeMap::new();
        let mut due = Vec::new();
        for step in 0..20_000_u64 {
            match rng.next_u64() % 4 {
                0 | 1 => {
                    let at = start + Duration::from_micros(step + rng.next_u64() % 500);
                    let slot = deadlines.insert(at, Waker::noop().clone());
                    assert!(model.keys().all(|&(_, known)| known != slot) && !due.contains(&slot));
                    model.insert((at, slot), ());
                }
                2 => {
                    let count = model.len();
                    if count > 0 {
                        let key = *model.keys().nth(rng.next_u64() as usize % count).unwrap();
                        model.remove(&key);
                        deadlines.remove(key.1);
                    }
                }
                _ => {
                    let now = start + Duration::from_micros(step);
                    while deadlines.pop(now).is_some() {
                        let (&(at, _), ()) = model.first_key_value().unwrap();
                        assert!(at <= now);
                        // Of several at one instant any may come first.
                        let key = *model.keys().find(|key| key.0 == at && deadlines.is_due(key.1)).unwrap();
                        model.remove(&key);
                        due.push(key.1);
                    }
                    assert!(model.keys().all(|&(at, _)| at > now));
                    due.drain(..).for_each(|slot| drop(deadlines.remove(slot)));
                }
            }
            assert_eq!(deadlines.first(), model.keys().next().map(|key| key.0));
        }
        assert!(deadlines.slots.len() < 20_000, "slots are used again");
    }
}
