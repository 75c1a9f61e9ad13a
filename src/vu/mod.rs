//! Virtual users: the fiber a script runs in, the life of a user, and the worker thread they share.

mod fiber;
mod next_task;
mod virtual_user;
mod worker;

pub(crate) use worker::{Event, HookError, Interval, Shared, Worker, host_of};
