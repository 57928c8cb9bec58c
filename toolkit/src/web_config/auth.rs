//! Basic authentication against bcrypt hashes.
//!
//! An unknown user costs as much as a known one (a bcrypt of nothing), hashing runs off the async threads and one at a time, and
//! results are remembered in a bounded cache, because a scraper presents the same credentials every second.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Mutex;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

/// Results that are remembered.
const CACHE_ENTRIES: usize = 100;

/// What an unknown user is compared with: a hash that no password has, at bcrypt's usual cost.
const NOBODY: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// The users who may come in.
pub(super) struct Users {
    hashes: BTreeMap<String, String>,
    cache: Mutex<Cache>,
    one_at_a_time: Semaphore,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("names", &self.hashes.keys()).finish_non_exhaustive()
    }
}

/// A user name and a password as presented.
pub(super) struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Reads `Authorization: Basic …`.
    pub(super) fn parse(value: &HeaderValue) -> Option<Self> {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let plain = String::from_utf8(BASE64_STANDARD.decode(token.trim()).ok()?).ok()?;
        let (user, password) = plain.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

impl Users {
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Self {
        Self { hashes, cache: Mutex::default(), one_at_a_time: Semaphore::new(1) }
    }

    /// Whether these credentials are right.
    pub(super) async fn admit(&self, credentials: Credentials) -> bool {
        let known = self.hashes.get(&credentials.user);
        let hash = known.map_or(NOBODY, String::as_str).to_owned();
        let key = key(&credentials, &hash);
        if let Some(verdict) = self.cached(key) {
            return verdict;
        }
        let Ok(_turn) = self.one_at_a_time.acquire().await else { return false };
        // Another request with the same credentials may have been checked while this one waited its turn.
        if let Some(verdict) = self.cached(key) {
            return verdict;
        }
        let known = known.is_some();
        let checked = tokio::task::spawn_blocking(move || bcrypt::verify(&credentials.password, &hash)).await;
        let verdict = known && matches!(checked, Ok(Ok(true)));
        if let Ok(mut cache) = self.cache.lock() {
            cache.put(key, verdict);
        }
        verdict
    }

    fn cached(&self, key: Key) -> Option<bool> {
        self.cache.lock().ok()?.entries.iter().find(|(known, _)| *known == key).map(|(_, verdict)| *verdict)
    }
}

type Key = [u8; 32];

/// A digest, so that no password stays in memory. Lengths keep `("ab", "c")` and `("a", "bc")` apart.
fn key(credentials: &Credentials, hash: &str) -> Key {
    let mut digest = Sha256::new();
    for part in [&credentials.user, hash, &credentials.password] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[derive(Default)]
struct Cache {
    entries: VecDeque<(Key, bool)>,
}

impl Cache {
    /// Remembers a verdict. Wrong credentials never push out right ones: a guesser must not slow the scraper down.
    fn put(&mut self, key: Key, verdict: bool) {
        if self.entries.len() >= CACHE_ENTRIES {
            let oldest_wrong = self.entries.iter().position(|(_, right)| !right);
            match (oldest_wrong, verdict) {
                (Some(index), _) => {
                    self.entries.remove(index);
                }
                (None, true) => {
                    self.entries.pop_front();
                }
                (None, false) => return,
            }
        }
        self.entries.push_back((key, verdict));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    #[tokio::test]
    async fn only_the_right_pair_comes_in() {
        let users = Users::new(BTreeMap::from([("alice".to_owned(), bcrypt::hash("wonder", 4).unwrap())]));
        assert!(users.admit(credentials("alice", "wonder")).await);
        assert!(users.admit(credentials("alice", "wonder")).await, "from the cache");
        assert!(!users.admit(credentials("alice", "wonders")).await);
        assert!(!users.admit(credentials("bob", "wonder")).await);
        assert!(!users.admit(credentials("bob", "")).await);
    }

    #[test]
    fn the_hash_of_nobody_is_a_real_hash() {
        assert_eq!(NOBODY.parse::<bcrypt::HashParts>().unwrap().get_cost(), 10);
    }

    #[test]
    fn the_cache_is_bounded_and_guessers_do_not_evict_the_right() {
        let mut cache = Cache::default();
        let key = |n: usize| key(&credentials(&n.to_string(), ""), "");
        cache.put(key(0), true);
        for n in 1..1000 {
            cache.put(key(n), false);
        }
        assert_eq!(cache.entries.len(), CACHE_ENTRIES);
        assert_eq!(cache.entries.front(), Some(&(key(0), true)));
        for n in 1000..3000 {
            cache.put(key(n), true);
        }
        assert_eq!(cache.entries.len(), CACHE_ENTRIES);
    }

    #[test]
    fn only_basic_is_understood() {
        let parse = |text: &'static str| {
            Credentials::parse(&HeaderValue::from_static(text)).map(|found| (found.user, found.password))
        };
        let alice = Some(("alice".to_owned(), "a:b".to_owned()));
        assert_eq!(parse("Basic YWxpY2U6YTpi"), alice);
        assert_eq!(parse("basic  YWxpY2U6YTpi"), alice);
        assert_eq!(parse("Bearer YWxpY2U6YTpi"), None);
        assert_eq!(parse("Basic ###"), None);
        assert_eq!(parse("Basic"), None);
    }
}
