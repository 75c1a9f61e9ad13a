//! Every sample on its way from a worker thread to the one who writes samples down.
//!
//! Owns the bound on what may wait and the count of what found no room. Leaves to `sample_groups` what a sample
//! says in words. Invariants: recording never waits; a sample that is not passed on is counted; without a tap a
//! recorder does nothing for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel};
use std::time::{Duration, SystemTime};

use super::builtin::MetricKind;
use super::sample::{RequestFacts, RequestSample};
use super::series::SeriesKey;
use super::texts::Texts;
use super::watch::Tagged;

/// How many samples go at once: few enough to be on time, enough that the channel costs nothing.
const CHUNK: usize = 512;

/// How many samples may wait for all threads together.
const WAITING: usize = 65_536;

/// How many more for each thread: all of them send what they have at the end of a second.
const WAITING_OF_THREAD: usize = 2 * CHUNK;

/// One thing that was counted.
#[derive(Debug)]
pub(crate) enum Sample {
    /// A request; `taken_back` when a script changed its verdict after it had been counted.
    Request { sample: RequestSample, facts: Box<RequestFacts>, taken_back: bool },
    /// An iteration that ended by itself.
    Iteration { scenario: Arc<str>, duration: Duration, lag: Duration },
    /// A check.
    Check { name: Arc<str>, passed: bool, of: Context },
    /// A value of the script's own metric.
    Custom { metric: Arc<str>, kind: MetricKind, is_time: bool, value: f64, of: Context },
    /// A transaction.
    Transaction { name: Arc<str>, duration: Duration, failed: bool, of: Context },
    /// A script error, in one line.
    ScriptError { message: String },
    /// A figure of the run as a whole.
    Run { metric: &'static str, kind: MetricKind, value: f64 },
}

/// Where in the script it was: tags by key.
pub(crate) type Context = Vec<(String, String)>;

/// Samples of one thread.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The thread's number: ids in the samples are its own.
    pub(crate) source: usize,
    /// Series that no chunk before had, in the order of their ids.
    pub(crate) new_series: Vec<SeriesKey>,
    /// The same of tags: key and value.
    pub(crate) new_tags: Vec<SeriesKey>,
    pub(crate) samples: Vec<(SystemTime, Sample)>,
}

/// What the taps of a run have in common.
#[derive(Clone, Debug)]
pub(crate) struct TapLine {
    sender: Sender<Chunk>,
    room: Arc<Room>,
    lost: Arc<AtomicU64>,
}

/// How many samples wait, and how many may. The channel has no bound of its own: chunks are full or not.
#[derive(Debug)]
struct Room {
    waiting: AtomicUsize,
    most: AtomicUsize,
}

/// Where the chunks of all taps arrive.
#[derive(Debug)]
pub(crate) struct TapEnd {
    chunks: Receiver<Chunk>,
    room: Arc<Room>,
}

impl TapEnd {
    /// Waits for the next chunk.
    ///
    /// # Errors
    /// When none comes in time, or none will ever come.
    pub(crate) fn next(&self, patience: Duration) -> Result<Chunk, RecvTimeoutError> {
        let chunk = self.chunks.recv_timeout(patience)?;
        self.room.waiting.fetch_sub(chunk.samples.len(), Ordering::Relaxed);
        Ok(chunk)
    }
}

impl TapLine {
    /// A line, where its chunks arrive, and the number of samples that found no room on it.
    pub(crate) fn new() -> (TapLine, TapEnd, Arc<AtomicU64>) {
        let (sender, chunks) = channel();
        let room = Arc::new(Room { waiting: AtomicUsize::new(0), most: AtomicUsize::new(WAITING) });
        let lost = Arc::new(AtomicU64::new(0));
        (TapLine { sender, room: room.clone(), lost: lost.clone() }, TapEnd { chunks, room }, lost)
    }

    /// The end of one thread; each has its own number.
    pub(crate) fn tap(&self, source: usize) -> Tap {
        self.room.most.fetch_add(WAITING_OF_THREAD, Ordering::Relaxed);
        Tap { line: self.clone(), source, known_series: 0, known_tags: 0, samples: Vec::new() }
    }
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Tap {
    line: TapLine,
    source: usize,
    known_series: usize,
    known_tags: usize,
    samples: Vec<(SystemTime, Sample)>,
}

impl Tap {
    /// Adds a sample; true when it is time to [`Tap::send`].
    pub(crate) fn add(&mut self, sample: Sample) -> bool {
        if self.samples.capacity() == 0 {
            self.samples.reserve_exact(CHUNK);
        }
        self.samples.push((SystemTime::now(), sample));
        self.samples.len() >= CHUNK
    }

