//! Checks by the group of the script (`group`) that they were made in, and the groups there are.
//!
//! Invariants: bounded, whatever names a script makes up; a check is counted in one group, so all groups together have
//! as many as there were checks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::groups::{CheckCount, GROUP_CAP};
use super::series::OTHER;

/// How many checks of all groups together are kept apart.
const MOST_CHECKS: usize = 4 * GROUP_CAP;

/// The group of the rest.
const OTHER_PATH: &str = "::(other)";

/// A group of the script, with the checks made in it but not in a group inside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CheckGroup {
    /// `::outer::inner`; empty for what is in no group.
    pub path: Arc<str>,
    /// The checks by name, in order of first appearance.
    pub checks: Vec<(Arc<str>, CheckCount)>,
}

/// See the module's description. In order of first appearance.
#[derive(Debug, Default)]
pub(super) struct CheckGroups {
    groups: Vec<CheckGroup>,
    /// Checks of all of them.
    checks: usize,
    /// How many groups were taken at least once.
    told: usize,
    /// There were more than are kept apart.
    pub(super) folded: bool,
}

impl CheckGroups {
    /// The groups so far.
    pub(super) fn all(&self) -> &[CheckGroup] {
        &self.groups
    }

    /// There is such a group, with checks or without.
    pub(super) fn enter(&mut self, path: &str) {
        self.index(path);
    }

    /// Counts a check of a group.
    pub(super) fn add(&mut self, path: &str, name: &str, count: CheckCount) {
        let index = self.index(path);
        let group = &mut self.groups[index];
        let known = |name: &str| group.checks.iter().position(|(known, _)| **known == *name);
        let check = known(name).or_else(|| {
            if group.checks.len() < GROUP_CAP && self.checks < MOST_CHECKS {
                return None;
            }
            self.folded = true;
            known(OTHER)
        });
        let check = check.unwrap_or_else(|| {
            let has_room = group.checks.len() < GROUP_CAP && self.checks < MOST_CHECKS;
            let name = if has_room { name } else { OTHER };
            group.checks.push((name.into(), CheckCount::default()));
            self.checks += 1;
            group.checks.len() - 1
        });
        let sum = &mut group.checks[check].1;
        sum.passes = sum.passes.saturating_add(count.passes);
        sum.fails = sum.fails.saturating_add(count.fails);
    }

    fn index(&mut self, path: &str) -> usize {
        let known = |groups: &[CheckGroup], path: &str| groups.iter().position(|group| *group.path == *path);
        if let Some(index) = known(&self.groups, path) {
            return index;
        }
        let path = if self.groups.len() < GROUP_CAP {
            path
        } else {
            self.folded = true;
            OTHER_PATH
        };
        known(&self.groups, path).unwrap_or_else(|| {
            self.groups.push(CheckGroup { path: path.into(), checks: Vec::new() });
            self.groups.len() - 1
        })
    }

    /// Moves out what was counted since the last call, and groups that are new. Names stay, so that one run has one order.
    pub(super) fn take(&mut self) -> Vec<CheckGroup> {
        let told = std::mem::replace(&mut self.told, self.groups.len());
        let mut taken = Vec::new();
        for (index, group) in self.groups.iter_mut().enumerate() {
            let counted = group.checks.iter_mut().filter(|(_, count)| *count != CheckCount::default());
            let checks: Vec<_> = counted.map(|(name, count)| (name.clone(), std::mem::take(count))).collect();
            if index >= told || !checks.is_empty() {
                taken.push(CheckGroup { path: group.path.clone(), checks });
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: CheckCount = CheckCount { passes: 1, fails: 0 };

    fn sum(groups: &[CheckGroup]) -> u64 {
        groups.iter().flat_map(|group| &group.checks).map(|(_, count)| count.passes).sum()
    }

    #[test]
    fn a_group_is_told_once_and_a_count_is_taken_once() {
        let mut groups = CheckGroups::default();
        groups.add("", "a", PASSED);
        groups.enter("::empty");
        let taken = groups.take();
        assert_eq!(taken.iter().map(|group| &*group.path).collect::<Vec<_>>(), ["", "::empty"]);
        groups.enter("::empty");
        assert!(groups.take().is_empty());
        groups.add("::empty", "a", PASSED);
        groups.add("::empty", "a", PASSED);
        let taken = groups.take();
        assert_eq!(
            taken,
            [CheckGroup {
                path: "::empty".into(),
                checks: vec![("a".into(), CheckCount { passes: 2, fails: 0 })]
            }]
        );
    }

    #[test]
    fn names_without_end_are_counted_together_and_none_is_lost() {
        let (mut by_name, mut by_group, mut by_both) =
            (CheckGroups::default(), CheckGroups::default(), CheckGroups::default());
        let many = 3 * GROUP_CAP;
        for index in 0..many {
            by_name.add("", &format!("check {index}"), PASSED);
            by_group.add(&format!("::group {index}"), "check", PASSED);
            for inner in 0..4 {
                by_both.add(&format!("::group {}", index % 400), &format!("check {index} {inner}"), PASSED);
            }
        }
        assert!(by_name.folded && by_group.folded && by_both.folded);
        assert_eq!(by_name.all()[0].checks.len(), GROUP_CAP + 1);
        assert_eq!(by_group.all().len(), GROUP_CAP + 1);
        let pairs: usize = by_both.all().iter().map(|group| group.checks.len()).sum();
        assert!(pairs <= MOST_CHECKS + GROUP_CAP + 1, "{pairs}");
        assert_eq!((sum(by_name.all()), sum(by_group.all())), (many as u64, many as u64));
        assert_eq!(sum(by_both.all()), 4 * many as u64);
        let few = CheckGroups::default();
        assert!(!few.folded);
    }
}
