use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::oneshot;

use super::*;
use crate::conditions::facts::AlertFacts;

struct Bench {
    executor: Executor,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock: Clock = Arc::new(|| Timestamp::from_millis(7));
        let executor = Executor::new(&dir.path().join("spool"), &[], clock).unwrap();
        executor.prepare(&[]).unwrap();
        adopt();
        Self { executor, dir }
    }

    fn sh(&self, text: &str) -> Launch {
        self.argv(&["/bin/sh", "-c", text])
    }

    fn argv(&self, argv: &[&str]) -> Launch {
        Launch {
            job: Job::Step {
                incident: IncidentId::new(7),
                runbook: RunbookId::new("segment-age"),
                step: StepId::new("a_step"),
                attempt: 2,
            },
            argv: argv.iter().map(|&text| text.to_owned()).collect(),
            timeout: Duration::from_secs(20),
            facts: Facts { target: "main".to_owned(), ..Facts::default() },
            attachments: None,
        }
    }

    async fn run(&self, launch: Launch) -> Finished {
        self.executor.run(launch, let_go(), mpsc::channel(1).0, CancellationToken::new()).await
    }

    /// A pid that a step wrote into a file.
    fn pid(&self, name: &str) -> i32 {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap().trim().parse().unwrap()
    }
}

/// Nobody listens, so that it is let go at once.
fn let_go() -> Process {
    Process::Made(oneshot::channel().0)
}

fn process_lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.starts_with(" Z"))
}

#[tokio::test]
async fn exit_code_and_output_are_reported_and_the_facts_file_is_removed() {
    let bench = Bench::new();
    let ok = bench.run(bench.sh("echo '{\"a\": 1}'; echo problem >&2")).await;
    assert_eq!((&ok.outcome, ok.exit_code), (&Outcome::Ok, Some(0)));
    assert_eq!((ok.stdout.text(), ok.stderr.text()), ("{\"a\": 1}\n".to_owned(), "problem\n".to_owned()));
    assert_eq!((ok.started_at, ok.finished_at), (Timestamp::from_millis(7), Timestamp::from_millis(7)));
    let failed = bench.run(bench.sh("exit 3")).await;
    assert_eq!((failed.outcome, failed.exit_code), (Outcome::Failed("exit code 3".to_owned()), Some(3)));
    let killed = bench.run(bench.sh("kill -9 $$")).await;
    assert_eq!((killed.outcome, killed.exit_code), (Outcome::Failed("killed by signal 9".to_owned()), None));
    let missing = bench.run(bench.argv(&["no-such-program"])).await;
    let message = "cannot start no-such-program: No such file or directory (os error 2)";
    assert_eq!(missing.outcome, Outcome::Failed(message.to_owned()));
    assert_eq!(std::fs::read_dir(bench.dir.path().join("spool")).unwrap().count(), 0);
}

#[tokio::test]
async fn the_environment_is_clean_and_tells_about_the_incident() {
    let bench = Bench::new();
    let mut launch =
        bench.sh("env | cut -d= -f1 | grep -v ^_ | sort | tr '\\n' ' '; pwd; read x || echo no input; cat $VVTV_FACTS");
    launch.facts.alert = AlertFacts {
        name: "SegmentAgeHigh".to_owned(),
        labels: BTreeMap::from([
            ("stream".to_owned(), "main".to_owned()),
            ("nul".to_owned(), "a\0b".to_owned()),
            ("odd name=".to_owned(), "x".to_owned()),
            ("long".to_owned(), "x".repeat(1 << 20)),
        ]),
        annotations: BTreeMap::from([("summary".to_owned(), "$(reboot)\n`reboot`".to_owned())]),
    };
    let facts = serde_json::to_string(&launch.facts).unwrap();
    let finished = bench.run(launch).await;
    let text = finished.stdout.text();
    let (head, rest) = text.split_once("no input\n").unwrap();
    assert!(head.ends_with("/\n"), "{head}");
    let allowed = ["HOME", "LANG", "PATH", "PWD", "SHLVL", "TZ"];
    let names: Vec<_> =
        head.trim_end_matches("/\n").split_whitespace().filter(|name| !allowed.contains(name)).collect();
    let expected =
        "VVTV_ALERT VVTV_ATTEMPT VVTV_FACTS VVTV_INCIDENT VVTV_LABEL_stream VVTV_RUNBOOK VVTV_STEP VVTV_TARGET";
    assert_eq!(names.join(" "), expected);
    assert!(facts.starts_with(rest.get(..1000).unwrap()));
}

