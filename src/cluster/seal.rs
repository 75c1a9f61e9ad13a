//! Sealing what a coordinator and its agents send each other, so that the NATS server and its storage see none of it.
//!
//! A run has a key ([`Key`], ChaCha20-Poly1305, a new nonce for each message). It reaches an agent sealed by a key that the two
//! agree on for this once: X25519 between two fresh key pairs, the shared secret expanded with HKDF-SHA256 (RFC 5869).
//! Leaves to NATS who may connect at all.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::hkdf;
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a key.
pub(super) const KEY_LEN: usize = 32;

/// Why something cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The system has no randomness, or the other side's key is none.
    #[error("cannot agree on a key with the other side")]
    Agreement,
    /// The system has no randomness.
    #[error("a message cannot be sealed: the system gives no random numbers")]
    Seal,
    /// It was sealed with another key, or is damaged.
    #[error("a message cannot be opened: it belongs to another run, or was changed on the way")]
    Open,
}

/// The key of a run, or of one message.
pub(super) struct Key {
    bytes: [u8; KEY_LEN],
    key: LessSafeKey,
}

impl Key {
    /// A new key.
    pub(super) fn random() -> Result<Key, SealError> {
        let mut bytes = [0; KEY_LEN];
        SystemRandom::new().fill(&mut bytes).map_err(|_| SealError::Agreement)?;
        Key::from_bytes(bytes)
    }

    pub(super) fn from_bytes(bytes: [u8; KEY_LEN]) -> Result<Key, SealError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| SealError::Agreement)?;
        Ok(Key { bytes, key: LessSafeKey::new(key) })
    }

    pub(super) fn bytes(&self) -> [u8; KEY_LEN] {
        self.bytes
    }

    /// Nonce, ciphertext and tag of a message.
    pub(super) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Seal)?;
        let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + CHACHA20_POLY1305.tag_len());
        sealed.extend_from_slice(&nonce);
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
            .map_err(|_| SealError::Seal)?;
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// What was sealed.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Open)?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length =
            self.key.open_in_place(nonce, Aad::empty(), &mut text).map_err(|_| SealError::Open)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// One side of an agreement on a key; good for one.
pub(super) struct KeyPair {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
}

impl KeyPair {
    pub(super) fn new() -> Result<KeyPair, SealError> {
        let private =
            EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| SealError::Agreement)?;
        let public = private.compute_public_key().map_err(|_| SealError::Agreement)?.as_ref().to_vec();
        Ok(KeyPair { private, public })
    }

    /// What the other side needs.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The key that both sides come to.
    pub(super) fn agree(self, other: &[u8]) -> Result<Key, SealError> {
        let other = UnparsedPublicKey::new(&X25519, other);
        agree_ephemeral(self.private, &other, |secret| {
            let expanded = hkdf::Salt::new(hkdf::HKDF_SHA256, b"rhaid cluster").extract(secret);
            let info = [b"duty".as_slice()];
            let okm = expanded.expand(&info, Length).map_err(|_| SealError::Agreement)?;
            let mut bytes = [0; KEY_LEN];
            okm.fill(&mut bytes).map_err(|_| SealError::Agreement)?;
            Key::from_bytes(bytes)
        })
        .map_err(|_| SealError::Agreement)?
    }
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_come_to_the_same_key_and_nobody_else_does() {
        let (coordinator, agent, other) =
            (KeyPair::new().unwrap(), KeyPair::new().unwrap(), KeyPair::new().unwrap());
        let (public, of_agent) = (coordinator.public().to_vec(), agent.public().to_vec());
        let sealed = coordinator.agree(&of_agent).unwrap().seal(b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(agent.agree(&public).unwrap().open(&sealed).unwrap(), b"hunter2");
        assert_eq!(other.agree(&public).unwrap().open(&sealed), Err(SealError::Open));
    }

    #[test]
    fn what_was_changed_or_cut_is_not_opened() {
        let key = Key::random().unwrap();
        let sealed = key.seal(b"12 users").unwrap();
        assert_ne!(sealed, key.seal(b"12 users").unwrap(), "each message has its own nonce");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&changed), Err(SealError::Open));
            assert_eq!(key.open(&sealed[..at]), Err(SealError::Open));
        }
    }
}
