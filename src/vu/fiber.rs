//! A script function on a stack of its own, as a future.
//!
//! Rhai is synchronous. A [`Fiber`] runs it in a stackful coroutine; a host function that has to wait polls
//! its future with the waker of the fiber's own poll and suspends the coroutine while that is pending.
//!
//! Invariants, on which the `unsafe` blocks rest:
//! 1. The pointer in `FiberState::context` is set right before each resume and read only between that resume
//!    and the next suspension. The `Context` it points to outlives that time, because `Fiber::poll` holds it.
//! 2. The pointer in `FiberState::yielder` is set when the coroutine's body starts and cleared when it ends,
//!    by a guard that also runs on unwinding. The `Yielder` lives on the coroutine's stack for all that time.
//! 3. `FiberState::wait` is called only by code that runs inside the coroutine, so it suspends the coroutine
//!    it runs in: a fiber sets its own state as the running user's waiter, and a user runs one fiber at a time.
//! 4. Neither pointer leaves its thread: `FiberState` holds cells, so it is neither `Send` nor `Sync`.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll};

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::stack::{Bounds, GROWN, ScriptStack, watched};
use crate::script::{Host, Stopped, VuContext, Waiter};

/// Memory of a stack, used only as far as a script reaches; see `stack.rs` for what is beyond.
///
/// Rhai's frames are several times larger without optimisation.
const STACK_SIZE: usize = if cfg!(debug_assertions) { 16 << 20 } else { 1 << 20 };

/// What a script must leave of its stack for the host functions it calls (TLS handshakes are the deepest).
const STACK_RESERVE: usize = if cfg!(debug_assertions) { 1 << 20 } else { 256 << 10 };

/// How many unused stacks a worker thread keeps.
const MOST_IDLE_STACKS: usize = 1024;

/// What a resume hands in: the context of the poll that resumes.
type Resume = *mut Context<'static>;

/// Gives `None` when its stack overflowed.
type Script<T> = Coroutine<Resume, (), Option<T>, ScriptStack>;

/// Suspends and resumes; one per virtual user.
pub(crate) struct FiberState {
    yielder: Cell<*const Yielder<Resume, ()>>,
    context: Cell<Resume>,
    /// How often a script has suspended, to tell one that never does.
    suspensions: Cell<u64>,
}

impl FiberState {
    pub(crate) fn new() -> Rc<FiberState> {
        Rc::new(FiberState {
            yielder: Cell::new(ptr::null()),
            context: Cell::new(ptr::null_mut()),
            suspensions: Cell::new(0),
        })
    }

    pub(crate) fn suspensions(&self) -> u64 {
        self.suspensions.get()
    }
}

impl Waiter for FiberState {
    fn wait(&self, poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>) -> Result<(), Stopped> {
        loop {
            let (context, yielder) = (self.context.get(), self.yielder.get());
            if context.is_null() || yielder.is_null() {
                // Not inside a fiber, as in a drop during unwinding: nothing can be waited for.
                return Err(Stopped);
            }
            // SAFETY: invariant 1: we run between a resume and the next suspension.
            let ready = poll(unsafe { &mut *context });
            if ready.is_ready() {
                return Ok(());
            }
            self.suspensions.set(self.suspensions.get() + 1);
            self.context.set(ptr::null_mut());
            // SAFETY: invariants 2 and 3: the yielder is that of the coroutine we run in.
            let resumed = unsafe { &*yielder }.suspend(());
            self.context.set(resumed);
        }
    }
}

/// Stacks of fibers that have ended, for the next ones.
pub(crate) struct StackPool {
    idle: RefCell<Vec<ScriptStack>>,
}

impl StackPool {
    pub(crate) fn new() -> Rc<StackPool> {
        Rc::new(StackPool { idle: RefCell::new(Vec::new()) })
    }

    fn take(&self) -> std::io::Result<ScriptStack> {
        match self.idle.borrow_mut().pop() {
            Some(stack) => Ok(stack),
            None => ScriptStack::new(STACK_SIZE),
        }
    }

    /// A stack that has grown is not kept: its memory goes back to the system.
    fn put(&self, stack: ScriptStack) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MOST_IDLE_STACKS && !stack.bounds().has_grown() {
            idle.push(stack);
        }
    }
}

