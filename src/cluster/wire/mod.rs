//! The bytes of a cluster's messages.
//!
//! Owns the interval message: what the threads of an agent counted in a second. Its format is written down in
//! `docs/wire.md`; each type says in `figures.rs` which of its fields come in which order, so a field that is new to a
//! struct does not compile until it has a place there, and the version has changed. Leaves transport, encryption and the
//! order of messages to the caller. Pure. Invariants: what is decoded equals what was encoded, to the bit; foreign bytes
//! give an error in words, and take memory by their length.

mod bytes;
mod decoder;
mod encoder;
mod error;
mod figures;
#[cfg(test)]
mod tests;

pub(crate) use decoder::IntervalDecoder;
pub(crate) use encoder::IntervalEncoder;

use crate::vu::Interval;

/// The format of interval messages, their first byte.
pub(crate) const VERSION: u8 = 1;

/// Most names that both sides remember; more are written out.
const MOST_NAMES: usize = 32_768;

/// Longer names are written out each time.
const LONGEST_NAME: usize = 1_024;

/// Most bytes of a message.
const MOST_BYTES: usize = 16 << 20;

/// What an agent's threads counted in one second.
#[derive(Debug)]
pub(crate) struct IntervalMessage {
    /// Its place among the messages of its agent: 0, 1, 2, ….
    pub(crate) sequence: u64,
    /// Which second of the load it closes.
    pub(crate) second: u64,
    /// How many intervals the agent had to drop so far.
    pub(crate) dropped: u64,
    /// By number of a thread of the agent; one that does not answer is missing.
    pub(crate) threads: Vec<(usize, Interval)>,
}
