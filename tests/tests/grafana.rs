//! The dashboards: every query yields data on the real stack, and the JSON is what Grafana's own types say.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails in a helper fails the test")]

mod repository;

use std::process::Command;
use std::time::Duration;

use repository::{text, tracked};
use serde_json::Value;
use vvtv_tests::faults::Fault;
use vvtv_tests::{Lab, Seen, Settings, programs, wait_for};

fn dashboards() -> Vec<String> {
    tracked(".json").into_iter().filter(|file| file.starts_with("grafana/dashboards/")).collect()
}

/// Title and query of every panel, with Grafana's variables filled in.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap_or("?").to_owned();
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| (title.clone(), target["expr"].as_str().unwrap_or_default().to_owned()))
    });
    let filled = targets
        .map(|(title, query)| (title, query.replace("$__rate_interval", "15s").replace("$stream", "main")))
        .collect::<Vec<_>>();
    assert!(filled.iter().all(|(_, query)| !query.contains('$') && !query.is_empty()), "{filled:?}");
    filled
}

/// Queries that have never yielded anything: an alert is over before people look, and so is an incident.
async fn without_data(lab: &Lab, missing: &[(String, String)]) -> Vec<(String, String)> {
    let mut still = Vec::new();
    for (title, query) in missing {
        match lab.ask().query(query).await {
            Ok(samples) if !samples.is_empty() => {}
            Ok(_) => still.push((title.clone(), query.clone())),
            Err(error) => panic!("{title}: {error:#}"),
        }
    }
    still
}

#[tokio::test]
async fn every_query_yields_data_while_a_fault_is_repaired() -> anyhow::Result<()> {
    let mut missing: Vec<(String, String)> = Vec::new();
    for file in dashboards() {
        missing.extend(queries(&serde_json::from_str(&text(&file))?));
    }
    assert!(missing.len() > 30, "{}", missing.len());
    let lab = Settings::default().start().await?;
    Fault::EncoderKilled.cause(lab.site())?;
    // Only people's messages stay away: this fault is repaired without any.
    missing.retain(|(title, _)| title != "Messages to people");
    let missing = std::sync::Mutex::new(missing);
    wait_for("every query to yield data", Duration::from_secs(60), || async {
        let before = missing.lock().unwrap().clone();
        let still = without_data(&lab, &before).await;
        missing.lock().unwrap().clone_from(&still);
        if still.is_empty() { Seen::Yes(()) } else { Seen::NotYet(format!("no data for {still:#?}")) }
    })
    .await
}

#[test]
#[ignore = "needs Node and the npm registry: cargo test -p vvtv-tests --test grafana -- --ignored"]
fn the_dashboards_are_what_grafanas_types_say() {
    let place = programs::own_directory().unwrap().join("grafana-types");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("package.json"), r#"{"name": "check", "private": true, "type": "module"}"#).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(&place).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stdout));
    };
    run("npm", &["install", "--no-audit", "--no-fund", "--ignore-scripts", "@grafana/schema@13.2.3", "typescript@5"]);
    for file in dashboards() {
        // JSON has no enums: their values stand as plain strings.
        let typed = format!(
            "import type {{ Dashboard }} from \"@grafana/schema\";\n\
             type Plain<T> = T extends string ? `${{T}}` : T extends object ? {{ [K in keyof T]: Plain<T[K]> }} : T;\n\
             export const dashboard: Plain<Dashboard> = {};\n",
            text(&file)
        );
        std::fs::write(place.join("dashboard.ts"), typed).unwrap();
        let options = "--noEmit --strict --skipLibCheck --moduleResolution bundler --module esnext --target es2022";
        let arguments: Vec<&str> = ["tsc"].into_iter().chain(options.split(' ')).chain(["dashboard.ts"]).collect();
        run("npx", &arguments);
    }
}
