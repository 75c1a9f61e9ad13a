//! A script's own metrics: counters, gauges, rates and trends, each with values by tag.
//!
//! Owns their names, their bounds and how they add up. Leaves to the recorder when an interval ends.
//! Invariants: a name has one kind; metrics and tag values beyond the cap are counted as [`OTHER`], except the metrics
//! that are to be kept.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::SystemTime;

use super::builtin::MetricKind;
use super::distribution::{Distribution, DistributionSummary, LARGEST};
use super::series::OTHER;

/// How many metrics a worker thread tells apart.
const METRIC_CAP: usize = 200;

/// How many values by tag it tells apart, all metrics together.
const TAG_CAP: usize = 1_000;

/// How many metrics and values by tag a run has before the rest is counted together. More than a thread can have.
const TOTAL_CAP: usize = METRIC_CAP + 2 * TAG_CAP;

/// A metric's place in its recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomId(usize);

/// What values are counted under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct CustomKey {
    pub(crate) name: Arc<str>,
    pub(crate) kind: MetricKind,
    pub(crate) is_time: bool,
    /// `None` is all values of the metric.
    pub(crate) tag: Option<(Arc<str>, Arc<str>)>,
}

/// Values of one key since some moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum CustomValues {
    Counter(f64),
    /// The last one with the moment it was set at, the smallest, the largest.
    Gauge {
        last: f64,
        at: SystemTime,
        min: f64,
        max: f64,
    },
    Rate {
        passes: u64,
        fails: u64,
    },
    Trend(Distribution),
}

impl CustomValues {
    fn of(kind: MetricKind, value: f64) -> CustomValues {
        match kind {
            MetricKind::Counter => CustomValues::Counter(value),
            MetricKind::Gauge => {
                CustomValues::Gauge { last: value, at: SystemTime::now(), min: value, max: value }
            }
            MetricKind::Rate => {
                let passes = u64::from(value != 0.0);
                CustomValues::Rate { passes, fails: 1 - passes }
            }
            MetricKind::Trend => {
                let mut distribution = Distribution::default();
                distribution.record(value);
                CustomValues::Trend(distribution)
            }
        }
    }

    fn record(&mut self, value: f64) {
        match self {
            // The one kind whose values are many: no distribution is made for a single value.
            CustomValues::Trend(distribution) => distribution.record(value),
            CustomValues::Counter(_) => self.merge(&CustomValues::of(MetricKind::Counter, value)),
            CustomValues::Gauge { .. } => self.merge(&CustomValues::of(MetricKind::Gauge, value)),
            CustomValues::Rate { .. } => self.merge(&CustomValues::of(MetricKind::Rate, value)),
        }
    }

    /// Whether its parts fit together.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            CustomValues::Trend(distribution) => distribution.is_sound(),
            CustomValues::Counter(_) | CustomValues::Gauge { .. } | CustomValues::Rate { .. } => true,
        }
    }

    /// Adds later or other values of the same key.
    pub(crate) fn merge(&mut self, other: &CustomValues) {
        match (self, other) {
            (CustomValues::Counter(sum), CustomValues::Counter(more)) => *sum += more,
            (
                CustomValues::Gauge { last, at, min, max },
                CustomValues::Gauge { last: l, at: a, min: n, max: m },
            ) => {
                // Of two threads, the one that set it later.
                if a >= at {
                    (*last, *at) = (*l, *a);
                }
                *min = min.min(*n);
                *max = max.max(*m);
            }
            (CustomValues::Rate { passes, fails }, CustomValues::Rate { passes: p, fails: f }) => {
                *passes = passes.saturating_add(*p);
                *fails = fails.saturating_add(*f);
            }
            (CustomValues::Trend(distribution), CustomValues::Trend(more)) => distribution.merge(more),
            // A key has one kind.
            (_, _) => {}
        }
    }

    fn figures(&self, elapsed_s: f64) -> Option<CustomFigures> {
        Some(match self {
            CustomValues::Counter(count) => {
                let rate = if elapsed_s > 0.0 { count / elapsed_s } else { 0.0 };
                CustomFigures::Counter { count: *count, rate }
            }
            CustomValues::Gauge { last, min, max, .. } => {
                CustomFigures::Gauge { value: *last, avg: None, min: *min, max: *max }
            }
            CustomValues::Rate { passes, fails } => CustomFigures::Rate { passes: *passes, fails: *fails },
            CustomValues::Trend(distribution) => CustomFigures::Trend(distribution.summary()?),
        })
    }
}

