//! deploy/nginx/restart-nginx on the real NGINX: running, gone, hung, stopped, orphaned, and with a broken configuration.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use vvtv_tests::service::Service;
use vvtv_tests::{Lab, Part, Seen, Settings, family, wait_for};

async fn lab() -> Lab {
    Settings::default().parts(&[Part::Nginx]).start().await.unwrap()
}

fn configuration(lab: &Lab) -> PathBuf {
    lab.site().root.join("configs/nginx/rtmp.conf")
}

fn restart(lab: &Lab, configuration: &PathBuf) -> Output {
    lab.site().command(&lab.site().root.join("bin/restart-nginx")).unwrap().arg(configuration).output().unwrap()
}

/// A restart that succeeds, leaves nothing of the old NGINX, and has the new one answer. Returns what it said.
async fn restarts(lab: &Lab) -> String {
    let old = family::nginx(&lab.site().root);
    let output = restart(lab, &configuration(lab));
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let survivors: Vec<_> = old.iter().filter(|member| member.lives()).collect();
    assert!(survivors.is_empty(), "{survivors:?}");
    let page = lab.ask().text(lab.site().ports.http, "/stat").await.unwrap();
    let worker = lab.site().nginx_worker().unwrap().pid;
    assert!(page.contains(&format!("<pid>{worker}</pid>")), "worker {worker} did not answer: {page}");
    let said = String::from_utf8(output.stdout).unwrap();
    old.iter().fold(said, |said, member| said.replace(&member.pid.to_string(), "OLD"))
}

fn first_lines(said: &str) -> Vec<&str> {
    said.lines().filter(|line| !line.contains("NGINX runs")).collect()
}

#[tokio::test]
async fn a_running_nginx_ends_by_term() {
    let lab = lab().await;
    assert_eq!(first_lines(&restarts(&lab).await), ["restart-nginx: stopping NGINX, process OLD"]);
}

#[tokio::test]
async fn a_stopped_worker_is_killed() {
    let lab = lab().await;
    assert!(lab.site().nginx_worker().unwrap().signal(Signal::STOP));
    let said = restarts(&lab).await;
    assert!(said.contains("does not end by TERM: KILL to"), "{said}");
}

#[tokio::test]
async fn a_stopped_master_is_killed_with_its_workers() {
    let lab = lab().await;
    assert!(lab.site().nginx_master().unwrap().signal(Signal::STOP));
    let said = restarts(&lab).await;
    assert!(said.contains("does not end by TERM: KILL to"), "{said}");
}

#[tokio::test]
async fn workers_that_outlived_a_killed_master_free_its_ports() {
    let lab = lab().await;
    let master = lab.site().nginx_master().unwrap();
    assert!(master.signal(Signal::KILL));
    let _dead = family::wait_gone(&[master].into(), Duration::from_secs(5));
    let said = restarts(&lab).await;
    assert!(said.contains("stopping NGINX"), "{said}");
}

#[tokio::test]
async fn a_broken_configuration_leaves_the_running_one_alone() {
    let lab = lab().await;
    let before = family::nginx(&lab.site().root);
    let good = std::fs::read_to_string(configuration(&lab)).unwrap();
    let broken = lab.site().root.join("configs/nginx/broken.conf");
    std::fs::write(&broken, format!("{good}\nnonsense on;\n")).unwrap();

    let output = restart(&lab, &broken);

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("unknown directive \"nonsense\""), "{said}");
    assert!(said.contains("is broken; the running NGINX was left alone"), "{said}");
    assert_eq!(family::nginx(&lab.site().root), before);
}

/// As in a container: NGINX is another user's, and something starts it again whenever it ends.
#[tokio::test]
async fn who_may_not_signal_nginx_asks_for_a_restart() {
    let lab = Settings::default().parts(&[]).start().await.unwrap();
    let site = lab.site();
    let (conf, request) = (configuration(&lab), site.root.join("run/nginx.restart"));
    let run = format!(
        "while :; do '{0}/bin/run-nginx' '{1}' '{2}'; done",
        site.root.display(),
        conf.display(),
        request.display()
    );
    let mut command = site.command(Path::new("/bin/sh")).unwrap();
    command.args(["-c", &run]);
    let _supervisor = Service::start("run-nginx", command, &site.root).unwrap();
    let within = Duration::from_secs(20);
    let worker = || async { Seen::from_result(site.nginx_worker()) };
    let old = wait_for("NGINX's worker", within, worker).await.unwrap();
    assert!(old.signal(Signal::STOP));

    let mut restart = site.command(&site.root.join("bin/restart-nginx")).unwrap();
    let output = restart.arg("--ask").args([&request, &conf]).output().unwrap();

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("restart-nginx: asking for a restart of NGINX, process "), "{said}");
    assert!(!old.lives());
    assert_ne!(wait_for("NGINX's new worker", within, worker).await.unwrap(), old);
    lab.ask().text(site.ports.http, "/stat").await.unwrap();

    let log = site.root.join("logs/nginx_error.log");
    std::fs::rename(&log, log.with_extension("1")).unwrap();
    let anew = || async { if log.exists() { Seen::Yes(()) } else { Seen::NotYet("no log".to_owned()) } };
    wait_for("a new log", within, anew).await.unwrap();
}
