//! `streaming metrics`: the four signals as the exporter measures them, once or as a live board.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Serialize;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::failure::Failure;
use vvtv_playout_interface::http;

use super::context::Context;
use crate::render;
use crate::verdict::Verdict;

/// Between two drawings of the board.
const REDRAW: Duration = Duration::from_secs(2);

/// How long the exporter may take.
const WITHIN: Duration = Duration::from_secs(3);

/// A scrape larger than this is not read.
const SCRAPE_MAX: usize = 16 << 20;

/// One sample of the text format.
#[derive(Clone, Debug, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

/// The stream's signals. A value that the exporter does not give is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Signals {
    pub(super) stream: String,
    /// The oldest variant's.
    pub(super) segment_age_seconds: Option<f64>,
    pub(super) encoder_drops_ratio: Option<f64>,
    pub(super) ingest_up: Option<bool>,
    pub(super) ingest_publishing: Option<bool>,
    pub(super) bitrate_variance_ratio: Option<f64>,
    pub(super) queue_buffer_seconds: Option<f64>,
    pub(super) fault_stage: Option<String>,
    /// By signal, as the exporter's configuration has them.
    pub(super) thresholds: BTreeMap<String, f64>,
}

pub(super) async fn run(context: &Context, live: bool) -> Result<Verdict, Failure> {
    let config = context.config()?;
    let client = http::client()?;
    // Under watch(1) or in a pipe a board that stays would hang: there it is drawn once.
    if !(live && std::io::stdout().is_terminal()) {
        let signals = fetch(&client, &config).await.map_err(Failure::Unreachable)?;
        render::result(context.format, &signals, || board(&signals))?;
        return Ok(Verdict::Good);
    }
    loop {
        let text = match fetch(&client, &config).await {
            Ok(signals) => board(&signals),
            Err(error) => format!("{error:#}\n"),
        };
        render::print(&format!("\u{1b}[H\u{1b}[2J{text}\n{}  Ctrl-C ends", jiff::Zoned::now().strftime("%H:%M:%S")));
        tokio::select! {
            () = tokio::time::sleep(REDRAW) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Verdict::Good),
        }
    }
}

/// Asks the exporter.
///
/// # Errors
/// It does not answer.
pub(super) async fn fetch(client: &reqwest::Client, config: &Config) -> anyhow::Result<Signals> {
    let mut url = config.exporter.clone();
    url.set_path("/metrics");
    let body = http::get(client, &url, WITHIN, SCRAPE_MAX).await?;
    Ok(signals(&config.stream, &String::from_utf8_lossy(&body)))
}

fn signals(stream: &str, text: &str) -> Signals {
    let mut signals = Signals { stream: stream.to_owned(), ..Signals::default() };
    for sample in text.lines().filter_map(parse_line).filter(|sample| label(sample, "stream") == Some(stream)) {
        let value = sample.value;
        match sample.name {
            "vvtv_segment_age_seconds" => {
                signals.segment_age_seconds = Some(signals.segment_age_seconds.map_or(value, |age| age.max(value)));
            }
            "vvtv_encoder_drops_ratio" => signals.encoder_drops_ratio = Some(value),
            "vvtv_ingest_up" => signals.ingest_up = Some(value > 0.0),
            "vvtv_ingest_publishing" => signals.ingest_publishing = Some(value > 0.0),
            "vvtv_bitrate_variance_ratio" => signals.bitrate_variance_ratio = Some(value),
            "vvtv_queue_buffer_seconds" => signals.queue_buffer_seconds = Some(value),
            "vvtv_fault_stage" if value > 0.0 => signals.fault_stage = label(&sample, "stage").map(str::to_owned),
            "vvtv_alert_threshold" => {
                if let Some(signal) = label(&sample, "signal") {
                    signals.thresholds.insert(signal.to_owned(), value);
                }
            }
            _ => {}
        }
    }
    signals
}

