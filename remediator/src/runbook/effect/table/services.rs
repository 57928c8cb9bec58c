//! Services and their logs: systemd, launchd, supervisors, web servers, databases' own tools, and what belongs to this project.

use super::super::database;
use super::Does::{Changes, First, OnlyWith, Reads, Unless, Verb, VerbAt, Words};
use super::{Does, Program, changes, program, reads};

const STARTS: &str = "starts, stops or alters services";
const WRITES: &str = "writes a file";
const LOGS: &str = "alters the journal's files";
const SETS: &str = "sets what it shows otherwise";
const PLAYS: &str = "alters what is played or how";

pub(super) const PROGRAMS: &[Program] = &[
    program(
        "systemctl",
        "-H -M -t -n -o -p -P -s --host --machine --type --lines --output --property --state --root --signal",
        Verb(SYSTEMCTL),
    ),
    program(
        "service rc-service invoke-rc.d",
        "",
        First(&[("--status-all --list", Reads)], &VerbAt(1, &[("status", Reads), (SERVICE, Changes(STARTS))])),
    ),
    program(
        "launchctl",
        "",
        Verb(&[
            ("list print print-disabled blame getenv version managername dumpstate hostinfo", Reads),
            (
                "load unload start stop kickstart kill bootstrap bootout enable disable remove submit setenv unsetenv reboot",
                Changes(STARTS),
            ),
        ]),
    ),
    program(
        "supervisorctl",
        "-c -s -u -p",
        Verb(&[
            ("status avail version pid", Reads),
            ("start stop restart reload update reread signal clear add remove shutdown", Changes(STARTS)),
        ]),
    ),
    program(
        "initctl",
        "",
        Verb(&[("list status version", Reads), ("start stop restart reload emit", Changes(STARTS))]),
    ),
    program(
        "pm2",
        "",
        Verb(&[
            ("list ls status jlist describe show prettylist", Reads),
            ("start stop restart reload delete kill flush", Changes(STARTS)),
        ]),
    ),
    program(
        "monit",
        "-c",
        Verb(&[
            ("status summary report procmatch", Reads),
            ("start stop restart monitor unmonitor reload quit", Changes(STARTS)),
        ]),
    ),
    program(
        "journalctl",
        "-u -n -p -S -U -o -t -g -b -D -M -F -c --unit --lines --priority --since --until --output --identifier --grep --boot \
         --directory --file --machine --field --cursor --after-cursor --user-unit",
        Unless(&[(
            "--vacuum-size --vacuum-time --vacuum-files --rotate --flush --sync --relinquish-var --smart-relinquish-var \
             --update-catalog --setup-keys --cursor-file",
            Changes(LOGS),
        )]),
    ),
    program(
        "loginctl",
        "-p -n -o -H -M",
        Verb(&[
            ("", Reads),
            (
                "list-sessions session-status show-session list-users user-status show-user list-seats seat-status show-seat",
                Reads,
            ),
            (
                "terminate-session kill-session terminate-user kill-user enable-linger disable-linger lock-session",
                Changes(STARTS),
            ),
        ]),
    ),
    program(
        "timedatectl",
        "-H -M -p",
        Verb(&[
            ("", Reads),
            ("status show list-timezones timesync-status show-timesync", Reads),
            ("set-time set-timezone set-local-rtc set-ntp", Changes(SETS)),
        ]),
    ),
    program(
        "hostnamectl",
        "-H -M",
        Verb(&[("", Reads), ("status", Reads), ("set-hostname hostname set-location set-deployment", Changes(SETS))]),
    ),
    program(
        "localectl",
        "-H -M",
        Verb(&[("", Reads), ("status list-locales list-keymaps", Reads), ("set-locale set-keymap", Changes(SETS))]),
    ),
    program(
        "resolvectl systemd-resolve",
        "-i -t -c -p",
        Verb(&[
            ("", Reads),
            ("status query statistics dns domain service", Reads),
            ("flush-caches reset-statistics revert", Changes(SETS)),
        ]),
    ),
    program(
        "networkctl",
        "-n",
        Verb(&[
            ("", Reads),
            ("list status lldp", Reads),
            ("up down renew reload reconfigure delete forcerenew", Changes(SETS)),
        ]),
    ),
    program(
        "coredumpctl",
        "-o -F -D -n -S -U",
        Verb(&[("", Reads), ("list info", Unless(&[("-o --output", Changes(WRITES))])), ("dump", Changes(WRITES))]),
    ),
    program(
        "systemd-analyze",
        "",
        Verb(&[
            ("", Reads),
            ("time blame critical-chain verify security calendar timestamp timespan unit-paths", Reads),
        ]),
    ),
    reads("systemd-cgls systemd-cgtop systemd-detect-virt systemd-path"),
    changes("systemd-run systemd-tmpfiles systemd-sysusers", "starts or makes something"),
    program("nginx openresty", "-c -p -g -e -s", OnlyWith("-t -T -v -V", "-c -q -e -p", "starts or steers the server")),
    program(
        "apachectl apache2ctl httpd apache2",
        "-f -d -k",
        OnlyWith("-t -v -V -S -M", "-f -d", "starts or steers the server"),
    ),
    program("haproxy", "-f -p", OnlyWith("-c -v", "-f -V -q", "starts or steers the server")),
    program(
        "caddy",
        "--config --adapter",
        Verb(&[("validate version list-modules environ adapt", Reads), ("run start stop reload", Changes(STARTS))]),
    ),
    program(
        "varnishadm",
        "-n -T -S -t",
        Verb(&[("status ping banner backend.list vcl.list panic.show ban.list", Reads)]),
    ),
    program("psql", "", Words(database::psql)),
    program("mysql mariadb", "", Words(database::mysql)),
    program("sqlite3", "", Words(database::sqlite)),
    program("redis-cli valkey-cli", "", Words(database::redis)),
    reads("pg_isready pg_controldata pg_lsclusters pg_config"),
    program(
        "pg_ctl",
        "-D -l -m -t -o -p -s",
        Verb(&[("status", Reads), ("start stop restart reload promote kill init initdb logrotate", Changes(STARTS))]),
    ),
    program(
        "pg_ctlcluster",
        "-m -o",
        VerbAt(2, &[("status", Reads), ("start stop restart reload promote", Changes(STARTS))]),
    ),
    program("pg_dump pg_dumpall", "-h -p -U -d -f -F -t -n -j", Unless(&[("-f --file", Changes(WRITES))])),
    changes(
        "pg_restore pg_rewind pg_basebackup pg_resetwal createdb dropdb createuser dropuser vacuumdb reindexdb clusterdb pg_upgradecluster",
        "alters databases",
    ),
    program(
        "mysqladmin mariadb-admin",
        "-h -P -u -S --host --port --user --socket",
        Verb(&[("ping status extended-status processlist variables version", Reads)]),
    ),
    program(
        "mysqldump mariadb-dump",
        "-h -P -u -S -r",
        Unless(&[("-r --result-file --tab -T --flush-logs -F --delete-master-logs", Changes(WRITES))]),
    ),
    program(
        "rabbitmqctl rabbitmq-diagnostics",
        "-n -p -t",
        Verb(&[
            (
                "status cluster_status list_queues list_connections list_channels list_consumers list_exchanges list_bindings list_vhosts",
                Reads,
            ),
            (
                "ping check_running check_local_alarms check_port_connectivity environment report alarms memory_breakdown",
                Reads,
            ),
        ]),
    ),
    program(
        "amtool",
        "--alertmanager.url --config.file -o --output",
        Verb(&[
            ("alert", Verb(&[("", Reads), ("query", Reads), ("add", Changes("makes an alert"))])),
            (
                "silence",
                Verb(&[("", Reads), ("query", Reads), ("add expire import update", Changes("alters silences"))]),
            ),
            ("check-config config cluster", Reads),
        ]),
    ),
    program("promtool", "", Verb(&[("check", Reads), ("query", Reads), ("test", Reads)])),
    program("vvtvctl", "--root --config --format", Verb(VVTVCTL)),
    program("vvtv-playout", "", OnlyWith("--version --help", "", "starts the playout daemon")),
    program("vvtv-exporter", "", OnlyWith("--version --help", "", "starts the exporter")),
    program(
        "vvtv-remediator",
        "--config.file --runbook --since --format --url",
        Verb(&[
            ("check test report simulate render schema incidents", Reads),
            ("audit", Verb(&[("verify export", Reads)])),
            ("tasks", Verb(&[("list", Reads), ("done", Changes("closes a task"))])),
            ("import", Unless(&[("--output", Changes(WRITES))])),
            (
                "serve backup journal ack hold release approve abort pause resume login",
                Changes("steers the remediator"),
            ),
        ]),
    ),
];

