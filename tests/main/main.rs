//! Black-box tests: scripts in, numbers out; the command with its output and exit code.
//!
//! One binary, a module for each topic; servers and helpers are in `tests/support`.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../support/mod.rs"]
mod support;

mod agreement;
mod architecture;
mod blocking;
mod capacity;
mod check;
mod check_files;
mod ci_guide;
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(target_os = "linux")]
mod cluster_report;
mod command_line;
mod comparing;
mod configuration;
mod connections;
mod convert;
mod damage;
mod data;
mod declaring;
mod depth;
mod documents;

mod embedding;
mod encodings;
mod events;
mod executors;
mod failures;
mod faults;
mod fibers;
mod floods;
mod flow;
mod generator;
mod guides;
mod habits;
mod http2_faults;
mod http_batch;
mod http_bodies;
mod http_requests;
mod http_responses;
mod imports;
mod k6_summary;
mod keys;
mod last_runs;
mod life_cycle;
mod live_page;
mod metrics;
mod mistakes;
mod modules;
mod new_scripts;
mod origins;
mod outcomes;
mod places;
mod profiles;
mod reload;
mod repeats;
mod resources;
mod result_files;
mod samples;
mod scraping;
mod script_errors;
mod script_reference;
mod secret_places;
mod secrets;
mod shipped_scripts;
mod signals;
mod sockets;
mod stdlib;
mod store;
mod summary;
mod task_shapes;
mod texts;
mod thresholds;
mod trying_out;
mod uploads;
mod users;
mod verdicts;
mod waits;
mod websocket_pushes;
mod websockets;
