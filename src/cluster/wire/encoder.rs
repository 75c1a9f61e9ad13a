//! An agent's side of the interval messages.

use std::sync::Arc;

use hashbrown::HashMap;

use super::bytes::{Wire as _, Writer, write_number, write_text};
use super::{IntervalMessage, LONGEST_NAME, MOST_NAMES, VERSION};
use crate::metrics::EMPTY_V2;

/// Encodes the messages of one agent in one run, in the order in which they are to be decoded. It remembers the names that
/// it has sent: a message that is not sent after all leaves the next ones without them, so [`IntervalEncoder::reset`] it then.
#[derive(Debug, Default)]
pub(crate) struct IntervalEncoder {
    /// How many dictionaries there were before this one.
    dictionary: u64,
    numbers: HashMap<Arc<str>, usize>,
}

impl IntervalEncoder {
    /// Forgets what was sent: the next message begins a new dictionary, and needs none before it.
    pub(crate) fn reset(&mut self) {
        self.dictionary += 1;
        self.numbers.clear();
    }

    /// The bytes of a message.
    pub(crate) fn encode(&mut self, message: &IntervalMessage) -> Vec<u8> {
        if self.numbers.len() >= MOST_NAMES {
            self.reset();
        }
        let IntervalMessage { sequence, second, dropped, threads } = message;
        let known = self.numbers.len();
        let (numbers, mut new) = (&mut self.numbers, Vec::new());
        let mut number = |name: &Arc<str>| {
            let found = numbers.get(name).copied();
            let has_room = numbers.len() < MOST_NAMES && name.len() <= LONGEST_NAME;
            found.or_else(|| {
                has_room.then(|| {
                    let number = numbers.len();
                    numbers.insert(name.clone(), number);
                    new.push(name.clone());
                    number
                })
            })
        };
        let mut body = Writer::new(&mut number);
        threads.write(&mut body);
        let body = body.bytes;
        let mut bytes = vec![VERSION];
        for number in [*sequence, *second, *dropped, self.dictionary, known as u64, new.len() as u64] {
            write_number(&mut bytes, number);
        }
        new.iter().for_each(|name| write_text(&mut bytes, name));
        bytes.extend_from_slice(&EMPTY_V2);
        bytes.extend_from_slice(&body);
        bytes
    }
}
