//! One program for all targets of `src/fuzzing.rs`; `RHAID_FUZZ_TARGET` names the one.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<String> =
    LazyLock::new(|| std::env::var("RHAID_FUZZ_TARGET").expect("RHAID_FUZZ_TARGET names a target"));

fuzz_target!(|data: &[u8]| rhaid::fuzzing::run(&TARGET, data));
