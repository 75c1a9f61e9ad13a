//! The command `rhaid`; see the library's `cli`.

use std::process::ExitCode;

/// Measured against the system's allocator: see ARCHITECTURE.md, "Release build".
#[global_allocator]
static ALLOCATOR: rhaid::CountedAllocator<rhaid::Mimalloc> = rhaid::CountedAllocator::new(rhaid::Mimalloc);

fn main() -> ExitCode {
    rhaid::cli::main()
}
