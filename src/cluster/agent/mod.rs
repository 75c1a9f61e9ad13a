//! An agent: it says that it is there, and takes part in one run after the other.
//!
//! Leaves a run to [`session`]. Invariants: it runs only what a coordinator sends that NATS let in, with the limits of scripts; it
//! takes part in one run at a time.

mod files;
mod session;
mod store_log;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Message as NatsMessage;
use futures_util::StreamExt;
use tokio::sync::watch;

pub(super) use self::files::Ask;
use self::files::Files;
pub(super) use self::store_log::encoded;
use super::link::{Link, NatsOptions};
use super::protocol::{Duty, Hello, Offer, PROTOCOL, Versioned, subjects};
use super::seal::KeyPair;
use super::{ClusterError, protocol};

/// How often an agent says that it is there.
const HELLO_EVERY: Duration = Duration::from_secs(1);

/// What an agent is.
#[derive(Clone, Debug, Default)]
pub struct AgentOptions {
    /// Where the coordinator is to be met.
    pub nats: NatsOptions,
    /// What people call it; by default, the name of the machine.
    pub name: Option<String>,
    /// What else is known of it.
    pub labels: BTreeMap<String, String>,
    /// Worker threads; by default, one for each core.
    pub threads: Option<usize>,
    /// Ends after its first run.
    pub once: bool,
}

/// What an agent tells those who started it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AgentSays {
    /// It can be asked to take part.
    Waiting {
        /// Its name.
        name: String,
    },
    /// It takes part in a run.
    Begins {
        /// The run's id.
        run: String,
        /// The script's name.
        script: String,
    },
    /// The run is over, or why it did not take part to its end.
    Ended {
        /// The run's id.
        run: String,
        /// `None` when all went well.
        problem: Option<String>,
    },
    /// Something that people should know.
    Warning(String),
}

/// Where that goes.
pub(super) type Say = Arc<dyn Fn(AgentSays) + Send + Sync>;

/// Serves runs until `stop` is ready; with `once`, one.
///
/// # Errors
/// When the options are wrong. A server that is not there is waited for.
pub async fn serve(
    options: AgentOptions,
    say: impl Fn(AgentSays) + Send + Sync + 'static,
    stop: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    let say: Say = Arc::new(say);
    let warn = |text| say(AgentSays::Warning(text));
    let mut stop = std::pin::pin!(stop);
    let link = tokio::select! {
        link = Link::connect_patiently(&options.nats, "rhaid agent", warn) => link?,
        () = &mut stop => return Ok(()),
    };
    let mut agent = Agent {
        id: uuid::Uuid::from_u128(rand::random()).simple().to_string(),
        name: options.name.clone().unwrap_or_else(crate::system::host_name),
        files: Files::default(),
        told_refusals: Vec::new(),
        options,
        link,
        say,
    };
    let once = agent.options.once;
    let (tell, told) = watch::channel(false);
    while !*told.borrow() {
        let mut run = std::pin::pin!(agent.next_run(told.clone()));
        tokio::select! {
            ran = &mut run => ran?,
            () = &mut stop => {
                // The run that it takes part in, if any, hears of it.
                tell.send_replace(true);
                run.await?;
            }
        }
        if once {
            break;
        }
    }
    Ok(())
}

struct Agent {
    options: AgentOptions,
    id: String,
    name: String,
    link: Link,
    files: Files,
    say: Say,
    /// Refusals that people have been told of.
    told_refusals: Vec<String>,
}

impl Agent {
    /// Waits for a run and takes part in it, until it is told to end.
    async fn next_run(&mut self, mut told: Told) -> Result<(), ClusterError> {
        let pair = KeyPair::new()?;
        let mut hello = self.hello(pair.public());
        let subscribed = self.link.client.subscribe(subjects::agent(&self.id)).await;
        let mut offers = subscribed.map_err(|error| ClusterError::Ask(error.to_string()))?;
        (self.say)(AgentSays::Waiting { name: self.name.clone() });
        let mut ticks = tokio::time::interval(HELLO_EVERY);
        let (offer, message) = loop {
            tokio::select! {
                _ = ticks.tick() => self.link.say(subjects::HELLO.to_owned(), protocol::json(&hello)).await,
                () = is_told(&mut told) => {
                    // Nobody shall count on it until it has been silent for long.
                    hello.leaves = true;
                    self.link.say(subjects::HELLO.to_owned(), protocol::json(&hello)).await;
                    let _ = tokio::time::timeout(HELLO_EVERY, self.link.client.flush()).await;
                    return Ok(());
                }
                message = offers.next() => {
                    let Some(message) = message else {
                        return Err(ClusterError::Ask("NATS has ended the connection".to_owned()));
                    };
                    if let Some(offer) = self.understand(&message) {
                        break (offer, message);
                    }
                }
            }
        };
        drop(offers);
        let run = offer.run.clone();
        hello.run = Some(run.clone());
        let link = self.link.clone();
        let taken = self.take_part(pair, offer, &message, told);
        let ran = keep_saying(&link, &hello, taken).await;
        (self.say)(AgentSays::Ended { run, problem: ran.err().map(|error| error.to_string()) });
        Ok(())
    }

    fn hello(&self, key: &[u8]) -> Hello {
        Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            id: self.id.clone(),
            name: self.name.clone(),
            labels: self.options.labels.clone(),
            threads: self.threads(),
            cores: cores(),
            key: key.to_vec(),
            run: None,
            leaves: false,
        }
    }

    fn threads(&self) -> usize {
        self.options.threads.unwrap_or_else(cores).max(1)
    }

    /// An offer, if this is one that can be taken.
    fn understand(&mut self, message: &NatsMessage) -> Option<Offer> {
        let versioned: Versioned = serde_json::from_slice(&message.payload).ok()?;
        if versioned.protocol != PROTOCOL {
            let text = protocol::other_version("the coordinator", versioned.protocol, &versioned.version);
            self.tell_once(text);
            return None;
        }
        let offer: Offer = serde_json::from_slice(&message.payload).ok()?;
        if let Some(refused) = offer.refused {
            self.tell_once(refused);
            return None;
        }
        Some(offer)
    }

    fn tell_once(&mut self, text: String) {
        if !self.told_refusals.contains(&text) {
            (self.say)(AgentSays::Warning(text.clone()));
            self.told_refusals.push(text);
        }
    }

    async fn take_part(
        &mut self,
        pair: KeyPair,
        offer: Offer,
        message: &NatsMessage,
        told: Told,
    ) -> Result<(), ClusterError> {
        let opened = pair.agree(&offer.key)?.open(&offer.sealed)?;
        let duty: Duty =
            serde_json::from_slice(&opened).map_err(|error| ClusterError::Ask(error.to_string()))?;
        if let Some(reply) = message.reply.clone() {
            self.link.say(reply.to_string(), protocol::json(&self.id)).await;
        }
        session::run(self.link.clone(), &offer.run, duty, &mut self.files, &self.say, told).await
    }
}

/// Whether the agent is to end.
type Told = watch::Receiver<bool>;

/// Waits until it is.
async fn is_told(told: &mut Told) {
    // Nobody can tell it any more when the sender is gone, and then it has ended.
    if told.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Goes on saying that the agent is there while it does something.
async fn keep_saying<T>(link: &Link, hello: &Hello, doing: impl Future<Output = T>) -> T {
    let mut doing = std::pin::pin!(doing);
    let mut ticks = tokio::time::interval(HELLO_EVERY);
    loop {
        tokio::select! {
            done = &mut doing => return done,
            _ = ticks.tick() => link.say(subjects::HELLO.to_owned(), protocol::json(hello)).await,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
