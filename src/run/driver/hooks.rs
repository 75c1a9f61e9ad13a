//! What the script does once for the whole run: `setup` before the load, `teardown` after it.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::{Driver, FIRST};
use crate::plan::EndedBy;
use crate::run::control::ControlError;
use crate::run::requests::{Request, Requests, reply};
use crate::run::workers::{Command, Notice, Workers};
use crate::script::Value;
use crate::vu::HookError;

impl<W: Workers> Driver<W> {
    /// Runs `setup` on the first worker; `None` when it failed or was stopped.
    pub(super) async fn setup(&mut self, requests: &mut Requests) -> Option<Arc<Value>> {
        self.fleet.tell(FIRST, Command::Setup).await;
        loop {
            let ended_by = tokio::select! {
                notice = self.fleet.next() => match notice {
                    (_, Notice::Setup(Ok(value))) if self.ended_by.is_none() => return Some(Arc::new(value)),
                    (_, Notice::Setup(Err(HookError::Aborted(reason)))) => EndedBy::Aborted(reason),
                    (_, Notice::Setup(Err(HookError::Failed(error)))) => EndedBy::SetupFailed(error),
                    // Stopped meanwhile; or the worker is gone, which its own message has told.
                    (_, Notice::Setup(Ok(_))) | (FIRST, Notice::Gone) => EndedBy::Stopped,
                    _ => continue,
                },
                request = requests.next() => {
                    match request {
                        Request::Stop(cause) => self.end(cause),
                        Request::Abandon => self.end(EndedBy::Stopped),
                        Request::Control(_, answer) => {
                            reply(answer, Err(ControlError::NotBegun));
                            continue;
                        }
                        Request::Reload => continue,
                    }
                    self.fleet.tell_all(Command::StopNow).await;
                    continue;
                }
            };
            self.end(ended_by);
            return None;
        }
    }

    /// Runs `teardown` on the first worker, unless the run ends at once; gives why it failed.
    pub(super) async fn teardown(&mut self, requests: &mut Requests) -> Option<String> {
        if self.stops > 1 {
            return None;
        }
        self.fleet.tell(FIRST, Command::Teardown).await;
        let deadline = Instant::now() + self.shared.plan.stop_timeout;
        loop {
            tokio::select! {
                notice = self.fleet.next() => match notice {
                    (_, Notice::Teardown(Err(HookError::Failed(error) | HookError::Aborted(error)))) => {
                        return (self.stops <= 1).then_some(error);
                    }
                    (_, Notice::Teardown(Ok(()))) | (FIRST, Notice::Gone) => return None,
                    _ => continue,
                },
                request = requests.next() => match request {
                    Request::Stop(cause) => {
                        self.end(cause);
                        self.stops += 1;
                    }
                    Request::Abandon => self.stops = 2,
                    Request::Control(_, answer) => reply(answer, Err(ControlError::Over)),
                    Request::Reload => {}
                },
                () = sleep_until(deadline) => {
                    self.fleet.tell_all(Command::StopNow).await;
                    let timeout = self.shared.plan.stop_timeout;
                    return Some(format!("teardown was not done after {timeout:?} (see stop_timeout)"));
                }
            }
            if self.stops > 1 {
                self.fleet.tell_all(Command::StopNow).await;
            }
        }
    }
}
