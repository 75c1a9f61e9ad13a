//! One Rhai engine with one script loaded: what a worker thread runs virtual users with.
//!
//! Owns compiling, running the top level, and calling functions. Leaves suspending to the fiber that calls.
//! Invariant: every limit of Rhai is set here, none is left to a default that differs between builds.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use rhai::packages::{Package, StandardPackage};
use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, GlobalRuntimeState, Map,
    OptimizationLevel, Position, Scope,
};
use serde::{Deserialize, Serialize};

use super::api::response::{Response, to_dynamic};
use super::api::{Extension, MODULES, NAMESPACES};
use super::declare::{DeclarationError, Declarations, Param};
use super::ending::ScriptResult;
use super::error::{CallEnd, Explainer};
use super::events::{EventFields, Fired, ScriptEvent};
use super::host::Host;
use super::import::{Importer, register_capture};
use super::source::Sources;
use super::summary::SummaryOutput;
use super::this::{self, with_frames};
use super::value::Value;
use super::vu_context::VuContext;
use crate::metrics::CustomMetric;
use crate::metrics::{Recorder, ScriptError};
use crate::plan::{Options, ScenarioPlan};
use crate::text::LONGEST_DURATION;

mod calls;

/// Deepest nesting of calls. The stack of a fiber is checked besides, so this is for readable errors.
const MAX_CALL_LEVELS: usize = 100;

/// Deepest nesting of expressions, in functions and outside.
const MAX_EXPR_DEPTH: usize = 64;

/// Largest string, array and map of a script, in bytes or elements, where nobody counts its memory.
const MAX_SIZE: usize = 256 * 1024 * 1024;

/// A loaded script.
pub(crate) struct ScriptEngine {
    engine: Engine,
    sources: Sources,
    functions: Vec<(String, usize)>,
    /// Where each function's body begins.
    places: HashMap<String, Position>,
    /// Closures of the main file, with the number of their parameters.
    closures: hashbrown::HashMap<String, usize>,
    /// Functions that compute a wait, by scenario and by task; without a task it is the scenario's own wait.
    wait_functions: HashMap<(String, Option<String>), FnPtr>,
    /// What is called when something happens.
    listeners: Vec<(ScriptEvent, FnPtr)>,
    /// The state in which functions start: imports, functions, constants.
    global: GlobalRuntimeState,
    /// States of calls that ended well, to be used again: they know which functions were called before.
    #[expect(clippy::vec_box, reason = "some 400 bytes are taken out and put back with each call")]
    idle: RefCell<Vec<Box<Evaluation>>>,
}

struct Evaluation {
    global: GlobalRuntimeState,
    caches: Caches,
    /// Empty between calls; its memory is used again.
    scope: Scope<'static>,
}

/// A script that could not be loaded.
pub(crate) type LoadError = Box<ScriptError>;

impl ScriptEngine {
    /// Compiles a script and runs its top level. `variables` replace what it computes for variables of
    /// those names, so that all engines of a run agree on them.
    pub(crate) fn load(
        sources: &Sources,
        host: &Rc<Host>,
        extensions: &[Extension],
        variables: &BTreeMap<String, Value>,
    ) -> Result<(ScriptEngine, Loaded), LoadError> {
        let mut engine = new_engine(sources, host);
        extensions.iter().for_each(|extension| extension.apply(&mut engine, host));
        let mut script = ScriptEngine {
            global: engine.new_global_runtime_state(),
            engine,
            sources: sources.clone(),
            functions: Vec::new(),
            places: HashMap::new(),
            closures: hashbrown::HashMap::new(),
            wait_functions: HashMap::new(),
            listeners: Vec::new(),
            idle: RefCell::new(Vec::new()),
        };
        let text = sources.main_text();
        let ast = script.engine.compile(&*text).map_err(|error| script.load_error(error.into()))?;
        script.functions =
            ast.iter_functions().map(|function| (function.name.to_owned(), function.params.len())).collect();
        script.places =
            ast.iter_fn_def().map(|def| (def.name.to_string(), def.body.start_position())).collect();
        let closures = script.functions.iter().filter(|(name, _)| !rhai::is_valid_identifier(name));
        script.closures = closures.cloned().collect();
        let mut ast = with_frames(&script.engine, &ast);
        ast.set_source(sources.main());
        host.begin_load();
        let scope = script.run_top_level(&ast);
        let declared = host.declarations.take().unwrap_or_default();
        let scope = scope.map_err(|error| script.load_error(error))?;
        let top_level = script.keep_variables(&scope, variables);
        let (script, mut loaded) = script.finish(declared, top_level)?;
        loaded.own_metrics = own_metrics(&host.recorder.borrow());
        Ok((script, loaded))
    }

