//! Writing into a run's stream: once, in order, however often the server goes away in between.
//!
//! Owns the queue of what waits, and what may be dropped from it. Invariant: a message is in the stream before the next one is written;
//! the server knows by its id what it has already.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use tokio::sync::Notify;

use super::parts::parts_of;
use super::{AGAIN_AFTER, ANSWER_WITHIN, GoneFor};

/// Makes the bytes of a message when it is its turn.
type Make = Box<dyn FnOnce() -> Vec<u8> + Send>;

struct Entry {
    subject: String,
    /// It may be dropped when too many wait.
    can_go: bool,
    make: Make,
}

/// Messages on their way into the stream.
struct Waiting {
    queue: Mutex<VecDeque<Entry>>,
    changed: Notify,
    is_writing: AtomicBool,
    /// Nothing comes any more.
    is_closed: AtomicBool,
    /// There is no stream to write into any more.
    is_gone: AtomicBool,
    most: usize,
}

/// A way into the stream. What waits when it is dropped is still written.
pub(in crate::cluster) struct Outbox {
    shared: Arc<Waiting>,
}

impl Outbox {
    /// Of a writer whose name is unique in the stream; beyond so many, what can go is dropped.
    pub(super) fn new(stream: jetstream::Context, writer: String, most: usize) -> Outbox {
        let shared = Arc::new(Waiting {
            queue: Mutex::default(),
            changed: Notify::new(),
            is_writing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            most,
        });
        tokio::spawn(write_all(stream, writer, shared.clone()));
        Outbox { shared }
    }

    /// Puts a message in.
    pub(in crate::cluster) fn put(&self, subject: String, payload: Vec<u8>) {
        self.add(Entry { subject, can_go: false, make: Box::new(move || payload) });
    }

    /// Puts one in whose bytes are made when it is its turn. When too many wait, the oldest of these goes; gives how many went.
    pub(in crate::cluster) fn put_later(
        &self,
        subject: String,
        make: impl FnOnce() -> Vec<u8> + Send + 'static,
    ) -> u64 {
        self.add(Entry { subject, can_go: true, make: Box::new(make) })
    }

    fn add(&self, entry: Entry) -> u64 {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.is_gone.load(Ordering::Acquire) {
            return 0;
        }
        queue.push_back(entry);
        let mut gone = 0;
        while queue.len() > self.shared.most
            && let Some(oldest) = queue.iter().position(|entry| entry.can_go)
        {
            queue.remove(oldest);
            gone += 1;
        }
        drop(queue);
        self.shared.changed.notify_one();
        gone
    }

    /// Waits until all is written, but no longer than this; whether it is.
    pub(in crate::cluster) async fn written(&self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            if self.shared.is_idle() {
                return true;
            }
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }
}

impl Waiting {
    fn is_idle(&self) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.is_empty() && !self.is_writing.load(Ordering::Acquire)
    }

    /// Nothing can be written any more.
    fn give_up(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.clear();
        self.is_gone.store(true, Ordering::Release);
        self.is_writing.store(false, Ordering::Release);
    }

    fn next(&self) -> Option<Entry> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = queue.pop_front();
        self.is_writing.store(entry.is_some(), Ordering::Release);
        entry
    }
}

async fn write_all(stream: jetstream::Context, writer: String, waiting: Arc<Waiting>) {
    let mut number = 0_u64;
    loop {
        let Some(Entry { subject, make, .. }) = waiting.next() else {
            if waiting.is_closed.load(Ordering::Acquire) {
                return;
            }
            waiting.changed.notified().await;
            continue;
        };
        number += 1;
        for (part, bytes) in parts_of(number, make()).into_iter().enumerate() {
            if !write(&stream, &subject, &format!("{writer}-{number}-{part}"), bytes).await {
                waiting.give_up();
                return;
            }
        }
    }
}

/// Writes until the server says that it has it. What it has already it takes no second time, since it knows the id. False when
/// there is no such stream any more.
async fn write(stream: &jetstream::Context, subject: &str, id: &str, payload: Bytes) -> bool {
    let mut gone = GoneFor::default();
    loop {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        let write = async {
            let sent = stream.publish_with_headers(subject.to_owned(), headers, payload.clone()).await?;
            sent.await
        };
        let is_unknown = match tokio::time::timeout(ANSWER_WITHIN, write).await {
            Ok(Ok(_)) => return true,
            Ok(Err(error)) => error.kind() == PublishErrorKind::StreamNotFound,
            Err(_) => false,
        };
        if gone.look(is_unknown) {
            return false;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
