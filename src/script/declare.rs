//! The declarations of a script, collected while its top level runs and checked afterwards.
//!
//! Pure bookkeeping. Invariant: an invalid declaration is an error at its position in the script.

use rhai::{FnPtr, Position};

use super::events::ScriptEvent;
use crate::metrics::LONGEST_NAME;
use crate::plan::{Options, ScenarioPlan, TaskPlan, Wait, circle};
use crate::text::clean_line;

/// Name of the scenario that `task` and `wait` declare.
pub(crate) const DEFAULT_SCENARIO: &str = "default";

/// A scenario as declared, with the script functions that compute its waits.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredScenario {
    pub(crate) plan: ScenarioPlan,
    /// By task whose wait it is; `None` is that of the scenario.
    pub(crate) wait_fns: Vec<(Option<String>, FnPtr)>,
    /// Where it is declared.
    pub(crate) position: Position,
}

/// The settings of a task in a declaration, besides its function.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskSettings {
    pub(crate) weight: Option<u32>,
    pub(crate) wait: Option<(Wait, Option<FnPtr>)>,
    pub(crate) tags: Vec<String>,
}

/// A parameter of the script.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value in this run, as text; `None` when it is required and has none.
    pub value: Option<String>,
    /// Its default, as text.
    pub default: Option<String>,
    /// Its description.
    pub help: String,
    /// Allowed values; empty is any.
    pub choices: Vec<String>,
    /// Whether its value is masked in all output.
    pub secret: bool,
}

/// All declarations of a script.
#[derive(Debug, Default)]
pub(crate) struct Declarations {
    pub(crate) options: Options,
    pub(crate) params: Vec<Param>,
    pub(crate) scenarios: Vec<DeclaredScenario>,
    pub(crate) default_tasks: Vec<TaskPlan>,
    /// Script functions that compute the waits of default tasks, by task.
    pub(crate) default_task_waits: Vec<(Option<String>, FnPtr)>,
    pub(crate) default_wait: Option<(Wait, Option<FnPtr>)>,
    /// What is called when something happens, and where it is declared.
    pub(crate) listeners: Vec<(ScriptEvent, FnPtr, Position)>,
    /// Functions that declarations name: each has to exist.
    pub(crate) named_functions: Vec<NamedFunction>,
    /// Functions that say what the load is, what names them, and where.
    pub(crate) shapes: Vec<(String, String, Position)>,
    /// What was found to be wrong so far.
    problems: Vec<DeclarationError>,
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
    /// What was found to be wrong so far, in words.
    #[cfg(test)]
    pub(crate) fn problem_texts(&self) -> Vec<String> {
        self.problems.iter().map(|problem| problem.message.clone()).collect()
    }

    /// Keeps what is wrong with a declaration, to be told with everything else.
    pub(crate) fn add_problems(&mut self, problems: Vec<String>, position: Position) {
        self.problems.extend(problems.into_iter().map(|message| DeclarationError { message, position }));
    }

    pub(crate) fn add_scenario(&mut self, scenario: DeclaredScenario) -> Result<(), String> {
        let name = &scenario.plan.name;
        if self.scenarios.iter().any(|known| known.plan.name == *name) {
            return Err(format!("scenario '{name}' is declared twice; scenario names must be unique"));
        }
        // Figures are found by it, so that it must be kept as it is.
        if name.len() > LONGEST_NAME || clean_line(name) != *name {
            return Err(format!(
                "the name of a scenario must be a line of at most {LONGEST_NAME} bytes without control characters"
            ));
        }
        self.scenarios.push(scenario);
        Ok(())
    }

    /// Adds a task to the scenario `default`. Of one that is there already the weights are added up; wait
    /// and tags are those of the last declaration that has them.
    pub(crate) fn add_task(&mut self, function: &str, settings: TaskSettings, position: Position) {
        self.name_function(function, format!("task(\"{function}\")"), position);
        let weight = settings.weight.unwrap_or(1);
        let index = self.default_tasks.iter().position(|task| task.function == function);
        let index = index.unwrap_or_else(|| {
            self.default_tasks.push(TaskPlan::new(function, 0));
            self.default_tasks.len() - 1
        });
        let task = &mut self.default_tasks[index];
        task.weight = task.weight.saturating_add(weight);
        if !settings.tags.is_empty() {
            task.tags = settings.tags;
        }
        if let Some((wait, wait_fn)) = settings.wait {
            task.wait = Some(wait);
            let name = Some(function.to_owned());
            self.default_task_waits.retain(|(known, _)| *known != name);
            self.default_task_waits.extend(wait_fn.map(|wait_fn| (name, wait_fn)));
        }
    }

    /// Remembers that `by` names a function, which has to exist when all is declared.
    pub(crate) fn name_function(&mut self, name: &str, by: String, position: Position) {
        self.named_functions.push(NamedFunction { name: name.to_owned(), by, position });
    }

