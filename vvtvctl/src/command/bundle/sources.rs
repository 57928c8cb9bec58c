//! Where a bundle's parts come from. Adding a part is adding a line here.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::process::Command;
use vvtv_playout_interface::client;
use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::http;
use vvtv_playout_interface::layout::Layout;
use vvtv_playout_interface::protocol::Request;
use vvtv_playout_interface::queue::Queue;
use vvtv_toolkit::access::read_token;

use super::pack::Keep;
use crate::command::logs;

/// HTTP sources get a little less than a source's whole time, so that their own words stand in the note.
const HTTP_WITHIN: Duration = Duration::from_millis(4500);

const BODY_MAX: usize = 8 << 20;

/// Files listed of the segment directory.
const LISTING_MAX: usize = 5_000;

/// What the service manager wrote down about our services.
const JOURNAL: [&str; 9] = [
    "journalctl",
    "--no-pager",
    "--since=-10min",
    "--lines=5000",
    "-unginx-rtmp",
    "-uvvtv-playout",
    "-uvvtv-exporter",
    "-uvvtv-remediator",
    "--quiet",
];

/// One part of the bundle, not fetched yet.
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) keep: Keep,
    pub(super) fetch: Pin<Box<dyn Future<Output = anyhow::Result<String>>>>,
}

fn source(name: &'static str, keep: Keep, fetch: impl Future<Output = anyhow::Result<String>> + 'static) -> Source {
    Source { name, keep, fetch: Box::pin(fetch) }
}

/// Every source; those that need addresses are there only with a configuration.
pub(super) fn all(layout: &Layout, config: Option<&Config>) -> Vec<Source> {
    let mut sources = daemon(layout);
    sources.extend(files(layout));
    sources.extend(host(layout));
    if let Some(config) = config {
        sources.extend(servers(config));
        sources.push(incidents(config, layout.viewer_token()));
    }
    sources
}

fn daemon(layout: &Layout) -> Vec<Source> {
    let asked = [
        ("status.json", Keep::Head, Request::Status),
        ("stats.json", Keep::Head, Request::Stats),
        ("encoder.json", Keep::Head, Request::Config),
    ];
    asked
        .into_iter()
        .map(|(name, keep, request)| {
            let layout = layout.clone();
            source(
                name,
                keep,
                blocking(move || {
                    let reply = client::ask(&layout, &request).map_err(|failure| anyhow::anyhow!(failure.message()))?;
                    Ok(serde_json::to_string_pretty(&reply)?)
                }),
            )
        })
        .collect()
}

fn files(layout: &Layout) -> Vec<Source> {
    let text = |name, keep, path: PathBuf| source(name, keep, blocking(move || logs::tail(&path)));
    let (hls, queue, flags) = (layout.hls(), layout.queue(), layout.flags());
    vec![
        text("streaming.log", Keep::Tail, layout.streaming_log()),
        text("nginx_error.log", Keep::Tail, layout.nginx_error_log()),
        text("nginx_access.log", Keep::Tail, layout.nginx_access_log()),
        text("nginx.conf", Keep::Head, layout.nginx_config()),
        text("playout.yml", Keep::Head, layout.config()),
        text("rtmp_access.log", Keep::Tail, layout.rtmp_access_log()),
        // Where nobody ever set a flag there is no file: nothing is missing.
        source(
            "flags.json",
            Keep::Head,
            blocking(move || if flags.exists() { logs::tail(&flags) } else { Ok("{}\n".to_owned()) }),
        ),
        source("segments.txt", Keep::Head, blocking(move || listing(&hls))),
        source(
            "queue.json",
            Keep::Head,
            blocking(move || {
                let queue = Queue::open_existing(&queue)?;
                let all =
                    serde_json::json!({"summary": queue.summary(Timestamp::now())?, "items": queue.show(true, 500)?});
                Ok(serde_json::to_string_pretty(&all)?)
            }),
        ),
    ]
}

