//! The gate before every route: who asks, and whether they may.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::metrics::AccessMetrics;
use super::proxy::Said;
use super::session::{Codes, Session, forget};
use super::token::{Token, authorization, digest, same};
use super::{Access, Caller, How, Role, site};
use crate::web_config::{Credentials, Settings, Verdict, WebConfig};

/// Lets requests pass, or not. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

/// What a program decides about its gate, beside what the web configuration file says.
#[derive(Debug, Default)]
pub struct Rules {
    /// Tokens that are good besides the web configuration's.
    pub own: Vec<Token>,
    /// What everybody may do where nobody can show who they are: no credentials are configured at all.
    pub anonymous: Option<Role>,
    /// What users may do if the web configuration has no `roles`.
    pub unassigned: Option<Role>,
    /// Who may send to routes of [`Access::Webhook`].
    pub sender: Sender,
    /// Names of hosts under which our own pages are reached, besides addresses and `localhost`.
    pub names: Vec<String>,
    /// Whether browsers come by TLS, so that a cookie is kept off plain connections.
    pub secure: bool,
    /// Where refusals are counted.
    pub metrics: AccessMetrics,
}

/// Who may send to a webhook.
#[derive(Clone, Default)]
pub enum Sender {
    /// Nobody.
    #[default]
    Nobody,
    /// Everybody who reaches the port.
    Anybody,
    /// Whoever shows the token with this digest.
    Token([u8; 32]),
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Anybody => "Anybody",
            Self::Token(_) => "Token(…)",
        })
    }
}

impl Sender {
    /// Whoever shows this token.
    #[must_use]
    pub fn with_token(token: &str) -> Self {
        Self::Token(digest(token))
    }
}

#[derive(Debug)]
struct Inner {
    web: WebConfig,
    rules: Rules,
    codes: Codes,
}

/// Why a request was refused; an extension of the answer, for programs that say it in their own form.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The answer's status.
    pub status: StatusCode,
    /// A sentence for people.
    pub sentence: String,
    reason: Reason,
    again_after: Option<Duration>,
    basic: bool,
}

/// The closed list of reasons for a refusal, which is also a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nobody was named, or the credentials are wrong.
    Unauthenticated,
    /// It is known who asks, and they may not.
    Forbidden,
    /// A page of another site asks.
    CrossSite,
    /// Too many passwords were tried.
    TooManyAttempts,
}

impl Reason {
    pub(super) const ALL: [Self; 4] = [Self::Unauthenticated, Self::Forbidden, Self::CrossSite, Self::TooManyAttempts];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::CrossSite => "cross_site",
            Self::TooManyAttempts => "too_many_attempts",
        }
    }
}

/// Somebody who showed who they are; what they may do may be nothing.
struct Identity {
    name: Arc<str>,
    role: Option<Role>,
    how: How,
    token: Option<Token>,
    cookie: Option<String>,
}

impl Identity {
    fn new(name: impl Into<Arc<str>>, role: Option<Role>, how: How) -> Self {
        Self { name: name.into(), role, how, token: None, cookie: None }
    }

    fn of_token(token: &Token, how: How) -> Self {
        let identity = Self::new(Arc::clone(token.name()), Some(token.role()), how);
        Self { token: Some(token.clone()), ..identity }
    }
}

impl Gate {
    /// A gate by the web configuration, as it is at each moment, and the program's own rules.
    #[must_use]
    pub fn new(web: WebConfig, rules: Rules) -> Self {
        Self(Arc::new(Inner { web, rules, codes: Codes::default() }))
    }