/// A script's own metric in a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CustomStats {
    /// Its name.
    pub name: Arc<str>,
    /// Whether its values are milliseconds.
    pub is_time: bool,
    /// Key and value of the tag whose values these are; `None` is all of them.
    pub tag: Option<(Arc<str>, Arc<str>)>,
    /// What its values add up to.
    pub figures: CustomFigures,
}

/// What the values of a metric add up to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CustomFigures {
    /// The sum, and the sum per second of the run.
    Counter {
        /// Sum of the values.
        count: f64,
        /// Sum per second.
        rate: f64,
    },
    /// The last value, the smallest and the largest.
    Gauge {
        /// The last one.
        value: f64,
        /// The mean of a state that is looked at once a second.
        #[serde(default)]
        avg: Option<f64>,
        /// The smallest one.
        min: f64,
        /// The largest one.
        max: f64,
    },
    /// How often it was true and false.
    Rate {
        /// Times it was true.
        passes: u64,
        /// Times it was not.
        fails: u64,
    },
    /// The distribution.
    Trend(DistributionSummary),
}

/// The metrics of a worker thread.
#[derive(Debug, Default)]
pub(crate) struct CustomRecorder {
    metrics: Vec<Metric>,
    /// Values by tag that exist, in all metrics.
    tags: usize,
    folded: bool,
    /// What a threshold asks for, so that it is told apart however late it comes.
    kept: Vec<Box<str>>,
}

#[derive(Debug)]
struct Metric {
    key: CustomKey,
    values: Option<CustomValues>,
    by_tag: Vec<(CustomKey, Option<CustomValues>)>,
}

impl CustomRecorder {
    /// Tells the metric of this name apart beyond the cap too.
    pub(crate) fn keep(&mut self, name: &str) {
        self.kept.push(name.into());
    }

    /// The metric of this name, a new one when it is named for the first time; an error in words when the
    /// name has another kind.
    pub(crate) fn metric(&mut self, name: &str, kind: MetricKind, is_time: bool) -> Result<CustomId, String> {
        if let Some(index) = self.metrics.iter().position(|metric| *metric.key.name == *name) {
            let known = &self.metrics[index].key;
            if known.kind != kind {
                return Err(format!(
                    "the metric '{name}' is already a {} and cannot be a {kind}",
                    known.kind
                ));
            }
            if known.is_time != is_time {
                return Err(format!(
                    "the trend '{name}' is declared both with and without times; use the same declaration \
                     everywhere"
                ));
            }
            return Ok(CustomId(index));
        }
        if self.metrics.len() >= METRIC_CAP && !self.kept.iter().any(|kept| **kept == *name) {
            self.folded = true;
            return Ok(self.other(kind, is_time));
        }
        Ok(self.add(name, kind, is_time))
    }

    /// Names, kinds, and whether the values are times.
    pub(crate) fn metrics(&self) -> Vec<(Arc<str>, MetricKind, bool)> {
        self.metrics.iter().map(|Metric { key, .. }| (key.name.clone(), key.kind, key.is_time)).collect()
    }

    pub(crate) fn name_and_kind(&self, id: CustomId) -> Option<(&str, MetricKind)> {
        self.metrics.get(id.0).map(|metric| (&*metric.key.name, metric.key.kind))
    }

    /// Name, kind, and whether the values are times.
    pub(crate) fn metric_of(&self, id: CustomId) -> Option<(Arc<str>, MetricKind, bool)> {
        let Metric { key, .. } = self.metrics.get(id.0)?;
        Some((key.name.clone(), key.kind, key.is_time))
    }

    /// Where the metrics beyond the cap are counted: sums of a kind, not of a name.
    fn other(&mut self, kind: MetricKind, is_time: bool) -> CustomId {
        let found = self.metrics.iter().position(|metric| {
            let key = &metric.key;
            *key.name == *OTHER && key.kind == kind && key.is_time == is_time
        });
        found.map_or_else(|| self.add(OTHER, kind, is_time), CustomId)
    }

