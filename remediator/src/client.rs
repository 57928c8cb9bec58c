//! The verbs that talk to a running server.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use url::Url;
use vvtv_toolkit::text::visible;

use crate::cli::{ClientVerb, TasksVerb};

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
struct Refused {
    error: String,
}

/// Does what the verb says.
///
/// # Errors
/// The server cannot be reached, or refuses.
pub fn main(verb: ClientVerb) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start tokio")?;
    runtime.block_on(run(verb))
}

async fn run(verb: ClientVerb) -> anyhow::Result<()> {
    match verb {
        ClientVerb::Incidents { server, state, json } => incidents(&server.url, &state, json).await,
        ClientVerb::Ack(on) => post(&on.server.url, &format!("incidents/{}/ack", on.incident), &on.by).await,
        ClientVerb::Hold(on) => post(&on.server.url, &format!("incidents/{}/hold", on.incident), &on.by).await,
        ClientVerb::Release(on) => post(&on.server.url, &format!("incidents/{}/release", on.incident), &on.by).await,
        ClientVerb::Approve { on, step } => {
            let said = serde_json::json!({ "by": on.by, "step": step });
            tell(&on.server.url, &format!("incidents/{}/approve", on.incident), &said).await
        }
        ClientVerb::Abort(on) => post(&on.server.url, &format!("incidents/{}/abort", on.incident), &on.by).await,
        ClientVerb::Pause(on) => post(&on.server.url, "pause", &on.by).await,
        ClientVerb::Tasks(TasksVerb::List { server, json }) => tasks(&server.url, json).await,
        ClientVerb::Tasks(TasksVerb::Done { task, by, note, server }) => {
            let said = serde_json::json!({ "by": by, "note": note });
            tell(&server.url, &format!("tasks/{task}/done"), &said).await
        }
        ClientVerb::Resume(on) => post(&on.server.url, "resume", &on.by).await,
    }
}

fn address(server: &Url, path: &str) -> anyhow::Result<Url> {
    let base = format!("{}/api/v1/{path}", server.as_str().trim_end_matches('/'));
    base.parse().with_context(|| format!("{base} is no address"))
}

async fn incidents(server: &Url, state: &str, json: bool) -> anyhow::Result<()> {
    let url = address(server, &format!("incidents?state={state}"))?;
    let body = answer(reqwest::Client::new().get(url), server).await?;
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

async fn tasks(server: &Url, json: bool) -> anyhow::Result<()> {
    let body = answer(reqwest::Client::new().get(address(server, "tasks")?), server).await?;
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

async fn post(server: &Url, path: &str, by: &str) -> anyhow::Result<()> {
    tell(server, path, &serde_json::json!({ "by": by })).await
}

async fn tell(server: &Url, path: &str, said: &serde_json::Value) -> anyhow::Result<()> {
    let request = reqwest::Client::new().post(address(server, path)?).json(said);
    let body = answer(request, server).await?;
    let done: Done = serde_json::from_str(&body).context("cannot read the server's answer")?;
    println!("{}", visible(&done.explanation));
    Ok(())
}

async fn answer(request: reqwest::RequestBuilder, server: &Url) -> anyhow::Result<String> {
    let response = request
        .timeout(std::time::Duration::from_secs(15))
        .send()
        .await
        .with_context(|| format!("cannot reach the remediator at {}", shown(server)))?;
    let status = response.status();
    let body = response.text().await.context("the server's answer broke off")?;
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_str::<Refused>(&body) {
        Ok(refused) => bail!("{}", visible(&refused.error)),
        Err(_) => bail!("the server answers {status}"),
    }
}

/// The address without a password in it.
fn shown(server: &Url) -> String {
    format!("{}://{}:{}", server.scheme(), server.host_str().unwrap_or(""), server.port_or_known_default().unwrap_or(0))
}
