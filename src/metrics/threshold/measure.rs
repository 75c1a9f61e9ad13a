//! One thing that thresholds measure: values of a metric with some tags, over a window or a phase.
//!
//! Owns the interval that is open, the sum over the run or phase, and the seconds of a window. Leaves judging
//! to the trackers. Invariant: memory is bounded by the length of the window, one hour at most.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::counts::RequestCounts;
use super::super::custom::CustomValues;
use super::super::delta::Delta;
use super::super::histogram::Histogram;
use super::super::iterations::IterationDelta;
use super::super::sparse::Sparse;
use super::super::watch::{RequestsDelta, WatchDelta};
use super::figures::{Figures, Part};
use crate::metrics::builtin::{IterationFigure, MetricKind, RequestFigure, Source, TransactionFigure};
use crate::metrics::{Protocol, Quantity};

/// How much shorter than a window its seconds may be together.
const SLACK: Duration = Duration::from_millis(250);

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subject {
    pub(super) metric: String,
    pub(super) kind: MetricKind,
    pub(super) quantity: Quantity,
    pub(super) source: Source,
    /// Tags in the order of their keys.
    pub(super) tags: Vec<(String, String)>,
    /// The watch that counts the samples with these tags; `None` is all samples.
    pub(super) watch: Option<usize>,
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) subject: Subject,
    pub(super) window: Option<Duration>,
    pub(super) phase: Option<String>,
    /// Values of the open interval.
    open: Open,
    /// What it had while values of an earlier second are added.
    aside: Open,
    /// Values of the run, or of the seconds in its phase.
    sum: Figures,
    covered: Duration,
    /// Seconds of the window, oldest first.
    ring: VecDeque<(Duration, Part)>,
    /// The window has been full at the end of the last interval.
    is_full: bool,
    /// Values of the window at the end of the last interval.
    in_window: Option<(Figures, Duration)>,
}

/// Values of an interval that is not over yet.
#[derive(Debug, Default)]
struct Open {
    added: Histogram,
    removed: Histogram,
    part: Option<Part>,
}

impl Measure {
    pub(super) fn new(subject: Subject, window: Option<Duration>, phase: Option<String>) -> Measure {
        // Counters that everything is counted by have seen all there is, even if that is nothing.
        let seen = subject.tags.is_empty();
        let sum = match (subject.kind, subject.source) {
            (MetricKind::Counter, _) => Figures::Count { sum: 0.0, seen },
            (MetricKind::Rate, _) => Figures::Share { passes: 0, all: 0 },
            (MetricKind::Trend, Source::Recorded | Source::Groups) => Figures::Numbers(Default::default()),
            (MetricKind::Trend, _) => Figures::Times(Histogram::new()),
            (MetricKind::Gauge, _) => Figures::State(None),
        };
        Measure {
            subject,
            window,
            phase,
            open: Open::default(),
            aside: Open::default(),
            sum,
            covered: Duration::ZERO,
            ring: VecDeque::new(),
            is_full: false,
            in_window: None,
        }
    }

    /// Takes over what a worker counted.
    pub(super) fn add(&mut self, delta: &Delta) {
        match self.subject.watch {
            Some(watch) => {
                for (_, watched) in delta.watched.iter().filter(|(index, _)| *index == watch) {
                    self.add_watched(watched);
                }
            }
            None => self.add_all(delta),
        }
    }

    fn add_watched(&mut self, watched: &WatchDelta) {
        match (watched, self.subject.source) {
            (WatchDelta::Requests(delta), Source::Requests(_, figure)) => {
                self.seen(delta.candidates > 0);
                self.requests(figure, &delta.added, 1);
                self.requests(figure, &delta.removed, -1);
            }
            (WatchDelta::Requests(delta), Source::RequestPhase(part)) => {
                let RequestsDelta { phases_added, phases_removed, .. } = &**delta;
                self.times(&phases_added[part], &phases_removed[part]);
            }
            (WatchDelta::Checks(count), _) => self.share(count.passes as i64, count.fails as i64),
            (WatchDelta::Transactions(delta), Source::Transactions(figure)) => {
                self.transactions(figure, delta)
            }
            (WatchDelta::Custom(values), _) => self.own(values),
            (_, _) => {}
        }
    }

