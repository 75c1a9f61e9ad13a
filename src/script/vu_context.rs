//! A virtual user as its script sees it: identity, state, randomness, cookies, tags.
//!
//! Owns everything that lives as long as the virtual user. Leaves its life cycle to `vu`. Invariant: `this` and
//! the client are private to the user; a finished request is counted when the user next waits, at the latest.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rand_xoshiro::Xoshiro256PlusPlus;
use rhai::{Dynamic, FnPtr, Map};

use super::api::response::ResponseData;
use super::api::ws::{Arrival, Listener, SocketData};
use super::ending::Waiter;
use super::pulse::Calling;
use crate::data::Lease;
use crate::http::{Client, Destination};
use crate::metrics::{Recorder, TagId, Tagged};
use crate::plan::Wait;
use crate::system::Timers;

/// See the module's description.
pub(crate) struct VuContext {
    /// Number of the virtual user, from 1; 0 runs `setup` and `teardown`.
    pub(crate) id: u64,
    /// Index of its scenario in the plan; keys caches.
    pub(crate) scenario_index: u32,
    /// Name of its scenario.
    pub(crate) scenario: Arc<str>,
    /// When it was created.
    pub(crate) started: Instant,
    /// Iterations begun, so the number of the running one, from 1; 0 in `on_start`.
    pub(crate) iteration: Cell<u64>,
    /// What its script was called for last.
    pub(crate) calling: Cell<Calling>,
    /// How late the running iteration started.
    pub(crate) lag: Cell<Duration>,
    /// The stage that its load is in; `None` in `setup` and `teardown`.
    pub(crate) stage: Option<Rc<dyn Stage>>,
    /// Whether its requests are counted; not so in `setup` and `teardown`.
    pub(crate) records: bool,
    /// The VU's own map.
    this: RefCell<Dynamic>,
    /// The address of that map, by which it is known wherever it is moved to.
    this_address: Cell<usize>,
    /// Connections and cookies.
    pub(crate) client: Client,
    /// Base URL of relative URLs.
    pub(crate) base: Option<Destination>,
    /// What is waited after the running iteration, for `think`.
    pub(crate) wait: RefCell<Wait>,
    /// Values that take precedence in `env::get`.
    pub(crate) env: Rc<BTreeMap<String, String>>,
    /// Its own random numbers.
    pub(crate) rng: RefCell<Xoshiro256PlusPlus>,
    /// Tags of all its requests, as text and as recorder ids.
    pub(crate) tags: Rc<VuTags>,
    /// The groups that are open, outermost first.
    pub(crate) groups: RefCell<Vec<OpenGroup>>,
    /// Table rows that it has leased.
    pub(crate) leases: RefCell<Vec<Lease>>,
    /// Requests that are done but whose verdict the script may still change.
    open: RefCell<Vec<Rc<ResponseData>>>,
    waiter: Rc<dyn Waiter>,
    timers: Rc<Timers>,
    /// No further iteration begins, and a wait between two is cut.
    stopping: Cell<bool>,
    /// A wait inside an iteration is cut too.
    cut_pauses: Cell<bool>,
    /// How often it was told to stop or to go on: what was decided before the last time is not acted on.
    tellings: Cell<u32>,
    interrupted: Cell<bool>,
    /// A listener to requests runs.
    listening: Cell<bool>,
    /// Websockets that have a handler.
    listeners: RefCell<Vec<Listener>>,
    /// A handler of a websocket runs.
    handling: Cell<bool>,
    /// The script was suspended because its slice of time was over, not because it waits.
    computing: Cell<bool>,
    /// `on_stop` or `teardown` runs: pauses are skipped instead of ending the script.
    in_stop_hook: Cell<bool>,
    /// Wakes the task the user lives in; the same one all its life.
    task_waker: RefCell<Option<Waker>>,
}

/// How a wait for a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Its time has come.
    Due,
    /// What it waits for has changed.
    Changed,
    /// The user is to end.
    Stopped,
}

/// Says which stage of the load it is.
pub(crate) trait Stage {
    /// The name of the stage, if it has one.
    fn stage(&self) -> Option<Arc<str>>;
}

/// Tags of a scenario: shown by `vu::tags()`, counted with every request.
#[derive(Debug, Default)]
pub(crate) struct VuTags {
    pub(crate) text: Vec<(String, String)>,
    pub(crate) ids: Vec<TagId>,
}

