//! A worker thread: one engine, one recorder, one network, and the virtual users that live on it.
//!
//! Owns the thread's state and the table of its users. Leaves to `run` what it is told to do and to the
//! executor when. Invariant: nothing here is shared with another thread but [`Shared`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::fiber::{FiberState, StackPool};
use super::hooks::shown;
use super::loading::load_script;
use super::next_task::NextTask;
use super::quota::Quota;
use super::turns::{Spent, Turns};
use super::virtual_user::{Scenario, live};
use crate::http::{Client, Destination, Network, Transport};
use crate::metrics::{CustomMetric, Threshold};
use crate::metrics::{DEFAULT_SERIES_CAP, Delta, Recorder, ScriptError, Tap, Thresholds, WorkerHealth};
use crate::plan::{ScenarioPlan, TestPlan, Wait};
use crate::script::{
    Extension, Host, LastHooks, LoadError, MessageSink, Pulse, RunState, ScriptEngine, ScriptInputs, Secrets,
    Sources, Stage, Value, VuContext, VuParts, VuTags,
};
use crate::share::Share;
use crate::system::{Sleep, Timers, thread_cpu};

/// How often a thread looks whether it is on time, also when none of its users waits for anything.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// What all worker threads of a run are given.
pub(crate) struct Shared {
    pub(crate) plan: TestPlan,
    pub(crate) sources: Sources,
    pub(crate) inputs: ScriptInputs,
    pub(crate) extensions: Vec<Extension>,
    /// Values of the script's top-level variables, as the first load computed them.
    pub(crate) variables: BTreeMap<String, Value>,
    /// The scenarios as the script declares them, before anything was left out.
    pub(crate) declared: Vec<ScenarioPlan>,
    /// Saved changes of the script are loaded while the run goes on.
    pub(crate) watch: bool,
    /// Those in which there is an error are refused.
    pub(crate) check_first: bool,
    /// Limits on what is measured, and the script's own metrics that they may name.
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) own_metrics: Vec<CustomMetric>,
    pub(crate) last_hooks: LastHooks,
    pub(crate) transport: Arc<Transport>,
    pub(crate) run: Arc<RunState>,
    pub(crate) messages: MessageSink,
    /// What this process takes of the load.
    pub(crate) share: Share,
    /// Iterations that may still begin in this process; `None` is without limit.
    pub(crate) quota: Option<Quota>,
}

/// What a worker tells the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The script asked for the end of the run.
    Abort,
    /// None is left of what this process may take of a number of iterations.
    NoIterationsLeft {
        /// Index of the lane whose users have them together; `None` is the number of the run.
        lane: Option<usize>,
        /// Number of the last allowances that it knows of.
        allowed: u64,
    },
    /// The script shows that the run is set up wrongly: the error, ready to be shown.
    Misconfigured(String),
    /// On this worker, all users of a lane have ended, and its schedule of this generation starts none any more.
    LaneIdle {
        /// Index of the lane.
        lane: usize,
        /// The worker's number.
        worker: usize,
        /// Which schedule; `None` when the lane's part on this worker has been ended for good.
        generation: Option<u64>,
        /// Iterations of the lane that were taken on this worker until then.
        taken: u64,
        /// Iterations of the run's number that were.
        claimed: u64,
    },
    /// A lane needs more users than its `max_vus`.
    LimitMet {
        /// Index of the lane.
        lane: usize,
    },
}

/// What a virtual user is started with.
pub(crate) struct Seat {
    /// Its number, from 1.
    pub(crate) id: u64,
    /// Index of its scenario.
    pub(crate) scenario: usize,
    /// Who gives it its iterations.
    pub(crate) turns: Rc<dyn Turns>,
    /// The place of its first iteration, when it is started for a certain one.
    pub(crate) first: Option<u64>,
}

/// A worker's figures at the end of an interval.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Interval {
    pub(crate) delta: Delta,
    pub(crate) users: u64,
    /// Most users at once since the last interval.
    pub(crate) users_peak: u64,
    pub(crate) in_flight: u64,
    pub(crate) interrupted_requests: u64,
    /// How well this thread keeps up.
    pub(crate) health: WorkerHealth,
    /// Iterations of the run's number that were taken here so far.
    pub(crate) claimed: u64,
    /// By index, the lanes that have begun.
    pub(crate) lanes: Vec<LaneCount>,
}

