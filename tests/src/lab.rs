//! The stack itself: which parts run, in which order they start, when each is ready, and how all of it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::ask::Ask;
use crate::config::{self, Edit};
use crate::content;
use crate::family::{self, MARKER};
use crate::faults::audio;
use crate::pager::Pager;
use crate::ports::Ports;
use crate::programs;
use crate::service::Service;
use crate::site::{STATE_FILE, Site};
use crate::wait::{Seen, wait_for};

/// A part of the stack, in the order in which parts start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// NGINX with the RTMP module.
    Nginx,
    /// A bare ffmpeg that publishes a test picture, in the place of the playout daemon.
    TestPublisher,
    /// The playout daemon and its encoder.
    Playout,
    /// vvtv-exporter.
    Exporter,
    /// Alertmanager.
    Alertmanager,
    /// vvtv-remediator.
    Remediator,
    /// Prometheus: last, so that starting is no fault.
    Prometheus,
}

/// The whole stack.
pub const ALL: [Part; 6] =
    [Part::Nginx, Part::Playout, Part::Exporter, Part::Alertmanager, Part::Remediator, Part::Prometheus];

/// How long a part may take to get ready; two cores may be busy.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Where the root of a lab is.
#[derive(Clone, Debug)]
enum Root {
    /// A new directory that vanishes with the lab.
    Temporary,
    /// This one; it stays.
    At(PathBuf),
}

/// What a lab is to be. Every part, free ports, a temporary root and the shipped configuration, unless said otherwise.
#[derive(Debug)]
pub struct Settings {
    parts: Vec<Part>,
    ports: Option<Ports>,
    root: Root,
    edits: Vec<Edit>,
    queue_rounds: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { parts: ALL.to_vec(), ports: None, root: Root::Temporary, edits: Vec::new(), queue_rounds: 1 }
    }
}

impl Settings {
    /// Only these parts.
    #[must_use]
    pub fn parts(mut self, parts: &[Part]) -> Self {
        self.parts = parts.to_vec();
        self.parts.sort_unstable();
        self.parts.dedup();
        self
    }

    /// These ports, not free ones.
    #[must_use]
    pub const fn ports(mut self, ports: Ports) -> Self {
        self.ports = Some(ports);
        self
    }

    /// This root directory, which stays when the lab ends.
    #[must_use]
    pub fn root(mut self, root: &Path) -> Self {
        self.root = Root::At(root.to_owned());
        self
    }

    /// A change to a configuration file; several for one file are made in the order given.
    #[must_use]
    pub fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    /// How often all films are queued; one round lasts 39 minutes.
    #[must_use]
    pub const fn queue_rounds(mut self, rounds: usize) -> Self {
        self.queue_rounds = rounds;
        self
    }

    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// A program is missing, a port is taken, a file does not fit, or a part does not get ready in time; what was started is
    /// stopped again.
    pub async fn start(self) -> anyhow::Result<Lab> {
        Lab::start(self).await
    }
}

/// A running stack. Dropping it stops every part.
#[derive(Debug)]
pub struct Lab {
    services: BTreeMap<Part, Service>,
    ask: Ask,
    pager: Pager,
    site: Site,
    /// The guard ends with its standard input, and takes everything that is left along: also when this process is killed.
    _guard: Option<std::process::ChildStdin>,
    _temporary: Option<TempDir>,
}

impl Lab {
    async fn start(settings: Settings) -> anyhow::Result<Self> {
        let ports = match settings.ports {
            Some(ports) => ports,
            None => Ports::free()?,
        };
        ports.check_free()?;
        let (root, temporary) = match &settings.root {
            Root::At(path) => (path.clone(), None),
            Root::Temporary => {
                let directory =
                    tempfile::Builder::new().prefix("vvtv-lab-").tempdir().context("make a root directory")?;
                (directory.path().to_owned(), Some(directory))
            }
        };
        let owner = i32::try_from(std::process::id())?;
        let site = Site { owner, root, programs: programs::own_directory()?, ports };
        let pager = Pager::start().await?;
        let edits = site_edits(&site, &pager).into_iter().chain(settings.edits).collect::<Vec<_>>();
        config::write_all(&site.root, &ports, &edits)?;
        write_secrets(&site.root)?;
        audio::install(&site.root)?;
        site.save()?;
        let guard = start_guard(&site)?;
        let ask = Ask::new(&site)?;
        let mut lab = Self { services: BTreeMap::new(), ask, pager, site, _guard: Some(guard), _temporary: temporary };
        for part in settings.parts {
            if part == Part::Playout {
                lab.fill_queue(settings.queue_rounds)?;
            }
            lab.start_part(part).await?;
        }
        Ok(lab)
    }