    fn add(&mut self, name: &str, kind: MetricKind, is_time: bool) -> CustomId {
        let key = CustomKey { name: name.into(), kind, is_time, tag: None };
        self.metrics.push(Metric { key, values: None, by_tag: Vec::new() });
        CustomId(self.metrics.len() - 1)
    }

    /// Counts a value under its metric and under each of the tags; an error in words when it is no value
    /// that the metric can take.
    pub(crate) fn record(
        &mut self,
        id: CustomId,
        value: f64,
        tags: &[(String, String)],
    ) -> Result<(), String> {
        let Some(metric) = self.metrics.get_mut(id.0) else { return Ok(()) };
        check(&metric.key, value)?;
        add(&mut metric.values, metric.key.kind, value);
        for (key, text) in tags {
            let found = metric.by_tag.iter().position(|(known, _)| is_tag(known, key, text));
            let index = match found {
                Some(index) => index,
                None => {
                    let is_full = self.tags >= TAG_CAP;
                    self.folded |= is_full;
                    let text = if is_full { OTHER } else { text };
                    match metric.by_tag.iter().position(|(known, _)| is_tag(known, key, text)) {
                        Some(index) => index,
                        // Even keys could be made up without end.
                        None if self.tags >= 2 * TAG_CAP => continue,
                        None => {
                            let tag = Some((key.as_str().into(), text.into()));
                            metric.by_tag.push((CustomKey { tag, ..metric.key.clone() }, None));
                            self.tags += 1;
                            metric.by_tag.len() - 1
                        }
                    }
                }
            };
            add(&mut metric.by_tag[index].1, metric.key.kind, value);
        }
        Ok(())
    }

    /// Moves everything counted since the last call out.
    pub(crate) fn take(&mut self) -> Vec<(CustomKey, CustomValues)> {
        let mut taken = Vec::new();
        for metric in &mut self.metrics {
            taken.extend(metric.values.take().map(|values| (metric.key.clone(), values)));
            for (key, values) in &mut metric.by_tag {
                taken.extend(values.take().map(|values| (key.clone(), values)));
            }
        }
        taken
    }

    /// Whether a cap has been reached.
    pub(crate) fn folded(&self) -> bool {
        self.folded
    }
}

fn is_tag(key: &CustomKey, name: &str, value: &str) -> bool {
    key.tag.as_ref().is_some_and(|(n, v)| **n == *name && **v == *value)
}

pub(super) fn add(values: &mut Option<CustomValues>, kind: MetricKind, value: f64) {
    match values {
        Some(values) => values.record(value),
        None => *values = Some(CustomValues::of(kind, value)),
    }
}

fn check(key: &CustomKey, value: f64) -> Result<(), String> {
    let name = &key.name;
    let in_range = match key.kind {
        MetricKind::Gauge | MetricKind::Rate => value.is_finite(),
        MetricKind::Counter => value.is_finite() && value >= 0.0,
        MetricKind::Trend => (0.0..=LARGEST).contains(&value),
    };
    if in_range {
        return Ok(());
    }
    Err(match key.kind {
        MetricKind::Trend => format!("the trend '{name}' takes values from 0 to 1e15, not {value}"),
        MetricKind::Counter => {
            format!("the counter '{name}' takes values of 0 or more, not {value}")
        }
        kind => format!("the {kind} '{name}' takes numbers, not {value}"),
    })
}

/// The metrics of a run, merged from its workers.
#[derive(Debug, Default)]
pub(crate) struct CustomTotals {
    /// In order of first appearance.
    totals: Vec<(CustomKey, CustomValues)>,
}

impl CustomTotals {
    /// Adds what a worker counted; true when there is more than one run shows: each worker has its own caps.
    /// `is_kept` says that a metric is told apart in any case.
    pub(crate) fn add(
        &mut self,
        values: Vec<(CustomKey, CustomValues)>,
        is_kept: impl Fn(&str) -> bool,
    ) -> bool {
        let mut folded = false;
        for (mut key, values) in values {
            if self.totals.len() >= TOTAL_CAP
                && !(key.tag.is_none() && is_kept(&key.name))
                && !self.totals.iter().any(|(known, _)| *known == key)
            {
                folded = true;
                match &mut key.tag {
                    // The metric has them all; even keys could be made up without end.
                    Some(_) if self.totals.len() >= 2 * TOTAL_CAP => continue,
                    Some((_, value)) => *value = OTHER.into(),
                    None => key.name = OTHER.into(),
                }
            }
            match self.totals.iter_mut().find(|(known, _)| *known == key) {
                Some((_, sum)) => sum.merge(&values),
                None => self.totals.push((key, values)),
            }
        }
        folded
    }

