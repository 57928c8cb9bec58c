//! Basic authentication against bcrypt hashes.
//!
//! An unknown user costs as much as a known one (a bcrypt of nothing), hashing runs off the async threads and in the lanes of
//! [`Guesses`], and results are remembered in bounded caches, because a scraper presents the same credentials every second.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

use crate::access::{Guesses, Role};

/// Results of each kind that are remembered.
const CACHE_ENTRIES: usize = 100;

/// What an unknown user is compared with: a hash that no password has, at bcrypt's usual cost.
const NOBODY: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// The users who may come in.
pub(crate) struct Users {
    users: BTreeMap<String, User>,
    has_roles: bool,
    right: Cache,
    wrong: Cache,
    guesses: Guesses,
}

/// One of them.
pub(super) struct User {
    pub(super) hash: String,
    pub(super) role: Option<Role>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = self.users.iter().map(|(name, user)| (name, user.role));
        f.debug_map().entries(roles).finish()
    }
}

/// A user name and a password as presented.
pub(crate) struct Credentials {
    user: String,
    password: String,
}

/// What credentials come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are a user's.
    Right,
    /// They are nobody's.
    Wrong,
    /// They are not looked at: too many were tried.
    TooMany {
        /// When to come again.
        again_after: Duration,
    },
}

impl Credentials {
    /// Reads what follows `Basic` (RFC 7617).
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let plain = String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok()?;
        let (user, password) = plain.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}

impl Users {
    /// `has_roles` says whether the file names roles at all.
    pub(super) fn new(users: BTreeMap<String, User>, has_roles: bool) -> Self {
        Self { users, has_roles, right: Cache::default(), wrong: Cache::default(), guesses: Guesses::new() }
    }

    pub(crate) const fn has_roles(&self) -> bool {
        self.has_roles
    }

    pub(crate) fn role(&self, user: &str) -> Option<Role> {
        self.users.get(user)?.role
    }

    /// Users who may do nothing.
    pub(super) fn without_role(&self) -> impl Iterator<Item = &str> {
        self.users.iter().filter(|(_, user)| user.role.is_none()).map(|(name, _)| name.as_str())
    }

    /// Whether these credentials are right. Those that were right before cost nothing, whoever guesses meanwhile.
    pub(crate) async fn admit(&self, credentials: Credentials, from: IpAddr) -> Verdict {
        let known = self.users.get(&credentials.user);
        let hash = known.map_or(NOBODY, |user| &user.hash).to_owned();
        let key = key(&credentials, &hash);
        if let Some(verdict) = self.remembered(key) {
            return verdict;
        }
        let check = match self.guesses.begin(from, Instant::now()) {
            Ok(check) => check,
            Err(again_after) => return Verdict::TooMany { again_after },
        };
        let Some(turn) = check.turn().await else { return Verdict::Wrong };
        // Another request with the same credentials may have been checked while this one waited its turn.
        if let Some(verdict) = self.remembered(key) {
            return verdict;
        }
        let known = known.is_some();
        let checked = tokio::task::spawn_blocking(move || bcrypt::verify(&credentials.password, &hash)).await;
        drop(turn);
        if known && matches!(checked, Ok(Ok(true))) {
            self.right.put(key);
            check.right();
            return Verdict::Right;
        }
        self.wrong.put(key);
        Verdict::Wrong
    }

    fn remembered(&self, key: Key) -> Option<Verdict> {
        match (self.right.has(key), self.wrong.has(key)) {
            (true, _) => Some(Verdict::Right),
            (false, true) => Some(Verdict::Wrong),
            (false, false) => None,
        }
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

/// The newest keys of one kind. Right and wrong ones have one each: a guesser must not push the scraper out.
#[derive(Default)]
struct Cache(Mutex<VecDeque<Key>>);

impl Cache {
    fn put(&self, key: Key) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= CACHE_ENTRIES {
            keys.pop_front();
        }
        keys.push_back(key);
    }

    fn has(&self, key: Key) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    fn alice() -> Users {
        let user = User { hash: bcrypt::hash("wonder", 4).unwrap(), role: None };
        Users::new(BTreeMap::from([("alice".to_owned(), user)]), false)
    }

    #[tokio::test]
    async fn only_the_right_pair_comes_in() {
        let users = alice();
        assert_eq!(users.admit(credentials("alice", "wonder"), HERE).await, Verdict::Right);
        assert_eq!(users.admit(credentials("alice", "wonder"), HERE).await, Verdict::Right, "from the cache");
        assert_eq!(users.admit(credentials("alice", "wonders"), HERE).await, Verdict::Wrong);
        assert_eq!(users.admit(credentials("bob", "wonder"), HERE).await, Verdict::Wrong);
        assert_eq!(users.admit(credentials("bob", ""), HERE).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn whoever_guesses_waits_and_nobody_else() {
        let users = alice();
        assert_eq!(users.admit(credentials("alice", "wonder"), HERE).await, Verdict::Right);
        let mut seen = Vec::new();
        for guess in 0..100 {
            seen.push(users.admit(credentials("alice", &guess.to_string()), HERE).await);
        }
        let wrong = seen.iter().filter(|verdict| **verdict == Verdict::Wrong).count();
        assert!((10..20).contains(&wrong), "{seen:?}");
        assert!(matches!(seen.last(), Some(Verdict::TooMany { .. })), "{seen:?}");
        assert_eq!(users.admit(credentials("alice", "wonder"), HERE).await, Verdict::Right, "who was right before");
        let elsewhere = Ipv4Addr::new(192, 0, 2, 1).into();
        users.right.0.lock().unwrap().clear();
        assert_eq!(users.admit(credentials("alice", "wonder"), elsewhere).await, Verdict::Right, "another address");
    }

    #[test]
    fn the_hash_of_nobody_is_a_real_hash() {
        assert_eq!(NOBODY.parse::<bcrypt::HashParts>().unwrap().get_cost(), 10);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let cache = Cache::default();
        for n in 0..1000 {
            cache.put(key(&credentials(&n.to_string(), ""), ""));
        }
        assert_eq!(cache.0.lock().unwrap().len(), CACHE_ENTRIES);
        assert!(cache.has(key(&credentials("999", ""), "")));
    }

    #[test]
    fn a_user_ends_at_the_first_colon() {
        let parse = |text| Credentials::parse(text).map(|found| (found.user, found.password));
        assert_eq!(parse("YWxpY2U6YTpi"), Some(("alice".to_owned(), "a:b".to_owned())));
        assert_eq!([parse("###"), parse(""), parse("YWxpY2U=")], [None, None, None]);
    }
}
