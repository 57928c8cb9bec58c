//! The verbs that talk to a running server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use url::{Host, Url};
use vvtv_toolkit::access::read_token;
use vvtv_toolkit::text::visible;

use crate::config::{self, SecretFiles};
use crate::verbs::{ClientVerb, OnAll, OnIncident, Server, TasksVerb};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
struct List {
    incidents: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    runbook: String,
    target: String,
    phase: String,
    reason: String,
    opened_at: String,
    level: Option<u8>,
}

#[derive(Deserialize)]
struct Tasks {
    open: Vec<TaskRow>,
    recent: Vec<TaskRow>,
}

#[derive(Deserialize)]
struct TaskRow {
    id: u32,
    name: String,
    title: String,
    owner: u8,
    state: String,
    reason: String,
    due_at: String,
    done_at: Option<String>,
    failure: Option<String>,
}

#[derive(Deserialize)]
struct Done {
    explanation: String,
}

#[derive(Deserialize)]
struct Link {
    url: String,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// Does what the verb says.
///
/// # Errors
/// The server cannot be reached, or refuses.
pub(crate) fn main(verb: ClientVerb) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start tokio")?;
    runtime.block_on(run(verb))
}

async fn run(verb: ClientVerb) -> anyhow::Result<()> {
    match verb {
        ClientVerb::Incidents { server, state, json } => incidents(&Remote::new(&server)?, &state, json).await,
        ClientVerb::Ack(on) => on_incident(&on, "ack").await,
        ClientVerb::Hold(on) => on_incident(&on, "hold").await,
        ClientVerb::Release(on) => on_incident(&on, "release").await,
        ClientVerb::Approve { on, step } => {
            let said = serde_json::json!({ "by": on.by, "step": step });
            Remote::new(&on.server)?.tell(&format!("incidents/{}/approve", on.incident), &said).await
        }
        ClientVerb::Abort(on) => on_incident(&on, "abort").await,
        ClientVerb::Pause(on) => on_all(&on, "pause").await,
        ClientVerb::Resume(on) => on_all(&on, "resume").await,
        ClientVerb::Login { server } => login(&Remote::new(&server)?).await,
        ClientVerb::Tasks(TasksVerb::List { server, json }) => tasks(&Remote::new(&server)?, json).await,
        ClientVerb::Tasks(TasksVerb::Done { task, by, note, server }) => {
            let said = serde_json::json!({ "by": by, "note": note });
            Remote::new(&server)?.tell(&format!("tasks/{task}/done"), &said).await
        }
    }
}

async fn on_incident(on: &OnIncident, operation: &str) -> anyhow::Result<()> {
    let path = format!("incidents/{}/{operation}", on.incident);
    Remote::new(&on.server)?.tell(&path, &serde_json::json!({ "by": on.by })).await
}

async fn on_all(on: &OnAll, operation: &str) -> anyhow::Result<()> {
    Remote::new(&on.server)?.tell(operation, &serde_json::json!({ "by": on.by })).await
}

/// A running server, and the token that is shown to it.
struct Remote {
    base: Url,
    client: reqwest::Client,
    token: Option<String>,
    /// Why no token is shown, for whom the server wants one of.
    hint: String,
}

impl Remote {
    fn new(server: &Server) -> anyhow::Result<Self> {
        let (token, hint) = token(server)?;
        let client = reqwest::Client::builder().timeout(TIMEOUT).build().context("cannot set up the HTTP client")?;
        Ok(Self { base: server.url.clone(), client, token, hint })
    }

    fn address(&self, path: &str) -> anyhow::Result<Url> {
        let base = format!("{}/api/v1/{path}", self.base.as_str().trim_end_matches('/'));
        base.parse().with_context(|| format!("{base} is no address"))
    }

    async fn get(&self, path: &str) -> anyhow::Result<String> {
        self.answer(self.client.get(self.address(path)?)).await
    }

    async fn post(&self, path: &str, said: &serde_json::Value) -> anyhow::Result<String> {
        self.answer(self.client.post(self.address(path)?).json(said)).await
    }

