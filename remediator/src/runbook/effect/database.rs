//! Database clients: what they are told to ask. Only a single statement of a form that cannot change anything is said to read.

use super::arguments::{Arguments, Style, sort};
use super::{Effect, Word, excerpt};

/// Functions that a query may call: any other one may do anything (`pg_promote()`).
const FUNCTIONS: &str = "abs age array_agg avg bool_and bool_or cast ceil coalesce concat count current_database current_setting \
                         date date_trunc datname exists extract filter floor format from_unixtime greatest ifnull in inet_server_addr \
                         inet_server_port interval json_agg least left length lower ltrim max min mod now nullif over partition \
                         pg_backend_pid pg_blocking_pids pg_current_wal_lsn pg_database_size pg_indexes_size pg_is_in_recovery \
                         pg_is_wal_replay_paused pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp \
                         pg_postmaster_start_time pg_relation_size pg_size_pretty pg_stat_file pg_table_size \
                         pg_total_relation_size pg_wal_lsn_diff replace right round row_number rtrim string_agg substr substring sum \
                         to_char to_timestamp trim txid_current upper using values version where and or not on as from by having";

/// Words that make a query write or lock.
const WRITES: [&str; 9] = ["into", "update", "delete", "insert", "for", "lock", "drop", "alter", "create"];

/// Whether a text is one statement that reads.
fn is_query(text: &str) -> bool {
    let text = text.trim().trim_end_matches(';').trim_end().to_ascii_lowercase();
    if text.contains([';', '\\', '`', '"', '$', '\0']) || text.contains("--") || text.contains("/*") {
        return false;
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut words = text.split(|c| !word(c)).filter(|word| !word.is_empty());
    match words.next() {
        Some("show") => true,
        Some("select") => {
            let calls_only_what_reads = text.match_indices('(').all(|(at, _)| {
                let before = text.get(..at).unwrap_or_default().trim_end();
                let name = before.rsplit(|c| !word(c)).next().unwrap_or_default();
                let of_a_schema = before.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
                name.is_empty() || !of_a_schema && FUNCTIONS.split_ascii_whitespace().any(|one| one == name)
            });
            calls_only_what_reads && !words.any(|word| WRITES.contains(&word))
        }
        Some(_) | None => false,
    }
}

/// psql's own commands that list: `\l`, `\dt+`, `\conninfo`.
fn is_listing(text: &str) -> bool {
    let Some(rest) = text.trim().strip_prefix('\\') else { return false };
    let name = rest.split([' ', '\t']).next().unwrap_or_default();
    !rest.contains(['\\', '|', '`', '\n'])
        && (name == "conninfo" || name.starts_with('d') || name.trim_end_matches('+') == "l")
}

/// What all texts that are given to a client do.
fn asked<'a>(what: &str, mut texts: impl Iterator<Item = Option<&'a str>>, fine: impl Fn(&str) -> bool) -> Effect {
    match texts.find(|text| !text.is_some_and(&fine)) {
        None => Effect::Reads,
        Some(Some(text)) => {
            Effect::cannot_say(format!("{what} '{}'", excerpt(text)), "is not a statement that is known to read")
        }
        Some(None) => Effect::cannot_say(what, "is told only when it runs what to do"),
    }
}

fn only<'a>(what: &str, given: &Arguments<'a>, harmless: &str, asking: &str) -> Option<Effect> {
    if let Some(word) = given.unsure {
        return Some(Effect::cannot_say(what, format!("may get options from `{}`", word.text())));
    }
    let odd = given.options.iter().find(|option| !option.is_one_of(harmless) && !option.is_one_of(asking))?;
    Some(Effect::cannot_say(format!("{what} {}", odd.name), "is not in the table of what programs do"))
}

pub(super) fn psql(what: &str, words: &[Word], _: usize) -> Effect {
    const VALUED: &str = "-c -d -f -h -L -o -p -P -F -R -T -U -v --command --dbname --file --host --output --port --username --pset \
                          --set --variable --field-separator --record-separator --log-file";
    const HARMLESS: &str = "-A -t -x -q -X -w -W -d -h -p -U -H -P -F -R -T -1 -a -e -b --no-psqlrc --tuples-only --no-align \
                            --expanded --quiet --no-password --dbname --host --port --username --pset --csv --field-separator";
    let given = sort(words, VALUED, Style::Getopt);
    if let Some(effect) = only(what, &given, HARMLESS, "-c --command -l --list -V --version") {
        return effect;
    }
    let mut texts =
        given.given("-c --command").map(|option| option.value.as_ref().and_then(|value| value.known())).peekable();
    if texts.peek().is_none() && !given.has("-l --list -V --version") {
        return Effect::cannot_say(what, "does what its input says");
    }
    asked(&format!("{what} -c"), texts, |text| is_query(text) || is_listing(text))
}

