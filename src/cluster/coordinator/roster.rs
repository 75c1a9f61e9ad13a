//! The agents that have said that they are there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::cluster::link::Link;
use crate::cluster::protocol::{self, Hello, Offer, PROTOCOL, Versioned, subjects};
use crate::share::Process;
use crate::text::clean_line;

/// An agent that has not said so for this long is not there.
const THERE_FOR: Duration = Duration::from_secs(4);

/// Most agents that are known; what is said by more is not heard.
const MOST: usize = 10_000;

/// Longest name of an agent; what is longer is cut.
const LONGEST_NAME: usize = 64;

/// An agent's place in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) number: usize,
    /// Number of its first worker thread.
    pub(super) first: usize,
    pub(super) threads: usize,
    pub(super) hello: Hello,
}

impl Member {
    /// Its worker threads.
    pub(super) fn process(&self) -> Process {
        Process { first: self.first, here: self.threads }
    }

    /// Agents in a row, with their threads.
    pub(super) fn numbered(agents: Vec<Hello>) -> Vec<Member> {
        let mut first = 0;
        let number = |(number, hello): (usize, Hello)| {
            let member = Member { number, first, threads: hello.threads.max(1), hello };
            first += member.threads;
            member
        };
        agents.into_iter().enumerate().map(number).collect()
    }
}

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Roster {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    agents: BTreeMap<String, (Hello, Instant)>,
    /// By name, what is wrong with those that cannot take part, and when they were heard, if they are there.
    refused: BTreeMap<String, (String, Option<Instant>)>,
}

impl Roster {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Agents that can be asked to take part, in the order of their names, and what is wrong with others.
    pub(super) fn idle(&self, now: Instant) -> (Vec<Hello>, Vec<String>) {
        let known = self.known();
        let there = known.agents.values().filter(|(_, at)| now.saturating_duration_since(*at) < THERE_FOR);
        let mut idle: Vec<Hello> =
            there.filter(|(hello, _)| hello.run.is_none()).map(|(hello, _)| hello.clone()).collect();
        idle.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        (idle, known.refused.values().map(|(text, _)| text.clone()).collect())
    }

    /// Forgets what was wrong when another run waited for agents, unless it still is.
    pub(super) fn begin(&self, now: Instant) {
        let is_there = |at: Instant| now.saturating_duration_since(at) < THERE_FOR;
        self.known().refused.retain(|_, (_, heard)| heard.is_some_and(is_there));
    }

    /// An agent of this name is not there any more, unless it says that it is.
    pub(super) fn forget(&self, name: &str, reason: &str) {
        let mut known = self.known();
        known.agents.retain(|_, (hello, _)| hello.name != name);
        known.refused.insert(
            name.to_owned(),
            (format!("agent '{name}' is gone: {reason}; another one is awaited"), None),
        );
    }

    /// When an agent was last heard.
    pub(super) fn heard(&self, id: &str) -> Option<Instant> {
        self.known().agents.get(id).map(|(_, at)| *at)
    }
}

/// Listens to what agents say, for ever.
pub(super) async fn listen(link: Link, roster: std::sync::Arc<Roster>) {
    loop {
        if let Ok(mut hellos) = link.client.subscribe(subjects::HELLO).await {
            while let Some(message) = hellos.next().await {
                if let Some((id, refused)) = hear(&roster, &message.payload) {
                    link.say(subjects::agent(&id), refused).await;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Takes a message down; gives what an agent is to be told that cannot take part.
fn hear(roster: &Roster, payload: &[u8]) -> Option<(String, Vec<u8>)> {
    let versioned: Versioned = serde_json::from_slice(payload).ok()?;
    let mut known = roster.known();
    if versioned.protocol != PROTOCOL {
        let name = shown(&versioned.name);
        let who = format!("agent '{name}'");
        let text = protocol::other_version(&who, versioned.protocol, &shown(&versioned.version));
        if known.refused.len() < MOST || known.refused.contains_key(&name) {
            known.refused.insert(name, (text, Some(Instant::now())));
        }
        let id = serde_json::from_slice::<serde_json::Value>(payload).ok()?["id"].as_str()?.to_owned();
        let refused = Offer {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: String::new(),
            key: Vec::new(),
            sealed: Vec::new(),
            refused: Some("the coordinator has refused this agent".to_owned()),
        };
        return Some((id, protocol::json(&refused)));
    }
    let mut hello: Hello = serde_json::from_slice(payload).ok()?;
    hello.name = shown(&hello.name);
    known.refused.remove(&hello.name);
    if hello.leaves {
        known.agents.remove(&hello.id);
        return None;
    }
    if known.agents.len() < MOST || known.agents.contains_key(&hello.id) {
        known.agents.insert(hello.id.clone(), (hello, Instant::now()));
    }
    None
}

/// A name as it may be shown.
fn shown(name: &str) -> String {
    clean_line(name).chars().take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(id: &str, protocol: u32) -> Vec<u8> {
        protocol::json(&serde_json::json!({
            "protocol": protocol, "version": "9.9.9", "id": id, "name": format!("host-{id}"), "threads": 2, "key": "AQ=="
        }))
    }

    #[test]
    fn an_agent_of_another_version_is_refused_with_both_versions_named() {
        let roster = Roster::default();
        assert!(hear(&roster, &hello("b", PROTOCOL)).is_none());
        assert!(hear(&roster, &hello("a", PROTOCOL)).is_none());
        let (id, refused) = hear(&roster, &hello("c", 77)).unwrap();
        assert_eq!(id, "c");
        assert!(serde_json::from_slice::<Offer>(&refused).unwrap().refused.is_some());
        let (idle, refused) = roster.idle(Instant::now());
        assert_eq!(idle.iter().map(|hello| &*hello.name).collect::<Vec<_>>(), ["host-a", "host-b"]);
        assert_eq!(refused.len(), 1);
        for part in ["'host-c'", "version 77", "9.9.9", &format!("version {PROTOCOL}")] {
            assert!(refused[0].contains(part), "{}", refused[0]);
        }
        assert!(roster.idle(Instant::now() + THERE_FOR).0.is_empty(), "who is silent is not there");
        let leaves = String::from_utf8(hello("b", PROTOCOL)).unwrap().replace('}', ",\"leaves\":true}");
        hear(&roster, leaves.as_bytes());
        assert_eq!(roster.idle(Instant::now()).0.len(), 1, "who says that it ends is not there");
        // Another run starts: what was wrong before is not its concern, unless it still is.
        roster.forget("host-a", "it does not answer");
        roster.begin(Instant::now());
        assert_eq!(roster.idle(Instant::now()).1, refused);
        roster.begin(Instant::now() + THERE_FOR);
        assert!(roster.idle(Instant::now()).1.is_empty());
    }

    #[test]
    fn what_is_no_hello_is_not_heard() {
        let roster = Roster::default();
        for text in ["", "{}", "[]", "{\"protocol\":1}", "\u{0}"] {
            assert!(hear(&roster, text.as_bytes()).is_none());
        }
        assert!(roster.idle(Instant::now()).0.is_empty());
    }
}
