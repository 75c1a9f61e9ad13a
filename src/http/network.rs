//! HTTP state shared by the virtual users of one worker thread.
//!
//! Owns the thread's DNS cache and scratch state, and leads to the run's [`Transport`]. Leaves connections and
//! cookies to each [`Client`](super::Client). Invariant: never leaves its thread.

use std::rc::Rc;
use std::sync::Arc;

use super::nudge::Nudge;
use super::plain::Scratch;
use super::pool::WarmList;
use super::resolver::Resolver;
use super::transport::Transport;

/// HTTP state shared by the virtual users of one worker thread: the transport and a DNS cache.
pub struct Network {
    pub(super) transport: Arc<Transport>,
    pub(super) resolver: Resolver,
    pub(super) nudge: Nudge,
    pub(super) scratch: Scratch,
    pub(super) warm: WarmList,
}

impl Network {
    /// An empty cache over this transport. Does no I/O.
    pub fn new(transport: Arc<Transport>) -> Rc<Network> {
        Rc::new(Network {
            resolver: Resolver::new(transport.clone()),
            transport,
            nudge: Nudge::new(),
            scratch: Scratch::new(),
            warm: WarmList::default(),
        })
    }
}