    /// Runs the statements outside functions and keeps what they import and define.
    fn run_top_level(&mut self, ast: &AST) -> ScriptResult<Scope<'static>> {
        let mut scope = Scope::new();
        self.global.source = ast.source().map(Into::into);
        self.global.lib.push(ast.shared_lib().clone());
        // Deprecated without a successor: it is the one way to run statements and keep their imports.
        #[allow(deprecated)]
        self.engine
            .eval_statements_raw(&mut self.global, &mut Caches::new(), &mut scope, ast.statements())
            .map(drop)?;
        for (name, _) in self.global.iter_imports() {
            if NAMESPACES.contains(&name) {
                return Err(format!(
                    "an import cannot be named '{name}': the script API has a module of that name"
                )
                .into());
            }
        }
        Ok(scope)
    }

    /// Makes the variables of the top level readable in functions, by `on_var`.
    fn keep_variables(
        &mut self,
        scope: &Scope,
        replaced: &BTreeMap<String, Value>,
    ) -> BTreeMap<String, Value> {
        let constants = self.global.constants.get_or_insert_with(|| Rc::new(RefCell::default()));
        let mut constants = constants.borrow_mut();
        let mut plain = BTreeMap::new();
        for (name, _, value) in scope.iter() {
            let value = match replaced.get(name) {
                Some(replacement) => replacement.to_dynamic(),
                None => {
                    if let Ok(value) = Value::from_dynamic(&value) {
                        plain.insert(name.to_owned(), value);
                    }
                    value.flatten_clone()
                }
            };
            constants.insert(name.into(), value);
        }
        plain
    }

    fn finish(
        mut self,
        mut declared: Declarations,
        variables: BTreeMap<String, Value>,
    ) -> Result<(ScriptEngine, Loaded), LoadError> {
        if let Err(problems) = declared.finish(&self.functions) {
            return Err(self.declaration_errors(problems));
        }
        self.wait_functions = declared
            .scenarios
            .iter()
            .flat_map(|scenario| {
                let name = &scenario.plan.name;
                scenario
                    .wait_fns
                    .iter()
                    .map(|(task, function)| ((name.clone(), task.clone()), function.clone()))
            })
            .collect();
        self.listeners = std::mem::take(&mut declared.listeners)
            .into_iter()
            .map(|(event, listener, _)| (event, listener))
            .collect();
        let functions = self.functions.clone();
        Ok((self, Loaded { declared, variables, functions, own_metrics: Vec::new() }))
    }

    /// Whether the script defines a function of this name with so many parameters.
    fn has(&self, name: &str, params: usize) -> bool {
        self.functions.iter().any(|(known, count)| known == name && *count == params)
    }

    /// Where a function stands, as an error without a message yet.
    pub(crate) fn place_of(&self, function: &str, vu: &VuContext) -> ScriptError {
        let position = self.places.get(function).copied().unwrap_or(Position::NONE);
        self.explainer(Some((vu.id, vu.iteration.get()))).explain_text(String::new(), position)
    }

    /// Calls a task, `on_start` or `on_stop`, with the virtual user's own `this`.
    pub(crate) fn call(&self, vu: &VuContext, function: &str) -> Result<(), CallEnd> {
        self.call_method(vu, function).map(drop)
    }

    fn call_method(&self, vu: &VuContext, function: &str) -> Result<Dynamic, CallEnd> {
        let mut this = vu.this();
        self.evaluate(vu, function, |context| context.call_fn_raw(function, true, true, &mut [&mut this]))
    }

    /// Calls `setup`, if the script has one; gives its value in a form that all threads can have.
    pub(crate) fn setup(&self, vu: &VuContext) -> Result<Value, CallEnd> {
        if !self.has("setup", 0) {
            return Ok(Value::Unit);
        }
        let value = self.call_method(vu, "setup")?;
        if value.is::<Response>() {
            // In Rhai the last statement is the value, semicolon or not: `fn setup() { http::post("/seed"); }`.
            return Ok(Value::Unit);
        }
        Value::from_dynamic(&value).map_err(|kind| {
            let kind = self.engine.map_type_name(&kind);
            self.wrong_value(
                vu,
                "setup",
                format!(
                    "setup returned a value that contains a {kind}; it is shared by all threads, so it must \
                     be plain data: numbers, text, arrays, maps"
                ),
            )
        })
    }

    /// Calls `teardown`, if the script has one, with what `setup` returned.
    pub(crate) fn teardown(&self, vu: &VuContext, data: &Value) -> Result<(), CallEnd> {
        if self.has("teardown", 1) {
            let mut data = data.to_dynamic();
            return self
                .evaluate(vu, "teardown", |context| {
                    context.call_fn_raw("teardown", false, false, &mut [&mut data])
                })
                .map(drop);
        }
        if self.has("teardown", 0) {
            return self.call(vu, "teardown");
        }
        Ok(())
    }

    /// Calls `summary`, if the script has one, with the final figures; gives what it wants to be written.
    pub(crate) fn summary(
        &self,
        vu: &VuContext,
        data: &serde_json::Value,
    ) -> Result<Vec<SummaryOutput>, CallEnd> {
        let value = if self.has("summary", 1) {
            self.evaluate(vu, "summary", |context| {
                let mut data = to_dynamic(data)?;
                context.call_fn_raw("summary", false, false, &mut [&mut data])
            })?
        } else if self.has("summary", 0) {
            self.call_method(vu, "summary")?
        } else {
            return Ok(Vec::new());
        };
        SummaryOutput::all(&value).map_err(|message| self.wrong_value(vu, "summary", message))
    }

    /// Asks the script how many seconds the virtual user is to wait after `task`, or, without one, after any
    /// task of the scenario.
    pub(crate) fn wait_seconds(
        &self,
        vu: &VuContext,
        scenario: &str,
        task: Option<&str>,
    ) -> Result<f64, CallEnd> {
        let key = (scenario.to_owned(), task.map(str::to_owned));
        // A script changed during the run may no longer have it; without a wait this would spin.
        let Some(function) = self.wait_functions.get(&key) else { return Ok(1.0) };
        let value = self.call_pointer(vu, function, &mut [])?;
        match super::api::number(&value) {
            Some(seconds) if (0.0..=LONGEST_DURATION.as_secs_f64()).contains(&seconds) => Ok(seconds),
            _ => {
                let message = format!(
                    "the wait function returned {value}; it must return a number of seconds, from 0 to \
                             a year"
                );
                Err(self.wrong_value(vu, function.fn_name(), message))
            }
        }
    }

    /// Asks the script's shape function, which takes the seconds since the start, or nothing.
    pub(crate) fn shape(&self, vu: &VuContext, function: &str, elapsed: f64) -> Result<Value, CallEnd> {
        let mut arguments = [Dynamic::from_float(elapsed)];
        let count = usize::from(self.has(function, 1));
        let mut arguments: Vec<&mut Dynamic> = arguments.iter_mut().take(count).collect();
        let value = self
            .evaluate(vu, function, |context| context.call_fn_raw(function, true, false, &mut arguments))?;
        Value::from_dynamic(&value).map_err(|kind| {
            self.wrong_value(vu, function, format!("the shape '{function}' returned a {kind}"))
        })
    }

    /// What it does once the load is over.
    pub(crate) fn last_hooks(&self) -> LastHooks {
        let has = |name| self.functions.iter().any(|(known, params)| known == name && *params <= 1);
        LastHooks {
            teardown: has("teardown") || self.listens(ScriptEvent::TestStop),
            summary: has("summary"),
        }
    }

    /// Whether a function is to be called when this happens.
    pub(crate) fn listens(&self, event: ScriptEvent) -> bool {
        self.listeners.iter().any(|(known, _)| *known == event)
    }

    /// Calls the listeners of an event, one after the other; an error of one does not keep the next from it.
    pub(crate) fn fire(&self, vu: &VuContext, event: ScriptEvent, fields: &EventFields) -> Fired {
        let fields = fields.iter().map(|(key, value)| (key.as_ref().into(), value.to_dynamic()));
        let mut fields: Map = fields.collect();
        fields.insert("event".into(), event.as_str().into());
        let mut fired = Fired::default();
        for (_, listener) in self.listeners.iter().filter(|(known, _)| *known == event) {
            let called = if self.takes_nothing(listener) {
                self.call_pointer(vu, listener, &mut [])
            } else {
                self.call_pointer(vu, listener, &mut [Dynamic::from_map(fields.clone())])
            };
            match called {
                Ok(_) => {}
                Err(CallEnd::Error(error)) => fired.errors.push(error),
                Err(CallEnd::Ended(ending)) => {
                    fired.ending = Some(ending);
                    break;
                }
            }
        }
        fired
    }

    fn takes_nothing(&self, listener: &FnPtr) -> bool {
        self.has(listener.fn_name(), listener.curry().len())
    }

    fn wrong_value(&self, vu: &VuContext, function: &str, message: String) -> CallEnd {
        CallEnd::Error(ScriptError { message, ..self.place_of(function, vu) })
    }

    fn evaluate(
        &self,
        vu: &VuContext,
        function: &str,
        call: impl FnOnce(&mut EvalContext) -> ScriptResult<Dynamic>,
    ) -> Result<Dynamic, CallEnd> {
        let mut evaluation = self.idle();
        vu.begin_call();
        evaluation.global.tag = vu.this();
        let Evaluation { global, caches, scope } = &mut *evaluation;
        let mut context = EvalContext::new(&self.engine, global, caches, scope, None);
        match call(&mut context) {
            Ok(value) => {
                self.keep(evaluation);
                Ok(value)
            }
            Err(error) if matches!(*error, EvalAltResult::Exit(..)) => match *error {
                // `exit(value)`: the script is done, and well.
                EvalAltResult::Exit(value, _) => Ok(value),
                _ => Ok(Dynamic::UNIT),
            },
            Err(error) => {
                let mut explainer = self.explainer(Some((vu.id, vu.iteration.get())));
                explainer.entered = self.places.get(function).copied().unwrap_or(Position::NONE);
                Err(explainer.explain(error))
            }
        }
    }

    /// Name of the script's main file, as messages show it.
    pub(crate) fn main_file(&self) -> &str {
        self.sources.main()
    }

    fn explainer(&self, vu: Option<(u64, u64)>) -> Explainer<'_> {
        Explainer {
            engine: &self.engine,
            sources: &self.sources,
            global: &self.global,
            functions: &self.functions,
            vu,
            entered: Position::NONE,
        }
    }

    /// All problems of the declarations as one error: the first one, and the others below it.
    fn declaration_errors(&self, problems: Vec<DeclarationError>) -> LoadError {
        let explain = |problem: DeclarationError| {
            let DeclarationError { message, position } = problem;
            self.explainer(None).explain_text(message, position)
        };
        let mut all = problems.into_iter().map(explain);
        let mut first = all.next().unwrap_or_else(|| ScriptError {
            message: String::new(),
            position: self.sources.main().to_owned(),
            trace: String::new(),
        });
        for ScriptError { message, position, trace } in all {
            let gap = if first.trace.is_empty() { "" } else { "\n" };
            first.trace.push_str(&format!("{gap}error: {position}: {message}"));
            if !trace.is_empty() {
                first.trace.push_str(&format!("\n{trace}"));
            }
        }
        Box::new(first)
    }

    fn load_error(&self, error: Box<EvalAltResult>) -> LoadError {
        match self.explainer(None).explain(error) {
            CallEnd::Error(error) => Box::new(error),
            CallEnd::Ended(_) => Box::new(
                self.explainer(None).explain_text("the top level ended itself".into(), Position::NONE),
            ),
        }
    }
}

