//! Virtual users: the fiber a script runs in, the life of a user, and the worker thread they share.

mod fiber;
mod hooks;
mod loading;
mod next_task;
mod quota;
mod stack;
mod turns;
mod virtual_user;
mod worker;

pub(crate) use hooks::HookError;
pub(crate) use loading::{load_script, nested_too_deeply};
pub(crate) use quota::Quota;
pub(crate) use stack::on_large_stack;
pub(crate) use turns::{Due, Spent, Turn, Turns};
pub(crate) use worker::{Event, Interval, LaneCount, Seat, Shared, Worker, host_of};
