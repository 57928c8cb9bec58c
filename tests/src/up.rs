//! `vvtv-lab up`: the stack on the documented ports, its addresses, the live board, and a clean end.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use crate::board::Board;
use crate::lab::{Lab, Settings};
use crate::ports::SHIPPED;
use crate::site::{STATE_FILE, Site};

/// How often the board is drawn.
const DRAW_EVERY: Duration = Duration::from_secs(1);
/// Two hours of content and a half.
const QUEUE_ROUNDS: usize = 4;

/// Signals that end the lab.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Ends {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// Brings the stack up at `root`, shows the board until Ctrl-C, and takes everything down; `root` is removed then.
///
/// # Errors
/// The stack does not come up: `root` stays then, with the logs. Or `root` is not a lab's.
pub async fn run(root: &Path) -> anyhow::Result<()> {
    clear(root)?;
    std::fs::create_dir_all(root).with_context(|| format!("create {}", root.display()))?;
    let root = root.canonicalize().with_context(|| format!("find {}", root.display()))?;
    let mut ends = Ends::new()?;
    eprintln!(
        "Starting NGINX-RTMP, playout, vvtv-exporter, Alertmanager, vvtv-remediator and Prometheus in {} …",
        root.display()
    );
    let lab = tokio::select! {
        lab = Settings::default().ports(SHIPPED).root(&root).queue_rounds(QUEUE_ROUNDS).start() => {
            lab.with_context(|| format!("the stack does not come up; logs are in {}/logs", root.display()))?
        }
        () = ends.next() => {
            eprintln!("Stopped before it was up.");
            return remove(&root);
        }
    };
    println!("{}", addresses(lab.site(), &lab.ask().console_link().await?));
    show_board(&lab, &mut ends).await?;
    eprintln!("\nStopping …");
    drop(lab);
    remove(&root)?;
    eprintln!("Everything has ended; nothing is left behind.");
    Ok(())
}

async fn show_board(lab: &Lab, ends: &mut Ends) -> anyhow::Result<()> {
    let in_place = std::io::stdout().is_terminal();
    let mut ticks = interval(DRAW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lines_above = 0;
    let mut last_state = String::new();
    loop {
        let board = tokio::select! {
            () = ends.next() => return Ok(()),
            board = async { ticks.tick().await; Board::fetch(lab.ask(), lab.pager().pages()).await } => board,
        };
        let mut out = std::io::stdout().lock();
        if in_place {
            let text = fit(&board.render());
            // Up to the first line of the last drawing, then everything below is cleared.
            let up = if lines_above > 0 { format!("\x1b[{lines_above}A") } else { String::new() };
            write!(out, "{up}\x1b[J{text}")?;
            lines_above = text.lines().count();
        } else if board.state() != last_state {
            last_state = board.state();
            writeln!(out, "{last_state}")?;
        }
        out.flush()?;
    }
}

/// Lines cut to the width of a narrow terminal: a wrapped line would be two, and drawing in place counts lines.
fn fit(text: &str) -> String {
    const COLUMNS: usize = 79;
    text.lines().map(|line| line.chars().take(COLUMNS).chain(['\n']).collect::<String>()).collect()
}

fn addresses(site: &Site, console: &str) -> String {
    let ports = site.ports;
    let url = |port, path: &str| Site::url(port, path);
    format!(
        "\n  console        {}\n                 (good once, for 15 minutes; another: vvtv-remediator login --config.file {}/configs/remediator.yml)\n  stream         {}\n  Prometheus     {}\n  Alertmanager   {}\n  exporter       {}\n  run directory  {}\n\n\
         Break it from another terminal: make break FAULT=encoder-frozen   (Ctrl-C here stops everything)\n",
        console,
        site.root.display(),
        url(ports.http, "/hls/main.m3u8"),
        url(ports.prometheus, "/alerts"),
        url(ports.alertmanager, "/"),
        url(ports.exporter, "/metrics"),
        site.root.display(),
    )
}

/// Removes what an earlier lab left at `root`, and nothing else.
fn clear(root: &Path) -> anyhow::Result<()> {
    let Ok(mut entries) = std::fs::read_dir(root) else { return Ok(()) };
    if entries.next().is_none() {
        return Ok(());
    }
    if let Ok(site) = Site::load(root) {
        bail!("a stack runs there already: process {} at {}", site.owner, root.display());
    }
    if !root.join(STATE_FILE).exists() && !root.join("configs/prometheus.yml").exists() {
        bail!("{} is not empty and not the run directory of a lab: it is left alone", root.display());
    }
    remove(root)
}

fn remove(root: &Path) -> anyhow::Result<()> {
    std::fs::remove_dir_all(root).with_context(|| format!("remove {}", root.display()))
}
