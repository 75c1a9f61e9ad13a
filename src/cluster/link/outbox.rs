//! Writing into a run's stream: once, in order, however often the server goes away in between.
//!
//! Owns the queue of what waits, and what may be dropped from it. Invariant: a message is in the stream before the next one is written;
//! the server knows by its id what it has already.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream;
use async_nats::jetstream::context::PublishErrorKind;
use bytes::Bytes;
use tokio::sync::Notify;

use super::parts::parts_of;
use super::{AGAIN_AFTER, ANSWER_WITHIN, GoneFor, does_not_know};

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
    /// Of what can go, how much was lost with it.
    lost: AtomicU64,
    most: usize,
}

/// A way into the stream. What waits when it is dropped is still written.
pub(in crate::cluster) struct Outbox {
    shared: Arc<Waiting>,
}

impl Outbox {
    /// Into the stream of this name, of a writer whose name is unique in it; beyond so many, what can go is dropped.
    pub(super) fn new(context: jetstream::Context, stream: String, writer: String, most: usize) -> Outbox {
        let shared = Arc::new(Waiting {
            queue: Mutex::default(),
            changed: Notify::new(),
            is_writing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            is_gone: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            most,
        });
        tokio::spawn(write_all(context, stream, writer, shared.clone()));
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
            self.shared.lose(entry.can_go);
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

    /// How much of what was to be made later is lost because the stream is gone.
    pub(in crate::cluster) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Waits until all is written, but no longer than this; whether it is. Nobody misses words in a stream that is gone.
    pub(in crate::cluster) async fn written(&self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            if self.shared.is_idle() {
                return self.lost() == 0;
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

    fn lose(&self, can_go: bool) {
        self.lost.fetch_add(u64::from(can_go), Ordering::Relaxed);
    }

    /// Nothing can be written any more.
    fn give_up(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.drain(..).for_each(|entry| self.lose(entry.can_go));
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

async fn write_all(context: jetstream::Context, stream: String, writer: String, waiting: Arc<Waiting>) {
    let mut number = 0_u64;
    loop {
        let Some(Entry { subject, can_go, make }) = waiting.next() else {
            if waiting.is_closed.load(Ordering::Acquire) {
                return;
            }
            waiting.changed.notified().await;
            continue;
        };
        number += 1;
        for (part, bytes) in parts_of(number, make()).into_iter().enumerate() {
            if !write(&context, &stream, &subject, &format!("{writer}-{number}-{part}"), bytes).await {
                waiting.lose(can_go);
                waiting.give_up();
                return;
            }
        }
    }
}

/// Writes until the server says that it has it. What it has already it takes no second time, since it knows the id. False when
/// there is no such stream any more.
async fn write(context: &jetstream::Context, stream: &str, subject: &str, id: &str, payload: Bytes) -> bool {
    let mut gone = GoneFor::default();
    loop {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        let write = async {
            let sent = context.publish_with_headers(subject.to_owned(), headers, payload.clone()).await?;
            sent.await
        };
        let is_unknown = match tokio::time::timeout(ANSWER_WITHIN, write).await {
            Ok(Ok(_)) => return true,
            // Nobody has taken it: also when the server that has the stream is only away for a moment.
            Ok(Err(error)) if error.kind() == PublishErrorKind::StreamNotFound => {
                does_not_know(context, stream).await
            }
            Ok(Err(_)) | Err(_) => false,
        };
        if gone.look(is_unknown) {
            return false;
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::cluster::link::{Link, NatsOptions};

    /// What a server says of a stream that it does not have.
    const NOT_FOUND: &str =
        r#"{"type":"x","error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;

    /// A server that says that nobody takes what is published, and of each stream this; without it, that nobody can tell.
    async fn server(of_streams: Option<&'static str>) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            let hello = r#"INFO {"server_id":"a","server_name":"a","version":"2.10.0","go":"a","host":"a","port":1,"headers":true,"max_payload":1048576,"proto":1}"#;
            stream.write_all(format!("{hello}\r\n").as_bytes()).await.unwrap();
            let (mut inbox, mut line) = (String::new(), String::new());
            while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
                let words: Vec<&str> = line.split_whitespace().collect();
                let answer = match &words[..] {
                    ["PING"] => "PONG\r\n".to_owned(),
                    ["SUB", .., number] => {
                        inbox = (*number).to_owned();
                        String::new()
                    }
                    ["PUB" | "HPUB", subject, reply, .., length] => {
                        stream.read_exact(&mut vec![0; length.parse::<usize>().unwrap() + 2]).await.unwrap();
                        match of_streams.filter(|_| subject.starts_with("$JS.API.STREAM.INFO.")) {
                            Some(said) => format!("MSG {reply} {inbox} {}\r\n{said}\r\n", said.len()),
                            None => format!("HMSG {reply} {inbox} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"),
                        }
                    }
                    _ => String::new(),
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
                line.clear();
            }
        });
        let options = NatsOptions { url, ..NatsOptions::default() };
        Link::connect(&options, "test").await.unwrap()
    }

    #[tokio::test]
    async fn a_stream_is_unknown_only_where_the_server_says_so() {
        for (of_streams, is_unknown) in [(None, false), (Some(NOT_FOUND), true)] {
            let link = server(of_streams).await;
            assert_eq!(does_not_know(&link.stream, "RHAID-run").await, is_unknown);
            let outbox = link.outbox("run", "writer".to_owned(), 9);
            outbox.put_later("a".to_owned(), || b"1".to_vec());
            outbox.put("a".to_owned(), b"2".to_vec());
            let written = write(&link.stream, "RHAID-run", "a", "id", Bytes::new());
            let given_up = tokio::time::timeout(Duration::from_millis(900), written).await;
            assert_eq!(given_up.is_ok(), is_unknown);
            assert_eq!(
                (outbox.written(Duration::from_millis(300)).await, outbox.lost()),
                (false, u64::from(is_unknown))
            );
        }
    }
}
