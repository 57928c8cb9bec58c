//! Kill -9 at every commit point of the real binary, each time that an incident comes by it; then a restart, and the same promises,
//! looked up in the journal, in the log that the steps themselves wrote, and in what the pager was sent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use vvtv_incident::Reason;
use vvtv_remediator::failpoint::Point;
use vvtv_remediator::journal::verify_audit;

use crate::program::{PATIENCE, firing, secure, serve};
use crate::stand_in::StandIn;

/// Servers at a time: they wait more than they work.
const WORKERS: usize = 16;
/// Times that an incident comes by a point that are tried; one that is come by more often is told of below.
const TIMES_MAX: u32 = 40;

/// One diagnosis, one change that fails and must never run twice, one that helps and may, one measure that is taken back.
const RUNBOOK: &str = r#"
id: demo
title: Demo
alerts: [Demo]
severity: critical
target: stream
healthy: 'demo_healthy{stream="$target"}'
healthy_for: 50ms
respond_within: 5m
steps:
  - {id: look, title: Look, kind: diagnose, reads_only: true, timeout: 10m, shell: 'echo "$VVTV_STEP $VVTV_ATTEMPT" >> "$VVTV_TEST_LOG"'}
  - id: mend
    title: Mend
    kind: change
    shell: echo "$VVTV_STEP $VVTV_ATTEMPT" >> "$VVTV_TEST_LOG"; exit 1
    timeout: 10m
    settle: 200ms
    on_failure: continue
  - id: help
    title: Help
    kind: change
    shell: echo "$VVTV_STEP $VVTV_ATTEMPT" >> "$VVTV_TEST_LOG"; touch "${VVTV_TEST_LOG%log}healthy"
    timeout: 10m
    settle: 500ms
    repeatable: true
recovery:
  monitor: 50ms
  restore:
    - apply:
        id: restore
        title: Restore
        shell: echo "$VVTV_STEP $VVTV_ATTEMPT" >> "$VVTV_TEST_LOG"
        timeout: 10m
        settle: 100ms
      undo: {id: undo, title: Undo, run: ['true'], timeout: 10m, settle: 100ms, repeatable: true}
"#;

/// What the keys of its pages have in them.
const ID: &str = "SELECT value ->> '$.id' FROM setting WHERE name = 'installation'";

const CONFIG: &str = "
listen: 127.0.0.1:0
external_url: http://127.0.0.1:10048
database: sqlite:remediator.db
runbooks: runbooks/
prometheus: STAND_IN
alertmanager: STAND_IN
webhook: {unauthenticated: true}
reconcile: 500ms
inventory: [main]
environment: [VVTV_TEST_LOG]
limits: {health_interval: 50ms, health_interval_idle: 50ms, health_questions_per_second: 100, page_hold: 50ms, returns_within: 50ms}
contacts: [{level: 1, name: SRE On-Call, respond_within: 5m, scope: Immediate response, notify: [hook]}]
channels: {hook: {webhook: {url: 'STAND_IN/page'}}}
";

/// Deaths in a row, each with the point and how often it is passed; the start after the last one is left alone.
#[derive(Clone)]
struct Case(Vec<(Point, u32)>);

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deaths: Vec<_> = self.0.iter().map(|(point, time)| format!("{}-{time}", point.as_str())).collect();
        f.write_str(if deaths.is_empty() { "undisturbed".to_owned() } else { deaths.join("-then-") }.as_str())
    }
}

/// One incident's whole life in a directory.
struct Life<'a> {
    stand_in: &'a StandIn,
    dir: PathBuf,
    delivered: bool,
    noted: bool,
}

