//! The real nginx-rtmp with the shipped configuration, and the real ffmpeg as its publishers.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::running::{Running, Started, samples};

const PUBLISHER: &str =
    "-re -f lavfi -i testsrc2=size=160x90:rate=10 -c:v libx264 -preset ultrafast -g 10 -b:v 50k -f flv";

struct Nginx {
    rtmp: u16,
    http: u16,
    control: u16,
    _started: Started,
    root: tempfile::TempDir,
}

impl Nginx {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["run/nginx", "logs", "broadcast/hls"] {
            std::fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (rtmp, http, control) = (free(), free(), free());
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nginx/rtmp.conf");
        let text = std::fs::read_to_string(shipped).unwrap();
        let text = text
            .replace("127.0.0.1:1935", &format!("127.0.0.1:{rtmp}"))
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{http}"))
            .replace("127.0.0.1:8082", &format!("127.0.0.1:{control}"))
            .replace("/vvtv/", &format!("{}/", root.path().display()));
        let path = root.path().join("rtmp.conf");
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-g", "daemon off;", "-c"]).arg(&path).arg("-p").arg(root.path());
        let started = Started::program(command.stderr(Stdio::null()));
        Self { rtmp, http, control, _started: started, root }
    }

    fn publish(&self, name: &str) -> Started {
        Started::ffmpeg(PUBLISHER.split_whitespace(), &format!("rtmp://127.0.0.1:{}/live/{name}", self.rtmp))
    }
}

#[tokio::test]
async fn whoever_publishes_is_watched_and_not_forgotten() {
    let nginx = Nginx::start();
    let (rtmp, http) = (nginx.rtmp, nginx.http);
    let from = format!(
        "streams: []\nstreams_from:\n  - nginx_stat: http://127.0.0.1:{http}/stat\n    \
         ingest: rtmp://127.0.0.1:{rtmp}/{{app}}/{{name}}\n    playlist: http://127.0.0.1:{http}/hls/{{name}}.m3u8\n    \
         limit: 2\ninterval: 200ms\n"
    );
    let running = Running::start(&from, &[]);
    let server = format!("{{server=\"http://127.0.0.1:{http}/stat\"}}");
    let _ = running.wait_for(&format!("vvtv_exporter_discovered_streams{server} 0")).await;
    // A publisher that comes before the server listens would not come again.
    let listens = || std::net::TcpStream::connect(("127.0.0.1", rtmp)).is_ok();
    let _ = running.wait_until("the server", |_| listens()).await;

    let (_first, second) = (nginx.publish("first"), nginx.publish("second"));
    let lines = ["first", "second"].map(|name| format!("vvtv_ingest_publishing{{stream=\"{name}\"}} 1"));
    let _ = running.wait_until("two publishers", |body| lines.iter().all(|line| body.contains(line))).await;
    let fresh = |body: &str| {
        let ages: Vec<_> = samples(body, "vvtv_segment_age_seconds").collect();
        let there = samples(body, "vvtv_segment_available").map(|(_, there)| there).eq([1.0, 1.0]);
        there && ages.len() == 2 && ages.iter().all(|(_, age)| *age < 5.0)
    };
    let body = running.wait_until("two fresh playlists", fresh).await;
    assert!(body.contains("vvtv_playlist_http_status{stream=\"first\",variant=\"media\"} 200\n"), "{body}");

    let _third = nginx.publish("third");
    let _ = running.wait_for(&format!("vvtv_exporter_discovery_refused_streams{server} 1")).await;
    drop(second);
    let body = running.wait_for("vvtv_ingest_state{stream=\"second\",state=\"no_publisher\"} 1").await;
    assert!(body.contains(&format!("vvtv_exporter_discovered_streams{server} 2\n")), "{body}");
    assert!(body.contains(&lines[0]), "the other one is not concerned:\n{body}");

    // The kernel's delayed acknowledgement would cost a handshake 40 ms.
    let quick = |body: &str| {
        let durations = samples(body, "vvtv_probe_duration_seconds");
        durations.filter(|(labels, _)| labels.contains("source=\"rtmp\"")).any(|(_, seconds)| seconds < 0.025)
    };
    let _ = running.wait_until("an RTMP handshake of less than 25 ms", quick).await;
}

/// What `/control` answers; the status alone.
async fn control(nginx: &Nginx, method: reqwest::Method, headers: &[(&str, &str)]) -> u16 {
    let url = format!("http://127.0.0.1:{}/control/drop/publisher?app=live&name=main", nginx.control);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        headers.iter().fold(client.request(method, url), |request, (name, value)| request.header(*name, *value));
    request.send().await.unwrap().status().as_u16()
}

fn publishers(scrape: &str) -> f64 {
    samples(scrape, "vvtv_ingest_publishing").map(|(_, publishing)| publishing).sum()
}

/// Everything that a page, a probe or a playlist can send, and what vvtvctl sends.
#[tokio::test]
async fn a_publisher_is_not_dropped_by_whoever_reads() {
    use reqwest::Method;
    let nginx = Nginx::start();
    let listens = || std::net::TcpStream::connect(("127.0.0.1", nginx.rtmp)).is_ok();
    let hls = nginx.root.path().join("broadcast/hls");
    let control_url = format!("http://127.0.0.1:{}/control/drop/publisher?app=live&name=main", nginx.control);
    let lists = [
        ("master.m3u8", format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{control_url}\n")),
        ("list.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{control_url}\n")),
    ];
    for (name, text) in &lists {
        std::fs::write(hls.join(name), text).unwrap();
    }
    let http = format!("http://127.0.0.1:{}", nginx.http);
    // Named, so that it is asked indeed.
    let config = format!(
        "streams:\n  - {{name: main, ingest: 'rtmp://127.0.0.1:{}/live/main', nginx_stat: '{http}/stat'}}\n  \
         - {{name: variant, playlist: '{http}/hls/master.m3u8'}}\n  - {{name: segment, playlist: '{http}/hls/list.m3u8'}}\n\
         interval: 100ms\nprobe: {{allow: [127.0.0.1]}}\nreach: [127.0.0.1]\n",
        nginx.rtmp
    );
    let running = Running::start(&config, &[]);
    let _ = running.wait_until("the server", |_| listens()).await;
    let _encoder = nginx.publish("main");
    let _ = running.wait_until("a publisher", |scrape| publishers(scrape) > 0.0).await;

    let header = ("x-vvtv-control", "drop");
    assert_eq!(control(&nginx, Method::GET, &[header]).await, 403);
    assert_eq!(control(&nginx, Method::HEAD, &[header]).await, 403);
    assert_eq!(control(&nginx, Method::POST, &[]).await, 403);
    assert_eq!(control(&nginx, Method::POST, &[header, ("origin", "http://evil.example")]).await, 403);
    let (status, body) = running.get(&format!("/probe?target={}", control_url.replace('&', "%26"))).await;
    assert!(status == 200 && body.contains("vvtv_probe_http_status_code 403\n"), "{body}");
    let refused = |scrape: &str| {
        let counts =
            samples(scrape, "vvtv_probe_failures_total").filter(|(labels, _)| labels.contains("reason=\"status\""));
        counts.filter(|(_, count)| *count >= 3.0).count() >= 1
    };
    let scrape = running.wait_until("refusals", refused).await;
    assert!(publishers(&scrape) > 0.0, "{scrape}");

    assert_eq!(control(&nginx, Method::POST, &[header]).await, 200);
    let _ = running.wait_until("no publisher", |scrape| publishers(scrape) == 0.0).await;
}
