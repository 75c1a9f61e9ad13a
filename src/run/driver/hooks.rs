//! What the script does once for the whole run: `setup` before the load, `teardown` and `summary` after it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Driver;
use super::fleet::{HURRY, Heard};
use crate::plan::{EndedBy, RunRecord};
use crate::results::run_json;
use crate::run::control::ControlError;
use crate::run::requests::{Request, Requests, reply};
use crate::run::workers::{Command, Notice, Workers};
use crate::script::{SummaryOutput, Value};
use crate::text::format_duration;
use crate::vu::HookError;

/// The worker that runs `setup`.
const FIRST: usize = 0;

/// What `teardown` and `summary` get at least: a `stop_timeout` of zero is meant for iterations.
const AT_LEAST: Duration = Duration::from_secs(1);

impl<W: Workers> Driver<W> {
    /// Runs `setup` on the first worker; `None` when it failed or was stopped.
    pub(super) async fn setup(&mut self, requests: &mut Requests) -> Option<Arc<Value>> {
        self.fleet.tell(FIRST, Command::Setup);
        let mut patience = Patience::default();
        loop {
            let ended_by = tokio::select! {
                heard = self.fleet.next() => match heard {
                    Heard::Notice(_, Notice::Setup(Ok(value))) if self.ended_by.is_none() => {
                        return Some(Arc::new(value));
                    }
                    Heard::Notice(_, Notice::Setup(Err(HookError::Aborted(reason)))) => EndedBy::Aborted(reason),
                    Heard::Notice(_, Notice::Setup(Err(HookError::Failed(error)))) => EndedBy::SetupFailed(error),
                    Heard::Notice(worker, Notice::Joined) => {
                        self.joined(worker);
                        continue;
                    }
                    Heard::Notice(_, Notice::Deal { members }) => {
                        self.members = Some(members);
                        continue;
                    }
                    Heard::Notice(_, Notice::AgentsLost(reason)) => EndedBy::AgentsLost(reason),
                    Heard::Notice(_, Notice::Note { level, text }) => {
                        self.say(level, text);
                        continue;
                    }
                    Heard::Notice(FIRST, Notice::Lost) => {
                        EndedBy::SetupFailed("the agent that ran it was lost".to_owned())
                    }
                    Heard::Notice(FIRST, Notice::Gone) if self.fleet.workers().others_within().is_some() => {
                        EndedBy::SetupFailed("the agent that ran it has left".to_owned())
                    }
                    // Stopped meanwhile; or the worker is gone, which its own message has told.
                    Heard::Notice(_, Notice::Setup(Ok(_))) | Heard::Notice(FIRST, Notice::Gone) => EndedBy::Stopped,
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
                    self.fleet.tell_all(Command::StopNow);
                    patience.limit(Instant::now() + HURRY);
                    continue;
                }
                // It computes without a pause: it is left behind.
                () = patience.is_over() => EndedBy::Stopped,
            };
            self.end(ended_by);
            return None;
        }
    }

    /// Runs `teardown` on a worker that answers, unless the run ends at once; gives why it failed.
    pub(super) async fn teardown(&mut self, requests: &mut Requests) -> Option<String> {
        if self.stops > 1 {
            return None;
        }
        let is_there = self.last_hooks.teardown;
        let Some(worker) = self.fleet.first() else {
            return is_there.then(|| "it was not called: no worker thread answers".to_owned());
        };
        self.fleet.tell(worker, Command::Teardown);
        let ended = self.last_hook(worker, requests, is_there, |notice| match notice {
            Notice::Teardown(ended) => Some(ended),
            _ => None,
        });
        ended.await?.err()
    }

    /// Calls `summary` with the final figures on a worker that answers, unless the run ends at once; gives what is to be
    /// written, or why nothing is. The figures are final: what it does changes nothing.
    pub(super) async fn summary(
        &mut self,
        requests: &mut Requests,
    ) -> Option<Result<Vec<SummaryOutput>, String>> {
        if self.stops > 1 || self.misconfigured.is_some() {
            return None;
        }
        let is_there = self.last_hooks.summary;
        let Some(worker) = self.fleet.first() else {
            return is_there.then(|| Err("it was not called: no worker thread answers".to_owned()));
        };
        let record = RunRecord::new(self.info.clone(), self.ended_by(), self.figures.last());
        let data = Arc::new(run_json(&record));
        self.fleet.tell(worker, Command::Summary { data });
        let ended = self.last_hook(worker, requests, is_there, |notice| match notice {
            Notice::Summary(ended) => Some(ended),
            _ => None,
        });
        ended.await
    }

    /// Waits until a worker has done what it was told to when the load was over; `None` when it is gone, or the run was
    /// ended at once. When the script has no such function, it cannot fail for want of an answer.
    async fn last_hook<T>(
        &mut self,
        worker: usize,
        requests: &mut Requests,
        is_there: bool,
        ended: impl Fn(Notice) -> Option<Result<T, HookError>>,
    ) -> Option<Result<T, String>> {
        let timeout = self.shared.plan.stop_timeout.max(AT_LEAST);
        let mut patience = Patience::default();
        patience.limit(Instant::now() + timeout);
        loop {
            tokio::select! {
                heard = self.fleet.next() => match heard {
                    Heard::Notice(gone, Notice::Gone) if gone == worker => return None,
                    Heard::Notice(lost, Notice::Lost) if lost == worker => {
                        return is_there.then(|| Err("the agent that ran it was lost".to_owned()));
                    }
                    Heard::Notice(_, notice) => match ended(notice) {
                        Some(Ok(value)) => return Some(Ok(value)),
                        Some(Err(HookError::Failed(error) | HookError::Aborted(error))) => {
                            return (self.stops <= 1).then_some(Err(error));
                        }
                        None => {}
                    },
                    Heard::Intervals(_) => {}
                },
                request = requests.next() => {
                    self.stop_too_late(request);
                    if self.stops > 1 {
                        self.fleet.tell_all(Command::StopNow);
                        patience.limit(Instant::now() + HURRY);
                    }
                }
                () = patience.is_over() => {
                    self.fleet.tell_all(Command::StopNow);
                    let problem = format!("it was not done after {} (see stop_timeout)", format_duration(timeout));
                    return (is_there && self.stops <= 1).then_some(Err(problem));
                }
            }
        }
    }
}

/// How long something is waited for; for ever, unless that is limited.
#[derive(Default)]
struct Patience(Option<Instant>);

impl Patience {
    fn limit(&mut self, until: Instant) {
        self.0 = Some(self.0.map_or(until, |known| known.min(until)));
    }

    fn is_over(&self) -> impl Future<Output = ()> + use<> {
        let until = self.0;
        async move {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        }
    }
}
