//! `this` in closures: they have that of the function around them.
//!
//! Rhai tells a function of the host nothing of its caller's `this`, and locks a shared value as long as a method of it
//! runs. So the body of each function of a script is put into a *frame*. It makes `this` a value of its own that is
//! shared and not locked, and keeps it as the tag of the evaluation, where `call_closure` finds it. Owns that and
//! nothing else: a script can name neither frame nor tag. Invariant: when a call is over, however it ended, `this` is
//! back where it came from.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use rhai::{
    AST, ASTNode, Caches, Dynamic, Engine, EvalContext, Expr, Expression, Module, ScriptFuncDef, Stmt,
    StmtBlock,
};

use super::bodies::Bodies;
use super::ending::ScriptResult;
use super::host::Host;
use super::this_parts::{self, Closures};
use super::vu_context::VuContext;

/// The syntax that stands for a frame; a word that no script uses.
const FRAME: &str = "rhaid_frame";

/// What is in a frame: the state of its syntax.
#[derive(Clone)]
struct Framed {
    body: Rc<Expr>,
    /// A closure that is called without a `this` has that of its caller; another function has none then.
    borrows: bool,
}

/// The same script with a frame in each function that has a `this` or may pass one on.
pub(super) fn with_frames(engine: &Engine, ast: &AST) -> AST {
    let bodies = Bodies::of(engine, ast);
    let frames = Frames::new();
    let mut functions = Module::new();
    let functions_of_file: Vec<_> = ast
        .iter_fn_def()
        .map(|function| (function, bodies.get(&function.name, function.params.len())))
        .collect();
    // Where no closure has a `this`, none has to be kept for it, and a frame costs as much as a statement.
    let is_kept = functions_of_file.iter().any(|(function, body)| may_pass_on(function, body));
    let closures = Closures::of(&functions_of_file);
    for (function, mut body) in functions_of_file {
        let framed = is_kept.then(|| {
            this_parts::release(&mut body, &closures);
            frames.framed(function, body)
        });
        functions.set_script_fn(framed.flatten().map_or_else(|| function.clone(), Into::into));
    }
    AST::new(ast.statements().iter().cloned(), functions)
}

/// Whether a function is a closure that has a `this`, or makes pointers to functions by their names.
fn may_pass_on(function: &ScriptFuncDef, body: &[Stmt]) -> bool {
    let is_closure = !rhai::is_valid_identifier(&function.name);
    body.iter().any(|statement| {
        let mut found = false;
        statement.walk(&mut Vec::new(), &mut |path| {
            found |= match path.last() {
                Some(ASTNode::Expr(Expr::ThisPtr(_))) => is_closure,
                Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                    POINTERS.contains(&&*call.name)
                }
                _ => false,
            };
            !found
        });
        found
    })
}

/// Functions that take or make a pointer to a function by its name.
const POINTERS: [&str; 2] = ["Fn", "call_as_user"];

/// Makes functions whose body is a frame. Rhai has no public name for what a body is, so the parser makes it.
struct Frames {
    engine: Engine,
    /// What the next frame that is parsed is to have in it.
    next: Rc<RefCell<Dynamic>>,
}

impl Frames {
    fn new() -> Frames {
        let mut engine = Engine::new_raw();
        let next = Rc::new(RefCell::new(Dynamic::UNIT));
        let content = next.clone();
        engine.register_custom_syntax_with_state_raw(
            FRAME,
            move |_, _, state| {
                *state = content.take();
                Ok(None)
            },
            false,
            |_, _, _| Ok(Dynamic::UNIT),
        );
        Frames { engine, next }
    }

