//! The histograms of each interval, handed out once to each who writes or shows them.
//!
//! Owns the queues between the aggregator and whoever takes. Leaves the file to `results`.
//! Invariant: what was counted is in exactly one interval of each taker, taken or still waiting; when one does not take, its
//! waiting intervals become one longer interval, so memory is bounded and only the resolution is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hashbrown::HashMap;

use super::gathered::Gathered;
use super::sparse::Sparse;

/// Most intervals that wait: more than the seconds that agents may tell of late, which come all at once.
const MOST_WAITING: usize = 150;

/// Most histograms that wait, in all intervals together: more than those of these seconds.
const MOST_HISTOGRAMS: usize = 25_000;

/// What a histogram of an interval is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum IntervalSeries {
    /// All requests of the run.
    All,
    /// The requests of a scenario with one method and name.
    Requests {
        /// Name of the scenario.
        scenario: Arc<str>,
        /// HTTP method.
        method: Arc<str>,
        /// Name of the request.
        name: Arc<str>,
    },
    /// The requests with a tag.
    Tag {
        /// Key of the tag.
        key: Arc<str>,
        /// Value of the tag.
        value: Arc<str>,
    },
    /// A transaction, by its name.
    Transaction(Arc<str>),
    /// All iterations of the run.
    Iterations,
}

/// Which time of its series a histogram holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum IntervalKind {
    /// Service time of successes; of a transaction, its duration.
    Ok,
    /// Time of failures.
    Failed,
    /// Response time of all. Left out where it is the same as successes and failures together.
    Response,
    /// How long iterations ran.
    Duration,
    /// How long after they were due iterations started.
    Lag,
}

/// What a histogram is filed under.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntervalKey {
    /// What it is of.
    pub series: IntervalSeries,
    /// Which time of it.
    pub kind: IntervalKind,
    /// It holds values that are to be taken away from earlier intervals: their verdict changed later.
    pub taken_back: bool,
}

/// Times of successes and failures of one series, from any number of intervals.
#[derive(Clone, Debug, Default)]
pub struct OutcomeTimes {
    /// Successes.
    pub ok: Sparse,
    /// Failures.
    pub failed: Sparse,
}

impl OutcomeTimes {
    /// Adds what an interval has of the series, or takes it back; other times of it are left out.
    pub fn add(&mut self, key: &IntervalKey, values: &Sparse) {
        let sum = match key.kind {
            IntervalKind::Ok => &mut self.ok,
            IntervalKind::Failed => &mut self.failed,
            IntervalKind::Response | IntervalKind::Duration | IntervalKind::Lag => return,
        };
        if key.taken_back {
            sum.remove(values);
        } else {
            sum.merge(values);
        }
    }
}

/// All histograms of one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalHistograms {
    /// Its begin, as time since the start of the load.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
    /// The histograms that have values.
    pub histograms: BTreeMap<IntervalKey, Sparse>,
}

impl IntervalHistograms {
    /// Adds values to one of the histograms.
    pub fn add(&mut self, key: IntervalKey, values: &Sparse) {
        if !values.is_empty() {
            self.histograms.entry(key).or_default().merge(values);
        }
    }

    /// Whether these response times say no more than successes and failures together do.
    pub(super) fn is_repeated(&self, key: &IntervalKey, values: &Sparse) -> bool {
        if key.kind != IntervalKind::Response {
            return false;
        }
        let part = |kind| self.histograms.get(&IntervalKey { kind, ..key.clone() });
        match (part(IntervalKind::Ok), part(IntervalKind::Failed)) {
            (Some(ok), Some(failed)) => {
                let mut both = ok.clone();
                both.merge(failed);
                both.same_values(values)
            }
            (Some(one), None) | (None, Some(one)) => one.same_values(values),
            (None, None) => false,
        }
    }

    /// Response times of a series, also where the log left them out because they are its other times.
    pub fn response(&self, series: &IntervalSeries, taken_back: bool) -> Sparse {
        let part = |kind| self.histograms.get(&IntervalKey { series: series.clone(), kind, taken_back });
        if let Some(response) = part(IntervalKind::Response) {
            return response.clone();
        }
        let mut both = part(IntervalKind::Ok).cloned().unwrap_or_default();
        if let Some(failed) = part(IntervalKind::Failed) {
            both.merge(failed);
        }
        both
    }

    /// Becomes the interval that covers both.
    pub fn merge(&mut self, later: IntervalHistograms) {
        self.from = self.from.min(later.from);
        self.to = self.to.max(later.to);
        for (key, values) in later.histograms {
            self.histograms.entry(key).or_default().merge(&values);
        }
    }
}

/// The histograms of the interval that is open, of many threads.
#[derive(Debug, Default)]
pub(super) struct OpenInterval(HashMap<IntervalKey, Gathered>);

impl OpenInterval {
    /// Adds values to one of the histograms.
    pub(super) fn add(&mut self, key: IntervalKey, values: &Sparse) {
        if !values.is_empty() {
            self.0.entry(key).or_default().add(values);
        }
    }

    /// Ends the interval; the next one is open.
    pub(super) fn close(&mut self, from: Duration, to: Duration) -> IntervalHistograms {
        let histograms = self.0.drain().map(|(key, values)| (key, values.finish())).collect();
        IntervalHistograms { from, to, histograms }
    }
}

/// Intervals that wait, and no more of them than fit a bound.
#[derive(Clone, Debug, Default)]
pub struct IntervalQueue {
    waiting: Vec<IntervalHistograms>,
    histograms: usize,
}

