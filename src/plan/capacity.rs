//! A search for the highest rate at which a threshold is still met: its settings, and which rate comes next.
//! Pure.
//!
//! The rate doubles until the threshold is breached; then the interval between the highest rate that met it and
//! the lowest that did not is halved until it is narrow. Invariant: no rate is tried twice, and none is outside
//! the requested range.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A step of a few seconds cannot resolve less than a twentieth of the rate.
const NARROW: f64 = 0.05;

/// The factor by which the rate grows while the threshold is met.
const RAISE: f64 = 2.0;

/// The settings of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityPlan {
    /// The threshold to meet, in the usual syntax.
    pub limit: String,
    /// The first rate, iterations per second.
    pub min_rate: f64,
    /// Highest rate to try.
    pub max_rate: f64,
    /// How long each rate is measured.
    pub step_time: Duration,
}

impl CapacityPlan {
    /// A search for a threshold, with the default rates and times.
    pub fn new(limit: impl Into<String>) -> CapacityPlan {
        CapacityPlan {
            limit: limit.into(),
            min_rate: 10.0,
            max_rate: 100_000.0,
            step_time: Duration::from_secs(10),
        }
    }

    /// Time that a rate gets to settle before it is measured.
    pub fn settle_time(&self) -> Duration {
        (self.step_time / 5).clamp(Duration::from_secs(1), Duration::from_secs(5))
    }

    /// The threshold over the time of a step.
    pub(crate) fn threshold(&self) -> String {
        format!("{} over {}", self.limit.trim(), crate::text::format_duration(self.step_time))
    }

    /// Everything that is wrong with it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let CapacityPlan { min_rate, max_rate, step_time, .. } = self;
        if !(min_rate.is_finite() && *min_rate > 0.0) {
            problems.push(format!("min_rate is {min_rate}; it must be above 0"));
        }
        if max_rate < min_rate {
            problems.push(format!("max_rate ({max_rate}/s) is below min_rate ({min_rate}/s)"));
        }
        if *step_time < Duration::from_secs(2) {
            problems.push(format!(
                "step_time is {}: a rate cannot be measured in less than 2 s",
                crate::text::format_duration(*step_time)
            ));
        }
        if step_time.subsec_nanos() != 0 {
            problems.push("step_time must be whole seconds".to_owned());
        }
        let words = |word: &str| self.limit.split_whitespace().any(|part| part == word);
        for word in ["over", "in", "abort"] {
            if words(word) {
                problems.push(format!(
                    "find_capacity: remove '{word}' from '{}': each rate is judged over its own step",
                    self.limit.trim()
                ));
            }
        }
        problems
    }
}

/// The state of a search.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    max: f64,
    held: Option<f64>,
    broke: Option<f64>,
    rate: f64,
}

impl Search {
    pub(crate) fn new(plan: &CapacityPlan) -> Search {
        Search { max: plan.max_rate, held: None, broke: None, rate: plan.min_rate }
    }

    /// The rate being tried.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// The highest rate that met the threshold.
    pub(crate) fn best(&self) -> Option<f64> {
        self.held
    }

    /// Takes whether the rate met the threshold; returns the next one, or `None` when the search is over.
    pub(crate) fn judged(&mut self, held: bool) -> Option<f64> {
        if held {
            self.held = Some(self.rate);
        } else {
            self.broke = Some(self.rate);
        }
        let next = match (self.held, self.broke) {
            (Some(held), None) => rounded((held * RAISE).min(self.max)),
            (Some(held), Some(broke)) if broke - held > broke * NARROW => rounded((held + broke) / 2.0),
            _ => return None,
        };
        let is_new = self.held.is_none_or(|held| next > held) && self.broke.is_none_or(|broke| next < broke);
        self.rate = if is_new { next } else { return None };
        Some(self.rate)
    }
}

/// To three significant digits: nobody needs 1,437.5 per second.
fn rounded(rate: f64) -> f64 {
    let unit = 10_f64.powf(rate.log10().floor() - 2.0);
    (rate / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates that are tried when everything up to `capacity` holds, and what comes out.
    fn search(capacity: f64, min: f64, max: f64) -> (Vec<f64>, Option<f64>) {
        let plan = CapacityPlan { min_rate: min, max_rate: max, ..CapacityPlan::new("x: p(95) < 1") };
        let mut search = Search::new(&plan);
        let mut tried = vec![search.rate()];
        while let Some(rate) = search.judged(search.rate() <= capacity) {
            tried.push(rate);
            assert!(tried.len() < 100, "it ends: {tried:?}");
        }
        (tried, search.best())
    }

    #[test]
    fn it_narrows_to_a_twentieth_from_below() {
        let (tried, best) = search(137.0, 10.0, 10_000.0);
        assert_eq!(tried, [10.0, 20.0, 40.0, 80.0, 160.0, 120.0, 140.0, 130.0, 135.0]);
        assert_eq!(best, Some(135.0));
        for capacity in [11.0, 57.3, 999.0, 4_321.0, 77_777.0] {
            let best = search(capacity, 10.0, 100_000.0).1.unwrap();
            assert!(best <= capacity && best > capacity * 0.94, "{best} of {capacity}");
        }
    }

    #[test]
    fn its_ends_are_ends() {
        assert_eq!(search(5.0, 10.0, 100.0), (vec![10.0], None), "the first rate is too high");
        assert_eq!(search(1e9, 10.0, 70.0), (vec![10.0, 20.0, 40.0, 70.0], Some(70.0)));
        assert_eq!(search(1e9, 50.0, 50.0), (vec![50.0], Some(50.0)));
    }

    #[test]
    fn small_rates_are_told_apart_too() {
        let (_, best) = search(0.73, 0.1, 100.0);
        assert!((0.69..=0.73).contains(&best.unwrap()), "{best:?}");
    }

    #[test]
    fn everything_wrong_is_said() {
        let wrong = CapacityPlan {
            limit: "http_req_duration: p(95) < 1s over 30s abort".into(),
            min_rate: 50.0,
            max_rate: 10.0,
            step_time: Duration::from_millis(1_500),
        };
        let problems = wrong.problems();
        assert_eq!(problems.len(), 5, "{problems:#?}");
        assert!(CapacityPlan::new("http_resp_time: p(95) < 200ms").problems().is_empty());
    }
}
