//! The units of deploy/systemd: what they allow, by systemd's own measure, and all of them running on a machine of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails in a helper fails the test")]

mod machine;
#[path = "../repository/mod.rs"]
mod repository;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use machine::Machine;
use repository::{root, text, tracked};
use rstest::rstest;

const UNITS: [&str; 4] = ["nginx-rtmp", "vvtv-exporter", "vvtv-playout", "vvtv-remediator"];

/// The values of a unit's keys; a key that is given more than once has them all.
fn keys(unit: &str) -> BTreeMap<String, Vec<String>> {
    let text = text(&format!("deploy/systemd/{unit}.service"));
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')) {
        keys.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    keys
}

#[test]
fn systemd_accepts_the_units() {
    let units = tempfile::tempdir().unwrap();
    let files: Vec<String> =
        tracked(".service").into_iter().filter(|file| file.starts_with("deploy/systemd/")).collect();
    assert_eq!(files, UNITS.map(|unit| format!("deploy/systemd/{unit}.service")));
    let copies: Vec<String> = files
        .iter()
        .map(|file| {
            // Our programs are not installed where the tests run, and systemd looks for them.
            let ours = ["vvtv-exporter", "vvtv-playout", "vvtv-remediator"];
            let text = ours
                .iter()
                .fold(text(file), |text, program| text.replace(&format!("/usr/local/bin/{program}"), "/bin/true"));
            let copy = units.path().join(Path::new(file).file_name().unwrap());
            std::fs::write(&copy, text).unwrap();
            copy.to_string_lossy().into_owned()
        })
        .collect();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&copies).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains(&*units.path().to_string_lossy())).collect();
    assert!(ours.is_empty(), "{}", ours.join("\n"));
}

#[rstest]
#[case("nginx-rtmp")]
#[case("vvtv-exporter")]
#[case("vvtv-playout")]
#[case("vvtv-remediator")]
fn a_unit_is_confined_and_says_why_not_more(#[case] unit: &str) {
    let file = root().join(format!("deploy/systemd/{unit}.service"));
    let analyze = |format: &str| {
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--offline=true", "--no-pager", "--threshold=20", format]).arg(&file);
        command.output().unwrap()
    };
    let told = analyze("--json=off");
    let said = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.success(), "more than 2.0: {}", said.lines().last().unwrap_or_default());

    let points: Vec<serde_json::Value> = serde_json::from_slice(&analyze("--json=short").stdout).unwrap();
    let left = points.iter().filter(|point| point["exposure"].as_str().is_some()).filter_map(|point| {
        let name = point["name"].as_str().unwrap_or_default();
        // `RestrictAddressFamilies=~AF_(INET|INET6)`, `ProtectProc=`: the word that an explanation has.
        let word = name.split_once("=~AF_").map_or(name, |(_, family)| family).split('=').next().unwrap_or_default();
        let word = word.trim_start_matches('(').split('|').next().unwrap_or_default();
        (point["set"] == false).then_some(word)
    });
    let explained: String = text(&format!("deploy/systemd/{unit}.service")).split("still counts:").skip(1).collect();
    let silent: Vec<&str> = left.filter(|word| !explained.contains(word)).collect();
    assert_eq!(silent, Vec::<&str>::new(), "the unit does not say why these points are left");
}

#[test]
fn each_unit_has_a_user_and_limits_of_its_own() {
    let users = text("deploy/systemd/vvtv.sysusers.conf");
    let limits = ["CPUWeight", "LimitNOFILE", "MemoryMax", "TasksMax"];
    let mut seen = Vec::new();
    for unit in UNITS {
        let keys = keys(unit);
        let [user] = keys["User"].as_slice() else { panic!("{unit}: one user") };
        assert!(users.contains(&format!("\nu {user} ")), "{unit}: {user} is not in vvtv.sysusers.conf");
        assert!(!seen.contains(user), "{unit}: {user} runs another unit too");
        seen.push(user.clone());
        let missing: Vec<&str> = limits.into_iter().filter(|limit| !keys.contains_key(*limit)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "{unit}");
        assert_eq!(keys["CapabilityBoundingSet"], [""], "{unit}");
        assert_eq!(keys["AmbientCapabilities"], [""], "{unit}");
    }
}