impl IntervalQueue {
    /// Appends an interval, or adds to the same one where that waits: of one second, agents that were cut off tell one by one.
    /// When too much waits, all of it becomes one interval first.
    pub fn push(&mut self, interval: IntervalHistograms) {
        let is_same = |one: &&mut IntervalHistograms| (one.from, one.to) == (interval.from, interval.to);
        if let Some(same) = self.waiting.iter_mut().rev().find(is_same) {
            self.histograms -= same.histograms.len();
            same.merge(interval);
            self.histograms += same.histograms.len();
            if self.histograms > MOST_HISTOGRAMS {
                self.become_one();
            }
            return;
        }
        if self.waiting.len() >= MOST_WAITING
            || (self.waiting.len() > 1 && self.histograms + interval.histograms.len() > MOST_HISTOGRAMS)
        {
            self.become_one();
        }
        self.histograms += interval.histograms.len();
        self.waiting.push(interval);
    }

    fn become_one(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        if let Some(mut one) = waiting.next() {
            waiting.for_each(|later| one.merge(later));
            self.histograms = one.histograms.len();
            self.waiting.push(one);
        }
    }

    /// What waits, oldest first.
    pub fn waiting(&self) -> &[IntervalHistograms] {
        &self.waiting
    }

    /// Takes all that waits, oldest first.
    pub fn take(&mut self) -> Vec<IntervalHistograms> {
        self.histograms = 0;
        std::mem::take(&mut self.waiting)
    }
}

/// The run's intervals on their way from the aggregator to whoever takes them; clones are the same feed.
#[derive(Clone, Debug, Default)]
pub struct IntervalFeed(Arc<Mutex<Feed>>);

#[derive(Debug, Default)]
struct Feed {
    /// What came before the first taker.
    backlog: IntervalQueue,
    has_taker: bool,
    takers: Vec<Weak<Mutex<IntervalQueue>>>,
}

/// One of those who take the intervals of a run, each of them once.
#[derive(Debug)]
pub struct IntervalTaker(Arc<Mutex<IntervalQueue>>);

impl IntervalFeed {
    pub(crate) fn push(&self, interval: IntervalHistograms) {
        let mut feed = locked(&self.0);
        if !feed.has_taker {
            feed.backlog.push(interval);
            return;
        }
        feed.takers.retain(|taker| taker.strong_count() > 0);
        let mut takers = feed.takers.iter().filter_map(Weak::upgrade);
        let Some(first) = takers.next() else { return };
        takers.for_each(|taker| locked(&taker).push(interval.clone()));
        locked(&first).push(interval);
    }

    /// Another taker: it gets all intervals from now on, and before them those that some taker has not taken yet. For the
    /// first one that is all since the start.
    pub fn taker(&self) -> IntervalTaker {
        let mut feed = locked(&self.0);
        let backlog = if feed.has_taker {
            let waiting = feed.takers.iter().filter_map(Weak::upgrade).map(|taker| locked(&taker).clone());
            waiting.max_by_key(|queue| queue.waiting.len()).unwrap_or_default()
        } else {
            std::mem::take(&mut feed.backlog)
        };
        feed.has_taker = true;
        let taker = Arc::new(Mutex::new(backlog));
        feed.takers.push(Arc::downgrade(&taker));
        IntervalTaker(taker)
    }
}

impl IntervalTaker {
    /// The intervals since the last call, oldest first.
    pub fn take(&self) -> Vec<IntervalHistograms> {
        locked(&self.0).take()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::histogram::Histogram;
    use super::*;

    fn interval(second: u64, value_us: u64) -> IntervalHistograms {
        let mut histogram = Histogram::new();
        histogram.record(value_us);
        let mut interval = IntervalHistograms {
            from: Duration::from_secs(second),
            to: Duration::from_secs(second + 1),
            ..IntervalHistograms::default()
        };
        let key = IntervalKey { series: IntervalSeries::All, kind: IntervalKind::Ok, taken_back: false };
        interval.add(key, &histogram.take_sparse());
        interval
    }

    #[test]
    fn what_nobody_takes_is_kept_in_fewer_intervals() {
        let feed = IntervalFeed::default();
        for second in 0..1_000 {
            feed.push(interval(second, 1_000 + second));
        }
        let taker = feed.taker();
        let taken = taker.take();
        assert!(taken.len() <= MOST_WAITING, "{}", taken.len());
        let values: u64 = taken.iter().flat_map(|i| i.histograms.values()).map(Sparse::count).sum();
        assert_eq!(values, 1_000, "no value is lost");
        assert_eq!((taken[0].from, taken.last().unwrap().to), (Duration::ZERO, Duration::from_secs(1_000)));
        assert!(taken.windows(2).all(|pair| pair[0].to == pair[1].from), "without a gap");
        assert!(taker.take().is_empty(), "each is given once");
    }

    #[test]
    fn seconds_that_several_agents_tell_of_late_stay_seconds() {
        let mut queue = IntervalQueue::default();
        for _agent in 0..3 {
            (0..120).for_each(|second| queue.push(interval(second, 1_000)));
        }
        (120..123).for_each(|second| queue.push(interval(second, 1_000)));
        assert_eq!((queue.waiting().len(), queue.histograms), (123, 123));
        let of = |at: usize| queue.waiting()[at].histograms.values().map(Sparse::count).sum::<u64>();
        assert_eq!((of(0), of(119), of(120)), (3, 3, 1));
    }

    #[test]
    fn each_taker_gets_every_interval_that_was_not_taken_when_it_came() {
        let feed = IntervalFeed::default();
        feed.push(interval(0, 10));
        let (first, second) = (feed.taker(), feed.taker());
        feed.push(interval(1, 10));
        assert_eq!((first.take().len(), second.take().len()), (2, 2));
        assert!(
            feed.taker().take().is_empty(),
            "nothing is given twice to the same, nor from before all others"
        );
        drop(second);
        feed.push(interval(2, 10));
        assert_eq!(first.take().len(), 1);
    }
}
