//! Who may do what, tried as an attacker would: no credentials, others' names, other sites, forged headers, old links.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, RequestBuilder};

use crate::program::{ADMIN, Program, WEB, block_on, firing, refused, wait_for, write_private};

const SITE: &str = "webhook: {unauthenticated: true}\n";

fn client() -> ClientBuilder {
    Client::builder().no_proxy().redirect(Policy::none())
}

/// A program with another web configuration, and with an incident.
fn with(web: &str, config: &[(&str, &str)]) -> Program {
    let dir = Program::lay_out(config);
    write_private(&dir.path().join("web.yml"), &format!("{WEB}{web}"));
    write_private(&dir.path().join("hook-token"), "the-token-of-alertmanager");
    Program::start_in(dir)
}

fn url(program: &Program, path: &str) -> String {
    format!("{}{path}", program.base)
}

fn post(program: &Program, path: &str) -> RequestBuilder {
    client().build().unwrap().post(url(program, path))
}

fn status(program: &Program, request: RequestBuilder) -> u16 {
    program.send(request).0
}

fn json(program: &Program, path: &str) -> serde_json::Value {
    let (status, body) = program.get(path);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Lines of the incident's timeline that people made.
fn said(program: &Program) -> Vec<String> {
    let timeline = json(program, "/api/v1/incidents/1")["timeline"].as_array().unwrap().clone();
    let people = timeline.iter().filter(|line| line["event"] == "operator");
    people.map(|line| format!("{} {}", line["reason"].as_str().unwrap(), line["detail"].as_str().unwrap())).collect()
}

fn users(of: &[(&str, Option<&str>)]) -> String {
    let hash = bcrypt::hash("password", 4).unwrap();
    let names: Vec<_> = of.iter().map(|(name, _)| format!("{name}: {hash}")).collect();
    let roles: Vec<_> = of.iter().filter_map(|(name, role)| Some(format!("{name}: {}", role.as_ref()?))).collect();
    format!("basic_auth_users: {{{}}}\nroles: {{{}}}\n", names.join(", "), roles.join(", "))
}

#[test]
fn whoever_shows_nothing_reads_and_does_nothing() {
    let program = with("", &[]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let operations = ["approve", "abort", "hold", "release", "ack", "note"];
    let mut paths: Vec<_> = operations.map(|operation| format!("/api/v1/incidents/1/{operation}")).into();
    paths.extend(
        ["/api/v1/pause", "/api/v1/resume", "/api/v1/tasks/1/done", "/api/v1/login", "/-/reload"].map(str::to_owned),
    );
    for path in &paths {
        assert_eq!(status(&program, post(&program, path).body(r#"{"by":"CTO"}"#)), 401, "{path}");
        let forged = post(&program, path).header("x-forwarded-user", "boss").header("remote-user", "boss");
        assert_eq!(status(&program, forged), 401, "{path}");
        assert_eq!(status(&program, post(&program, path).basic_auth("alice", Some("x"))), 401, "{path}");
    }
    for path in [
        "/",
        "/incidents/1",
        "/api/v1/incidents",
        "/api/v1/incidents/1/output",
        "/incidents/1/bundle",
        "/metrics",
        "/events",
    ] {
        assert_eq!(status(&program, client().build().unwrap().get(url(&program, path))), 401, "{path}");
    }
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(status(&program, client().build().unwrap().get(url(&program, path))), 200, "{path}");
    }
    assert_eq!(said(&program), Vec::<String>::new());
    let metrics = program.get("/metrics").1;
    assert!(
        metrics.contains("vvtv_remediator_http_refused_requests_total{reason=\"unauthenticated\"} 40"),
        "{metrics}"
    );
}

#[test]
fn nobody_signs_as_somebody_else_however_the_header_is_spelled() {
    let program = with(&users(&[("viewer", Some("viewer")), ("ana", Some("operator")), ("guest", None)]), &[]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    // viewer:password and ana:password
    let (viewer, ana) = ("dmlld2VyOnBhc3N3b3Jk", "YW5hOnBhc3N3b3Jk");
    let note = |scheme: &str, credentials: &str| {
        let request =
            post(&program, "/api/v1/incidents/1/note").header("authorization", format!("{scheme}{credentials}"));
        program.send(request.body(r#"{"text":"b","by":"CTO"}"#))
    };
    for scheme in ["Basic ", "BASIC ", "basic ", "Basic  ", "bAsIc   "] {
        let (status, body) = note(scheme, viewer);
        let why = "viewer has the role viewer, and this needs operator";
        assert_eq!((status, body), (403, serde_json::json!({"error": why, "reason": null}).to_string()), "{scheme:?}");
        assert_eq!(note(scheme, ana).0, 200, "{scheme:?}");
    }
    assert_eq!(said(&program), vec!["noted ana: b"; 5]);
    let (status, body) =
        program.send(client().build().unwrap().get(url(&program, "/metrics")).basic_auth("guest", Some("password")));
    assert!(status == 403 && body.contains("guest has no role: it is named under `roles:`"), "{body}");
    let log = program.logged().join("\n");
    assert!(log.contains("user=guest") && !log.contains("user=viewer"), "{log}");
    assert!(!log.contains("login?code="), "people have passwords here:\n{log}");
}

#[test]
fn a_token_that_several_people_share_is_signed_with_and_what_they_say_is_a_remark() {
    let program = with("", &[]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let request = post(&program, "/api/v1/incidents/1/ack").bearer_auth(ADMIN).body(r#"{"by":"CTO"}"#);
    assert_eq!(status(&program, request), 200);
    assert_eq!(said(&program), ["acknowledged tester (says CTO)"]);
}

#[test]
fn alertmanager_s_token_delivers_beside_passwords_and_may_nothing_else() {
    let token = [(SITE, "webhook: {token_file: hook-token}\n")];
    let program = with(&users(&[("ana", Some("admin"))]), &token);
    let deliver =
        || post(&program, "/webhook/alertmanager").header("content-type", "application/json").body(firing("main"));
    assert_eq!(status(&program, deliver()), 401);
    assert_eq!(status(&program, deliver().basic_auth("ana", Some("password"))), 401);
    assert_eq!(status(&program, deliver().bearer_auth(ADMIN)), 401);
    assert_eq!(status(&program, deliver().bearer_auth("the-token-of-alertmanager")), 200);
    for path in ["/api/v1/pause", "/api/v1/incidents/1/abort", "/-/reload"] {
        assert_eq!(status(&program, post(&program, path).bearer_auth("the-token-of-alertmanager")), 401, "{path}");
    }
    assert_eq!(status(&program, post(&program, "/api/v1/pause").basic_auth("ana", Some("password"))), 200);
    let metrics = program.get("/metrics").1;
    for line in ["{code=\"401\"} 3", "{code=\"200\"} 1"] {
        assert!(metrics.contains(&format!("vvtv_remediator_webhook_requests_total{line}")), "{metrics}");
    }
}

#[test]
fn a_page_of_another_site_delivers_nothing() {
    let program = with("", &[]);
    let deliver = |kind: &str| {
        post(&program, "/webhook/alertmanager").header("content-type", kind.to_owned()).body(firing("main"))
    };
    assert_eq!(status(&program, deliver("text/plain").header("origin", "http://evil.example")), 403);
    assert_eq!(status(&program, deliver("text/plain").header("sec-fetch-site", "cross-site")), 403);
    assert_eq!(status(&program, deliver("text/plain")), 415);
    assert_eq!(status(&program, deliver("application/x-www-form-urlencoded")), 415);
    assert_eq!(json(&program, "/api/v1/incidents")["incidents"], serde_json::json!([]));
    assert_eq!(status(&program, deliver("application/json; charset=utf-8")), 200);
}

#[test]
fn who_may_deliver_is_decided_or_nothing_starts() {
    let dir = Program::lay_out(&[(SITE, "")]);
    let (code, said) = refused(dir.path());
    assert!(
        code == Some(1)
            && said.contains("DIR/remediator.yml: who may deliver alerts is not said: `webhook: {token_file: …}`"),
        "{said}"
    );
}

#[test]
fn a_web_configuration_that_others_can_write_is_refused_with_its_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = Program::lay_out(&[]);
    std::fs::set_permissions(dir.path().join("web.yml"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let (code, said) = refused(dir.path());
    let why = "DIR/web.yml: others than its owner can change it (mode 0666): chmod go-w";
    assert!(code == Some(1) && said.contains(why), "{said}");
}

#[test]
fn a_proxy_s_headers_count_from_its_address_alone() {
    let proxy = "trusted_proxy: {addresses: [127.0.0.2], user_header: X-Forwarded-User, groups_header: X-Forwarded-Groups, \
                 roles: {on-call: operator, staff: viewer}}\n";
    let program = with(proxy, &[]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let ack = |from: &str, groups: &str| {
        let client = client().local_address(from.parse::<std::net::IpAddr>().unwrap()).build().unwrap();
        let request = client.post(url(&program, "/api/v1/incidents/1/ack")).header("x-forwarded-user", "ana");
        status(&program, request.header("x-forwarded-groups", groups.to_owned()).body(r#"{"by":"CTO"}"#))
    };
    assert_eq!(ack("127.0.0.1", "on-call"), 401, "not the proxy");
    assert_eq!(ack("127.0.0.3", "on-call"), 401, "not the proxy");
    assert_eq!(
        (ack("127.0.0.2", "staff"), ack("127.0.0.2", "others"), ack("127.0.0.2", "staff,on-call")),
        (403, 403, 200)
    );
    assert_eq!(said(&program), ["acknowledged ana"]);
}

#[test]
fn whoever_guesses_passwords_is_told_to_wait_and_others_are_not() {
    let program = with(&users(&[("ana", Some("viewer"))]), &[]);
    let ask = |from: &str, password: &str| {
        let client = client().local_address(from.parse::<std::net::IpAddr>().unwrap()).build().unwrap();
        let request = client.get(url(&program, "/api/v1/tasks")).basic_auth("ana", Some(password));
        block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
        })
    };
    let guesses: Vec<_> = (0..60).map(|guess| ask("127.0.0.1", &guess.to_string())).collect();
    assert_eq!(guesses[..10], [(401, false); 10]);
    assert!(guesses[10..].contains(&(429, true)), "{guesses:?}");
    assert_eq!(ask("127.0.0.2", "password"), (200, false));
    assert_eq!(ask("127.0.0.1", "password"), (200, false), "right a moment ago, so it is no guess");
    let metrics = program.get("/metrics").1;
    let counted = "vvtv_remediator_http_refused_requests_total{reason=\"too_many_attempts\"} ";
    assert!(metrics.lines().any(|line| line.strip_prefix(counted).is_some_and(|times| times != "0")), "{metrics}");
}

/// The link that the server logged, under its real address.
fn logged_link(program: &Program) -> String {
    let line = wait_for("the link", || {
        let log = program.logged();
        log.iter().find(|line| line.contains("login?code=")).cloned().ok_or_else(|| log.join("\n"))
    });
    let code = line.split("login?code=").nth(1).unwrap().split(['"', ' ']).next().unwrap();
    url(program, &format!("/login?code={code}"))
}

/// Status, cookie as the browser keeps it, and where it is sent.
fn follow(request: RequestBuilder) -> (u16, Option<String>, Option<String>) {
    block_on(async {
        let answer = request.send().await.unwrap();
        let text = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        if let Some(cookie) = text(SET_COOKIE) {
            assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
            assert_eq!(text(reqwest::header::REFERRER_POLICY).as_deref(), Some("no-referrer"));
        }
        let cookie = text(SET_COOKIE).map(|cookie| cookie.split(';').next().unwrap().to_owned());
        (answer.status().as_u16(), cookie, text(LOCATION))
    })
}

#[test]
fn the_first_start_prints_a_link_that_opens_the_console_once() {
    let program = with("", &[]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let link = logged_link(&program);
    let get = |url: &str| client().build().unwrap().get(url.to_owned());
    let (status, cookie, to) = follow(get(&link));
    assert_eq!((status, to.as_deref()), (303, Some("/")));
    let cookie = cookie.unwrap();
    assert_eq!(follow(get(&link)).0, 401, "a second time");
    let code = link.rsplit('=').next().unwrap();
    assert_eq!(program.logged().iter().filter(|line| line.contains(code)).count(), 1);

    let page = |program: &Program| program.send(get(&url(program, "/")).header(COOKIE, &cookie));
    assert_eq!(page(&program).0, 200);
    let form = "application/x-www-form-urlencoded";
    let pause = |origin: &str| {
        let request = post(&program, "/api/v1/pause").header(COOKIE, &cookie).header("content-type", form);
        follow(request.header("origin", origin.to_owned()).body("by=ana"))
    };
    assert_eq!(pause("http://evil.example").0, 403);
    assert_eq!(pause(&program.base), (303, None, Some("/".to_owned())));
    assert!(page(&program).1.contains("All new actions have been paused since"), "{}", page(&program).1);
    assert!(page(&program).1.contains("by operator (says ana)"), "{}", page(&program).1);
    let reload = post(&program, "/-/reload").header(COOKIE, &cookie);
    assert_eq!(self::status(&program, reload), 403, "an operator's session is no admin's");

    let program = program.kill_and_start();
    assert_eq!(page(&program).0, 200, "a session survives a restart");
    std::fs::remove_file(program.path("remediator.operator-token")).unwrap();
    let program = program.kill_and_start();
    assert_eq!(page(&program).0, 401, "and ends with its token");
}

#[test]
fn a_browser_without_a_session_is_told_how_to_get_one_and_comes_back_to_its_page() {
    use std::os::unix::fs::MetadataExt as _;
    let program = with("", &[]);
    assert_eq!(program.deliver(firing("main")).0, 200);
    let ask = |extra: &[(&str, &str)]| {
        let request = client().build().unwrap().get(url(&program, "/incidents/1")).header("accept", "text/html,*/*");
        program.send(extra.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    let (status, page) = ask(&[]);
    assert_eq!(status, 401);
    assert!(page.contains("vvtv-remediator login") && page.contains(r#"name="next" value="/incidents/1""#), "{page}");
    assert!(!page.contains("http-equiv=\"refresh\""), "{page}");
    // A pager's link: the browser withholds a strict cookie from the first request, and shows it with the second.
    let (_, page) = ask(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]);
    assert!(page.contains("http-equiv=\"refresh\""), "{page}");

    let token = std::fs::read_to_string(program.path("remediator.operator-token")).unwrap();
    assert_eq!(std::fs::metadata(program.path("remediator.operator-token")).unwrap().mode() & 0o777, 0o600);
    let enter = |token: &str, next: &str| {
        let form = [("token", token), ("next", next)];
        follow(post(&program, "/login").header("origin", program.base.clone()).form(&form))
    };
    assert_eq!(enter("guess", "/incidents/1").0, 401);
    assert_eq!(enter(token.trim(), "//evil.example/").2.as_deref(), Some("/"));
    let (status, cookie, to) = enter(token.trim(), "/incidents/1");
    assert_eq!((status, to.as_deref()), (303, Some("/incidents/1")));
    assert_eq!(ask(&[("cookie", &cookie.unwrap())]).0, 200);
}

#[test]
fn the_command_line_shows_the_server_s_own_token_and_makes_links() {
    let program = with("", &[]);
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vvtv-remediator"));
        let output = command.args(arguments).args(["--server", &program.base]).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), said)
    };
    let config = program.path("remediator.yml").display().to_string();
    let (good, said) = run(&["login", "--config.file", &config]);
    let code = said.trim().strip_prefix("http://127.0.0.1:10048/login?code=");
    assert!(good && code.is_some(), "{said}");
    let link = url(&program, &format!("/login?code={}", code.unwrap()));
    assert_eq!(follow(client().build().unwrap().get(link)).0, 303);
    assert_eq!(
        run(&["pause", "--by", "ana", "--config.file", &config]),
        (true, "All new actions are paused.\n".to_owned())
    );
    let file = program.path("admin-token").display().to_string();
    assert!(run(&["resume", "--token-file", &file]).0);
    let why =
        "vvtv-remediator: credentials are needed (name a token with --token-file, or the server's --config.file)\n";
    assert_eq!(run(&["pause"]), (false, why.to_owned()));
}