/// What docs/security.md says that each service may read and write.
const PATHS: [&str; 25] = [
    "/vvtv/configs/exporter.yml",
    "/vvtv/configs/playout.yml",
    "/vvtv/configs/remediator.yml",
    "/vvtv/configs/alertmanager.yml",
    "/vvtv/configs/nginx/rtmp.conf",
    "/vvtv/runbooks/ingest-down.yml",
    "/vvtv/runbooks",
    "/vvtv/alert-rules/streaming.yml",
    "/vvtv/bin/restart-nginx",
    "/vvtv/secrets/remediator/webhook_token",
    "/vvtv/secrets/alertmanager/webhook_token",
    "/vvtv/broadcast/hls",
    "/vvtv/data",
    "/vvtv/data/queue.sqlite",
    "/vvtv/logs",
    "/vvtv/logs/streaming.log",
    "/vvtv/run",
    "/vvtv/run/playout.sock",
    "/vvtv/run/nginx",
    "/vvtv/storage/ready",
    "/vvtv/storage/emergency",
    "/var/lib/vvtv-remediator",
    "/usr/local/bin/vvtv-playout",
    "/usr/local/bin/vvtvctl",
    "/etc/shadow",
];

fn access_script() -> String {
    let test =
        "if [ -r \"$path\" ]; then printf r; else printf -- -; fi; if [ -w \"$path\" ]; then echo w; else echo -; fi";
    format!("for path in {}; do {test}; done\n", PATHS.join(" "))
}

