//! When virtual users start and stop: one file an executor, over pure functions of time.

pub(crate) mod users;
