//! The real binary under load, with full sync: durable acknowledgements, duplicates, start-up, memory. One line a figure.
//!
//! `cargo bench -p vvtv-remediator --bench load`

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

const RUNBOOK: &str = "
id: demo
title: Demo
alerts: [Demo]
severity: critical
target: stream
healthy: 'demo_healthy{stream=\"$target\"}'
steps:
  - {id: mend, title: Mend, kind: change, run: ['true'], timeout: 5s, settle: 1s}
";

const CONFIG: &str = "
listen: 127.0.0.1:0
external_url: http://127.0.0.1:10048
database: sqlite:remediator.db
runbooks: runbooks/
prometheus: http://127.0.0.1:9
alertmanager: http://127.0.0.1:9
contacts: [{level: 1, name: SRE On-Call, respond_within: 5m, scope: Immediate response, notify: [hook]}]
channels: {hook: {webhook: {url: 'http://127.0.0.1:9/'}}}
";

struct Server {
    child: Child,
    base: String,
}

impl Server {
    fn start(directory: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"))
            .args(["serve", "--log.level=info", "--config.file"])
            .arg(directory.join("remediator.yml"))
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("no stderr")?).lines();
        let base = loop {
            let line = lines.next().context("the server ended")??;
            if let Some(address) = line.split("address=").nth(1).filter(|_| line.contains("listening")) {
                break format!("http://{}", address.split_whitespace().next().unwrap_or_default());
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, base })
    }

    /// Resident memory in MiB.
    fn resident(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).context("no value")?.parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn body(number: usize) -> String {
    format!(
        r#"{{"version":"4","truncatedAlerts":0,"alerts":[{{"status":"firing","labels":{{"alertname":"Demo",
        "stream":"stream-{number}"}},"startsAt":"2026-11-22T15:07:17.131Z","endsAt":"0001-01-01T00:00:00Z",
        "fingerprint":"f-{number}"}}]}}"#
    )
}

/// Sends `count` deliveries over `connections` and tells the rate and the latencies.
async fn deliver(
    what: &str,
    base: &str,
    connections: usize,
    count: usize,
    number: impl Fn(usize) -> usize + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let number = Arc::new(number);
    let url = format!("{base}/webhook/alertmanager");
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (next, number, url) = (Arc::clone(&next), Arc::clone(&number), url.clone());
        senders.spawn(async move {
            let client = reqwest::Client::builder().pool_max_idle_per_host(1).no_proxy().build()?;
            let mut times = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(times);
                }
                let sent = Instant::now();
                let response = client.post(&url).body(body(number(index))).send().await?;
                ensure!(response.status().is_success(), "answered {}", response.status());
                times.push(sent.elapsed());
            }
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(done) = senders.join_next().await {
        times.extend(done??);
    }
    let took = began.elapsed();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
    let rate = count as f64 / took.as_secs_f64();
    println!(
        "{what}: {rate:.0}/s, p50 {:.2} ms, p99 {:.2} ms ({count} deliveries, {connections} connections)",
        millis(at(50)),
        millis(at(99))
    );
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    std::fs::create_dir(directory.path().join("runbooks"))?;
    std::fs::write(directory.path().join("runbooks/demo.yml"), RUNBOOK)?;
    std::fs::write(directory.path().join("remediator.yml"), CONFIG)?;
    println!("cores: {}", std::thread::available_parallelism()?);
    let server = Server::start(directory.path())?;
    println!("memory when idle: {:.1} MiB", server.resident()?);
    deliver("acknowledged, one connection, new alerts", &server.base, 1, 500, |index| index).await?;
    deliver("acknowledged, new alerts", &server.base, 32, 500, |index| 500 + index).await?;
    println!("memory with 1,000 open incidents: {:.1} MiB", server.resident()?);
    deliver("acknowledged, new alerts", &server.base, 32, 9_000, |index| 1_000 + index).await?;
    println!("memory with 10,000 open incidents: {:.1} MiB", server.resident()?);
    deliver("acknowledged, duplicates", &server.base, 32, 40_000, |index| index % 10_000).await?;
    drop(server);
    let began = Instant::now();
    let server = Server::start(directory.path())?;
    println!("start with 10,000 open incidents: {:.0} ms", millis(began.elapsed()));
    drop(server);
    Ok(())
}