const SYSTEMCTL: &[(&str, Does)] = &[
    ("", Reads),
    (
        "status is-active is-enabled is-failed is-system-running show cat list-units list-unit-files list-timers list-sockets \
         list-jobs list-dependencies list-automounts list-paths list-machines get-default help show-environment whoami",
        Reads,
    ),
    (
        "start stop restart reload try-restart condrestart reload-or-restart try-reload-or-restart enable disable reenable mask \
         unmask kill isolate daemon-reload daemon-reexec reset-failed set-property set-default edit link revert preset preset-all \
         set-environment unset-environment import-environment poweroff reboot halt suspend hibernate hybrid-sleep kexec exit \
         rescue emergency default cancel switch-root freeze thaw clean bind mount-image add-wants add-requires soft-reboot",
        Changes(STARTS),
    ),
];

const SERVICE: &str = "start stop restart reload force-reload try-restart condrestart force-stop zap";

const VVTVCTL: &[(&str, Does)] = &[
    (
        "streaming",
        Verb(&[
            ("status stats test-ingest config health metrics logs", Reads),
            ("restart-encoder emergency", Changes(PLAYS)),
        ]),
    ),
    ("flags", Verb(&[("get list", Reads), ("set unset", Changes(PLAYS))])),
    ("queue", Verb(&[("summary show", Reads), ("add skip remove", Changes(PLAYS))])),
    (
        "ops",
        Verb(&[
            ("bundle", Changes(WRITES)),
            ("maintenance", Verb(&[("list", Reads), ("run", Changes("does what the task is"))])),
        ]),
    ),
    ("completions", Reads),
    ("man", Changes(WRITES)),
];
