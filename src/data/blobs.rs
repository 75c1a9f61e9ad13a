//! Contents of files by their hash, to be sent to another machine once.
//!
//! Owns names of contents, reading them when they are asked for, and checking them where they arrive. Invariant: bytes under a name are those
//! that the name was made of.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Largest content: another machine keeps it in memory.
const LARGEST: u64 = 2 << 30;

/// How much of a file is hashed at once.
const PIECE: usize = 1 << 16;

/// SHA-256 of a content; as text in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hash([u8; 32]);

impl Hash {
    /// The hash of a content.
    pub(crate) fn of(content: &[u8]) -> Hash {
        Hash(Sha256::digest(content).into())
    }

    fn parse(text: &str) -> Option<Hash> {
        let mut bytes = [0; 32];
        // Digits only: `from_str_radix` would take a sign.
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Hash(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(from)?;
        Hash::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no SHA-256")))
    }
}

/// The name of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub(crate) hash: Hash,
    /// Its length in bytes.
    pub(crate) size: u64,
}

impl Blob {
    /// Whether this is the content that it names.
    ///
    /// # Errors
    /// When it is not, in words.
    pub(crate) fn check(&self, content: &[u8]) -> Result<(), String> {
        if content.len() as u64 != self.size || Hash::of(content) != self.hash {
            return Err(format!("what arrived as {} is something else: {} bytes", self.hash, content.len()));
        }
        Ok(())
    }
}

/// Contents that can be sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blobs(BTreeMap<Hash, Content>);

#[derive(Clone, Debug)]
enum Content {
    Memory(Arc<[u8]>),
    /// Read when it is sent: files of test data may be large.
    File(PathBuf),
}

impl Blobs {
    /// Adds what is at hand.
    pub(crate) fn add(&mut self, content: &[u8]) -> Blob {
        let blob = Blob { hash: Hash::of(content), size: content.len() as u64 };
        self.0.entry(blob.hash).or_insert_with(|| Content::Memory(content.into()));
        blob
    }

    /// Adds a file, as it is now.
    ///
    /// # Errors
    /// When it cannot be read or is too large, in words.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<Blob, String> {
        let blob =
            hash_of_file(path).map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
        if blob.size > LARGEST {
            return Err(format!(
                "'{}' is larger than 2 GB, the maximum for a run on several machines",
                path.display()
            ));
        }
        self.0.entry(blob.hash).or_insert_with(|| Content::File(path.to_owned()));
        Ok(blob)
    }

    /// A content.
    ///
    /// # Errors
    /// When there is none of this name, or its file is no longer what it was, in words.
    pub(crate) fn read(&self, hash: Hash) -> Result<Arc<[u8]>, String> {
        match self.0.get(&hash) {
            None => Err(format!("there is no content {hash}")),
            Some(Content::Memory(content)) => Ok(content.clone()),
            Some(Content::File(path)) => {
                let shown = path.display();
                let content =
                    std::fs::read(path).map_err(|error| format!("cannot read '{shown}': {error}"))?;
                if Hash::of(&content) != hash {
                    return Err(format!(
                        "'{shown}' has changed since the script was loaded; leave it alone while the test runs"
                    ));
                }
                Ok(content.into())
            }
        }
    }
}

fn hash_of_file(path: &Path) -> io::Result<Blob> {
    let mut file = File::open(path)?.take(LARGEST + 1);
    let (mut hasher, mut size, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Blob { hash: Hash(hasher.finalize().into()), size }),
            Ok(read) => {
                hasher.update(&piece[..read]);
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_sha_256_and_travels_as_text() {
        let hash = Hash::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(serde_json::from_str::<Hash>(&format!("\"{text}\"")).unwrap(), hash);
        for wrong in ["", "ba78", &"+a".repeat(32), &"ä".repeat(32)] {
            assert!(serde_json::from_str::<Hash>(&format!("\"{wrong}\"")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn contents_are_found_by_their_names_and_a_file_that_changed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let bytes = vec![7; 3 * PIECE + 1];
        std::fs::write(&path, &bytes).unwrap();
        let mut blobs = Blobs::default();
        let file = blobs.add_file(&path).unwrap();
        let text = blobs.add(b"fn iteration() {}");
        assert_eq!(blobs.add(&bytes), file, "the same content has the same name");
        assert_eq!(blobs.0.len(), 2);
        assert_eq!((file.size, &*blobs.read(file.hash).unwrap()), (bytes.len() as u64, &*bytes));
        assert_eq!(&*blobs.read(text.hash).unwrap(), b"fn iteration() {}");
        assert_eq!(file.check(&bytes), Ok(()));
        assert!(file.check(&bytes[1..]).unwrap_err().contains("is something else"));
        std::fs::write(&path, "else").unwrap();
        assert!(blobs.read(file.hash).unwrap_err().contains("has changed"));
        assert!(blobs.read(Hash::of(b"?")).unwrap_err().contains("there is no content"));
        assert!(blobs.add_file(folder.path().join("none").as_path()).unwrap_err().contains("cannot read"));
    }
}