    /// Where the stack is.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// Questions to the stack.
    #[must_use]
    pub const fn ask(&self) -> &Ask {
        &self.ask
    }

    /// The pager that the remediator's and Alertmanager's channels lead to.
    #[must_use]
    pub const fn pager(&self) -> &Pager {
        &self.pager
    }

    /// Starts a part, also one that was stopped or killed, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Settings::start`].
    pub async fn start_part(&mut self, part: Part) -> anyhow::Result<()> {
        if part == Part::Nginx {
            return self.start_nginx().await;
        }
        let service = Service::start(part.log_name(), self.command(part)?, &self.site.root)?;
        self.services.insert(part, service);
        self.wait_ready(part).await
    }

    /// Ends a part as a service manager does.
    ///
    /// # Errors
    /// It does not run, or cannot be waited for.
    pub fn stop_part(&mut self, part: Part) -> anyhow::Result<()> {
        let service = self.services.remove(&part).with_context(|| format!("{part:?} does not run"))?;
        service.stop().map(|_status| ())
    }

    /// Kills one part's process (KILL), and nothing else; its children live on.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill_part(&mut self, part: Part) -> anyhow::Result<()> {
        self.services.get_mut(&part).with_context(|| format!("{part:?} does not run"))?.kill().map(|_status| ())
    }

    /// Process id of a part; NGINX has [`Site::nginx_master`].
    #[must_use]
    pub fn pid(&self, part: Part) -> Option<i32> {
        self.services.get(&part).map(Service::pid)
    }

    async fn start_nginx(&self) -> anyhow::Result<()> {
        programs::system(programs::NGINX)?;
        let mut command = self.site.command(&self.site.root.join("bin/restart-nginx"))?;
        let output = command.arg(self.site.root.join("configs/nginx/rtmp.conf")).output().context("start NGINX")?;
        if !output.status.success() {
            bail!("NGINX does not start: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let port = self.site.ports.http;
        wait_for("NGINX's statistics", READY_WITHIN, || async { Seen::from_result(self.ask.text(port, "/stat").await) })
            .await
            .map(|_statistics| ())
    }

    fn fill_queue(&self, rounds: usize) -> anyhow::Result<()> {
        programs::own("vvtvctl")?;
        let films = content::ensure(&self.site.programs.join("lab-content"))?;
        for film in std::iter::repeat_n(&films, rounds).flatten() {
            let name = film.file_name().context("a film has no name")?;
            let place = self.site.root.join("storage/ready").join(name);
            if !place.exists() && std::fs::hard_link(film, &place).is_err() {
                std::fs::copy(film, &place).with_context(|| format!("copy {}", film.display()))?;
            }
            self.site.vvtvctl(&["queue", "add", &place.to_string_lossy(), "--format", "json"])?;
        }
        Ok(())
    }

    fn command(&self, part: Part) -> anyhow::Result<Command> {
        let root = &self.site.root;
        let ports = &self.site.ports;
        let mut command = self.site.command(&part.program()?)?;
        let config = |name: &str| format!("--config.file={}", root.join("configs").join(name).display());
        let storage = |name: &str| root.join("data").join(name).display().to_string();
        match part {
            Part::Nginx => bail!("NGINX is started by restart-nginx"),
            Part::TestPublisher => command.args(test_publisher_arguments(ports)),
            Part::Playout => command.arg("--root").arg(root),
            Part::Exporter => {
                command.arg(config("exporter.yml")).arg(format!("--web.listen-address=127.0.0.1:{}", ports.exporter))
            }
            Part::Alertmanager => command.arg(config("alertmanager.yml")).args([
                format!("--storage.path={}", storage("alertmanager")),
                format!("--web.listen-address=127.0.0.1:{}", ports.alertmanager),
                // No cluster: waiting for peers would hold the first notification back for ten seconds.
                "--cluster.listen-address=".to_owned(),
            ]),
            Part::Remediator => {
                let web = root.join("configs/remediator-web.yml");
                command.arg("serve").arg(config("remediator.yml")).arg(format!("--web.config.file={}", web.display()))
            }
            Part::Prometheus => command.arg(config("prometheus.yml")).args([
                format!("--storage.tsdb.path={}", storage("prometheus")),
                "--storage.tsdb.retention.time=6h".to_owned(),
                format!("--web.listen-address=127.0.0.1:{}", ports.prometheus),
                // No page of another origin reads it.
                "--web.cors.origin=none".to_owned(),
                // An alert that Alertmanager lost (it keeps them in memory) is there again after so long, not after a minute.
                "--rules.alert.resend-delay=10s".to_owned(),
            ]),
        };
        Ok(command)
    }

    async fn wait_ready(&mut self, part: Part) -> anyhow::Result<()> {
        let what = format!("{} to get ready", part.log_name());
        let service = std::cell::RefCell::new(self.services.get_mut(&part).context("the part does not run")?);
        let (ask, ports) = (&self.ask, self.site.ports);
        // An end is final: it is carried out of the wait as a value, so that nobody waits for the dead.
        wait_for(&what, READY_WITHIN, || async {
            if let Err(ended) = service.borrow_mut().check_running() {
                return Seen::Yes(Err(ended));
            }
            match look_ready(ask, ports, part).await {
                Ok(()) => Seen::Yes(Ok(())),
                Err(error) => Seen::NotYet(format!("{error:#}")),
            }
        })
        .await?
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The last started ends first, so that nothing sees a fault in the stopping.
        while let Some((_part, service)) = self.services.pop_last() {
            drop(service);
        }
        let left = family::sweep(&self.site.root);
        if !left.is_empty() {
            eprintln!("lab: processes that do not end: {left:?}");
        }
        if let Err(error) = crate::faults::disk::release(&self.site.root) {
            eprintln!("lab: {error:#}");
        }
        let _gone_already = std::fs::remove_file(self.site.root.join(STATE_FILE));
    }
}

impl Part {
    /// Name of its log below `logs/`, without the ending.
    #[must_use]
    pub const fn log_name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::TestPublisher => "test-publisher",
            Self::Playout => "playout",
            Self::Exporter => "vvtv-exporter",
            Self::Alertmanager => "alertmanager",
            Self::Remediator => "vvtv-remediator",
            Self::Prometheus => "prometheus",
        }
    }

    fn program(self) -> anyhow::Result<PathBuf> {
        match self {
            Self::Nginx => programs::system(programs::NGINX),
            Self::TestPublisher => programs::system(programs::FFMPEG),
            Self::Playout => programs::own("vvtv-playout"),
            Self::Exporter => programs::own("vvtv-exporter"),
            Self::Alertmanager => programs::system(programs::ALERTMANAGER),
            Self::Remediator => programs::own("vvtv-remediator"),
            Self::Prometheus => programs::system(programs::PROMETHEUS),
        }
    }
}