/// What a worker says of a lane at the end of an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaneCount {
    /// Index of the lane.
    pub(crate) lane: usize,
    /// Iterations that were taken here so far, whether begun or not.
    pub(crate) taken: u64,
    /// Users that there are here.
    pub(crate) users: u64,
}

/// See the module's description.
pub(crate) struct Worker {
    pub(super) shared: Arc<Shared>,
    /// Replaced by a reload; a call that runs keeps its own.
    script: RefCell<Rc<ScriptEngine>>,
    host: Rc<Host>,
    network: Rc<Network>,
    stacks: Rc<StackPool>,
    timers: Rc<Timers>,
    scenarios: Vec<Rc<Scenario>>,
    bases: Vec<Option<Destination>>,
    tags: Vec<Rc<VuTags>>,
    /// What `setup` returned.
    pub(super) data: RefCell<Value>,
    users: RefCell<BTreeMap<u64, Rc<VuContext>>>,
    users_peak: Cell<u64>,
    /// Iterations of the run's number that were taken here.
    claimed: Cell<u64>,
    /// CPU time of this thread when the open interval began.
    cpu_before: Cell<Option<Duration>>,
    stopping_now: Cell<bool>,
    /// Tells the run of something that it has to act on; rare: at most a few times per user.
    tell: Box<dyn Fn(Event)>,
    /// Held while listeners to the run's events run: one event after the other, in their order.
    pub(super) telling: tokio::sync::Mutex<()>,
}

impl Worker {
    /// Loads the script for this thread. To be called on it, inside its `LocalSet`.
    ///
    /// # Errors
    /// As loading a script.
    pub(crate) fn new(
        shared: Arc<Shared>,
        tap: Option<Tap>,
        pulse: Arc<Pulse>,
        tell: impl Fn(Event) + 'static,
    ) -> Result<Rc<Worker>, LoadError> {
        let host = Host::new(
            Recorder::new(DEFAULT_SERIES_CAP),
            shared.run.clone(),
            // The first load has shown what the top level prints.
            Arc::new(|_| {}),
            shared.inputs.clone(),
        );
        pulse.begin();
        host.publish(pulse.clone());
        let (_, watches) = Thresholds::new(&shared.thresholds, &shared.own_metrics);
        host.recorder.borrow_mut().watch(&watches);
        if let Some(tap) = tap {
            host.recorder.borrow_mut().tap(tap);
        }
        let script =
            load_script(&shared.sources, &host, &shared.extensions, &shared.variables, |script, _| script)?;
        host.set_messages(shared.messages.clone());
        let script = Rc::new(script);
        host.set_script(&script);
        let scenarios = shared.plan.scenarios.iter().map(scenario).collect();
        let bases = shared.plan.scenarios.iter().map(|plan| base(&shared.plan, Some(plan))).collect();
        let tags = shared.plan.scenarios.iter().map(|plan| tags(&shared.plan, plan, &host)).collect();
        let timers = Timers::new();
        tokio::task::spawn_local(keep_time(timers.clone(), pulse));
        Ok(Rc::new(Worker {
            timers,
            network: Network::new(shared.transport.clone()),
            script: RefCell::new(script),
            host,
            stacks: StackPool::new(),
            scenarios,
            bases,
            tags,
            data: RefCell::new(Value::Unit),
            users: RefCell::new(BTreeMap::new()),
            users_peak: Cell::new(0),
            claimed: Cell::new(0),
            cpu_before: Cell::new(None),
            stopping_now: Cell::new(false),
            tell: Box::new(tell),
            telling: tokio::sync::Mutex::new(()),
            shared,
        }))
    }

    pub(super) fn script(&self) -> Rc<ScriptEngine> {
        self.script.borrow().clone()
    }

