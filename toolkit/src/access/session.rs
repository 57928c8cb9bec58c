//! Sessions of browsers: a one-time code or a token is exchanged for a cookie.
//!
//! A session is signed with the token that it was exchanged for, and kept by nobody: it survives a restart of the server, and ends when it
//! has been idle for too long, or when its token is changed or taken away. Codes are in memory only.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::token::{Token, digest, random, same};

/// The cookie's name.
const COOKIE: &str = "vvtv_session";
/// A session that was not used for so long is over.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// A session is over after this time, used or not.
const LASTS: Duration = Duration::from_secs(7 * 24 * 3600);
/// A cookie that is older than this is replaced by a new one.
const RENEW: Duration = Duration::from_secs(600);
/// How long a one-time code is good for.
pub const CODE_LASTS: Duration = Duration::from_secs(15 * 60);
/// Codes that wait to be used; the oldest goes first.
const CODES_MAX: usize = 32;
/// The longest cookie that is looked at.
const COOKIE_BYTES_MAX: usize = 512;

/// What a cookie says, if its signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// The token that it was exchanged for.
    token: String,
    /// Unix times in seconds.
    issued_at: u64,
    used_at: u64,
}

impl Session {
    pub(super) fn of(token: &Token, now: u64) -> Self {
        Self { token: token.name().to_string(), issued_at: now, used_at: now }
    }

    fn message(&self) -> String {
        format!("session.{}.{}.{}", BASE64_URL_SAFE_NO_PAD.encode(&self.token), self.issued_at, self.used_at)
    }

    /// The session that a request shows, and its token, among those that are good now.
    pub(super) fn shown<'a>(
        headers: &HeaderMap,
        tokens: impl IntoIterator<Item = &'a Token>,
        now: u64,
    ) -> Option<(Self, &'a Token)> {
        let text = cookie(headers)?;
        let (message, signature) = text.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let mut parts = message.split('.');
        let (Some("session"), Some(name), Some(issued), Some(used), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let token = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
        let session = Self { token, issued_at: issued.parse().ok()?, used_at: used.parse().ok()? };
        let same_name = tokens.into_iter().filter(|token| **token.name() == *session.token);
        let token = same_name.into_iter().find(|token| token.signed(message, &signature))?;
        let over = session.used_at + IDLE.as_secs() <= now || session.issued_at + LASTS.as_secs() <= now;
        (!over).then_some((session, token))
    }

    /// The session as used now, if its cookie is to be replaced.
    pub(super) fn renewed(&self, now: u64) -> Option<Self> {
        (self.used_at + RENEW.as_secs() <= now).then(|| Self { used_at: now, ..self.clone() })
    }

    /// The value of `Set-Cookie` (RFC 6265).
    pub(super) fn set_cookie(&self, token: &Token, secure: bool) -> String {
        let message = self.message();
        let signature = BASE64_URL_SAFE_NO_PAD.encode(token.sign(&message));
        let secure = if secure { "; Secure" } else { "" };
        let age = IDLE.as_secs();
        format!("{COOKIE}={message}.{signature}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
    }
}

/// The value of `Set-Cookie` that ends a session in its browser.
pub(super) fn forget(secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}")
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let value = pairs.find_map(|(name, value)| (name == COOKIE).then_some(value))?;
    (value.len() <= COOKIE_BYTES_MAX).then_some(value)
}

/// One-time codes that were given out.
#[derive(Debug, Default)]
pub(super) struct Codes(Mutex<VecDeque<Code>>);

#[derive(Debug)]
pub(super) struct Code {
    digest: [u8; 32],
    token: Token,
    until: Instant,
}

impl Codes {
    /// A code that whoever shows it first gets a session of this token for.
    pub(super) fn give(&self, token: &Token, now: Instant) -> std::io::Result<String> {
        let code = random()?;
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|code| code.until > now);
        if codes.len() >= CODES_MAX {
            codes.pop_front();
        }
        codes.push_back(Code { digest: digest(&code), token: token.clone(), until: now + CODE_LASTS });
        Ok(code)
    }

    /// Takes all out.
    pub(super) fn take_all(&self) -> Vec<Code> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// Adds those whose token is good.
    pub(super) fn add(&self, codes: Vec<Code>, is_good: impl Fn(&Token) -> bool) {
        let good = codes.into_iter().filter(|code| is_good(&code.token));
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.extend(good.take(CODES_MAX));
    }

    /// Takes a code out; it is good no second time.
    pub(super) fn take(&self, shown: &str, now: Instant) -> Option<Token> {
        let shown = digest(shown);
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|code| code.until > now);
        let index = codes.iter().position(|code| same(&code.digest, &shown))?;
        codes.remove(index).map(|code| code.token)
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::super::Role;
    use super::*;

    fn token(text: &str) -> Token {
        Token::new("operator", Role::Operator, text)
    }

    fn headers(set_cookie: &str) -> HeaderMap {
        let pair = set_cookie.split(';').next().unwrap();
        let cookie = format!("other=1; {pair}; more=2");
        [(header::COOKIE, cookie.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_session_is_its_token_s_and_ends() {
        let (one, other) = (token("0123456789abcdef"), token("fedcba9876543210"));
        let session = Session::of(&one, 1000);
        let set = session.set_cookie(&one, true);
        assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"), "{set}");
        let shown = |tokens: &[Token], set: &str, now| {
            Session::shown(&headers(set), tokens, now).map(|(session, token)| (session, token.role()))
        };
        let good = Some((session.clone(), Role::Operator));
        assert_eq!(shown(&[other.clone(), one.clone()], &set, 1000), good);
        assert_eq!(shown(from_ref(&one), &set, 1000 + IDLE.as_secs() - 1), good);
        assert_eq!(shown(from_ref(&one), &set, 1000 + IDLE.as_secs()), None, "idle");
        assert_eq!(shown(&[other], &set, 1000), None, "the token was changed");
        assert_eq!(shown(&[], &set, 1000), None, "the token was taken away");
        assert_eq!(shown(from_ref(&one), &set.replace(".1000.1000.", ".1000.9000."), 1000), None, "tampered with");
        assert_eq!(session.renewed(1000 + RENEW.as_secs() - 1), None);
        let old = Session { used_at: LASTS.as_secs(), ..session };
        assert_eq!(
            shown(from_ref(&one), &old.set_cookie(&one, false), 1000 + LASTS.as_secs()),
            None,
            "used, and too old"
        );
    }

    #[test]
    fn a_code_is_good_once_and_for_a_while() {
        let (codes, token, now) = (Codes::default(), token("0123456789abcdef"), Instant::now());
        let code = codes.give(&token, now).unwrap();
        assert!(codes.take("0", now).is_none());
        assert!(codes.take(&code, now).is_some());
        assert!(codes.take(&code, now).is_none(), "a second time");
        let code = codes.give(&token, now).unwrap();
        assert!(codes.take(&code, now + CODE_LASTS).is_none(), "too late");
        let first = codes.give(&token, now).unwrap();
        for _ in 0..CODES_MAX {
            codes.give(&token, now).unwrap();
        }
        assert!(codes.take(&first, now).is_none(), "pushed out");
        assert_eq!(codes.0.lock().unwrap().len(), CODES_MAX);
    }
}