    /// Sorted by name; each metric is followed by its values by tag.
    pub(crate) fn stats(&self, elapsed_s: f64) -> Vec<CustomStats> {
        let mut sorted: Vec<_> = self.totals.iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        let stats = |(key, values): &(CustomKey, CustomValues)| {
            Some(CustomStats {
                name: key.name.clone(),
                is_time: key.is_time,
                tag: key.tag.clone(),
                figures: values.figures(elapsed_s)?,
            })
        };
        sorted.into_iter().filter_map(stats).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Vec<(String, String)> {
        vec![(key.to_owned(), value.to_owned())]
    }

    #[test]
    fn kinds_add_up_over_threads_and_intervals() {
        let mut totals = CustomTotals::default();
        for worker in 0..2 {
            let mut recorder = CustomRecorder::default();
            let counter = recorder.metric("orders", MetricKind::Counter, false).unwrap();
            let gauge = recorder.metric("queue", MetricKind::Gauge, false).unwrap();
            let rate = recorder.metric("hit", MetricKind::Rate, false).unwrap();
            let trend = recorder.metric("price", MetricKind::Trend, false).unwrap();
            for interval in 0..2 {
                let value = f64::from(worker * 2 + interval);
                recorder.record(counter, value, &tag("shop", "a")).unwrap();
                recorder.record(gauge, value, &[]).unwrap();
                recorder.record(rate, f64::from(interval), &[]).unwrap();
                recorder.record(trend, value, &[]).unwrap();
                totals.add(recorder.take(), |_| false);
            }
            assert!(recorder.take().is_empty());
        }
        let stats = totals.stats(2.0);
        let names: Vec<_> = stats.iter().map(|stats| (&*stats.name, stats.tag.is_some())).collect();
        assert_eq!(
            names,
            [("hit", false), ("orders", false), ("orders", true), ("price", false), ("queue", false)]
        );
        assert_eq!(stats[0].figures, CustomFigures::Rate { passes: 2, fails: 2 });
        assert_eq!(stats[1].figures, CustomFigures::Counter { count: 6.0, rate: 3.0 });
        assert_eq!(stats[2].figures, stats[1].figures);
        assert_eq!(stats[4].figures, CustomFigures::Gauge { value: 3.0, avg: None, min: 0.0, max: 3.0 });
        let CustomFigures::Trend(price) = stats[3].figures else { panic!("{stats:?}") };
        assert_eq!((price.count, price.avg, price.max), (4, 1.5, 3.0));
    }

    #[test]
    fn a_name_has_one_kind() {
        let mut recorder = CustomRecorder::default();
        let id = recorder.metric("a", MetricKind::Counter, false).unwrap();
        assert_eq!(recorder.metric("a", MetricKind::Counter, false), Ok(id));
        let error = recorder.metric("a", MetricKind::Rate, false).unwrap_err();
        assert_eq!(error, "the metric 'a' is already a counter and cannot be a rate");
        assert!(recorder.record(id, -1.0, &[]).unwrap_err().contains("0 or more"));
    }

    #[test]
    fn names_and_tags_without_end_take_no_memory_without_end() {
        let mut recorder = CustomRecorder::default();
        for i in 0..5_000 {
            let id = recorder.metric(&format!("m{i}"), MetricKind::Counter, false).unwrap();
            recorder.record(id, 1.0, &tag("user", &i.to_string())).unwrap();
            recorder.record(id, 1.0, &tag(&format!("key{i}"), "x")).unwrap();
        }
        assert!(recorder.folded());
        let taken = recorder.take();
        assert!(taken.len() <= METRIC_CAP + 1 + 2 * TAG_CAP, "{}", taken.len());
        let all: f64 = taken
            .iter()
            .filter(|(key, _)| key.tag.is_none())
            .map(|(_, values)| if let CustomValues::Counter(count) = values { *count } else { 0.0 })
            .sum();
        assert_eq!(all, 10_000.0, "nothing is lost");
    }
}
