//! An encoder that cannot keep up: the playout is held on few CPUs, and its preset is raised until frames are lost.
//!
//! Nothing else runs for it and nothing outside the playout is slowed down. The cause outlives a restart of the encoder, so that
//! only a lighter setting helps.

use std::time::Duration;

use anyhow::{Context as _, bail};
use procfs::process::Process;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;

use super::pass;
use crate::family;
use crate::site::Site;

/// CPUs that the playout keeps.
const CPUS: usize = 2;

/// From the lightest that may be too much to the heaviest that there is.
const PRESETS: [&str; 4] = ["slow", "slower", "veryslow", "placebo"];

/// A new encoder first works off what waited for it.
const WARM_UP: Duration = Duration::from_secs(3);

/// Over which losses are measured.
const MEASURE: Duration = Duration::from_secs(5);

/// So many frames lost are an overload, not a hiccup: twenty times the alert's threshold.
const OVERLOADED: f64 = 0.1;

pub(super) fn cause(site: &Site) -> anyhow::Result<String> {
    let cpus = confine(site, CPUS)?;
    for preset in PRESETS {
        site.vvtvctl(&["flags", "set", &format!("encoder.preset={preset}"), "--format", "json"])?;
        let lost = lost(site)?;
        if lost >= OVERLOADED {
            return Ok(format!(
                "preset {preset} on {cpus} CPUs: the encoder loses {:.0} % of its frames",
                lost * 100.0
            ));
        }
    }
    bail!("the encoder keeps up even with preset placebo on {cpus} CPUs: give it a larger picture in playout.yml")
}

pub(super) fn undo(site: &Site) -> anyhow::Result<String> {
    let cpus = confine(site, CpuSet::MAX_CPU)?;
    site.vvtvctl(&["flags", "unset", "encoder.preset", "--format", "json"])?;
    Ok(format!("the playout has {cpus} CPUs again, and the preset of playout.yml"))
}

/// Gives every thread of the playout daemon and its children the first `most` CPUs of those that this process may use; children
/// started later inherit that. Returns how many those are.
fn confine(site: &Site, most: usize) -> anyhow::Result<usize> {
    let status = site.vvtvctl(&["streaming", "status", "--format", "json"])?;
    let daemon = status.get("daemon_pid").and_then(Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
    let daemon = daemon.with_context(|| format!("no playout runs: {status}"))?;
    let allowed = sched_getaffinity(None).context("ask for this process' CPUs")?;
    let mut cpus = CpuSet::new();
    let chosen: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).take(most).collect();
    chosen.iter().for_each(|cpu| cpus.set(*cpu));
    for member in family::descendants(&[daemon]) {
        // Threads come and go: one that has just ended needs no CPU.
        let threads = Process::new(member.pid).and_then(|process| process.tasks()).into_iter().flatten().flatten();
        for thread in threads.filter_map(|thread| Pid::from_raw(thread.tid)) {
            match sched_setaffinity(Some(thread), &cpus) {
                Err(error) if error != rustix::io::Errno::SRCH => {
                    return Err(error).with_context(|| format!("choose the CPUs of process {}", member.pid));
                }
                Ok(()) | Err(_) => {}
            }
        }
    }
    Ok(chosen.len())
}

/// Share of the frames that the encoder was too slow to take.
fn lost(site: &Site) -> anyhow::Result<f64> {
    let counts = || -> anyhow::Result<(u64, u64)> {
        let stats = site.vvtvctl(&["streaming", "stats", "--format", "json"])?;
        let count = |key: &str| stats.get(key).and_then(Value::as_u64).with_context(|| format!("no {key}: {stats}"));
        Ok((count("frames_refused")?, count("frames_sent")?))
    };
    pass(WARM_UP);
    let (refused_before, sent_before) = counts()?;
    pass(MEASURE);
    let (refused, sent) = counts()?;
    let (refused, sent) = (refused.saturating_sub(refused_before), sent.saturating_sub(sent_before));
    Ok(refused as f64 / (refused + sent).max(1) as f64)
}
