//! Processes and pressure from procfs.

use std::collections::BTreeMap;

use procfs::process::{LimitValue, ProcState, Process, Stat};
use procfs::{Current as _, WithCurrentSystemInfo as _};

use super::{Io, OwnProcess, ProcessView};
use crate::config::ProcessSelector;
use crate::health::{Failure, ProbeError};

/// Processes looked at; a machine with more has other worries.
const PROCESSES_MAX: usize = 50_000;

/// The configured processes, and what those used that ended.
pub(super) struct Processes {
    selectors: BTreeMap<String, ProcessSelector>,
    used: BTreeMap<String, Used>,
}

/// What was used must not go back when a process ends, so it is summed up from the differences.
#[derive(Default)]
struct Used {
    total: Counts,
    /// Last seen of (pid, start time).
    alive: BTreeMap<(i32, u64), Counts>,
    /// Of some process, which takes the same user or root.
    io_is_visible: bool,
}

/// Seconds of processor time, bytes read, bytes written.
type Counts = [f64; 3];

impl Used {
    fn observe(&mut self, alive: BTreeMap<(i32, u64), Counts>) {
        for (process, counts) in &alive {
            let before = self.alive.get(process).copied().unwrap_or_default();
            for ((total, now), before) in self.total.iter_mut().zip(counts).zip(before) {
                *total += (now - before).max(0.0);
            }
        }
        self.alive = alive;
    }
}

impl Processes {
    pub(super) fn new(selectors: BTreeMap<String, ProcessSelector>) -> Self {
        Self { selectors, used: BTreeMap::new() }
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
            let used = self.used.entry(label.clone()).or_default();
            let mut alive = BTreeMap::new();
            for (process, stat) in found.iter().filter(|(_, stat)| matches(stat)) {
                add(&mut view, process, stat);
                let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
                let io = process.io().ok();
                let [read, written] = io.as_ref().map_or([0; 2], |io| [io.read_bytes, io.write_bytes]);
                used.io_is_visible |= io.is_some();
                alive.insert((stat.pid, stat.starttime), [seconds, read as f64, written as f64]);
            }
            used.observe(alive);
            let [cpu_seconds, read_bytes, written_bytes] = used.total;
            view.cpu_seconds = cpu_seconds;
            view.io = used.io_is_visible.then_some(Io { read_bytes, written_bytes });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_used_stays_used_when_they_end() {
        let mut used = Used::default();
        let mut totals = Vec::new();
        for alive in [
            vec![((7, 100), [1.0, 10.0, 100.0]), ((8, 100), [0.5, 0.0, 0.0])],
            vec![((7, 100), [1.5, 10.0, 300.0])],
            vec![],
            // The number is used again, by a process that was started later.
            vec![((7, 900), [0.25, 5.0, 0.0])],
        ] {
            used.observe(alive.into_iter().collect());
            totals.push(used.total);
        }
        assert_eq!(totals, [[1.5, 10.0, 100.0], [2.0, 10.0, 300.0], [2.0, 10.0, 300.0], [2.25, 15.0, 300.0]]);
    }
}
