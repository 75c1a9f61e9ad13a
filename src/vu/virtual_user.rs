//! The life of a virtual user: `on_start`, iterations with waits between them, `on_stop`.
//!
//! Leaves to the executor when users are started and stopped. Invariants: every iteration that begins is
//! counted once, as completed, failed or interrupted; between iterations a user holds no stack.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::fiber::{Fiber, FiberError, FiberState};
use super::loading::forget_state;
use super::next_task::{Last, NextTask};
use super::turns::{Due, Spent, Turn, Turns};
use super::worker::Worker;
use crate::metrics::{IterationEnd, ScriptError};
use crate::plan::{ScenarioPlan, TaskPlan, Wait};
use crate::script::{
    Arrival, CallEnd, Calling, Ending, ScriptEvent, VALUE_TOO_DEEP, Value, VuContext, Waited, wait_seconds,
};
use crate::text::LONGEST_DURATION;

/// Least time before a failed `on_start` is tried again, so that a dead target is not hammered.
const LEAST_RETRY: Duration = Duration::from_secs(1);

/// What becomes of the user after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It goes on; the call did what it should.
    Go,
    /// It goes on, although the call failed.
    Failed,
    /// It ends: the run stops.
    Interrupted,
    /// It ends by its own wish, in the middle of the call.
    Leave,
}

/// A scenario as a worker thread runs it.
pub(crate) struct Scenario {
    pub(crate) plan: ScenarioPlan,
    pub(crate) name: std::sync::Arc<str>,
    pub(crate) next_task: NextTask,
    /// Some task has a wait of its own.
    pub(crate) tasks_have_waits: bool,
    /// What `env::get` finds first.
    pub(crate) env: Rc<BTreeMap<String, String>>,
}

/// A function of a scenario.
#[derive(Clone, Copy)]
enum Part {
    OnStart,
    /// Of this index.
    Task(usize),
    OnStop,
}

impl Part {
    fn calling(self) -> Calling {
        match self {
            Part::OnStart => Calling::OnStart,
            Part::Task(index) => Calling::Task(index as u16),
            Part::OnStop => Calling::OnStop,
        }
    }

    /// Its name; none where the scenario has no such function, which is not called then.
    fn function(self, scenario: &Scenario) -> &str {
        let plan = &scenario.plan;
        let function = match self {
            Part::OnStart => plan.on_start.as_deref(),
            Part::Task(index) => plan.tasks.get(index).map(|task| &*task.function),
            Part::OnStop => plan.on_stop.as_deref(),
        };
        function.unwrap_or_default()
    }
}

/// Runs one virtual user from start to end.
pub(crate) async fn live(
    worker: Rc<Worker>,
    vu: Rc<VuContext>,
    fiber: Rc<FiberState>,
    scenario: Rc<Scenario>,
    turns: Rc<dyn Turns>,
    first: Option<u64>,
) {
    let user = VirtualUser { worker, vu, fiber, scenario, turns, is_afresh: Cell::new(false) };
    poll_fn(|context| {
        user.vu.set_task_waker(context.waker());
        Poll::Ready(())
    })
    .await;
    if let Some(spent) = user.start(0).await {
        user.iterate(first, spent).await;
    }
    user.stop().await;
}

struct VirtualUser {
    worker: Rc<Worker>,
    vu: Rc<VuContext>,
    fiber: Rc<FiberState>,
    scenario: Rc<Scenario>,
    turns: Rc<dyn Turns>,
    /// Its state was taken away in a call that failed, so `on_start` has to run again.
    is_afresh: Cell<bool>,
}

impl Drop for VirtualUser {
    fn drop(&mut self) {
        forget_state(&self.vu);
    }
}

/// A turn that has come.
struct Begin {
    due: Instant,
    /// The executor says when the next one is due, not the scenario's wait.
    is_placed: bool,
}

