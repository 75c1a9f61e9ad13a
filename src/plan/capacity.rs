//! A search for the highest rate at which a limit still holds: what is asked for, and which rate comes next. Pure.
//!
//! The rate doubles until the limit breaks, then the stretch between the highest rate that held and the lowest that did
//! not is halved until it is narrow. Invariant: no rate is tried twice, none is outside of what was asked for.

use std::time::Duration;

/// A twentieth of the rate is as near as a step of some seconds can tell.
const NARROW: f64 = 0.05;

/// By which the rate is raised while it holds.
const RAISE: f64 = 2.0;

/// What is searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityPlan {
    /// The limit that has to hold, as a threshold is written.
    pub limit: String,
    /// The first rate, iterations per second.
    pub min_rate: f64,
    /// No rate above this one is tried.
    pub max_rate: f64,
    /// How long each rate is judged.
    pub step_time: Duration,
}

impl CapacityPlan {
    /// A search for a limit, with the usual rates and times.
    pub fn new(limit: impl Into<String>) -> CapacityPlan {
        CapacityPlan {
            limit: limit.into(),
            min_rate: 10.0,
            max_rate: 100_000.0,
            step_time: Duration::from_secs(10),
        }
    }

    /// Time that a rate is given before it is judged.
    pub fn settle_time(&self) -> Duration {
        (self.step_time / 5).clamp(Duration::from_secs(1), Duration::from_secs(5))
    }

    /// The limit as a threshold over the time of a step.
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
                "step_time is {}: a rate cannot be judged in less than 2 s",
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
                    "find_capacity: '{}' has '{word}': each rate is judged over its own step, so it is left out here",
                    self.limit.trim()
                ));
            }
        }
        problems
    }
}

/// Where a search stands.
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

    /// The rate that is tried.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// The highest rate that held.
    pub(crate) fn best(&self) -> Option<f64> {
        self.held
    }

    /// The rate that was tried held or not; gives the next one, or `None` when the search is over.
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
