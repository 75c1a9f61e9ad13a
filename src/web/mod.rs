//! HTTP endpoints that rhaid serves about runs and machines: the live page, its API, and the monitor of a machine.
//!
//! Owns who may see and change what, and how many at a time. Leaves pictures and tables to `report`, changes of the load
//! to the run's own handle. Absent: any decision about load, files.

mod connections;
mod control;
mod events;
mod guard;
mod history;
mod hub;
mod launcher;
mod live;
mod live_page;
mod monitor;
mod prometheus;
mod runs;
mod server;

pub use hub::Recruiting;
pub use launcher::{Editor, Launcher, Refusal};
pub use live::LogLevel;
pub use live_page::{LivePage, PageSettings};
pub use monitor::serve_monitor;
pub use runs::CONTROL_FILE;
