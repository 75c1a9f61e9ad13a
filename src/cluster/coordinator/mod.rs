//! The coordinator of a distributed run: it meets agents, gives each its part, and is then the list of workers that the driver
//! knows.
//!
//! Runs on threads of its own (`rhaid-cluster`), so that neither the driver nor the terminal waits for the network. Leaves what is
//! heard during the run to [`service`], and how it looks to the driver to [`workers`].

mod agents;
mod beginning;
mod hearing;
mod kept;
mod losses;
mod resumed;
mod roster;
mod service;
#[cfg(test)]
mod tests;
mod workers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use self::kept::{Kept, KeptServer, Place};
use self::resumed::Ordered;
use self::roster::{Member, Roster};
use self::service::{SentFiles, Service};
pub use self::workers::{Cluster, Plan};
use super::ClusterError;
use super::link::{Link, NatsOptions};
use super::protocol::{self, Duty, Hello, Offer, PROTOCOL, subjects};
use super::seal::{Key, KeyPair};
use super::server::NatsServer;
use crate::data::Blob;
use crate::run::{Job, LoadTest, Prepared};
use crate::share::Process;

/// How often it is looked who is there.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long an agent may take to say that it takes part.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// What becomes of the share of an agent that is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnAgentLoss {
    /// The others take it over.
    #[default]
    Redistribute,
    /// Nobody does; the run goes on with what is left.
    Continue,
    /// The run ends.
    Abort,
}

/// How a coordinator is set up.
#[derive(Clone, Debug)]
pub struct CoordinatorOptions {
    /// A server that runs; without one, `nats-server` is started.
    pub nats: Option<NatsOptions>,
    /// Where a server that is started listens.
    pub listen: SocketAddr,
    /// What becomes of the share of an agent that is lost; by default [`OnAgentLoss::Redistribute`], and what it was in a run that
    /// is resumed.
    pub on_loss: Option<OnAgentLoss>,
}

/// What a coordinator waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Names of the agents that are there.
    pub ready: Vec<String>,
    /// How many are needed.
    pub wanted: usize,
    /// What is wrong with others, a sentence each.
    pub refused: Vec<String>,
}

/// What a run needs of a cluster.
pub struct Needs {
    job: Job,
    plan: Plan,
}

impl Needs {
    /// Those of a run that is ready to start.
    ///
    /// # Errors
    /// When it cannot be sent to other machines.
    pub fn of(prepared: &Prepared) -> Result<Needs, ClusterError> {
        let job = prepared.job().map_err(|error| ClusterError::Run(error.to_string()))?;
        Ok(Needs { job, plan: Plan::of(prepared) })
    }
}

/// A run that a killed coordinator has left.
pub struct Left {
    results: PathBuf,
    kept: Kept,
    place: Place,
}

impl Left {
    /// The run with these results.
    ///
    /// # Errors
    /// When nothing is kept of it: it is over, or was none on several machines.
    pub fn read(results: &Path) -> Result<Left, ClusterError> {
        let (kept, place) = Kept::read(results)?;
        Ok(Left { results: results.to_owned(), kept, place })
    }

    /// Where its results are.
    pub fn results(&self) -> &Path {
        &self.results
    }

    /// Whether there is one with these results.
    pub fn is_in(results: &Path) -> bool {
        kept::is_kept(results)
    }

    /// The test that is run.
    ///
    /// # Errors
    /// When a file of it is not kept any more.
    pub fn test(&self) -> Result<LoadTest, ClusterError> {
        let test = self.kept.job.clone().into_load_test(|hash| self.place.file(*hash));
        test.map_err(|error| ClusterError::Run(error.to_string()))
    }

    /// A coordinator at the same NATS, unless `options` say where it is now.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub fn coordinator(&self, mut options: CoordinatorOptions) -> Result<Coordinator, ClusterError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rhaid-cluster")
            .enable_all()
            .build()?;
        let nats = options.nats.take().unwrap_or_default().or(self.kept.nats.clone());
        let server = self.kept.server.clone();
        let server = server.map(|server| NatsServer::adopt(server.process, server.folder, server.address));
        Coordinator::connected(runtime, &nats, server, options, String::new())
    }
}

/// See the module's description.
pub struct Coordinator {
    runtime: Runtime,
    link: Link,
    server: Option<NatsServer>,
    options: CoordinatorOptions,
    token: String,
    /// Where NATS is, with credentials.
    nats: NatsOptions,
    roster: Arc<Roster>,
}

