//! The journal's file is taken away, rots, or has no room: what is said, who is called, and the way back.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::json;

use crate::hostile::Neighbours;
use crate::program::{Program, block_on, command, firing, refused, wait_for};
use crate::upkeep::verb;

fn is_ready(program: &Program, expected: u16) {
    wait_for(&format!("/-/ready to answer {expected}"), || match program.get("/-/ready") {
        (status, _) if status == expected => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// The same where nobody may answer for a moment.
fn becomes_ready(program: &Program) {
    let ready = || reqwest::get(format!("{}/-/ready", program.base));
    wait_for("the journal to be used", || match block_on(ready()) {
        Ok(answer) if answer.status().is_success() => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

fn has(program: &Program, metric: &str) {
    let line = format!("vvtv_remediator_{metric}");
    wait_for(&line, || match program.get("/metrics").1 {
        metrics if metrics.lines().any(|it| it == line) => Ok(()),
        metrics => Err(metrics),
    });
}

#[test]
fn a_journal_that_is_taken_away_while_it_is_used_is_missed_at_once() {
    let program = Program::start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    let (journal, away) = (program.path("remediator.db"), program.path("away.db"));
    let log = program.path("remediator.db-wal");
    for (taken, replaced) in [(&journal, false), (&journal, true), (&log, false)] {
        std::fs::rename(taken, &away).unwrap();
        if replaced {
            std::fs::copy(&away, taken).unwrap();
        }
        is_ready(&program, 503);
        has(&program, "journal_up 0");
        let (status, said) = program.deliver(firing("second"));
        assert_eq!((status, said.as_str()), (503, "the journal cannot be written\n"));
        std::fs::rename(&away, taken).unwrap();
        is_ready(&program, 200);
        has(&program, "journal_up 1");
    }
    let said =
        program.logged().into_iter().filter(|line| line.contains("was removed or replaced while it is in use")).count();
    assert!(said >= 3, "{:?}", program.logged());
    assert_eq!(program.deliver(firing("second")).0, 200);
    assert_eq!(program.kill_and_start().incidents().len(), 2);
}

/// Everything in the log is in the file itself, and there is no log.
fn settle(journal: &Path) {
    let connection = Connection::open(journal).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

/// Without the journal as with it: the token beside it is good, and nobody comes in without one.
fn only_those_who_may(program: &Program) {
    let token = std::fs::read_to_string(program.path("remediator.operator-token")).unwrap();
    let pause = || reqwest::Client::new().post(format!("{}/api/v1/pause", program.base));
    assert_eq!(program.send(pause()).0, 401);
    assert_eq!(program.send(pause().bearer_auth("not-the-token-beside-the-journal")).0, 401);
    assert_eq!(program.send(pause().bearer_auth(token.trim())).0, 200);
}

/// The one-time codes that were logged, in order, and between them where the program started anew by itself.
fn codes(program: &Program) -> Vec<String> {
    let code = |line: &String| {
        let after = line.split("login?code=").nth(1)?;
        after.split(|c: char| !c.is_ascii_alphanumeric()).next().map(str::to_owned)
    };
    let anew = |line: &String| line.contains("starting anew with it").then(|| "anew".to_owned());
    program.logged().iter().filter_map(|line| code(line).or_else(|| anew(line))).collect()
}

/// The status of a link, which is good once.
fn enter(program: &Program, code: &str) -> u16 {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    program.send(client.get(format!("{}/login?code={code}", program.base))).0
}

/// The page that a table begins with is written over.
fn damage(journal: &Path, table: &str) {
    settle(journal);
    let (page, size): (u32, u32) = {
        let connection = Connection::open(journal).unwrap();
        let sql = "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master WHERE name = ?1";
        connection.query_row(sql, [table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let mut file = std::fs::File::options().write(true).open(journal).unwrap();
    file.seek(SeekFrom::Start(u64::from(page - 1) * u64::from(size))).unwrap();
    file.write_all(&[0xff; 100]).unwrap();
}

/// A port that was free a moment ago: a program that starts anew in its process keeps its address.
fn fixed_port(config: String) -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.replace("listen: 127.0.0.1:0", &format!("listen: {free}"))
}

#[test]
fn a_damaged_journal_calls_people_for_every_alert_until_a_salvaged_one_is_in_its_place() {
    let neighbours = Neighbours::start(&json!([]));
    let pager = format!("url: \"{}\"", neighbours.pager());
    let program =
        neighbours.program().edited(|config| fixed_port(config).replace("url: \"http://127.0.0.1:9/\"", &pager));
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("both steps to run", || match program.written() {
        lines if lines == ["looked", "mended"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    let dir = program.killed();
    let journal = dir.path().join("remediator.db");
    damage(&journal, "step_run");

    let program = Program::start_in(dir);
    is_ready(&program, 503);
    has(&program, "people_only 1");
    has(&program, "journal_up 0");
    for stream in ["main", "second"] {
        assert_eq!(program.deliver(firing(stream)).0, 200);
    }
    wait_for("a page for each", || match neighbours.pages() {
        pages if pages.len() == 2 => Ok(()),
        pages => Err(format!("{pages:?}")),
    });
    for page in neighbours.pages() {
        assert_eq!(
            (&page["reason"], &page["level"], &page["kind"]),
            (&json!("people_only"), &json!(1), &json!("trigger"))
        );
        assert_ne!(page["key"], json!("vvtv-incident-1-page-1"), "no number of the journal is used");
    }
    assert_eq!(program.written(), ["looked", "mended"], "nothing is run");
    only_those_who_may(&program);
    let (_, page) = program.get("/");
    assert!(page.contains("People only: the journal cannot be used"), "{page}");

    let (done, said) = verb(program.dir.path(), &["journal", "salvage", "--to", "new.db"]);
    assert!(done && said.contains("\nlost: step_run "), "{said}");
    let (held, said) = verb(program.dir.path(), &["audit", "verify", "new.db"]);
    assert!(held, "{said}");
    for ending in ["-wal", "-shm"] {
        let _absent = std::fs::remove_file(program.path(&format!("remediator.db{ending}")));
    }
    std::fs::rename(program.path("new.db"), &journal).unwrap();
    becomes_ready(&program);
    has(&program, "people_only 0");
    assert_eq!(program.incidents().iter().map(|it| it["id"].as_u64().unwrap()).collect::<Vec<_>>(), [1]);
    assert_eq!(program.deliver(firing("second")).0, 200);
    assert_eq!(program.incidents()[0]["id"], 2, "numbers go on");
    let codes = codes(&program);
    let [.., link, anew] = codes.as_slice() else { panic!("{codes:?}") };
    assert_eq!(anew, "anew", "the link that was logged before is the way in still: {codes:?}");
    assert_eq!([enter(&program, link), enter(&program, link)], [303, 401]);
}

#[test]
fn a_setting_that_means_nothing_leaves_alerts_to_people_and_the_audit_names_it() {
    for setting in ["pause", "targets"] {
        let program = Program::start();
        let dir = program.killed();
        let rot = format!("INSERT OR REPLACE INTO setting (name, value) VALUES ('{setting}', '{{\"a')");
        Connection::open(dir.path().join("remediator.db")).unwrap().execute(&rot, []).unwrap();
        let program = Program::start_in(dir);
        has(&program, "people_only 1");
        let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
        assert!(!held && said.contains(&format!("setting {setting}: value cannot be understood")), "{said}");
    }
}

#[test]
fn a_byte_that_rots_in_an_output_keeps_nothing_from_starting_and_the_audit_names_it() {
    let program = Program::start();
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the first step to be known", || match program.incidents().first() {
        Some(incident) if incident["steps"][0]["state"] == "ok" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let dir = program.killed();
    let rot = "UPDATE step_run SET stdout = CAST(x'6fff6b' AS TEXT)";
    Connection::open(dir.path().join("remediator.db")).unwrap().execute(rot, []).unwrap();
    let program = Program::start_in(dir);
    is_ready(&program, 200);
    let (_, output) = program.get("/api/v1/incidents/1/output");
    assert!(output.contains("o\u{fffd}k"), "{output}");
    let (held, said) = verb(program.dir.path(), &["audit", "verify"]);
    assert!(!held && said.contains("step_run 1 look 1: stdout is no text"), "{said}");
}

/// A program whose directory `disk` is a small file system that is full at its start; `None` where that cannot be made.
fn on_full_disk(dir: tempfile::TempDir) -> Option<Program> {
    let root = rustix::process::geteuid().is_root();
    let unshare: &[_] = if root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    if !Command::new("unshare").args(unshare).arg("true").status().is_ok_and(|status| status.success()) {
        return None;
    }
    std::fs::create_dir(dir.path().join("disk")).unwrap();
    let text =
        "mount -t tmpfs -o size=8m small disk && { head -c 16m /dev/zero >disk/full || :; } && exec \"$0\" \"$@\"";
    let program = command(dir.path());
    let mut small = Command::new("unshare");
    small.args(unshare).args(["sh", "-c", text]).arg(program.get_program()).args(program.get_args());
    small.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    small.current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    Some(Program::start_by(dir, small))
}

#[test]
fn a_full_disk_at_the_start_calls_people_and_with_room_again_the_journal_is_used_by_itself() {
    let neighbours = Neighbours::start(&json!([]));
    let dir = Program::lay_out(&[
        ("listen: 127.0.0.1:0", &fixed_port("listen: 127.0.0.1:0".to_owned())),
        ("url: \"http://127.0.0.1:9/\"", &format!("url: \"{}\"", neighbours.pager())),
        ("sqlite:remediator.db", "sqlite:disk/remediator.db"),
    ]);
    let Some(program) = on_full_disk(dir) else {
        eprintln!("not run: no mount namespace can be made here");
        return;
    };
    is_ready(&program, 503);
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("a page", || match neighbours.pages() {
        pages if pages.len() == 1 && pages[0]["reason"] == "people_only" => Ok(()),
        pages => Err(format!("{pages:?}")),
    });
    let full = program.path("disk/full");
    std::fs::remove_file(format!("/proc/{}/root{}", program.pid(), full.display())).unwrap();
    becomes_ready(&program);
    has(&program, "people_only 0");
    assert_eq!(program.deliver(firing("main")).0, 200);
    assert_eq!(program.incidents()[0]["id"], 1);
    // The token for which there was no room is another now.
    let codes = codes(&program);
    let [before, anew, after] = codes.as_slice() else { panic!("{codes:?}") };
    assert_eq!((anew.as_str(), enter(&program, before), enter(&program, after)), ("anew", 401, 303), "{codes:?}");
}

#[test]
fn what_a_program_writes_is_for_its_owner_only_whatever_the_umask() {
    let dir = Program::lay_out(&[]);
    let program = command(dir.path());
    let mut generous = Command::new("sh");
    generous.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    generous.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    generous.stdout(Stdio::null()).stderr(Stdio::piped());
    let program = Program::start_by(dir, generous);
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the first step to run", || match program.written() {
        lines if lines.is_empty() => Err(format!("{lines:?}")),
        _ => Ok(()),
    });
    let (done, said) = verb(program.dir.path(), &["backup", "--output", "copy.db"]);
    assert!(done, "{said}");
    let mode = |name: &str| std::fs::metadata(program.path(name)).unwrap().permissions().mode() & 0o777;
    let files = ["remediator.db", "remediator.db-wal", "remediator.db-shm", "copy.db"].map(mode);
    assert_eq!(files, [0o600; 4]);
    let directories = ["remediator.spool", "remediator.attachments", "remediator.attachments/1"].map(mode);
    assert_eq!(directories, [0o700; 3]);
}

#[test]
fn a_second_program_does_not_get_the_journal_by_another_name() {
    let program = Program::start();
    let journal = program.path("remediator.db");
    for name in ["symbolic link", "hard link"] {
        let dir = Program::lay_out(&[]);
        let other = dir.path().join("remediator.db");
        let linked = match name {
            "hard link" => std::fs::hard_link(&journal, &other),
            _ => std::os::unix::fs::symlink(&journal, &other),
        };
        linked.unwrap();
        let (code, said) = refused(dir.path());
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains("the journal DIR/remediator.db is in use by another process"), "{name}: {said}");
    }
}

#[test]
fn facts_files_of_killed_runs_are_removed_and_those_of_steps_that_go_on_are_not() {
    let program = Program::start_with(
        "shell: echo looked >> \"$VVTV_TEST_LOG\"; sleep 3; cat \"$VVTV_FACTS\" >/dev/null && echo read >> \"$VVTV_TEST_LOG\"",
    );
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the step to run", || match program.written() {
        lines if lines == ["looked"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    let dir = program.killed();
    let spool = dir.path().join("remediator.spool");
    for name in ["9-gone-1.json", "task-7.json"] {
        std::fs::write(spool.join(name), "{}").unwrap();
    }
    let program = Program::start_in(dir);
    let files = || {
        let mut names: Vec<_> =
            std::fs::read_dir(&spool).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(files(), ["1-look-1.json", "1-look-1.waits"]);
    // Its end is unknown to the new run, which looks once more.
    wait_for("the step to read its facts", || match program.written() {
        lines if lines.len() > 1 && lines[..2] == ["looked", "read"] => Ok(()),
        lines => Err(format!("{lines:?}")),
    });
    wait_for("the spool to be empty", || if files().is_empty() { Ok(()) } else { Err(format!("{:?}", files())) });
}

/// The children of a process, with their states, but those that wait to become a step.
fn children(pid: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    let lists: Vec<String> = lists.collect();
    let stat = |child: &str| std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    let waits = |child: &&str| std::fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|line| line == b"/bin/sh\0");
    let children = lists.iter().flat_map(|list| list.split_whitespace()).filter(|child| !waits(child));
    children.map(stat).filter(|stat| !stat.is_empty()).collect()
}

#[test]
fn a_step_s_processes_end_with_it_wherever_they_went_and_nothing_of_them_stays() {
    let away = "setsid sh -c 'setsid sh -c \"echo \\$\\$ > ${VVTV_TEST_LOG%log}pid; exec sleep 300\" & exit' & \
                until [ -s \"${VVTV_TEST_LOG%log}pid\" ]; do sleep 0.02; done; echo looked >> \"$VVTV_TEST_LOG\"";
    let program = Program::start_with(&format!("shell: |\n      {away}"));
    assert_eq!(program.deliver(firing("main")).0, 200);
    wait_for("the first step to be known as done", || match program.incidents().first() {
        Some(incident) if incident["steps"][0]["state"] == "ok" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let pid = std::fs::read_to_string(program.path("pid")).unwrap();
    wait_for("no child to be left, dead or alive", || match children(program.pid()) {
        left if left.is_empty() && !Path::new(&format!("/proc/{}", pid.trim())).exists() => Ok(()),
        left => Err(format!("{left:?}, and {pid} once")),
    });
}
