//! What is heard of the agents of a run, and what they ask for: the coordinator's clock and the run's files.
//!
//! Decodes here, off the driver's thread. Owns when an agent counts as lost: when nothing has been heard of it for some seconds
//! in which NATS could be reached. Invariant: what an agent sent is passed on once, in its order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::roster::{Member, Roster};
use crate::cluster::agent::Ask;
use crate::cluster::clock::unix_ns;
use crate::cluster::link::{Kept, Link};
use crate::cluster::protocol::{self, Health, Word, subjects};
use crate::cluster::seal::Key;
use crate::cluster::wire::{IntervalDecoder, IntervalMessage};
use crate::data::{Blob, Hash};
use crate::run::Job;

/// An agent of which nothing has been heard for this long is lost.
const LOST_AFTER: Duration = Duration::from_millis(4_500);

/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Messages that were read and not yet decoded.
const READ: usize = 4_096;

/// A part of a file.
const FILE_PART: usize = 256 * 1024;

/// What is heard of an agent.
#[derive(Debug)]
pub(super) enum Heard {
    /// It has sent an interval.
    Second { agent: usize, message: Box<IntervalMessage>, health: Box<Health> },
    /// It says something.
    Word { agent: usize, word: Word },
    /// Nothing has been heard of it for so long.
    Lost { agent: usize, silent_for: Duration },
    /// It is heard again.
    Back { agent: usize },
    /// What it sent is not understood.
    Damaged { agent: usize, reason: String },
    /// NATS cannot be reached.
    NatsAway,
    /// It can be reached again.
    NatsBack,
    /// The run's stream is gone for good: nothing is heard of anybody any more.
    StreamGone,
    /// Somebody new is there.
    New { member: Box<Member> },
}

/// What agents can fetch: the job, and what it names.
pub(super) struct SentFiles {
    read: Box<dyn Fn(Hash) -> Option<Arc<[u8]>> + Send + Sync>,
    encoded: Arc<[u8]>,
    blob: Blob,
    /// What was asked for last: a file is asked for part by part.
    last: Mutex<Option<(Hash, Arc<[u8]>)>>,
}

impl SentFiles {
    /// Those of a job, whose contents are read so.
    pub(super) fn new(
        job: &Job,
        read: impl Fn(Hash) -> Option<Arc<[u8]>> + Send + Sync + 'static,
    ) -> SentFiles {
        let encoded: Arc<[u8]> = protocol::json(job).into();
        let blob = Blob { hash: Hash::of(&encoded), size: encoded.len() as u64 };
        SentFiles { read: Box::new(read), encoded, blob, last: Mutex::default() }
    }

    /// The job itself.
    pub(super) fn blob(&self) -> Blob {
        self.blob
    }

    fn get(&self, hash: Hash) -> Option<Arc<[u8]>> {
        if hash == self.blob.hash {
            return Some(self.encoded.clone());
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|(known, _)| *known != hash) {
            *last = Some((hash, (self.read)(hash)?));
        }
        last.as_ref().map(|(_, bytes)| bytes.clone())
    }
}

/// See the module's description.
pub(super) struct Service {
    link: Link,
    run: String,
    key: Arc<Key>,
    files: Arc<SentFiles>,
    members: Vec<Watched>,
    /// How many agents the run was started with.
    wanted: usize,
    /// What was said up to this message of the stream was said to a coordinator before: no sign of life.
    known: u64,
    say: mpsc::UnboundedSender<Heard>,
}

struct Watched {
    member: Member,
    decoder: IntervalDecoder,
    /// The interval that comes next.
    next: u64,
    heard: Instant,
    is_lost: bool,
    /// It has said that it is done.
    is_done: bool,
    /// It has said then that it has left, and some of its intervals have not come.
    leaving: Option<(Word, Instant)>,
}

impl Watched {
    fn new(member: Member) -> Watched {
        Watched {
            member,
            decoder: IntervalDecoder::default(),
            next: 0,
            heard: Instant::now(),
            is_lost: false,
            is_done: false,
            leaving: None,
        }
    }

