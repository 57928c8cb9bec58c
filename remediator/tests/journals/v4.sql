BEGIN TRANSACTION;
CREATE TABLE duty (
    name TEXT PRIMARY KEY,
    handled_at INTEGER NOT NULL,
    succeeded_at INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "duty" VALUES('daily-checks',1795377500000,1795377500500);
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
INSERT INTO "task" VALUES(1,'daily-checks',1795377500000,1795377500500,'{"id":1,"name":"daily-checks","title":"ls","owner":1,"due_within":{"secs":28800,"nanos":0},"scheduled_at":1795377500000,"due_at":1795406300000,"state":{"done":{"at":1795377500500,"by":null,"note":""}},"reason":"step_ok","failure":null}',NULL,'README
');
CREATE TABLE timeline (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident_id INTEGER,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
, hash TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "timeline" VALUES(1,1,1795377559532,'opened','alert_firing','demo: a','6e4003298cb2d71a4de3ea16f2ce21288419765feee5bdedb99d58c1ba21cdff');
INSERT INTO "timeline" VALUES(2,1,1795377559532,'alert','alert_firing','Demo','79ed126e2a636664aa321350cd932c5db5c376795e8f126cbde19705d965af05');
INSERT INTO "timeline" VALUES(3,1,1795377559532,'step_started','next_step','look (attempt 1)','90d6fbfe849d8c5de5a6c99c882692e85cce16ec1fffa13c5239f7c71aaf8c12');
INSERT INTO "timeline" VALUES(4,1,1795377559539,'step_finished','step_ok','look','bfd78a22e8c93e466af59efff6151959343a8e96c19b422f2d1b782504363468');
INSERT INTO "timeline" VALUES(5,1,1795377559539,'health','healthy','','398459fb1a9fb8493e1328a143f753a1d0f734e615b0606152a57dd53ebbdf38');
INSERT INTO "timeline" VALUES(6,1,1795377559547,'step_skipped','healthy','mend','738cc333f57ec6da574ad45679661b10c8abb965686f1275389355eb511d5b7a');
INSERT INTO "timeline" VALUES(7,1,1795377559551,'step_skipped','healthy','help','8edb85254443565bee8cf55bbd26fd6d360b75ed98862aa2ec301659f8628625');
INSERT INTO "timeline" VALUES(8,1,1795377559562,'phase','healthy','stabilising','67486cdb238495ee5485091139a86fbf204d09b0db94f2c0a68aafd9b04ed068');
INSERT INTO "timeline" VALUES(9,1,1795377559602,'phase','stabilised','monitoring','a500145367ae00ee0dfaf92d942b354c7147587ec5efa3cde780a9e3fe74b3c8');
INSERT INTO "timeline" VALUES(10,1,1795377560140,'alert','resolved_unheard','Demo','3b91ca20becd06f8afdaa684efe6b9d97aef9e3acb50b690497722cf31920d18');
INSERT INTO "timeline" VALUES(11,1,1795377560140,'closed','stabilised','','5bc6d27bee7d2848910e5cbb6696fa4076bc28d3c064994bc0d5b8d63dd8134e');
INSERT INTO "timeline" VALUES(12,2,1795377560192,'opened','alert_firing','demo: b','29920c2df7370b80d1aca5c57d349028bc35f7e95af2274757bb3341868968f1');
INSERT INTO "timeline" VALUES(13,2,1795377560192,'alert','alert_firing','Demo','29b5776c183ac600151bfcd98019afc9c65dc54bf3b6670691c1133fb3205b78');
INSERT INTO "timeline" VALUES(14,2,1795377560192,'step_started','next_step','look (attempt 1)','c058538c4ad9c278922f433990fbf3585199395ca8d8ce025508163773a6892e');
INSERT INTO "timeline" VALUES(15,2,1795377560198,'health','sick','','fd8b79911b00cc4bf9bfcafd62e97537b1e9d3cc2e0f45343ca04b4f4203736f');
INSERT INTO "timeline" VALUES(16,2,1795377560198,'step_finished','step_ok','look','0de87633e53a9bb60fc4615fb1a49b77946edb749de0764e712cffc4a0524123');
INSERT INTO "timeline" VALUES(17,2,1795377560200,'step_started','next_step','mend (attempt 1)','ad8adf7a5449b12746bf130a524547a0c946be1f864249d1cb0213d91aee8eaf');
INSERT INTO "timeline" VALUES(18,2,1795377560203,'step_finished','step_failed','mend: exit code 1','d64d970525ebc268640fbae62ca3070a9cfb8a2c3b43d0856ef239dea6136b1d');
INSERT INTO "timeline" VALUES(19,2,1795377560203,'paged','step_failed','L1','c9df5dfaedd808cef678c920b225084f538217bff0d6975e71581e351c0e8e90');
INSERT INTO "timeline" VALUES(20,2,1795377560208,'step_started','next_step','help (attempt 1)','31c51ef2d0f72db16e5c82fbc003e22129cd28c712a05e0778e8238540f3906f');
INSERT INTO "timeline" VALUES(21,2,1795377560208,'page_delivered','delivered','1','2cb8968b5f0fb1548d3839661922719d8dd7245dc32f0be2ab0815ec160396bb');
INSERT INTO "timeline" VALUES(22,2,1795377560211,'step_finished','step_ok','help','cbc840059fe3ccdf5bf007a65962ecb25133a3456d80dbe2d938042023098c98');
INSERT INTO "timeline" VALUES(23,2,1795377560265,'health','healthy','','c3453ccefab36a2f76323eb7a31e05c811888a318173c9762945582d668f9d49');
INSERT INTO "timeline" VALUES(24,2,1795377560268,'phase','healthy','stabilising','649c5fcc45e14da90b1d1fbc8cf153a5710b82ed5e1666dfaf291ebc3d2d945b');
INSERT INTO "timeline" VALUES(25,2,1795377560315,'page_resolved','stabilised','1','9ef5b292dda51f59add889bf2600dd27086009e7faa2fbcb1cf85c8f65dbed66');
INSERT INTO "timeline" VALUES(26,2,1795377560315,'phase','stabilised','monitoring','91bf6520f4bfc4d9accb7d5f5538f02c27bf02093ad06c2eb34e27109990a6ca');
INSERT INTO "timeline" VALUES(27,2,1795377560446,'alert','resolved_unheard','Demo','867acf0885a6da9439d38a281e5bef46c127eb85860148fc4e9e809b5262437a');
INSERT INTO "timeline" VALUES(28,2,1795377560446,'closed','stabilised','','dc7cdd6deb478ebd1be778daca04da98bf7979de5796e30831f497b3bea56579');
INSERT INTO "timeline" VALUES(29,3,1795377560451,'opened','alert_firing','demo: c','7ae00b23986630e98dc32e7e094d1ab3bfbdc6bc572968d576c565053f1d0ea5');
INSERT INTO "timeline" VALUES(30,3,1795377560451,'alert','alert_firing','Demo','ed5bdf5ae413bfe8dbc6eca8d19199f105181b3e30d1df8f24557548c653586d');
INSERT INTO "timeline" VALUES(31,3,1795377560451,'step_started','next_step','look (attempt 1)','63b343997f318298bed976fe67d72e9bd8c384c05616ac8e90c0aa6d7f27c838');
INSERT INTO "timeline" VALUES(32,3,1795377560455,'health','sick','','09fb6fe310fd1dd528e5d68cbc9fc00d3dec5b1d0f52f902246da88bf3e4173c');
INSERT INTO "timeline" VALUES(33,3,1795377560457,'step_finished','step_ok','look','a631a458ae0bafebe5eb8cda9becc9840c9a1ca37ab4f4311b7aba2ffc7f8dfc');
INSERT INTO "timeline" VALUES(34,3,1795377560460,'step_started','next_step','mend (attempt 1)','3e519e02e00ca7f0e4dfb8cf5c9346b9bf0d14c644ae2e4cf9ecde92d16d535c');
INSERT INTO "timeline" VALUES(35,3,1795377560463,'step_finished','step_failed','mend: exit code 1','e71754343ceb54ef7b7c6bf1de87ae16173519aeffc8be87d112cc0191b5f1c3');
INSERT INTO "timeline" VALUES(36,3,1795377560463,'paged','step_failed','L1','f0b92b717c7e6f5c811d054d08656d34d117af5c59e164bcc2e7a54c36c17c9b');
INSERT INTO "timeline" VALUES(37,3,1795377560467,'step_started','next_step','help (attempt 1)','7511bb120978060d197beeda87592180912ef4a30b132c1e8f28d3829b55ef93');
INSERT INTO "timeline" VALUES(38,3,1795377560469,'page_delivered','delivered','1','2e5bd7fa204d78546971c81e975786478830e91025ca0af1d6fa3ce1aed52915');
INSERT INTO "timeline" VALUES(39,3,1795377560471,'step_finished','step_ok','help','28163edc42b62f525e240ee018b9939b90a41a84987eea8009e06086f6050bd2');
INSERT INTO "timeline" VALUES(40,3,1795377560954,'operator','aborted','ana','e7ca4a338fe664879cecce3fd84be43533e97220ec41dc0ae2d6231977da482f');
INSERT INTO "timeline" VALUES(41,3,1795377560954,'page_resolved','aborted','1','c0f3e37ae2c543e547f53f414ecb7edf7e16ec6269793e0e6f7c73ccc0f67812');
INSERT INTO "timeline" VALUES(42,3,1795377560954,'closed','aborted','','e6dc6e6fbcc3d9a647452570c2bec10fc5379f9ec15fddafafe1c07a8e909113');
INSERT INTO "timeline" VALUES(43,NULL,1795377560958,'operator','paused','ana','9feef9bf19d655f2ce2d5c912290e154e91fda576747bc1a4937dea9c5bf5c0c');
INSERT INTO "timeline" VALUES(44,NULL,1795377560961,'operator','resumed','ana','82b0f92586a050c31d5d58aec9b0f62260f3a95ec174136b19b30997b296e421');
INSERT INTO "timeline" VALUES(45,4,1795377560963,'opened','alert_firing','demo: main','03c5883ff2c1478decff483b6df6f289faaefb7ae82281e70c744e0c13703363');
INSERT INTO "timeline" VALUES(46,4,1795377560963,'alert','alert_firing','Demo','b5ed5863b6f02f8cb2f5a95e401ff0bfd6d70ae49f1e250ac9a7b3728421063b');
INSERT INTO "timeline" VALUES(47,4,1795377560963,'step_started','next_step','look (attempt 1)','b9fcd6319a3d6ee32fee76407cce1a377e90a9d19c49d2c6a1adf3bf1a48a7ed');
INSERT INTO "timeline" VALUES(48,4,1795377560966,'health','sick','','93448b45dfc10360ccfe7002bbee16080b444335eb06743cc1610e2eae804475');
INSERT INTO "timeline" VALUES(49,4,1795377560967,'step_finished','step_ok','look','0d8786c58bb3284a7a5a138c4d0d3612bcce26b451535ef3834235008359a49f');
INSERT INTO "timeline" VALUES(50,4,1795377560970,'step_started','next_step','mend (attempt 1)','8fabda32bf64331a6c3976f35cca80c2467d9a4e3b1550397f28bc56c3c4936f');
INSERT INTO "timeline" VALUES(51,4,1795377560972,'step_finished','step_failed','mend: exit code 1','11661422e646e76612a2f2e74d4d520e72a18bd773b0943c87d5a8c96ee45d55');
INSERT INTO "timeline" VALUES(52,4,1795377560972,'paged','step_failed','L1','9c354be02a0fdb5355873765709f2b0570f636e50efac9d7d37d3c6ba95781cc');
INSERT INTO "timeline" VALUES(53,4,1795377560975,'step_started','next_step','help (attempt 1)','3c5c00de7e9965ff2ac80bf906a6b5b01e74d2081266af8b6e266519dd8b658c');
INSERT INTO "timeline" VALUES(54,4,1795377560976,'page_delivered','undeliverable','1','d8c1bff4b70840a89f5f7657b188c2461a744a23ee2bd484b2e7130e0048594b');
INSERT INTO "timeline" VALUES(55,4,1795377560979,'step_finished','step_ok','help','1e1937d4c72470001bee1a9d777938e804b40c1fed2d82c7f7e031c81341787d');
INSERT INTO "timeline" VALUES(56,4,1795377561483,'phase','exhausted','exhausted','b6896fb8c811ea1108050afd0cd1b3c5062872ce60819cd4e0de16c942895d7c');
INSERT INTO "timeline" VALUES(57,4,1795377561528,'operator','noted','ana: seen, it''s odd; "quoted"
second line','3534dee96129f95179e177e2090f76a94d439d2804445f1c3291adf11f27736a');
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
INSERT INTO "sqlite_sequence" VALUES('timeline',57);
COMMIT;
PRAGMA user_version = 4;