    /// Passes on what was added, with the series and tags that are new; what finds no room is counted.
    pub(crate) fn send(&mut self, series: &[SeriesKey], tags: &[SeriesKey]) {
        if self.samples.is_empty() {
            return;
        }
        let (room, count) = (&self.line.room, self.samples.len());
        if room.waiting.fetch_add(count, Ordering::Relaxed) + count > room.most.load(Ordering::Relaxed) {
            room.waiting.fetch_sub(count, Ordering::Relaxed);
            self.lose();
            return;
        }
        let chunk = Chunk {
            source: self.source,
            new_series: series[self.known_series..].to_vec(),
            new_tags: tags[self.known_tags..].to_vec(),
            samples: std::mem::take(&mut self.samples),
        };
        match self.line.sender.send(chunk) {
            // Names go with the first chunk that arrives.
            Ok(()) => (self.known_series, self.known_tags) = (series.len(), tags.len()),
            Err(SendError(chunk)) => {
                self.samples = chunk.samples;
                self.lose();
            }
        }
    }

    fn lose(&mut self) {
        self.line.lost.fetch_add(self.samples.len() as u64, Ordering::Relaxed);
        self.samples.clear();
    }
}

/// The tags of where a sample was made.
pub(super) fn context(of: &dyn Tagged, own: &[(String, String)], texts: &mut Texts) -> Context {
    let mut tags: Context = ["scenario", "group"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), texts.name(&of.tag(key)?).into_owned())))
        .collect();
    for (key, value) in own.iter().chain(of.all()) {
        let key = texts.name(key);
        if !tags.iter().any(|(known, _)| **known == *key) {
            tags.push((key.into_owned(), texts.name(value).into_owned()));
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::super::sample::Protocol;
    use super::*;

    fn error() -> Sample {
        Sample::ScriptError { message: "m".to_owned() }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_its_names_are_told_later() {
        let (line, chunks, lost) = TapLine::new();
        let key = |name: &str| SeriesKey {
            protocol: Protocol::Http,
            scenario: "s".into(),
            method: "GET".into(),
            name: name.into(),
        };
        let mut tap = line.tap(3);
        let room = WAITING + WAITING_OF_THREAD;
        for count in 1..=room {
            // Many small chunks take no more room than a few full ones.
            if tap.add(error()) || count % 3 == 0 || count == room {
                tap.send(&[], &[]);
            }
        }
        assert!(!tap.add(error()) && lost.load(Ordering::Relaxed) == 0);
        tap.send(&[key("/a")], &[]);
        assert_eq!(lost.load(Ordering::Relaxed), 1);
        let next = || chunks.next(Duration::ZERO).ok();
        assert_eq!(std::iter::from_fn(next).map(|chunk| chunk.samples.len()).sum::<usize>(), room);
        tap.add(error());
        tap.send(&[key("/a"), key("/b")], &[key("/t")]);
        let chunk = next().unwrap();
        let names: Vec<&str> = chunk.new_series.iter().map(|key| &*key.name).collect();
        assert_eq!((chunk.source, names, chunk.new_tags.len()), (3, vec!["/a", "/b"], 1));
    }

    #[test]
    fn all_threads_can_send_at_once_however_many_they_are() {
        let (line, _chunks, lost) = TapLine::new();
        let mut taps: Vec<Tap> = (0..200).map(|source| line.tap(source)).collect();
        for tap in &mut taps {
            while !tap.add(error()) {}
            tap.send(&[], &[]);
        }
        assert_eq!(lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_chunk_is_full_in_time_and_an_empty_one_is_not_sent() {
        let (line, chunks, _) = TapLine::new();
        let mut tap = line.tap(0);
        tap.send(&[], &[]);
        assert!(chunks.next(Duration::ZERO).is_err());
        assert_eq!((1..=CHUNK).filter(|_| tap.add(error())).count(), 1);
    }
}