    /// The scenarios: the declared ones, the one that `task` declares, or `iteration` alone.
    ///
    /// `functions` are the script's functions as (name, number of parameters).
    ///
    /// # Errors
    /// Everything that is wrong with the declarations.
    pub(crate) fn finish(&mut self, functions: &[(String, usize)]) -> Result<(), Vec<DeclarationError>> {
        let mut problems = std::mem::take(&mut self.problems);
        let has = |name: &str| functions.iter().any(|(known, params)| known == name && *params == 0);
        if !self.default_tasks.is_empty() || (self.scenarios.is_empty() && has("iteration")) {
            if self.default_tasks.is_empty() {
                self.default_tasks.push(TaskPlan::new("iteration", 1));
            }
            let (wait, wait_fn) = self.default_wait.clone().unwrap_or((Wait::None, None));
            let tasks = std::mem::take(&mut self.default_tasks);
            let plan = ScenarioPlan { wait, ..ScenarioPlan::new(DEFAULT_SCENARIO, tasks) };
            let mut wait_fns = std::mem::take(&mut self.default_task_waits);
            wait_fns.extend(wait_fn.map(|wait_fn| (None, wait_fn)));
            let scenario = DeclaredScenario { plan, wait_fns, position: Position::NONE };
            problems.extend(self.add_scenario(scenario).err().map(DeclarationError::from));
        }
        if self.scenarios.is_empty() {
            problems.push(
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
            if !plan.tasks.is_empty() && plan.tasks.iter().all(|task| task.weight == 0) {
                problems.push(format!("scenario '{}' has no task with a weight above 0", plan.name).into());
            }
        }
        self.check_order(&mut problems);
        self.check_shapes(functions, &mut problems);
        problems.extend(self.check_names(functions).err());
        problems.extend(self.check_listeners(functions).err());
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// A scenario can follow one that there is, and none that follows it.
    fn check_order(&self, problems: &mut Vec<DeclarationError>) {
        let after: Vec<(&str, Option<&str>)> = self
            .scenarios
            .iter()
            .map(|scenario| (scenario.plan.name.as_str(), scenario.plan.after.as_deref()))
            .collect();
        for scenario in &self.scenarios {
            let (plan, position) = (&scenario.plan, scenario.position);
            let mut say = |message: String| problems.push(DeclarationError { message, position });
            let shares = plan.executor.is_none() && (plan.after.is_some() || !plan.start_time.is_zero());
            if shares {
                say(format!(
                    "scenario '{}' shares the run's users, so start_time and after mean nothing to it: give it an \
                     executor of its own",
                    plan.name
                ));
            }
            if let Some(name) = &plan.after
                && !after.iter().any(|(known, _)| known == name)
            {
                let hint = crate::text::did_you_mean(name, after.iter().map(|(name, _)| *name));
                say(format!("scenario '{}' is to start after '{name}', which there is not{hint}", plan.name));
            }
        }
        if let Some(circle) = circle(&after) {
            let first = self.scenarios.iter().find(|scenario| scenario.plan.name == circle[0]);
            problems.push(DeclarationError {
                message: format!(
                    "scenarios wait for each other in a cycle, so none of them can start: {}",
                    circle.join(" after ")
                ),
                position: first.map_or(Position::NONE, |scenario| scenario.position),
            });
        }
    }

    /// A shape takes the seconds since the start, or nothing.
    fn check_shapes(&self, functions: &[(String, usize)], problems: &mut Vec<DeclarationError>) {
        for (name, by, position) in &self.shapes {
            let params: Vec<usize> = functions.iter().filter(|(n, _)| n == name).map(|(_, p)| *p).collect();
            let message = if params.is_empty() {
                let known = functions.iter().map(|(name, _)| name.as_str());
                let hint = crate::text::did_you_mean(name, known);
                format!("{by} names a function '{name}' that the script does not define{hint}")
            } else if params.iter().all(|&count| count > 1) {
                format!(
                    "{by} names '{name}', which takes {} arguments; it is given the seconds since the start",
                    params[0]
                )
            } else {
                continue;
            };
            problems.push(DeclarationError { message, position: *position });
        }
    }

    /// A listener takes nothing, or what happened.
    fn check_listeners(&self, functions: &[(String, usize)]) -> Result<(), DeclarationError> {
        for (event, listener, position) in &self.listeners {
            // Closures of imported files are not among the functions of the script; they exist all the same.
            if listener.is_anonymous() {
                continue;
            }
            let by = format!("on(\"{}\")", event.as_str());
            let Some(message) = wrong_listener(&by, listener.fn_name(), functions) else { continue };
            return Err(DeclarationError { message, position: *position });
        }
        Ok(())
    }

    fn check_names(&self, functions: &[(String, usize)]) -> Result<(), DeclarationError> {
        for NamedFunction { name, by, position } in &self.named_functions {
            let Some(message) = wrong_function(by, name, functions) else { continue };
            return Err(DeclarationError { message, position: *position });
        }
        Ok(())
    }
}

/// What is wrong with naming this function as one that virtual users run; `functions` are those of the script,
/// each with its number of parameters.
pub(crate) fn wrong_function(by: &str, name: &str, functions: &[(String, usize)]) -> Option<String> {
    let params = params_of(name, functions);
    match params.first() {
        None => Some(no_function(by, name, functions)),
        Some(_) if params.contains(&0) => None,
        Some(count) => Some(format!(
            "{by} names '{name}', which takes {count} argument(s); a virtual user gives it none"
        )),
    }
}

/// The same for a function that listens to an event.
pub(crate) fn wrong_listener(by: &str, name: &str, functions: &[(String, usize)]) -> Option<String> {
    let params = params_of(name, functions);
    match params.first() {
        None => Some(no_function(by, name, functions)),
        Some(count) if params.iter().all(|&count| count > 1) => {
            Some(format!("{by} names '{name}', which takes {count} arguments; it is given one at most"))
        }
        Some(_) => None,
    }
}

fn params_of(name: &str, functions: &[(String, usize)]) -> Vec<usize> {
    functions.iter().filter(|(known, _)| known == name).map(|(_, count)| *count).collect()
}

fn no_function(by: &str, name: &str, functions: &[(String, usize)]) -> String {
    let hint = crate::text::did_you_mean(name, functions.iter().map(|(name, _)| name.as_str()));
    format!("{by} names a function '{name}' that the script does not define{hint}")
}
