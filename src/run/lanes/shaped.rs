//! What the answers of a shape function make of the lanes.

use std::sync::Arc;
use std::time::Duration;

use super::lane_run::{State, mix_for};
use super::{Change, Lanes};
use crate::executor::curve::Stretch;
use crate::executor::users;

impl Lanes {
    /// A shape wants so many users, new ones of these scenarios only.
    pub(in crate::run) fn shape_users(
        &mut self,
        lane: usize,
        users: u64,
        spawn_rate: Option<f64>,
        scenarios: Option<&[String]>,
        now: Duration,
    ) -> Option<Change> {
        let run = &mut self.lanes[lane];
        let State::Running(running) = &run.state else { return None };
        let (curve, time) = (&running.schedule.curve, running.schedule.time(now));
        let there = curve.users(time);
        let stretches = users::change(there, users, spawn_rate.unwrap_or(f64::INFINITY), curve, time, None);
        // Those that are there stay what they are; who comes later is dealt anew.
        let mix = (run.scenarios.len() > 1).then(|| {
            let kept = (there as usize).min(running.schedule.mix.len());
            let kept: Arc<[usize]> = running.schedule.mix[..kept].into();
            mix_for(users.max(there), &kept, &run.scenarios, &run.shares_of(scenarios))
        });
        run.go_on(now, stretches, mix).map(|schedule| (lane, schedule))
    }

    /// A shape wants such a rate, of these scenarios only; each of `lanes` gets its share of it.
    pub(in crate::run) fn shape_rate(
        &mut self,
        lanes: &[usize],
        rate: f64,
        scenarios: Option<&[String]>,
        now: Duration,
    ) -> Vec<Change> {
        let weights: Vec<f64> =
            lanes.iter().map(|&lane| self.lanes[lane].shares_of(scenarios)[0].weight).collect();
        let sum: f64 = weights.iter().sum();
        let mut changes = Vec::new();
        for (&lane, weight) in lanes.iter().zip(weights) {
            let State::Running(running) = &self.lanes[lane].state else { continue };
            let time = running.schedule.time(now);
            let left = running.schedule.curve.end().map_or(f64::INFINITY, |end| (end - time).max(0.0));
            let share = if sum > 0.0 { weight / sum } else { 0.0 };
            let schedule = self.lanes[lane].go_on(now, vec![Stretch::flat(rate * share, left)], None);
            changes.extend(schedule.map(|schedule| (lane, schedule)));
        }
        changes
    }

    /// A shape ends the load of these lanes.
    pub(in crate::run) fn shape_end(&mut self, lanes: &[usize], now: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        for &lane in lanes {
            match self.lanes[lane].state {
                State::Waiting => self.skip(lane, now),
                State::Running(_) => {
                    let schedule = self.lanes[lane].go_on(now, Vec::new(), None);
                    changes.extend(schedule.map(|schedule| (lane, schedule)));
                }
                State::Over(_) => {}
            }
        }
        changes
    }
}
