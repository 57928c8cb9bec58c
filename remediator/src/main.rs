//! `vvtv-remediator`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A storm of alerts is many small allocations, and the system's allocator is slow at them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    vvtv_remediator::cli::main()
}
