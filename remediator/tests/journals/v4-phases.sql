BEGIN TRANSACTION;
CREATE TABLE duty (
    name TEXT PRIMARY KEY,
    handled_at INTEGER NOT NULL,
    succeeded_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE incident (
    id INTEGER PRIMARY KEY,
    runbook TEXT NOT NULL,
    target TEXT NOT NULL,
    phase TEXT NOT NULL,
    reason TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    healthy_at INTEGER,
    closed_at INTEGER,
    level INTEGER,
    state TEXT NOT NULL
) STRICT;
INSERT INTO "incident" VALUES(1,'demo','working/ready','deciding','alert_firing',1000,NULL,NULL,NULL,'{"id":1,"runbook":"demo","target":"working/ready","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":"ready"}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(2,'demo','working/asked_condition','deciding','alert_firing',1000,NULL,NULL,NULL,'{"id":2,"runbook":"demo","target":"working/asked_condition","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":{"asked_condition":{"ticket":3,"give_up_at":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(3,'demo','working/deciding','deciding','alert_firing',1000,NULL,NULL,NULL,'{"id":3,"runbook":"demo","target":"working/deciding","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":{"deciding":{"since":1500}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(4,'demo','working/blocked','blocked','alert_firing',1000,NULL,NULL,NULL,'{"id":4,"runbook":"demo","target":"working/blocked","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":{"blocked":{"by":"held","retry_at":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(5,'demo','working/awaiting_approval','awaiting_approval','alert_firing',1000,NULL,NULL,NULL,'{"id":5,"runbook":"demo","target":"working/awaiting_approval","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":{"awaiting_approval":{"until":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(6,'demo','working/running','running','alert_firing',1000,NULL,NULL,NULL,'{"id":6,"runbook":"demo","target":"working/running","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":{"running":{"attempt":2,"deadline":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(7,'demo','working/settling','settling','alert_firing',1000,NULL,NULL,NULL,'{"id":7,"runbook":"demo","target":"working/settling","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":{"settling":{"since":1500,"until":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(8,'demo','working/verifying','verifying','alert_firing',1000,NULL,NULL,NULL,'{"id":8,"runbook":"demo","target":"working/verifying","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"working":{"cursor":1,"stage":{"verifying":{"since":1500,"until":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(9,'demo','exhausted','exhausted','alert_firing',1000,NULL,NULL,NULL,'{"id":9,"runbook":"demo","target":"exhausted","opened_at":1000,"healthy_at":null,"alerts":{},"phase":"exhausted","reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(10,'demo','stabilising','stabilising','alert_firing',1000,NULL,NULL,NULL,'{"id":10,"runbook":"demo","target":"stabilising","opened_at":1000,"healthy_at":null,"alerts":{},"phase":"stabilising","reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(11,'demo','monitoring','monitoring','alert_firing',1000,NULL,NULL,NULL,'{"id":11,"runbook":"demo","target":"monitoring","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"monitoring":{"until":2000}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(12,'demo','restoring/ready','deciding','alert_firing',1000,NULL,NULL,NULL,'{"id":12,"runbook":"demo","target":"restoring/ready","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":"ready"}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(13,'demo','restoring/asked_condition','deciding','alert_firing',1000,NULL,NULL,NULL,'{"id":13,"runbook":"demo","target":"restoring/asked_condition","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":{"asked_condition":{"ticket":3,"give_up_at":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(14,'demo','restoring/deciding','deciding','alert_firing',1000,NULL,NULL,NULL,'{"id":14,"runbook":"demo","target":"restoring/deciding","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":{"deciding":{"since":1500}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(15,'demo','restoring/blocked','blocked','alert_firing',1000,NULL,NULL,NULL,'{"id":15,"runbook":"demo","target":"restoring/blocked","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":{"blocked":{"by":"held","retry_at":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(16,'demo','restoring/awaiting_approval','awaiting_approval','alert_firing',1000,NULL,NULL,NULL,'{"id":16,"runbook":"demo","target":"restoring/awaiting_approval","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":{"awaiting_approval":{"until":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(17,'demo','restoring/running','running','alert_firing',1000,NULL,NULL,NULL,'{"id":17,"runbook":"demo","target":"restoring/running","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":{"running":{"attempt":2,"deadline":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(18,'demo','restoring/settling','settling','alert_firing',1000,NULL,NULL,NULL,'{"id":18,"runbook":"demo","target":"restoring/settling","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":{"settling":{"since":1500,"until":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(19,'demo','restoring/verifying','verifying','alert_firing',1000,NULL,NULL,NULL,'{"id":19,"runbook":"demo","target":"restoring/verifying","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"restoring":{"step":1,"stage":{"verifying":{"since":1500,"until":2000}}}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(20,'demo','closing','closing','alert_firing',1000,NULL,NULL,NULL,'{"id":20,"runbook":"demo","target":"closing","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"closing":{"reason":"stabilised","give_up_at":2000}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(21,'demo','closed','closed','alert_firing',1000,NULL,2000,NULL,'{"id":21,"runbook":"demo","target":"closed","opened_at":1000,"healthy_at":null,"alerts":{},"phase":{"closed":{"at":2000}},"reason":"alert_firing","steps":[{"id":"look","change":false,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"mend","change":true,"state":"pending","reason":null,"attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1000,"standing":"open","reached":null,"pages":[],"still_since":null}}');
CREATE TABLE message (
    incident_id INTEGER NOT NULL,
    page INTEGER NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    contact TEXT NOT NULL,
    level INTEGER NOT NULL,
    reason TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER,
    error TEXT,
    PRIMARY KEY (incident_id, page, kind, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE step_run (
    incident_id INTEGER NOT NULL,
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    change INTEGER NOT NULL,
    intent_at INTEGER NOT NULL,
    pid INTEGER,
    start_ticks INTEGER,
    boot_id TEXT,
    finished_at INTEGER,
    state TEXT NOT NULL,
    exit_code INTEGER,
    stdout TEXT,
    stderr TEXT,
    PRIMARY KEY (incident_id, step, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    scheduled_at INTEGER NOT NULL,
    done_at INTEGER,
    state TEXT NOT NULL,
    process TEXT,
    output TEXT,
    UNIQUE (name, scheduled_at)
) STRICT;
CREATE TABLE timeline (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
, hash TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX incident_open ON incident (id) WHERE closed_at IS NULL;
CREATE INDEX timeline_incident ON timeline (incident_id, id);
CREATE INDEX step_run_open ON step_run (incident_id) WHERE finished_at IS NULL;
CREATE INDEX step_run_change ON step_run (intent_at) WHERE change = 1;
CREATE INDEX message_open ON message (incident_id) WHERE sent_at IS NULL;
CREATE INDEX timeline_at ON timeline (at);
CREATE INDEX incident_closed ON incident (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX task_open ON task (id) WHERE done_at IS NULL;
CREATE INDEX task_done ON task (done_at) WHERE done_at IS NOT NULL;
DELETE FROM "sqlite_sequence";
COMMIT;
PRAGMA user_version = 4;
