//! `vvtv-remediator`.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// A storm of alerts is many small allocations, and the system's allocator is slow at them.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    vvtv_remediator::verbs::main()
}
