//! `vvtv-remediator`.

use std::process::ExitCode;

/// A storm of alerts is many small allocations, and the system's allocator is slow at them.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    vvtv_remediator::verbs::main()
}
