//! What host functions can reach: the virtual user that runs now, the recorder, the network, the run.
//!
//! One [`Host`] per engine, so per worker thread; nothing in it is shared between threads but [`RunState`].
//! Leaves suspending to whoever runs the script (the trait [`Waiter`]). Invariant: `current` is set
//! exactly while a script function runs on behalf of a virtual user.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Poll;
use std::time::{Duration, Instant};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rhai::{Dynamic, EvalAltResult, FnPtr, Position};

use super::api::ws::Arrival;
use super::call_site::CallSite;
use super::declare::Declarations;
use super::ending::{Ending, ScriptResult, Stopped};
use super::endpoint::EndpointCache;
use super::engine::ScriptEngine;
use super::environment::Environment;
use super::error::CallEnd;
use super::events::ScriptEvent;
use super::message::{Level, Message, MessageSink};
use super::pulse::Pulse;
use super::run_state::RunState;
use super::secrets::Secrets;
use super::store::Store;
use super::trace::HttpDebug;
use super::value::Value;
use super::vu_context::VuContext;
use crate::data::Registry;
use crate::metrics::{Recorder, ScriptError};
use crate::system::{held, is_counted, process_memory};

/// How often the clock is checked, in Rhai operations. An operation takes about 50 to 200 ns.
const OPS_PER_LOOK: u32 = 256;

/// How long a script may compute before the other virtual users of its thread get their turn.
const SLICE: Duration = Duration::from_micros(500);

/// Memory that a call may take, an iteration for example, in bytes.
const MOST_MEMORY: i64 = 1 << 30;

/// How much more it may take before the system is asked again, in bytes.
const MEMORY_STEP: i64 = 64 << 20;

/// How long the top level of a script may take.
const LOAD_TIME: Duration = Duration::from_secs(60);

/// What a script is given from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptInputs {
    /// Values of its parameters.
    pub(crate) params: BTreeMap<String, String>,
    /// What `env::get` finds before the environment of the process.
    pub(crate) env: BTreeMap<String, String>,
    /// Only the declarations matter: a parameter without a value is not an error.
    pub(crate) listing: bool,
    /// Seed of everything random.
    pub(crate) seed: u64,
    /// What is shown of each request.
    pub(crate) http_debug: HttpDebug,
    /// What all threads of the run have in common.
    pub(crate) common: Arc<Common>,
}

/// State shared by all threads of a run: the only script state that crosses threads.
#[derive(Debug, Default)]
pub(crate) struct Common {
    /// Data files.
    pub(crate) data: Registry,
    /// The store that scripts share.
    pub(crate) store: Arc<Store>,
    /// Variables of the environment.
    pub(crate) environment: Environment,
    /// Values that must not be shown.
    pub(crate) secrets: Secrets,
    /// Set when, while only the declarations matter, something stood in for a value that was not given.
    pub(crate) incomplete: AtomicBool,
}

/// See the module's description.
pub(crate) struct Host {
    pub(crate) inputs: ScriptInputs,
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) endpoints: RefCell<EndpointCache>,
    pub(crate) run: Arc<RunState>,
    messages: RefCell<MessageSink>,
    /// The script that is running.
    script: RefCell<Weak<ScriptEngine>>,
    /// Whether it listens to requests.
    tells_requests: Cell<bool>,
    /// Set while the top level runs: what it declares.
    pub(crate) declarations: RefCell<Option<Declarations>>,
    /// Set when an error shows that the run itself is set up wrongly, so that it makes no sense to go on.
    pub(crate) misconfigured: Cell<bool>,
    /// What `setup` returned.
    pub(crate) setup_data: RefCell<Dynamic>,
    /// Randomness of the top level; each virtual user has its own.
    pub(crate) load_rng: RefCell<Xoshiro256PlusPlus>,
    current: RefCell<Option<Rc<VuContext>>>,
    /// Where it is published who runs, on a worker thread.
    pulse: OnceCell<Arc<Pulse>>,
    /// Lowest address the running script's stack may reach.
    stack_limit: Cell<usize>,
    /// [`held`] above which the running call has taken too much memory.
    memory_top: Cell<i64>,
    /// Whether the allocator counts.
    counts_memory: bool,
    /// The running user is to lose its state, because that may be what fills the memory.
    took_too_much: Cell<bool>,
    ops: Cell<u32>,
    slice_started: Cell<Option<Instant>>,
    load_started: Cell<Instant>,
    in_flight: Cell<u64>,
    interrupted_requests: Cell<u64>,
}