/// A column for each service, and for others: as what they are, and without a unit.
fn access_table(machine: &Machine) -> String {
    let mut columns: Vec<(&str, String)> = UNITS.map(|unit| (unit, machine.within(unit, &access_script()))).into();
    for user in ["prometheus", "nobody"] {
        let drop =
            ["setpriv", &format!("--reuid={user}"), "--regid=nogroup", "--init-groups", "sh", "-c", &access_script()];
        let drop = drop
            .map(|word| if word == "--regid=nogroup" && user == "prometheus" { "--regid=prometheus" } else { word });
        columns.push((user, machine.run(&drop).unwrap()));
    }
    let mut table = format!("{:<42}", "");
    for (name, _) in &columns {
        write!(table, "{:<12}", name.trim_start_matches("vvtv-")).unwrap();
    }
    for (row, path) in PATHS.iter().enumerate() {
        write!(table, "\n{path:<42}").unwrap();
        for (_, column) in &columns {
            write!(table, "{:<12}", column.lines().nth(row).unwrap_or("?")).unwrap();
        }
    }
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// What the shipped runbooks' steps do, as the remediator runs them: each with its exit code.
const STEPS: &str = "
t() { \"$@\" >/tmp/said 2>&1; status=$?; echo \"$status $*\"; [ $status = 0 ] || tail -n 1 /tmp/said; }
t vvtvctl flags set encoder.preset=superfast --format json
t vvtvctl flags unset encoder.preset --format json
t vvtvctl queue summary --format json
t vvtvctl streaming status --format json
t vvtvctl streaming emergency --inject 1 --reason test --format json
t vvtvctl ops maintenance run rotate-logs --format json
t vvtvctl ops maintenance run clean-segments --format json
t vvtvctl ops bundle --scope streaming --output /var/lib/vvtv-remediator/bundle.tar.gz --format json
t /vvtv/bin/check-nginx /vvtv/configs/nginx/rtmp.conf
t systemctl status --no-pager nginx-rtmp
t systemctl restart nginx-rtmp
t systemctl restart vvtv-exporter
t ping -c 1 127.0.0.1
t ip -s link
t iostat -x 1 1
t df -h /vvtv/broadcast
t free -h
t pgrep ffmpeg
t vvtvctl streaming test-ingest --timeout 20 --format json
t sh -c 'echo >>/vvtv/runbooks/ingest-down.yml'
t sh -c 'echo >>/vvtv/configs/remediator.yml'
";

const STEPS_SAY: &str = "\
0 vvtvctl flags set encoder.preset=superfast --format json
0 vvtvctl flags unset encoder.preset --format json
0 vvtvctl queue summary --format json
0 vvtvctl streaming status --format json
0 vvtvctl streaming emergency --inject 1 --reason test --format json
0 vvtvctl ops maintenance run rotate-logs --format json
0 vvtvctl ops maintenance run clean-segments --format json
0 vvtvctl ops bundle --scope streaming --output /var/lib/vvtv-remediator/bundle.tar.gz --format json
0 /vvtv/bin/check-nginx /vvtv/configs/nginx/rtmp.conf
0 systemctl status --no-pager nginx-rtmp
0 systemctl restart nginx-rtmp
1 systemctl restart vvtv-exporter
See system logs and 'systemctl status vvtv-exporter.service' for details.
0 ping -c 1 127.0.0.1
0 ip -s link
0 iostat -x 1 1
0 df -h /vvtv/broadcast
0 free -h
0 pgrep ffmpeg
0 vvtvctl streaming test-ingest --timeout 20 --format json
2 sh -c echo >>/vvtv/runbooks/ingest-down.yml
sh: 1: cannot create /vvtv/runbooks/ingest-down.yml: Permission denied
2 sh -c echo >>/vvtv/configs/remediator.yml
sh: 1: cannot create /vvtv/configs/remediator.yml: Permission denied
";

/// The exporter's word on its sources, when all of them answer.
fn sources_answer(machine: &Machine) -> Result<(), String> {
    let scrape = machine.run(&["curl", "-sS", "-m", "5", "http://127.0.0.1:10047/metrics"])?;
    let sources: Vec<&str> = scrape.lines().filter(|line| line.starts_with("vvtv_source_up{")).collect();
    if sources.len() >= 5 && sources.iter().all(|line| line.ends_with(" 1")) { Ok(()) } else { Err(sources.join("\n")) }
}

/// When the exporter last read the queue, in Unix seconds.
fn queue_read_at(machine: &Machine) -> Result<f64, String> {
    let scrape = machine.run(&["curl", "-sS", "-m", "5", "http://127.0.0.1:10047/metrics"])?;
    let mut lines = scrape.lines().filter(|line| line.starts_with("vvtv_source_last_success_timestamp_seconds{"));
    let line = lines.find(|line| line.contains("source=\"queue\"")).ok_or("no such series")?;
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).ok_or_else(|| line.to_owned())
}

#[test]
fn the_installation_runs_as_the_units_have_it() {
    let mut machine = match Machine::boot() {
        Ok(machine) => machine,
        Err(missing) => return eprintln!("not run, because no machine can be made here: {missing}"),
    };
    let enabled: Vec<&str> = ["systemctl", "start", "dbus.socket"].into_iter().chain(UNITS).collect();
    machine.run(&enabled).unwrap();
    // In a network namespace of its own: what README.md says for steps that ping.
    machine.run(&["sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 2147483647"]).unwrap();
    machine.wait_for("all sources to answer", Duration::from_secs(60), |machine| sources_answer(machine));

    let table = access_table(&machine);
    assert!(text("docs/security.md").contains(&table), "docs/security.md does not have this table:\n{table}");
    assert_eq!(machine.within("vvtv-remediator", STEPS), STEPS_SAY);

    // The queue is read also when nobody has it open, and the exporter may not make a file beside it.
    machine.run(&["systemctl", "stop", "vvtv-playout"]).unwrap();
    let files = machine.run(&["ls", "/vvtv/data"]).unwrap();
    assert!(!files.contains("queue.sqlite-wal"), "{files}");
    let stopped = queue_read_at(&machine).unwrap();
    machine.wait_for("the queue to be read again", Duration::from_secs(20), |machine| {
        let at = queue_read_at(machine)?;
        if at > stopped { Ok(()) } else { Err(format!("last read at {at}")) }
    });
    let failed = machine.run(&["systemctl", "--no-pager", "--no-legend", "list-units", "--state=failed"]).unwrap();
    assert_eq!(failed, "");
}
