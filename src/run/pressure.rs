//! What an open load needed and did not get: the message when `max_vus` is met, and the sentence at the end.

use std::collections::BTreeMap;

use super::lanes::OpenLoad;
use crate::metrics::Snapshot;
use crate::plan::{Late, TestPlan};
use crate::text::format::plural;
use crate::text::format_count;

/// The loads that met their limit of users.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    lanes: BTreeMap<usize, Met>,
}

#[derive(Debug)]
struct Met {
    scenario: usize,
    most_vus: u64,
    late: Late,
    /// Iterations per second, at most.
    peak_rate: f64,
    /// Iterations that were due and waited, at most.
    most_backlog: u64,
}

impl Pressure {
    /// A load met its limit; what is said of it the first time. Of several processes, each says it of its part.
    pub(super) fn limit_met(&mut self, lane: usize, load: &OpenLoad, scenario: &str) -> Option<String> {
        let is_known = self.lanes.contains_key(&lane);
        self.lanes.entry(lane).or_insert(Met {
            scenario: load.scenario,
            most_vus: load.most_vus,
            late: load.late,
            peak_rate: 0.0,
            most_backlog: 0,
        });
        self.look(lane, load);
        if is_known {
            return None;
        }
        let consequence = match load.late {
            Late::Queue => {
                "iterations that are due wait until one is free, which counts in their response time"
            }
            Late::Drop => "iterations that are due are dropped until one is free",
        };
        Some(format!(
            "scenario '{scenario}': all {} virtual users (max_vus) are busy at {} iterations/s; {consequence}",
            format_count(load.most_vus),
            rounded(load.rate)
        ))
    }

    /// How such a load does now.
    pub(super) fn look(&mut self, lane: usize, load: &OpenLoad) {
        if let Some(met) = self.lanes.get_mut(&lane) {
            met.peak_rate = met.peak_rate.max(load.rate);
            met.most_backlog = met.most_backlog.max(load.backlog);
        }
    }

    /// By scenario, what its limit cost and how many users would have held its rate. By Little's law these are
    /// the rate times the time of an iteration, of the longest one because the rate was to be held then too; but
    /// no more than those that there were and the iterations that waited for another.
    pub(super) fn at_the_end(&self, snapshot: &Snapshot, plan: &TestPlan) -> Vec<(String, String)> {
        let sentence = |met: &Met| {
            let name = &plan.scenarios[met.scenario].name;
            let stats = snapshot.scenarios.iter().find(|stats| *stats.name == **name)?.iterations;
            let (cost, unserved) = match met.late {
                Late::Queue => (
                    format!("up to {} waited for a free one", plural(met.most_backlog, "due iteration")),
                    met.most_backlog,
                ),
                Late::Drop => {
                    let was = if stats.dropped == 1 { "was" } else { "were" };
                    (format!("{} {was} dropped", plural(stats.dropped, "iteration")), stats.dropped)
                }
            };
            let advice = match stats.duration {
                Some(duration) => {
                    let longest = duration.max_us as f64 / 1e6;
                    let needed = (met.peak_rate * longest).ceil() as u64;
                    let needed =
                        needed.clamp(met.most_vus + 1, (met.most_vus + unserved).max(met.most_vus + 1));
                    let needed = format_count(needed);
                    format!(
                        "about {needed} would have held the rate ({}/s, iterations of up to {} s)",
                        rounded(met.peak_rate),
                        rounded(longest)
                    )
                }
                None => "no iteration came to its end, so nobody can say how many would have been enough"
                    .to_owned(),
            };
            let was = if met.most_vus == 1 { "was" } else { "were" };
            let most = plural(met.most_vus, "virtual user");
            let text = format!("{most} (max_vus) {was} too few: {cost}; {advice}");
            Some((name.clone(), text))
        };
        self.lanes.values().filter_map(sentence).collect()
    }
}

/// A number with three significant digits at most.
fn rounded(number: f64) -> String {
    if number >= 100.0 {
        return format!("{number:.0}");
    }
    let digits = if number >= 10.0 { 1 } else { 2 };
    let text = format!("{number:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([200.0, 12.5, 3.0, 0.05, 1234.5].map(rounded), ["200", "12.5", "3", "0.05", "1234"]);
    }
}