impl Host {
    pub(crate) fn new(
        mut recorder: Recorder,
        run: Arc<RunState>,
        messages: MessageSink,
        inputs: ScriptInputs,
    ) -> Rc<Host> {
        let seed = inputs.seed;
        let common = inputs.common.clone();
        recorder.mask_with(Arc::new(move |text, most| common.secrets.mask_begin(text, most)));
        Rc::new(Host {
            inputs,
            recorder: RefCell::new(recorder),
            endpoints: RefCell::new(EndpointCache::default()),
            run,
            messages: RefCell::new(messages),
            script: RefCell::default(),
            tells_requests: Cell::new(false),
            declarations: RefCell::new(None),
            misconfigured: Cell::new(false),
            setup_data: RefCell::new(Dynamic::UNIT),
            load_rng: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
            current: RefCell::new(None),
            pulse: OnceCell::new(),
            stack_limit: Cell::new(0),
            memory_top: Cell::new(i64::MAX),
            counts_memory: is_counted(),
            took_too_much: Cell::new(false),
            ops: Cell::new(0),
            slice_started: Cell::new(None),
            load_started: Cell::new(Instant::now()),
            in_flight: Cell::new(0),
            interrupted_requests: Cell::new(0),
        })
    }

    /// What `vu::data()` gives from now on.
    pub(crate) fn set_data(&self, data: &Value) {
        *self.setup_data.borrow_mut() = data.to_dynamic();
    }

    /// Shows a message, without the secrets in it.
    pub(crate) fn message(&self, mut message: Message) {
        message.text = self.inputs.common.secrets.printed(message.text);
        let sink = self.messages.borrow().clone();
        sink(message);
    }

    /// Sends later messages elsewhere.
    pub(crate) fn set_messages(&self, sink: MessageSink) {
        self.messages.replace(sink);
    }

    /// This script runs from now on. Requests are told to it if it listens to them; otherwise telling costs nothing.
    pub(crate) fn set_script(&self, script: &Rc<ScriptEngine>) {
        self.tells_requests.set(script.listens(ScriptEvent::Request));
        self.script.replace(Rc::downgrade(script));
    }

    /// The script that is running; `None` at the top level.
    pub(crate) fn running_script(&self) -> Option<Rc<ScriptEngine>> {
        self.script.borrow().upgrade()
    }

    /// Calls a function that a websocket was given; its error is counted, and its user goes on. `None` when there is no
    /// value.
    ///
    /// # Errors
    /// How it ended the call, the user or the run.
    pub(crate) fn call_back<const N: usize, const E: usize>(
        &self,
        vu: &VuContext,
        function: &FnPtr,
        args: [Dynamic; N],
        extras: [Dynamic; E],
    ) -> Result<Option<Dynamic>, Ending> {
        let Some(script) = self.running_script() else { return Ok(None) };
        match script.call_back(vu, function, args, extras) {
            Ok(value) => Ok(Some(value)),
            Err(CallEnd::Error(error)) => {
                self.script_error(vu, &error);
                Ok(None)
            }
            Err(CallEnd::Ended(ending)) => Err(ending),
        }
    }

    /// Counts and shows an error that `vu` made.
    pub(crate) fn script_error(&self, vu: &VuContext, error: &ScriptError) {
        if vu.records {
            self.recorder.borrow_mut().script_error(error);
        }
        self.show_error(error);
    }