/// Why a fiber has no result.
#[derive(Debug)]
pub(crate) enum FiberError {
    /// A host function panicked, with this message.
    Panicked(String),
    /// Native code recursed to the end of the stack, over a value that is nested too deeply.
    Overflowed,
    /// The system has no memory or no mapping left for a stack.
    NoStack(std::io::Error),
}

/// A call of a script function that can be suspended. Dropping it unwinds the call.
pub(crate) struct Fiber<T: 'static> {
    script: Option<Script<T>>,
    host: Rc<Host>,
    vu: Rc<VuContext>,
    state: Rc<FiberState>,
    pool: Rc<StackPool>,
    bounds: Rc<Bounds>,
    /// What the script has taken so far, in bytes.
    memory: i64,
}

impl<T: 'static> Fiber<T> {
    /// Prepares `call` to run for `vu` on a stack from `pool`; it starts with the first poll.
    pub(crate) fn new(
        pool: &Rc<StackPool>,
        host: &Rc<Host>,
        vu: &Rc<VuContext>,
        state: &Rc<FiberState>,
        call: impl FnOnce() -> T + 'static,
    ) -> Result<Fiber<T>, FiberError> {
        let stack = pool.take().map_err(FiberError::NoStack)?;
        let bounds = stack.bounds();
        let inner = state.clone();
        let script = Coroutine::with_stack(stack, move |yielder: &Yielder<Resume, ()>, context: Resume| {
            inner.yielder.set(yielder);
            inner.context.set(context);
            let _clear = Clear(&inner);
            Some(call())
        });
        Ok(Fiber {
            script: Some(script),
            host: host.clone(),
            vu: vu.clone(),
            state: state.clone(),
            pool: pool.clone(),
            bounds,
            memory: 0,
        })
    }

    /// How far the script may reach; nowhere, after native code went beyond.
    fn stack_limit(&self) -> usize {
        if self.bounds.has_grown() { GROWN } else { self.bounds.soft_limit() + STACK_RESERVE }
    }

    fn recycle(&mut self) {
        if let Some(script) = self.script.take()
            && script.done()
        {
            self.pool.put(script.into_stack());
        }
    }
}

/// Clears the pointers when the coroutine's body ends, also by unwinding.
struct Clear<'a>(&'a FiberState);

impl Drop for Clear<'_> {
    fn drop(&mut self) {
        self.0.yielder.set(ptr::null());
        self.0.context.set(ptr::null_mut());
    }
}

// A fiber holds no reference into itself: its coroutine's stack is memory of its own.
impl<T: 'static> Unpin for Fiber<T> {}

impl<T: 'static> Future for Fiber<T> {
    type Output = Result<T, FiberError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let stack_limit = this.stack_limit();
        let Some(script) = &mut this.script else {
            return Poll::Ready(Err(FiberError::Panicked("a fiber was polled after its end".into())));
        };
        // The lifetime is given back by invariant 1: the pointer is not used after this poll.
        let context: Resume = ptr::from_mut(context).cast();
        this.host.enter(this.vu.clone(), stack_limit, this.memory);
        let trap = script.trap_handler();
        let resumed = catch_unwind(AssertUnwindSafe(|| {
            watched(&this.bounds, this.host.stack_mark(), &trap, || script.resume(context))
        }));
        this.memory = this.host.leave();
        match resumed {
            Ok(CoroutineResult::Yield(())) => Poll::Pending,
            Ok(CoroutineResult::Return(Some(value))) => {
                this.recycle();
                Poll::Ready(Ok(value))
            }
            Ok(CoroutineResult::Return(None)) => {
                // What was on the stack is forgotten, so it cannot do this itself.
                drop(Clear(&this.state));
                this.recycle();
                Poll::Ready(Err(FiberError::Overflowed))
            }
            Err(panic) => {
                this.recycle();
                Poll::Ready(Err(FiberError::Panicked(panic_message(&*panic))))
            }
        }
    }
}

impl<T: 'static> Drop for Fiber<T> {
    fn drop(&mut self) {
        let Some(mut script) = self.script.take() else { return };
        // What the script was waiting for is no longer polled, so nothing may ask for the context.
        self.state.context.set(ptr::null_mut());
        // Unwinding runs destructors of script values; one that panics must not take the worker with it.
        let trap = script.trap_handler();
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            watched(&self.bounds, self.host.stack_mark(), &trap, || script.force_unwind());
        }));
        self.host.leave();
        if unwound.is_ok() && script.done() {
            self.pool.put(script.into_stack());
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
