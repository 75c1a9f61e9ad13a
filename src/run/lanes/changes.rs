//! What the controls of a run make of its lanes: users, rate, pause, the next stage.

use std::time::Duration;

use super::lane_run::{LaneRun, Running, State};
use super::{Change, Lanes};
use crate::executor::curve::{Curve, Stretch};
use crate::executor::users;
use crate::metrics::Lever;
use crate::run::control::{Control, ControlError};

impl Lanes {
    /// Changes the load from now on; what the workers have to follow, and a few words for the mark, or why it
    /// cannot be done.
    pub(in crate::run) fn change(
        &mut self,
        control: &Control,
        now: Duration,
    ) -> Result<(Vec<Change>, String), ControlError> {
        match control {
            Control::Pause => self.pause(now),
            Control::Resume => self.resume(now),
            Control::NextStage => self.next_stage(now),
            Control::Users { scenario, users, spawn_rate } => {
                let changed = self.rebase(now, scenario.as_deref(), false, |run, running, time| {
                    let (at, curve) = (running.schedule.curve.users(time), &running.schedule.curve);
                    let rate = spawn_rate.or(run.rule.spawn_rate).unwrap_or(f64::INFINITY);
                    users::change(at, *users, rate, curve, time, run.rule.ramp_down)
                })?;
                Ok((changed, format!("users set to {users}")))
            }
            Control::Rate { scenario, rate } => {
                if !(rate.is_finite() && *rate >= 0.0) {
                    return Err(ControlError::Rate(*rate));
                }
                let changed = self.rebase(now, scenario.as_deref(), true, |_, running, time| {
                    let left =
                        running.schedule.curve.end().map_or(f64::INFINITY, |end| (end - time).max(0.0));
                    vec![Stretch::flat(*rate, left)]
                })?;
                Ok((changed, format!("rate set to {rate}/s")))
            }
        }
    }

    /// What can be changed without naming one of several loads; of both, the users.
    pub(in crate::run) fn lever(&self) -> Option<Lever> {
        let is_one = |is_open: bool| {
            let meant = || self.running().filter(move |(_, running)| running.is_open == is_open);
            let mut groups = meant().map(|(index, _)| self.lanes[index].group);
            groups.next().is_some_and(|first| groups.all(|group| group == first))
        };
        if is_one(false) { Some(Lever::Users) } else { is_one(true).then_some(Lever::Rate) }
    }

    /// The same schedules, which all workers follow anew: those that had no user of a lane any more may have some again.
    pub(in crate::run) fn look_again(&mut self) -> Vec<Change> {
        self.each_running(|_, running| (running.schedule.curve.clone(), running.schedule.is_paused))
    }

    fn pause(&mut self, now: Duration) -> Result<(Vec<Change>, String), ControlError> {
        if self.paused.is_some() {
            return Err(ControlError::PausedAlready);
        }
        self.paused = Some(now);
        let changed = self.each_running(|_, running| {
            let time = running.schedule.time(now);
            let curve = &running.schedule.curve;
            running.rest = Some(curve.rest(time));
            let value = if running.is_open { 0.0 } else { curve.users(time) as f64 };
            (curve.until(time).then([Stretch::flat(value, f64::INFINITY)]), true)
        });
        Ok((changed, "paused".to_owned()))
    }

    fn resume(&mut self, now: Duration) -> Result<(Vec<Change>, String), ControlError> {
        let Some(since) = self.paused.take() else { return Err(ControlError::NotPaused) };
        // What waits for a time of the run waits as much longer.
        let pause = now.saturating_sub(since);
        self.paused_before += pause;
        for lane in &mut self.lanes {
            match &mut lane.state {
                State::Waiting if lane.after.is_none() => lane.start_time += pause,
                _ => {}
            }
        }
        let changed = self.each_running(|_, running| {
            let curve = running.schedule.curve.until(running.schedule.time(now));
            (curve.then(running.rest.take().unwrap_or_default()), false)
        });
        Ok((changed, format!("resumed after {:.1} s", pause.as_secs_f64())))
    }

    fn next_stage(&mut self, now: Duration) -> Result<(Vec<Change>, String), ControlError> {
        if self.paused.is_some() {
            return Err(ControlError::Paused);
        }
        let next = |has_stages: bool, running: &Running| {
            let (schedule, time) = (&running.schedule, running.schedule.time(now));
            let rest = schedule.curve.rest(schedule.curve.border(time)?);
            // The end of the last stage is that of the load; a load without stages has its time.
            (has_stages || !rest.is_empty()).then_some(rest)
        };
        if !self.running().any(|(index, running)| next(self.lanes[index].has_stages, running).is_some()) {
            let has_stages = self.running().any(|(index, _)| self.lanes[index].has_stages);
            return Err(if has_stages { ControlError::NoNextStage } else { ControlError::NoStages });
        }
        let changed = self.each_running(|has_stages, running| {
            let (schedule, time) = (&running.schedule, running.schedule.time(now));
            let rest = next(has_stages, running).unwrap_or_else(|| schedule.curve.rest(time));
            (schedule.curve.until(time).then(rest), false)
        });
        Ok((changed, "went on to the next stage".to_owned()))
    }

    /// Gives every running lane another curve; `change` is told whether the lane has stages.
    fn each_running(&mut self, mut change: impl FnMut(bool, &mut Running) -> (Curve, bool)) -> Vec<Change> {
        let mut changed = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if let State::Running(running) = &mut lane.state {
                let (curve, is_paused) = change(lane.has_stages, running);
                let mix = running.schedule.mix.clone();
                changed.push((index, running.follow(curve, is_paused, mix)));
            }
        }
        changed
    }

    /// Lets running lanes go on differently from now on: those of this scenario, or all, that are open or not.
    fn rebase(
        &mut self,
        now: Duration,
        name: Option<&str>,
        is_open: bool,
        next: impl Fn(&LaneRun, &Running, f64) -> Vec<Stretch>,
    ) -> Result<Vec<Change>, ControlError> {
        if self.paused.is_some() {
            return Err(ControlError::Paused);
        }
        let meant: Vec<usize> = self
            .running()
            .filter(|(index, running)| {
                running.is_open == is_open && name.is_none_or(|name| name == self.lanes[*index].shown_name())
            })
            .map(|(index, _)| index)
            .collect();
        let group = |index: usize| self.lanes[index].group;
        if name.is_none() && meant.windows(2).any(|pair| group(pair[0]) != group(pair[1])) {
            let names = meant.iter().map(|&index| self.lanes[index].shown_name().to_owned());
            return Err(ControlError::Several(names.collect()));
        }
        let mut changed = Vec::new();
        for index in meant {
            let lane = &self.lanes[index];
            let State::Running(running) = &lane.state else { continue };
            let time = running.schedule.time(now);
            let stretches = next(lane, running, time);
            let schedule = self.lanes[index].go_on(now, stretches, None);
            changed.extend(schedule.map(|schedule| (index, schedule)));
        }
        match (changed.is_empty(), name, is_open) {
            (false, ..) => Ok(changed),
            (true, Some(name), _) => Err(ControlError::NoScenario(name.to_owned())),
            (true, None, true) => Err(ControlError::NoRate),
            (true, None, false) => Err(ControlError::NoUsers),
        }
    }
}
