//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vvtv_playout_interface::root::RootArgs;

const EXIT_CODES: &str = "Exit codes:
  0  done; for status, the daemon answered (the state tells)
  1  something is unhealthy, or the operation did not succeed
  2  arguments or a configuration file are wrong; nothing was done
  3  the playout daemon or a server cannot be reached
  4  refused: it would do harm, or something is in the way

Example:
  vvtvctl streaming status --format json";

/// The operator's hands on a live channel: playout, encoder, queue, flags and diagnostics.
#[derive(Debug, Parser)]
#[command(name = "vvtvctl", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    #[command(flatten)]
    pub(crate) root: RootArgs,
    /// Output for people or for scripts
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The encoder and the stream
    #[command(subcommand)]
    Streaming(Streaming),
    /// Settings that are changed at run time and win over playout.yml
    #[command(subcommand)]
    Flags(Flags),
    /// What plays next
    #[command(subcommand)]
    Queue(Queue),
    /// Operations
    #[command(subcommand)]
    Ops(Ops),
    /// Print a shell's completions
    #[command(after_help = "Example:\n  vvtvctl completions bash > /etc/bash_completion.d/vvtvctl")]
    Completions { shell: clap_complete::Shell },
    /// Write the man pages into a directory
    #[command(after_help = "Example:\n  vvtvctl man --output /usr/local/share/man/man1")]
    Man {
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Streaming {
    /// The encoder's state: starting, running, stuck, dead or stopped
    #[command(after_help = "Example:\n  vvtvctl streaming status --format json | jq -r .state")]
    Status,
    /// Restart the encoder without stopping NGINX; done when the new one publishes
    #[command(after_help = "The options are kept as flags, so that later restarts use them too.\n\n\
        Example:\n  vvtvctl streaming restart-encoder --mode cbr --bitrate 4500")]
    RestartEncoder(RestartEncoder),
    /// Put emergency content before everything else in the queue
    #[command(after_help = "Plays files of ROOT/storage/emergency, in turn; without any, a test picture is made.\n\n\
        Example:\n  vvtvctl streaming emergency --inject 5 --reason segment_age_high")]
    Emergency(Emergency),
    /// Numbers of the encoder and the playout
    #[command(after_help = "Example:\n  vvtvctl streaming stats --encoder")]
    Stats {
        /// Only the encoder process
        #[arg(long)]
        encoder: bool,
        /// Also NGINX and the queue
        #[arg(long, conflicts_with = "encoder")]
        detailed: bool,
    },
    /// Test the RTMP endpoint: handshake, connect, publisher listed, bytes advancing
    #[command(after_help = "Example:\n  vvtvctl streaming test-ingest && echo 'the encoder can publish'")]
    TestIngest {
        /// Seconds for each part
        #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60))]
        timeout: u64,
    },
    /// The settings in force, and where they come from
    #[command(after_help = "Example:\n  vvtvctl streaming config --show-encoder")]
    Config {
        /// The encoder's settings and ffmpeg's arguments
        #[arg(long)]
        show_encoder: bool,
    },
    /// Is the stream healthy, from the encoder to the playlist
    #[command(after_help = "Example:\n  vvtvctl streaming health || vvtvctl ops bundle --output /tmp/bundle.tar.gz")]
    Health,
    /// The four signals, as the exporter measures them
    #[command(
        after_help = "On a terminal --live stays and redraws; elsewhere it prints once, so that watch(1) works.\n\n\
        Example:\n  vvtvctl streaming metrics --live"
    )]
    Metrics {
        /// Redraw every two seconds until Ctrl-C
        #[arg(long)]
        live: bool,
    },
    /// The newest lines of the encoder's or NGINX's log
    #[command(after_help = "Example:\n  vvtvctl streaming logs --errors --lines 100")]
    Logs(Logs),
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only lines that tell of an error
    #[arg(long)]
    pub(crate) errors: bool,
    /// NGINX's error log
    #[arg(long)]
    pub(crate) nginx: bool,
    /// NGINX-RTMP's log of connections: who published and who played
    #[arg(long, conflicts_with_all = ["errors", "nginx"])]
    pub(crate) rtmp: bool,
    /// How many lines
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) lines: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RestartEncoder {
    /// x264 preset, ultrafast (least load) to placebo
    #[arg(long)]
    pub(crate) preset: Option<String>,
    /// Video bitrate in kilobits per second
    #[arg(long, value_name = "KBPS")]
    pub(crate) bitrate: Option<String>,
    /// Rate control: cbr, vbr or crf
    #[arg(long)]
    pub(crate) mode: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Emergency {
    /// How many items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) inject: u32,
    /// Why; kept with the items as their plan
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Flags {
    /// Set flags, and restart the encoder once to apply them
    #[command(after_help = "Example:\n  vvtvctl flags set encoder.preset=fast encoder.crf=23")]
    Set {
        /// Flags, as encoder.preset=fast
        #[arg(required = true, value_name = "KEY=VALUE")]
        assignments: Vec<String>,
        /// Leave the running encoder alone; the next start applies them
        #[arg(long)]
        no_apply: bool,
    },
    /// Print one flag
    #[command(after_help = "Example:\n  vvtvctl flags get encoder.preset")]
    Get {
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Print all flags, set or not
    #[command(after_help = "Example:\n  vvtvctl flags list --format json")]
    List,
    /// Take flags back to what playout.yml says, and restart the encoder once to apply it
    #[command(after_help = "Example:\n  vvtvctl flags unset encoder.preset encoder.crf")]
    Unset {
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        /// Leave the running encoder alone; the next start applies them
        #[arg(long)]
        no_apply: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    /// Counts by status, and how many seconds of content lie ahead
    #[command(after_help = "Example:\n  vvtvctl queue summary --format json | jq .buffer_seconds")]
    Summary,
    /// The items in the order of playing
    #[command(after_help = "Example:\n  vvtvctl queue show --format json | jq '.items[] | {id, resolution, bitrate}'")]
    Show {
        /// Also what was played or failed, newest first
        #[arg(long)]
        all: bool,
        /// At most so many items
        #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Add files to the end of the queue
    #[command(after_help = "Example:\n  vvtvctl queue add --priority 5 /vvtv/storage/ready/film.mp4")]
    Add {
        /// Media files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Higher plays first
        #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
        priority: i64,
        /// The plan that the items belong to
        #[arg(long, value_name = "ID")]
        plan: Option<String>,
    },
    /// End the item on air, so that the next one plays
    #[command(after_help = "Example:\n  vvtvctl queue skip")]
    Skip,
    /// Take items out that wait to be played; the files stay, and what is on air or about to go on air plays
    #[command(after_help = "Example:\n  vvtvctl queue remove 17 18")]
    Remove {
        #[arg(value_name = "ID", required_unless_present = "all", value_parser = clap::value_parser!(i64).range(1..))]
        ids: Vec<i64>,
        /// Everything that waits
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ops {
    /// Pack everything that helps to find a fault into one archive, within ten seconds
    #[command(after_help = "Example:\n  vvtvctl ops bundle --scope streaming --output /tmp/streaming_debug.tar.gz")]
    Bundle {
        /// What the bundle is about
        #[arg(long, value_enum, default_value_t = Scope::Streaming)]
        scope: Scope,
        /// The archive to write, a .tar.gz
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// The runbook's daily, weekly and monthly lists
    #[command(subcommand)]
    Maintenance(Maintenance),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Maintenance {
    /// Print the tasks, and who does them
    #[command(after_help = "Example:\n  vvtvctl ops maintenance list")]
    List,
    /// Do tasks and report each with its evidence
    #[command(
        after_help = "Exit codes: 0 all passed, 1 one failed, 3 one could not be found out, 4 nothing was done.\n\n\
        Example:\n  vvtvctl ops maintenance run daily --format json"
    )]
    Run {
        /// A task, or all of daily, weekly or monthly
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Also tasks that interrupt the stream for some seconds
        #[arg(long)]
        disruptive: bool,
    },
}

/// What a bundle is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    Streaming,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Every command that is no group of commands, with its words.
    fn leaves(command: &clap::Command, words: &str, found: &mut Vec<(String, clap::Command)>) {
        let words = format!("{words} {}", command.get_name()).trim_start().to_owned();
        if command.has_subcommands() {
            command.get_subcommands().for_each(|sub| leaves(sub, &words, found));
        } else {
            found.push((words, command.clone()));
        }
    }

    #[test]
    fn every_command_has_an_example_that_is_understood() {
        let mut commands = Vec::new();
        leaves(&Cli::command(), "", &mut commands);
        assert!(commands.len() > 20, "{commands:#?}");
        for (words, command) in commands {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let (_, examples) = help.split_once("Example:\n").unwrap_or_else(|| panic!("{words} has no example"));
            for example in examples.lines() {
                // What follows is the shell's.
                let ours = example.split(['|', '>', '&', '\'']).next().unwrap();
                let parsed = Cli::try_parse_from(ours.split_whitespace());
                assert!(parsed.is_ok(), "{words}: {example}: {}", parsed.unwrap_err());
            }
            let last = words.rsplit(' ').next().unwrap();
            assert!(examples.split_whitespace().any(|word| word == last), "{words}: the example is another command's");
        }
    }
}
