//! The real nginx-rtmp where its page tells less than it seems: names that it writes otherwise, a worker that it does not know of.

use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::running::{Running, Started, samples};

const PUBLISHER: &str =
    "-re -f lavfi -i testsrc2=size=160x90:rate=10 -c:v libx264 -preset ultrafast -g 10 -b:v 50k -f flv";

const KEYS: [(&str, &str); 5] = [
    ("plain", "live/main"),
    ("umlaut", "live/k\u{e4}nal"),
    ("at", "live/DR3@28064"),
    ("braces", "live/a{b}"),
    ("percent", "live/a%20b"),
];

struct Nginx {
    rtmp: u16,
    http: u16,
    started: Started,
    _root: tempfile::TempDir,
}

impl Nginx {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = root.path().display();
        std::fs::create_dir_all(root.path().join("hls")).unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (rtmp, http) = (free(), free());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|name| format!("{name}_temp_path {at}/{name};")).concat();
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let text = format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so; {user} worker_processes 1; pid {at}/pid;
             error_log stderr; events {{ worker_connections 256; }}
             rtmp {{ access_log off; server {{ listen 127.0.0.1:{rtmp}; application live {{
                 live on; hls on; hls_path {at}/hls; hls_fragment 1s; hls_playlist_length 6s; }} }} }}
             http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{http};
                 location /hls {{ root {at}; }} location /stat {{ rtmp_stat all; }} }} }}"
        );
        let path = root.path().join("nginx.conf");
        std::fs::write(&path, text).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-g", "daemon off;", "-c"]).arg(&path).arg("-p").arg(root.path());
        let started = Started::program(command.stderr(Stdio::null()));
        Self { rtmp, http, started, _root: root }
    }

    fn publish(&self, key: &str) -> Started {
        Started::ffmpeg(PUBLISHER.split_whitespace(), &format!("rtmp://127.0.0.1:{}/{key}", self.rtmp))
    }
}

#[tokio::test]
async fn what_a_name_looks_like_on_the_page_and_which_worker_answers_hides_no_publisher() {
    let nginx = Nginx::start();
    let (rtmp, http) = (nginx.rtmp, nginx.http);
    let stream = |(name, key): (&str, &str)| {
        let playlist = if name == "plain" {
            format!(", playlist: 'http://127.0.0.1:{http}/hls/main.m3u8'")
        } else {
            String::new()
        };
        format!(
            "  - {{name: {name}, ingest: 'rtmp://127.0.0.1:{rtmp}/{key}', nginx_stat: 'http://127.0.0.1:{http}/stat'{playlist}}}\n"
        )
    };
    let running = Running::start(&format!("streams:\n{}interval: 200ms\n", KEYS.map(stream).concat()), &[]);
    let _ = running.wait_until("the server", |_| TcpStream::connect(("127.0.0.1", rtmp)).is_ok()).await;
    let _publishers = KEYS.map(|(_, key)| nginx.publish(key));
    let lines = KEYS.map(|(name, _)| format!("vvtv_ingest_state{{stream=\"{name}\",state=\"ok\"}} 1\n"));
    let _ = running.wait_until("five publishers", |body| lines.iter().all(|line| body.contains(line))).await;
    let flows = |body: &str| body.contains("vvtv_segment_available{stream=\"plain\",variant=\"media\"} 1\n");
    let _ = running.wait_until("segments", flows).await;

    // The old worker keeps its publishers, and the new one answers for the page.
    nginx.started.signal(Signal::HUP);
    let body = running.wait_for("vvtv_ingest_state{stream=\"plain\",state=\"unknown\"} 1").await;
    assert!(body.contains("vvtv_ingest_publishing{stream=\"plain\"} 1\n"), "{body}");
    let counted = |body: &str| {
        let mut counts = samples(body, "vvtv_stat_worker_mismatches_total");
        counts.any(|(labels, count)| labels.contains("\"plain\"") && count > 20.0)
    };
    let body = running.wait_until("pages of another worker", counted).await;
    assert!(body.contains("vvtv_ingest_state{stream=\"plain\",state=\"unknown\"} 1\n"), "{body}");
    assert!(body.contains("vvtv_fault_stage{stream=\"plain\",stage=\"none\"} 1\n"), "{body}");
}
