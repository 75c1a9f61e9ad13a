//! HTTP endpoints that rhaid serves about runs and machines. Absent: any decision about load, files.

mod monitor;

pub use monitor::serve_monitor;