#[test]
fn kill_9_at_every_commit_point_keeps_every_promise() {
    let root = tempfile::tempdir().unwrap();
    let stand_in = StandIn::start(root.path());
    let undisturbed = Case(Vec::new());
    let (_, broken) = live(&undisturbed, root.path(), &stand_in);
    assert_eq!(broken, Vec::<String>::new(), "without any death");
    let cases = cases(&passed(&root.path().join("undisturbed/points")));
    let waiting = Mutex::new(VecDeque::from(cases));
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(case) = waiting.lock().unwrap().pop_front() else { return };
                    let result = live(&case, root.path(), &stand_in);
                    results.lock().unwrap().push((case, result));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let broken: Vec<_> = results
        .iter()
        .filter(|(_, (_, broken))| !broken.is_empty())
        .map(|(case, (_, broken))| format!("{case}: {}", broken.join("; ")))
        .collect();
    assert!(broken.is_empty(), "{} of {} cases:\n{}", broken.len(), results.len(), broken.join("\n"));
    let died: BTreeSet<_> = results
        .iter()
        .filter(|(_, (deaths, _))| *deaths > 0)
        .flat_map(|(case, (deaths, _))| case.0.iter().take(*deaths).map(|(point, _)| *point))
        .collect();
    let never: Vec<_> = Point::ALL.iter().filter(|point| !died.contains(point)).collect();
    assert!(never.is_empty(), "nothing died at {never:?}");
    println!("{} lives with deaths at {} points", results.len(), died.len());
}

/// How often an incident without any death comes by each point.
fn passed(log: &Path) -> BTreeMap<Point, u32> {
    let text = std::fs::read_to_string(log).unwrap();
    let mut times = BTreeMap::new();
    for line in text.lines() {
        let point = Point::ALL.iter().find(|point| point.as_str() == line).unwrap();
        *times.entry(*point).or_insert(0) += 1;
    }
    times
}

fn cases(passed: &BTreeMap<Point, u32>) -> Vec<Case> {
    let once =
        passed.iter().flat_map(|(point, times)| (1..=(*times).min(TIMES_MAX)).map(|time| Case(vec![(*point, time)])));
    let steps = *passed.get(&Point::StepSpawned).unwrap();
    // Dying once more, while what the first death left behind is being cleared up.
    let twice = [Point::StepIntended, Point::StepSpawned, Point::StepNoted]
        .into_iter()
        .flat_map(|point| (1..=steps).map(move |time| Case(vec![(point, time), (Point::OrphanSettled, 1)])));
    // The longest first.
    twice.chain(once).collect()
}

/// Gives the number of deaths, and every promise that was broken.
fn live(case: &Case, root: &Path, stand_in: &StandIn) -> (usize, Vec<String>) {
    let dir = root.join(case.to_string());
    std::fs::create_dir_all(dir.join("runbooks")).unwrap();
    std::fs::write(dir.join("runbooks/demo.yml"), RUNBOOK).unwrap();
    std::fs::write(dir.join("remediator.yml"), CONFIG.replace("STAND_IN", &stand_in.base(&case.to_string()))).unwrap();
    secure(&dir);
    let mut life = Life { stand_in, dir, delivered: false, noted: false };
    let mut deaths = 0;
    for (point, time) in &case.0 {
        let fatal = ("VVTV_FAILPOINT", format!("{}:{time}", point.as_str()));
        match life.run(&[fatal]) {
            Ok(End::Died) => deaths += 1,
            Ok(End::Over) => return (deaths, life.broken()),
            Err(seen) => return (deaths, vec![format!("before {}: {seen}", point.as_str())]),
        }
    }
    let log = ("VVTV_FAILPOINT_LOG", life.dir.join("points").display().to_string());
    match life.run(&[log]) {
        Ok(End::Over) => (deaths, [life.broken(), life.forgotten(case, deaths)].concat()),
        Ok(End::Died) => (deaths, vec!["it died by itself".to_owned()]),
        Err(seen) => (deaths, vec![seen]),
    }
}

enum End {
    Died,
    Over,
}