    /// Shows an error.
    pub(crate) fn show_error(&self, error: &ScriptError) {
        let text = format!("{}: {}\n{}", error.position, error.message, error.trace);
        let text = self.inputs.common.secrets.masked(text);
        self.message(Message { level: Level::Error, text, from: None });
    }

    /// Counts the requests that were open to a verdict, and tells them to the script if it listens. Its
    /// listeners may wait, so this must run inside the user's fiber.
    ///
    /// # Errors
    /// How a listener ended the call, the user or the run.
    pub(crate) fn settle(&self, vu: &VuContext) -> Result<(), Ending> {
        let listener = if self.tells_requests.get() { self.running_script() } else { None };
        match listener {
            None => {
                vu.settle(&mut self.recorder.borrow_mut());
                Ok(())
            }
            Some(script) => self.tell_requests(vu, &script),
        }
    }

    fn tell_requests(&self, vu: &VuContext, script: &ScriptEngine) -> Result<(), Ending> {
        let settled = vu.take_settled(&mut self.recorder.borrow_mut());
        // The requests that a listener makes are counted and not told, or it would never come to an end.
        let Some(_listening) = vu.begin_listening() else { return Ok(()) };
        for response in settled {
            let fired = script.fire(vu, ScriptEvent::Request, &response.facts(self));
            vu.settle(&mut self.recorder.borrow_mut());
            fired.errors.iter().for_each(|error| self.script_error(vu, error));
            if let Some(ending) = fired.ending {
                return Err(ending);
            }
        }
        Ok(())
    }

    /// Publishes who runs from now on.
    pub(crate) fn publish(&self, pulse: Arc<Pulse>) {
        // A second one would be a mistake of the worker; the first stays.
        let _ = self.pulse.set(pulse);
    }

    /// Makes `vu` the one host functions see; the script may use the stack down to `stack_limit`, and has taken so
    /// much memory so far.
    pub(crate) fn enter(&self, vu: Rc<VuContext>, stack_limit: usize, memory: i64) {
        if let Some(pulse) = self.pulse.get() {
            pulse.enter(vu.id, vu.scenario_index, vu.calling.get());
        }
        self.current.replace(Some(vu));
        self.stack_limit.set(stack_limit);
        self.begin_memory(memory);
        self.slice_started.set(None);
    }

    /// Lowest address that the running script's stack may reach. Whoever sets it to `usize::MAX` ends the script at
    /// its next operation: native code went beyond the memory of the stack.
    pub(crate) fn stack_mark(&self) -> &Cell<usize> {
        &self.stack_limit
    }

    /// The opposite of [`Host::enter`]; gives how much memory the script has taken.
    pub(crate) fn leave(&self) -> i64 {
        if let Some(pulse) = self.pulse.get() {
            pulse.leave();
        }
        self.current.replace(None);
        self.stack_limit.set(0);
        match self.memory_top.replace(i64::MAX) {
            i64::MAX => 0,
            top => held() - (top - MOST_MEMORY),
        }
    }

    fn begin_memory(&self, taken: i64) {
        if self.counts_memory {
            self.memory_top.set(held() + MOST_MEMORY - taken);
        }
    }

    /// Whether the allocator counts what scripts hold, so that their values need no limits of their own.
    pub(crate) fn counts_memory(&self) -> bool {
        self.counts_memory
    }

    /// Whether the call that has ended took too much memory, told once.
    pub(crate) fn took_too_much(&self) -> bool {
        self.took_too_much.take()
    }

    /// The virtual user that runs now.
    ///
    /// # Errors
    /// At the top level, where there is none.
    pub(crate) fn vu(&self, function: &str) -> ScriptResult<Rc<VuContext>> {
        match &*self.current.borrow() {
            Some(vu) => Ok(vu.clone()),
            None => Err(CallSite::User.refusal(function).into()),
        }
    }

    /// The virtual user that runs now, if one does.
    pub(crate) fn current(&self) -> Option<Rc<VuContext>> {
        self.current.borrow().clone()
    }