fn host(layout: &Layout) -> Vec<Source> {
    let nginx_config = layout.nginx_config().display().to_string();
    let hls = layout.hls().display().to_string();
    let run =
        |name, argv: &[&str]| source(name, Keep::Head, command(argv.iter().map(|part| (*part).to_owned()).collect()));
    let read = |name, path: &'static str| source(name, Keep::Head, blocking(move || logs::tail(Path::new(path))));
    // `nginx -t` itself opens logs that may be another user's.
    let check = layout.check_nginx();
    let check = if check.is_file() {
        vec![check.display().to_string()]
    } else {
        ["nginx", "-t", "-c"].map(str::to_owned).into()
    };
    let check: Vec<&str> = check.iter().map(String::as_str).chain([nginx_config.as_str()]).collect();
    vec![
        run("nginx-config-test.txt", &check),
        run("processes.txt", &["ps", "-eo", "pid,ppid,stat,pcpu,pmem,rss,etime,args", "--sort=-pcpu"]),
        run("cpu.txt", &["top", "-b", "-n", "1", "-w", "200"]),
        run("io.txt", &["iostat", "-x", "1", "2"]),
        run("memory.txt", &["free", "-h"]),
        run("disk.txt", &["df", "-h"]),
        run("disk-broadcast.txt", &["df", "-h", &hls]),
        run("inodes-broadcast.txt", &["df", "-i", &hls]),
        run("uptime.txt", &["uptime"]),
        run("version-ffmpeg.txt", &["ffmpeg", "-version"]),
        run("version-nginx.txt", &["nginx", "-V"]),
        run("version-system.txt", &["uname", "-a"]),
        run("system-messages.txt", &JOURNAL),
        source("network.txt", Keep::Head, network()),
        read("pressure-cpu.txt", "/proc/pressure/cpu"),
        read("pressure-io.txt", "/proc/pressure/io"),
        read("pressure-memory.txt", "/proc/pressure/memory"),
    ]
}

fn below(base: &url::Url, path: &str, query: Option<&str>) -> url::Url {
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(query);
    url
}

/// The remediator tells whoever shows a token; where there is none, its refusal says so.
fn incidents(config: &Config, token: PathBuf) -> Source {
    let url = below(&config.remediator, "/api/v1/incidents", Some("state=all"));
    source("incidents.json", Keep::Head, async move {
        let request = http::client()?.get(url.clone());
        let request = if token.exists() { request.bearer_auth(read_token(&token)?) } else { request };
        let body = http::answer(request, &url, HTTP_WITHIN, BODY_MAX).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    })
}

fn servers(config: &Config) -> Vec<Source> {
    let pages = [
        ("nginx-stat.xml", config.nginx.stat.clone()),
        ("playlist.m3u8", config.nginx.playlist.clone()),
        ("exporter-metrics.txt", below(&config.exporter, "/metrics", None)),
    ];
    let mut sources: Vec<Source> = pages
        .into_iter()
        .map(|(name, url)| {
            source(name, Keep::Head, async move {
                let body = http::get(&http::client()?, &url, HTTP_WITHIN, BODY_MAX).await?;
                Ok(String::from_utf8_lossy(&body).into_owned())
            })
        })
        .collect();
    let probe = [config.ffprobe.as_str(), "-v", "error", "-of", "json", "-show_streams", "-show_format"];
    let mut argv: Vec<String> = probe.map(str::to_owned).into();
    argv.push(config.nginx.playlist.to_string());
    sources.push(source("playlist-streams.json", Keep::Head, command(argv)));
    sources
}

/// The interfaces' counters twice, a second apart: the difference is the throughput.
async fn network() -> anyhow::Result<String> {
    let read = || blocking(|| logs::tail(Path::new("/proc/net/dev")));
    let first = read().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(format!("{first}\none second later:\n{}", read().await?))
}

/// Runs something that may hang on a disk or a socket; when its time is up it is left behind.
async fn blocking(work: impl FnOnce() -> anyhow::Result<String> + Send + 'static) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(work).await.context("the source panicked")?
}

/// A program's whole output; it is killed when its time is up. A failing one has its say too.
async fn command(argv: Vec<String>) -> anyhow::Result<String> {
    let (program, arguments) = argv.split_first().context("no program")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run {program}"))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        text.push_str(&format!("\n({program}: {})\n", output.status));
    }
    Ok(text)
}

/// Names, sizes and times of the newest files, oldest first.
fn listing(directory: &Path) -> anyhow::Result<String> {
    let named = || format!("cannot list {}", directory.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(named)?.take(LISTING_MAX) {
        let entry = entry.with_context(named)?;
        // A segment may be deleted between being listed and being looked at.
        let Ok(metadata) = entry.metadata() else { continue };
        let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        files.push((modified, metadata.len(), entry.file_name()));
    }
    files.sort();
    let line = |(modified, bytes, name): &(Option<Timestamp>, u64, std::ffi::OsString)| {
        let modified = modified.map_or_else(|| "-".to_owned(), |modified| format!("{modified:.3}"));
        format!("{modified} {bytes:>10} {}\n", name.display())
    };
    Ok(files.iter().map(line).collect())
}
