//! The metrics of websockets, under the names that k6 has for them.
//!
//! Owns when each is counted. Leaves to `ws` what is a sample. Invariant: an open websocket is counted once when it
//! opens, and its duration once when it ends, however it ends.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::metrics::{CustomId, Recorder, builtin};
use crate::script::host::Host;

/// An open websocket, as far as metrics go.
pub(super) struct Session {
    host: Rc<Host>,
    metrics: Metrics,
    opened: Instant,
    ended: Cell<bool>,
}

#[derive(Clone, Copy)]
struct Metrics {
    duration: CustomId,
    sent: CustomId,
    received: CustomId,
}

impl Session {
    /// Counts a websocket that opened after `connecting`. `None` when the recorder takes no such metrics.
    pub(super) fn open(host: &Rc<Host>, connecting: Duration) -> Option<Session> {
        let mut recorder = host.recorder.borrow_mut();
        let mut metric = |name| recorder.builtin(builtin::named(name)?).ok();
        let (sessions, time) = (metric("ws_sessions")?, metric("ws_connecting")?);
        let metrics = Metrics {
            duration: metric("ws_session_duration")?,
            sent: metric("ws_msgs_sent")?,
            received: metric("ws_msgs_received")?,
        };
        count(&mut recorder, sessions, 1.0);
        count(&mut recorder, time, millis(connecting));
        drop(recorder);
        Some(Session { host: host.clone(), metrics, opened: Instant::now(), ended: Cell::new(false) })
    }

    pub(super) fn sent(&self) {
        count(&mut self.host.recorder.borrow_mut(), self.metrics.sent, 1.0);
    }

    pub(super) fn received(&self) {
        count(&mut self.host.recorder.borrow_mut(), self.metrics.received, 1.0);
    }

    /// It is open no more.
    pub(super) fn end(&self) {
        if self.ended.replace(true) {
            return;
        }
        // A script value can be dropped anywhere; one lost duration is better than a panic.
        if let Ok(mut recorder) = self.host.recorder.try_borrow_mut() {
            count(&mut recorder, self.metrics.duration, millis(self.opened.elapsed()));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

fn count(recorder: &mut Recorder, metric: CustomId, value: f64) {
    // Ones and times from 0 on are values that these kinds take.
    let _ = recorder.custom_value(metric, value, &[], &());
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