fn label<'a>(sample: &'a Sample<'_>, name: &str) -> Option<&'a str> {
    sample.labels.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

/// Reads `name{label="value",…} 1.5`, with the format's escapes; anything else is no sample.
fn parse_line(line: &str) -> Option<Sample<'_>> {
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((key.trim_start_matches(',').trim(), value));
            rest = after;
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, labels, value })
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// A segment's age, for people.
pub(super) fn age(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// A ratio, for people.
pub(super) fn share(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

fn board(signals: &Signals) -> String {
    let mut text = format!("stream {}\n", signals.stream);
    let limit = |signal: &str| signals.thresholds.get(signal).copied();
    let mut line = |name: &str, value: Option<f64>, limit: Option<f64>, show: fn(f64) -> String| {
        let mark = match (value, limit) {
            (Some(value), Some(limit)) if value > limit => "ALERT",
            (Some(_), _) => "ok",
            (None, _) => "unknown",
        };
        let shown = value.map_or_else(|| "-".to_owned(), show);
        let limit = limit.map_or_else(String::new, |limit| format!("limit {}", show(limit)));
        let _ = writeln!(text, "  {name:<17} {mark:<8} {shown:<12} {limit}");
    };
    line("segment age", signals.segment_age_seconds, limit("segment_age"), age);
    line("encoder drops", signals.encoder_drops_ratio, limit("encoder_drops"), share);
    line("bitrate variance", signals.bitrate_variance_ratio, limit("bitrate_variance"), share);
    let yes = |value: Option<bool>, good: &str, bad: &str| match value {
        Some(true) => format!("ok       {good}"),
        Some(false) => format!("ALERT    {bad}"),
        None => "unknown".to_owned(),
    };
    let _ = writeln!(text, "  {:<17} {}", "ingest", yes(signals.ingest_up, "answers", "does not answer"));
    let _ = writeln!(text, "  {:<17} {}", "publisher", yes(signals.ingest_publishing, "sends", "missing or silent"));
    let _ = writeln!(text, "  {:<17} {}", "queue ahead", render::seconds(signals.queue_buffer_seconds));
    let _ = writeln!(text, "  {:<17} {}", "broken at", signals.fault_stage.as_deref().unwrap_or("unknown"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRAPE: &str = "# HELP vvtv_segment_age_seconds x\n\
        vvtv_segment_age_seconds{stream=\"main\",variant=\"low\"} 1.25\n\
        vvtv_segment_age_seconds{stream=\"main\",variant=\"high \\\"q\\\"\"} 12\n\
        vvtv_segment_age_seconds{stream=\"other\",variant=\"low\"} 99\n\
        vvtv_encoder_drops_ratio{stream=\"main\"} 0.0012 1790000000\n\
        vvtv_ingest_up{stream=\"main\"} 1\n\
        vvtv_ingest_publishing{stream=\"main\"} 0\n\
        vvtv_queue_buffer_seconds{stream=\"main\"} 1834.2\n\
        vvtv_fault_stage{stream=\"main\",stage=\"none\"} 0\n\
        vvtv_fault_stage{stream=\"main\",stage=\"encoder\"} 1\n\
        vvtv_alert_threshold{stream=\"main\",signal=\"segment_age\"} 10\n\
        vvtv_alert_threshold{stream=\"main\",signal=\"encoder_drops\"} 0.005\n\
        broken{stream=\"main 1\n\nprocess_cpu_seconds_total 4\n";

    #[test]
    fn the_board_shows_the_worst_variant_and_what_is_unknown() {
        insta::assert_snapshot!(board(&signals("main", SCRAPE)), @r"
        stream main
          segment age       ALERT    12.0 s       limit 10.0 s
          encoder drops     ok       0.12 %       limit 0.50 %
          bitrate variance  unknown  -            
          ingest            ok       answers
          publisher         ALERT    missing or silent
          queue ahead       30m34s
          broken at         encoder
        ");
    }
}
