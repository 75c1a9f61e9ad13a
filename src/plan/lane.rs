//! Lanes: the schedule of a run. A lane is one executor with the scenarios it runs. Pure.
//!
//! Owns which scenarios share a lane, the order in which lanes start, and the numbering of their virtual users.
//! Invariant: `after` never forms a cycle.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::executor::Executor;
use super::scenario::ScenarioPlan;

/// Name of the lane of scenarios without their own executor.
pub const MIX: &str = "users";

/// One executor and its scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanePlan {
    /// Name of its scenario, or [`MIX`].
    pub name: String,
    /// How its iterations are started.
    pub executor: Executor,
    /// It has the users that scenarios without an executor of their own share; a scenario may have its name.
    pub is_mix: bool,
    /// Its scenarios, as indices into those of the plan; only the lane of the mix has several.
    pub scenarios: Vec<usize>,
    /// If several lanes share one rate, this lane's part of the iterations; `None` is all.
    pub share: Option<RateShare>,
    /// It runs the iterations of one scenario of the mix if its shape returns a rate instead of users.
    pub is_part_of_shape: bool,
    /// Lanes of the same group share one maximum number of virtual users.
    pub group: usize,
    /// Delay of its start, after the start of the run or the end of `after`.
    pub start_time: Duration,
    /// The lane that must end first.
    pub after: Option<usize>,
    /// Number of its first virtual user; the first user of a run is number 1.
    pub first_vu: u64,
}

impl LanePlan {
    /// The turn of its first user, where things are dealt in turn: lanes go on from one another, so that those with few users
    /// do not all begin with the same one.
    pub(crate) fn first_turn(&self) -> u64 {
        self.first_vu.saturating_sub(1)
    }
}

/// A part of the iterations of a rate: of each `period` iterations, those at `offsets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateShare {
    /// Length of the pattern.
    pub period: u64,
    /// Positions in the pattern, ascending; at least one.
    pub offsets: Vec<u64>,
}

impl RateShare {
    /// The iteration of the rate that corresponds to iteration `index` of the share.
    pub fn global(&self, index: u64) -> u64 {
        let each = self.offsets.len() as u64;
        (index / each) * self.period + self.offsets[(index % each) as usize]
    }

    /// How many of the first `count` iterations of the rate are in the share.
    pub fn count(&self, count: u64) -> u64 {
        let rest = count % self.period;
        let begun = self.offsets.iter().filter(|&&offset| offset < rest).count() as u64;
        (count / self.period) * self.offsets.len() as u64 + begun
    }
}

/// Longest pattern for distributing a rate over scenarios: weights are exact to a thousandth.
const LONGEST_PATTERN: usize = 1_000;

/// How the iterations of one rate are distributed over scenarios with these weights: the share of each scenario,
/// `None` for a weight of 0.
pub(super) fn rate_shares(scenarios: &[&ScenarioPlan]) -> Vec<Option<RateShare>> {
    use super::mix::{Share, deal};
    let shares: Vec<Share> = scenarios
        .iter()
        .map(|scenario| Share { name: scenario.name.clone(), weight: scenario.weight, fixed_count: None })
        .collect();
    let period = pattern_length(&shares.iter().map(|share| share.weight).collect::<Vec<_>>());
    let dealt = deal(&shares, period as u64);
    (0..shares.len())
        .map(|index| {
            let places = dealt.iter().enumerate().filter(|(_, scenario)| **scenario == index);
            let offsets: Vec<u64> = places.map(|(place, _)| place as u64).collect();
            (!offsets.is_empty()).then_some(RateShare { period: dealt.len() as u64, offsets })
        })
        .collect()
}

/// The shortest pattern in which every weight has a whole number of positions, or the longest allowed.
fn pattern_length(weights: &[f64]) -> usize {
    let sum: f64 = weights.iter().sum();
    let fits = |length: &usize| {
        weights.iter().all(|weight| {
            let places = weight / sum * *length as f64;
            (places - places.round()).abs() < 1e-6
        })
    };
    (1..=LONGEST_PATTERN).find(fits).unwrap_or(LONGEST_PATTERN)
}

/// The cycle that the scenarios' `after` keys form, if any: names, with the first one repeated at the end.
pub fn circle(after: &[(&str, Option<&str>)]) -> Option<Vec<String>> {
    for (start, _) in after {
        let mut path = vec![(*start).to_owned()];
        let mut at = *start;
        while let Some((_, Some(next))) = after.iter().find(|(name, _)| *name == at) {
            path.push((*next).to_owned());
            if next == start {
                return Some(path);
            }
            // A cycle that does not contain the start is found from one of its own members.
            if path.len() > after.len() {
                break;
            }
            at = next;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::scenario::TaskPlan;
    use super::*;

    fn scenario(name: &str, weight: f64) -> ScenarioPlan {
        ScenarioPlan { weight, ..ScenarioPlan::new(name, vec![TaskPlan::new("f", 1)]) }
    }

    #[test]
    fn a_rate_is_dealt_by_weight_and_nothing_is_lost() {
        let (a, b, none) = (scenario("a", 3.0), scenario("b", 1.0), scenario("none", 0.0));
        let shares = rate_shares(&[&a, &b, &none]);
        assert_eq!(shares[2], None);
        let (a, b) = (shares[0].as_ref().unwrap(), shares[1].as_ref().unwrap());
        assert_eq!((a.period, a.offsets.len(), b.offsets.len()), (4, 3, 1));
        for count in 0..50 {
            assert_eq!(a.count(count) + b.count(count), count);
        }
        let mut all: Vec<u64> = (0..30).map(|i| a.global(i)).chain((0..10).map(|i| b.global(i))).collect();
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn odd_weights_are_met_to_a_thousandth() {
        let (a, b) = (scenario("a", 1.0), scenario("b", std::f64::consts::PI));
        let shares = rate_shares(&[&a, &b]);
        assert_eq!(shares[0].as_ref().unwrap().offsets.len(), 241);
    }

    #[test]
    fn circles_are_found() {
        assert_eq!(circle(&[("a", None), ("b", Some("a"))]), None);
        assert_eq!(circle(&[("a", Some("a"))]).unwrap(), ["a", "a"]);
        assert_eq!(circle(&[("x", Some("a")), ("a", Some("b")), ("b", Some("a"))]).unwrap(), ["a", "b", "a"]);
    }
}