    fn add_all(&mut self, delta: &Delta) {
        match self.subject.source {
            Source::Requests(protocol, figure) => {
                let is_its = |of: Protocol| protocol.is_none_or(|protocol| protocol == of);
                for (all, sign) in [(&delta.series, 1), (&delta.reversed.series, -1)] {
                    let its = all.iter().filter(|(key, _)| is_its(key.protocol));
                    its.for_each(|(_, counts)| self.requests(figure, counts, sign));
                }
            }
            Source::RequestPhase(part) => self.times(&delta.phases[part], &delta.reversed.phases[part]),
            Source::Iterations(figure) => {
                let scenario = self.subject.tags.first().map(|(_, value)| value.clone());
                let its =
                    |delta: &&IterationDelta| scenario.as_ref().is_none_or(|name| **name == *delta.scenario);
                delta.iterations.iter().filter(its).for_each(|delta| self.iterations(figure, delta));
            }
            Source::Checks => {
                for (_, count) in delta.checks.iter().flat_map(|group| &group.checks) {
                    self.share(count.passes as i64, count.fails as i64);
                }
            }
            Source::Transactions(figure) => {
                delta.transactions.iter().for_each(|(_, counts)| self.transactions(figure, counts));
            }
            Source::ScriptErrors => {
                let errors: u64 = delta.script_errors.iter().map(|group| group.count).sum();
                self.count(errors as f64);
            }
            Source::Recorded | Source::Groups => {
                let name = self.subject.metric.clone();
                let all = delta.custom.iter().filter(|(key, _)| key.tag.is_none() && *key.name == *name);
                all.for_each(|(_, values)| self.own(values));
            }
            // The run knows these, not its workers.
            Source::Users { .. } | Source::Resource(..) => {}
        }
    }

    /// Requests that are counted (`sign` 1) or taken back (-1).
    fn requests(&mut self, figure: RequestFigure, counts: &RequestCounts<Sparse>, sign: i64) {
        let sign_f = sign as f64;
        let nothing = Sparse::default();
        let mut times = |values: &Sparse| match sign {
            1 => self.times(values, &nothing),
            _ => self.times(&nothing, values),
        };
        match figure {
            RequestFigure::Duration => {
                times(&counts.ok);
                // Whoever asks for a status or a verdict means those requests, whatever their verdict.
                if self.subject.tags.iter().any(|(key, _)| key == "status" || key == "expected_response") {
                    match sign {
                        1 => self.times(&counts.failed, &nothing),
                        _ => self.times(&nothing, &counts.failed),
                    }
                }
            }
            RequestFigure::Response => times(&counts.response),
            RequestFigure::Count => self.count(sign_f * counts.requests as f64),
            RequestFigure::Sent => self.count(sign_f * counts.bytes_sent as f64),
            RequestFigure::Received => self.count(sign_f * counts.bytes_received as f64),
            RequestFigure::Failed => {
                let failures = counts.failures as i64;
                self.share(sign * failures, sign * (counts.requests as i64 - failures));
            }
        }
    }

    fn iterations(&mut self, figure: IterationFigure, delta: &IterationDelta) {
        let nothing = Sparse::default();
        match figure {
            IterationFigure::Count => {
                let ended = delta.completed + delta.failed;
                self.seen(ended > 0);
                self.count(ended as f64);
            }
            IterationFigure::Duration => self.times(&delta.duration, &nothing),
            IterationFigure::Lag => self.times(&delta.lag, &nothing),
            IterationFigure::Response => self.times(&delta.response, &nothing),
            // The run knows them, not its workers.
            IterationFigure::Dropped => {}
        }
    }

    fn transactions(&mut self, figure: TransactionFigure, counts: &RequestCounts<Sparse>) {
        match figure {
            TransactionFigure::Count => self.count(counts.requests as f64),
            TransactionFigure::Failed => {
                self.share(counts.failures as i64, (counts.requests - counts.failures) as i64);
            }
            TransactionFigure::Duration => self.times(&counts.ok, &Sparse::default()),
        }
    }

    fn times(&mut self, added: &Sparse, removed: &Sparse) {
        self.open.added.merge_sparse(added);
        self.open.removed.merge_sparse(removed);
    }

    /// Adds to a counter.
    pub(super) fn count(&mut self, more: f64) {
        match &mut self.open.part {
            Some(Part::Count { sum, seen }) => {
                *sum += more;
                *seen |= more != 0.0;
            }
            part => *part = Some(Part::Count { sum: more, seen: more != 0.0 }),
        }
    }

    fn seen(&mut self, is_seen: bool) {
        if is_seen && self.subject.kind == MetricKind::Counter {
            self.count(0.0);
            if let Some(Part::Count { seen, .. }) = &mut self.open.part {
                *seen = true;
            }
        }
    }

    fn share(&mut self, more_passes: i64, more_fails: i64) {
        match &mut self.open.part {
            Some(Part::Share { passes, all }) => {
                *passes += more_passes;
                *all += more_passes + more_fails;
            }
            part => *part = Some(Part::Share { passes: more_passes, all: more_passes + more_fails }),
        }
    }

