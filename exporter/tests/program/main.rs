//! The program itself: it starts, answers, reloads, refuses what is broken, and ends.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod dash;
mod encoders;
mod flood;
mod hanging;
#[path = "../../../toolkit/tests/support/flood.rs"]
mod holding;
mod hostile;
mod large;
mod listening;
mod names;
mod nginx;
mod nginx_workers;
mod probe;
mod publishers;
mod reach;
mod running;

use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use running::{EXPORTER, Running};

fn free_udp_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn dead_stream(port: u16) -> String {
    format!(
        "streams:\n  - name: main\n    playlist: http://127.0.0.1:1/main.m3u8\n    ingest: rtmp://127.0.0.1:1/live/main\n    \
         nginx_stat: http://127.0.0.1:1/stat\n    encoder_progress: udp://127.0.0.1:{port}\n    queue: /does/not/exist\n\
         interval: 100ms\nhost: {{broadcast: /, processes: []}}\n"
    )
}

#[tokio::test]
async fn a_stream_of_which_nothing_was_ever_seen_has_its_series_from_the_first_scrape_on() {
    let running = Running::start(&dead_stream(free_udp_port()), &[]);
    let (status, body) = running.get("/metrics").await;
    assert_eq!(status, 200);
    for series in [
        "vvtv_segment_age_seconds{stream=\"main\",variant=\"media\"} ",
        "vvtv_segment_last_advance_timestamp_seconds{stream=\"main\",variant=\"media\"} ",
        "vvtv_encoder_drops_ratio{stream=\"main\"} 0\n",
        "vvtv_encoder_frames_total{stream=\"main\"} 0\n",
        "vvtv_encoder_dropped_frames_total{stream=\"main\"} 0\n",
        "vvtv_encoder_duplicated_frames_total{stream=\"main\"} 0\n",
        "vvtv_encoder_restarts_total{stream=\"main\"} 0\n",
        "vvtv_encoder_speed_ratio{stream=\"main\"} 0\n",
        "vvtv_encoder_up{stream=\"main\"} 0\n",
        "vvtv_ingest_up{stream=\"main\"} 0\n",
        "vvtv_ingest_publishing{stream=\"main\"} 0\n",
        "vvtv_ingest_state{stream=\"main\",state=\"server_down\"} 1\n",
        "vvtv_bitrate_variance_ratio{stream=\"main\"} 0\n",
        "vvtv_stream_bitrate_bytes_per_second{stream=\"main\",source=\"nginx_stat\"} 0\n",
        "vvtv_fault_stage{stream=\"main\",stage=\"ingest\"} 1\n",
        "vvtv_alert_threshold{stream=\"main\",signal=\"segment_age\"} 10\n",
        "vvtv_queue_buffer_seconds{stream=\"main\"} 0\n",
        "vvtv_source_up{stream=\"main\",source=\"hls\"} 0\n",
        "vvtv_source_last_success_timestamp_seconds{stream=\"main\",source=\"hls\"} 0\n",
        "vvtv_probe_failures_total{stream=\"main\",source=\"rtmp\",reason=\"refused\"} ",
    ] {
        assert!(body.contains(series), "`{series}` is not in\n{body}");
    }
    assert!(!body.contains("NaN"), "{body}");
}

#[tokio::test]
async fn progress_arrives_by_datagram_and_what_was_seen_can_be_read() {
    let port = free_udp_port();
    let running = Running::start(&dead_stream(port), &[]);
    assert_eq!(running.get("/-/ready").await.0, 200);
    let encoder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |text: &[u8]| encoder.send_to(text, ("127.0.0.1", port)).unwrap();
    send(b"frame=25\nout_time_us=1000000\ndrop_frames=2\nprogress=continue\n");
    let _ = running.wait_for("vvtv_encoder_up{stream=\"main\"} 1").await;
    send(b"not a block");
    let failed = "vvtv_probe_failures_total{stream=\"main\",source=\"progress\",reason=\"malformed\"} 1";
    let body = running.wait_for(failed).await;
    assert!(body.contains("vvtv_encoder_dropped_frames_total{stream=\"main\"} 2\n"), "{body}");
    send(b"frame=26\nout_time_us=1040000\ndrop_frames=2\nprogress=end\n");
    let _ = running.wait_for("vvtv_encoder_up{stream=\"main\"} 0").await;
    let (status, body) = running.get("/debug/stream/main").await;
    assert!(
        status == 200 && body.contains("Block { frames: Some(26)") && body.contains("\"source\":\"progress\""),
        "{body}"
    );
    assert_eq!(running.get("/debug/stream/other").await, (404, "no such stream is configured\n".to_owned()));
}

