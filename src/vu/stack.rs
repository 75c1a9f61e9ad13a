//! The stacks that scripts run on, and what happens at their end.
//!
//! Native code recurses over values of scripts: dropping, copying, comparing and printing one that is nested
//! 20,000 deep takes as many frames, and nothing asks first. So a stack reserves much more addresses than it
//! has memory: at the end of its memory the handler of SIGSEGV here gives it more and leaves a mark, which ends
//! the script with an error at its next operation. At the end of the reserve the handler ends the call where it
//! is. A stack that has grown is not used again, so its memory goes back to the system.
//!
//! Where there is no such handler (not on Linux, or on another processor), a stack has a fixed size.
//!
//! Invariants, on which the `unsafe` blocks rest:
//! 1. The pointer in `WATCHED` is set by [`watched`] for the time of one resume, and what it points to lives on
//!    the frame of that call. It is read by the handler, on the same thread.
//! 2. Addresses between `Bounds::floor` and `Bounds::low` belong to the mapping of one [`ScriptStack`] and are
//!    used by nobody else.
//! 3. Ending a call where it is forgets what is on its stack: that leaks, and what it had borrowed stays borrowed.
//!    So its virtual user starts afresh, see `VirtualUser`.
#![allow(unsafe_code)]

use std::cell::Cell;

use corosensei::{Coroutine, Yielder};

/// The mark of a stack that has grown: every address is below it.
pub(super) const GROWN: usize = usize::MAX;

/// A stack overflow that ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overflow;

/// Address space that is used as it is needed; memory of a stack that a script loads on.
///
/// Rhai's own limits are set for this one.
const LOADING_STACK: usize = 16 << 20;