impl VirtualUser {
    /// Calls `on_start` until it succeeds, for a user that has begun so many iterations; gives how many its failures
    /// have used up, or `None` when the user is to end instead.
    async fn start(&self, begun: u64) -> Option<u64> {
        if self.scenario.plan.on_start.is_none() {
            return Some(0);
        }
        let mut spent = 0;
        loop {
            let started = Instant::now();
            match self.call(Part::OnStart).await {
                Next::Go => return Some(spent),
                Next::Interrupted | Next::Leave => return None,
                Next::Failed => {
                    self.vu.end_leases();
                    self.is_afresh.set(false);
                    if !self.spend(begun + spent, started).await {
                        return None;
                    }
                    spent += 1;
                    let wait = self.wait(&self.scenario.plan.wait, None).await.max(LEAST_RETRY);
                    if !self.vu.wait_until(Instant::now() + wait).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Where the number of iterations is limited, an `on_start` that failed is one of them: a run of so many has an
    /// end also when no user can ever begin. False when none is left.
    async fn spend(&self, spent: u64, started: Instant) -> bool {
        let of_lane = match self.turns.spend(spent) {
            Spent::Later => Box::pin(self.spend_later(spent)).await,
            of_lane => of_lane,
        };
        if of_lane == Spent::Nothing {
            return false;
        }
        let of_run = match self.worker.claim_iteration() {
            Spent::Later => Box::pin(self.claim_later()).await,
            of_run => of_run,
        };
        match (of_lane, of_run) {
            (Spent::Unlimited, Spent::Unlimited) => return true,
            (_, Spent::Nothing) => return false,
            _ => {}
        }
        let mut recorder = self.worker.host().recorder.borrow_mut();
        recorder.iteration_started(&self.scenario.name);
        recorder.iteration(&self.scenario.name, IterationEnd::Failed, started.elapsed(), Duration::ZERO);
        of_lane != Spent::Last && of_run != Spent::Last
    }

    /// Waits for an iteration of the lane that other processes leave; none when the user is to end instead.
    async fn spend_later(&self, spent: u64) -> Spent {
        loop {
            let generation = self.turns.generation();
            match self.turns.spend(spent) {
                Spent::Later => {}
                of_lane => return of_lane,
            }
            if !self.hold(|| self.turns.generation() != generation).await {
                return Spent::Nothing;
            }
        }
    }

    /// The same for one of the run's number.
    async fn claim_later(&self) -> Spent {
        loop {
            if !self.hold(|| self.worker.has_iterations()).await {
                return Spent::Nothing;
            }
            match self.worker.claim_iteration() {
                Spent::Later => {}
                of_run => return of_run,
            }
        }
    }

    /// Waits until something has changed; false when the user is to end instead.
    async fn hold(&self, has_changed: impl Fn() -> bool) -> bool {
        let waited = self.listening(self.vu.wait_for_turn(None, has_changed)).await;
        waited.is_some_and(|waited| waited != Waited::Stopped)
    }

    /// Runs iterations; `spent` are those that the user has had before the first.
    async fn iterate(&self, first: Option<u64>, mut spent: u64) {
        let mut due = Instant::now();
        let mut last = None;
        let mut was_late = false;
        let mut first = first.map(Turn::Place);
        while !self.vu.is_stopping() {
            let turn = first.take().unwrap_or_else(|| self.turns.next(spent + self.vu.iteration.get()));
            let Some(mut begin) = self.begin(turn, due, spent).await else { return };
            let mut of_run = self.worker.claim_iteration();
            if of_run == Spent::Later {
                // Boxed: rare, and every user's future would have to make room for it.
                of_run = Box::pin(self.claim_later()).await;
                if !begin.is_placed {
                    // The time for which others were waited for is nobody's lag.
                    begin.due = Instant::now();
                }
            }
            if of_run == Spent::Nothing {
                return;
            }
            due = begin.due;
            let started = Instant::now();
            // The time is known here anyway.
            self.worker.timers().wake(started);
            let lag = started.saturating_duration_since(due);
            self.vu.lag.set(lag);
            self.vu.iteration.set(self.vu.iteration.get() + 1);
            let suspensions = self.fiber.suspensions();
            let task_index = self.scenario.next_task.choose(last, &mut *self.vu.rng.borrow_mut());
            let task = &self.scenario.plan.tasks[task_index];
            if self.scenario.tasks_have_waits {
                self.vu.wait.replace(self.wait_after(task).0.clone());
            }
            self.worker.host().recorder.borrow_mut().iteration_started(&self.scenario.name);
            let next = self.call(Part::Task(task_index)).await;
            last = Some(Last { task: task_index, failed: next == Next::Failed });
            self.vu.end_iteration_leases();
            let ended = Instant::now();
            let end = match next {
                Next::Go | Next::Leave => IterationEnd::Completed,
                Next::Failed => IterationEnd::Failed,
                Next::Interrupted => IterationEnd::Interrupted,
            };
            let recorder = &self.worker.host().recorder;
            recorder.borrow_mut().iteration(&self.scenario.name, end, ended - started, lag);
            if matches!(next, Next::Interrupted | Next::Leave) {
                return;
            }
            if self.is_afresh.take() {
                // Boxed: rare, and every user's future would have to make room for it.
                match Box::pin(self.start(spent + self.vu.iteration.get())).await {
                    Some(more) => spent += more,
                    None => return,
                }
            }
            if begin.is_placed {
                was_late = true;
            } else {
                due = match self.wait_after(task) {
                    // What was missed is not made up with a burst: after an iteration that could not wait for its
                    // time, the pace goes on from its start.
                    (Wait::Pacing(seconds), _) => {
                        let base = if was_late { started } else { due };
                        base + Duration::try_from_secs_f64(*seconds)
                            .unwrap_or(LONGEST_DURATION)
                            .min(LONGEST_DURATION)
                    }
                    (wait, of_task) => ended + self.wait(wait, of_task).await,
                };
                was_late = due <= ended;
            }
            if !was_late {
                if self.listening(self.vu.wait_until(due)).await != Some(true) {
                    return;
                }
            } else if self.fiber.suspensions() == suspensions {
                // A script that never waits must not keep the thread from the others.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until a turn has come; `None` when the user is to end instead. `due` is when the user itself would
    /// go on.
    async fn begin(&self, mut turn: Turn, mut due: Instant, spent: u64) -> Option<Begin> {
        loop {
            let generation = self.turns.generation();
            let changed = || self.turns.generation() != generation;
            let place = match turn {
                Turn::Free => return Some(Begin { due, is_placed: false }),
                Turn::Over => return None,
                Turn::Hold => {
                    if self.listening(self.vu.wait_for_turn(None, changed)).await? == Waited::Stopped {
                        return None;
                    }
                    // The time until then is nobody's lag.
                    due = Instant::now();
                    turn = self.turns.next(spent + self.vu.iteration.get());
                    continue;
                }
                Turn::Place(place) => place,
            };
            let deadline = match self.turns.due(place) {
                Due::Never => return None,
                Due::Later => None,
                Due::At(due) if due <= Instant::now() => return Some(Begin { due, is_placed: true }),
                Due::At(due) => Some(due),
            };
            match (self.listening(self.vu.wait_for_turn(deadline, changed)).await?, deadline) {
                (Waited::Stopped, _) => return None,
                (Waited::Due, Some(due)) => return Some(Begin { due, is_placed: true }),
                _ => {}
            }
        }
    }

    /// Waits for something between two iterations, and gives what arrives meanwhile on websockets to their handlers.
    /// `None` when the user is to end.
    async fn listening<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = pin!(wait);
        loop {
            let arrival = poll_fn(|context| match wait.as_mut().poll(context) {
                Poll::Ready(value) => Poll::Ready(Ok(value)),
                Poll::Pending => self.vu.poll_arrival(context).map(Err),
            });
            match arrival.await {
                Ok(value) => return Some(value),
                // Boxed: rare, and every user's future would have to make room for it.
                Err(arrival) => match Box::pin(self.hand_over(arrival)).await {
                    Next::Go | Next::Failed => {}
                    Next::Interrupted | Next::Leave => return None,
                },
            }
        }
    }

    /// Calls the handler of a websocket.
    async fn hand_over(&self, arrival: Arrival) -> Next {
        self.vu.calling.set(Calling::Listener);
        let (vu, host) = (self.vu.clone(), self.worker.host().clone());
        let called = self
            .run("on_message", move || {
                let handled = arrival.deliver(&host, &vu).and_then(|()| host.settle(&vu));
                vu.end_listeners();
                handled.map_err(CallEnd::Ended)
            })
            .await;
        self.vu.settle(&mut self.worker.host().recorder.borrow_mut());
        self.vu.groups.borrow_mut().clear();
        match self.judge(called).0 {
            Judged::Next(next) => next,
            Judged::Failed(_) => Next::Failed,
        }
    }

    async fn stop(&self) {
        self.vu.begin_stop_hook();
        if self.scenario.plan.on_stop.is_some() && !self.worker.is_stopping_now() {
            self.call(Part::OnStop).await;
        }
        self.vu.end_leases();
        self.worker.leave(&self.vu);
        self.turns.left(self.vu.id);
    }

    /// What is waited after a task, and the task if the wait is its own.
    fn wait_after<'a>(&'a self, task: &'a TaskPlan) -> (&'a Wait, Option<&'a str>) {
        match &task.wait {
            Some(wait) => (wait, Some(&task.function)),
            None => (&self.scenario.plan.wait, None),
        }
    }

    /// How long to wait after an iteration.
    async fn wait(&self, wait: &Wait, of_task: Option<&str>) -> Duration {
        let seconds = match wait {
            // When it fails, that is counted; without a wait its error would be counted without end.
            Wait::Script => self.ask_wait(of_task).await.unwrap_or(LEAST_RETRY.as_secs_f64()),
            wait => wait_seconds(wait, &mut *self.vu.rng.borrow_mut()),
        };
        // What chance draws has no end.
        Duration::try_from_secs_f64(seconds.min(LONGEST_DURATION.as_secs_f64())).unwrap_or(LEAST_RETRY)
    }

    async fn ask_wait(&self, of_task: Option<&str>) -> Option<f64> {
        let (script, vu, name) = (self.worker.script(), self.vu.clone(), self.scenario.name.clone());
        let task = of_task.map(str::to_owned);
        self.vu.calling.set(Calling::Wait);
        let called = self.run("wait", move || script.wait_seconds(&vu, &name, task.as_deref())).await;
        self.judge(called).1
    }

    /// Calls a function of the scenario and counts its mistakes.
    async fn call(&self, part: Part) -> Next {
        self.vu.calling.set(part.calling());
        let (script, vu, scenario) = (self.worker.script(), self.vu.clone(), self.scenario.clone());
        let host = self.worker.host().clone();
        let result = self
            .run(part.function(&self.scenario), move || {
                let called = script.call(&vu, part.function(&scenario));
                // Here and not after the fiber: listeners to requests may wait.
                let called = match called {
                    Ok(()) | Err(CallEnd::Error(_)) => host.settle(&vu).map_err(CallEnd::Ended).and(called),
                    Err(CallEnd::Ended(_)) => called,
                };
                vu.end_listeners();
                called
            })
            .await;
        self.vu.settle(&mut self.worker.host().recorder.borrow_mut());
        self.vu.groups.borrow_mut().clear();
        match self.judge(result) {
            // Boxed: rare, and every user's future would have to make room for it.
            (Judged::Failed(error), _) => Box::pin(self.tell_error(error)).await,
            (Judged::Next(next), _) => next,
        }
    }

    /// Calls the listeners to script errors; gives what becomes of the user after the call that failed.
    async fn tell_error(&self, error: ScriptError) -> Next {
        let script = self.worker.script();
        if !script.listens(ScriptEvent::ScriptError) {
            return Next::Failed;
        }
        let vu = self.vu.clone();
        let fields = vec![
            ("message".into(), Value::Text(error.message)),
            ("position".into(), Value::Text(error.position)),
            ("vu".into(), Value::Int(vu.id as i64)),
            ("iteration".into(), Value::Int(vu.iteration.get() as i64)),
        ];
        self.vu.calling.set(Calling::Listener);
        let called = self.run("on", move || Ok(script.fire(&vu, ScriptEvent::ScriptError, &fields))).await;
        self.vu.settle(&mut self.worker.host().recorder.borrow_mut());
        let called = match called {
            Called::Done(Ok(fired)) => {
                // An error in a listener to errors is counted and not told again.
                fired.errors.iter().for_each(|error| self.worker.host().script_error(&self.vu, error));
                Called::Done(fired.ending.map_or(Ok(()), |ending| Err(CallEnd::Ended(ending))))
            }
            Called::Done(Err(end)) => Called::Done(Err(end)),
            Called::Interrupted(place) => Called::Interrupted(place),
            Called::Broken(error) => Called::Broken(error),
        };
        match self.judge(called) {
            (Judged::Next(Next::Go) | Judged::Failed(_), _) => Next::Failed,
            (Judged::Next(next), _) => next,
        }
    }

    /// Runs a call in a fiber, until it is done or the user is interrupted.
    async fn run<T: 'static>(
        &self,
        function: &str,
        call: impl FnOnce() -> Result<T, CallEnd> + 'static,
    ) -> Called<T> {
        let worker = &self.worker;
        let fiber = Fiber::new(worker.stacks(), worker.host(), &self.vu, &self.fiber, call);
        let mut fiber = match fiber {
            Ok(fiber) => fiber,
            Err(error) => return Called::Broken(error),
        };
        poll_fn(|context| {
            if self.vu.is_interrupted() {
                let place = self.vu.is_computing().then(|| worker.script().place_of(function, &self.vu));
                return Poll::Ready(Called::Interrupted(place));
            }
            match Pin::new(&mut fiber).poll(context) {
                Poll::Ready(Ok(result)) => Poll::Ready(Called::Done(result)),
                Poll::Ready(Err(error)) => Poll::Ready(Called::Broken(error)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// What a call's end means for the user, and its value.
    fn judge<T>(&self, called: Called<T>) -> (Judged, Option<T>) {
        let worker = &self.worker;
        let next = match called {
            Called::Done(Ok(value)) => return (Judged::Next(Next::Go), Some(value)),
            Called::Done(Err(CallEnd::Error(error))) => {
                if worker.host().misconfigured.take() {
                    // The run ends with this error; counting it besides would tell it twice.
                    worker.misconfigured(&error);
                    return (Judged::Next(Next::Interrupted), None);
                }
                if worker.host().took_too_much() {
                    self.is_afresh.set(true);
                    forget_state(&self.vu);
                }
                worker.host().script_error(&self.vu, &error);
                return (Judged::Failed(error), None);
            }
            Called::Done(Err(CallEnd::Ended(Ending::VuStop))) => Next::Leave,
            Called::Done(Err(CallEnd::Ended(Ending::Abort(reason)))) => {
                worker.abort(&reason);
                Next::Interrupted
            }
            Called::Interrupted(Some(place)) => {
                let error = ScriptError {
                    message:
                        "was still computing, without waiting for anything, when it was stopped: is there an \
                              endless loop?"
                            .to_owned(),
                    ..place
                };
                worker.host().script_error(&self.vu, &error);
                Next::Interrupted
            }
            Called::Done(Err(CallEnd::Ended(_))) | Called::Interrupted(None) => Next::Interrupted,
            Called::Broken(error) => {
                if matches!(error, FiberError::Overflowed) {
                    // What was on the stack is lost, and may have borrowed the state for ever.
                    self.is_afresh.set(true);
                    forget_state(&self.vu);
                }
                let error = broken(error, worker.script().main_file());
                worker.host().script_error(&self.vu, &error);
                return (Judged::Failed(error), None);
            }
        };
        (Judged::Next(next), None)
    }
}

/// What a call's end means for the user.
enum Judged {
    Next(Next),
    /// It failed with this error, which has been counted and shown.
    Failed(ScriptError),
}

/// How a call in a fiber ended.
enum Called<T> {
    Done(Result<T, CallEnd>),
    /// From outside; with the place of the function when it was computing and not waiting.
    Interrupted(Option<ScriptError>),
    Broken(FiberError),
}

/// What a call that did not come to its end is told as.
pub(super) fn broken(error: FiberError, file: &str) -> ScriptError {
    let message = match error {
        FiberError::Panicked(message) => {
            format!("a host function panicked: {message} (a mistake in the program that runs this script)")
        }
        FiberError::Overflowed => VALUE_TOO_DEEP.to_owned(),
        FiberError::NoStack(error) => format!(
            "no memory for another running iteration: {error} (each one in flight needs two mappings; see \
             sysctl vm.max_map_count)"
        ),
    };
    ScriptError { message, position: file.to_owned(), trace: String::new() }
}
