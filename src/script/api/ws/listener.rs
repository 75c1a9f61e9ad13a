//! Handlers of what arrives while a virtual user does something else (`on_message`).
//!
//! Leaves when they run to `Host::wait` and the life of the user. Invariant: each message is given to the handler once, in order.

use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Instant;

use rhai::{Dynamic, FnPtr};

use super::socket::{Socket, SocketData};
use crate::http::HttpError;
use crate::script::ending::Ending;
use crate::script::host::Host;
use crate::script::vu_context::VuContext;
use crate::ws::Received;

/// A websocket that has a handler for what arrives; without one, it has none any more.
pub(crate) struct Listener {
    pub(super) socket: Weak<SocketData>,
    pub(super) handler: Option<FnPtr>,
}

/// Something that has arrived for a handler.
pub(crate) struct Arrival {
    pub(super) socket: Rc<SocketData>,
    pub(super) handler: FnPtr,
    pub(super) what: Arrived,
}

pub(super) enum Arrived {
    Now(Result<Received, HttpError>, Instant),
    /// Counted, and kept because the handler could not run.
    Before(Dynamic),
}

/// Whether the script is inside a method of a variable that the function has captured: it could not use that.
pub(super) fn is_locked(function: &FnPtr) -> bool {
    function.curry().iter().any(Dynamic::is_locked)
}

impl Listener {
    /// Whether both are for one websocket.
    pub(crate) fn is_of_same(&self, other: &Listener) -> bool {
        self.socket.ptr_eq(&other.socket)
    }

    pub(crate) fn has_handler(&self) -> bool {
        self.handler.is_some()
    }

    /// Its handler, if it is for this websocket.
    pub(crate) fn handler_of(&self, socket: &Rc<SocketData>) -> Option<FnPtr> {
        if std::ptr::eq(self.socket.as_ptr(), Rc::as_ptr(socket)) { self.handler.clone() } else { None }
    }

    /// Whether anything holds the websocket but the variables that its own handler has captured.
    pub(crate) fn is_held(&self) -> bool {
        let Some(socket) = self.socket.upgrade() else { return false };
        let captured = self.handler.iter().flat_map(FnPtr::curry).filter(|value| {
            value.read_lock::<Socket>().is_some_and(|captured| Rc::ptr_eq(&captured.0, &socket))
        });
        // One more is `socket`.
        Rc::strong_count(&socket) > captured.count() + 1
    }

    /// What has arrived, unless the handler cannot run now.
    pub(crate) fn poll(&self, vu: &VuContext, context: &mut Context<'_>) -> Poll<Arrival> {
        let (Some(socket), Some(handler)) = (self.socket.upgrade(), &self.handler) else {
            return Poll::Pending;
        };
        if socket.in_use.get() || is_locked(handler) {
            return Poll::Pending;
        }
        let before = socket.kept.borrow_mut().pop_front().map(Arrived::Before);
        let what = before.map_or_else(|| socket.poll(vu, context), Poll::Ready);
        what.map(|what| Arrival { socket, handler: handler.clone(), what })
    }
}

impl Arrival {
    /// Counts what has arrived and calls the handler, inside a fiber.
    ///
    /// # Errors
    /// How the handler ended the call, the user or the run.
    pub(crate) fn deliver(self, host: &Host, vu: &VuContext) -> Result<(), Ending> {
        let Arrival { socket, handler, what } = self;
        let _handling = vu.begin_handling();
        let message = match what {
            Arrived::Before(message) => message,
            Arrived::Now(received, at) => match socket.take_in(vu, received, at)? {
                Some((message, _)) => message.to_dynamic(),
                None => return Ok(()),
            },
        };
        host.call_back(vu, &handler, [message], [Dynamic::from(Socket(socket))]).map(drop)
    }
}