    /// Loads a changed script for this thread; calls that begin from now on use it. When it does not load
    /// here, although it did aside, the old one stays.
    pub(crate) fn reload(&self, sources: &Sources, variables: &BTreeMap<String, Value>) {
        self.host.set_messages(Arc::new(|_| {}));
        let sources = match self.shared.sources.is_closed() {
            true => sources.clone().closed(),
            false => sources.clone(),
        };
        let loaded =
            load_script(&sources, &self.host, &self.shared.extensions, variables, |script, _| script);
        self.host.set_messages(self.shared.messages.clone());
        match loaded {
            Ok(script) => {
                let script = Rc::new(script);
                self.host.set_script(&script);
                self.script.replace(script);
            }
            Err(error) => self.host.show_error(&error),
        }
    }

    pub(super) fn host(&self) -> &Rc<Host> {
        &self.host
    }

    /// Waits until an instant, exactly; see [`Timers`].
    pub(crate) fn sleep_until(&self, at: Instant) -> Sleep {
        self.timers.sleep_until(at)
    }

    pub(super) fn timers(&self) -> &Timers {
        &self.timers
    }

    pub(super) fn stacks(&self) -> &Rc<StackPool> {
        &self.stacks
    }

    pub(super) fn is_stopping_now(&self) -> bool {
        self.stopping_now.get()
    }

    /// Starts a virtual user on this thread.
    pub(crate) fn start_user(self: &Rc<Self>, seat: Seat) {
        let scenario = self.scenarios[seat.scenario].clone();
        let fiber = FiberState::new();
        let stage: Rc<dyn Stage> = seat.turns.clone();
        let vu = self.context(seat.id, seat.scenario, Some(stage), &scenario.plan.wait, &fiber);
        let mut users = self.users.borrow_mut();
        if users.insert(seat.id, vu.clone()).is_none() {
            self.shared.run.user_started();
        }
        self.users_peak.set(self.users_peak.get().max(users.len() as u64));
        drop(users);
        tokio::task::spawn_local(live(self.clone(), vu, fiber, scenario, seat.turns, seat.first));
    }

