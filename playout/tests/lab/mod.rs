//! A real nginx-rtmp and a real playout in a temporary root, on free ports. Ends what it started, by pid.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The program under test. Beside it lies vvtvctl, by which it is commanded.
pub(crate) const DAEMON: &str = env!("CARGO_BIN_EXE_vvtv-playout");

/// nginx and a root.
pub(crate) struct Lab {
    pub(crate) root: tempfile::TempDir,
    pub(crate) rtmp_port: u16,
    pub(crate) http_port: u16,
    pub(crate) control_port: u16,
    nginx: Option<Child>,
    daemon: Option<Child>,
    /// What the daemon forwards of ffmpeg's progress.
    pub(crate) progress: UdpSocket,
}

/// A segment on disk, times in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Decoding times of the pictures, in the file's order.
    pub(crate) pictures: Vec<f64>,
    /// Decoding times of the sound, in the file's order.
    pub(crate) sound: Vec<f64>,
    /// When it was complete.
    pub(crate) written: SystemTime,
}

impl Segment {
    /// `None`: it is gone already.
    fn read(path: &Path) -> Option<Self> {
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-show_entries", "packet=codec_type,dts_time", "-of", "csv=p=0"])
            .arg(path)
            .output()
            .unwrap();
        let written = path.metadata().ok()?.modified().ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        let times = |kind: &str| -> Vec<f64> {
            let of_kind = text.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(','));
            of_kind.map(|rest| rest.trim_end_matches(',').parse().unwrap()).collect()
        };
        let (pictures, sound) = (times("video"), times("audio"));
        (!pictures.is_empty()).then_some(Self { pictures, sound, written })
    }
}

/// A publisher that is not the playout's.
pub(crate) struct Stranger(Child);

impl Stranger {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) json: Value,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Polls until `probe` has an answer; fails with the last value seen.
pub(crate) fn wait_for<T, E: std::fmt::Debug>(what: &str, seconds: u64, mut probe: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match probe() {
            Ok(value) => return value,
            Err(seen) if Instant::now() > deadline => panic!("no {what} within {seconds} s; last seen: {seen:#?}"),
            Err(_) => std::thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// A process that can still do something: not gone and no zombie.
pub(crate) fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with(['Z', 'X']))
}