pub(super) fn mysql(what: &str, words: &[Word], _: usize) -> Effect {
    const VALUED: &str = "-e -h -P -u -S -D --execute --host --port --user --socket --database";
    const HARMLESS: &str = "-h -P -u -S -D -N -B -s -t -E -p --host --port --user --socket --database --batch --silent --table \
                            --skip-column-names --password --defaults-file --vertical";
    let given = sort(words, VALUED, Style::Getopt);
    if let Some(effect) = only(what, &given, HARMLESS, "-e --execute -V --version") {
        return effect;
    }
    let mut texts =
        given.given("-e --execute").map(|option| option.value.as_ref().and_then(|value| value.known())).peekable();
    if texts.peek().is_none() && !given.has("-V --version") {
        return Effect::cannot_say(what, "does what its input says");
    }
    asked(&format!("{what} -e"), texts, is_query)
}

pub(super) fn sqlite(what: &str, words: &[Word], _: usize) -> Effect {
    let given = sort(words, "-separator -cmd -init -newline -nullvalue", Style::OneDash);
    let harmless =
        "-readonly -json -csv -header -noheader -column -line -list -separator --readonly --json -batch -bail";
    if let Some(effect) = only(what, &given, harmless, "-version --version") {
        return effect;
    }
    match given.operands.get(1..) {
        Some(texts) if !texts.is_empty() => asked(what, texts.iter().map(|word| word.known()), |text| {
            is_query(text) || matches!(text.trim(), ".tables" | ".schema" | ".databases" | ".indexes")
        }),
        Some(_) | None if given.has("-version --version") => Effect::Reads,
        Some(_) | None => Effect::cannot_say(what, "does what its input says"),
    }
}

const REDIS_READS: &str = "ping info get mget strlen exists ttl pttl type keys scan dbsize role time lastsave echo hget hgetall hlen \
                           hkeys hscan lrange llen lindex scard smembers sismember sscan zcard zrange zrangebyscore zscore zscan \
                           xlen xrange xinfo randomkey";
const REDIS_CHANGES: &str = "set del unlink flushall flushdb failover shutdown bgsave save bgrewriteaof expire persist rename move \
                             replicaof slaveof migrate restore hset hdel lpush rpush lpop rpop ltrim sadd srem zadd zrem xadd xdel \
                             xtrim incr decr append setex mset debug swapdb publish reset";
/// Commands of two words.
const REDIS_PAIRS: &str = "config:get client:list client:info client:id memory:usage memory:stats memory:doctor slowlog:get \
                           slowlog:len cluster:info cluster:nodes cluster:slots cluster:shards latency:latest latency:history \
                           latency:doctor object:encoding object:idletime object:freq acl:whoami acl:list sentinel:masters \
                           sentinel:master sentinel:replicas sentinel:slaves sentinel:get-master-addr-by-name command:count";

pub(super) fn redis(what: &str, words: &[Word], _: usize) -> Effect {
    const VALUED: &str = "-h -p -s -a -u -n -r -i -d --user --pass --cacert --cert --key --pattern";
    // What follows the command's name is the server's business.
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let text = word.prefix();
        if word.may_be_option() {
            return Effect::cannot_say(what, format!("is told by `{}` what to do", word.text()));
        }
        if !text.starts_with('-') {
            break;
        }
        let name = text.split('=').next().unwrap_or_default();
        if matches!(name, "--scan" | "--bigkeys" | "--latency" | "--stat" | "--version" | "--memkeys" | "--hotkeys") {
            return Effect::Reads;
        }
        let valued = VALUED.split_ascii_whitespace().any(|option| option == name);
        if !valued
            && !matches!(name, "--raw" | "--no-raw" | "--csv" | "--json" | "--tls" | "--no-auth-warning" | "-c" | "-3")
        {
            return Effect::cannot_say(format!("{what} {name}"), "is not in the table of what programs do");
        }
        at += 1 + usize::from(valued && !text.contains('='));
    }
    let word = |at| words.get(at).and_then(Word::known).map(str::to_ascii_lowercase);
    let Some(verb) = word(at) else {
        return Effect::cannot_say(what, "is told only when it runs what to do");
    };
    let is_in = |list: &str, verb: &str| list.split_ascii_whitespace().any(|one| one == verb);
    let pair = format!("{verb}:{}", word(at + 1).unwrap_or_default());
    if is_in(REDIS_READS, &verb) || is_in(REDIS_PAIRS, &pair) {
        return Effect::Reads;
    }
    if is_in(REDIS_CHANGES, &verb) {
        return Effect::changes(format!("{what} {verb}"), "alters the database");
    }
    Effect::cannot_say(format!("{what} {verb}"), "is not in the table of what programs do")
}
