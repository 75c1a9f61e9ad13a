//! The command `rhaid`; see the library's `cli`.

use std::process::ExitCode;

/// Measured against the system's allocator: see ARCHITECTURE.md, "Release build".
#[global_allocator]
static ALLOCATOR: rhaid::CountedAllocator<mimalloc::MiMalloc> =
    rhaid::CountedAllocator::new(mimalloc::MiMalloc);

fn main() -> ExitCode {
    rhaid::cli::main()
}
