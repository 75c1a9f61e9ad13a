//! How a run comes to its end: by request, by its time, or because it was set up wrongly.
//!
//! Invariant: the first reason is the one that is told, but for a script that asks for another and for a second Ctrl-C.

use super::{Driver, HURRY};
use crate::plan::EndedBy;
use crate::run::control::ControlError;
use crate::run::requests::{Request, reply};
use crate::run::workers::{Command, Workers};

impl<W: Workers> Driver<W> {
    /// A request that comes when the load is over: all that can still be asked for is that the end be short.
    pub(super) fn stop_too_late(&mut self, request: Request) {
        match request {
            Request::Stop(cause) => {
                self.end(cause);
                self.stops += 1;
            }
            Request::Abandon => self.stops = 2,
            Request::Control(_, answer) => reply(answer, Err(ControlError::Over)),
            Request::Reload => {}
        }
    }

    pub(super) fn run_time_is_over(&mut self) {
        self.load.run_ends = None;
        if self.nobody.is_some() {
            return self.nobody_came();
        }
        self.end(EndedBy::RunTime);
        self.load.lanes.give_up_waiting(self.load.now());
        // The last iterations were running; the time limits them as it limits all others.
        if self.load.iterations_done && self.stops == 0 {
            self.load.last_iterations = None;
            self.fleet.tell_all(Command::Dismiss);
        }
    }

    /// A request to stop: gracefully at first, at once when it is repeated.
    pub(super) fn stop(&mut self, cause: EndedBy) {
        self.stops += 1;
        // Stopping a load that nobody makes is no planned end of it.
        if self.nobody.is_some() {
            self.nobody_came();
        }
        let is_at_its_end = matches!(self.ended_by, Some(EndedBy::RunTime | EndedBy::Iterations));
        if cause == EndedBy::Signal && is_at_its_end {
            // Its last iterations are cut short: that is not the end that was planned.
            self.ended_by = Some(cause);
        } else {
            self.end(cause);
        }
        self.load.lanes.end(self.load.now());
        if self.stops == 1 {
            self.fleet.tell_all(Command::Stop);
        } else {
            self.fleet.tell_all(Command::StopNow);
            // Who does not answer now is not waited for.
            self.fleet.ask(HURRY);
        }
        self.show_at_once();
    }

    /// Nobody holds the run: it ends at once, without `on_stop` and `teardown`.
    pub(super) fn abandon(&mut self) {
        self.stops += 1;
        self.stop(EndedBy::Stopped);
    }

    /// Stops gracefully, however often it is called.
    pub(super) fn stop_once(&mut self, cause: EndedBy) {
        if self.stops == 0 {
            // What the script asks for overrides an end that was under way.
            self.ended_by = Some(cause.clone());
            self.stop(cause);
        }
    }

    pub(super) fn is_misconfigured(&mut self, error: String) {
        self.misconfigured.get_or_insert(error);
        self.stop_once(EndedBy::Stopped);
    }

    /// Why the run has ended.
    pub(super) fn ended_by(&self) -> EndedBy {
        self.ended_by.clone().unwrap_or(EndedBy::UsersGone)
    }

    /// Why the run ends; the first reason is the one.
    pub(super) fn end(&mut self, cause: EndedBy) {
        self.ended_by.get_or_insert(cause);
    }
}