impl Life<'_> {
    /// Runs the server until it dies or the incident is over.
    fn run(&mut self, environment: &[(&str, String)]) -> Result<End, String> {
        let (mut child, base) = serve(&self.dir, environment);
        let end = match base {
            // It says nothing more, so it is over or about to be.
            Err(said) => match child.wait().unwrap().code() {
                None => Ok(End::Died),
                Some(code) => Err(format!("exit code {code}: {said}")),
            },
            Ok(base) => {
                self.talk(&base);
                self.watch(&mut child)
            }
        };
        let _gone = child.kill();
        let _gone = child.wait();
        end
    }

    /// What the world does: an alert fires and is delivered until it is taken, and a person writes something down.
    fn talk(&mut self, base: &str) {
        std::fs::write(self.dir.join("firing"), "").unwrap();
        if !self.delivered {
            let status = self.stand_in.post(&format!("{base}/webhook/alertmanager"), firing("main"));
            self.delivered = status == Some(200);
        }
        if !self.noted {
            let note = r#"{"by":"ana","text":"seen"}"#.to_owned();
            let status = self.stand_in.post(&format!("{base}/api/v1/incidents/1/note"), note);
            self.noted = status == Some(200);
        }
    }

    fn watch(&self, child: &mut Child) -> Result<End, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if dead(child) {
                return Ok(End::Died);
            }
            self.help();
            match self.unfinished() {
                Ok(0) => return Ok(End::Over),
                seen if Instant::now() > deadline => return Err(format!("not over after {PATIENCE:?}: {seen:?}")),
                _ => std::thread::park_timeout(Duration::from_millis(25)),
            }
        }
    }

    /// The person who was called repairs what the remediator leaves to people.
    fn help(&self) {
        let left = self.column("SELECT id FROM incident WHERE phase = 'exhausted'");
        if !left.is_empty() && self.dir.join("pages").exists() {
            std::fs::write(self.dir.join("repaired_by_hand"), "").unwrap();
            std::fs::write(self.dir.join("healthy"), "").unwrap();
        }
    }

    fn journal(&self) -> Connection {
        let journal =
            Connection::open_with_flags(self.dir.join("remediator.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        journal.busy_timeout(PATIENCE).unwrap();
        journal
    }

    /// Incidents that are open or not there yet, and messages on their way; a call that was taken back unsent is on none.
    fn unfinished(&self) -> rusqlite::Result<u32> {
        self.journal().query_row(
            "SELECT (SELECT count(*) FROM incident WHERE closed_at IS NULL) + (SELECT count(*) = 0 FROM incident)
                 + (SELECT count(*) FROM message WHERE sent_at IS NULL AND NOT (kind = 'trigger' AND EXISTS (
                        SELECT 1 FROM message AS later WHERE later.kind = 'resolve' AND later.page = message.page)))",
            [],
            |row| row.get(0),
        )
    }

    /// Deaths while a process waited, as its note says, and something is said that may have run: it is known that it did not.
    fn forgotten(&self, case: &Case, deaths: usize) -> Vec<String> {
        let waits = |(point, _): &(Point, u32)| matches!(point, Point::StepSpawned | Point::OrphanSettled);
        let unknown = self.column("SELECT step || ' ' || attempt FROM step_run WHERE state = 'unknown'");
        if deaths > 0 && case.0.iter().all(waits) && !unknown.is_empty() {
            vec![format!("what was not let go is not known: {unknown:?}")]
        } else {
            Vec::new()
        }
    }

    /// Every promise that was not kept.
    fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut promise = |kept: bool, what: String| {
            if !kept {
                broken.push(what);
            }
        };
        let incidents = self.column("SELECT id || ' ' || phase FROM incident");
        promise(incidents == ["1 closed"], format!("one incident, closed: {incidents:?}"));
        self.steps(&mut promise);
        self.pages(&mut promise);
        let unknown = self.column("SELECT step FROM step_run WHERE change = 1 AND state IN ('unknown', 'timeout')");
        let by_hand = self.dir.join("repaired_by_hand").exists();
        promise(
            !by_hand || !unknown.is_empty(),
            "people are left with it only when a change has no known end".to_owned(),
        );
        let reasons: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect();
        let given = self.column("SELECT DISTINCT reason FROM timeline");
        promise(given.iter().all(|reason| reasons.contains(reason)), format!("every entry has a reason: {given:?}"));
        let notes = self.column("SELECT detail FROM timeline WHERE reason = 'noted'");
        promise(
            !self.noted || !notes.is_empty(),
            "what a person was told is written down is in the timeline".to_owned(),
        );
        let journal = self.journal();
        let chain = verify_audit(&journal, None);
        promise(chain.is_ok(), format!("the timeline's chain holds: {chain:?}"));
        broken
    }

    /// What the steps wrote themselves, against what the journal has of them.
    fn steps(&self, promise: &mut impl FnMut(bool, String)) {
        let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        let ran: Vec<&str> = log.lines().collect();
        let intents = self.column("SELECT step || ' ' || attempt FROM step_run");
        let twice = ran.iter().filter(|line| ran.iter().filter(|other| other == line).count() > 1).count();
        promise(twice == 0, format!("no attempt runs twice: {ran:?}"));
        for once in ["mend", "restore"] {
            let times = ran.iter().filter(|line| line.starts_with(once)).count();
            promise(times <= 1, format!("{once} runs at most once: {ran:?}"));
        }
        let unexplained: Vec<_> = ran.iter().filter(|line| !intents.iter().any(|intent| intent == *line)).collect();
        promise(unexplained.is_empty(), format!("nothing runs without an intent: {unexplained:?}"));
        let endless = self.column("SELECT step || ' ' || attempt FROM step_run WHERE finished_at IS NULL");
        promise(endless.is_empty(), format!("every intent has an end: {endless:?}"));
        let waited = self.column("SELECT step || ' ' || attempt FROM step_run WHERE state = 'unknown' AND pid IS NULL");
        promise(
            waited.is_empty(),
            format!("what was never written down as a process is known not to have run: {waited:?}"),
        );
        let not_run = self.column("SELECT step || ' ' || attempt FROM step_run WHERE state = 'not_run'");
        let did: Vec<_> = not_run.iter().filter(|run| ran.contains(&run.as_str())).collect();
        promise(did.is_empty(), format!("what was not let go has not run: {did:?}"));
        let lost = self.column(
            "SELECT step || ' ' || attempt FROM step_run AS run WHERE state = 'ok' AND NOT EXISTS (SELECT 1 FROM timeline
                 WHERE incident_id = run.incident_id AND event = 'step_started' AND detail LIKE run.step || '%')",
        );
        promise(lost.is_empty(), format!("every start is in the timeline: {lost:?}"));
        let known = self.column("SELECT step || ' ' || attempt FROM step_run WHERE state IN ('ok', 'failed')");
        let never: Vec<_> =
            known.iter().filter(|run| !run.starts_with("undo") && !ran.contains(&run.as_str())).collect();
        promise(never.is_empty(), format!("what the journal says has run has run: {never:?}"));
    }

    /// What the pager was sent, against what the timeline says.
    fn pages(&self, promise: &mut impl FnMut(bool, String)) {
        let pages = std::fs::read_to_string(self.dir.join("pages")).unwrap_or_default();
        let sent: Vec<serde_json::Value> = pages.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told = |key: &str, kind: &str| sent.iter().any(|page| page["key"] == key && page["kind"] == kind);
        let called = self.column("SELECT count(*) FROM timeline WHERE event = 'paged'");
        let written = self.column("SELECT count(*) FROM message WHERE kind = 'trigger'");
        promise(called == written, format!("every call is written down as a message: {called:?}, {written:?}"));
        promise(called != ["0"], "a change that fails calls somebody".to_owned());
        for message in self.column("SELECT page || ' ' || kind || ' ' || state FROM message") {
            let mut words = message.split(' ');
            let (page, kind, state) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let key = format!("vvtv-{}-incident-1-page-{page}", self.column(ID).concat());
            promise(state != "sent" || told(&key, kind), format!("{message}: the pager has it"));
            promise(told(&key, kind) || told(&key, "resolve"), format!("{message}: no page is lost"));
        }
    }

    fn column(&self, sql: &str) -> Vec<String> {
        let journal = self.journal();
        let mut statement = journal.prepare(sql).unwrap();
        let text = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
            row.get::<_, i64>(0).map(|number| number.to_string()).or_else(|_| row.get(0))
        };
        statement.query_map([], text).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

fn dead(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_some()
}
