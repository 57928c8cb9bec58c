//! The program under test, as a process of its own.

use std::process::Command;
use std::time::{Duration, Instant};

use procfs::WithCurrentSystemInfo as _;
use tempfile::NamedTempFile;

use crate::listening::Listening;
use crate::scraper::Scraper;

/// A running exporter, and who asks it.
pub(crate) struct Exporter {
    program: Listening,
    client: reqwest::Client,
    _config: NamedTempFile,
}

impl Exporter {
    pub(crate) fn start(config: &str) -> Self {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config).unwrap();
        let program = Listening::start(&mut Command::new(env!("CARGO_BIN_EXE_vvtv-exporter")), file.path(), |_| {});
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { program, client, _config: file }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.program.address)
    }

    fn stat(&self) -> procfs::process::Stat {
        procfs::process::Process::new(self.program.child.id().try_into().unwrap()).unwrap().stat().unwrap()
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
        let body = self.client.get(self.url(path)).send().await.unwrap().text().await.unwrap();
        (body, started.elapsed())
    }

    /// Scrapes once in `every` until `seconds` have passed; the durations in milliseconds to the body's last byte, and the last body.
    pub(crate) async fn scrapes(&self, seconds: u64, every: Duration) -> (Vec<f64>, String) {
        let mut scraper = Scraper::connect(&self.program.address);
        let mut ticks = tokio::time::interval(every);
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut durations = Vec::new();
        while Instant::now() < until {
            ticks.tick().await;
            let scraping = move || {
                let started = Instant::now();
                scraper.scrape();
                (scraper, started.elapsed())
            };
            let (back, took) = tokio::task::spawn_blocking(scraping).await.unwrap();
            scraper = back;
            durations.push(took.as_secs_f64() * 1000.0);
        }
        (durations, scraper.body())
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