/// A group of the script that runs.
#[derive(Debug)]
pub(crate) struct OpenGroup {
    /// `::outer::inner`, as k6 has it.
    pub(crate) path: Arc<str>,
    /// Where the requests in it are counted; found out with the first, so that a group without any leaves nothing behind.
    tag: OnceCell<TagId>,
}

impl OpenGroup {
    pub(crate) fn new(path: Arc<str>) -> OpenGroup {
        OpenGroup { path, tag: OnceCell::new() }
    }

    /// The tag of the requests in it.
    pub(crate) fn tag(&self, recorder: &RefCell<Recorder>) -> TagId {
        *self.tag.get_or_init(|| recorder.borrow_mut().tag("group", &self.path))
    }
}

/// What a virtual user is made of.
pub(crate) struct VuParts {
    pub(crate) id: u64,
    pub(crate) scenario_index: u32,
    pub(crate) scenario: Arc<str>,
    pub(crate) stage: Option<Rc<dyn Stage>>,
    pub(crate) records: bool,
    pub(crate) client: Client,
    pub(crate) base: Option<Destination>,
    pub(crate) wait: Wait,
    pub(crate) env: Rc<BTreeMap<String, String>>,
    pub(crate) rng: Xoshiro256PlusPlus,
    pub(crate) tags: Rc<VuTags>,
    pub(crate) waiter: Rc<dyn Waiter>,
    pub(crate) timers: Rc<Timers>,
}

