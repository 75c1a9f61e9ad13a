//! The header fields of a response.
//!
//! Owns making them of the head when somebody first looks: most scripts ask for status and body alone, and a map of fields
//! costs more than reading the head did. Leaves reading to `plain.rs` and hyper.

use std::cell::OnceCell;
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Deref;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// More fields are read by hyper.
pub(super) const MOST_FIELDS: usize = 64;

/// The header fields of a response, as a [`HeaderMap`].
#[derive(Clone, Default)]
pub struct ResponseHeaders {
    map: OnceCell<Box<HeaderMap>>,
    /// What they are made of.
    head: Bytes,
    noted: Noted,
}

/// What is asked of every response.
#[derive(Clone, Copy, Default)]
pub(super) struct Noted {
    pub(super) sets_cookies: bool,
    pub(super) is_encoded: bool,
}

impl ResponseHeaders {
    /// Those of a complete head that `httparse` has accepted, with no more than [`MOST_FIELDS`].
    pub(super) fn of_head(head: Bytes, noted: Noted) -> ResponseHeaders {
        ResponseHeaders { map: OnceCell::new(), head, noted }
    }

    pub(super) fn sets_cookies(&self) -> bool {
        self.noted.sets_cookies
    }

    pub(super) fn is_encoded(&self) -> bool {
        self.noted.is_encoded
    }

    fn made(&self) -> HeaderMap {
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut head = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        if parser.parse_response_with_uninit_headers(&mut head, &self.head, &mut fields).is_err() {
            return HeaderMap::new();
        }
        let mut map = HeaderMap::with_capacity(head.headers.len());
        for field in &*head.headers {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_maybe_shared(self.head.slice_ref(field.value));
            // Both take what `httparse` takes.
            if let (Ok(name), Ok(value)) = (name, value) {
                map.append(name, value);
            }
        }
        map
    }
}

impl From<HeaderMap> for ResponseHeaders {
    fn from(map: HeaderMap) -> ResponseHeaders {
        let noted = Noted {
            sets_cookies: map.contains_key(SET_COOKIE),
            is_encoded: map.contains_key(CONTENT_ENCODING),
        };
        ResponseHeaders { map: OnceCell::from(Box::new(map)), head: Bytes::new(), noted }
    }
}

impl Deref for ResponseHeaders {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.map.get_or_init(|| Box::new(self.made()))
    }
}

impl fmt::Debug for ResponseHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
