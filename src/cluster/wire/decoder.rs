//! The coordinator's side of the interval messages.

use std::sync::Arc;

use super::bytes::{Reader, Wire as _};
use super::error::WireError;
use super::{IntervalMessage, LONGEST_NAME, MOST_BYTES, MOST_NAMES, VERSION};
use crate::metrics::EMPTY_V2;
use crate::vu::Interval;

/// Decodes the messages of one agent in one run. A message may come again, and one that was overtaken by others may still
/// come, as long as the dictionary is the same; one whose names are missing is refused. After an error, it is as before.
#[derive(Debug, Default)]
pub(crate) struct IntervalDecoder {
    /// The number of the dictionary, once there is one.
    pub(super) dictionary: Option<u64>,
    pub(super) names: Vec<Arc<str>>,
}

impl IntervalDecoder {
    /// The message in these bytes.
    ///
    /// # Errors
    /// When they are none that this version reads, or refer to one that is missing.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Result<IntervalMessage, WireError> {
        if bytes.len() > MOST_BYTES {
            return Err(WireError::TooLong(bytes.len()));
        }
        let mut from = Reader::new(bytes);
        match from.byte()? {
            VERSION => {}
            other => return Err(WireError::Version(other)),
        }
        let (sequence, second, dropped) = (from.number()?, from.number()?, from.number()?);
        let dictionary = from.number()?;
        let known = from.number()?;
        let known = usize::try_from(known).map_err(|_| WireError::NamesMissing)?;
        let is_new = self.dictionary.is_none_or(|before| dictionary > before);
        if self.dictionary.is_some_and(|before| dictionary < before) {
            return Err(WireError::Late);
        }
        let mut names = if is_new { Vec::new() } else { std::mem::take(&mut self.names) };
        let before = names.len();
        let threads = read_names(&mut from, known, &mut names).and_then(|()| read_threads(from, &names));
        match threads {
            Ok(threads) => {
                self.dictionary = Some(dictionary);
                self.names = names;
                Ok(IntervalMessage { sequence, second, dropped, threads })
            }
            Err(error) => {
                if !is_new {
                    names.truncate(before);
                    self.names = names;
                }
                Err(error)
            }
        }
    }
}

/// Reads the names that a message defines, the first of which has the number `known`.
fn read_names(from: &mut Reader<'_>, known: usize, names: &mut Vec<Arc<str>>) -> Result<(), WireError> {
    if known > names.len() {
        return Err(WireError::NamesMissing);
    }
    for number in known..known + from.length()? {
        let name = from.text()?;
        match names.get(number) {
            Some(same) if **same == *name => {}
            Some(_) => return Err(WireError::Damaged("another name for a number that is taken")),
            None if number >= MOST_NAMES || name.len() > LONGEST_NAME => {
                return Err(WireError::Damaged("more or longer names than an agent sends"));
            }
            None => names.push(name.into()),
        }
    }
    Ok(())
}

fn read_threads(from: Reader<'_>, names: &[Arc<str>]) -> Result<Vec<(usize, Interval)>, WireError> {
    let mut from = from.with_names(names);
    if from.bytes(EMPTY_V2.len())? != EMPTY_V2 {
        return Err(WireError::Damaged("histograms of another kind"));
    }
    let threads = Vec::read(&mut from)?;
    if !from.is_at_end() {
        return Err(WireError::Damaged("bytes after its end"));
    }
    Ok(threads)
}