/// Runs something that may recurse deeply on a stack that can grow, whatever the caller's stack is. `mark` is
/// [`GROWN`] after it has grown.
///
/// # Errors
/// When even that is not enough. What the call held is leaked then.
pub(crate) fn on_large_stack<T>(mark: &Cell<usize>, run: impl FnOnce() -> T) -> Result<T, Overflow> {
    // Without a stack of its own it has that of the thread.
    let Ok(stack) = ScriptStack::new(LOADING_STACK) else { return Ok(run()) };
    let bounds = stack.bounds();
    let mut value = None;
    // SAFETY: the coroutine does not suspend, so it has ended when this function returns, and nothing that `run`
    // borrows can be gone before.
    let mut script = unsafe {
        Coroutine::<(), (), Option<()>, ScriptStack>::with_stack_unchecked(
            stack,
            |_: &Yielder<(), ()>, ()| {
                value = Some(run());
                Some(())
            },
        )
    };
    let trap = script.trap_handler();
    watched(&bounds, mark, &trap, || script.resume(()));
    drop(script);
    value.ok_or(Overflow)
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use growing::{Bounds, ScriptStack, watched};

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) use fixed::{Bounds, ScriptStack, watched};

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod growing {
    use std::cell::Cell;
    use std::io;
    use std::mem;
    use std::num::NonZeroUsize;
    use std::ptr;
    use std::rc::Rc;
    use std::sync::OnceLock;

    use corosensei::stack::valgrind::ValgrindStackRegistration;
    use corosensei::stack::{Stack, StackPointer};
    use corosensei::trap::{CoroutineTrapHandler, TrapHandlerRegs};

    use super::GROWN;

    /// Addresses that a stack can grow into. Dropping a level of a value takes about 150 bytes (an array) to 500
    /// (a map), several times that without optimisation.
    const RESERVE: usize = if cfg!(debug_assertions) { 4 << 30 } else { 1 << 30 };

    /// Stack of the handler, where a thread has none.
    const SIGNAL_STACK: usize = 64 << 10;

    /// See the module's description.
    pub(in super::super) struct ScriptStack {
        base: StackPointer,
        bounds: Rc<Bounds>,
        _valgrind: ValgrindStackRegistration,
    }

    /// How far a stack reaches.
    pub(in super::super) struct Bounds {
        /// Where its mapping begins.
        start: usize,
        /// Where its reserve begins: below is a page that nothing may touch.
        floor: usize,
        /// Where its memory begins when it is new.
        soft: usize,
        /// Where its memory begins.
        low: Cell<usize>,
        base: usize,
    }

    impl Bounds {
        /// Where its memory begins when it is new.
        pub(in super::super) fn soft_limit(&self) -> usize {
            self.soft
        }

        /// Whether it has got more memory than it had at first.
        pub(in super::super) fn has_grown(&self) -> bool {
            self.low.get() < self.soft
        }

        /// Gives it memory down to an address; false when there is none.
        fn grow(&self, address: usize) -> bool {
            let low = self.low.get();
            if !(self.floor..low).contains(&address) {
                return false;
            }
            // Twice as much as it has, so that few calls are needed.
            let wanted = self.base.saturating_sub(2 * (self.base - low));
            let new = wanted.min(address & !(page_size() - 1)).max(self.floor);
            // SAFETY: invariant 2: these pages belong to this stack, and nothing is in them.
            let done = unsafe {
                libc::mprotect(new as *mut libc::c_void, low - new, libc::PROT_READ | libc::PROT_WRITE)
            };
            if done == 0 {
                self.low.set(new);
            }
            done == 0
        }
    }

    impl ScriptStack {
        /// A stack with `size` bytes of memory, which is used as it is needed.
        pub(in super::super) fn new(size: usize) -> io::Result<ScriptStack> {
            let page = page_size();
            let size = size.next_multiple_of(page);
            let reserve = if address_space_is_limited() { 0 } else { RESERVE };
            let Ok(mapping) = Mapping::new(size + reserve + page).or_else(|_| Mapping::new(size + page))
            else {
                return Err(io::Error::last_os_error());
            };
            let base = mapping.start + mapping.size;
            let soft = base - size;
            // SAFETY: the pages are in the mapping that was just made.
            let done = unsafe {
                libc::mprotect(soft as *mut libc::c_void, size, libc::PROT_READ | libc::PROT_WRITE)
            };
            if done != 0 {
                return Err(io::Error::last_os_error());
            }
            let _valgrind = ValgrindStackRegistration::new(mapping.start as *mut u8, mapping.size);
            let start = mapping.start;
            mem::forget(mapping);
            Ok(ScriptStack {
                base: NonZeroUsize::new(base).ok_or(io::ErrorKind::OutOfMemory)?,
                bounds: Rc::new(Bounds { start, floor: start + page, soft, low: Cell::new(soft), base }),
                _valgrind,
            })
        }

        pub(in super::super) fn bounds(&self) -> Rc<Bounds> {
            self.bounds.clone()
        }
    }

    impl Drop for ScriptStack {
        fn drop(&mut self) {
            drop(Mapping { start: self.bounds.start, size: self.base.get() - self.bounds.start });
        }
    }

    // SAFETY: the page at its limit is never made accessible (`Bounds::floor` is above it), and it has at least a
    // page of memory.
    unsafe impl Stack for ScriptStack {
        fn base(&self) -> StackPointer {
            self.base
        }

        fn limit(&self) -> StackPointer {
            NonZeroUsize::new(self.bounds.start).unwrap_or(self.base)
        }
    }

    /// Addresses without memory.
    struct Mapping {
        start: usize,
        size: usize,
    }

    impl Mapping {
        fn new(size: usize) -> io::Result<Mapping> {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
            // SAFETY: a new mapping, wherever the system has room.
            let start = unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_NONE, flags, -1, 0) };
            match start {
                libc::MAP_FAILED => Err(io::Error::last_os_error()),
                start => Ok(Mapping { start: start.addr(), size }),
            }
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            // SAFETY: its owner is gone, and so is everything that was on the stack.
            unsafe { libc::munmap(self.start as *mut libc::c_void, self.size) };
        }
    }

    fn page_size() -> usize {
        // SAFETY: no memory is involved. It can be called in a signal handler.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
    }

    /// Under `ulimit -v` a reserve would take what everything else needs.
    fn address_space_is_limited() -> bool {
        let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: `limit` is a place for the answer.
        unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
        limit.rlim_cur != libc::RLIM_INFINITY
    }

    /// Ends a coroutine where it is.
    pub(in super::super) trait Trap {
        /// What the processor has to be set to, for the coroutine to end with `None`.
        ///
        /// # Safety
        /// The coroutine is running, and the registers are set.
        unsafe fn end(&self) -> TrapHandlerRegs;
    }

    impl<T: 'static> Trap for CoroutineTrapHandler<Option<T>> {
        unsafe fn end(&self) -> TrapHandlerRegs {
            // SAFETY: as the caller promises. See invariant 3.
            unsafe { self.setup_trap_handler(|| None) }
        }
    }

    /// What the handler needs to know of the stack that its thread runs on.
    struct Watched<'a> {
        bounds: &'a Bounds,
        mark: &'a Cell<usize>,
        trap: &'a dyn Trap,
    }

    thread_local! {
        static WATCHED: Cell<*const Watched<'static>> = const { Cell::new(ptr::null()) };
        static PREPARED: Cell<bool> = const { Cell::new(false) };
    }

    /// Resumes a coroutine whose stack may have to grow; `mark` is set to [`GROWN`] when it has. At the end of
    /// its reserve the coroutine returns what `trap` says.
    pub(in super::super) fn watched<T>(
        bounds: &Bounds,
        mark: &Cell<usize>,
        trap: &dyn Trap,
        resume: impl FnOnce() -> T,
    ) -> T {
        struct Restore(*const Watched<'static>);
        impl Drop for Restore {
            fn drop(&mut self) {
                WATCHED.set(self.0);
            }
        }
        if !PREPARED.replace(true) {
            prepare_thread();
        }
        let watched = Watched { bounds, mark, trap };
        let _restore = Restore(WATCHED.replace(ptr::from_ref(&watched).cast()));
        resume()
    }

    /// What handled the signal before.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    /// Lets this thread handle the end of its stacks.
    fn prepare_thread() {
        BEFORE.get_or_init(|| {
            // SAFETY: all zero is a valid `sigaction`; the handler does only what is allowed in one.
            unsafe {
                let mut ours: libc::sigaction = mem::zeroed();
                let mut before: libc::sigaction = mem::zeroed();
                ours.sa_sigaction = on_fault as *const () as usize;
                ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&raw mut ours.sa_mask);
                libc::sigaction(libc::SIGSEGV, &raw const ours, &raw mut before);
                before
            }
        });
        // SAFETY: the stack that is given to the thread is never freed. Threads of Rust programs have one.
        unsafe {
            let mut stack: libc::stack_t = mem::zeroed();
            if libc::sigaltstack(ptr::null(), &raw mut stack) == 0 && stack.ss_flags & libc::SS_DISABLE != 0 {
                let memory = Box::leak(vec![0_u8; SIGNAL_STACK].into_boxed_slice());
                stack.ss_sp = memory.as_mut_ptr().cast();
                stack.ss_size = SIGNAL_STACK;
                stack.ss_flags = 0;
                libc::sigaltstack(&raw const stack, ptr::null_mut());
            }
        }
    }

    /// The handler of SIGSEGV.
    unsafe extern "C" fn on_fault(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        // SAFETY: the kernel hands in valid pointers, and invariant 1 holds for the rest.
        unsafe {
            let errno = *libc::__errno_location();
            let watched = WATCHED.get();
            let handled = !watched.is_null()
                && handle(&*watched, (*info).si_addr().addr(), &mut *context.cast::<libc::ucontext_t>());
            *libc::__errno_location() = errno;
            if !handled {
                pass_on(signal, info, context);
            }
        }
    }

    /// Whether the fault was the end of the stack that is watched, and it goes on.
    unsafe fn handle(watched: &Watched, address: usize, context: &mut libc::ucontext_t) -> bool {
        let bounds = watched.bounds;
        let is_on_stack = (bounds.start..bounds.base).contains(&stack_pointer(context));
        if !is_on_stack || !(bounds.start..bounds.low.get()).contains(&address) {
            return false;
        }
        watched.mark.set(GROWN);
        if !bounds.grow(address) {
            // SAFETY: the stack pointer is in the coroutine that is running.
            set_registers(context, unsafe { watched.trap.end() });
        }
        true
    }

    /// Does what was done with the signal before.
    unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: what was registered as a handler is one, of the kind that its flags say.
        unsafe {
            match BEFORE.get() {
                Some(before) if !matches!(before.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) => {
                    if before.sa_flags & libc::SA_SIGINFO != 0 {
                        let call: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                            mem::transmute(before.sa_sigaction);
                        call(signal, info, context);
                    } else {
                        let call: extern "C" fn(libc::c_int) = mem::transmute(before.sa_sigaction);
                        call(signal);
                    }
                }
                // The fault comes again, and ends the process as it does without us.
                _ => {
                    libc::signal(signal, libc::SIG_DFL);
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn stack_pointer(context: &libc::ucontext_t) -> usize {
        context.uc_mcontext.gregs[libc::REG_RSP as usize] as usize
    }

    #[cfg(target_arch = "x86_64")]
    fn set_registers(context: &mut libc::ucontext_t, registers: TrapHandlerRegs) {
        let TrapHandlerRegs { rip, rsp, rbp, rdi, rsi } = registers;
        let to_set = [
            (libc::REG_RIP, rip),
            (libc::REG_RSP, rsp),
            (libc::REG_RBP, rbp),
            (libc::REG_RDI, rdi),
            (libc::REG_RSI, rsi),
        ];
        for (register, value) in to_set {
            context.uc_mcontext.gregs[register as usize] = value as i64;
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn stack_pointer(context: &libc::ucontext_t) -> usize {
        context.uc_mcontext.sp as usize
    }

    #[cfg(target_arch = "aarch64")]
    fn set_registers(context: &mut libc::ucontext_t, registers: TrapHandlerRegs) {
        let TrapHandlerRegs { pc, sp, x0, x1, x29, lr } = registers;
        let machine = &mut context.uc_mcontext;
        machine.pc = pc;
        machine.sp = sp;
        for (register, value) in [(0, x0), (1, x1), (29, x29), (30, lr)] {
            machine.regs[register] = value;
        }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod fixed {
    use std::cell::Cell;
    use std::io;
    use std::rc::Rc;

    use corosensei::stack::{DefaultStack, Stack, StackPointer};
    use corosensei::trap::CoroutineTrapHandler;

    /// More than a growing one has at first: there is no second chance.
    const FACTOR: usize = 8;

    /// A stack of a fixed size.
    pub(in super::super) struct ScriptStack(DefaultStack, usize);

    /// How far a stack reaches.
    pub(in super::super) struct Bounds(usize);

    impl Bounds {
        pub(in super::super) fn soft_limit(&self) -> usize {
            self.0
        }

        pub(in super::super) fn has_grown(&self) -> bool {
            false
        }
    }

    impl ScriptStack {
        pub(in super::super) fn new(size: usize) -> io::Result<ScriptStack> {
            DefaultStack::new(FACTOR * size).map(|stack| ScriptStack(stack, size))
        }

        pub(in super::super) fn bounds(&self) -> Rc<Bounds> {
            Rc::new(Bounds(self.0.base().get() - self.1))
        }
    }

    // SAFETY: it is what it wraps.
    unsafe impl Stack for ScriptStack {
        fn base(&self) -> StackPointer {
            self.0.base()
        }

        fn limit(&self) -> StackPointer {
            self.0.limit()
        }

        #[cfg(windows)]
        fn teb_fields(&self) -> corosensei::stack::StackTebFields {
            self.0.teb_fields()
        }

        #[cfg(windows)]
        fn update_teb_fields(&mut self, stack_limit: usize, guaranteed_stack_bytes: usize) {
            self.0.update_teb_fields(stack_limit, guaranteed_stack_bytes);
        }
    }

    pub(in super::super) trait Trap {}

    impl<T: 'static> Trap for CoroutineTrapHandler<Option<T>> {}

    pub(in super::super) fn watched<T>(
        _: &Bounds,
        _: &Cell<usize>,
        _: &dyn Trap,
        resume: impl FnOnce() -> T,
    ) -> T {
        resume()
    }
}