/// See [`VuContext::begin_listening`]; a guard, because the script may be unwound.
pub(crate) struct Listening<'a>(&'a Cell<bool>);

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl VuContext {
    pub(crate) fn new(parts: VuParts) -> Rc<VuContext> {
        Rc::new(VuContext {
            id: parts.id,
            scenario_index: parts.scenario_index,
            scenario: parts.scenario,
            started: Instant::now(),
            iteration: Cell::new(0),
            calling: Cell::default(),
            stage: parts.stage,
            lag: Cell::new(Duration::ZERO),
            records: parts.records,
            this: RefCell::new(new_this()),
            this_address: Cell::new(0),
            client: parts.client,
            base: parts.base,
            wait: RefCell::new(parts.wait),
            env: parts.env,
            rng: RefCell::new(parts.rng),
            tags: parts.tags,
            groups: RefCell::new(Vec::new()),
            leases: RefCell::new(Vec::new()),
            open: RefCell::new(Vec::new()),
            waiter: parts.waiter,
            timers: parts.timers,
            stopping: Cell::new(false),
            cut_pauses: Cell::new(false),
            tellings: Cell::new(0),
            interrupted: Cell::new(false),
            listening: Cell::new(false),
            listeners: RefCell::new(Vec::new()),
            handling: Cell::new(false),
            computing: Cell::new(false),
            in_stop_hook: Cell::new(false),
            task_waker: RefCell::new(None),
        })
    }

    /// The VU's own map; clones are the same map.
    pub(crate) fn this(&self) -> Dynamic {
        self.this.borrow().clone()
    }

    /// A call begins. The script may have replaced the map in the one before.
    pub(crate) fn begin_call(&self) {
        if let Some(address) = address(&self.this.borrow()) {
            self.this_address.set(address);
        }
    }

    /// Whether this value, which is not shared, is the VU's own map.
    pub(crate) fn has_as_own(&self, value: &Dynamic) -> bool {
        address(value) == Some(self.this_address.get())
    }

    /// Says where the VU's own map is from now on.
    pub(crate) fn move_this(&self, this: Dynamic) {
        *self.this.borrow_mut() = this;
    }

    /// Takes the VU's state away, for the caller to drop: it may be nested so deeply that this needs a large stack.
    /// The VU goes on with an empty map, as if no call had ever run.
    pub(crate) fn start_afresh(&self) -> (Dynamic, Vec<Listener>) {
        self.groups.borrow_mut().clear();
        self.listening.set(false);
        self.handling.set(false);
        self.computing.set(false);
        (self.this.replace(new_this()), self.listeners.take())
    }

    /// Whether the VU has any state of its own.
    pub(crate) fn has_state(&self) -> bool {
        !self.listeners.borrow().is_empty()
            || self.this.borrow().read_lock::<Map>().is_none_or(|map| !map.is_empty())
    }

    pub(crate) fn waiter(&self) -> &dyn Waiter {
        &*self.waiter
    }

    /// Keeps a finished request open to a verdict until the user next waits.
    pub(crate) fn keep_open(&self, response: Rc<ResponseData>) {
        self.open.borrow_mut().push(response);
    }

    /// Counts the requests that were open to a verdict.
    pub(crate) fn settle(&self, recorder: &mut Recorder) {
        for response in self.open.borrow_mut().drain(..) {
            response.count(recorder);
        }
    }

    /// The same, and gives them to whoever wants to know.
    pub(crate) fn take_settled(&self, recorder: &mut Recorder) -> Vec<Rc<ResponseData>> {
        let settled = std::mem::take(&mut *self.open.borrow_mut());
        settled.iter().for_each(|response| response.count(recorder));
        settled
    }

    /// Gives what arrives on a websocket to a handler from now on, or to none.
    pub(crate) fn listen(&self, listener: Listener) {
        // Dropped when nothing is borrowed any more: it holds values of the script.
        let mut before: Vec<Listener> = self.listeners.take();
        let at = before.iter().position(|known| known.is_of_same(&listener));
        let replaced = at.map(|at| before.swap_remove(at));
        if listener.has_handler() {
            before.push(listener);
        }
        self.listeners.replace(before);
        drop(replaced);
    }

    /// The handler of a websocket.
    pub(crate) fn handler_of(&self, socket: &Rc<SocketData>) -> Option<FnPtr> {
        self.listeners.borrow().iter().find_map(|listener| listener.handler_of(socket))
    }

    /// Forgets the websockets that nothing holds any more but their own handlers, which closes them. What they hold is
    /// dropped here, so on the stack of a script.
    pub(crate) fn end_listeners(&self) {
        // Almost no script listens; the others pay for one look.
        if self.listeners.borrow().is_empty() {
            return;
        }
        let (kept, ended) = self.listeners.take().into_iter().partition(Listener::is_held);
        self.listeners.replace(kept);
        drop::<Vec<Listener>>(ended);
    }

    /// What has arrived on a websocket that has a handler.
    #[inline]
    pub(crate) fn poll_arrival(&self, context: &mut Context<'_>) -> Poll<Arrival> {
        if self.listeners.borrow().is_empty() { Poll::Pending } else { self.poll_listeners(context) }
    }

    #[cold]
    fn poll_listeners(&self, context: &mut Context<'_>) -> Poll<Arrival> {
        // A script that is inside a method of `this`, or of a value that the handler has captured, would get an error
        // from a handler that uses it.
        if !self.can_handle() {
            return Poll::Pending;
        }
        for listener in &*self.listeners.borrow() {
            if let Poll::Ready(arrival) = listener.poll(self, context) {
                return Poll::Ready(arrival);
            }
        }
        Poll::Pending
    }

    /// Whether a handler could run now.
    pub(crate) fn can_handle(&self) -> bool {
        !self.handling.get() && !self.this.borrow().is_locked()
    }

    /// A handler of a websocket runs until the guard is dropped.
    pub(crate) fn begin_handling(&self) -> Listening<'_> {
        self.handling.set(true);
        Listening(&self.handling)
    }

    /// Listeners to requests run until the guard is dropped; `None` when they do already.
    pub(crate) fn begin_listening(&self) -> Option<Listening<'_>> {
        (!self.listening.replace(true)).then(|| Listening(&self.listening))
    }

    /// Keeps the waker of the task the user lives in, so that it can be told to stop while it waits.
    pub(crate) fn set_task_waker(&self, waker: &Waker) {
        self.task_waker.replace(Some(waker.clone()));
    }

    /// Tells the user to end after the running iteration, which goes on undisturbed.
    pub(crate) fn finish(&self) {
        self.stopping.set(true);
        self.wake();
    }

    /// The same, with a number as that of [`VuContext::stop`].
    pub(crate) fn dismiss(&self) -> u32 {
        self.tellings.set(self.tellings.get().wrapping_add(1));
        self.finish();
        self.tellings.get()
    }

    /// Tells the user to stop: as [`VuContext::finish`], and an iteration that sleeps ends there. Gives the number
    /// of this telling; see [`VuContext::tellings`].
    pub(crate) fn stop(&self) -> u32 {
        self.tellings.set(self.tellings.get().wrapping_add(1));
        self.cut_pauses.set(true);
        self.finish();
        self.tellings.get()
    }

    /// Takes [`VuContext::stop`] back, if the user has not ended yet.
    pub(crate) fn go_on(&self) {
        self.tellings.set(self.tellings.get().wrapping_add(1));
        self.cut_pauses.set(false);
        self.stopping.set(false);
    }

    /// Number of the last time it was told to stop or to go on.
    pub(crate) fn tellings(&self) -> u32 {
        self.tellings.get()
    }

    /// Ends the call that is running.
    pub(crate) fn interrupt(&self) {
        self.interrupted.set(true);
        self.wake();
    }

    /// Lets the user look again at what it waits for.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.task_waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// `on_stop` is to run: it may run although the iteration before it was interrupted.
    pub(crate) fn begin_stop_hook(&self) {
        self.in_stop_hook.set(true);
        self.interrupted.set(false);
        self.computing.set(false);
    }

    pub(crate) fn set_computing(&self, computing: bool) {
        self.computing.set(computing);
    }

    pub(crate) fn is_computing(&self) -> bool {
        self.computing.get()
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Whether [`VuContext::stop`] was called, and not only [`VuContext::finish`].
    pub(crate) fn is_told_to_stop(&self) -> bool {
        self.stopping.get() && self.cut_pauses.get()
    }

    /// `on_stop` or `teardown` runs.
    pub(crate) fn is_in_stop_hook(&self) -> bool {
        self.in_stop_hook.get()
    }

    /// Gives back the rows that are held for the iteration that has ended.
    pub(crate) fn end_iteration_leases(&self) {
        // Almost no script leases; the others pay for one look.
        if !self.leases.borrow().is_empty() {
            self.leases.borrow_mut().retain(|lease| lease.keep);
        }
    }

    /// Gives back all rows that are held.
    pub(crate) fn end_leases(&self) {
        self.leases.borrow_mut().clear();
    }

    /// Waits for something inside an iteration; `None` when the user was told to stop before it came.
    pub(crate) async fn unless_stopped<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if self.cut_pauses.get() || self.in_stop_hook.get() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// A pause inside an iteration; false when the user was told to stop before or meanwhile.
    pub(crate) async fn pause(&self, duration: Duration) -> bool {
        self.pause_unless(tokio::time::Instant::now() + duration, &self.cut_pauses).await
    }

    /// A wait between two iterations; false when the user was told to end before or meanwhile.
    pub(crate) async fn wait_until(&self, deadline: tokio::time::Instant) -> bool {
        self.pause_unless(deadline, &self.stopping).await
    }

    /// The same for something that may change meanwhile; without a deadline until it does.
    pub(crate) async fn wait_for_turn(
        &self,
        deadline: Option<tokio::time::Instant>,
        has_changed: impl Fn() -> bool,
    ) -> Waited {
        let mut sleep = pin!(deadline.map(|deadline| self.timers.sleep_until(deadline)));
        poll_fn(|context| {
            if self.stopping.get() {
                return Poll::Ready(Waited::Stopped);
            }
            if has_changed() {
                return Poll::Ready(Waited::Changed);
            }
            match sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.poll(context).map(|()| Waited::Due),
                None => Poll::Pending,
            }
        })
        .await
    }

    async fn pause_unless(&self, deadline: tokio::time::Instant, cut: &Cell<bool>) -> bool {
        if self.in_stop_hook.get() {
            return true;
        }
        let mut sleep = pin!(self.timers.sleep_until(deadline));
        poll_fn(|context| {
            if cut.get() {
                return Poll::Ready(false);
            }
            sleep.as_mut().poll(context).map(|()| true)
        })
        .await
    }
}

/// Where a map lies; it stays there when the value is moved.
fn address(value: &Dynamic) -> Option<usize> {
    value.read_lock::<Map>().map(|map| std::ptr::from_ref(&*map).addr())
}

/// Shared, so that closures given to `group` or `check` work on the same map as the task.
fn new_this() -> Dynamic {
    Dynamic::from(Map::new()).into_shared()
}

/// What checks, transactions and values of a script's metrics are told apart by, besides their own names and tags.
impl Tagged for VuContext {
    fn tag(&self, key: &str) -> Option<Cow<'_, str>> {
        match key {
            "scenario" => Some(Cow::Borrowed(&self.scenario)),
            "group" => self.group().map(|path| Cow::Owned(path.to_string())),
            _ => {
                let tag = self.tags.text.iter().find(|(known, _)| known == key);
                tag.map(|(_, value)| Cow::Borrowed(value.as_str()))
            }
        }
    }

    fn group(&self) -> Option<Arc<str>> {
        self.groups.borrow().last().map(|group| group.path.clone())
    }

    fn all(&self) -> &[(String, String)] {
        &self.tags.text
    }
}
