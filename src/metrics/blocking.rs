//! What kept worker threads from their other virtual users, and when the process did not run at all.
//!
//! Pure data. Owns the bound on what is kept. Leaves watching to the run.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How many functions are told apart, and how many stops of the process are kept.
const MOST: usize = 50;

/// A block that is kept with its time.
const LONG: Duration = Duration::from_secs(1);

/// See the module's description.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BlockingStats {
    /// How often a worker thread was blocked for more than a tenth of a second.
    pub count: u64,
    /// The longest of these times.
    pub longest: Duration,
    /// By script function, the one with the longest time first; at most fifty.
    pub functions: Vec<BlockedFunction>,
    /// Worker threads that did not answer any more when the run ended: what they counted since their last answer is missing.
    pub lost_workers: Vec<LostWorker>,
    /// When the whole process did not run; at most fifty times.
    pub standstills: Vec<BlockedSpan>,
    /// When a worker thread was blocked for a second and more; at most fifty times.
    pub long_blocks: Vec<BlockedSpan>,
}

/// A script function that blocked its worker thread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BlockedFunction {
    /// What was called, as text; empty when the thread was blocked outside of scripts.
    pub function: String,
    /// How often.
    pub count: u64,
    /// The longest time.
    pub longest: Duration,
    /// The agent of that one, in a distributed run.
    pub agent: Option<Arc<str>>,
    /// Its worker thread, from 0; of an agent, among those of the agent.
    pub worker: usize,
    /// Its virtual user.
    pub vu: u64,
    /// When it began, as time since the start of the load.
    pub at: Duration,
}

/// A worker thread that did not answer any more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct LostWorker {
    /// Its number, from 0.
    pub worker: usize,
    /// How long it had not answered at the end of the run.
    pub silent_for: Duration,
    /// The virtual user whose script it ran; `None` when it ran none.
    pub vu: Option<u64>,
    /// What was called; empty when it ran no script.
    pub function: String,
}

/// A time in which the process, or one of its worker threads, did not go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct BlockedSpan {
    /// Whose it was, in a distributed run.
    pub agent: Option<Arc<str>>,
    /// When it began, as time since the start of the load.
    pub at: Duration,
    /// How long it was.
    pub length: Duration,
}

impl BlockingStats {
    /// Counts a time in which a thread was blocked.
    pub(crate) fn blocked(&mut self, one: BlockedFunction) {
        self.count += one.count;
        self.longest = self.longest.max(one.longest);
        if one.longest >= LONG && self.long_blocks.len() < MOST {
            let agent = one.agent.clone();
            self.long_blocks.push(BlockedSpan { agent, at: one.at, length: one.longest });
        }
        self.add_function(one);
    }

    fn add_function(&mut self, one: BlockedFunction) {
        match self.functions.iter().position(|known| known.function == one.function) {
            Some(index) => {
                let known = &mut self.functions[index];
                let count = known.count + one.count;
                if one.longest > known.longest {
                    *known = one;
                }
                known.count = count;
            }
            None if self.functions.len() < MOST => self.functions.push(one),
            None => {}
        }
        self.functions.sort_by_key(|function| std::cmp::Reverse(function.longest));
    }

    /// Adds what an agent has told of itself.
    #[cfg(feature = "cluster")]
    pub(crate) fn add_agent(&mut self, name: &Arc<str>, stats: &BlockingStats) {
        let agent = Some(name.clone());
        self.count += stats.count;
        self.longest = self.longest.max(stats.longest);
        for function in &stats.functions {
            self.add_function(BlockedFunction { agent: agent.clone(), ..function.clone() });
        }
        for (all, its) in
            [(&mut self.long_blocks, &stats.long_blocks), (&mut self.standstills, &stats.standstills)]
        {
            let room = MOST.saturating_sub(all.len());
            all.extend(
                its.iter().take(room).map(|span| BlockedSpan { agent: agent.clone(), ..span.clone() }),
            );
        }
    }

    /// Notes that the process did not run.
    pub(crate) fn stood_still(&mut self, one: BlockedSpan) {
        if self.standstills.len() < MOST {
            self.standstills.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_counted_by_name_and_the_longest_time_is_kept_whole() {
        let one = |function: &str, ms, vu| BlockedFunction {
            function: function.to_owned(),
            count: 1,
            longest: Duration::from_millis(ms),
            agent: None,
            worker: 1,
            vu,
            at: Duration::from_secs(vu),
        };
        let mut stats = BlockingStats::default();
        for (function, ms, vu) in [("'a'", 200, 1), ("'b'", 300, 2), ("'a'", 900, 3), ("'a'", 100, 4)] {
            stats.blocked(one(function, ms, vu));
        }
        assert_eq!((stats.count, stats.longest), (4, Duration::from_millis(900)));
        let kept: Vec<_> = stats.functions.iter().map(|f| (f.function.as_str(), f.count, f.vu)).collect();
        assert_eq!(kept, [("'a'", 3, 3), ("'b'", 1, 2)]);
        for index in 0..1_000 {
            stats.blocked(one(&format!("'f{index}'"), 100, 1));
        }
        assert_eq!((stats.count, stats.functions.len()), (1_004, MOST));
    }

    #[test]
    fn what_agents_tell_is_added_up_and_the_longest_time_names_its_agent() {
        let of = |ms: u64, standstills| {
            let mut stats = BlockingStats::default();
            let longest = Duration::from_millis(ms);
            stats.blocked(BlockedFunction {
                function: "'a'".to_owned(),
                count: 1,
                longest,
                ..Default::default()
            });
            stats.standstills = vec![BlockedSpan::default(); standstills];
            stats
        };
        let mut all = BlockingStats::default();
        for (name, stats) in [("a1", of(300, 1)), ("a2", of(1_500, 0)), ("a3", of(200, 2))] {
            all.add_agent(&Arc::from(name), &stats);
        }
        assert_eq!((all.count, all.longest.as_millis(), all.functions.len()), (3, 1_500, 1));
        assert_eq!((all.functions[0].agent.as_deref(), all.functions[0].count), (Some("a2"), 3));
        assert_eq!(
            all.long_blocks.iter().map(|span| span.agent.as_deref()).collect::<Vec<_>>(),
            [Some("a2")]
        );
        assert_eq!(all.standstills.iter().filter(|span| span.agent.as_deref() == Some("a3")).count(), 2);
    }
}