/// What the top level of a script left behind.
pub(crate) struct Loaded {
    pub(crate) declared: Declarations,
    /// Its variables that are plain data.
    pub(crate) variables: BTreeMap<String, Value>,
    functions: Vec<(String, usize)>,
    own_metrics: Vec<CustomMetric>,
}

impl Loaded {
    /// The part that can leave the thread: everything but script functions.
    pub(crate) fn into_plan(self, script: &ScriptEngine) -> ScriptPlan {
        ScriptPlan {
            last_hooks: script.last_hooks(),
            options: self.declared.options,
            params: self.declared.params,
            scenarios: self.declared.scenarios.into_iter().map(|scenario| scenario.plan).collect(),
            variables: self.variables,
            functions: self.functions,
            own_metrics: self.own_metrics,
        }
    }
}

/// Which of the things a script has that are called once, when the load is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastHooks {
    /// `teardown`, or a listener of `test_stop`, which is called with it.
    pub(crate) teardown: bool,
    pub(crate) summary: bool,
}

/// What a script declares, as plain data.
pub(crate) struct ScriptPlan {
    pub(crate) last_hooks: LastHooks,
    pub(crate) options: Options,
    pub(crate) params: Vec<Param>,
    pub(crate) scenarios: Vec<ScenarioPlan>,
    pub(crate) variables: BTreeMap<String, Value>,
    /// Its functions, as (name, number of parameters).
    pub(crate) functions: Vec<(String, usize)>,
    /// The metrics that its top level declares.
    pub(crate) own_metrics: Vec<CustomMetric>,
}

