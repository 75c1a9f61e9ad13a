//! More than one machine: a run whose worker threads are those of several agents, over NATS with JetStream.
//!
//! A cluster is a longer list of workers. The coordinator's driver tells `Workers` what it tells threads, and
//! hears from them what it hears from threads; here are the workers whose threads are elsewhere (`coordinator`), and what runs
//! there (`agent`). Shares are computed beforehand, so agents never wait for each other. What is said is in `protocol`, how it
//! is written down in `wire`, how it gets there in `link`. Invariants: an interval that an agent has sent counts once; nothing
//! of a run crosses the network, or lies in the server's storage, in clear.

mod agent;
mod clock;
mod coordinator;
mod link;
mod protocol;
mod seal;
mod server;
#[cfg(test)]
mod simulation_tests;
pub(crate) mod wire;

pub use agent::{AgentOptions, AgentSays, serve};
pub use coordinator::{Cluster, Coordinator, CoordinatorOptions, Left, Needs, OnAgentLoss, Plan, Waiting};
pub use link::NatsOptions;
pub use protocol::PROTOCOL;

/// Why a distributed run cannot be made. Every message says what was wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// Something is set wrongly.
    #[error("{0}")]
    Options(String),
    /// There is no server of our own.
    #[error("{0}")]
    Server(String),
    /// The server is not there, or lets nobody in.
    #[error("cannot connect to NATS at {url}: {reason}")]
    Connect {
        /// Where, without credentials.
        url: String,
        /// Why, in the words of the client.
        reason: String,
    },
    /// The run's stream cannot be made.
    #[error("cannot make the run's stream: {0}; NATS needs JetStream (nats-server -js) and room on its disk")]
    Stream(String),
    /// Somebody does not answer.
    #[error("{0}")]
    Ask(String),
    /// What was sent is not understood.
    #[error("{0}")]
    Sealed(#[from] seal::SealError),
    /// An agent cannot take part.
    #[error("agent '{agent}' cannot take part: {reason}")]
    Agent {
        /// Its name.
        agent: String,
        /// Why, in its words.
        reason: String,
    },
    /// An agent that was there is not any more.
    #[error("agent '{agent}' is gone: {reason}")]
    Gone {
        /// Its name.
        agent: String,
        /// How that was noticed.
        reason: String,
    },
    /// The machine gives no thread, or the like.
    #[error("cannot start the cluster: {0}")]
    System(#[from] std::io::Error),
    /// The run cannot be made as it is set up.
    #[error("{0}")]
    Run(String),
}
