//! The operating system: exact timers, CPU clocks, the wait for a core, limits, files, trusted certificates, the keyboard.
//!
//! The only folder that knows `rustix` and `rustls-native-certs`. Leaves the interpretation to others. Invariant:
//! what a system does not provide is `None` or a coarser substitute, never a made-up figure.

mod cgroup;
mod cpu;
mod deadlines;
#[cfg(feature = "cli")]
mod file_id;
mod files;
#[cfg(feature = "cluster")]
mod host;
mod limits;
mod memory;
mod roots;
mod run_queue;
mod steady_file;
#[cfg(all(unix, feature = "cli"))]
mod terminal;
mod timers;

pub(crate) use cpu::{CpuMeter, thread_cpu};
#[cfg(feature = "cli")]
pub(crate) use file_id::FileId;
pub(crate) use files::{check_file, create_stream, read_file, refuse_special_file, temporary};
#[cfg(feature = "cli")]
pub(crate) use files::{check_stream, create_private, read_text, replace_file};
#[cfg(feature = "cluster")]
pub(crate) use host::{host_name, own_address};
pub(crate) use limits::Limits;
#[cfg(feature = "cli")]
pub(crate) use limits::can_open;
pub(crate) use limits::{takes_reserved_file, too_many_files};
pub use memory::CountedAllocator;
#[cfg(feature = "cli")]
pub use memory::Mimalloc;
#[cfg(feature = "cli")]
pub(crate) use memory::without_huge_pages;
pub(crate) use memory::{held, is_counted, process_memory};
pub(crate) use roots::trusted_roots;
pub(crate) use run_queue::RunQueue;
pub(crate) use steady_file::SteadyFile;
#[cfg(all(unix, feature = "cli"))]
pub(crate) use terminal::Keyboard;
pub(crate) use timers::{Sleep, Timers};
