//! Imports: a file becomes a Rhai module, once per engine.
//!
//! Invariant: a module's functions see its own top-level variables by their plain names, as in the main
//! file; a cycle is an error that shows it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, EvalContext, Module, ModuleResolver, Position, Scope};

use super::ending::ScriptResult;
use super::source::Sources;
use super::this::with_frames;

/// Rhai keeps its own alias for this private.
type SharedModule = Rc<Module>;

/// A marker no script uses: it ends each imported file and keeps the file's variables for its functions.
const CAPTURE: &str = "rhaid_keep_top_level_variables";

/// Resolves imports against the sources of the run.
pub(super) struct Importer {
    sources: Sources,
    loaded: RefCell<HashMap<String, SharedModule>>,
    loading: RefCell<Vec<String>>,
}

impl Importer {
    pub(super) fn new(sources: Sources) -> Self {
        Importer { sources, loaded: RefCell::default(), loading: RefCell::default() }
    }

    fn load(&self, engine: &Engine, name: &str, text: &str) -> ScriptResult<SharedModule> {
        // Compiled alone first: an error at the end of the file must not point behind it.
        engine.compile(text)?;
        let mut ast = with_frames(engine, &engine.compile(format!("{text}\n{CAPTURE};"))?);
        ast.set_source(name);
        let mut module = Module::eval_ast_as_new(Scope::new(), &ast, engine)?;
        module.set_id(name);
        Ok(module.into())
    }
}

impl ModuleResolver for Importer {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> ScriptResult<SharedModule> {
        let runtime_error = |message: String| EvalAltResult::ErrorRuntime(message.into(), pos);
        let from = source.unwrap_or(self.sources.main());
        let (name, text) = self.sources.import(from, path).map_err(runtime_error)?;
        if let Some(module) = self.loaded.borrow().get(&name) {
            return Ok(module.clone());
        }
        let cycle = {
            let loading = self.loading.borrow();
            loading.iter().position(|other| *other == name).map(|start| loading[start..].join(" → "))
        };
        if name == self.sources.main() {
            return Err(runtime_error(format!("{name} imports itself, by way of {from}")).into());
        }
        if let Some(cycle) = cycle {
            return Err(runtime_error(format!("circular import: {cycle} → {name}")).into());
        }
        self.loading.borrow_mut().push(name.clone());
        let module = self.load(engine, &name, &text);
        self.loading.borrow_mut().pop();
        let module = module.map_err(|error| EvalAltResult::ErrorInModule(name.clone(), error, pos))?;
        self.loaded.borrow_mut().insert(name, module.clone());
        Ok(module)
    }
}

/// Registers what keeps the variables of imported files.
pub(super) fn register_capture(engine: &mut Engine) {
    let registered = engine.register_custom_syntax([CAPTURE], false, |context, _| {
        keep_variables(context);
        Ok(rhai::Dynamic::UNIT)
    });
    debug_assert!(registered.is_ok(), "the word is a plain identifier");
}

/// Rhai keeps only a file's constants for its functions; this adds the variables.
fn keep_variables(context: &mut EvalContext) {
    let variables: Vec<_> = context.scope().iter().map(|(name, _, value)| (name.to_owned(), value)).collect();
    let constants = context
        .global_runtime_state_mut()
        .constants
        .get_or_insert_with(|| Rc::new(RefCell::default()))
        .clone();
    let mut constants = constants.borrow_mut();
    for (name, value) in variables {
        constants.insert(name.into(), value);
    }
}