    fn framed(&self, function: &ScriptFuncDef, body: Vec<Stmt>) -> Option<ScriptFuncDef> {
        let (mut has_this, mut has_calls) = (false, false);
        for statement in &body {
            statement.walk(&mut Vec::new(), &mut |path| {
                match path.last() {
                    Some(ASTNode::Expr(Expr::ThisPtr(_))) => has_this = true,
                    Some(ASTNode::Expr(Expr::FnCall(call, _))) => has_calls |= !call.is_operator_call(),
                    Some(ASTNode::Expr(Expr::MethodCall(..)) | ASTNode::Stmt(Stmt::FnCall(..))) => {
                        has_calls = true;
                    }
                    _ => {}
                }
                true
            });
        }
        if !has_this && !has_calls {
            return None;
        }
        let block = StmtBlock::new(body, function.body.start_position(), function.body.end_position());
        let borrows = has_this && !rhai::is_valid_identifier(&function.name);
        *self.next.borrow_mut() = Dynamic::from(Framed { body: Expr::Stmt(Box::new(block)).into(), borrows });
        let made = self.engine.compile(format!("fn framed() {{ {FRAME} }}")).ok()?;
        let frame = made.iter_fn_def().next()?.body.clone();
        Some(ScriptFuncDef { body: frame, ..function.clone() })
    }
}

/// Makes the engine know frames.
pub(super) fn register(engine: &mut Engine, host: &Rc<Host>) {
    let host = host.clone();
    let registered =
        engine.register_custom_syntax_handler(FRAME, false, move |context, _, state| {
            match state.read_lock::<Framed>() {
                Some(framed) => run(&host, context, &Expression::from(&*framed.body), framed.borrows),
                None => Err(format!("{FRAME} is no word of scripts").into()),
            }
        });
    debug_assert!(registered.is_ok(), "only an engine without syntax trees refuses it");
}

fn run(host: &Host, context: &mut EvalContext, body: &Expression, borrows: bool) -> ScriptResult<Dynamic> {
    if context.this_ptr().is_some() {
        return Frame::enter(host, context).context.eval_expression_tree(body);
    }
    if !borrows || context.tag().is_unit() {
        return context.eval_expression_tree(body);
    }
    let engine = context.engine();
    let mut this = context.tag().clone();
    let mut scope = mem::take(context.scope_mut());
    let result = EvalContext::new(
        engine,
        context.global_runtime_state_mut(),
        &mut Caches::new(),
        &mut scope,
        Some(&mut this),
    )
    .eval_expression_tree(body);
    *context.scope_mut() = scope;
    result
}

/// A call with a `this`; a guard, because the script may be unwound.
struct Frame<'f, 'a, 's, 'ps, 'g, 'c, 't> {
    context: &'f mut EvalContext<'a, 's, 'ps, 'g, 'c, 't>,
    /// `this` of the caller.
    outer: Dynamic,
    /// `this` was not shared before.
    is_shared_here: bool,
    /// It is the virtual user's map, which was there before.
    own: Option<(Rc<VuContext>, Dynamic)>,
}

impl<'f, 'a, 's, 'ps, 'g, 'c, 't> Frame<'f, 'a, 's, 'ps, 'g, 'c, 't> {
    fn enter(host: &Host, context: &'f mut EvalContext<'a, 's, 'ps, 'g, 'c, 't>) -> Self {
        let (mut is_shared_here, mut own, mut shared) = (false, None, Dynamic::UNIT);
        if let Some(this) = context.this_ptr_mut() {
            if !this.is_shared() {
                is_shared_here = true;
                let vu = host.current().filter(|vu| vu.has_as_own(this));
                *this = mem::take(this).into_shared();
                own = vu.map(|vu| {
                    let before = vu.this();
                    vu.move_this(this.clone());
                    (vu, before)
                });
            }
            shared = this.clone();
        }
        let outer = mem::replace(context.tag_mut(), shared);
        Frame { context, outer, is_shared_here, own }
    }
}

impl Drop for Frame<'_, '_, '_, '_, '_, '_, '_> {
    fn drop(&mut self) {
        *self.context.tag_mut() = mem::take(&mut self.outer);
        if let Some((vu, before)) = self.own.take() {
            vu.move_this(before);
        }
        // Nothing else refers to it now, so it is moved and not copied.
        if self.is_shared_here
            && let Some(this) = self.context.this_ptr_mut()
        {
            *this = mem::take(this).flatten();
        }
    }
}
