//! CPU, memory, network and disk: of this machine, of this process, of the process under test with its children.
//!
//! [`Monitor`] samples on its own thread and is passed to [`LoadTest::resources`](crate::LoadTest::resources);
//! [`Sampler`] does the same without a run. The figures themselves are plain data in `metrics`. The only folder that
//! knows `sysinfo` and `listeners`. Invariant: what could not be measured is `None`, never 0.

mod machine;
mod monitor;
mod process;
mod remote;
mod sampler;
mod target;

pub(crate) use machine::described;
pub use monitor::Monitor;
pub use remote::{REMOTE_PATH, RemoteSample, RemoteTarget};
pub use sampler::Sampler;
pub use target::{TargetError, TargetProcess};