fn own_metrics(recorder: &Recorder) -> Vec<CustomMetric> {
    let metric = |(name, kind, is_time): (std::sync::Arc<str>, _, _)| CustomMetric {
        name: name.to_string(),
        kind,
        is_time,
    };
    recorder.own_metrics().into_iter().map(metric).collect()
}

/// An engine with everything that scripts can call, but for what an embedding program adds.
pub(super) fn new_engine(sources: &Sources, host: &Rc<Host>) -> Engine {
    let mut engine = Engine::new_raw();
    // The name it has anyway. Rhai looks for it at each call with a `this`, here first and then in every module.
    engine.register_type_with_name_raw("map", "map");
    StandardPackage::new().register_into_engine(&mut engine);
    engine
        .set_max_call_levels(MAX_CALL_LEVELS)
        .set_max_expr_depths(MAX_EXPR_DEPTH, MAX_EXPR_DEPTH)
        .set_max_operations(0)
        .set_max_variables(10_000)
        .set_max_functions(10_000)
        .set_max_modules(1_000)
        .set_optimization_level(OptimizationLevel::Simple)
        .set_module_resolver(Importer::new(sources.clone()));
    // Rhai counts a value anew at each call on it, so a loop of `push` takes the square of its time.
    let most = if host.counts_memory() { 0 } else { MAX_SIZE };
    engine.set_max_string_size(most).set_max_array_size(most / 16).set_max_map_size(most / 64);
    let h = host.clone();
    engine.on_progress(move |_| h.on_operation());
    // Locals are found by their place; only names without one can be variables of the top level.
    #[allow(deprecated)] // Not deprecated: marked so by Rhai because its signature may change.
    engine.on_var(|name, index, context| {
        if index > 0 {
            return Ok(None);
        }
        let constants = context.global_runtime_state().constants.as_ref();
        Ok(constants.and_then(|constants| constants.borrow().get(name).map(Dynamic::flatten_clone)))
    });
    register_capture(&mut engine);
    this::register(&mut engine, host);
    super::builtins::register(&mut engine, host);
    for (_, register) in MODULES {
        register(&mut engine, host);
    }
    engine
}
