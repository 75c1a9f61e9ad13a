//! Which task a virtual user runs next: at random, in order, or by a Markov chain. Pure but for the dice.

use rand::Rng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;

use crate::plan::{ScenarioPlan, TaskOrder};

/// The rule of a scenario, prepared so that a choice costs one random number.
pub(crate) enum NextTask {
    /// There is one task.
    Only,
    /// By weight.
    Weighted(WeightedIndex<u64>),
    /// So many, one after the other.
    Sequence(usize),
    /// The same, whatever fails.
    Each(usize),
    /// By task, what can follow it, with the weights.
    Markov { start: usize, next: Vec<(Vec<usize>, WeightedIndex<u64>)> },
}

/// The task a virtual user ran last, and whether it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) task: usize,
    pub(crate) failed: bool,
}

impl NextTask {
    pub(crate) fn of(plan: &ScenarioPlan) -> NextTask {
        match &plan.order {
            TaskOrder::Markov { start, next } => NextTask::Markov {
                start: *start,
                next: next
                    .iter()
                    .map(|targets| {
                        let weights = targets.iter().map(|&(_, weight)| weight);
                        (targets.iter().map(|&(task, _)| task).collect(), shares(weights))
                    })
                    .collect(),
            },
            _ if plan.tasks.len() == 1 => NextTask::Only,
            TaskOrder::Weighted => NextTask::Weighted(shares(plan.tasks.iter().map(|task| task.weight))),
            TaskOrder::Sequence => NextTask::Sequence(plan.tasks.len()),
            TaskOrder::Each => NextTask::Each(plan.tasks.len()),
        }
    }

    /// Index of the task that comes after `last`; `None` is before the first.
    pub(crate) fn choose(&self, last: Option<Last>, rng: &mut impl Rng) -> usize {
        match self {
            NextTask::Only => 0,
            NextTask::Weighted(weights) => weights.sample(rng),
            // A step that failed ends its pass: what follows would build on what did not happen.
            NextTask::Sequence(steps) => match last {
                Some(Last { task, failed: false }) if task + 1 < *steps => task + 1,
                _ => 0,
            },
            NextTask::Each(tasks) => last.map_or(0, |last| (last.task + 1) % tasks),
            NextTask::Markov { start, next } => match last {
                Some(Last { task, .. }) => {
                    let (targets, weights) = &next[task];
                    targets[weights.sample(rng)]
                }
                None => *start,
            },
        }
    }
}

fn shares(weights: impl Iterator<Item = u32>) -> WeightedIndex<u64> {
    // Sums of `u32` fit, and a plan whose weights are all 0 is refused (`TestPlan`).
    WeightedIndex::new(weights.map(u64::from)).expect("a valid plan has a weight above 0")
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::*;
    use crate::plan::TaskPlan;

    fn rule(order: TaskOrder, weights: &[u32]) -> NextTask {
        let tasks = weights.iter().map(|&weight| TaskPlan::new("f", weight)).collect();
        NextTask::of(&ScenarioPlan { order, ..ScenarioPlan::new("s", tasks) })
    }

    /// The tasks of so many iterations; those in `failing` fail.
    fn run(rule: &NextTask, iterations: usize, failing: &[usize]) -> Vec<usize> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut last = None;
        (0..iterations)
            .map(|iteration| {
                let task = rule.choose(last, &mut rng);
                last = Some(Last { task, failed: failing.contains(&iteration) });
                task
            })
            .collect()
    }

    #[test]
    fn a_sequence_begins_again_after_its_end_and_after_a_failure() {
        let rule = rule(TaskOrder::Sequence, &[1, 1, 1]);
        assert_eq!(run(&rule, 7, &[]), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(run(&rule, 6, &[1]), [0, 1, 0, 1, 2, 0]);
    }

    #[test]
    fn weights_decide_how_often() {
        let picked = run(&rule(TaskOrder::Weighted, &[3, 0, 1]), 10_000, &[]);
        let count = |task| picked.iter().filter(|&&other| other == task).count();
        assert!((7_300..7_700).contains(&count(0)), "{}", count(0));
        assert_eq!(count(1), 0);
    }

    #[test]
    fn a_chain_follows_its_transitions_whatever_fails() {
        let next = vec![vec![(1, 3), (2, 1)], vec![(0, 1)], vec![(0, 1)]];
        let ran = run(&rule(TaskOrder::Markov { start: 1, next }, &[1, 1, 1]), 10_001, &[2, 3, 4]);
        assert_eq!(ran[..2], [1, 0], "it begins at its start");
        assert!(ran.windows(2).all(|pair| (pair[0] == 0) != (pair[1] == 0)), "0 and not 0 by turns");
        let twos = ran.iter().filter(|&&task| task == 2).count();
        assert!((1_150..1_350).contains(&twos), "{twos} of 5000");
    }
}
