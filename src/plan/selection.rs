//! Task selection: inclusion and exclusion by tag. Pure.
//!
//! As in Locust: a task is included by any of its tags, exclusion wins, and a scenario without a task left
//! is not run.

use super::scenario::{ScenarioPlan, TaskOrder};

/// Keeps only the tasks that the tags select; returns warnings about tags without effect, or an error if no task
/// is left.
pub(super) fn select_by_tags(
    scenarios: &mut Vec<ScenarioPlan>,
    include: &[String],
    exclude: &[String],
) -> Result<Vec<String>, String> {
    if include.is_empty() && exclude.is_empty() {
        return Ok(Vec::new());
    }
    let mut known: Vec<String> =
        scenarios.iter().flat_map(|s| &s.tasks).flat_map(|task| task.tags.iter().cloned()).collect();
    known.sort();
    known.dedup();
    let unknown = include.iter().chain(exclude).filter(|tag| !known.contains(tag));
    let mut warnings: Vec<String> = unknown
        .map(|tag| {
            let list = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
            format!("no task has the tag '{tag}' (tags of tasks: {list})")
        })
        .collect();
    for scenario in scenarios.iter_mut() {
        let is_wanted = |tags: &[String]| {
            let named = |wanted: &[String]| tags.iter().any(|tag| wanted.contains(tag));
            (include.is_empty() || named(include)) && !named(exclude)
        };
        // The tasks of a chain have no tags: all of them stay, or none.
        match scenario.order {
            TaskOrder::Markov { .. } if is_wanted(&[]) => {}
            TaskOrder::Markov { .. } => scenario.tasks.clear(),
            TaskOrder::Weighted | TaskOrder::Sequence | TaskOrder::Each => {
                scenario.tasks.retain(|task| is_wanted(&task.tags))
            }
        }
    }
    let asked = asked_for(include, exclude);
    scenarios.retain(|scenario| {
        let runs = scenario.tasks.iter().any(|task| task.weight > 0);
        if !runs {
            warnings.push(format!("scenario '{}' has no task with {asked}; it is not run", scenario.name));
        }
        runs
    });
    if scenarios.is_empty() {
        return Err(format!("no task has {asked}, so there is nothing to run: {}", warnings.join("; ")));
    }
    Ok(warnings)
}

fn asked_for(include: &[String], exclude: &[String]) -> String {
    match (include, exclude) {
        (include, []) => format!("a tag of {}", include.join(", ")),
        ([], exclude) => format!("no tag of {}", exclude.join(", ")),
        (include, exclude) => {
            format!("a tag of {} and none of {}", include.join(", "), exclude.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::TaskPlan;
    use super::*;

    fn task(function: &str, tags: &[&str]) -> TaskPlan {
        TaskPlan { tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..TaskPlan::new(function, 1) }
    }

    fn left(include: &[&str], exclude: &[&str]) -> Result<(String, Vec<String>), String> {
        let mut scenarios = vec![
            ScenarioPlan::new(
                "shop",
                vec![task("a", &["read"]), task("b", &["read", "slow"]), task("c", &[])],
            ),
            ScenarioPlan::new("admin", vec![task("d", &["write"])]),
        ];
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let warnings = select_by_tags(&mut scenarios, &words(include), &words(exclude))?;
        let tasks = scenarios.iter().flat_map(|s| &s.tasks).map(|task| task.function.as_str());
        Ok((tasks.collect(), warnings))
    }

    #[test]
    fn any_tag_includes_and_exclusion_wins() {
        assert_eq!(left(&[], &[]).unwrap().0, "abcd");
        assert_eq!(left(&["read"], &[]).unwrap().0, "ab");
        assert_eq!(left(&["read", "write"], &["slow"]).unwrap().0, "ad");
        assert_eq!(left(&[], &["read"]).unwrap().0, "cd");
    }

    #[test]
    fn a_scenario_without_tasks_is_dropped_with_a_warning() {
        let warnings = left(&["read"], &[]).unwrap().1;
        assert_eq!(warnings, ["scenario 'admin' has no task with a tag of read; it is not run"]);
        let warnings = left(&[], &["raed"]).unwrap().1;
        assert_eq!(warnings, ["no task has the tag 'raed' (tags of tasks: read, slow, write)"]);
    }

    #[test]
    fn nothing_left_is_an_error() {
        let error = left(&["nosuch"], &[]).unwrap_err();
        assert!(error.contains("nothing to run") && error.contains("tags of tasks: read"), "{error}");
    }
}
