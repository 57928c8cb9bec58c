//! Whether a name (of a key, a header, a flag, a variable) is a secret's.

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sense {
    Secret,
    /// Often a secret, often not (`auth`, `pass`): common words and small numbers as value are none.
    Perhaps,
    /// Several secrets: only a quoted value or a list is one, as `tokens: 5` is a number of them.
    Several,
    /// The identifier of an SRT stream (SRT access control), which may hold the user and the secret.
    StreamId,
    Plain,
}

/// Longer names are taken by their end.
pub(super) const NAME_BYTES_MAX: usize = 80;

/// Without one of these no name is a secret's: saves taking most names apart.
const STEMS: [&str; 18] = [
    "pass", "pwd", "pw", "secret", "token", "key", "auth", "cred", "sig", "hmac", "cookie", "jwt", "psk", "session",
    "otp", "csrf", "xsrf", "streamid",
];

/// Words that are a secret's.
const SECRET: [&str; 31] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "pwd",
    "secret",
    "token",
    "apikey",
    "authkey",
    "accesskey",
    "secretkey",
    "privatekey",
    "streamkey",
    "routingkey",
    "geniekey",
    "cryptokey",
    "accountkey",
    "signature",
    "sig",
    "hmac",
    "jwt",
    "psk",
    "cookie",
    "authorization",
    "otp",
    "totp",
    "csrf",
    "xsrf",
    "sessionid",
    "credential",
];

/// A word that ends like this is written together with what it is the secret of (`PGPASSWORD`, `clientsecret`).
const SECRET_ENDS: [&str; 8] =
    ["password", "passwd", "passphrase", "secret", "token", "apikey", "sshpass", "streamkey"];

const PERHAPS: [&str; 4] = ["auth", "pass", "pw", "sign"];

const SEVERAL: [&str; 6] = ["passwords", "secrets", "tokens", "cookies", "credentials", "apikeys"];

/// A key of such a kind is a secret.
const KINDS_OF_KEYS: [&str; 42] = [
    "access",
    "account",
    "admin",
    "aes",
    "api",
    "app",
    "application",
    "auth",
    "client",
    "consumer",
    "crypt",
    "crypto",
    "decryption",
    "deploy",
    "enc",
    "encryption",
    "genie",
    "hmac",
    "ingest",
    "ingestion",
    "instrumentation",
    "integration",
    "license",
    "master",
    "private",
    "publish",
    "publishing",
    "push",
    "rest",
    "routing",
    "secret",
    "service",
    "session",
    "shared",
    "sign",
    "signing",
    "storage",
    "stream",
    "streaming",
    "subscription",
    "webhook",
    "write",
];

/// As last word they say that the value is about the secret, not the secret.
const ABOUT: [&str; 73] = [
    "age",
    "alg",
    "algorithm",
    "at",
    "attempts",
    "bucket",
    "buckets",
    "bytes",
    "changed",
    "column",
    "count",
    "created",
    "dir",
    "directory",
    "enabled",
    "endpoint",
    "env",
    "error",
    "errors",
    "exp",
    "expiration",
    "expires",
    "expiry",
    "failed",
    "failures",
    "field",
    "file",
    "files",
    "format",
    "from",
    "header",
    "hint",
    "id",
    "ids",
    "index",
    "interval",
    "invalid",
    "issuer",
    "kind",
    "len",
    "length",
    "lifetime",
    "limit",
    "limits",
    "line",
    "max",
    "method",
    "min",
    "missing",
    "mode",
    "ms",
    "name",
    "names",
    "path",
    "policy",
    "position",
    "prefix",
    "provider",
    "rate",
    "ref",
    "required",
    "scope",
    "seconds",
    "size",
    "status",
    "suffix",
    "timeout",
    "total",
    "ttl",
    "type",
    "url",
    "used",
    "version",
];

/// As first word likewise.
const COUNTING: [&str; 9] = ["allow", "has", "hide", "is", "max", "min", "no", "num", "require"];

/// Names that are a secret's in the query of an address only.
const IN_QUERIES: [&str; 18] = [
    "auth",
    "auth_key",
    "cid",
    "hash",
    "hdnea",
    "hdntl",
    "hdnts",
    "k",
    "key",
    "key-pair-id",
    "md5",
    "pass",
    "policy",
    "pw",
    "sas",
    "sign",
    "ticket",
    "wmsauthsign",
];