    /// Tells a user to stop: a wait ends at once, a running iteration gets `grace`, or else the stop timeout.
    pub(crate) fn stop_user(self: &Rc<Self>, id: u64, grace: Option<Duration>) {
        let Some(vu) = self.users.borrow().get(&id).cloned() else { return };
        // One that only finishes its iteration can still be told to stop.
        if vu.is_told_to_stop() {
            return;
        }
        let telling = vu.stop();
        let timeout = self.stop_timeout(vu.scenario_index as usize);
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            let mut grace = grace.unwrap_or(timeout);
            // The second time is for an `on_stop` that does not end.
            for _ in 0..2 {
                tokio::time::sleep(grace).await;
                if vu.tellings() != telling || !worker.users.borrow().contains_key(&id) {
                    return;
                }
                vu.interrupt();
                grace = timeout;
            }
        });
    }

    /// Tells a user that the load has no place for it any more, for good when that is the `end`. A running iteration goes on
    /// undisturbed for the graceful stop, or when it leaves before the end for `ramp_down`, and is then cut off; where
    /// neither is set, the user is stopped as by [`Worker::stop_user`].
    pub(crate) fn dismiss_user(self: &Rc<Self>, id: u64, ramp_down: Option<Duration>, is_end: bool) {
        let Some(vu) = self.users.borrow().get(&id).cloned() else { return };
        let at_end = self.shared.plan.graceful_stop_of(vu.scenario_index as usize);
        let Some(grace) = (if is_end { at_end.or(ramp_down) } else { ramp_down.or(at_end) }) else {
            return self.stop_user(id, None);
        };
        if vu.is_told_to_stop() {
            return;
        }
        let telling = vu.dismiss();
        let worker = self.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(grace).await;
            if vu.tellings() == telling && worker.users.borrow().contains_key(&id) {
                // The time of `on_stop` is its own.
                worker.stop_user(id, (!vu.is_in_stop_hook()).then_some(Duration::ZERO));
            }
        });
    }

    /// Dismisses all users, for good.
    pub(crate) fn dismiss_all(self: &Rc<Self>) {
        let all: Vec<u64> = self.users.borrow().keys().copied().collect();
        all.into_iter().for_each(|id| self.dismiss_user(id, None, true));
    }

    /// Lets a user that was told to stop go on, if it has not ended; false when there is none of this number.
    pub(crate) fn keep_user(&self, id: u64) -> bool {
        let users = self.users.borrow();
        let user = users.get(&id);
        if let Some(vu) = user {
            vu.go_on();
        }
        user.is_some()
    }

    /// Time that running iterations of a scenario get when their user is stopped.
    pub(crate) fn stop_timeout(&self, scenario: usize) -> Duration {
        self.shared.plan.stop_timeout_of(scenario)
    }

    /// Lets all users look again at what they wait for.
    pub(crate) fn wake_users(&self) {
        self.users.borrow().values().for_each(|vu| vu.wake());
    }

    /// What is run.
    pub(crate) fn plan(&self) -> &TestPlan {
        &self.shared.plan
    }

    /// Lets all users end after the iteration they are in.
    pub(crate) fn finish_all(&self) {
        self.users.borrow().values().for_each(|vu| vu.finish());
    }

    /// Stops all users as [`Worker::stop_user`] does.
    pub(crate) fn stop_all(self: &Rc<Self>) {
        let all: Vec<u64> = self.users.borrow().keys().copied().collect();
        all.into_iter().for_each(|id| self.stop_user(id, None));
    }

    /// Ends all users without waiting for anything; `on_stop` is not called.
    pub(crate) fn stop_now(&self) {
        self.stopping_now.set(true);
        for vu in self.users.borrow().values() {
            vu.stop();
            vu.interrupt();
        }
    }

    pub(super) fn leave(&self, vu: &VuContext) {
        if self.users.borrow_mut().remove(&vu.id).is_some() {
            self.shared.run.user_left();
        }
    }

    /// Tells the run something.
    pub(crate) fn tell(&self, event: Event) {
        (self.tell)(event);
    }

    /// When the load began; now, if it has not.
    pub(crate) fn load_start(&self) -> Instant {
        self.shared.run.started().map_or_else(Instant::now, Instant::from_std)
    }

    /// Takes one iteration of the run's number.
    pub(super) fn claim_iteration(&self) -> Spent {
        let Some(quota) = &self.shared.quota else { return Spent::Unlimited };
        let spent = quota.claim();
        if spent != Spent::Nothing {
            self.claimed.set(self.claimed.get() + 1);
        }
        if spent == Spent::Last {
            self.look_at_quota();
        }
        match spent {
            spent if self.shared.share.is_alone() => spent,
            Spent::Nothing => Spent::Later,
            // What is the last one here may not be the last of all.
            _ => Spent::More,
        }
    }

    /// Whether an iteration of the run's number is left for this process.
    pub(super) fn has_iterations(&self) -> bool {
        self.shared.quota.as_ref().is_none_or(Quota::has_some)
    }

    /// Iterations of the run's number that were taken here so far.
    pub(crate) fn claimed(&self) -> u64 {
        self.claimed.get()
    }

    /// Tells the run when no iteration of its number is left for this process.
    pub(crate) fn look_at_quota(&self) {
        if let Some(allowed) = self.shared.quota.as_ref().and_then(Quota::used_up) {
            self.tell(Event::NoIterationsLeft { lane: None, allowed });
        }
    }

    /// What this process may take of the run's number in all, whichever of its threads hears of it first.
    pub(crate) fn allow_iterations(&self, number: u64, iterations: u64) {
        if let Some(quota) = &self.shared.quota {
            quota.allow(number, iterations);
        }
        self.look_at_quota();
        self.wake_users();
    }

    /// Counts iterations of a scenario that were due and are never begun.
    pub(crate) fn record_dropped(&self, scenario: usize, count: u64) {
        let name = &self.scenarios[scenario].name;
        self.host.recorder.borrow_mut().dropped_iterations(name, count);
    }

    pub(super) fn abort(&self, reason: &str) {
        self.shared.run.abort(&self.secrets().masked(reason.to_owned()));
        self.tell(Event::Abort);
    }

    pub(super) fn misconfigured(&self, error: &ScriptError) {
        self.tell(Event::Misconfigured(self.secrets().masked(shown(error))));
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.shared.inputs.common.secrets
    }

    /// Everything counted since the last call, without secrets in its texts; of the lanes their owner says it.
    pub(crate) fn take_interval(&self) -> Interval {
        let (in_flight, interrupted_requests) = self.host.flight_counts();
        let users = self.users.borrow().len() as u64;
        let mut delta = self.host.recorder.borrow_mut().take();
        delta.replace_texts(|text, most| self.secrets().mask_begin(text, most));
        let health = self.take_health();
        let users_peak = self.users_peak.replace(users);
        let (claimed, lanes) = (self.claimed.get(), Vec::new());
        Interval { delta, users, users_peak, in_flight, interrupted_requests, health, claimed, lanes }
    }

    /// The load begins: what this thread did before is not part of its figures.
    pub(crate) fn begin_load(&self) {
        self.take_health();
    }

    fn take_health(&self) -> WorkerHealth {
        let cpu = thread_cpu();
        let before = self.cpu_before.replace(cpu);
        let used = cpu.zip(before).map(|(now, before)| now.saturating_sub(before));
        WorkerHealth { cpu: used, lateness: self.timers.take_lateness() }
    }

    pub(super) fn context(
        &self,
        id: u64,
        scenario: usize,
        stage: Option<Rc<dyn Stage>>,
        wait: &Wait,
        fiber: &Rc<FiberState>,
    ) -> Rc<VuContext> {
        // Without a stage it is the user of `setup` and `teardown`.
        let records = stage.is_some();
        VuContext::new(VuParts {
            id,
            scenario_index: scenario as u32,
            scenario: if records { self.scenarios[scenario].name.clone() } else { "setup".into() },
            stage,
            records,
            client: Client::new(self.network.clone()),
            base: self.bases[scenario].clone(),
            wait: wait.clone(),
            env: if records { self.scenarios[scenario].env.clone() } else { Rc::default() },
            rng: user_rng(self.shared.plan.seed, id),
            tags: self.tags[scenario].clone(),
            waiter: fiber.clone(),
            timers: self.timers.clone(),
        })
    }
}

