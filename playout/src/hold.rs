//! The hold on a root: one daemon at a time has it, and hands it over when it is asked to.

use std::fs::File;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;
use vvtv_playout_interface::client;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::layout::Layout;
use vvtv_playout_interface::protocol::Request;

/// How long another daemon may take to end after it was asked to hand over.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(10);

/// How often the root's lock is tried meanwhile.
const LOCK_EVERY: Duration = Duration::from_millis(20);

/// Takes the root's lock; the kernel frees it when this process ends, however it ends.
pub(crate) fn lock(layout: &Layout) -> Result<File, Failure> {
    let path = layout.lock();
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Failure::Refused(anyhow::anyhow!("another playout runs on {}", layout.root().display())))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(Failure::Unhealthy(anyhow::Error::new(error).context(format!("cannot lock {}", path.display()))))
        }
    }
}

/// Asks the daemon that holds the root to end, if there is one, and takes the root's lock as soon as it has.
pub(crate) async fn take_over(layout: &Layout) -> Result<File, Failure> {
    let held = match lock(layout) {
        Err(Failure::Refused(held)) => held,
        free_or_broken => return free_or_broken,
    };
    // Blocks this task alone: nothing else runs yet.
    client::ask(layout, &Request::HandOver)?;
    let until = Instant::now() + HAND_OVER_WITHIN;
    loop {
        match lock(layout) {
            Err(Failure::Refused(_)) if Instant::now() < until => tokio::time::sleep(LOCK_EVERY).await,
            Err(Failure::Refused(_)) => {
                let late = format!("it was asked to hand over, and has not ended within {HAND_OVER_WITHIN:?}");
                return Err(Failure::Refused(held.context(late)));
            }
            taken_or_broken => return taken_or_broken,
        }
    }
}