    fn own(&mut self, values: &CustomValues) {
        match (&mut self.open.part, Part::own(values)) {
            (Some(Part::Numbers(numbers)), Part::Numbers(more)) => numbers.merge(&more),
            (Some(Part::Count { sum, seen }), Part::Count { sum: more, .. }) => {
                *sum += more;
                *seen = true;
            }
            (Some(Part::Share { passes, all }), Part::Share { passes: p, all: a }) => {
                *passes += p;
                *all += a;
            }
            (Some(Part::State { last, min, max }), Part::State { last: l, min: n, max: m }) => {
                *last = l;
                *min = min.min(n);
                *max = max.max(m);
            }
            (part, values) => *part = Some(values),
        }
    }

    /// A state of a gauge in the interval.
    pub(super) fn gauge(&mut self, value: f64) {
        match &mut self.open.part {
            Some(Part::Seen(values)) => values.push(value),
            part => *part = Some(Part::Seen(vec![value])),
        }
    }

    /// Ends the interval of this length, of which the load was not paused for `active`, and which was part of this phase
    /// or stage.
    pub(super) fn close(&mut self, (length, active): (Duration, Duration), phases: &[&str]) {
        let part = self.take_open();
        if self.phase.as_deref().is_some_and(|wanted| !phases.contains(&wanted)) {
            self.interrupt_window();
            return;
        }
        self.covered += active;
        self.sum.add(&part);
        if active < length {
            self.interrupt_window();
        } else if let Some(window) = self.window {
            self.ring.push_back((length, part));
            self.roll(window);
        }
    }

    fn take_open(&mut self) -> Part {
        let part = match self.sum {
            Figures::Times(_) => {
                Part::Times { added: self.open.added.take_sparse(), removed: self.open.removed.take_sparse() }
            }
            _ => self.open.part.take().unwrap_or(Part::Nothing),
        };
        self.open.part = None;
        part
    }

    /// What is added from now on is of an earlier second, until [`close_late`](Self::close_late).
    pub(super) fn set_aside(&mut self) {
        self.aside = std::mem::take(&mut self.open);
    }

    /// It was of the second that is so many before the last one, which was part of this phase or stage. A window that has
    /// been judged is not judged again; one that still has this second has these values from its next look on.
    pub(super) fn close_late(&mut self, behind: usize, phases: &[&str]) {
        let part = self.take_open();
        self.open = std::mem::take(&mut self.aside);
        if self.phase.as_deref().is_some_and(|wanted| !phases.contains(&wanted)) {
            return;
        }
        self.sum.add(&part);
        // What was told late stands behind its second, and has no length of its own.
        let mut seconds = self.ring.iter().enumerate().rev().filter(|(_, (length, _))| !length.is_zero());
        if let Some((place, _)) = seconds.nth(behind) {
            self.ring.insert(place + 1, (Duration::ZERO, part));
        }
    }

    /// A window does not reach over a gap.
    fn interrupt_window(&mut self) {
        self.ring.clear();
        self.is_full = false;
        self.in_window = None;
    }

    fn roll(&mut self, window: Duration) {
        // Seconds are a few milliseconds longer or shorter than a second.
        let enough = window.saturating_sub(SLACK);
        let mut covered: Duration = self.ring.iter().map(|(length, _)| *length).sum();
        while let Some((oldest, _)) = self.ring.front()
            && covered.saturating_sub(*oldest) >= enough
        {
            covered -= *oldest;
            self.ring.pop_front();
        }
        self.is_full = covered >= enough;
        let mut figures = self.sum.emptied();
        if let (Figures::Count { seen, .. }, true) = (&mut figures, self.subject.tags.is_empty()) {
            *seen = true;
        }
        self.ring.iter().for_each(|(_, part)| figures.add(part));
        self.in_window = Some((figures, covered));
    }

    /// What is to be judged now, and the seconds it covers; `None` while a window is not full, unless
    /// `even_partly`.
    pub(super) fn figures(&self, even_partly: bool) -> Option<(&Figures, f64)> {
        match (self.window, &self.in_window) {
            // A phase that never came has not even a count of 0.
            (None, _) => (!self.covered.is_zero()).then_some((&self.sum, self.covered.as_secs_f64())),
            (Some(_), Some((figures, covered))) if self.is_full || even_partly => {
                Some((figures, covered.as_secs_f64()))
            }
            (Some(_), _) => None,
        }
    }

    /// Values of the whole run.
    pub(super) fn whole(&self) -> (&Figures, f64) {
        (&self.sum, self.covered.as_secs_f64())
    }
}