    /// That it has left, when all its intervals have come: words and intervals overtake one another. One that cannot be read
    /// is not waited for.
    fn leaves(&mut self, now: Instant) -> Option<Word> {
        let is_all = |(word, said): &mut (Word, Instant)| {
            matches!(word, Word::Left { intervals, .. } if self.next >= *intervals)
                || now.saturating_duration_since(*said) >= LOST_AFTER
        };
        Some(self.leaving.take_if(is_all)?.0)
    }
}

impl Service {
    /// A service for these agents, and where it says what it hears.
    pub(super) fn begin(
        link: &Link,
        run: &str,
        key: Arc<Key>,
        files: Arc<SentFiles>,
        members: Vec<Member>,
    ) -> (Service, mpsc::UnboundedReceiver<Heard>) {
        let (say, heard) = mpsc::unbounded_channel();
        let service = Service {
            known: 0,
            link: link.clone(),
            run: run.to_owned(),
            key,
            files,
            wanted: members.len(),
            members: members.into_iter().map(Watched::new).collect(),
            say,
        };
        (service, heard)
    }

    /// The job of the run, as agents fetch it.
    pub(super) fn job(&self) -> Blob {
        self.files.blob()
    }

    /// It goes on with a run of whose stream a coordinator before has heard so many messages, and in which these agents are lost,
    /// and those do no more.
    pub(super) fn resumed(
        mut self,
        known: u64,
        lost: impl Iterator<Item = usize>,
        parted: impl Iterator<Item = usize>,
    ) -> Service {
        self.known = known;
        for agent in parted {
            if let Some(watched) = self.members.get_mut(agent) {
                watched.is_done = true;
            }
        }
        for agent in lost {
            if let Some(watched) = self.members.get_mut(agent) {
                watched.is_lost = true;
            }
        }
        self
    }

