//! What a server means by its answer to `connect`. Pure.
//!
//! Sources: Adobe RTMP 1.0 §7.2.1.1; what Adobe's server, Wowza and their clients exchange where a password is wanted: an `_error` whose
//! description says `authmod=adobe`, `authmod=llnw` or `code=403 need auth`; a redirect is an `_error` with `ex.code` 302.

use super::amf::{Value, values};

/// Characters of what a server says that are shown.
const SAID_MAX: usize = 200;

/// Words by which servers ask for a name and a password, or refuse those that came.
const ASKS_FOR_AUTH: [&str; 12] = [
    "authmod",
    "need auth",
    "needauth",
    "authfailed",
    "nosuchuser",
    "code=401",
    "code=403",
    "accessmanager.reject",
    "unauthorized",
    "not authorized",
    "authentication",
    "authorization",
];

/// The server's answer to `connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `_result`
    Accepted,
    /// `_error` that asks for a name and a password.
    AuthRequired,
    /// `_error` that names another server.
    Redirected,
    /// `_error`, and what the server says; nothing where it says nothing.
    Refused(String),
}

/// Reads a command; none if it is no answer to `connect`.
pub(super) fn reply(body: &[u8]) -> Option<Reply> {
    let values = values(body);
    match values.first()?.text()? {
        "_result" => Some(Reply::Accepted),
        "_error" => Some(refusal(&values, body)),
        // Some refuse with a status event.
        "onStatus" => Some(refusal(&values, body)).filter(|_| {
            let code = |value: &Value| Some(value.property("code")?.text()?.to_ascii_lowercase());
            let codes = values.iter().filter_map(code);
            codes.into_iter().any(|code| code.starts_with("netconnection.connect.") && !code.ends_with(".success"))
        }),
        _ => None,
    }
}

fn refusal(values: &[Value], body: &[u8]) -> Reply {
    let property = |name: &str| values.iter().find_map(|value| value.property(name));
    let ex = property("ex");
    let ex_code = ex.and_then(|ex| ex.property("code")?.number());
    let text = |name: &str| property(name).and_then(Value::text).unwrap_or_default();
    let (code, description) = (text("code"), text("description"));
    if ex_code == Some(302.0) || ex.is_some_and(|ex| ex.property("redirect").is_some()) || mentions(code, &["redirect"])
    {
        return Reply::Redirected;
    }
    // An answer in AMF 3 has its texts in it all the same.
    let raw = if description.is_empty() { String::from_utf8_lossy(body).into_owned() } else { String::new() };
    let asks = [code, description, &raw].iter().any(|text| mentions(text, &ASKS_FOR_AUTH));
    if asks || ex_code == Some(401.0) || ex_code == Some(403.0) {
        return Reply::AuthRequired;
    }
    let said = if description.is_empty() { code } else { description };
    Reply::Refused(said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_MAX).collect())
}

fn mentions(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::super::wire::{push_bare, push_number, push_string};
    use super::*;
    use rstest::rstest;

    fn object(properties: &[(&str, &str)], ex: Option<(f64, &str)>) -> Vec<u8> {
        let mut body = vec![0x03];
        for (name, value) in properties {
            push_bare(&mut body, name);
            push_string(&mut body, value);
        }
        if let Some((code, redirect)) = ex {
            push_bare(&mut body, "ex");
            body.push(0x03);
            push_bare(&mut body, "code");
            push_number(&mut body, code);
            push_bare(&mut body, "redirect");
            push_string(&mut body, redirect);
            body.extend([0, 0, 9]);
        }
        body.extend([0, 0, 9]);
        body
    }

    fn command(name: &str, info: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        push_string(&mut body, name);
        push_number(&mut body, 1.0);
        body.push(0x05);
        body.extend(info);
        body
    }

    const REJECTED: (&str, &str) = ("code", "NetConnection.Connect.Rejected");

    #[rstest]
    #[case("[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ", Reply::AuthRequired)]
    #[case("[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=a&nonce=b", Reply::AuthRequired)]
    #[case("[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=vgoAAA==", Reply::AuthRequired)]
    #[case("Authentication failed", Reply::AuthRequired)]
    #[case("Application not found\r\n\u{1b}[1m", Reply::Refused("Application not found   [1m".to_owned()))]
    #[case("", Reply::Refused("NetConnection.Connect.Rejected".to_owned()))]
    fn what_an_error_means_is_read_from_its_description(#[case] description: &str, #[case] expected: Reply) {
        let info = object(&[("level", "error"), REJECTED, ("description", description)], None);
        assert_eq!(reply(&command("_error", &info)), Some(expected.clone()));
        assert_eq!(reply(&command("onStatus", &info)), Some(expected));
    }

    #[rstest]
    #[case(302.0, "rtmp://192.0.2.9/live")]
    #[case(0.0, "rtmp://192.0.2.9/live")]
    fn a_redirect_is_an_answer(#[case] code: f64, #[case] target: &str) {
        let info = object(&[REJECTED, ("description", "[ AccessManager.Reject ]")], Some((code, target)));
        assert_eq!(reply(&command("_error", &info)), Some(Reply::Redirected));
    }

    #[test]
    fn what_is_no_answer_is_passed_over() {
        let success = object(&[("code", "NetConnection.Connect.Success")], None);
        assert_eq!(reply(&command("_result", &success)), Some(Reply::Accepted));
        assert_eq!(reply(&command("onStatus", &success)), None);
        assert_eq!(reply(&command("onBWDone", &[])), None);
        assert_eq!(reply(&[]), None);
        let torn = [command("_error", &[]), vec![0x11, 0x0A], b"\x0bauthmod=adobe".to_vec()].concat();
        assert_eq!(reply(&torn), Some(Reply::AuthRequired));
        assert_eq!(reply(&command("_error", &[])), Some(Reply::Refused(String::new())));
        let long = object(&[("description", &"x".repeat(1000))], None);
        assert_eq!(reply(&command("_error", &long)), Some(Reply::Refused("x".repeat(SAID_MAX))));
    }
}
