//! Who may do what: roles, the callers who have them, and routes that say which role they need.
//!
//! The one place that knows names. A [`Gate`] finds out who asks, from a password, a token, a trusted proxy's headers or a session;
//! [`Routes`] puts it before every handler, and hands the [`Caller`] on as an extension of the request. A handler that reads
//! credentials itself would be a second opinion about who somebody is.

mod gate;
mod guesses;
mod metrics;
mod proxy;
mod routes;
mod session;
mod site;
mod token;

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

pub use self::gate::{Gate, Refusal, Rules, Sender};
pub(crate) use self::guesses::Guesses;
pub use self::metrics::AccessMetrics;
pub(crate) use self::proxy::{Cidr, TrustedProxy};
pub use self::routes::{App, Declared, Routes};
pub use self::session::CODE_LASTS;
pub use self::token::{Token, TokenError, read_token};

/// What somebody may do; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Acts on what goes on.
    Operator,
    /// Changes what the program is.
    Admin,
}

impl Role {
    /// The role's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a route asks of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Nothing: health, and the way in.
    Open,
    /// At least [`Role::Viewer`].
    Viewer,
    /// At least [`Role::Operator`].
    Operator,
    /// [`Role::Admin`].
    Admin,
    /// The token of the program that sends, and no role at all.
    Webhook,
}

impl Access {
    /// The access's one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Webhook => "webhook",
        }
    }

    pub(crate) const fn role(self) -> Option<Role> {
        match self {
            Self::Open | Self::Webhook => None,
            Self::Viewer => Some(Role::Viewer),
            Self::Operator => Some(Role::Operator),
            Self::Admin => Some(Role::Admin),
        }
    }
}

/// Somebody who was let in; an extension of every request of a route that needs a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's or the token's name.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
    /// How they showed who they are.
    pub how: How,
}

/// How a caller showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum How {
    /// A user name and a password (RFC 7617).
    Password,
    /// A bearer token (RFC 6750).
    Token,
    /// A session cookie, which a token was exchanged for.
    Session,
    /// The headers of a trusted proxy.
    Proxy,
    /// Not at all: the program asks nobody.
    Anonymous,
}