    pub(super) async fn pass(&self, access: Access, request: Request, next: Next) -> Response {
        let (parts, body) = request.into_parts();
        let identity = match self.admit(access, &parts).await {
            Ok(identity) => identity,
            Err(refusal) => {
                self.0.rules.metrics.refused(refusal.reason);
                return refusal.into_response();
            }
        };
        let mut request = Request::from_parts(parts, body);
        let mut cookie = None;
        if let Some(Identity { name, role: Some(role), how, token, cookie: renewed }) = identity {
            request.extensions_mut().insert(Caller { name, role, how });
            if let Some(token) = token {
                request.extensions_mut().insert(token);
            }
            cookie = renewed.and_then(|text| HeaderValue::from_str(&text).ok());
        }
        let mut response = next.run(request).await;
        if let Some(cookie) = cookie {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    async fn admit(&self, access: Access, parts: &Parts) -> Result<Option<Identity>, Refusal> {
        if !parts.method.is_safe()
            && let Some(from) =
                site::foreign(&parts.headers, site::host(&parts.headers, &parts.uri), &self.0.rules.names)
        {
            return Err(Refusal::cross_site(&from));
        }
        let Some(needed) = access.role() else {
            return if access == Access::Webhook { self.send(parts).map(|()| None) } else { Ok(None) };
        };
        let settings = self.0.web.settings();
        let identity = self.identify(&settings, parts).await?;
        match identity.role {
            Some(role) if role >= needed => Ok(Some(identity)),
            Some(role) => {
                Err(Refusal::forbidden(format!("{} has the role {role}, and this needs {needed}", identity.name)))
            }
            None => Err(Refusal::forbidden(no_role(&identity))),
        }
    }

    fn send(&self, parts: &Parts) -> Result<(), Refusal> {
        let shown = || match authorization(&parts.headers) {
            Some((scheme, token)) if scheme == "bearer" => Some(digest(token)),
            Some(_) | None => None,
        };
        match &self.0.rules.sender {
            Sender::Anybody => Ok(()),
            Sender::Token(token) if shown().is_some_and(|shown| same(&shown, token)) => Ok(()),
            Sender::Token(_) | Sender::Nobody => {
                Err(Refusal::unauthenticated(false, "the webhook's bearer token is needed"))
            }
        }
    }

    async fn identify(&self, settings: &Settings, parts: &Parts) -> Result<Identity, Refusal> {
        let rules = &self.0.rules;
        if let (Some(role), false) = (rules.anonymous, settings.has_credentials()) {
            return Ok(Identity::new("anonymous", Some(role), How::Anonymous));
        }
        let basic = settings.users.is_some();
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
        if let (Some(proxy), Some(peer)) = (&settings.proxy, peer) {
            match proxy.said(peer, &parts.headers) {
                Said::Nothing => {}
                Said::User(name, role) => return Ok(Identity::new(name, role, How::Proxy)),
                Said::Nonsense => {
                    return Err(Refusal::unauthenticated(basic, "the proxy does not name one user"));
                }
            }
        }
        if parts.headers.contains_key(header::AUTHORIZATION) {
            let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            return self.by_header(settings, parts, peer).await;
        }
        let now = unix_time();
        match Session::shown(&parts.headers, self.tokens(settings), now) {
            Some((session, token)) => {
                let cookie = session.renewed(now).map(|session| session.set_cookie(token, rules.secure));
                Ok(Identity { cookie, ..Identity::of_token(token, How::Session) })
            }
            None => Err(Refusal::unauthenticated(basic, "credentials are needed")),
        }
    }

    async fn by_header(&self, settings: &Settings, parts: &Parts, peer: IpAddr) -> Result<Identity, Refusal> {
        let basic = settings.users.is_some();
        let wrong = || Refusal::unauthenticated(basic, "these credentials are not right");
        let (scheme, shown) = authorization(&parts.headers).ok_or_else(wrong)?;
        match (scheme.as_str(), &settings.users) {
            ("bearer", _) => {
                let token = self.token(settings, shown).ok_or_else(wrong)?;
                Ok(Identity::of_token(&token, How::Token))
            }
            ("basic", Some(users)) => {
                let credentials = Credentials::parse(shown).ok_or_else(wrong)?;
                let (name, role) = (credentials.user().to_owned(), users.role(credentials.user()));
                let role = if users.has_roles() { role } else { self.0.rules.unassigned };
                match users.admit(credentials, peer).await {
                    Verdict::Right => Ok(Identity::new(name, role, How::Password)),
                    Verdict::Wrong => Err(wrong()),
                    Verdict::TooMany { again_after } => Err(Refusal::too_many(again_after)),
                }
            }
            _ => Err(wrong()),
        }
    }

    fn tokens<'a>(&'a self, settings: &'a Settings) -> impl Iterator<Item = &'a Token> {
        self.0.rules.own.iter().chain(&settings.tokens)
    }

    fn token(&self, settings: &Settings, shown: &str) -> Option<Token> {
        let shown = digest(shown);
        // All are looked at, so that the time does not tell which it was.
        self.tokens(settings).fold(None, |found, token| if token.is(&shown) { Some(token.clone()) } else { found })
    }

    /// A one-time code of the program's own first token, if it has one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn own_code(&self) -> std::io::Result<Option<String>> {
        self.0.rules.own.first().map(|token| self.code(token)).transpose()
    }

    /// A one-time code that can be exchanged for a session of this token within [`super::CODE_LASTS`].
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn code(&self, token: &Token) -> std::io::Result<String> {
        self.0.codes.give(token, Instant::now())
    }

    /// Takes over the one-time codes that another gate gave out, of tokens that are good here too: they are good here now, and not there.
    /// Whether the other's own tokens are, so that whoever came in by one is still in.
    #[must_use]
    pub fn take_over(&self, earlier: &Self) -> bool {
        let settings = self.0.web.settings();
        let good = |other: &Token| self.tokens(&settings).any(|token| token.same_as(other));
        self.0.codes.add(earlier.0.codes.take_all(), good);
        earlier.0.rules.own.iter().all(good)
    }

    /// The `Set-Cookie` of a new session for whoever shows a one-time code; the code is good no second time.
    #[must_use]
    pub fn enter_with_code(&self, code: &str) -> Option<String> {
        self.0.codes.take(code, Instant::now()).map(|token| self.session(&token))
    }

    /// The `Set-Cookie` of a new session for whoever shows a token.
    #[must_use]
    pub fn enter_with_token(&self, shown: &str) -> Option<String> {
        self.token(&self.0.web.settings(), shown).map(|token| self.session(&token))
    }

    /// The `Set-Cookie` that ends a session.
    #[must_use]
    pub fn leave(&self) -> String {
        forget(self.0.rules.secure)
    }

    fn session(&self, token: &Token) -> String {
        Session::of(token, unix_time()).set_cookie(token, self.0.rules.secure)
    }
}

fn unix_time() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs())
}

