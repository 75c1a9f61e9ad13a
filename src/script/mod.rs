//! Scripts: compilation, declarations, the script API, and error messages.
//!
//! The only folder that uses `rhai`. An engine never leaves its thread; only plain data crosses threads
//! ([`value::Value`], [`source::Sources`]).

pub(crate) mod api;
mod bodies;
mod builtins;
mod call_site;
mod check;
mod declare;
mod ending;
mod endpoint;
mod engine;
mod environment;
mod error;
mod events;
mod flat;
mod habits;
pub(crate) mod host;
mod import;
mod json_path;
mod message;
// Without the command line only the names of keys are read.
mod place;
mod problem;
mod pulse;
#[cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]
pub(crate) mod reference;
mod run_state;
mod secrets;
mod source;
mod store;
mod summary;
#[cfg(feature = "cli")]
mod taken;
mod this;
mod this_parts;
mod trace;
mod value;
mod vu_context;
mod wait_time;

pub(crate) use api::Extension;
pub(crate) use api::ws::Arrival;
pub use api::{AsyncCall, Sample};
pub(crate) use check::{Analysis, analyse};
pub use declare::Param;
pub(crate) use ending::{Ending, Stopped, Waiter};
pub(crate) use engine::{LastHooks, LoadError, Loaded, ScriptEngine, ScriptPlan};
#[cfg(feature = "cluster")]
pub(crate) use environment::Environment;
pub(crate) use error::{CallEnd, VALUE_TOO_DEEP};
pub(crate) use events::{EventFields, ScriptEvent};
pub(crate) use habits::foreign_file;
pub(crate) use host::{Common, Host, ScriptInputs};
#[cfg(all(any(test, rhaid_fuzzing), feature = "cli"))]
pub(crate) use json_path::find as find_in_json;
pub(crate) use message::MessageSink;
pub use message::{Level, Message};
pub use problem::{Problem, Severity};
pub(crate) use pulse::{Beat, Calling, Pulse};
pub(crate) use run_state::RunState;
pub(crate) use secrets::Secrets;
pub(crate) use source::Sources;
#[cfg(test)]
pub(crate) use store::test_log;
#[cfg(feature = "cluster")]
pub(crate) use store::{Answer, Store, StoreLog};
pub use summary::SummaryOutput;
#[cfg(feature = "cli")]
pub(crate) use taken::is_taken;
pub use trace::HttpDebug;
pub(crate) use value::Value;
pub(crate) use vu_context::{Stage, VuContext, VuParts, VuTags, Waited};
pub(crate) use wait_time::wait_seconds;
