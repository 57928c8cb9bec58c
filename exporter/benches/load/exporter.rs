//! The program under test, as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use procfs::WithCurrentSystemInfo as _;
use tempfile::NamedTempFile;

/// A running exporter; it ends with its owner.
pub(crate) struct Exporter {
    child: Child,
    client: reqwest::Client,
    pub(crate) url: String,
    _config: NamedTempFile,
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Exporter {
    pub(crate) fn start(config: &str) -> Self {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_vvtv-exporter"))
            .arg(format!("--config.file={}", file.path().display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "the exporter ended before it listened");
            if let Some((_, address)) = line.trim().split_once("msg=listening address=") {
                break address.to_owned();
            }
        };
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { child, client, url: format!("http://{address}"), _config: file }
    }

    fn stat(&self) -> procfs::process::Stat {
        procfs::process::Process::new(self.child.id().try_into().unwrap()).unwrap().stat().unwrap()
    }

    /// Processor time that it has used.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = self.stat();
        (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64
    }

    pub(crate) fn resident_bytes(&self) -> f64 {
        self.stat().rss_bytes().get() as f64
    }

    /// Gets a path; returns the body and how long it took.
    pub(crate) async fn get(&self, path: &str) -> (String, Duration) {
        let started = Instant::now();
        let body = self.client.get(format!("{}{path}", self.url)).send().await.unwrap().text().await.unwrap();
        (body, started.elapsed())
    }

    /// Scrapes once in `every` until `seconds` have passed; the durations in milliseconds to the body's last byte, and the last body.
    pub(crate) async fn scrapes(&self, seconds: u64, every: Duration) -> (Vec<f64>, String) {
        let mut ticks = tokio::time::interval(every);
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut durations = Vec::new();
        let mut last = Vec::new();
        while Instant::now() < until {
            ticks.tick().await;
            let started = Instant::now();
            let mut response = self.client.get(format!("{}/metrics", self.url)).send().await.unwrap();
            last.clear();
            while let Some(chunk) = response.chunk().await.unwrap() {
                last.extend_from_slice(&chunk);
            }
            durations.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        (durations, String::from_utf8(last).unwrap())
    }
}

/// Series of a scrape.
pub(crate) fn series(body: &str) -> f64 {
    body.lines().filter(|line| !line.starts_with('#')).count() as f64
}

/// The upper bound below which 99 of 100 polls were late, in milliseconds, between two scrapes' histograms.
pub(crate) fn lateness_p99_ms(before: &str, after: &str) -> f64 {
    let buckets = |body: &str| -> Vec<(f64, f64)> {
        let lines =
            body.lines().filter_map(|line| line.strip_prefix("vvtv_exporter_poll_lateness_seconds_bucket{le=\""));
        lines
            .filter_map(|line| {
                let (bound, count) = line.split_once("\"} ")?;
                Some((bound.replace("+Inf", "inf").parse().ok()?, count.parse().ok()?))
            })
            .collect()
    };
    let (before, after) = (buckets(before), buckets(after));
    let grown: Vec<(f64, f64)> =
        after.iter().zip(&before).map(|((bound, after), (_, before))| (*bound, after - before)).collect();
    let all = grown.last().map_or(0.0, |(_, count)| *count);
    grown.iter().find(|(_, count)| *count >= all * 0.99).map_or(f64::INFINITY, |(bound, _)| bound * 1000.0)
}
