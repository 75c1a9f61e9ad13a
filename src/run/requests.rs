//! What is asked of a run from outside, and whether anybody still holds it.
//!
//! Invariant: a run whose handle is gone learns it whatever else waits to be read.

use tokio::sync::{mpsc, oneshot};

use super::control::{Control, ControlError};
use crate::plan::EndedBy;

/// How many requests may wait for the run.
const REQUESTS: usize = 8;

/// What the run's handle asks for.
#[derive(Debug)]
pub(super) enum Request {
    /// Stop: the first time gracefully, the second time at once.
    Stop(EndedBy),
    /// Stop at once: nobody holds the run any more.
    Abandon,
    /// Load the script again.
    Reload,
    /// Change the load, all of it or nothing; answered with why it cannot be done, if so.
    Control(Vec<Control>, Answer),
}

/// Where a change of the load is answered.
pub(super) type Answer = oneshot::Sender<Result<(), ControlError>>;

/// Answers whoever asked, if that one waits.
pub(super) fn reply(answer: Answer, result: Result<(), ControlError>) {
    let _ = answer.send(result);
}

/// Held by whoever holds the run: dropping it stops the run.
#[derive(Debug)]
pub(super) struct Hold(oneshot::Sender<()>);

impl Hold {
    /// Lets the run go on.
    pub(super) fn detach(self) {
        // It may be over.
        let _ = self.0.send(());
    }
}

/// The run's end of its requests.
pub(super) struct Requests {
    requests: mpsc::Receiver<Request>,
    /// `None` when it has been told to go on unwatched, or that it is abandoned.
    held: Option<oneshot::Receiver<()>>,
}

impl Requests {
    /// The two ends, and what keeps the run going.
    pub(super) fn channel() -> (mpsc::Sender<Request>, Hold, Requests) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let (hold, held) = oneshot::channel();
        (sender, Hold(hold), Requests { requests, held: Some(held) })
    }

    /// The next request; never, when nobody can ask for anything any more. Can be dropped without losing one.
    pub(super) async fn next(&mut self) -> Request {
        loop {
            let held = async {
                match &mut self.held {
                    Some(held) => held.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                is_detached = held => {
                    self.held = None;
                    if is_detached.is_err() {
                        return Request::Abandon;
                    }
                }
                Some(request) = self.requests.recv() => return request,
            }
        }
    }
}
