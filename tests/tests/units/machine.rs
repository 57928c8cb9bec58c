//! A machine in namespaces with a systemd of its own, installed as the README has it. Nothing of it is left when it ends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use vvtv_tests::programs;

use crate::repository;

/// How long systemd may take to answer.
const BOOT_WITHIN: Duration = Duration::from_secs(60);

/// Where the machine keeps the output of what runs in a unit's place.
const PROBE_OUTPUT: &str = "/shared/probe.out";

/// A running machine. Dropping it kills everything in it.
pub(crate) struct Machine {
    boot: Child,
    /// The machine's first process.
    init: i32,
    shared: tempfile::TempDir,
}

impl Machine {
    /// Boots, or says why that cannot be done here: it takes root, and a kernel that lets root make namespaces.
    pub(crate) fn boot() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("it takes root".to_owned());
        }
        let mounts = "mount -t proc none /proc && mount -t cgroup2 none /mnt";
        let namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "sh", "-c", mounts];
        let tried = Command::new("unshare").args(namespaces).output().map_err(|error| error.to_string())?;
        if !tried.status.success() {
            return Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned());
        }
        let shared = tempfile::tempdir().unwrap();
        std::fs::set_permissions(shared.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(shared.path().join("cgroup")).unwrap();
        let said = std::fs::File::create(shared.path().join("boot.log")).unwrap();
        // The machine ends with this process, however that ends.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh"]);
        command.arg(repository::root().join("tests/tests/units/boot")).arg(repository::root());
        command.arg(programs::own_directory().unwrap()).arg(shared.path());
        let boot = command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        let mut machine = Self { boot, init: 0, shared };
        machine.wait_for("systemd", BOOT_WITHIN, |machine| {
            machine.init = machine.first_process()?;
            machine.run(&["systemctl", "--no-pager", "is-active", "basic.target"])
        });
        Ok(machine)
    }

    /// unshare's child, when it has become systemd.
    fn first_process(&self) -> Result<i32, String> {
        let pid = self.boot.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let child = children.split_whitespace().next().and_then(|child| child.parse::<i32>().ok());
        let child = child.ok_or("no process yet")?;
        let name = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        if name.trim() == "systemd" { Ok(child) } else { Err(format!("{} runs", name.trim())) }
    }

    /// Looks until the closure returns `Ok`; fails with what it said last, and what the boot said.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut look: impl FnMut(&mut Self) -> Result<T, String>,
    ) -> T {
        let deadline = Instant::now() + within;
        loop {
            let last = match look(self) {
                Ok(found) => return found,
                Err(last) => last,
            };
            let ended = self.boot.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "waited for {what}; last seen: {last}; the machine (ended: {ended:?}) said:\n{}",
                std::fs::read_to_string(self.shared.path().join("boot.log")).unwrap_or_default()
            );
            std::thread::park_timeout(Duration::from_millis(200));
        }
    }

    /// Runs a command in the machine, as root.
    pub(crate) fn output(&self, argv: &[&str]) -> Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init.to_string(), "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]);
        command.args(["--root", "--wd", "--"]).args(argv).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// What a command says that succeeds; else the error has it.
    pub(crate) fn run(&self, argv: &[&str]) -> Result<String, String> {
        let output = self.output(argv);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        Err(format!("{}: {}{text}{}", argv.join(" "), output.status, String::from_utf8_lossy(&output.stderr)))
    }

    /// Runs a shell script in the place of a unit's program: as its user, with everything that the unit allows and forbids.
    pub(crate) fn within(&self, unit: &str, script: &str) -> String {
        let file = |name: &str| self.shared.path().join(name);
        std::fs::write(file("probe.sh"), script).unwrap();
        std::fs::write(file("probe.out"), "").unwrap();
        let shipped = repository::text(&format!("deploy/systemd/{unit}.service"));
        let dropped = ["Type=", "PIDFile=", "ExecStartPre=", "ExecReload=", "Restart", "WantedBy=", "[Install]"];
        let kept = shipped.lines().filter(|line| !dropped.iter().any(|start| line.starts_with(start)));
        let probe: Vec<String> = kept
            .map(|line| match line.strip_prefix("ExecStart=") {
                Some(_) => format!(
                    "Type=oneshot\nExecStart=/bin/sh /shared/probe.sh\nStandardOutput=file:{PROBE_OUTPUT}\nStandardError=inherit"
                ),
                None => line.to_owned(),
            })
            .collect();
        std::fs::write(file("probe.service"), probe.join("\n")).unwrap();
        let start = "cp /shared/probe.service /run/systemd/system/ && systemctl daemon-reload && systemctl start probe";
        self.run(&["sh", "-c", &format!("mkdir -p /run/systemd/system && {start}")]).unwrap();
        std::fs::read_to_string(file("probe.out")).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // systemd ends with unshare, and everything with systemd.
        let _gone_already = self.boot.kill();
        let _waited = self.boot.wait();
        let group = std::fs::read_to_string(self.shared.path().join("group")).unwrap_or_default();
        if let Err(left) = remove_groups(&self.shared.path().join("cgroup"), group.trim()) {
            eprintln!("control groups of the machine are left: {left}");
        }
    }
}

fn remove_groups(place: &Path, number: &str) -> Result<(), String> {
    if number.is_empty() {
        return Ok(());
    }
    let script = "mount -t cgroup2 none \"$1\" && for round in 1 2 3 4 5 6 7 8 9; do \
                  find \"$1/vvtv-units-test-$2\" -depth -type d -exec rmdir {} + 2>/dev/null; \
                  [ -d \"$1/vvtv-units-test-$2\" ] || exit 0; read -r _ </proc/loadavg; done; exit 1";
    let arguments: [PathBuf; 7] = ["--mount", "--propagation", "private", "sh", "-c", script, "-"].map(PathBuf::from);
    let output = Command::new("unshare").args(arguments).arg(place).arg(number).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