impl Coordinator {
    /// Connects to NATS, or starts a server, and listens for agents.
    ///
    /// # Errors
    /// When there is no server and none can be started, or it lets nobody in.
    pub fn open(options: CoordinatorOptions) -> Result<Coordinator, ClusterError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rhaid-cluster")
            .enable_all()
            .build()?;
        let token = uuid::Uuid::from_u128(rand::random()).simple().to_string();
        let server = match &options.nats {
            Some(_) => None,
            None => Some(NatsServer::start(options.listen, &token, &token[..8])?),
        };
        let nats = match (&options.nats, &server) {
            (None, Some(server)) => {
                let mut address = server.address();
                if address.ip().is_unspecified() {
                    address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
                }
                NatsOptions { url: format!("nats://{token}@{address}"), ..NatsOptions::default() }
            }
            (nats, _) => nats.clone().unwrap_or_default(),
        };
        Coordinator::connected(runtime, &nats, server, options, token)
    }

    fn connected(
        runtime: Runtime,
        nats: &NatsOptions,
        server: Option<NatsServer>,
        options: CoordinatorOptions,
        token: String,
    ) -> Result<Coordinator, ClusterError> {
        let link = runtime.block_on(Link::connect(nats, "rhaid coordinator"))?;
        let roster = Arc::new(Roster::default());
        runtime.spawn(roster::listen(link.clone(), roster.clone()));
        Ok(Coordinator {
            runtime,
            link,
            server,
            options,
            token,
            nats: nats.clone().with_absolute_paths(),
            roster,
        })
    }

    /// Agents that can be asked to take part now.
    pub fn agents(&self) -> usize {
        self.roster.idle(Instant::now()).0.len()
    }

    /// The command that starts an agent on another machine, when that is known here; the token in it is a secret.
    pub fn agent_command(&self) -> Option<String> {
        let server = self.server.as_ref()?;
        let mut address = server.address();
        if address.ip().is_unspecified()
            && let Some(ip) = crate::system::own_address()
        {
            address.set_ip(ip);
        }
        Some(format!("rhaid agent nats://{}@{address}", self.token))
    }

    /// Waits for so many agents, gives each its part of the run, and waits until all have loaded the script; for one that goes
    /// away meanwhile, another is awaited. `waiting` is told when what is waited for changes; it returns false to give up.
    ///
    /// # Errors
    /// When an agent cannot take part, or `waiting` gives up.
    pub fn recruit(
        &self,
        needs: Needs,
        wanted: usize,
        mut waiting: impl FnMut(&Waiting) -> bool,
    ) -> Result<Cluster, ClusterError> {
        let Needs { job, plan } = needs;
        self.roster.begin(Instant::now());
        loop {
            let agents = self.wait_for(wanted, &mut waiting)?;
            if let Some(cluster) = self.engage_all(agents, &job, &plan, &mut waiting)? {
                return Ok(cluster);
            }
        }
    }

    /// Gives each of these agents its part; `None` when one of them is gone.
    fn engage_all(
        &self,
        agents: Vec<Hello>,
        job: &Job,
        plan: &Plan,
        waiting: &mut impl FnMut(&Waiting) -> bool,
    ) -> Result<Option<Cluster>, ClusterError> {
        let run = uuid::Uuid::from_u128(rand::random()).simple().to_string()[..12].to_owned();
        let key = Arc::new(Key::random()?);
        self.runtime.block_on(self.link.create_stream(&run))?;
        let members = Member::numbered(agents);
        let server = self.server.as_ref().map(|server| {
            let (process, folder) = server.whereabouts();
            KeptServer { process, folder, address: server.address() }
        });
        let on_loss = self.options.on_loss.unwrap_or_default();
        let kept =
            Kept::new(&run, key.bytes(), self.nats.clone(), server, members.clone(), job.clone(), on_loss);
        let contents = job.clone();
        let files = SentFiles::new(job, move |hash| contents.read(hash).ok());
        let (service, heard) =
            Service::begin(&self.link, &run, key.clone(), Arc::new(files), members.clone());
        let job_file = service.job();
        let mut parts = self.parts(&run, key.clone(), service, heard, on_loss);
        parts.kept = Some(kept);
        let all: Vec<Process> = members.iter().map(Member::process).collect();
        let mut cluster = Cluster::new(parts, members.clone(), plan.clone());
        let mut ready = Ok(());
        for (engaged, member) in members.iter().enumerate() {
            ready =
                self.runtime.block_on(engage(&self.link, &run, &key, job_file, member, all.clone(), false));
            if ready.is_err() {
                cluster.has_only(engaged);
                break;
            }
        }
        let ready = match ready {
            Ok(()) => cluster.wait_until_ready(|| waiting(&Waiting::default())),
            Err(error) => Err(error),
        };
        match ready {
            Ok(()) => return Ok(Some(cluster)),
            Err(error) => {
                self.give_up(cluster);
                match error {
                    ClusterError::Gone { agent, reason } => self.roster.forget(&agent, &reason),
                    error => return Err(error),
                }
            }
        }
        Ok(None)
    }

    /// Ends a run that was not started: its agents are free again.
    pub fn give_up(&self, cluster: Cluster) {
        self.runtime.block_on(cluster.abandon());
    }

    /// Goes on with the run that a killed coordinator has left.
    ///
    /// # Errors
    /// When NATS has nothing of it any more.
    pub fn resume(&self, left: &Left, plan: Plan) -> Result<Cluster, ClusterError> {
        let Left { kept, place, .. } = left;
        let (mut kept, place) = (kept.clone(), place.clone());
        kept.on_loss = self.options.on_loss.unwrap_or(kept.on_loss);
        kept.nats = self.nats.clone();
        // It is needed when this one is killed too; the run goes on also without.
        let _ = place.write(&kept);
        let key = Arc::new(Key::from_bytes(kept.key)?);
        let orders = self.runtime.block_on(self.link.read_all(&kept.run, &subjects::orders(&kept.run)))?;
        let ordered = Ordered::read(&orders, &key);
        let from = place.clone();
        let files = SentFiles::new(&kept.job, move |hash| from.file(hash));
        let known = self.runtime.block_on(self.link.last_sequence(&kept.run))?;
        let members = kept.members.clone();
        let (service, heard) = Service::begin(&self.link, &kept.run, key.clone(), Arc::new(files), members);
        let lost = kept.lost().filter(|_| ordered.start().is_some());
        let service = service.resumed(known, lost, kept.parted.iter().copied());
        let parts = self.parts(&kept.run, key, service, heard, kept.on_loss);
        let cluster = Cluster::new(parts, kept.members.clone(), plan);
        Ok(cluster.resume(ordered, kept, place))
    }

    /// What the workers of a run stand on.
    fn parts(
        &self,
        run: &str,
        key: Arc<Key>,
        service: Service,
        heard: tokio::sync::mpsc::UnboundedReceiver<service::Heard>,
        on_loss: OnAgentLoss,
    ) -> workers::Parts {
        let job = service.job();
        let service = self.runtime.spawn(service.serve(self.roster.clone()));
        let outbox = {
            let _inside = self.runtime.enter();
            // Another life's messages are other messages, also when they have the same number.
            let life = uuid::Uuid::from_u128(rand::random()).simple();
            self.link.outbox(run, format!("coordinator-{life}"), usize::MAX)
        };
        workers::Parts {
            link: self.link.clone(),
            run: run.to_owned(),
            key,
            outbox,
            heard,
            service,
            runtime: self.runtime.handle().clone(),
            on_loss,
            job,
            kept: None,
        }
    }

    fn wait_for(
        &self,
        wanted: usize,
        waiting: &mut impl FnMut(&Waiting) -> bool,
    ) -> Result<Vec<Hello>, ClusterError> {
        loop {
            let (ready, refused) = self.roster.idle(Instant::now());
            let names = ready.iter().take(wanted).map(|hello| hello.name.clone()).collect();
            let now = Waiting { ready: names, wanted, refused };
            let goes_on = waiting(&now);
            if ready.len() >= wanted {
                return Ok(ready.into_iter().take(wanted).collect());
            }
            if !goes_on {
                return Err(ClusterError::Run("stopped while it waited for agents".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Gives an agent its part; it has accepted when this returns.
async fn engage(
    link: &Link,
    run: &str,
    key: &Key,
    job: Blob,
    member: &Member,
    all: Vec<Process>,
    joins: bool,
) -> Result<(), ClusterError> {
    let pair = KeyPair::new()?;
    let public = pair.public().to_vec();
    let duty = Duty { key: key.bytes(), job, agent: member.number, threads: member.process(), all, joins };
    let sealed = pair.agree(&member.hello.key)?.seal(&protocol::json(&duty))?;
    let offer = Offer {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.to_owned(),
        key: public,
        sealed,
        refused: None,
    };
    let asked = link.ask(subjects::agent(&member.hello.id), protocol::json(&offer));
    let gone = |reason: String| ClusterError::Gone { agent: member.hello.name.clone(), reason };
    match tokio::time::timeout(ACCEPT_WITHIN, asked).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(gone(format!("it cannot be asked to take part: {error}"))),
        Err(_) => Err(gone("it does not answer".to_owned())),
    }
}
