//! The body of a request, whole in memory or streamed from files.
//!
//! Owns how a body is cut into pieces on its way out. Leaves to HTTP/1.1 and HTTP/2 when the next one is wanted.
//!
//! Files are read where the request runs, piece by piece, without another thread: a piece comes from the system's cache
//! in some microseconds, less than it takes to hand it over. Each piece costs its user a part of its turn, so that the
//! other users of the thread get theirs. Invariants: a file is sent as it was when it was opened, or the request fails;
//! a streamed body takes the memory of the pieces that the connection has not written yet.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::task::coop;

use super::error::{ErrorKind, HttpError};
use super::link::spend;
use crate::system::SteadyFile;

/// The most bytes read from a file at once.
const PIECE: usize = 64 * 1024;

/// How many bytes of a file cost a unit of tokio's budget, of which a task has 128 each time it is polled: four pieces.
/// The rest is for writing them.
const BYTES_PER_UNIT: usize = 2048;

/// The body of a request; clones share it.
#[derive(Clone, Debug)]
pub struct Body(Content);

#[derive(Clone, Debug)]
enum Content {
    Whole(Bytes),
    Streamed(Rc<Streamed>),
}

#[derive(Debug)]
struct Streamed {
    parts: Vec<BodyPart>,
    length: u64,
}

/// A part of a streamed body.
#[derive(Clone, Debug)]
pub(crate) enum BodyPart {
    Bytes(Bytes),
    File(Arc<SteadyFile>),
}

impl BodyPart {
    fn length(&self) -> u64 {
        match self {
            BodyPart::Bytes(bytes) => bytes.len() as u64,
            BodyPart::File(file) => file.size(),
        }
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::from(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body(Content::Whole(bytes))
    }
}

impl Body {
    /// A body of these parts, one after the other.
    pub(crate) fn of_parts(parts: Vec<BodyPart>) -> Body {
        let length = parts.iter().map(BodyPart::length).sum();
        Body(Content::Streamed(Rc::new(Streamed { parts, length })))
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match &self.0 {
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Streamed(streamed) => streamed.length,
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }

    /// The bytes of a body that is whole in memory.
    pub fn whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Content::Whole(bytes) => Some(bytes),
            Content::Streamed(_) => None,
        }
    }

    /// The parts of a streamed body.
    pub(crate) fn parts(&self) -> &[BodyPart] {
        match &self.0 {
            Content::Whole(_) => &[],
            Content::Streamed(streamed) => &streamed.parts,
        }
    }

    /// Whether its files are as they were.
    pub(super) fn check(&self) -> Result<(), HttpError> {
        self.parts().iter().try_for_each(|part| match part {
            BodyPart::Bytes(_) => Ok(()),
            BodyPart::File(file) => file.check().map_err(unusable),
        })
    }

    /// The body on its way out, from its start.
    pub(super) fn outgoing(self) -> Outgoing {
        match self.0 {
            Content::Whole(bytes) => Outgoing::Whole(bytes),
            Content::Streamed(streamed) => {
                Outgoing::Streamed(Box::new(Cursor { left: streamed.length, streamed, part: 0, place: 0 }))
            }
        }
    }
}

fn unusable(message: String) -> HttpError {
    HttpError::new(ErrorKind::Other, message)
}

/// What is left of a body that is being sent.
pub(super) enum Outgoing {
    Whole(Bytes),
    Streamed(Box<Cursor>),
}

/// Where in a streamed body its sender is.
pub(super) struct Cursor {
    streamed: Rc<Streamed>,
    part: usize,
    /// Within the part.
    place: u64,
    left: u64,
}

impl Outgoing {
    pub(super) fn left(&self) -> u64 {
        match self {
            Outgoing::Whole(bytes) => bytes.len() as u64,
            Outgoing::Streamed(cursor) => cursor.left,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// How much of it is given at once, where there is room.
    pub(super) fn at_once(&self) -> usize {
        match self {
            Outgoing::Whole(bytes) => bytes.len(),
            Outgoing::Streamed(cursor) => usize::try_from(cursor.left).unwrap_or(PIECE).min(PIECE),
        }
    }

    /// Nothing more of it is to be sent.
    pub(super) fn clear(&mut self) {
        *self = Outgoing::Whole(Bytes::new());
    }

    /// The next piece, of at most so many bytes; empty at the end.
    pub(super) fn poll_piece(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<Result<Bytes, HttpError>> {
        match self {
            Outgoing::Whole(bytes) => Poll::Ready(Ok(bytes.split_to(most.min(bytes.len())))),
            Outgoing::Streamed(cursor) => {
                if !coop::has_budget_remaining() {
                    // Has the task woken when the others have had their turn.
                    let _ = coop::poll_proceed(cx);
                    return Poll::Pending;
                }
                let piece = cursor.next(most.min(PIECE));
                if let Ok(bytes) = &piece {
                    spend(bytes.len() / BYTES_PER_UNIT, cx);
                }
                Poll::Ready(piece.map_err(unusable))
            }
        }
    }
}

impl Cursor {
    fn next(&mut self, most: usize) -> Result<Bytes, String> {
        while let Some(part) = self.streamed.parts.get(self.part) {
            let left = part.length() - self.place;
            if left == 0 {
                (self.part, self.place) = (self.part + 1, 0);
                continue;
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(most);
            let piece = match part {
                BodyPart::Bytes(bytes) => {
                    // Within its length, so it is no larger than that.
                    let place = self.place as usize;
                    bytes.slice(place..place + length)
                }
                BodyPart::File(file) => {
                    let piece = Bytes::from(file.read(self.place, length)?);
                    if length as u64 == left {
                        // What was sent before may have changed while it was sent; without its last piece it is not
                        // taken for the file.
                        file.check()?;
                    }
                    piece
                }
            };
            self.place += length as u64;
            self.left -= length as u64;
            return Ok(piece);
        }
        Ok(Bytes::new())
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let body = self.get_mut();
        if body.is_empty() {
            return Poll::Ready(None);
        }
        body.poll_piece(usize::MAX, cx).map(|piece| Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}