/// What a name says of its value.
pub(super) fn sense(name: &str) -> Sense {
    if !has_stem(name) {
        return Sense::Plain;
    }
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => return Sense::Plain,
        [.., "srt", "streamid"] | ["streamid"] => return Sense::StreamId,
        [.., "access", "key", "id"] | [.., "key", "pair", "id"] | [.., "session", "id"] | ["x", "auth", ..] => {
            return Sense::Secret;
        }
        [first, _, ..] if COUNTING.contains(first) => return Sense::Plain,
        [.., last] if ABOUT.contains(last) => return Sense::Plain,
        _ => {}
    }
    let secret = |word: &&str| SECRET.contains(word) || SECRET_ENDS.iter().any(|end| word.ends_with(end));
    let keys = |pair: &[&str]| matches!(pair, [kind, "key"] if KINDS_OF_KEYS.contains(kind));
    if words.iter().any(secret) || words.windows(2).any(keys) {
        return Sense::Secret;
    }
    let several = |pair: &[&str]| matches!(pair, [kind, "keys"] if KINDS_OF_KEYS.contains(kind));
    match words.last() {
        Some(last) if PERHAPS.contains(last) => Sense::Perhaps,
        Some(last) if SEVERAL.contains(last) => Sense::Several,
        Some(_) if words.windows(2).any(several) => Sense::Several,
        Some(_) | None => Sense::Plain,
    }
}

/// As [`sense`], of a name in the query of an address.
pub(super) fn sense_in_query(name: &str) -> Sense {
    if IN_QUERIES.iter().any(|known| known.eq_ignore_ascii_case(name)) { Sense::Secret } else { sense(name) }
}

/// Whether the rest of the line is the value: headers whose values have blanks.
pub(super) fn takes_the_line(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn has_stem(name: &str) -> bool {
    let name = name.as_bytes();
    STEMS.iter().any(|stem| name.windows(stem.len()).any(|window| window.eq_ignore_ascii_case(stem.as_bytes())))
}

/// The words of `snake_case`, `kebab-case`, `camelCase`, `SCREAMING_CASE` and `HTTPHeader`, in lower case and without digits at their ends.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let characters: Vec<char> = name.chars().collect();
    for (at, &c) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| characters.get(at));
        let after = characters.get(at + 1);
        let begins = c.is_ascii_uppercase()
            && (before.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
                || (before.is_some_and(char::is_ascii_uppercase) && after.is_some_and(char::is_ascii_lowercase)));
        if begins || !c.is_ascii_alphanumeric() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.push(word);
    words.iter_mut().for_each(|word| word.truncate(word.trim_end_matches(|c: char| c.is_ascii_digit()).len()));
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_every_way_of_writing() {
        let words = |name| words(name).join(" ");
        assert_eq!(words("AWS_SECRET_ACCESS_KEY"), "aws secret access key");
        assert_eq!(words("routingKey"), "routing key");
        assert_eq!(words("X-Amz-Security-Token"), "x amz security token");
        assert_eq!(words("AWSSecretKey2"), "aws secret key");
        assert_eq!(words("--db.password1"), "db password");
    }

    #[test]
    fn names_of_secrets_and_names_about_them() {
        for name in [
            "apiKey",
            "PGPASSWORD",
            "x-api-key",
            "aws_access_key_id",
            "Key-Pair-Id",
            "clientSecret",
            "stream_key",
            "X-Auth-Email",
        ] {
            assert_eq!(sense(name), Sense::Secret, "{name}");
        }
        for name in [
            "token_file",
            "max_tokens",
            "token_bucket",
            "key",
            "keyint",
            "public_key",
            "secretName",
            "passlogfile",
            "author",
        ] {
            assert_eq!(sense(name), Sense::Plain, "{name}");
        }
        assert_eq!(
            (sense("auth"), sense("tokens"), sense("streamid")),
            (Sense::Perhaps, Sense::Several, Sense::StreamId)
        );
        assert_eq!((sense_in_query("key"), sense_in_query("page")), (Sense::Secret, Sense::Plain));
    }
}