    async fn tell(&self, path: &str, said: &serde_json::Value) -> anyhow::Result<()> {
        let body = self.post(path, said).await?;
        let done: Done = serde_json::from_str(&body).context("cannot read the server's answer")?;
        println!("{}", visible(&done.explanation));
        Ok(())
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let server = &self.base;
        let response =
            request.send().await.with_context(|| format!("cannot reach the remediator at {}", shown(server)))?;
        let status = response.status();
        let body = response.text().await.context("the server's answer broke off")?;
        if status.is_success() {
            return Ok(body);
        }
        let said = match serde_json::from_str::<Refused>(&body) {
            Ok(refused) => refused.error,
            Err(_) => format!("the server answers {status}"),
        };
        if status == reqwest::StatusCode::UNAUTHORIZED {
            bail!("{} ({})", visible(&said), self.hint);
        }
        bail!("{}", visible(&said))
    }
}

/// The token to show, and a hint for when the server does not take it.
///
/// The server's own token is shown to the server of this machine only: another address may be anybody's.
fn token(server: &Server) -> anyhow::Result<(Option<String>, String)> {
    if let Some(file) = &server.token_file {
        return Ok((Some(read_token(file)?), format!("the token in {} was shown", file.display())));
    }
    if !server.url.username().is_empty() {
        return Ok((None, "the user and password in the address were shown".to_owned()));
    }
    let default = Path::new("remediator.yml");
    let path = match &server.config_file {
        Some(path) => path,
        None if default.exists() => default,
        None => return Ok((None, "name a token with --token-file, or the server's --config.file".to_owned())),
    };
    let config = config::load(path, SecretFiles::Report)?;
    if !is_here(&server.url) && server.url.host_str() != config.external_url.host_str() {
        return Ok((None, format!("{} is not this machine: name a token with --token-file", shown(&server.url))));
    }
    let file = config.operator_token_file();
    match read_token(&file) {
        Ok(token) => Ok((Some(token), format!("the token in {} was shown", file.display()))),
        Err(error) => Ok((None, error.to_string())),
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

async fn login(remote: &Remote) -> anyhow::Result<()> {
    let body = remote.post("login", &serde_json::json!({})).await?;
    let link: Link = serde_json::from_str(&body).context("cannot read the server's answer")?;
    println!("{}", link.url);
    Ok(())
}

async fn incidents(remote: &Remote, state: &str, json: bool) -> anyhow::Result<()> {
    let body = remote.get(&format!("incidents?state={state}")).await?;
    if json {
        println!("{body}");
        return Ok(());
    }
    let list: List = serde_json::from_str(&body).context("cannot read the server's answer")?;
    println!("{:>5}  {:<16} {:<20} {:<18} {:<22} {:<4} SINCE", "ID", "TARGET", "RUNBOOK", "PHASE", "REASON", "LVL");
    for row in list.incidents {
        let level = row.level.map_or_else(String::new, |level| format!("L{level}"));
        println!(
            "{:>5}  {:<16} {:<20} {:<18} {:<22} {level:<4} {}",
            row.id,
            visible(&row.target),
            visible(&row.runbook),
            visible(&row.phase),
            visible(&row.reason),
            visible(&row.opened_at)
        );
    }
    Ok(())
}

async fn tasks(remote: &Remote, json: bool) -> anyhow::Result<()> {
    let body = remote.get("tasks").await?;
    if json {
        println!("{body}");
        return Ok(());
    }
    let list: Tasks = serde_json::from_str(&body).context("cannot read the server's answer")?;
    println!("{:>5}  {:<20} {:<8} {:<5} {:<16} {:<24}  TASK", "ID", "NAME", "STATE", "OWNER", "REASON", "DUE OR DONE");
    for row in list.open.iter().chain(&list.recent) {
        let owner = format!("L{}", row.owner);
        let at = row.done_at.as_deref().unwrap_or(&row.due_at);
        let what = row.failure.as_ref().map_or_else(|| row.title.clone(), |why| format!("{}: {why}", row.title));
        let line =
            format!("{:>5}  {:<20} {:<8} {owner:<5} {:<16} {at:<24}  {what}", row.id, row.name, row.state, row.reason);
        println!("{}", visible(&line));
    }
    Ok(())
}

/// The address without a password in it.
fn shown(server: &Url) -> String {
    format!("{}://{}:{}", server.scheme(), server.host_str().unwrap_or(""), server.port_or_known_default().unwrap_or(0))
}
