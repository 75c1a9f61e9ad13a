//! What a coordinator and its agents say to each other, but for the intervals, which [`wire`](super::wire) encodes.
//!
//! Plain data, as JSON. Every conversation begins with [`Hello`], which names the version: the other messages are only
//! understood by the same version. docs/wire.md describes what is sent where.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::Blob;
use crate::metrics::{BlockingStats, GeneratorStats, Phase};
use crate::run::{Command, Notice};
use crate::script::{Level, Value};
use crate::share::Process;

/// Version of everything that is sent. Another one is refused.
pub const PROTOCOL: u32 = 1;

/// An agent says that it is there: once a second on [`subjects::HELLO`], in clear.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// First, so that another version's message can be told from this one's.
    pub(super) protocol: u32,
    /// Version of rhaid.
    pub(super) version: String,
    /// Unique; a restarted agent has another one.
    pub(super) id: String,
    /// What people call it.
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Worker threads it offers; 0 when it leaves that to the run.
    #[serde(default)]
    pub(super) threads: usize,
    /// Cores of its machine.
    #[serde(default)]
    pub(super) cores: usize,
    /// Its half of an agreement on a key.
    #[serde(default, with = "base64")]
    pub(super) key: Vec<u8>,
    /// The run that it works for.
    #[serde(default)]
    pub(super) run: Option<String>,
    /// It ends, and says so for the last time.
    #[serde(default)]
    pub(super) leaves: bool,
}

/// The version of a message whose other fields may be of another one.
#[derive(Debug, Deserialize)]
pub(super) struct Versioned {
    pub(super) protocol: u32,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) name: String,
}

/// A coordinator asks an agent to take part in a run, on the agent's own subject.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) protocol: u32,
    pub(super) version: String,
    pub(super) run: String,
    /// The coordinator's half of the agreement on a key.
    #[serde(with = "base64")]
    pub(super) key: Vec<u8>,
    /// A [`Duty`], sealed for this agent; empty when the agent is refused.
    #[serde(with = "base64")]
    pub(super) sealed: Vec<u8>,
    /// Why the agent is refused.
    pub(super) refused: Option<String>,
}

/// What an agent has to do in a run.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Duty {
    pub(super) key: [u8; super::seal::KEY_LEN],
    /// The [`Job`], to be fetched as files are.
    pub(super) job: Blob,
    /// Number of this agent in the run.
    pub(super) agent: usize,
    /// Its worker threads, and those of all agents that the run begins with.
    pub(super) threads: Process,
    pub(super) all: Vec<Process>,
    /// It comes to a run that has begun: it has no share until it is told of one.
    pub(super) joins: bool,
}

/// What an agent is told while it takes part, in the order of the stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// For one worker thread, or for all.
    Tell { to: Option<usize>, command: Box<Command> },
    /// The load begins at this moment of the coordinator's clock, nanoseconds since 1970.
    Start { at: u64, data: Arc<Value> },
    /// Send what has been counted since the last whole second, as the last interval.
    Last { number: u64 },
    /// The run is over.
    End,
}

/// What an agent says besides its intervals.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// Its threads have loaded the script.
    Ready,
    /// It cannot take part, or not any more.
    Failed(String),
    /// It leaves before the end, for this reason, and has told of all that it has counted, in so many intervals. They may come
    /// after this.
    Left { reason: String, intervals: u64 },
    /// A worker thread gives notice.
    Notice { worker: usize, notice: Box<Notice> },
    /// The script asked for the end of the run.
    Abort { worker: usize, reason: String },
    /// A line for people.
    Message { level: Level, text: String, from: Option<(u64, u64)> },
    /// It has done what it was told to.
    Done,
}

/// What goes with an interval: how the agent itself is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Health {
    pub(super) generator: GeneratorStats,
    /// By how much its clock is ahead of the coordinator's, microseconds, and how sure that is.
    pub(super) clock_us: i64,
    pub(super) clock_within_us: u64,
    /// Messages to people that were dropped because there were too many.
    pub(super) dropped_messages: u64,
    /// What kept its threads from their users so far, when that has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blocking: Option<BlockingStats>,
    /// This is the answer to [`Order::Last`] of this number.
    pub(super) last: Option<u64>,
}

/// How the run goes, once a second, unsealed parts none: for scripts that ask, and as a sign of life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pulse {
    pub(super) users: u64,
    pub(super) rate: f64,
    pub(super) phase: Phase,
}

/// Bytes in JSON.
mod base64 {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The subjects of NATS.
pub(super) mod subjects {
    /// Agents say that they are there.
    pub(crate) const HELLO: &str = "rhaid.hello";

    /// Offers to an agent.
    pub(crate) fn agent(id: &str) -> String {
        format!("rhaid.agent.{id}")
    }

    /// Everything of a run that is kept in its stream.
    pub(crate) fn kept(run: &str) -> String {
        format!("rhaid.run.{run}.kept.>")
    }

    /// The stream of a run.
    pub(crate) fn stream(run: &str) -> String {
        format!("rhaid-{run}")
    }

    /// Orders to all agents.
    pub(crate) fn orders(run: &str) -> String {
        format!("rhaid.run.{run}.kept.orders")
    }

    /// Intervals of an agent, by its number; `*` for all.
    pub(crate) fn intervals(run: &str, agent: impl std::fmt::Display) -> String {
        format!("rhaid.run.{run}.kept.intervals.{agent}")
    }

    /// Words of an agent.
    pub(crate) fn words(run: &str, agent: impl std::fmt::Display) -> String {
        format!("rhaid.run.{run}.kept.words.{agent}")
    }

    /// Changes of the store.
    pub(crate) fn store(run: &str) -> String {
        format!("rhaid.run.{run}.kept.store")
    }

    /// The coordinator's clock, asked for.
    pub(crate) fn clock(run: &str) -> String {
        format!("rhaid.run.{run}.clock")
    }

    /// Files of the run, asked for.
    pub(crate) fn files(run: &str) -> String {
        format!("rhaid.run.{run}.files")
    }

    /// How the run goes, once a second.
    pub(crate) fn pulse(run: &str) -> String {
        format!("rhaid.run.{run}.pulse")
    }
}

/// A message as it is sent.
pub(super) fn json(message: &impl Serialize) -> Vec<u8> {
    // Only maps whose keys are no text cannot be written, and there are none.
    serde_json::to_vec(message).unwrap_or_default()
}

/// That somebody speaks another version.
pub(super) fn other_version(who: &str, protocol: u32, version: &str) -> String {
    format!(
        "{who} speaks version {protocol} of the protocol (rhaid {version}), this is version {PROTOCOL} (rhaid {}): \
         install the same rhaid on all machines",
        env!("CARGO_PKG_VERSION")
    )
}