fn no_role(identity: &Identity) -> String {
    let name = &identity.name;
    match identity.how {
        How::Proxy => {
            format!(
                "{name} has no role: none of their groups has one under `trusted_proxy: {{roles: …}}` of the web configuration"
            )
        }
        How::Password | How::Token | How::Session | How::Anonymous => {
            format!(
                "{name} has no role: it is named under `roles:` of the web configuration, as viewer, operator or admin"
            )
        }
    }
}

impl Refusal {
    fn unauthenticated(basic: bool, sentence: &str) -> Self {
        let (status, sentence) = (StatusCode::UNAUTHORIZED, sentence.to_owned());
        Self { status, sentence, reason: Reason::Unauthenticated, again_after: None, basic }
    }

    const fn forbidden(sentence: String) -> Self {
        Self { status: StatusCode::FORBIDDEN, sentence, reason: Reason::Forbidden, again_after: None, basic: false }
    }

    fn cross_site(from: &str) -> Self {
        let sentence = format!("requests from another site are refused ({from})");
        Self { reason: Reason::CrossSite, ..Self::forbidden(sentence) }
    }

    fn too_many(again_after: Duration) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            sentence: "too many passwords were tried from this address".to_owned(),
            reason: Reason::TooManyAttempts,
            again_after: Some(again_after),
            basic: false,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.sentence)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            // Browsers ask for a password where there are any (RFC 9110 §11.6.1).
            if self.basic {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
            }
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.again_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response.extensions_mut().insert(self);
        response
    }
}
