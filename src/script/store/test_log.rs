//! A log in memory, for tests: one order for several stores, each of which is behind the others by chance.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Answer, Store, StoreLog};

/// Stores whose changes are in one order.
pub(crate) struct Order {
    pub(crate) stores: Vec<Arc<Store>>,
    messages: Arc<Mutex<Messages>>,
    is_over: Arc<AtomicBool>,
}

#[derive(Default)]
struct Messages {
    /// Which store submitted it, the change, and the answer that is expected.
    all: Vec<(Option<usize>, Vec<u8>, Option<Answer>)>,
    /// How many each store has applied.
    applied: Vec<usize>,
}

struct OfStore {
    index: usize,
    messages: Arc<Mutex<Messages>>,
}

impl StoreLog for OfStore {
    fn submit(&self, change: Vec<u8>, answer: Answer) {
        self.messages.lock().unwrap().all.push((Some(self.index), change, Some(answer)));
    }
}

impl Order {
    /// So many stores, and a thread that hands each message to each of them until the order is dropped.
    pub(crate) fn start(count: usize, seed: u64) -> Order {
        Order::of((0..count).map(|_| Arc::default()).collect(), seed)
    }

    /// The same for stores that are there.
    pub(crate) fn of(stores: Vec<Arc<Store>>, seed: u64) -> Order {
        let messages = Arc::new(Mutex::new(Messages { all: Vec::new(), applied: vec![0; stores.len()] }));
        for (index, store) in stores.iter().enumerate() {
            store.set_log(index as u64, Arc::new(OfStore { index, messages: messages.clone() }));
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let order = Order { stores: stores.clone(), messages: messages.clone(), is_over: is_over.clone() };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let mut messages = messages.lock().unwrap();
                let behind = |index: &usize| messages.applied[*index] < messages.all.len();
                let behind: Vec<usize> = (0..stores.len()).filter(behind).collect();
                if behind.is_empty() {
                    drop(messages);
                    std::thread::sleep(Duration::from_micros(50));
                    continue;
                }
                let index = behind[random.random_range(0..behind.len())];
                let next = messages.applied[index];
                messages.applied[index] += 1;
                let (by, change, answer) = &mut messages.all[next];
                let answer = if *by == Some(index) { answer.take() } else { None };
                stores[index].replay(change, answer);
            }
        });
        order
    }

    /// A change that no store waits for.
    pub(crate) fn submit_unanswered(&self, change: Vec<u8>) {
        self.messages.lock().unwrap().all.push((None, change, None));
    }

    /// Waits until all stores have applied all there is.
    pub(crate) async fn settle(&self) {
        loop {
            {
                let messages = self.messages.lock().unwrap();
                if messages.applied.iter().all(|applied| *applied == messages.all.len()) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