#[tokio::test]
async fn what_was_seen_is_shown_without_secrets() {
    let secret = "http://anna:SECRETPASS@127.0.0.1:1/main.m3u8?token=SECRETTOKEN";
    let config = dead_stream(free_udp_port())
        .replace("http://127.0.0.1:1/main.m3u8", secret)
        .replace("http://127.0.0.1:1/stat", "http://anna:SECRETPASS@127.0.0.1:1/stat?token=SECRETTOKEN");
    let running = Running::start(&config, &[]);
    let failed = "vvtv_probe_failures_total{stream=\"main\",source=\"nginx_stat\",reason=\"refused\"} ";
    let _ = running.wait_until(failed, |body| body.contains(failed)).await;
    let (status, body) = running.get("/debug/stream/main").await;
    assert!(status == 200 && body.contains("anna:REDACTED@127.0.0.1:1/stat?token=REDACTED"), "{body}");
    assert!(!body.contains("SECRET"), "{body}");
}

#[tokio::test]
async fn a_reload_takes_a_good_file_and_refuses_a_broken_one() {
    let port = free_udp_port();
    let running = Running::start(&dead_stream(port), &[]);
    assert_eq!(running.get("/-/ready").await.0, 200);
    let encoder = UdpSocket::bind("127.0.0.1:0").unwrap();
    encoder.send_to(b"frame=25\nout_time_us=1000000\nprogress=continue\n", ("127.0.0.1", port)).unwrap();
    let _ = running.wait_for("vvtv_encoder_frames_total{stream=\"main\"} 25").await;

    std::fs::write(&running.config, "streams:\n  - name: main\n    playlst: x\n").unwrap();
    let (status, body) = running.request(reqwest::Method::POST, "/-/reload").await;
    assert_eq!(status, 500);
    let place = format!("{}:3:5: unknown field `playlst`", running.config.display());
    assert!(body.starts_with("the old configuration goes on: ") && body.contains(&place), "{body}");
    let _ = running.wait_for("vvtv_exporter_config_last_reload_successful 0").await;

    let second = "  - {name: second, playlist: /does/not/exist.m3u8}\ninterval:";
    std::fs::write(&running.config, dead_stream(port).replace("interval:", second)).unwrap();
    let hangup = Command::new("kill").args(["-HUP", &running.program.child.id().to_string()]).status().unwrap();
    assert!(hangup.success());
    let body = running.wait_for("vvtv_exporter_config_last_reload_successful 1").await;
    assert!(body.contains("vvtv_segment_age_seconds{stream=\"second\",variant=\"media\"} "), "{body}");
    assert!(
        body.contains("vvtv_encoder_frames_total{stream=\"main\"} 25\n"),
        "what was known of main is kept:\n{body}"
    );
}

#[tokio::test]
async fn the_other_endpoints() {
    let config = dead_stream(free_udp_port()) + "probe: {allow: [127.0.0.1]}\n";
    let running = Running::start(&config, &["--web.telemetry-path=/numbers"]);
    assert_eq!(running.get("/-/healthy").await, (200, "vvtv-exporter is healthy\n".to_owned()));
    assert_eq!(running.get("/-/ready").await, (200, "vvtv-exporter watches 1 streams\n".to_owned()));
    assert_eq!(running.get("/numbers").await.0, 200);
    assert_eq!(running.get("/metrics").await.0, 404);
    assert!(running.get("/").await.1.contains("<a href=\"/numbers\">Metrics</a>"));
    let (status, body) = running.get("/probe?target=rtmp://127.0.0.1:1/live/main&module=rtmp").await;
    assert!(status == 200 && body.contains("vvtv_probe_success 0\n"), "{body}");
    assert!(body.contains("vvtv_probe_failure{reason=\"refused\"} 1\n"), "{body}");
    assert_eq!(running.get("/probe?target=x&module=dns").await.0, 400);
    assert_eq!(running.get("/probe").await.0, 400);
}

