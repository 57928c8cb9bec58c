//! The machine: what `top`, `free` and `df` would show of it.

#[cfg(target_os = "linux")]
mod linux;
mod series;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sysinfo::System;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use self::series::write;
use crate::config::Host;
use crate::health::{Failure, Health, ProbeError};
use crate::probe::tools::{Tools, next_tick, record};

/// What is known of the machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostView {
    /// Of looking at it.
    pub health: Health,
    /// Memory, processor, load.
    pub machine: Option<Machine>,
    /// The filesystem that viewers are served from.
    pub filesystem: Option<Filesystem>,
    /// Seconds that work waited for a resource, since the start of the machine: `cpu`, `io`, `memory` (Linux only).
    pub pressure_seconds: Vec<(&'static str, f64)>,
    /// This program itself (Linux only).
    pub own: Option<OwnProcess>,
    /// The configured processes, in the order of their labels.
    pub processes: Vec<ProcessView>,
}

/// This program itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OwnProcess {
    /// Processor time used.
    pub cpu_seconds: f64,
    /// Bytes that it keeps in memory.
    pub resident_bytes: u64,
    /// Bytes of address space that it has.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// File descriptors that it may open.
    pub max_fds: Option<u64>,
    /// When it was started.
    pub start_unix_seconds: f64,
}

/// Memory, processor, load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Share of all processors that was busy since the last look, 0 to 1.
    pub cpu_usage_ratio: f64,
    /// How many processors there are.
    pub cpus: usize,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Bytes that programs can still get.
    pub memory_available_bytes: u64,
    /// Bytes of swap in use.
    pub swap_used_bytes: u64,
}

/// A filesystem.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Filesystem {
    /// Bytes that it has room for, used or not.
    pub size_bytes: u64,
    /// What an ordinary user may still write.
    pub available_bytes: u64,
    /// Files that may still be made.
    pub free_files: u64,
}

/// A configured process: the sum over all that match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessView {
    /// The `process` label, as configured.
    pub label: String,
    /// Processes that run. Zombies do not, stopped ones do.
    pub running: u64,
    /// Dead, but not yet collected by their parent.
    pub zombies: u64,
    /// Stopped by a signal.
    pub stopped: u64,
    /// Processor time since watching began.
    pub cpu_seconds: f64,
    /// Bytes that it keeps in memory.
    pub resident_bytes: u64,
    /// Open file descriptors; none where they may not be counted.
    pub open_fds: Option<u64>,
    /// Threads of all processes that match.
    pub threads: u64,
    /// What was read from storage and written to it since watching began; none where that may not be seen.
    pub io: Option<Io>,
}

/// Bytes that went through storage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Io {
    /// Read from it.
    pub read_bytes: f64,
    /// Written to it.
    pub written_bytes: f64,
}

/// How long the filesystem may take to tell its size.
const FILESYSTEM_LIMIT: Duration = Duration::from_secs(1);

/// Looks until stopped.
pub async fn run(spec: Host, tools: Tools, view: watch::Sender<Arc<HostView>>, stop: CancellationToken) {
    let mut health = Health::default();
    let mut looker = Some(Looker::new(spec.clone()));
    let mut ticks = tools.pace.every(spec.interval);
    while next_tick(&mut ticks, &stop).await {
        let started = tools.clock.now();
        let path = spec.broadcast.clone();
        let look = tools.fetcher.files().look(&spec.broadcast, FILESYSTEM_LIMIT, move || filesystem(&path));
        let Some(filesystem) = stop.run_until_cancelled(look).await else { return };
        let Some(mut moved) = looker.take() else { return };
        let look = tokio::task::spawn_blocking(move || {
            let seen = moved.look();
            (moved, seen)
        });
        let Some(Ok((returned, (mut seen, outcome)))) = stop.run_until_cancelled(look).await else { return };
        looker = Some(returned);
        let filesystem = filesystem.map(|filesystem| seen.filesystem = Some(filesystem));
        record(&mut health, "host", "host", started, tools.clock.now(), filesystem.and(outcome));
        seen.health = health.clone();
        if view.send(Arc::new(seen)).is_err() {
            return;
        }
    }
}

struct Looker {
    system: Option<System>,
    #[cfg(target_os = "linux")]
    processes: linux::Processes,
}

impl Looker {
    fn new(spec: Host) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            processes: linux::Processes::new(spec.processes),
            system: System::new().ok(),
        }
    }

    /// Looks at everything but the filesystem, which may hang. The first thing that fails is the outcome, and what can be seen is seen
    /// all the same.
    fn look(&mut self) -> (HostView, Result<(), ProbeError>) {
        let mut seen = HostView { machine: self.machine(), ..HostView::default() };
        #[cfg(target_os = "linux")]
        let processes = self.processes.look().map(|processes| seen.processes = processes);
        #[cfg(not(target_os = "linux"))]
        let processes = Ok(());
        #[cfg(target_os = "linux")]
        {
            seen.pressure_seconds = linux::pressure();
            seen.own = linux::own();
        }
        (seen, processes)
    }

    fn machine(&mut self) -> Option<Machine> {
        let system = self.system.as_mut()?;
        system.refresh_memory();
        system.refresh_cpu_usage();
        let load = System::load_average().ok()?;
        Some(Machine {
            cpu_usage_ratio: f64::from(system.global_cpu_usage()) / 100.0,
            cpus: system.cpus().len(),
            load: [load.one, load.five, load.fifteen],
            memory_bytes: system.total_memory(),
            memory_available_bytes: system.available_memory(),
            swap_used_bytes: system.used_swap(),
        })
    }
}

fn filesystem(path: &Path) -> Result<Filesystem, ProbeError> {
    let found = rustix::fs::statvfs(path).map_err(|error| {
        let missing = error == rustix::io::Errno::NOENT;
        let reason = if missing { Failure::Missing } else { Failure::Io };
        ProbeError::new(reason, format!("filesystem of {}: {error}", path.display()))
    })?;
    Ok(Filesystem {
        size_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        available_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        free_files: found.f_favail,
    })
}