async fn look_ready(ask: &Ask, ports: Ports, part: Part) -> anyhow::Result<()> {
    match part {
        Part::Nginx => ask.text(ports.http, "/stat").await.map(|_statistics| ()),
        Part::TestPublisher | Part::Playout => {
            let statistics = ask.text(ports.http, "/stat").await?;
            if !statistics.contains("<publishing/>") {
                bail!("nobody publishes");
            }
            ask.text(ports.http, "/hls/main.m3u8").await.map(|_playlist| ())
        }
        Part::Exporter => {
            ask.text(ports.exporter, "/-/ready").await?;
            let metrics = ask.text(ports.exporter, "/metrics").await?;
            let state = metrics.lines().find(|line| line.starts_with("vvtv_ingest_publishing{")).unwrap_or("no series");
            if !state.ends_with(" 1") {
                bail!("the exporter says {state}");
            }
            Ok(())
        }
        Part::Alertmanager => ask.text(ports.alertmanager, "/-/ready").await.map(|_ready| ()),
        Part::Remediator => ask.text(ports.remediator, "/-/ready").await.map(|_ready| ()),
        Part::Prometheus => {
            ask.text(ports.prometheus, "/-/ready").await?;
            match ask.value("count(up)").await? {
                Some(_) => Ok(()),
                None => bail!("Prometheus has not scraped anything"),
            }
        }
    }
}

