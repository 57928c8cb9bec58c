BEGIN TRANSACTION;
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
INSERT INTO "incident" VALUES(1,'demo','a','closed','stabilised',1795377559532,1795377559539,1795377560140,NULL,'{"id":1,"runbook":"demo","target":"a","opened_at":1795377559532,"healthy_at":1795377559539,"alerts":{"f-a":{"name":"Demo","labels":{"alertname":"Demo","stream":"a"},"starts_at":1795360037131,"heard_at":1795377559833,"ends_at":1795377560140}},"phase":{"closed":{"at":1795377560140}},"reason":"stabilised","steps":[{"id":"look","change":false,"state":"ok","reason":"step_ok","attempts":1,"started_at":1795377559532,"finished_at":1795377559539,"approved_by":null},{"id":"mend","change":true,"state":"skipped","reason":"healthy","attempts":0,"started_at":null,"finished_at":null,"approved_by":null},{"id":"help","change":true,"state":"skipped","reason":"healthy","attempts":0,"started_at":null,"finished_at":null,"approved_by":null}],"retired":[],"settle_until":null,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1795377559602,"standing":"open","reached":null,"pages":[],"still_since":null}}');
INSERT INTO "incident" VALUES(2,'demo','b','closed','stabilised',1795377560192,1795377560265,1795377560446,NULL,'{"id":2,"runbook":"demo","target":"b","opened_at":1795377560192,"healthy_at":1795377560265,"alerts":{"f-b":{"name":"Demo","labels":{"alertname":"Demo","stream":"b"},"starts_at":1795360037131,"heard_at":1795377560192,"ends_at":1795377560446}},"phase":{"closed":{"at":1795377560446}},"reason":"stabilised","steps":[{"id":"look","change":false,"state":"ok","reason":"step_ok","attempts":1,"started_at":1795377560192,"finished_at":1795377560198,"approved_by":null},{"id":"mend","change":true,"state":"failed","reason":"step_failed","attempts":1,"started_at":1795377560200,"finished_at":1795377560203,"approved_by":null},{"id":"help","change":true,"state":"ok","reason":"step_ok","attempts":1,"started_at":1795377560208,"finished_at":1795377560211,"approved_by":null}],"retired":[],"settle_until":1795377560711,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1795377560315,"standing":"open","reached":null,"pages":[{"page":1,"level":1,"reason":"step_failed","due_at":1795377560203,"resolved":true}],"still_since":null}}');
INSERT INTO "incident" VALUES(3,'demo','c','closed','aborted',1795377560451,NULL,1795377560954,1,'{"id":3,"runbook":"demo","target":"c","opened_at":1795377560451,"healthy_at":null,"alerts":{"f-c":{"name":"Demo","labels":{"alertname":"Demo","stream":"c"},"starts_at":1795360037131,"heard_at":1795377560751,"ends_at":null}},"phase":{"closed":{"at":1795377560954}},"reason":"aborted","steps":[{"id":"look","change":false,"state":"ok","reason":"step_ok","attempts":1,"started_at":1795377560451,"finished_at":1795377560457,"approved_by":null},{"id":"mend","change":true,"state":"failed","reason":"step_failed","attempts":1,"started_at":1795377560460,"finished_at":1795377560463,"approved_by":null},{"id":"help","change":true,"state":"ok","reason":"step_ok","attempts":1,"started_at":1795377560467,"finished_at":1795377560471,"approved_by":null}],"retired":[],"settle_until":1795377560971,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1795377560451,"standing":"open","reached":[1,1795377560463],"pages":[{"page":1,"level":1,"reason":"step_failed","due_at":1795377560463,"resolved":true}],"still_since":null}}');
INSERT INTO "incident" VALUES(4,'demo','main','exhausted','exhausted',1795377560963,NULL,NULL,1,'{"id":4,"runbook":"demo","target":"main","opened_at":1795377560963,"healthy_at":null,"alerts":{"f-main":{"name":"Demo","labels":{"alertname":"Demo","stream":"main"},"starts_at":1795360037131,"heard_at":1795377561362,"ends_at":null}},"phase":"exhausted","reason":"exhausted","steps":[{"id":"look","change":false,"state":"ok","reason":"step_ok","attempts":1,"started_at":1795377560963,"finished_at":1795377560967,"approved_by":null},{"id":"mend","change":true,"state":"failed","reason":"step_failed","attempts":1,"started_at":1795377560970,"finished_at":1795377560972,"approved_by":null},{"id":"help","change":true,"state":"ok","reason":"step_ok","attempts":1,"started_at":1795377560975,"finished_at":1795377560979,"approved_by":null}],"retired":[],"settle_until":1795377561479,"changes_stopped_by":null,"relapses":0,"restore_next":0,"hold":null,"escalation":{"since":1795377560963,"standing":"open","reached":[1,1795377560972],"pages":[{"page":1,"level":1,"reason":"step_failed","due_at":1795377560972,"resolved":false}],"still_since":null}}');
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
INSERT INTO "message" VALUES(2,1,'resolve','hook','SRE On-Call',1,'step_failed',1795377560315,'sent',0,1795377560320,NULL);
INSERT INTO "message" VALUES(2,1,'trigger','hook','SRE On-Call',1,'step_failed',1795377560203,'sent',0,1795377560208,NULL);
INSERT INTO "message" VALUES(3,1,'resolve','hook','SRE On-Call',1,'step_failed',1795377560954,'failed',1,NULL,'the webhook refuses the notice: 400: ');
INSERT INTO "message" VALUES(3,1,'trigger','hook','SRE On-Call',1,'step_failed',1795377560463,'sent',0,1795377560468,NULL);
INSERT INTO "message" VALUES(4,1,'trigger','hook','SRE On-Call',1,'step_failed',1795377560972,'failed',1,NULL,'the webhook refuses the notice: 400: ');
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
INSERT INTO "step_run" VALUES(1,'look',1,0,1795377559532,15061,1364506,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377559538,'ok',0,'it looks; odd
','');
INSERT INTO "step_run" VALUES(2,'help',1,1,1795377560208,15087,1364573,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560211,'ok',0,'helped
','');
INSERT INTO "step_run" VALUES(2,'look',1,0,1795377560192,15081,1364572,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560198,'ok',0,'it looks; odd
','');
INSERT INTO "step_run" VALUES(2,'mend',1,1,1795377560200,15084,1364572,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560203,'failed',1,'','cannot
');
INSERT INTO "step_run" VALUES(3,'help',1,1,1795377560467,15103,1364599,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560471,'ok',0,'helped
','');
INSERT INTO "step_run" VALUES(3,'look',1,0,1795377560451,15098,1364597,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560457,'ok',0,'it looks; odd
','');
INSERT INTO "step_run" VALUES(3,'mend',1,1,1795377560460,15100,1364598,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560463,'failed',1,'','cannot
');
INSERT INTO "step_run" VALUES(4,'help',1,1,1795377560975,15123,1364650,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560979,'ok',0,'helped
','');
INSERT INTO "step_run" VALUES(4,'look',1,0,1795377560963,15118,1364649,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560967,'ok',0,'it looks; odd
','');
INSERT INTO "step_run" VALUES(4,'mend',1,1,1795377560970,15120,1364649,'853a250f-f06b-48f5-b963-9a5365041e3f',1795377560972,'failed',1,'','cannot
');
CREATE TABLE timeline (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
INSERT INTO "timeline" VALUES(1,1,1795377559532,'opened','alert_firing','demo: a');
INSERT INTO "timeline" VALUES(2,1,1795377559532,'alert','alert_firing','Demo');
INSERT INTO "timeline" VALUES(3,1,1795377559532,'step_started','next_step','look (attempt 1)');
INSERT INTO "timeline" VALUES(4,1,1795377559539,'step_finished','step_ok','look');
INSERT INTO "timeline" VALUES(5,1,1795377559539,'health','healthy','');
INSERT INTO "timeline" VALUES(6,1,1795377559547,'step_skipped','healthy','mend');
INSERT INTO "timeline" VALUES(7,1,1795377559551,'step_skipped','healthy','help');
INSERT INTO "timeline" VALUES(8,1,1795377559562,'phase','healthy','stabilising');
INSERT INTO "timeline" VALUES(9,1,1795377559602,'phase','stabilised','monitoring');
INSERT INTO "timeline" VALUES(10,1,1795377560140,'alert','resolved_unheard','Demo');
INSERT INTO "timeline" VALUES(11,1,1795377560140,'closed','stabilised','');
INSERT INTO "timeline" VALUES(12,2,1795377560192,'opened','alert_firing','demo: b');
INSERT INTO "timeline" VALUES(13,2,1795377560192,'alert','alert_firing','Demo');
INSERT INTO "timeline" VALUES(14,2,1795377560192,'step_started','next_step','look (attempt 1)');
INSERT INTO "timeline" VALUES(15,2,1795377560198,'health','sick','');
INSERT INTO "timeline" VALUES(16,2,1795377560198,'step_finished','step_ok','look');
INSERT INTO "timeline" VALUES(17,2,1795377560200,'step_started','next_step','mend (attempt 1)');
INSERT INTO "timeline" VALUES(18,2,1795377560203,'step_finished','step_failed','mend: exit code 1');
INSERT INTO "timeline" VALUES(19,2,1795377560203,'paged','step_failed','L1');
INSERT INTO "timeline" VALUES(20,2,1795377560208,'step_started','next_step','help (attempt 1)');
INSERT INTO "timeline" VALUES(21,2,1795377560208,'page_delivered','delivered','1');
INSERT INTO "timeline" VALUES(22,2,1795377560211,'step_finished','step_ok','help');
INSERT INTO "timeline" VALUES(23,2,1795377560265,'health','healthy','');
INSERT INTO "timeline" VALUES(24,2,1795377560268,'phase','healthy','stabilising');
INSERT INTO "timeline" VALUES(25,2,1795377560315,'page_resolved','stabilised','1');
INSERT INTO "timeline" VALUES(26,2,1795377560315,'phase','stabilised','monitoring');
INSERT INTO "timeline" VALUES(27,2,1795377560446,'alert','resolved_unheard','Demo');
INSERT INTO "timeline" VALUES(28,2,1795377560446,'closed','stabilised','');
INSERT INTO "timeline" VALUES(29,3,1795377560451,'opened','alert_firing','demo: c');
INSERT INTO "timeline" VALUES(30,3,1795377560451,'alert','alert_firing','Demo');
INSERT INTO "timeline" VALUES(31,3,1795377560451,'step_started','next_step','look (attempt 1)');
INSERT INTO "timeline" VALUES(32,3,1795377560455,'health','sick','');
INSERT INTO "timeline" VALUES(33,3,1795377560457,'step_finished','step_ok','look');
INSERT INTO "timeline" VALUES(34,3,1795377560460,'step_started','next_step','mend (attempt 1)');
INSERT INTO "timeline" VALUES(35,3,1795377560463,'step_finished','step_failed','mend: exit code 1');
INSERT INTO "timeline" VALUES(36,3,1795377560463,'paged','step_failed','L1');
INSERT INTO "timeline" VALUES(37,3,1795377560467,'step_started','next_step','help (attempt 1)');
INSERT INTO "timeline" VALUES(38,3,1795377560469,'page_delivered','delivered','1');
INSERT INTO "timeline" VALUES(39,3,1795377560471,'step_finished','step_ok','help');
INSERT INTO "timeline" VALUES(40,3,1795377560954,'operator','aborted','ana');
INSERT INTO "timeline" VALUES(41,3,1795377560954,'page_resolved','aborted','1');
INSERT INTO "timeline" VALUES(42,3,1795377560954,'closed','aborted','');
INSERT INTO "timeline" VALUES(43,NULL,1795377560958,'operator','paused','ana');
INSERT INTO "timeline" VALUES(44,NULL,1795377560961,'operator','resumed','ana');
INSERT INTO "timeline" VALUES(45,4,1795377560963,'opened','alert_firing','demo: main');
INSERT INTO "timeline" VALUES(46,4,1795377560963,'alert','alert_firing','Demo');
INSERT INTO "timeline" VALUES(47,4,1795377560963,'step_started','next_step','look (attempt 1)');
INSERT INTO "timeline" VALUES(48,4,1795377560966,'health','sick','');
INSERT INTO "timeline" VALUES(49,4,1795377560967,'step_finished','step_ok','look');
INSERT INTO "timeline" VALUES(50,4,1795377560970,'step_started','next_step','mend (attempt 1)');
INSERT INTO "timeline" VALUES(51,4,1795377560972,'step_finished','step_failed','mend: exit code 1');
INSERT INTO "timeline" VALUES(52,4,1795377560972,'paged','step_failed','L1');
INSERT INTO "timeline" VALUES(53,4,1795377560975,'step_started','next_step','help (attempt 1)');
INSERT INTO "timeline" VALUES(54,4,1795377560976,'page_delivered','undeliverable','1');
INSERT INTO "timeline" VALUES(55,4,1795377560979,'step_finished','step_ok','help');
INSERT INTO "timeline" VALUES(56,4,1795377561483,'phase','exhausted','exhausted');
INSERT INTO "timeline" VALUES(57,4,1795377561528,'operator','noted','ana: seen, it''s odd; "quoted"
second line');
CREATE INDEX incident_open ON incident (id) WHERE closed_at IS NULL;
CREATE INDEX timeline_incident ON timeline (incident_id, id);
CREATE INDEX step_run_open ON step_run (incident_id) WHERE finished_at IS NULL;
CREATE INDEX step_run_change ON step_run (intent_at) WHERE change = 1;
CREATE INDEX message_open ON message (incident_id) WHERE sent_at IS NULL;
CREATE INDEX timeline_at ON timeline (at);
COMMIT;
PRAGMA user_version = 2;
