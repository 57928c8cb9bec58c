//! What watching costs: the released program against local servers, measured from outside through its processor time, its memory,
//! its scrapes, and the times at which its requests arrive.
//!
//! `cargo bench -p vvtv-exporter --bench load [SCENARIO]`; every line tells its limit, and a figure beyond it makes the run fail.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run fails by panicking")]

mod exporter;
#[path = "../../tests/program/listening.rs"]
mod listening;
mod origin;
mod report;
mod scenarios;
mod scraper;

use std::process::ExitCode;

use report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()));
    let mut report = Report::start();
    if is_wanted("hundred") {
        scenarios::hundred(&mut report).await;
    }
    if is_wanted("host") {
        scenarios::host(&mut report).await;
    }
    if is_wanted("ten-thousand") {
        scenarios::ten_thousand(&mut report).await;
    }
    if is_wanted("live") {
        scenarios::live(&mut report).await;
    }
    if is_wanted("sick") {
        scenarios::sick(&mut report).await;
    }
    if is_wanted("rtmp") {
        scenarios::rtmp_probes(&mut report).await;
    }
    report.end()
}