fn test_publisher_arguments(ports: &Ports) -> Vec<String> {
    let url = format!("rtmp://127.0.0.1:{}/live/main", ports.rtmp);
    "-nostdin -nostats -loglevel warning -re -f lavfi -i testsrc2=size=320x180:rate=25 -re -f lavfi -i sine -c:v libx264 \
     -preset ultrafast -tune zerolatency -g 50 -keyint_min 50 -sc_threshold 0 -b:v 400k -c:a aac -f flv"
        .split_whitespace()
        .map(str::to_owned)
        .chain([url])
        .collect()
}

/// What a lab has to change in the shipped files before any test does.
fn site_edits(site: &Site, pager: &Pager) -> Vec<Edit> {
    let enqueue = pager.url("/v2/enqueue");
    let mut edits = vec![Edit::text("configs/alertmanager.yml", "https://events.pagerduty.com/v2/enqueue", &enqueue)];
    if rustix::process::geteuid().is_root() {
        // NGINX drops to `nobody` for its workers otherwise, who may not enter the root directory.
        edits.push(Edit::text("configs/nginx/rtmp.conf", "load_module ", "user root;\nload_module "));
    }
    // No service manager here: NGINX is restarted by the script that is shipped for such machines.
    let at = |path: &str| site.root.join(path).display().to_string();
    let restart = json!([at("bin/restart-nginx"), at("configs/nginx/rtmp.conf")]);
    edits.push(Edit::set("configs/playout.yml", "/ffmpeg", json!(audio::script(&site.root))));
    edits.push(Edit::set("configs/remediator.yml", "/variables/restart_nginx", restart));
    // What a step leaves behind is found by it.
    edits.push(Edit::set("configs/remediator.yml", "/environment", json!([MARKER])));
    edits.push(Edit::set("configs/remediator.yml", "/channels/pagerduty/pagerduty/url", json!(enqueue)));
    edits
}

fn write_secrets(root: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let secrets = [
        ("alertmanager", "webhook_token", "lab-webhook-token"),
        ("alertmanager", "pagerduty_routing_key", "lab0routing0key0lab0routing0key0"),
        ("prometheus", "viewer_token", "lab-viewer-token"),
        ("remediator", "webhook_token", "lab-webhook-token"),
        ("remediator", "viewer_token", "lab-viewer-token"),
        ("remediator", "pagerduty_routing_key", "lab0routing0key0lab0routing0key0"),
        ("vvtvctl", "viewer_token", "lab-viewer-token"),
    ];
    for (reader, name, secret) in secrets {
        let path = root.join("secrets").join(reader).join(name);
        std::fs::write(&path, secret).with_context(|| format!("write {}", path.display()))?;
        let owner_only = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, owner_only).with_context(|| format!("protect {}", path.display()))?;
    }
    Ok(())
}

/// Starts the process that cleans up if this one is killed. It waits for the end of its standard input.
fn start_guard(site: &Site) -> anyhow::Result<std::process::ChildStdin> {
    use std::os::unix::process::CommandExt as _;
    let log = std::fs::File::create(site.root.join("logs/guard.log")).context("write the guard's log")?;
    let mut guard = Command::new(programs::own("vvtv-lab")?)
        .arg("guard")
        .arg(&site.root)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("start the guard")?;
    guard.stdin.take().context("the guard has no input")
}
