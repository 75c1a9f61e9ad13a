//! Calls of functions that scripts hand over: closures, callbacks, listeners; and the states that calls use again.

use rhai::{
    Caches, Dynamic, EvalAltResult, EvalContext, FnArgsVec, FnPtr, NativeCallContext, Position, Scope,
};

use super::{Evaluation, ScriptEngine};
use crate::script::ending::ScriptResult;
use crate::script::error::CallEnd;
use crate::script::vu_context::VuContext;

impl ScriptEngine {
    /// Does for a closure of the main file what [`FnPtr::call_raw`] does, which resolves anew in each call what the
    /// closure calls. `None` when it is another function, or is called where other names are known than in the main
    /// file.
    pub(crate) fn call_closure(
        &self,
        native: &NativeCallContext,
        closure: &FnPtr,
        this: Option<&mut Dynamic>,
        args: &mut [Dynamic],
    ) -> Option<ScriptResult<Dynamic>> {
        let caller = native.global_runtime_state();
        let captured = closure.curry();
        let knows_the_same = std::ptr::eq(native.engine(), &self.engine)
            && caller.lib.len() == self.global.lib.len()
            && caller.num_imports() == self.global.num_imports();
        let is_here = knows_the_same
            && self.closures.get(closure.fn_name()) == Some(&(captured.len() + args.len()))
            // Rhai tells of such a value only when the closure uses it.
            && !captured.iter().any(Dynamic::is_locked);
        if !is_here {
            return None;
        }
        let mut evaluation = self.idle();
        let Evaluation { global, caches, scope } = &mut *evaluation;
        let level = global.level;
        // Two of its own are counted on the way to the closure.
        global.level = caller.level.saturating_sub(2);
        global.tag = caller.tag.clone();
        let mut captured: FnArgsVec<Dynamic> = captured.iter().cloned().collect();
        let is_method = this.is_some();
        let mut all: FnArgsVec<&mut Dynamic> = this.into_iter().chain(&mut captured).chain(args).collect();
        let result = EvalContext::new(&self.engine, global, caches, scope, None).call_fn_raw(
            closure.fn_name(),
            is_method,
            is_method,
            &mut all,
        );
        Some(match result {
            Ok(value) => {
                evaluation.global.level = level;
                self.keep(evaluation);
                Ok(value)
            }
            Err(mut error) => {
                if error.position().is_none() {
                    error.set_position(native.call_position());
                }
                Err(error)
            }
        })
    }

    /// A state for a call. After an error it may hold what the failed calls had pushed, and is not used again.
    pub(super) fn idle(&self) -> Box<Evaluation> {
        let idle = self.idle.borrow_mut().pop();
        idle.unwrap_or_else(|| {
            Box::new(Evaluation { global: self.global.clone(), caches: Caches::new(), scope: Scope::new() })
        })
    }

    pub(super) fn keep(&self, mut evaluation: Box<Evaluation>) {
        evaluation.global.tag = Dynamic::UNIT;
        evaluation.scope.clear();
        self.idle.borrow_mut().push(evaluation);
    }

    pub(super) fn call_pointer(
        &self,
        vu: &VuContext,
        function: &FnPtr,
        args: &mut [Dynamic],
    ) -> Result<Dynamic, CallEnd> {
        self.with_this(vu, function, |native, this| function.call_raw(native, Some(this), args))
    }

    /// Calls a closure that a host function was given, with `extras` if it takes more than `args`.
    pub(crate) fn call_back<const N: usize, const E: usize>(
        &self,
        vu: &VuContext,
        function: &FnPtr,
        args: [Dynamic; N],
        extras: [Dynamic; E],
    ) -> Result<Dynamic, CallEnd> {
        self.with_this(vu, function, |native, this| {
            let name = function.fn_name();
            let called = function.call_raw_with_extra_args(name, native, Some(this), args, extras, None);
            // It wraps errors as those of another function, which there is not.
            called.map_err(|error| match *error {
                EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => inner,
                other => other.into(),
            })
        })
    }

    /// Has a function pointer called as a host function would call it, with the virtual user as `this`.
    pub(super) fn with_this(
        &self,
        vu: &VuContext,
        function: &FnPtr,
        call: impl FnOnce(&NativeCallContext, &mut Dynamic) -> Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Dynamic, CallEnd> {
        let mut this = vu.this();
        self.evaluate(vu, function.fn_name(), |context| {
            let native = NativeCallContext::new_with_all_fields(
                &self.engine,
                function.fn_name(),
                None,
                context.global_runtime_state(),
                Position::NONE,
            );
            call(&native, &mut this)
        })
    }
}
