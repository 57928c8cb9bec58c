//! The way in for browsers: a one-time link or a token is exchanged for a session, and whoever has none is told how to get one.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::{Extension, Form, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use vvtv_toolkit::access::{CODE_LASTS, Refusal, Token};

use super::{ApiError, Shared, console};

/// The longest path that is returned to after the login.
const NEXT_BYTES_MAX: usize = 512;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    /// Why the last attempt did not succeed.
    refused: Option<&'static str>,
    /// Where to go then.
    next: String,
    /// The browser withholds its session from a request that another site's link led to, and shows it with the next one.
    again: bool,
}

#[derive(Deserialize)]
pub(super) struct LoginQuery {
    code: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    token: String,
    #[serde(default)]
    next: String,
}

/// A fresh one-time link.
#[derive(Serialize)]
pub(super) struct Link {
    url: String,
    expires_in_seconds: u64,
}

/// Exchanges the one-time code of a link, or shows the form.
pub(super) async fn page(State(shared): State<Arc<Shared>>, Query(query): Query<LoginQuery>) -> Response {
    let Some(code) = query.code else { return private(StatusCode::OK, None, "/", false) };
    match shared.gate.enter_with_code(&code) {
        Some(cookie) => entered("/", &cookie),
        None => {
            let used = "This link was used already, or is older than 15 minutes.";
            private(StatusCode::UNAUTHORIZED, Some(used), "/", false)
        }
    }
}

/// Exchanges a token.
pub(super) async fn enter(State(shared): State<Arc<Shared>>, Form(form): Form<LoginForm>) -> Response {
    let next = within(&form.next);
    match shared.gate.enter_with_token(form.token.trim()) {
        Some(cookie) => entered(next, &cookie),
        None => private(StatusCode::UNAUTHORIZED, Some("This is no token of this server."), next, false),
    }
}

/// Ends the session in this browser.
pub(super) async fn leave(State(shared): State<Arc<Shared>>) -> Response {
    entered("/login", &shared.gate.leave())
}

/// A one-time link for whoever shows a token, e.g. the verb `login`.
pub(super) async fn link(
    State(shared): State<Arc<Shared>>,
    token: Option<Extension<Token>>,
) -> Result<Json<Link>, ApiError> {
    let Some(Extension(token)) = token else {
        let message = "a link is made for a token only: passwords and proxies ask for themselves";
        return Err(ApiError::BadRequest(message.to_owned()));
    };
    let code = shared.gate.code(&token).map_err(|error| ApiError::Unavailable(error.to_string()))?;
    Ok(Json(Link { url: link_to(&shared.console, &code), expires_in_seconds: CODE_LASTS.as_secs() }))
}

/// The link with a one-time code.
pub(crate) fn link_to(console: &url::Url, code: &str) -> String {
    format!("{console}login?code={code}")
}

/// Says refusals in the form that the asker reads: a page, or JSON.
pub(super) async fn refusals(request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let reads_pages = request.method() == Method::GET && accepts_html(request.headers());
    let led_here = says(request.headers(), "sec-fetch-site", "cross-site")
        && says(request.headers(), "sec-fetch-mode", "navigate");
    let response = next.run(request).await;
    let Some(refusal) = response.extensions().get::<Refusal>().cloned() else { return response };
    if path.starts_with("/webhook/") {
        return response;
    }
    let kept = [header::WWW_AUTHENTICATE, header::RETRY_AFTER];
    let mut answer = if refusal.status == StatusCode::UNAUTHORIZED && reads_pages {
        private(refusal.status, None, within(&path), led_here)
    } else {
        let body = serde_json::json!({"error": refusal.sentence, "reason": null});
        (refusal.status, Json(body)).into_response()
    };
    for name in kept {
        for value in response.headers().get_all(&name) {
            answer.headers_mut().append(&name, value.clone());
        }
    }
    answer
}

fn says(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|said| said == value)
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// A path of this server; anything else would send people elsewhere.
fn within(next: &str) -> &str {
    let elsewhere = next.starts_with("//") || next.contains(['\\', '\n', '\r', '\t']);
    if next.starts_with('/') && !elsewhere && next.len() <= NEXT_BYTES_MAX { next } else { "/" }
}

fn entered(next: &str, cookie: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    keep_secret(&mut response);
    response
}

fn private(status: StatusCode, refused: Option<&'static str>, next: &str, again: bool) -> Response {
    let mut response = console::page(&LoginPage { refused, next: next.to_owned(), again });
    if response.status().is_success() {
        *response.status_mut() = status;
    }
    keep_secret(&mut response);
    response
}

/// The address has a code in it: it goes into no cache, and to no other site.
fn keep_secret(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn nobody_is_sent_elsewhere_after_the_login() {
        for (next, to) in [
            ("/incidents/7", "/incidents/7"),
            ("/?a=b", "/?a=b"),
            ("", "/"),
            ("//evil.example/", "/"),
            ("/\\evil.example/", "/"),
            ("https://evil.example/", "/"),
            ("/\t/evil.example", "/"),
        ] {
            assert_eq!(within(next), to, "{next:?}");
        }
    }
}
