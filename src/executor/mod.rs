//! When virtual users start and stop, and when iterations do: one file an executor, over pure functions of time.
//!
//! The file of an executor says what it comes to, as a [`Rule`]: a curve, how users come by their iterations, and
//! what counts. A lane follows it: `population` for users, `feeder` for a rate, with the instants of `pacer`.
//! To add one: its file here, its arm in [`rule`], its variant in `plan`, its keys in `script/api/executor.rs`.

mod constant_arrival_rate;
mod constant_vus;
pub(crate) mod curve;
pub(crate) mod feeder;
pub(crate) mod hand_out;
pub(crate) mod lane;
pub(crate) mod pacer;
mod per_vu_iterations;
pub(crate) mod population;
mod ramping_arrival_rate;
mod ramping_vus;
mod rule;
pub(crate) mod schedule;
pub(crate) mod shape;
pub(crate) mod share;
mod shared_iterations;
mod trace;
pub(crate) mod users;

pub(crate) use rule::{Feed, Rule};

use crate::plan::Executor;

/// What an executor comes to; `run_time` is what is left of the time of the run, in seconds.
pub(crate) fn rule(executor: &Executor, run_time: Option<f64>) -> Rule {
    match executor {
        Executor::Users { users, spawn_rate, ramp_down } => {
            return users::rule(*users, *spawn_rate, run_time, *ramp_down);
        }
        Executor::ConstantVus { vus, duration } => constant_vus::rule(*vus, *duration),
        Executor::RampingVus { start_vus, stages, graceful_ramp_down } => {
            ramping_vus::rule(*start_vus, stages, *graceful_ramp_down)
        }
        Executor::PerVuIterations { vus, iterations, max_duration } => {
            per_vu_iterations::rule(*vus, *iterations, *max_duration)
        }
        Executor::SharedIterations { vus, iterations, max_duration } => {
            shared_iterations::rule(*vus, *iterations, *max_duration)
        }
        Executor::ConstantArrivalRate { rate, duration, open } => {
            constant_arrival_rate::rule(*rate, *duration, open)
        }
        Executor::RampingArrivalRate { start_rate, stages, open } => {
            ramping_arrival_rate::rule(*start_rate, stages, open)
        }
        Executor::Trace { steps, open } => trace::rule(steps, open),
        Executor::Shape { function, open } => shape::rule(function, open),
    }
    .until(run_time)
}
