//! When virtual users start and stop, and when iterations do: one file an executor, over pure functions of time.
//!
//! An executor is a curve (`users`, `vus`, `iterations`, `arrival_rate`): users or iterations per second over
//! time. A lane follows it: `population` for users, `feeder` for a rate, with the instants of `pacer`.

pub(crate) mod arrival_rate;
pub(crate) mod curve;
pub(crate) mod feeder;
pub(crate) mod iterations;
pub(crate) mod lane;
pub(crate) mod pacer;
pub(crate) mod population;
pub(crate) mod schedule;
pub(crate) mod shape;
pub(crate) mod users;
pub(crate) mod vus;
