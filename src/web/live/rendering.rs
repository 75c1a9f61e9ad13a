//! The page's parts as HTML, drawn once for all viewers, no oftener than a share of one core allows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{LiveRun, status};
use crate::plan::RunRecord;
use crate::report::{Model, live_parts, live_top};
use crate::text::clean_json;

/// Time between two drawings of the charts and tables, as a multiple of what one takes: 2 % of a core.
const REST: u32 = 50;

/// A part of the page, and since which drawing it has looked so.
struct Part {
    id: &'static str,
    html: Arc<str>,
    since: u64,
}

/// What all viewers see: a state of the page.
pub(in crate::web) struct Rendering {
    /// Grows with each one.
    pub(in crate::web) number: u64,
    status: Value,
    parts: Vec<Part>,
    /// What is new against the one before, as an event.
    newest: Arc<str>,
    /// Nothing follows it.
    pub(in crate::web) is_last: bool,
}

impl Rendering {
    /// What changed since an earlier one, as the data of an event; of 0, everything.
    pub(in crate::web) fn since(&self, number: u64) -> Arc<str> {
        if number + 1 == self.number && number > 0 { self.newest.clone() } else { self.event(number) }
    }

    /// The status alone, as the data of an event.
    pub(in crate::web) fn status(&self) -> Arc<str> {
        clean_json(json!({ "status": self.status, "is_last": self.is_last }).to_string()).into()
    }

    fn event(&self, since: u64) -> Arc<str> {
        let parts: Map<String, Value> = self
            .parts
            .iter()
            .filter(|part| part.since > since)
            .map(|part| (part.id.to_owned(), json!(&*part.html)))
            .collect();
        let event = json!({ "status": self.status, "parts": parts, "is_last": self.is_last });
        clean_json(event.to_string()).into()
    }
}

/// Draws one state of the page after the other.
pub(in crate::web) struct Renderer {
    number: u64,
    parts: Vec<Part>,
    /// When charts and tables are drawn again.
    due: Option<Instant>,
}

impl Renderer {
    /// Begins above the numbers of whatever was shown before.
    pub(in crate::web) fn new(after: u64) -> Renderer {
        Renderer { number: after, parts: Vec::new(), due: None }
    }

    /// Draws the state of a run. The last one is complete; before it, charts are drawn when they are due.
    pub(in crate::web) fn draw(&mut self, run: &LiveRun, problem: Option<&str>) -> Rendering {
        self.number += 1;
        let record = run.record();
        let is_last = record.ended_by.is_some();
        let mut drawn: Vec<(&'static str, String)> = vec![("top", live_top(&record))];
        let now = Instant::now();
        let recording = run.recorded(&record);
        if is_last || self.due.is_none_or(|due| due <= now) {
            let model = Model::new(&record, recording.intervals(), &[]);
            drawn.extend(live_parts(&model, is_last));
            let took = now.elapsed();
            self.due = Some(now + (took * REST).max(Duration::from_millis(900)));
        }
        drop(recording);
        for (id, html) in drawn {
            self.put(id, html);
        }
        self.rendering(status(run, &record, problem), is_last)
    }

    /// The page without a run, with this status.
    pub(in crate::web) fn of(mut self, status: Value) -> Rendering {
        self.number += 1;
        self.rendering(status, false)
    }

    fn put(&mut self, id: &'static str, html: String) {
        let number = self.number;
        match self.parts.iter_mut().find(|part| part.id == id) {
            Some(part) if *part.html == *html => {}
            Some(part) => *part = Part { id, html: html.into(), since: number },
            None => self.parts.push(Part { id, html: html.into(), since: number }),
        }
    }

    fn rendering(&self, status: Value, is_last: bool) -> Rendering {
        let parts = self.parts.iter();
        let mut rendering = Rendering {
            number: self.number,
            status,
            parts: parts.map(|part| Part { html: part.html.clone(), ..*part }).collect(),
            newest: Arc::from(""),
            is_last,
        };
        rendering.newest = rendering.event(self.number - 1);
        rendering
    }
}

/// Keeps what charts need while nobody looks.
pub(in crate::web) fn keep(run: &LiveRun) {
    let record: RunRecord = run.record();
    drop(run.recorded(&record));
}