    /// Serves until nobody listens.
    pub(super) async fn serve(mut self, roster: Arc<Roster>) {
        let (kept, mut messages) = mpsc::channel(READ);
        let (link, run) = (self.link.clone(), self.run.clone());
        let (of_words, words) = (kept.clone(), run.clone());
        let reader = link.clone();
        tokio::spawn(async move { reader.read(&words, subjects::words(&words, "*"), of_words).await });
        let (reader, intervals) = (link.clone(), run.clone());
        tokio::spawn(
            async move { reader.read(&intervals, subjects::intervals(&intervals, "*"), kept).await },
        );
        tokio::spawn(answer_clock(link.clone(), run.clone()));
        tokio::spawn(answer_files(link, run, self.key.clone(), self.files.clone()));
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut unreachable_until = Instant::now();
        let mut is_away = false;
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.hear(&message),
                    None => return self.nobody_is_heard(Instant::now()),
                },
                _ = looks.tick() => {
                    let now = Instant::now();
                    let was_away = std::mem::replace(&mut is_away, !self.link.is_connected());
                    if is_away {
                        unreachable_until = now;
                    }
                    if is_away != was_away {
                        self.tell(if is_away { Heard::NatsAway } else { Heard::NatsBack });
                    }
                    self.look(&roster, now, unreachable_until);
                }
                () = self.say.closed() => return,
            }
        }
    }

    fn hear(&mut self, message: &Kept) {
        let Some((rest, agent)) = message.subject.rsplit_once('.') else { return };
        let Some(agent) = agent.parse().ok().filter(|&agent: &usize| agent < self.members.len()) else {
            return;
        };
        if message.sequence > self.known {
            self.is_there(agent);
        }
        let said = if rest.ends_with(".words") {
            self.word(agent, &message.payload)
        } else {
            self.interval(agent, &message.payload)
        };
        let said = said.unwrap_or_else(|reason| Some(Heard::Damaged { agent, reason }));
        said.into_iter().for_each(|said| self.tell(said));
        self.look_at_leaving(agent, Instant::now());
    }

    fn word(&mut self, agent: usize, sealed: &Bytes) -> Result<Option<Heard>, String> {
        let opened = self.key.open(sealed).map_err(|error| error.to_string())?;
        let word: Word = serde_json::from_slice(&opened).map_err(|error| error.to_string())?;
        self.members[agent].is_done |= matches!(word, Word::Done | Word::Failed(_) | Word::Left { .. });
        if matches!(word, Word::Left { .. }) {
            self.members[agent].leaving = Some((word, Instant::now()));
            return Ok(None);
        }
        Ok(Some(Heard::Word { agent, word }))
    }

    fn interval(&mut self, agent: usize, sealed: &Bytes) -> Result<Option<Heard>, String> {
        let opened = self.key.open(sealed).map_err(|error| error.to_string())?;
        let (length, rest) = opened.split_first_chunk::<4>().ok_or("an interval is cut")?;
        let length = u32::from_be_bytes(*length) as usize;
        let (health, interval) = rest.split_at_checked(length).ok_or("an interval is cut")?;
        let health: Health = serde_json::from_slice(health).map_err(|error| error.to_string())?;
        let watched = &mut self.members[agent];
        let message = watched.decoder.decode(interval).map_err(|error| error.to_string())?;
        if message.sequence < watched.next {
            // It was sent twice.
            return Ok(None);
        }
        watched.next = message.sequence + 1;
        Ok(Some(Heard::Second { agent, message: Box::new(message), health: Box::new(health) }))
    }

    fn tell(&self, heard: Heard) {
        // Nobody listens any more: `serve` ends.
        let _ = self.say.send(heard);
    }

    fn is_there(&mut self, agent: usize) {
        let watched = &mut self.members[agent];
        watched.heard = Instant::now();
        if std::mem::take(&mut watched.is_lost) && !watched.is_done {
            self.tell(Heard::Back { agent });
        }
    }

    /// The stream is gone for good: whoever has not done its part is lost.
    fn nobody_is_heard(&mut self, now: Instant) {
        self.tell(Heard::StreamGone);
        for agent in 0..self.members.len() {
            let watched = &mut self.members[agent];
            if !watched.is_lost && !watched.is_done {
                watched.is_lost = true;
                let silent_for = now.saturating_duration_since(watched.heard);
                self.tell(Heard::Lost { agent, silent_for });
            }
        }
    }

    /// Looks for agents that are not heard any more, and for those that are heard again. While NATS was away nobody could be
    /// heard.
    fn look(&mut self, roster: &Roster, now: Instant, unreachable_until: Instant) {
        for agent in 0..self.members.len() {
            let watched = &self.members[agent];
            if let Some(heard) = roster.heard(&watched.member.hello.id)
                && heard > watched.heard
            {
                self.is_there(agent);
                self.members[agent].heard = heard;
            }
            let watched = &mut self.members[agent];
            let silent_for = now.saturating_duration_since(watched.heard);
            let could_be_heard = now.saturating_duration_since(watched.heard.max(unreachable_until));
            if could_be_heard >= LOST_AFTER && !watched.is_lost && !watched.is_done {
                watched.is_lost = true;
                self.tell(Heard::Lost { agent, silent_for });
            }
            self.look_at_leaving(agent, now);
        }
        self.look_for_new(roster, now);
    }

    fn look_at_leaving(&mut self, agent: usize, now: Instant) {
        if let Some(word) = self.members[agent].leaves(now) {
            self.tell(Heard::Word { agent, word });
        }
    }

    /// While an agent is lost, one that is free takes part in its stead.
    fn look_for_new(&mut self, roster: &Roster, now: Instant) {
        let (idle, _) = roster.idle(now);
        let are_lost = self.members.iter().filter(|watched| watched.is_lost || watched.is_done).count();
        let free = (self.wanted + are_lost).saturating_sub(self.members.len());
        for hello in idle.into_iter().take(free) {
            if self.members.iter().any(|watched| watched.member.hello.id == hello.id) {
                continue;
            }
            let last = &self.members[self.members.len() - 1].member;
            let (number, first) = (self.members.len(), last.first + last.threads);
            let member = Member { number, first, threads: hello.threads.max(1), hello };
            self.members.push(Watched::new(member.clone()));
            self.tell(Heard::New { member: Box::new(member) });
        }
    }
}

