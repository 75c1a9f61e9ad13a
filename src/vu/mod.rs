//! Virtual users: the fiber a script runs in, the life of a user, and the worker thread they share.

mod fiber;
mod hooks;
mod next_task;
mod turns;
mod virtual_user;
mod worker;

pub(crate) use hooks::HookError;
pub(crate) use turns::{Due, Spent, Turn, Turns};
pub(crate) use worker::{Event, Interval, Seat, Shared, Worker, host_of};
