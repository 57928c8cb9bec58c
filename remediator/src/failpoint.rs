//! Places where a debug build can be told to die as by kill -9: one on each side of everything that a crash could tear apart.
//!
//! `VVTV_FAILPOINT=NAME:COUNT` ends the process the COUNTth time it comes by the point NAME. `VVTV_FAILPOINT_LOG=FILE` gets the name
//! of every point that it comes by, one a line. Builds without debug assertions (`--release`) have none of this: [`reached`] is empty.

macro_rules! points {
    ($(#[doc = $doc:literal] $name:ident = $text:literal,)+) => {
        /// A place to die at: one closed list, which the crash tests go through.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $(#[doc = $doc] $name,)+
        }

        impl Point {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The point's one spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

points! {
    /// A version's statements have run, and are not committed.
    MigrationWritten = "migration_written",
    /// A version is committed.
    MigrationCommitted = "migration_committed",
    /// The journal is read, and nothing has been started.
    JournalLoaded = "journal_loaded",
    /// A delivery can be read, and the event loop has not heard of it.
    DeliveryParsed = "delivery_parsed",
    /// A delivery is durable, and not answered.
    DeliveryCommitted = "delivery_committed",
    /// What a person did is durable, and not answered.
    OperatorCommitted = "operator_committed",
    /// Alertmanager has told what stands, and the event loop has not heard of it.
    Reconciled = "reconciled",
    /// A transaction has not begun.
    CommitBegun = "commit_begun",
    /// A transaction is written, and not committed.
    CommitWritten = "commit_written",
    /// A transaction is committed, and the event loop has not heard of it.
    CommitDone = "commit_done",
    /// A step is about to be given its process; its intent may not be committed.
    StepIntended = "step_intended",
    /// A step's process exists and waits to be let go; neither need be committed.
    StepSpawned = "step_spawned",
    /// A step's process is written down, and waits to be let go.
    StepNoted = "step_noted",
    /// A step's process is let go.
    StepLetGo = "step_let_go",
    /// A step is over, and the event loop has not heard of it.
    StepEnded = "step_ended",
    /// What became of a step of an earlier run is known, and the event loop has not heard of it.
    OrphanSettled = "orphan_settled",
    /// A message is written down, and not sent.
    PageBegun = "page_begun",
    /// A message is taken by its channel, and that is not written down.
    PageTaken = "page_taken",
}

/// Dies here if it was told to.
#[cfg(debug_assertions)]
pub fn reached(point: Point) {
    armed::reached(point);
}

/// Does nothing in this build.
#[cfg(not(debug_assertions))]
#[inline]
pub const fn reached(_: Point) {}

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write as _;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Point;

    /// The name of the point, and how often it may still be passed.
    static FATAL: LazyLock<Option<(String, AtomicU32)>> = LazyLock::new(|| {
        let told = std::env::var("VVTV_FAILPOINT").ok()?;
        let (name, count) = told.split_once(':')?;
        Some((name.to_owned(), AtomicU32::new(count.parse().ok()?)))
    });
    static LOG: LazyLock<Option<std::fs::File>> = LazyLock::new(|| {
        let path = std::env::var_os("VVTV_FAILPOINT_LOG")?;
        std::fs::File::options().append(true).create(true).open(path).ok()
    });

    pub(super) fn reached(point: Point) {
        if let Some(mut log) = LOG.as_ref() {
            // One write: threads do not mix their lines.
            drop(log.write_all(format!("{}\n", point.as_str()).as_bytes()));
        }
        let Some((name, left)) = FATAL.as_ref() else { return };
        if name == point.as_str() && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let me = rustix::process::getpid();
            let _refused = rustix::process::kill_process(me, rustix::process::Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }
}
