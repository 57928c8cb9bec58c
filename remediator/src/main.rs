//! `vvtv-remediator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vvtv_remediator::cli::main()
}