impl Lab {
    /// A root with nginx running; no daemon yet.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["configs", "run/nginx", "logs", "broadcast/hls", "storage/ready"] {
            std::fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let progress = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (rtmp_port, http_port, control_port) = (free_port(), free_port(), free_port());
        let mut lab = Self { root, rtmp_port, http_port, control_port, nginx: None, daemon: None, progress };
        std::fs::write(lab.path("configs/nginx.conf"), lab.nginx_config()).unwrap();
        lab.configure(|shipped| shipped);
        lab.start_nginx();
        lab
    }

    /// A root with nginx and the daemon, whose encoder publishes.
    pub(crate) fn publishing() -> Self {
        let mut lab = Self::new();
        lab.start_daemon();
        lab.published();
        lab
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// Writes playout.yml: the shipped file, with the lab's ports and a small picture, and what `change` makes of that.
    pub(crate) fn configure(&self, change: impl FnOnce(String) -> String) {
        let shipped =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/playout.yml")).unwrap();
        let text = shipped
            .replace("127.0.0.1:1935", &format!("127.0.0.1:{}", self.rtmp_port))
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", self.http_port))
            .replace("127.0.0.1:8082", &format!("127.0.0.1:{}", self.control_port))
            .replace("127.0.0.1:10047", &format!("127.0.0.1:{}", free_port()))
            .replace("127.0.0.1:10048", &format!("127.0.0.1:{}", free_port()))
            .replace("127.0.0.1:10050", &self.progress.local_addr().unwrap().to_string())
            .replace("width: 1280, height: 720", "width: 320, height: 180")
            .replace("bitrate: 3000k", "bitrate: 400k");
        std::fs::write(self.path("configs/playout.yml"), change(text)).unwrap();
    }

    fn nginx_config(&self) -> String {
        let (root, rtmp, http) = (self.root.path().display(), self.rtmp_port, self.http_port);
        let control = self.control_port;
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {root}/run/nginx/{name};\n"))
            .collect();
        format!(
            "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\ndaemon off;\nworker_processes 1;\n\
             pid {root}/run/nginx/nginx.pid;\nerror_log {root}/logs/nginx_error.log;\nevents {{ worker_connections 256; }}\n\
             rtmp {{ access_log {root}/logs/rtmp_access.log; server {{ listen 127.0.0.1:{rtmp}; application live {{ live on; hls on; hls_path {root}/broadcast/hls; \
             hls_fragment 2s; hls_playlist_length 12s; }} }} }}\n\
             http {{ access_log {root}/logs/nginx_access.log;\n{temporary}\
             server {{ listen 127.0.0.1:{http}; location /hls {{ root {root}/broadcast; }} \
             location /stat {{ rtmp_stat all; }} }}\n\
             server {{ listen 127.0.0.1:{control}; location /control {{ limit_except POST {{ deny all; }} \
             if ($http_x_vvtv_control = \"\") {{ return 403; }} if ($http_origin) {{ return 403; }} rtmp_control all; }} }} }}\n"
        )
    }

    pub(crate) fn start_nginx(&mut self) {
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-c"])
            .arg(self.path("configs/nginx.conf"))
            .arg("-p")
            .arg(self.root.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.nginx = Some(child);
        let port = self.http_port;
        wait_for("nginx", 10, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map(drop));
    }

    pub(crate) fn stop_nginx(&mut self) {
        let mut nginx = self.nginx.take().unwrap();
        signal(nginx.id(), Signal::TERM);
        nginx.wait().unwrap();
    }

    pub(crate) fn nginx_pid(&self) -> u32 {
        self.nginx.as_ref().unwrap().id()
    }

    pub(crate) fn start_daemon(&mut self) {
        self.daemon = Some(self.spawn_daemon(&[]));
    }

    /// Starts a daemon in the place of the running one, waits for the end of that, and returns its exit code.
    pub(crate) fn take_over(&mut self) -> Option<i32> {
        let successor = self.spawn_daemon(&["--takeover"]);
        let mut old = self.daemon.replace(successor).unwrap();
        wait_for("end of the earlier daemon", 15, || old.try_wait().unwrap().ok_or("it runs on")).code()
    }

    fn spawn_daemon(&self, options: &[&str]) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.path("daemon.log")).unwrap();
        Command::new(DAEMON).arg("--root").arg(self.root.path()).args(options).stderr(log).spawn().unwrap()
    }

    pub(crate) fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().id()
    }

    /// The processes that the daemon's threads have started.
    pub(crate) fn daemon_children(&self) -> Vec<u32> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.daemon_pid())).unwrap();
        let children =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default());
        children
            .flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>())
            .collect()
    }

    /// Sends the daemon a signal and waits for its end; its exit code, if it had one.
    pub(crate) fn end_daemon(&mut self, with: Signal) -> Option<i32> {
        let mut daemon = self.daemon.take().unwrap();
        signal(daemon.id(), with);
        wait_for("end of the daemon", 10, || daemon.try_wait().unwrap().ok_or("it runs on")).code()
    }

    /// Runs a command of vvtvctl with `--format json`.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Answer {
        let vvtvctl = Path::new(DAEMON).with_file_name("vvtvctl");
        assert!(vvtvctl.is_file(), "{} is missing: build it first (cargo build --workspace)", vvtvctl.display());
        self.answer(Command::new(vvtvctl).args(arguments).args(["--format", "json"]))
    }

    /// Runs the daemon's program to its end.
    pub(crate) fn daemon(&self, arguments: &[&str]) -> Answer {
        self.answer(Command::new(DAEMON).args(arguments))
    }

    fn answer(&self, command: &mut Command) -> Answer {
        let output = command.arg("--root").arg(self.root.path()).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Answer {
            code: output.status.code().unwrap(),
            json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn status(&self) -> Value {
        self.ctl(&["streaming", "status"]).json
    }

    /// Waits for an encoder that nginx lists; its pid.
    pub(crate) fn published(&self) -> u32 {
        let status = self.wait_status("published encoder", |status| status["published"] == true);
        u32::try_from(status["pid"].as_u64().unwrap()).unwrap()
    }

    pub(crate) fn wait_state(&self, state: &str) -> Value {
        self.wait_status(state, |status| status["state"] == state)
    }

    /// Waits until the encoder is dead, and the daemon knows how it ended, which it does not at once.
    pub(crate) fn wait_dead(&self) -> Value {
        self.wait_status("dead, and how", |status| {
            assert!(status["state"] != "dead" || status["reason"].is_string(), "{status:#}");
            status["state"] == "dead" && status["next_start_seconds"].is_number()
        })
    }

    pub(crate) fn wait_status(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, 20, || {
            let status = self.status();
            if good(&status) { Ok(status) } else { Err((status, self.daemon_log())) }
        })
    }

    /// Waits until the queue's summary is as wanted.
    pub(crate) fn wait_queue(&self, what: &str, good: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, 30, || {
            let summary = self.ctl(&["queue", "summary"]).json;
            if good(&summary) { Ok(summary) } else { Err((summary, self.daemon_log())) }
        })
    }

    fn daemon_log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("daemon.log")).unwrap_or_default();
        text.lines().rev().take(12).map(str::to_owned).collect()
    }

    /// nginx' number for the publisher's connection, and its bytes so far.
    pub(crate) fn publisher(&self) -> (u64, u64) {
        let stats = self.ctl(&["streaming", "stats", "--detailed"]).json;
        let number = |key: &str| stats[key].as_u64().unwrap_or_else(|| panic!("no {key} in {stats:#}"));
        (number("publisher_client_id"), number("publisher_bytes_in"))
    }

    /// Makes a media file with ffmpeg from the given input and output options.
    pub(crate) fn media(&self, name: &str, arguments: &str) -> String {
        let path = self.path("storage/ready").join(name).display().to_string();
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]).args(arguments.split_whitespace()).arg(&path);
        assert!(command.status().unwrap().success(), "{command:?}");
        path
    }

    /// Another ffmpeg under the stream's name. Killed when dropped.
    pub(crate) fn publish_as_a_stranger(&self) -> Stranger {
        let child = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-f", "flv"])
            .arg(format!("rtmp://127.0.0.1:{}/live/main", self.rtmp_port))
            .spawn()
            .unwrap();
        Stranger(child)
    }

    /// The complete segments that are listed and not in `known` yet, as ffprobe sees them, and the playlist.
    pub(crate) fn look_at_segments(&self, known: &mut BTreeMap<String, Segment>) -> String {
        let playlist = std::fs::read_to_string(self.path("broadcast/hls/main.m3u8")).unwrap_or_default();
        for name in playlist.lines().filter(|line| line.ends_with(".ts")) {
            if !known.contains_key(name)
                && let Some(segment) = Segment::read(&self.path("broadcast/hls").join(name))
            {
                known.insert(name.to_owned(), segment);
            }
        }
        playlist
    }

    /// Says something to the control socket and returns the reply line.
    pub(crate) fn say(&self, words: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.path("run/playout.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(words).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in [self.daemon.take(), self.nginx.take()].into_iter().flatten() {
            end(child);
        }
    }
}

fn end(mut child: Child) {
    if child.try_wait().ok().flatten().is_some() {
        return;
    }
    signal(child.id(), Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(8);
    while child.try_wait().ok().flatten().is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}
