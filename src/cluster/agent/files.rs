//! Files of runs, by the hash of their content: what an agent has it does not ask for again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::ClusterError;
use crate::cluster::link::Link;
use crate::cluster::protocol::{self, subjects};
use crate::cluster::seal::Key;
use crate::data::{Blob, Hash};

/// What all files that are kept may take, in bytes; those of the run itself are always kept.
const MOST_BYTES: usize = 1 << 30;

/// What is asked for: a part of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cluster) struct Ask {
    pub(in crate::cluster) hash: Hash,
    pub(in crate::cluster) offset: u64,
}

/// See the module's description.
#[derive(Default)]
pub(super) struct Files {
    kept: VecDeque<(Hash, Arc<[u8]>)>,
}

impl Files {
    /// Sees to it that these are here.
    pub(super) async fn fetch(
        &mut self,
        link: &Link,
        run: &str,
        key: &Key,
        needed: &BTreeMap<Hash, u64>,
    ) -> Result<(), ClusterError> {
        for (&hash, &size) in needed {
            if self.get(&hash).is_none() {
                let bytes = one(link, run, key, Blob { hash, size }).await?;
                self.kept.push_back((hash, bytes.into()));
            }
        }
        while self.kept.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > MOST_BYTES
            && let Some(oldest) = self.kept.iter().position(|(hash, _)| !needed.contains_key(hash))
        {
            self.kept.remove(oldest);
        }
        Ok(())
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<[u8]>> {
        self.kept.iter().find(|(known, _)| known == hash).map(|(_, bytes)| bytes.clone())
    }
}

/// A file as the coordinator has it.
pub(super) async fn one(link: &Link, run: &str, key: &Key, blob: Blob) -> Result<Vec<u8>, ClusterError> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < blob.size {
        let ask = Ask { hash: blob.hash, offset: bytes.len() as u64 };
        let answer = link.ask(subjects::files(run), key.seal(&protocol::json(&ask))?).await?;
        let part = key.open(&answer)?;
        if part.is_empty() {
            return Err(ClusterError::Ask(
                "the coordinator has not got a file of the run any more, or it has changed".to_owned(),
            ));
        }
        bytes.extend_from_slice(&part);
    }
    blob.check(&bytes).map_err(ClusterError::Ask)?;
    Ok(bytes)
}