    /// The top level of a script is about to run.
    pub(crate) fn begin_load(&self) {
        self.declarations.replace(Some(Declarations::default()));
        self.load_started.set(Instant::now());
        self.took_too_much.set(false);
        self.begin_memory(0);
    }

    /// Whether the top level runs.
    pub(crate) fn is_loading(&self) -> bool {
        self.declarations.borrow().is_some()
    }

    /// What the top level declares.
    ///
    /// # Errors
    /// Inside a function, where nothing can be declared.
    pub(crate) fn declare<T>(
        &self,
        function: &str,
        declare: impl FnOnce(&mut Declarations) -> Result<T, String>,
    ) -> ScriptResult<T> {
        match &mut *self.declarations.borrow_mut() {
            Some(declarations) => Ok(declare(declarations)?),
            None => Err(CallSite::Declares.refusal(function).into()),
        }
    }

    /// Waits for a future on behalf of the running virtual user; others keep running.
    ///
    /// Requests that still were open to a verdict are counted first. What arrives meanwhile on websockets that have a
    /// handler is given to it; the future is not polled while a handler runs.
    ///
    /// # Errors
    /// The ending of the script, when the run stops meanwhile.
    pub(crate) fn wait<F: Future>(&self, vu: &VuContext, future: F) -> ScriptResult<F::Output> {
        self.settle(vu).map_err(Ending::into_error)?;
        let mut future = pin!(future);
        loop {
            let mut arrival = None;
            if let Some(value) = self.wait_once(vu, future.as_mut(), &mut arrival)? {
                return Ok(value);
            }
            if let Some(arrival) = arrival {
                arrival.deliver(self, vu).map_err(Ending::into_error)?;
            }
        }
    }

    /// The value of the future, or `None` when something has arrived before.
    fn wait_once<F: Future>(
        &self,
        vu: &VuContext,
        mut future: Pin<&mut F>,
        arrival: &mut Option<Arrival>,
    ) -> ScriptResult<Option<F::Output>> {
        let mut output = None;
        let waited = vu.waiter().wait(&mut |context| {
            // Connections outlive the call, and others free what they hold.
            let before = held();
            let polled = future.as_mut().poll(context);
            if self.memory_top.get() != i64::MAX {
                self.memory_top.set(self.memory_top.get() + held() - before);
            }
            match polled {
                Poll::Ready(value) => {
                    output = Some(value);
                    Poll::Ready(())
                }
                Poll::Pending => match vu.poll_arrival(context) {
                    Poll::Ready(arrived) => {
                        *arrival = Some(arrived);
                        Poll::Ready(())
                    }
                    Poll::Pending => Poll::Pending,
                },
            }
        });
        match waited {
            Ok(()) => Ok(output),
            Err(Stopped) => Err(Ending::Stopped.into_error()),
        }
    }

    /// Waits `duration`, or less when the run stops: then the script ends here.
    pub(crate) fn pause(&self, vu: &VuContext, duration: Duration) -> ScriptResult<()> {
        match self.wait(vu, vu.pause(duration))? {
            true => Ok(()),
            false => Err(Ending::Stopped.into_error()),
        }
    }

    /// Waits for something that other virtual users do; the script ends here when the run stops meanwhile.
    ///
    /// # Errors
    /// The ending of the script; in a function that stops a user, an error when it would have to wait.
    pub(crate) fn wait_for_others<F: Future>(&self, what: &str, future: F) -> ScriptResult<F::Output> {
        let vu = self.vu(what)?;
        match self.wait(&vu, vu.unless_stopped(future))? {
            Some(value) => Ok(value),
            None if vu.is_in_stop_hook() => {
                Err(format!("{what} would have to wait, which is not allowed in on_stop and teardown").into())
            }
            None => Err(Ending::Stopped.into_error()),
        }
    }

