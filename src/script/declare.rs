//! What the top level of a script declares, collected while it runs and checked when it is done.
//!
//! Pure bookkeeping. Invariant: a declaration that cannot work is an error at its place in the script.

use std::collections::BTreeMap;

use rhai::{FnPtr, Position};

use crate::plan::{Options, ScenarioPlan, TaskPlan, Wait};

/// Name of the scenario that `task` and `wait` declare.
pub(crate) const DEFAULT_SCENARIO: &str = "default";

/// A scenario as declared, with the script function that computes its wait, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredScenario {
    pub(crate) plan: ScenarioPlan,
    pub(crate) wait_fn: Option<FnPtr>,
}

/// A parameter of the script.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value in this run, as text; `None` when it is required and has none.
    pub value: Option<String>,
    /// Its default, as text.
    pub default: Option<String>,
    /// What it is for.
    pub help: String,
    /// The values it may have; empty is any.
    pub choices: Vec<String>,
    /// Whether its value is masked wherever it would be shown.
    pub secret: bool,
}

/// All declarations of a script.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    pub(crate) options: Options,
    pub(crate) params: Vec<Param>,
    pub(crate) scenarios: Vec<DeclaredScenario>,
    pub(crate) default_tasks: Vec<TaskPlan>,
    pub(crate) default_wait: Option<(Wait, Option<FnPtr>)>,
    /// Functions that declarations name: each has to exist.
    pub(crate) named_functions: Vec<NamedFunction>,
}

/// A function that a declaration names.
#[derive(Clone, Debug)]
pub(crate) struct NamedFunction {
    pub(crate) name: String,
    /// What names it, for the message.
    pub(crate) by: String,
    /// Where.
    pub(crate) position: Position,
}

/// A declaration that cannot work, and its place, if one is to blame.
#[derive(Debug)]
pub(crate) struct DeclarationError {
    pub(crate) message: String,
    pub(crate) position: Position,
}

impl From<String> for DeclarationError {
    fn from(message: String) -> Self {
        DeclarationError { message, position: Position::NONE }
    }
}

impl Declarations {
    pub(crate) fn add_scenario(&mut self, scenario: DeclaredScenario) -> Result<(), String> {
        let name = &scenario.plan.name;
        if self.scenarios.iter().any(|known| known.plan.name == *name) {
            return Err(format!("scenario '{name}' is declared twice; each needs a name of its own"));
        }
        self.scenarios.push(scenario);
        Ok(())
    }

    pub(crate) fn add_task(&mut self, function: &str, weight: i64, position: Position) -> Result<(), String> {
        let weight = u32::try_from(weight)
            .map_err(|_| format!("the weight of task '{function}' is {weight}; it must be 0 or more"))?;
        self.name_function(function, format!("task(\"{function}\")"), position);
        match self.default_tasks.iter_mut().find(|task| task.function == function) {
            Some(task) => task.weight += weight,
            None => self.default_tasks.push(TaskPlan { function: function.to_owned(), weight }),
        }
        Ok(())
    }

    /// Remembers that `by` names a function, which has to exist when all is declared.
    pub(crate) fn name_function(&mut self, name: &str, by: String, position: Position) {
        self.named_functions.push(NamedFunction { name: name.to_owned(), by, position });
    }

    /// The scenarios: the declared ones, the one that `task` declares, or `iteration` alone.
    ///
    /// `functions` are the script's functions as (name, number of parameters).
    pub(crate) fn finish(&mut self, functions: &[(String, usize)]) -> Result<(), DeclarationError> {
        let has = |name: &str| functions.iter().any(|(known, params)| known == name && *params == 0);
        if !self.default_tasks.is_empty() || (self.scenarios.is_empty() && has("iteration")) {
            if self.default_tasks.is_empty() {
                self.default_tasks.push(TaskPlan { function: "iteration".into(), weight: 1 });
            }
            let (wait, wait_fn) = self.default_wait.clone().unwrap_or((Wait::None, None));
            let plan = ScenarioPlan {
                name: DEFAULT_SCENARIO.into(),
                tasks: std::mem::take(&mut self.default_tasks),
                weight: 1.0,
                fixed_count: None,
                wait,
                host: None,
                on_start: None,
                on_stop: None,
                tags: BTreeMap::new(),
                stop_timeout: None,
            };
            self.add_scenario(DeclaredScenario { plan, wait_fn })?;
        }
        if self.scenarios.is_empty() {
            return Err(
                "the script declares nothing to run: write `fn iteration() { … }`, or name functions \
                        with task(\"name\") or scenario(\"name\", #{ … })"
                    .to_owned()
                    .into(),
            );
        }
        for scenario in &mut self.scenarios {
            let plan = &mut scenario.plan;
            for (hook, name) in [(&mut plan.on_start, "on_start"), (&mut plan.on_stop, "on_stop")] {
                if hook.is_none() && has(name) {
                    *hook = Some(name.to_owned());
                }
            }
            if plan.tasks.iter().all(|task| task.weight == 0) {
                return Err(format!("scenario '{}' has no task with a weight above 0", plan.name).into());
            }
        }
        self.check_names(functions)
    }

    fn check_names(&self, functions: &[(String, usize)]) -> Result<(), DeclarationError> {
        for NamedFunction { name, by, position } in &self.named_functions {
            let params: Vec<usize> = functions.iter().filter(|(n, _)| n == name).map(|(_, p)| *p).collect();
            let message = if params.is_empty() {
                let known = functions.iter().map(|(name, _)| name.as_str());
                let hint = super::suggest::did_you_mean(name, known);
                format!("{by} names a function '{name}' that the script does not define{hint}")
            } else if !params.contains(&0) {
                let count = params[0];
                format!("{by} names '{name}', which takes {count} argument(s); a virtual user gives it none")
            } else {
                continue;
            };
            return Err(DeclarationError { message, position: *position });
        }
        Ok(())
    }
}
