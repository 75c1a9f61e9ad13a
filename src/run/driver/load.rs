//! The load in time: its lanes, what the script says of them, and when it has to be over.
//!
//! All times are since the start of the load. Leaves telling the workers to the driver.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::metrics::Aggregator;
use crate::plan::{EndedBy, TestPlan};
use crate::run::control::{Control, ControlError};
use crate::run::lanes::{Begin, Change, Lanes};
use crate::run::pressure::Pressure;
use crate::run::shapes::Shapes;

/// See the module's description.
pub(super) struct Load {
    start: Instant,
    pub(super) lanes: Lanes,
    pub(super) shapes: Shapes,
    pub(super) pressure: Pressure,
    /// When the time of the run is over; `None` when it has none, or is over and that has been acted on.
    pub(super) run_ends: Option<Duration>,
    /// By when the last iterations have to end, once there is no further one.
    pub(super) last_iterations: Option<Duration>,
    /// The last iteration of the run's number has been begun.
    pub(super) iterations_done: bool,
}

impl Load {
    /// A load that begins then.
    pub(super) fn new(plan: &TestPlan, start: Instant) -> Load {
        Load {
            start,
            lanes: Lanes::new(plan),
            shapes: Shapes::default(),
            pressure: Pressure::default(),
            run_ends: plan.run_time,
            last_iterations: None,
            iterations_done: false,
        }
    }

    pub(super) fn start(&self) -> Instant {
        self.start
    }

    /// The time now; zero before the start.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits for a time; for ever when there is none.
    pub(super) fn sleep_until(&self, at: Option<Duration>) -> impl Future<Output = ()> + use<> {
        let at = at.map(|at| self.start + at);
        async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }

    /// The lanes whose time has come. Of a shape, its function says first what it is.
    pub(super) fn begin(&mut self, plan: &TestPlan, workers: usize) -> Vec<Begin> {
        let now = self.now();
        let mut begun = Vec::new();
        while let Some((lane, at)) = self.lanes.next_start().filter(|&(_, at)| at <= now) {
            match self.lanes.shape(lane).map(str::to_owned) {
                Some(function) => {
                    self.lanes.ask(lane);
                    self.shapes.add(lane, function, self.lanes.parts_of_shape(lane), at);
                }
                None => begun.extend(self.lanes.begin(lane, at, plan, workers, false)),
            }
        }
        begun
    }

    /// Makes all changes, or none; for each, what the workers have to follow, and a few words for the mark.
    pub(super) fn change(
        &mut self,
        controls: &[Control],
    ) -> Result<Vec<(Vec<Change>, String)>, ControlError> {
        let before = (controls.len() > 1).then(|| (self.lanes.clone(), self.shapes.clone(), self.run_ends));
        let changed: Result<Vec<_>, _> = controls.iter().map(|control| self.change_one(control)).collect();
        if let (Err(_), Some(before)) = (&changed, before) {
            (self.lanes, self.shapes, self.run_ends) = before;
        }
        changed
    }

    fn change_one(&mut self, control: &Control) -> Result<(Vec<Change>, String), ControlError> {
        let now = self.now();
        let changed = self.lanes.change(control, now)?;
        match control {
            Control::Pause => self.shapes.pause(now),
            Control::Resume => {
                let pause = self.shapes.resume(now);
                self.run_ends = self.run_ends.map(|ends| ends + pause);
            }
            _ => {}
        }
        Ok(changed)
    }

    /// Why a load is over that nobody has ended.
    pub(super) fn own_end(&self) -> EndedBy {
        if self.lanes.some_time_was_over() {
            EndedBy::RunTime
        } else if self.lanes.some_count_iterations() {
            EndedBy::Iterations
        } else {
            EndedBy::UsersGone
        }
    }

    /// By scenario, how many iterations were due until then. At the end, those that were never begun are counted as
    /// dropped. And all that were due at a time.
    pub(super) fn planned(
        &mut self,
        at: Duration,
        plan: &TestPlan,
        figures: &mut Aggregator,
        last: bool,
    ) -> (Vec<(Arc<str>, u64)>, Option<u64>) {
        let mut timed = None;
        let planned = self.lanes.planned(if last { self.now() } else { at });
        let mut named = Vec::with_capacity(planned.len());
        for (scenario, mut due) in planned {
            let name: Arc<str> = plan.scenarios[scenario].name.as_str().into();
            let (begun, dropped) = figures.begun_and_dropped(&name);
            if self.iterations_done {
                // What was due beyond the number of the run was never to be begun.
                due = due.min(begun + dropped);
            } else if last && due > begun + dropped {
                figures.add_dropped(&name, due - begun - dropped);
            }
            // One that was begun in the very moment in which the load was stopped was due too.
            let due = if last { due.max(begun + dropped) } else { due };
            if self.lanes.has_rate(scenario) {
                timed = Some(timed.unwrap_or(0) + due);
            }
            named.push((name, due));
        }
        (named, timed)
    }

    /// Looks at how the lanes with a rate do.
    pub(super) fn look_at_pressure(&mut self) {
        for lane in self.lanes.open_lanes() {
            if let Some(load) = self.lanes.open_load(lane, self.now()) {
                self.pressure.look(lane, &load);
            }
        }
    }
}