/// Tells agents what time it is here.
async fn answer_clock(link: Link, run: String) {
    let Ok(mut asked) = link.client.subscribe(subjects::clock(&run)).await else { return };
    while let Some(message) = asked.next().await {
        if let Some(reply) = message.reply {
            link.say(reply.to_string(), unix_ns().to_be_bytes().to_vec()).await;
        }
    }
}

/// Gives agents the files of the run.
async fn answer_files(link: Link, run: String, key: Arc<Key>, files: Arc<SentFiles>) {
    let Ok(mut asked) = link.client.subscribe(subjects::files(&run)).await else { return };
    while let Some(message) = asked.next().await {
        let part = key.open(&message.payload).ok().and_then(|opened| {
            let ask: Ask = serde_json::from_slice(&opened).ok()?;
            let bytes = files.get(ask.hash)?;
            let from = usize::try_from(ask.offset).ok()?.min(bytes.len());
            Some(bytes[from..bytes.len().min(from + FILE_PART)].to_vec())
        });
        if let (Some(reply), Ok(sealed)) = (message.reply, key.seal(&part.unwrap_or_default())) {
            link.say(reply.to_string(), sealed).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::link::NatsOptions;

    fn watched() -> Watched {
        let hello = serde_json::json!({ "protocol": 1, "version": "1.0.0", "id": "a", "name": "a" });
        let hello = serde_json::from_value(hello).unwrap();
        Watched::new(Member { number: 0, first: 0, threads: 1, hello })
    }

    #[tokio::test]
    async fn agents_that_have_done_their_part_are_neither_lost_nor_back() {
        let nats = NatsOptions { url: "nats://127.0.0.1:1".to_owned(), ..NatsOptions::default() };
        let link = Link::connect_patiently(&nats, "test", |_| {}).await.unwrap();
        let (say, mut heard) = mpsc::unbounded_channel();
        let mut service = Service {
            link,
            run: "run".to_owned(),
            key: Arc::new(Key::random().unwrap()),
            files: Arc::new(SentFiles {
                read: Box::new(|_| None),
                encoded: Vec::new().into(),
                blob: Blob { hash: Hash::of(b""), size: 0 },
                last: Mutex::default(),
            }),
            members: (0..4).map(|_| watched()).collect(),
            wanted: 4,
            known: 0,
            say,
        }
        .resumed(0, [1, 2].into_iter(), [2, 3].into_iter());
        service.nobody_is_heard(Instant::now());
        assert!(matches!(heard.try_recv(), Ok(Heard::StreamGone)));
        assert!(matches!(heard.try_recv(), Ok(Heard::Lost { agent: 0, .. })));
        (0..4).for_each(|agent| service.is_there(agent));
        assert!(matches!(heard.try_recv(), Ok(Heard::Back { agent: 0 })));
        assert!(matches!(heard.try_recv(), Ok(Heard::Back { agent: 1 })));
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn an_agent_has_left_when_all_its_intervals_have_come() {
        let mut watched = watched();
        let now = Instant::now();
        watched.leaving = Some((Word::Left { reason: "why".to_owned(), intervals: 3 }, now));
        watched.next = 2;
        assert!(watched.leaves(now).is_none(), "its last words have overtaken the last interval");
        watched.next = 3;
        assert!(matches!(watched.leaves(now), Some(Word::Left { .. })));
        assert!(watched.leaves(now).is_none(), "it is said once");
        watched.leaving = Some((Word::Left { reason: "why".to_owned(), intervals: 4 }, now));
        assert!(watched.leaves(now + LOST_AFTER).is_some(), "one that cannot be read is not waited for");
    }
}