#[tokio::test]
async fn openmetrics_by_accept() {
    let running = Running::start(&dead_stream(free_udp_port()), &[]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("http://{}/metrics", running.program.address));
    let answer = request.header("accept", "application/openmetrics-text;version=1.0.0").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.text().await.unwrap().ends_with("\n# EOF\n"));
}

#[tokio::test]
async fn an_outage_is_as_old_after_a_restart_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let flag = format!("--state.file={}", state.display());
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 1000;
    // As a version before this one left it.
    let entry = format!(
        "{{\"stream\":\"main\",\"variant\":\"v.m3u8\",\"sequence\":8,\"uri\":\"8.ts\",\"discontinuity\":0,\"part\":null,\"last_advance_unix_seconds\":{began}.5}}"
    );
    std::fs::write(&state, format!("{{\"version\":1,\"variants\":[{entry}]}}")).unwrap();
    for _ in 0..3 {
        let mut running = Running::start(&dead_stream(free_udp_port()), &[&flag]);
        let name = "vvtv_segment_last_advance_timestamp_seconds{stream=\"main\",variant=\"v.m3u8\"}";
        let value = |body: &str| body.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let kept = |body: &str| value(body).is_some_and(|at| (at - began as f64 - 0.5).abs() < 0.1);
        let _ = running.wait_until("the outage's beginning", kept).await;
        running.terminate().await;
    }
    assert!(std::fs::read_to_string(&state).unwrap().contains("\"version\":2"));
}

fn refused(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(EXPORTER).args(args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_broken_configuration_is_refused_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("exporter.yml");
    std::fs::write(&path, "streams:\n  - name: main\n    playlist: http://:1\n").unwrap();
    let (code, said) = refused(&[&format!("--config.file={}", path.display()), "--web.listen-address=127.0.0.1:0"]);
    assert_eq!(code, Some(1));
    let place = format!("vvtv-exporter: {}:3:15: not a URL: empty host\n", path.display());
    assert!(said.starts_with(&place), "{said}");
}

#[test]
fn a_missing_configuration_and_a_taken_port_are_named() {
    let (code, said) = refused(&["--config.file=/does/not/exist.yml"]);
    let expected = "vvtv-exporter: /does/not/exist.yml: cannot read: No such file or directory (os error 2)\n";
    assert_eq!((code, said.as_str()), (Some(1), expected));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (code, said) = refused(&[&format!("--web.listen-address=127.0.0.1:{port}")]);
    let expected = format!("vvtv-exporter: cannot listen on 127.0.0.1:{port}: port {port} is taken\n");
    assert_eq!((code, said), (Some(1), expected));
}

#[test]
fn a_broken_web_configuration_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/scrape.prom");
    let (code, said) = refused(&[&format!("--web.config.file={}", path.display())]);
    assert!(code == Some(1) && said.contains("scrape.prom:"), "{said}");
}

/// As systemd does: the socket is file descriptor 3, and the variables say so to this process alone.
#[tokio::test]
async fn sockets_of_systemd_are_listened_on_instead_of_addresses() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"", EXPORTER]);
    command.stdin(Stdio::from(OwnedFd::from(socket)));
    let running = Running::start_by(command, &dead_stream(free_udp_port()), &["--web.systemd-socket"]);
    assert_eq!(running.program.address, address);
    assert_eq!(running.get("/-/healthy").await.0, 200);
    let (code, said) = refused(&["--web.systemd-socket"]);
    let expected = "vvtv-exporter: systemd passes no listening TCP socket (--web.systemd-socket)\n";
    assert_eq!((code, said.as_str()), (Some(1), expected));
}

#[tokio::test]
async fn a_signal_ends_it_well() {
    Running::start(&dead_stream(free_udp_port()), &[]).terminate().await;
}

#[test]
fn the_self_test_proves_that_every_metric_trips_and_clears() {
    let output = Command::new(EXPORTER).arg("selftest").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 9, "{said}");
}
