//! Processes and pressure from procfs.

use std::collections::BTreeMap;

use procfs::process::{LimitValue, ProcState, Process, Stat};
use procfs::{Current as _, WithCurrentSystemInfo as _};

use super::{OwnProcess, ProcessView};
use crate::config::ProcessSelector;
use crate::health::{Failure, ProbeError};

/// Processes looked at; a machine with more has other worries.
const PROCESSES_MAX: usize = 50_000;

/// The configured processes, and the processor time of those that ended.
pub(super) struct Processes {
    selectors: BTreeMap<String, ProcessSelector>,
    cpu: BTreeMap<String, CpuTime>,
}

/// Processor time must not go back when a process ends, so it is summed up from the differences.
#[derive(Default)]
struct CpuTime {
    total_seconds: f64,
    /// Seconds last seen of (pid, start time).
    alive: BTreeMap<(i32, u64), f64>,
}

impl Processes {
    pub(super) fn new(selectors: BTreeMap<String, ProcessSelector>) -> Self {
        Self { selectors, cpu: BTreeMap::new() }
    }

    pub(super) fn look(&mut self) -> Result<Vec<ProcessView>, ProbeError> {
        let failed = |error| ProbeError::new(Failure::Io, format!("list processes: {error}"));
        let all = procfs::process::all_processes().map_err(failed)?;
        let found: Vec<(Process, Stat)> = all
            .flatten()
            .take(PROCESSES_MAX)
            .filter_map(|process| process.stat().ok().map(|stat| (process, stat)))
            .collect();
        let mut views = Vec::with_capacity(self.selectors.len());
        for (label, selector) in &self.selectors {
            let master = match selector {
                ProcessSelector::Name(_) => None,
                ProcessSelector::PidFile(path) => {
                    std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<i32>().ok())
                }
            };
            let matches = |stat: &Stat| match selector {
                ProcessSelector::Name(name) => stat.comm == name.get(..15).unwrap_or(name),
                ProcessSelector::PidFile(_) => master.is_some_and(|pid| stat.pid == pid || stat.ppid == pid),
            };
            let mut view = ProcessView { label: label.clone(), ..ProcessView::default() };
            let cpu = self.cpu.entry(label.clone()).or_default();
            let mut alive = BTreeMap::new();
            for (process, stat) in found.iter().filter(|(_, stat)| matches(stat)) {
                add(&mut view, process, stat);
                let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
                alive.insert((stat.pid, stat.starttime), seconds);
            }
            for (process, seconds) in &alive {
                cpu.total_seconds += (seconds - cpu.alive.get(process).copied().unwrap_or(0.0)).max(0.0);
            }
            cpu.alive = alive;
            view.cpu_seconds = cpu.total_seconds;
            views.push(view);
        }
        Ok(views)
    }
}

fn add(view: &mut ProcessView, process: &Process, stat: &Stat) {
    match stat.state() {
        Ok(ProcState::Zombie | ProcState::Dead) => {
            view.zombies += 1;
            return;
        }
        Ok(ProcState::Stopped | ProcState::Tracing) => view.stopped += 1,
        _ => {}
    }
    view.running += 1;
    view.threads += u64::try_from(stat.num_threads).unwrap_or(0);
    view.resident_bytes += stat.rss_bytes().get();
    if let Ok(count) = process.fd_count() {
        view.open_fds = Some(view.open_fds.unwrap_or(0) + count as u64);
    }
}

/// This program itself.
pub(super) fn own() -> Option<OwnProcess> {
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let booted = procfs::boot_time_secs().ok()? as f64;
    let max_fds = process.limits().ok().and_then(|limits| match limits.max_open_files.soft_limit {
        LimitValue::Value(count) => Some(count),
        LimitValue::Unlimited => None,
    });
    Some(OwnProcess {
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        resident_bytes: stat.rss_bytes().get(),
        virtual_bytes: stat.vsize,
        open_fds: process.fd_count().ok()? as u64,
        max_fds,
        start_unix_seconds: booted + stat.starttime as f64 / ticks,
    })
}

/// Seconds that some task waited, of each resource that the kernel reports.
pub(super) fn pressure() -> Vec<(&'static str, f64)> {
    let seconds = |micros: u64| micros as f64 / 1e6;
    let cpu = procfs::CpuPressure::current().ok().map(|found| ("cpu", seconds(found.some.total)));
    let io = procfs::IoPressure::current().ok().map(|found| ("io", seconds(found.some.total)));
    let memory = procfs::MemoryPressure::current().ok().map(|found| ("memory", seconds(found.some.total)));
    [cpu, io, memory].into_iter().flatten().collect()
}
