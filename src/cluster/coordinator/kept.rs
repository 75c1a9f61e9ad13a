//! What a coordinator keeps on disk while a run is on, so that one that was killed can be started again.
//!
//! A folder beside the results of the run, which only this user can read: it holds the run's key and its files. Invariant: what is
//! read back is whole, or an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::OnAgentLoss;
use super::roster::Member;
use crate::cluster::ClusterError;
use crate::cluster::link::NatsOptions;
use crate::cluster::protocol::{self, PROTOCOL};
use crate::data::Hash;
use crate::metrics::AgentLoss;
use crate::run::Job;
use crate::system::create_private;

/// The folder, in that of the run's results.
const FOLDER: &str = "cluster";

/// The file in it that is not named by what it holds.
const STATE: &str = "state.json";

/// The file in it that a coordinator holds as long as it lives.
const LOCK: &str = "lock";

/// A server that a coordinator has started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptServer {
    pub(super) process: u32,
    pub(super) folder: PathBuf,
    pub(super) address: SocketAddr,
}

/// See the module's description.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    protocol: u32,
    pub(super) run: String,
    pub(super) key: [u8; crate::cluster::seal::KEY_LEN],
    /// How NATS is reached, with the credentials in its URL.
    pub(super) nats: NatsOptions,
    pub(super) server: Option<KeptServer>,
    pub(super) members: Vec<Member>,
    /// How many agents the load began with.
    pub(super) founders: usize,
    pub(super) job: Job,
    /// What becomes of the share of an agent that is lost.
    #[serde(default)]
    pub(super) on_loss: OnAgentLoss,
    /// By number, when agents were lost.
    #[serde(default)]
    pub(super) losses: BTreeMap<usize, Vec<AgentLoss>>,
    /// Agents that have said that they do no more, and so cannot be back.
    #[serde(default)]
    pub(super) parted: BTreeSet<usize>,
}

impl Kept {
    pub(super) fn new(
        run: &str,
        key: [u8; crate::cluster::seal::KEY_LEN],
        nats: NatsOptions,
        server: Option<KeptServer>,
        members: Vec<Member>,
        job: Job,
        on_loss: OnAgentLoss,
    ) -> Kept {
        let founders = members.len();
        Kept {
            protocol: PROTOCOL,
            run: run.to_owned(),
            key,
            nats,
            server,
            members,
            founders,
            job,
            on_loss,
            losses: BTreeMap::new(),
            parted: BTreeSet::new(),
        }
    }

    /// The agents that are lost, and may be back.
    pub(super) fn lost(&self) -> impl Iterator<Item = usize> {
        let is_lost = |losses: &[AgentLoss]| losses.last().is_some_and(|loss| loss.until.is_none());
        let lost = self.losses.iter().filter(move |(_, losses)| is_lost(losses)).map(|(&agent, _)| agent);
        lost.filter(|agent| !self.parted.contains(agent))
    }

    /// Writes it down for the run with these results.
    pub(super) fn write(&self, results: &Path) -> Result<Place, ClusterError> {
        let folder = results.join(FOLDER);
        make_private(&folder)?;
        let lock = locked(&folder)?;
        let place = Place { folder, _lock: lock.map(Arc::new) };
        for &hash in self.job.blobs().keys() {
            let content = self.job.read(hash).map_err(ClusterError::Run)?;
            create_private(&place.folder.join(hash.to_string()))?.write_all(&content)?;
        }
        place.write(self)?;
        Ok(place)
    }

    /// Reads what was kept of the run with these results.
    pub(super) fn read(results: &Path) -> Result<(Kept, Place), ClusterError> {
        let folder = results.join(FOLDER);
        let path = folder.join(STATE);
        let refused =
            |why: String| ClusterError::Options(format!("cannot resume {}: {why}", results.display()));
        let text = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => refused(
                "only a distributed run whose coordinator was killed can be resumed, and this one is over, or was none"
                    .to_owned(),
            ),
            _ => refused(format!("{}: {error}", path.display())),
        })?;
        let version: protocol::Versioned = serde_json::from_slice(&text).map_err(|error| {
            ClusterError::Options(format!("cannot resume {}: {}: {error}", results.display(), path.display()))
        })?;
        if version.protocol != PROTOCOL {
            let text =
                protocol::other_version("the coordinator of this run", version.protocol, "another one");
            return Err(ClusterError::Options(text));
        }
        let kept = serde_json::from_slice(&text).map_err(|error| {
            ClusterError::Options(format!("cannot resume {}: {}: {error}", results.display(), path.display()))
        })?;
        let lock = locked(&folder).map_err(|error| refused(error.to_string()))?;
        Ok((kept, Place { folder, _lock: lock.map(Arc::new) }))
    }
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) struct Place {
    folder: PathBuf,
    /// Held while somebody may write there; the system lets go of it when the process ends, however it does.
    _lock: Option<Arc<fs::File>>,
}

impl Place {
    /// Replaces what was kept, at once or not at all.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), ClusterError> {
        let new = self.folder.join("state.new");
        create_private(&new)?.write_all(&protocol::json(kept))?;
        fs::rename(&new, self.folder.join(STATE))?;
        Ok(())
    }

    /// A file of the run.
    pub(super) fn file(&self, hash: Hash) -> Option<Arc<[u8]>> {
        fs::read(self.folder.join(hash.to_string())).ok().map(Into::into)
    }

    /// The run is over: nothing is kept.
    pub(super) fn forget(&self) {
        // What stays is of no use to anybody, and cannot be mended here.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whether something is kept of the run with these results.
pub(super) fn is_kept(results: &Path) -> bool {
    results.join(FOLDER).join(STATE).is_file()
}

/// Takes the place for this process; `None` where the file system has no locks.
fn locked(folder: &Path) -> io::Result<Option<fs::File>> {
    let file = fs::OpenOptions::new().create(true).append(true).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::other("its coordinator is running")),
        Err(fs::TryLockError::Error(_)) => Ok(None),
    }
}

fn make_private(folder: &Path) -> Result<(), ClusterError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    Ok(())
}
