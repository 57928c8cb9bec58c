//! The real binary under load, with full sync: durable acknowledgements, duplicates, from a webhook to a step's process,
//! acknowledgements while steps run, start-up, memory. One line a figure.
//!
//! `cargo bench -p vvtv-remediator --bench load`

use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const RUNBOOK: &str = "
id: demo
title: Demo
alerts: [Demo]
severity: critical
target: stream
healthy: 'demo_healthy{stream=\"$target\"}'
respond_within: 1h
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
webhook: {unauthenticated: true}
targets: group by (stream) (vvtv_ingest_up)
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
    firing("Demo", number)
}

fn firing(alert: &str, number: usize) -> String {
    format!(
        r#"{{"version":"4","truncatedAlerts":0,"alerts":[{{"status":"firing","labels":{{"alertname":"{alert}",
        "stream":"stream-{number}"}},"startsAt":"2026-11-22T15:07:17.131Z","endsAt":"0001-01-01T00:00:00Z",
        "fingerprint":"{alert}-{number}"}}]}}"#
    )
}

/// A delivery over a connection that stays open, with as little work as can be: the server is measured, not a client library.
async fn post(stream: &mut TcpStream, body: &str) -> anyhow::Result<()> {
    let head = format!(
        "POST /webhook/alertmanager HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await?;
    let mut answer = Vec::with_capacity(512);
    while !answer.ends_with(b"\r\n\r\nok\n") {
        ensure!(stream.read_buf(&mut answer).await? > 0, "answered {}", String::from_utf8_lossy(&answer));
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "answered {}", String::from_utf8_lossy(&answer));
    Ok(())
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
    let address = base.trim_start_matches("http://");
    let began = Instant::now();
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let (next, number, address) = (Arc::clone(&next), Arc::clone(&number), address.to_owned());
        senders.spawn(async move {
            let mut stream = TcpStream::connect(&address).await?;
            let mut times = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(times);
                }
                let sent = Instant::now();
                post(&mut stream, &body(number(index))).await?;
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
    let rate = count as f64 / took.as_secs_f64();
    println!(
        "{what}: {rate:.0}/s, p50 {:.2} ms, p99 {:.2} ms ({count} deliveries, {connections} connections)",
        millis(share(&times, 50)),
        millis(share(&times, 99))
    );
    Ok(())
}

/// The time that so many hundredths of sorted times do not exceed.
fn share(times: &[Duration], hundredths: usize) -> Duration {
    times.get(times.len() * hundredths / 100).or(times.last()).copied().unwrap_or_default()
}

/// A step that does nothing but say that its process runs, and fifty that run for long.
fn steps(pipe: &Path) -> [(&'static str, String); 2] {
    let book = |id: &str, alert: &str, step: String| {
        format!(
            "{{id: {id}, title: x, alerts: [{alert}], severity: critical, target: stream, respond_within: 1h,
            healthy: 'demo_healthy{{stream=\"$target\"}}', steps: [{{id: run, kind: diagnose, reads_only: true, {step}}}]}}"
        )
    };
    let mark = format!("shell: printf x > {}, timeout: 5s", pipe.display());
    [
        ("mark.yml", book("mark", "Mark", mark)),
        ("slow.yml", book("slow", "Slow", "run: [sleep, 60], timeout: 2m".to_owned())),
    ]
}

/// Tells when steps write to a pipe.
fn marks(pipe: &Path) -> anyhow::Result<Receiver<Instant>> {
    // Open for writing too: it does not end when a step closes it.
    let mut reader = std::fs::File::options().read(true).write(true).open(pipe)?;
    let (seen, marks) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while reader.read_exact(&mut byte).is_ok() && seen.send(Instant::now()).is_ok() {}
    });
    Ok(marks)
}

/// From a delivery to the first thing that its step's process does, one after the other, with a pause between them.
async fn spawned(
    what: &str,
    server: &Server,
    marks: &Receiver<Instant>,
    numbers: Range<usize>,
    pause: Duration,
) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut times = Vec::new();
    for number in numbers {
        tokio::time::sleep(pause).await;
        let sent = Instant::now();
        client
            .post(format!("{}/webhook/alertmanager", server.base))
            .header("content-type", "application/json")
            .body(firing("Mark", number))
            .send()
            .await?;
        times.push(marks.recv_timeout(Duration::from_secs(10))?.saturating_duration_since(sent));
    }
    times.sort_unstable();
    let (p50, p99) = (millis(share(&times, 50)), millis(share(&times, 99)));
    println!(
        "from a webhook to its step's process, {what}: p50 {p50:.2} ms, p99 {p99:.2} ms ({} deliveries)",
        times.len()
    );
    Ok(())
}

/// Waits until so many steps of the server run.
async fn until_running(server: &Server, count: usize) -> anyhow::Result<()> {
    let children = format!("/proc/{}/task", server.child.id());
    let running = || -> anyhow::Result<usize> {
        let mut running = 0;
        for task in std::fs::read_dir(&children)? {
            running += std::fs::read_to_string(task?.path().join("children"))?.split_whitespace().count();
        }
        Ok(running)
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while running()? < count {
        ensure!(Instant::now() < deadline, "{} of {count} steps run", running()?);
        tokio::task::yield_now().await;
    }
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
    let pipe = directory.path().join("pipe");
    ensure!(Command::new("mkfifo").arg(&pipe).status()?.success(), "no pipe");
    for (name, text) in steps(&pipe) {
        std::fs::write(directory.path().join("runbooks").join(name), text)?;
    }
    println!("load average: {}", std::fs::read_to_string("/proc/loadavg")?.trim());
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
    for name in ["remediator.db", "remediator.db-wal", "remediator.db-shm"] {
        std::fs::rename(directory.path().join(name), directory.path().join(format!("kept.{name}"))).unwrap_or_default();
    }
    // Steps run for targets alone that somebody besides their alerts knows.
    let known: Vec<_> = (0..450).map(|number| format!("stream-{number}")).collect();
    let config = format!("{CONFIG}inventory: [{}]\n", known.join(", "));
    std::fs::write(directory.path().join("remediator.yml"), config)?;
    let server = Server::start(directory.path())?;
    let marks = marks(&pipe)?;
    spawned("at once after the one before", &server, &marks, 0..300, Duration::ZERO).await?;
    spawned("after a pause", &server, &marks, 300..450, Duration::from_millis(30)).await?;
    for number in 0..50 {
        let post = reqwest::Client::new().post(format!("{}/webhook/alertmanager", server.base));
        post.header("content-type", "application/json").body(firing("Slow", number)).send().await?;
    }
    until_running(&server, 50).await?;
    deliver("acknowledged while 50 steps run, new alerts", &server.base, 8, 4_000, |index| index).await?;
    drop(server);
    for name in ["remediator.db", "remediator.db-wal", "remediator.db-shm"] {
        std::fs::remove_file(directory.path().join(name)).unwrap_or_default();
        std::fs::rename(directory.path().join(format!("kept.{name}")), directory.path().join(name)).unwrap_or_default();
    }
    std::fs::write(directory.path().join("remediator.yml"), CONFIG)?;
    let began = Instant::now();
    let server = Server::start(directory.path())?;
    println!("start with 10,000 open incidents: {:.0} ms", millis(began.elapsed()));
    drop(server);
    Ok(())
}