    /// Called by Rhai for every operation: stops scripts that are to stop, keeps the stack, shares the thread.
    #[inline(always)]
    pub(crate) fn on_operation(&self) -> Option<Dynamic> {
        let ops = self.ops.get().wrapping_add(1);
        self.ops.set(ops);
        // The address of a local is near enough to the stack pointer.
        let is_too_deep = (&raw const ops).addr() < self.stack_limit.get();
        let is_too_large = held() > self.memory_top.get();
        // One branch for all, because hardly any operation takes it.
        if !(is_too_deep | is_too_large | ops.is_multiple_of(OPS_PER_LOOK)) {
            return None;
        }
        self.look_closer(is_too_deep, is_too_large)
    }

    #[cold]
    fn look_closer(&self, is_too_deep: bool, is_too_large: bool) -> Option<Dynamic> {
        if is_too_deep {
            return Some(Dynamic::from(match self.stack_limit.get() {
                usize::MAX => Ending::ValueTooDeep,
                _ => Ending::TooDeep,
            }));
        }
        if is_too_large && let Some(ending) = self.look_at_memory() {
            return Some(Dynamic::from(ending));
        }
        if self.ops.get().is_multiple_of(OPS_PER_LOOK) { self.look_at_clock() } else { None }
    }

    /// The count says that the script has taken too much; the system has the last word, because what a connection
    /// allocates here and frees elsewhere adds up in a call that goes on for hours.
    #[cold]
    fn look_at_memory(&self) -> Option<Ending> {
        if process_memory().is_some_and(|bytes| i64::try_from(bytes).is_ok_and(|bytes| bytes < MOST_MEMORY)) {
            self.begin_memory(MOST_MEMORY - MEMORY_STEP);
            return None;
        }
        // It is told once; its functions may still have to end.
        self.memory_top.set(i64::MAX);
        self.took_too_much.set(true);
        Some(Ending::TooMuchMemory)
    }

    /// What a host function calls again and again when it computes for long: as an operation of the script. Others
    /// may get their turn here, so nothing may be borrowed.
    ///
    /// # Errors
    /// When the script is to end.
    pub(crate) fn step(&self) -> ScriptResult<()> {
        match self.on_operation() {
            Some(token) => Err(EvalAltResult::ErrorTerminated(token, Position::NONE).into()),
            None => Ok(()),
        }
    }

    #[cold]
    fn look_at_clock(&self) -> Option<Dynamic> {
        let Some(vu) = self.current() else {
            let loading =
                self.load_started.get().elapsed() > LOAD_TIME && self.declarations.borrow().is_some();
            return loading.then(|| Dynamic::from(Ending::LoadTooLong));
        };
        let now = Instant::now();
        let started = self.slice_started.get().unwrap_or(now);
        self.slice_started.set(Some(started));
        if now.duration_since(started) < SLICE {
            return None;
        }
        // Tokio's own yield lets the I/O driver run before this task is polled again; waking oneself does not. The
        // driver wakes connections and timers, and those the users that wait for them: hence two rounds.
        vu.set_computing(true);
        let mut waited = Ok(());
        for _ in 0..2 {
            let mut yielded = pin!(tokio::task::yield_now());
            waited = vu.waiter().wait(&mut |context| yielded.as_mut().poll(context));
            if waited.is_err() {
                break;
            }
        }
        vu.set_computing(false);
        self.slice_started.set(None);
        waited.is_err().then(|| Dynamic::from(Ending::Stopped))
    }

    /// Counts a request as in flight until the guard is dropped; one that is dropped before
    /// [`InFlight::done`] counts as interrupted.
    pub(crate) fn in_flight(self: &Rc<Self>) -> InFlight {
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight { host: self.clone(), done: false }
    }

    /// Requests in flight now, and requests interrupted so far.
    pub(crate) fn flight_counts(&self) -> (u64, u64) {
        (self.in_flight.get(), self.interrupted_requests.get())
    }
}

/// A request in flight.
pub(crate) struct InFlight {
    host: Rc<Host>,
    done: bool,
}

impl InFlight {
    /// The response is here, or will never be.
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.host.in_flight.set(self.host.in_flight.get() - 1);
        if !self.done {
            self.host.interrupted_requests.set(self.host.interrupted_requests.get() + 1);
        }
    }
}
