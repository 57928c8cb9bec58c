//! Encoders' reports as the program reads them: the real ffmpeg with several outputs, and two encoders on one port.

use std::net::UdpSocket;

use super::free_udp_port;
use super::running::{Running, Started, samples};

/// Frames of 30 a second, from which each output drops five.
const CONVERSION: &str = "-re -f lavfi -i testsrc2=size=64x36:rate=30";

const OUTPUT: &str = "-map 0:v -r 25 -vsync cfr -c:v libx264 -preset ultrafast -tune zerolatency -f mpegts -y";

fn value(scrape: &str, metric: &str) -> Option<f64> {
    samples(scrape, metric).map(|(_, value)| value).next()
}

#[tokio::test]
async fn frames_that_several_outputs_drop_are_one_conversion() {
    let port = free_udp_port();
    let config = format!(
        "streams:\n  - name: main\n    encoder_progress: udp://127.0.0.1:{port}\n    \
         encoder_frame_rates: {{source: 30, output: 25}}\n"
    );
    let running = Running::start(&config, &[]);
    let progress = format!("udp://127.0.0.1:{port}");
    let outputs = ["/dev/null"; 2].map(|null| OUTPUT.split_whitespace().chain([null]));
    let arguments = CONVERSION.split_whitespace().chain(["-progress", &progress]).chain(outputs.into_iter().flatten());
    let third: Vec<&str> = arguments.chain(OUTPUT.split_whitespace()).collect();
    let _encoder = Started::ffmpeg(third, "/dev/null");
    let known = |scrape: &str| value(scrape, "vvtv_encoder_drops_run_ratio").is_some();
    let scrape = running.wait_until("ten seconds of an encoder", known).await;
    assert!(value(&scrape, "vvtv_encoder_dropped_frames_total").unwrap() > 100.0, "{scrape}");
    assert!(value(&scrape, "vvtv_encoder_drops_run_ratio").unwrap() < 0.02, "{scrape}");
    assert_eq!(value(&scrape, "vvtv_encoder_outputs"), Some(3.0), "{scrape}");
}

#[tokio::test]
async fn of_two_encoders_on_one_port_one_counts_and_the_other_is_counted() {
    let port = free_udp_port();
    let config = format!("streams: [{{name: main, encoder_progress: 'udp://127.0.0.1:{port}'}}]\n");
    let running = Running::start(&config, &[]);
    assert_eq!(running.get("/-/ready").await.0, 200);
    let [first, second] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let send = |from: &UdpSocket, frame: u64| {
        let text = format!("frame={frame}\nout_time_us={}\ndrop_frames=0\nprogress=continue\n", frame * 40_000);
        from.send_to(text.as_bytes(), ("127.0.0.1", port)).unwrap();
    };
    send(&first, 9_000_000);
    let _ = running.wait_for("vvtv_encoder_up{stream=\"main\"} 1").await;
    // However long that took: it reports now.
    send(&first, 9_000_006);
    send(&second, 12);
    send(&first, 9_000_012);
    send(&second, 24);
    let scrape = running.wait_for("vvtv_encoder_foreign_reports_total{stream=\"main\"} 2").await;
    for line in [
        "vvtv_encoder_frames_total{stream=\"main\"} 12",
        "vvtv_encoder_restarts_total{stream=\"main\"} 0",
        "vvtv_encoder_senders{stream=\"main\"} 2",
    ] {
        assert!(scrape.lines().any(|found| found == line), "`{line}` is not in\n{scrape}");
    }
}

#[tokio::test]
async fn reports_from_elsewhere_do_not_count_and_are_counted() {
    let port = free_udp_port();
    let [encoder, stranger] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let ours = encoder.local_addr().unwrap();
    let config = format!(
        "streams: [{{name: main, encoder_progress: 'udp://127.0.0.1:{port}', encoder_progress_from: ['{ours}']}}]\nsilent_after: 1s\n"
    );
    let running = Running::start(&config, &[]);
    assert_eq!(running.get("/-/ready").await.0, 200);
    let send = |from: &UdpSocket, text: &str| from.send_to(text.as_bytes(), ("127.0.0.1", port)).unwrap();
    let report = |from: &UdpSocket, frame: u64, end: &str| {
        send(from, &format!("frame={frame}\nout_time_us={}\nprogress={end}\n", frame * 40_000));
    };
    report(&encoder, 1000, "continue");
    for _ in 0..3 {
        report(&stranger, 9_000_000, "end");
        send(&stranger, "noise");
    }
    let counted = "vvtv_probe_failures_total{stream=\"main\",source=\"progress\",reason=\"forbidden\"} 6";
    let scrape = running
        .wait_until("six refusals", |scrape| {
            report(&encoder, 1000, "continue");
            scrape.lines().any(|line| line == counted)
        })
        .await;
    for line in ["vvtv_encoder_up{stream=\"main\"} 1", "vvtv_encoder_senders{stream=\"main\"} 1"] {
        assert!(scrape.lines().any(|found| found == line), "`{line}` is not in\n{scrape}");
    }
    assert!(!scrape.contains("reason=\"malformed\""), "{scrape}");
}

/// Good and bad ones in turn make an edge each.
#[tokio::test]
async fn datagrams_that_alternate_do_not_fill_the_log() {
    let port = free_udp_port();
    let config = format!("streams: [{{name: main, encoder_progress: 'udp://127.0.0.1:{port}'}}]\n");
    let running = Running::start(&config, &[]);
    assert_eq!(running.get("/-/ready").await.0, 200);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let bad = |scrape: &str| value(scrape, "vvtv_probe_failures_total").unwrap_or_default();
    let many = |scrape: &str| {
        for frame in 0..50 {
            sender.send_to(format!("frame={frame}\nprogress=continue\n").as_bytes(), ("127.0.0.1", port)).unwrap();
            sender.send_to(b"noise", ("127.0.0.1", port)).unwrap();
        }
        bad(scrape) >= 500.0
    };
    let _ = running.wait_until("five hundred failures", many).await;
    let log = running.log();
    let told = log.lines().filter(|line| line.contains("source=progress")).count();
    assert!((2..=12).contains(&told), "{told} lines:\n{log}");
}