/// Lets the timers go, and beats, so that a thread that is late is seen even if nobody on it waits.
async fn keep_time(timers: Rc<Timers>, pulse: Arc<Pulse>) {
    let beats = async {
        loop {
            timers.sleep_until(Instant::now() + HEARTBEAT).await;
            pulse.beat();
        }
    };
    tokio::join!(timers.run(), beats);
}

fn scenario(plan: &ScenarioPlan) -> Rc<Scenario> {
    Rc::new(Scenario {
        next_task: NextTask::of(plan),
        name: plan.name.as_str().into(),
        tasks_have_waits: plan.tasks.iter().any(|task| task.wait.is_some()),
        env: Rc::new(plan.env.clone()),
        plan: plan.clone(),
    })
}

/// What relative URLs are joined to: the caller's host wins over the scenario's, as `-H` does in Locust.
pub(crate) fn host_of<'a>(plan: &'a TestPlan, scenario: Option<&'a ScenarioPlan>) -> Option<&'a str> {
    plan.host.as_deref().or_else(|| scenario.and_then(|scenario| scenario.host.as_deref()))
}

fn base(plan: &TestPlan, scenario: Option<&ScenarioPlan>) -> Option<Destination> {
    // Hosts have been checked before the run; see `run::check_hosts`.
    host_of(plan, scenario).and_then(|host| Destination::parse(host).ok())
}

fn tags(plan: &TestPlan, scenario: &ScenarioPlan, host: &Host) -> Rc<VuTags> {
    let mut merged = plan.tags.clone();
    merged.extend(scenario.tags.clone());
    let mut recorder = host.recorder.borrow_mut();
    let ids = merged.iter().map(|(key, value)| recorder.tag(key, value)).collect();
    Rc::new(VuTags { text: merged.into_iter().collect(), ids })
}

/// A sequence of random numbers of its own for each user, from the run's seed.
fn user_rng(seed: u64, id: u64) -> Xoshiro256PlusPlus {
    // The multiplier is 2^64 divided by the golden ratio; it spreads neighbouring numbers far apart.
    Xoshiro256PlusPlus::seed_from_u64(seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
