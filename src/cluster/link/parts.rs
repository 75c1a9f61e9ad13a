//! Messages that are larger than the server takes: sent in parts of the stream, and put together again.
//!
//! Pure. Invariant: what comes out is a message that went in, or nothing, whatever parts come.

use std::collections::HashMap;

use bytes::Bytes;

/// A message of the stream: larger ones are sent in parts. The limit of a server with its default settings is 1 MiB.
const PART: usize = 512 * 1024;

/// Most parts of one message: 128 MiB.
const MOST_PARTS: u32 = 256;

/// Parts of a message that have come.
pub(super) struct Parts {
    next: u32,
    bytes: Vec<u8>,
}

/// First byte of a message that is whole, and of a part of one: number of the message (8 bytes), of the part and of all parts
/// (4 bytes each), big endian.
const WHOLE: u8 = 0;
const A_PART: u8 = 1;
const PART_HEAD: usize = 17;

pub(super) fn parts_of(number: u64, payload: Vec<u8>) -> Vec<Bytes> {
    if payload.len() <= PART {
        let mut whole = Vec::with_capacity(payload.len() + 1);
        whole.push(WHOLE);
        whole.extend(payload);
        return vec![whole.into()];
    }
    let of = payload.len().div_ceil(PART) as u32;
    let part = |(index, bytes): (usize, &[u8])| {
        let mut part = Vec::with_capacity(PART_HEAD + bytes.len());
        part.push(A_PART);
        part.extend(number.to_be_bytes());
        part.extend((index as u32).to_be_bytes());
        part.extend(of.to_be_bytes());
        part.extend(bytes);
        part.into()
    };
    payload.chunks(PART).enumerate().map(part).collect()
}

/// The message that is whole with this part. Parts that do not fit are no message.
pub(super) fn whole(
    known: &mut HashMap<(String, u64), Parts>,
    subject: &str,
    payload: Bytes,
) -> Option<Bytes> {
    match payload.first() {
        Some(&WHOLE) => return Some(payload.slice(1..)),
        Some(&A_PART) if payload.len() > PART_HEAD => {}
        _ => return None,
    }
    let number = u64::from_be_bytes(payload[1..9].try_into().ok()?);
    let index = u32::from_be_bytes(payload[9..13].try_into().ok()?);
    let of = u32::from_be_bytes(payload[13..17].try_into().ok()?);
    if of > MOST_PARTS {
        return None;
    }
    let key = (subject.to_owned(), number);
    let parts = known.entry(key.clone()).or_insert(Parts { next: 0, bytes: Vec::new() });
    if index != parts.next {
        return None;
    }
    parts.next += 1;
    parts.bytes.extend_from_slice(&payload[PART_HEAD..]);
    if parts.next == of { known.remove(&key).map(|parts| parts.bytes.into()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_message_is_the_same_after_its_journey_in_parts() {
        for length in [0, 1, PART, PART + 1, 3 * PART, 3 * PART + 17] {
            let message: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut known = HashMap::new();
            let mut given = Vec::new();
            for part in parts_of(7, message.clone()) {
                assert!(part.len() <= PART + PART_HEAD);
                given.extend(whole(&mut known, "a", part));
            }
            assert_eq!(given.len(), 1);
            assert_eq!(given[0], message);
            assert!(known.is_empty());
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_no_message() {
        let mut known = HashMap::new();
        let parts = parts_of(1, vec![1; 3 * PART]);
        assert!(whole(&mut known, "a", parts[1].clone()).is_none());
        assert!(whole(&mut known, "a", parts[0].clone()).is_none());
        assert!(whole(&mut known, "b", parts[1].clone()).is_none());
        assert!(whole(&mut known, "a", Bytes::new()).is_none());
        assert!(whole(&mut known, "a", Bytes::from_static(&[1, 2])).is_none());
        assert!(whole(&mut known, "a", Bytes::from_static(&[9])).is_none());
    }
}