#[tokio::test]
async fn data_in_arguments_stays_data() {
    let bench = Bench::new();
    for nasty in ["$(touch pwned)", "; touch pwned", "a\nb", "`touch pwned`", "-n", "*", "\u{1b}[31m", ""] {
        let finished = bench.run(bench.argv(&["printf", "<%s>", nasty])).await;
        assert_eq!(finished.stdout.text(), format!("<{nasty}>"));
    }
    let nul = bench.run(bench.argv(&["echo", "a\0b"])).await;
    let message = "cannot start echo: nul byte found in provided data";
    assert_eq!(nul.outcome, Outcome::Failed(message.to_owned()));
    let mut launch = bench.sh("echo $VVTV_TARGET");
    launch.facts.target = "a\0b".to_owned();
    assert_eq!(bench.run(launch).await.outcome, Outcome::Failed("the target has a NUL in it".to_owned()));
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_neither_block_nor_stay() {
    let bench = Bench::new();
    let text = "echo begin; head -c 100000000 /dev/zero | tr '\\0' x; echo; head -c 1000000 /dev/zero >&2; echo end";
    let finished = bench.run(bench.sh(text)).await;
    assert_eq!(finished.outcome, Outcome::Ok);
    let left_out = |bytes: u64| format!("\n[{bytes} bytes left out]\n");
    assert!(finished.stdout.text().contains(&left_out(100_000_000 + 6 + 1 + 4 - 2 * (256 << 10))));
    assert!(finished.stderr.text().contains(&left_out(1_000_000 - 2 * (256 << 10))));
    let text = finished.stdout.text();
    assert!(text.starts_with("begin\nxxx") && text.ends_with("xxx\nend\n"));
}

#[tokio::test]
async fn a_timeout_ends_grandchildren_too() {
    let bench = Bench::new();
    let dir = bench.dir.path().display().to_string();
    let mut launch = bench.sh(&format!("sleep 300 & echo $! >{dir}/a; (sleep 300 & echo $! >{dir}/b; wait); wait"));
    launch.timeout = Duration::from_millis(300);
    let begun = Instant::now();
    assert_eq!(bench.run(launch).await.outcome, Outcome::Timeout);
    assert!(begun.elapsed() < group::GRACE, "TERM was not enough");
    assert_eq!((process_lives(bench.pid("a")), process_lives(bench.pid("b"))), (false, false));
}

#[tokio::test]
async fn what_ignores_term_is_killed() {
    let bench = Bench::new();
    let dir = bench.dir.path().display().to_string();
    let mut launch = bench.sh(&format!("trap '' TERM; echo $$ >{dir}/a; while :; do sleep 300; done"));
    launch.timeout = Duration::from_millis(300);
    assert_eq!(bench.run(launch).await.outcome, Outcome::Timeout);
    assert!(!process_lives(bench.pid("a")));
}

#[tokio::test]
async fn what_a_dead_leader_left_behind_is_ended_and_does_not_hold_the_step() {
    let bench = Bench::new();
    let dir = bench.dir.path().display().to_string();
    let begun = Instant::now();
    let finished = bench.run(bench.sh(&format!("sleep 300 & echo $! >{dir}/a; echo done"))).await;
    assert_eq!((finished.outcome, finished.stdout.text()), (Outcome::Ok, "done\n".to_owned()));
    assert!(begun.elapsed() < group::GRACE);
    assert!(!process_lives(bench.pid("a")));
}

/// Ways for a process to leave its group, its session and its parent; each writes its pid down.
const WAYS_OUT: [&str; 4] = [
    "setsid sh -c 'echo $$ >DIR/a; exec sleep 300' & ",
    "setsid sh -c 'setsid sh -c \"echo \\$\\$ >DIR/a; exec sleep 300\" & exit' & ",
    "nohup setsid sh -c 'trap \"\" TERM HUP; echo $$ >DIR/a; while :; do sleep 300; done' >/dev/null 2>&1 & ",
    "(setsid sh -c 'cd /; sleep 300 >/dev/null 2>&1 </dev/null & echo $! >DIR/a.new; mv DIR/a.new DIR/a; wait' &); ",
];

#[tokio::test]
async fn what_left_its_group_and_session_ends_with_the_step() {
    for way in WAYS_OUT {
        let bench = Bench::new();
        let dir = bench.dir.path().display().to_string();
        let text = format!("{}until [ -s DIR/a ]; do sleep 0.02; done; echo done", way).replace("DIR", &dir);
        let finished = bench.run(bench.sh(&text)).await;
        assert_eq!((finished.outcome, finished.stdout.text()), (Outcome::Ok, "done\n".to_owned()), "{way}");
        assert!(!process_lives(bench.pid("a")), "{way}");
    }
}

#[tokio::test]
async fn what_left_its_group_and_session_ends_with_the_step_s_time_too() {
    for way in WAYS_OUT {
        let bench = Bench::new();
        let dir = bench.dir.path().display().to_string();
        let text = format!("{way}until [ -s DIR/a ]; do sleep 0.02; done; sleep 300").replace("DIR", &dir);
        let launch = Launch { timeout: Duration::from_secs(2), ..bench.sh(&text) };
        assert_eq!(bench.run(launch).await.outcome, Outcome::Timeout, "{way}");
        assert!(!process_lives(bench.pid("a")), "{way}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_started_without_the_step_s_mark_lives_and_does_not_hold_the_step() {
    let bench = Bench::new();
    let dir = bench.dir.path().display().to_string();
    let begun = Instant::now();
    let text =
        "env -u VVTV_FACTS setsid sh -c 'echo $$ >DIR/a; exec sleep 20' & until [ -s DIR/a ]; do sleep 0.02; done";
    let finished = bench.run(bench.sh(&text.replace("DIR", &dir))).await;
    assert_eq!(finished.outcome, Outcome::Ok);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let daemon = bench.pid("a");
    assert!(process_lives(daemon));
    rustix::process::kill_process(rustix::process::Pid::from_raw(daemon).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
}

#[tokio::test]
async fn what_another_step_left_is_not_this_one_s_to_end() {
    let (one, other) = (Bench::new(), Bench::new());
    let dir = other.dir.path().display().to_string();
    let text = "setsid sh -c 'echo $$ >DIR/a; exec sleep 300' & until [ -s DIR/go ]; do sleep 0.02; done";
    let kill = CancellationToken::new();
    let running = other.executor.run(other.sh(&text.replace("DIR", &dir)), let_go(), mpsc::channel(1).0, kill.clone());
    let (finished, ()) = tokio::join!(running, async {
        while std::fs::read(other.dir.path().join("a")).unwrap_or_default().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(one.run(one.sh("true")).await.outcome, Outcome::Ok);
        assert!(process_lives(other.pid("a")));
        std::fs::write(other.dir.path().join("go"), "go").unwrap();
    });
    assert_eq!(finished.outcome, Outcome::Ok);
    assert!(!process_lives(other.pid("a")));
}

#[tokio::test]
async fn a_step_ends_on_request_and_when_nobody_waits_for_it() {
    let bench = Bench::new();
    let kill = CancellationToken::new();
    let (sender, spawned) = oneshot::channel();
    let run = bench.executor.run(bench.sh("sleep 300"), Process::Made(sender), mpsc::channel(1).0, kill.clone());
    let (finished, identity) = tokio::join!(run, async {
        let waiting = spawned.await.unwrap();
        waiting.go.ahead();
        kill.cancel();
        waiting.identity
    });
    assert_eq!(finished.outcome, Outcome::Failed("ended on request".to_owned()));
    assert!(!process_lives(identity.pid));

    let (sender, spawned) = oneshot::channel();
    let run =
        bench.executor.run(bench.sh("sleep 300"), Process::Made(sender), mpsc::channel(1).0, CancellationToken::new());
    let waiting = tokio::select! {
        waiting = spawned => waiting.unwrap(),
        _ = run => panic!("ended by itself"),
    };
    let identity = waiting.identity;
    // A killed process may be seen once more before it is gone.
    let settled = settle(Some(&identity), &no_mark(), Duration::from_secs(10)).await;
    assert!(matches!(settled, Orphan::Gone | Orphan::Ended), "{settled:?}");
}

#[tokio::test]
async fn what_is_not_let_go_ends_without_having_run() {
    let bench = Bench::new();
    let (sender, spawned) = oneshot::channel();
    let file = bench.dir.path().join("ran");
    let launch = bench.argv(&["touch", file.to_str().unwrap()]);
    let run = bench.executor.run(launch, Process::Made(sender), mpsc::channel(1).0, CancellationToken::new());
    let (finished, identity) = tokio::join!(run, async {
        let waiting = spawned.await.unwrap();
        assert!(process_lives(waiting.identity.pid));
        drop(waiting.go);
        waiting.identity
    });
    assert_eq!((finished.outcome, finished.stderr.text()), (Outcome::NotRun, String::new()));
    assert!(!process_lives(identity.pid) && !file.exists());
}

#[tokio::test]
async fn what_waits_ends_on_request_without_having_run() {
    let bench = Bench::new();
    let (sender, spawned) = oneshot::channel();
    let kill = CancellationToken::new();
    let file = bench.dir.path().join("ran");
    let launch = bench.argv(&["touch", file.to_str().unwrap()]);
    let run = bench.executor.run(launch, Process::Made(sender), mpsc::channel(1).0, kill.clone());
    let (finished, waiting) = tokio::join!(run, async {
        let waiting = spawned.await.unwrap();
        kill.cancel();
        waiting
    });
    assert_eq!(finished.outcome, Outcome::Failed("ended before it was started".to_owned()));
    assert!(!process_lives(waiting.identity.pid) && !file.exists());
}

#[tokio::test]
async fn what_does_not_read_what_it_is_to_become_can_be_ended() {
    let bench = Bench::new();
    let (sender, spawned) = oneshot::channel();
    let kill = CancellationToken::new();
    // More than a pipe holds.
    let launch = bench.argv(&["true", &"x".repeat(100_000)]);
    let run = bench.executor.run(launch, Process::Made(sender), mpsc::channel(1).0, kill.clone());
    let (finished, identity) = tokio::join!(run, async {
        let waiting = spawned.await.unwrap();
        let pid = rustix::process::Pid::from_raw(waiting.identity.pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        waiting.go.ahead();
        tokio::task::yield_now().await;
        kill.cancel();
        waiting.identity
    });
    assert_eq!(finished.outcome, Outcome::Failed("ended before it was started".to_owned()));
    assert!(!process_lives(identity.pid));
}

#[tokio::test]
async fn what_was_let_go_is_the_process_that_waited_and_has_nothing_of_its_waiting() {
    let bench = Bench::new();
    let (sender, spawned) = oneshot::channel();
    let launch = bench.argv(&["/bin/cat", "/proc/self/stat", "/proc/self/cmdline", "/proc/self/environ"]);
    let run = bench.executor.run(launch, Process::Made(sender), mpsc::channel(1).0, CancellationToken::new());
    let (finished, identity) = tokio::join!(run, async {
        let waiting = spawned.await.unwrap();
        waiting.go.ahead();
        waiting.identity
    });
    let text = finished.stdout.text();
    let (stat, rest) = text.split_once('\n').unwrap();
    let fields: Vec<&str> = stat.split(' ').collect();
    assert_eq!(
        (fields[0], fields[1], fields[4], fields[21]),
        (
            identity.pid.to_string().as_str(),
            "(cat)",
            identity.pid.to_string().as_str(),
            identity.start_ticks.unwrap().to_string().as_str()
        )
    );
    let mut words: Vec<&str> = rest.split('\0').collect();
    let variables = words.split_off(4);
    assert_eq!(words, ["/bin/cat", "/proc/self/stat", "/proc/self/cmdline", "/proc/self/environ"]);
    let mut names: Vec<&str> = variables.iter().filter_map(|variable| Some(variable.split_once('=')?.0)).collect();
    names.sort_unstable();
    names.retain(|name| !["HOME", "LANG", "TZ", "VVTV_ROOT"].contains(name));
    let expected = "PATH VVTV_ALERT VVTV_ATTEMPT VVTV_FACTS VVTV_INCIDENT VVTV_RUNBOOK VVTV_STEP VVTV_TARGET";
    assert_eq!(names.join(" "), expected);
    // What this test itself was handed, every process has.
    let look = "ls /proc/$$/fd; readlink /proc/$$/fd/0";
    let plain = std::process::Command::new("/bin/sh").args(["-c", look]).stdin(std::process::Stdio::null()).output();
    assert_eq!(bench.run(bench.sh(look)).await.stdout.text(), String::from_utf8(plain.unwrap().stdout).unwrap());
}

/// A mark that no process has.
fn no_mark() -> Mark {
    Mark::new("/nonexistent/0-no-0.json".into())
}

/// Starts a group that no executor watches, as a remediator that was killed leaves it.
fn orphan(text: &str) -> (std::process::Child, Identity) {
    use std::os::unix::process::CommandExt as _;
    let child = std::process::Command::new("/bin/sh").args(["-c", text]).process_group(0).spawn().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    (child, Identity::of(pid))
}

#[tokio::test]
async fn an_orphan_is_waited_for_and_then_killed_with_its_group() {
    let (mut child, identity) = orphan("sleep 0.3");
    assert_eq!(settle(Some(&identity), &no_mark(), Duration::from_secs(20)).await, Orphan::Ended);
    child.wait().unwrap();
    assert_eq!(settle(Some(&identity), &no_mark(), Duration::ZERO).await, Orphan::Gone);

    let bench = Bench::new();
    let dir = bench.dir.path().display().to_string();
    let (mut child, identity) = orphan(&format!("sleep 300 & echo $! >{dir}/a.new; mv {dir}/a.new {dir}/a; exit"));
    child.wait().unwrap();
    // The leader is gone; what it started is found by its group.
    assert_eq!(settle(Some(&identity), &no_mark(), Duration::ZERO).await, Orphan::Killed);
    assert!(!process_lives(bench.pid("a")));
}

#[tokio::test]
async fn a_stranger_with_the_same_pid_is_left_alone() {
    let (mut child, identity) = orphan("exec sleep 300");
    let other_start = Identity { start_ticks: identity.start_ticks.map(|ticks| ticks - 1), ..identity.clone() };
    let other_boot = Identity { boot_id: Some("another".to_owned()), ..identity.clone() };
    let unknown = Identity { start_ticks: None, ..identity.clone() };
    for stranger in [other_start, other_boot, unknown] {
        assert_eq!(settle(Some(&stranger), &no_mark(), Duration::ZERO).await, Orphan::Gone);
    }
    assert!(process_lives(identity.pid));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn what_an_orphan_sent_away_from_its_group_is_found_by_its_mark() {
    let bench = Bench::new();
    let dir = bench.dir.path().display().to_string();
    let mark = bench.executor.step_mark(IncidentId::new(1), &StepId::new("mend"), 1);
    let away = format!(
        "export VVTV_FACTS={}; setsid sh -c 'echo $$ >{dir}/a.new; mv {dir}/a.new {dir}/a; exec sleep 300' & \
         until [ -s {dir}/a ]; do sleep 0.02; done",
        mark.file().display()
    );
    let (mut child, identity) = orphan(&away);
    child.wait().unwrap();
    assert_eq!(settle(Some(&identity), &mark, Duration::ZERO).await, Orphan::Killed);
    assert!(!process_lives(bench.pid("a")));
    assert_eq!(settle(None, &mark, Duration::ZERO).await, Orphan::Gone);
}
