//! Harm done to a running stack on purpose, and how each harm is taken back. Processes are found by their ids, never by name.

pub mod audio;
pub mod disk;
mod overload;
mod programme;

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use procfs::process::Process;
use rustix::process::Signal;
use vvtv_toolkit::process::Identity;

use crate::family;
use crate::site::Site;

/// A fault that `vvtv-lab break` can cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// The encoder stops where it is (SIGSTOP): its connection stays, no byte comes. Wants a restart of the encoder.
    EncoderFrozen,
    /// The encoder is killed (KILL): the publisher is gone at once. Wants a new encoder.
    EncoderKilled,
    /// The encoder's sound ends while its picture goes on: no segment is cut. Takes half a minute. Wants a new encoder.
    AudioGone,
    /// NGINX ends: RTMP and HLS refuse connections. Wants NGINX started.
    NginxDown,
    /// NGINX's worker stops (SIGSTOP): connections are accepted, nothing is answered. Wants NGINX killed and started.
    NginxHung,
    /// The encoder's preset is too slow for two CPUs: it loses frames. Takes up to a minute. Wants a lighter preset.
    EncoderOverload,
    /// Still and noisy pictures by turns, under constant quality: the bitrate swings. Wants a constant bitrate.
    BitrateSwings,
    /// Nothing waits in the queue. Wants emergency content, once segments are old too.
    QueueLow,
    /// The disk under the segments is full of old ones (a small disk, mounted there: needs root). Wants them cleaned.
    DiskFull,
    /// The films of the queue are gone: the slate plays. Wants people, or emergency content.
    InputGone,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("hidden", |value| value.get_name()))
    }
}

/// All faults with what they do, one a line.
#[must_use]
pub fn list() -> String {
    let values = Fault::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let line = |value: clap::builder::PossibleValue| {
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        format!("  {:<16} {help}\n", value.get_name())
    };
    values.map(line).collect()
}

impl Fault {
    /// Does the harm; says what was done.
    ///
    /// # Errors
    /// What is to be harmed does not run.
    pub fn cause(self, site: &Site) -> anyhow::Result<String> {
        match self {
            Self::EncoderFrozen => send(SIGSTOP, site.encoder()?, "the encoder"),
            Self::EncoderKilled => send(SIGKILL, site.encoder()?, "the encoder"),
            Self::AudioGone => audio::cause(site),
            Self::NginxDown => send(SIGTERM, site.nginx_master()?, "NGINX's master"),
            Self::NginxHung => send(SIGSTOP, site.nginx_worker()?, "NGINX's worker"),
            Self::EncoderOverload => overload::cause(site),
            Self::BitrateSwings => programme::swing(site),
            Self::QueueLow => programme::empty(site),
            Self::DiskFull => disk::fill(site),
            Self::InputGone => programme::hide(site),
        }
    }

    /// Takes the harm back, as far as that can be done; says what was done.
    ///
    /// # Errors
    /// There is nothing to take back, or NGINX does not start.
    pub fn undo(self, site: &Site) -> anyhow::Result<String> {
        match self {
            Self::EncoderFrozen => send(SIGCONT, site.encoder()?, "the encoder"),
            Self::EncoderKilled => {
                bail!("a killed encoder cannot be revived: vvtvctl streaming restart-encoder starts a new one")
            }
            Self::AudioGone => audio::undo(site),
            Self::NginxDown => {
                let mut command = site.command(&site.root.join("bin/restart-nginx"))?;
                let output = command.arg(site.root.join("configs/nginx/rtmp.conf")).output().context("start NGINX")?;
                if !output.status.success() {
                    bail!("NGINX does not start: {}", String::from_utf8_lossy(&output.stderr).trim());
                }
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            }
            Self::NginxHung => send(SIGCONT, site.nginx_worker()?, "NGINX's worker"),
            Self::EncoderOverload => overload::undo(site),
            Self::BitrateSwings => programme::undo_swing(site),
            Self::QueueLow => programme::fill(site),
            Self::DiskFull => disk::undo(site),
            Self::InputGone => programme::unhide(site),
        }
    }
}

/// Lets time pass: what has to be measured, or to come, takes some.
fn pass(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// A signal and its name for people.
type Named = (Signal, &'static str);

const SIGSTOP: Named = (Signal::STOP, "SIGSTOP");
const SIGCONT: Named = (Signal::CONT, "SIGCONT");
const SIGTERM: Named = (Signal::TERM, "SIGTERM");
const SIGKILL: Named = (Signal::KILL, "SIGKILL");

fn send((signal, name): Named, member: Identity, what: &str) -> anyhow::Result<String> {
    if !member.signal(signal) {
        bail!("{what}, process {}, has just ended", member.pid);
    }
    Ok(format!("{name} sent to {what}, process {}", member.pid))
}

impl Site {
    /// The encoder, as the playout daemon knows it.
    ///
    /// # Errors
    /// The daemon does not answer, or has no living encoder.
    pub fn encoder(&self) -> anyhow::Result<Identity> {
        let status = self.vvtvctl(&["streaming", "status", "--format", "json"])?;
        let pid = status.get("pid").and_then(serde_json::Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
        let encoder = pid.and_then(Identity::find);
        encoder.with_context(|| format!("no encoder runs; vvtvctl streaming status says {status}"))
    }

    /// NGINX's master process, by its pid file.
    ///
    /// # Errors
    /// NGINX does not run.
    pub fn nginx_master(&self) -> anyhow::Result<Identity> {
        let path = self.root.join("run/nginx/nginx.pid");
        let text = std::fs::read_to_string(&path).with_context(|| format!("NGINX does not run: {}", path.display()))?;
        let pid: i32 = text.trim().parse().with_context(|| format!("{} has no process id", path.display()))?;
        family::nginx(&self.root).into_iter().find(|member| member.pid == pid).context("NGINX's master does not run")
    }

    /// NGINX's one worker.
    ///
    /// # Errors
    /// NGINX does not run.
    pub fn nginx_worker(&self) -> anyhow::Result<Identity> {
        let title = |pid| Process::new(pid).and_then(|process| process.cmdline()).unwrap_or_default().concat();
        let mut members = family::nginx(&self.root).into_iter();
        members.find(|member| title(member.pid).contains("worker process")).context("NGINX's worker does not run")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_each_fault_does() {
        insta::assert_snapshot!(list(), @"
        encoder-frozen   The encoder stops where it is (SIGSTOP): its connection stays, no byte comes. Wants a restart of the encoder
        encoder-killed   The encoder is killed (KILL): the publisher is gone at once. Wants a new encoder
        audio-gone       The encoder's sound ends while its picture goes on: no segment is cut. Takes half a minute. Wants a new encoder
        nginx-down       NGINX ends: RTMP and HLS refuse connections. Wants NGINX started
        nginx-hung       NGINX's worker stops (SIGSTOP): connections are accepted, nothing is answered. Wants NGINX killed and started
        encoder-overload The encoder's preset is too slow for two CPUs: it loses frames. Takes up to a minute. Wants a lighter preset
        bitrate-swings   Still and noisy pictures by turns, under constant quality: the bitrate swings. Wants a constant bitrate
        queue-low        Nothing waits in the queue. Wants emergency content, once segments are old too
        disk-full        The disk under the segments is full of old ones (a small disk, mounted there: needs root). Wants them cleaned
        input-gone       The films of the queue are gone: the slate plays. Wants people, or emergency content
        ");
    }
}
