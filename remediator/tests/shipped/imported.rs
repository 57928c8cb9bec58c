//! The original page, imported, differs from the shipped runbooks only where the import asked for a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use vvtv_remediator::verbs::import::{Import, import};
use vvtv_toolkit::yaml;

const PAGE: &str = include_str!("../fixtures/streaming_runbook.md");

/// What a file says, by the places that a decision can be about.
type Said = BTreeMap<String, Vec<String>>;

fn words(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(" "),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key}: {}", words(value))).collect::<Vec<_>>().join("; ")
        }
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Names of steps and what else the page says of them are a matter of taste, and `--format json` is vvtvctl's way of saying the same to programs: neither is compared.
fn said(book: &Value) -> Said {
    let mut said = Said::new();
    for (key, value) in book.as_object().unwrap() {
        match key.as_str() {
            "steps" | "description" => {}
            "recovery" => {
                said.entry(key.clone()).or_default().push(format!("monitor {}", words(&value["monitor"])));
                let stages = value["restore"].as_array().map_or(0, Vec::len);
                said.entry(key.clone()).or_default().push(format!("{stages} stages of restore"));
            }
            // How long it must hold is part of the question.
            "healthy_for" => said.entry("healthy".to_owned()).or_default().push(format!("for {}", words(value))),
            _ if words(value).is_empty() => {}
            _ => said.entry(key.clone()).or_default().push(words(value)),
        }
    }
    for step in book["steps"].as_array().unwrap() {
        let command = words(step.get("run").or_else(|| step.get("shell")).unwrap()).replace(" --format json", "");
        // A limit of its own is what the decision about all steps asks for.
        let (command, limit) =
            command.split_once(" --timeout ").map_or((command.as_str(), None), |(it, limit)| (it, Some(limit)));
        if let Some(limit) = limit {
            said.entry("steps".to_owned()).or_default().push(format!("{command}: within {limit} seconds"));
        }
        let when = step.get("when").map(|when| format!(" when {}", words(when))).unwrap_or_default();
        let line = format!("{}: {command}{when}", words(&step["kind"]));
        said.entry(format!("action {}", step["action"])).or_default().push(line);
    }
    said
}

fn shipped(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    yaml::load(&path).unwrap()
}

fn imported() -> Import {
    import("streaming_runbook.md", PAGE).unwrap()
}

/// Lines of one side alone, by place.
fn differences(page: &Said, ours: &Said) -> Said {
    let places: BTreeSet<_> = page.keys().chain(ours.keys()).cloned().collect();
    let none = Vec::new();
    let mut differences = Said::new();
    for place in places {
        let (page, ours) = (page.get(&place).unwrap_or(&none), ours.get(&place).unwrap_or(&none));
        let gone = page.iter().filter(|line| !ours.contains(line)).map(|line| format!("  - {line}"));
        let new = ours.iter().filter(|line| !page.contains(line)).map(|line| format!("  + {line}"));
        let lines: Vec<_> = gone.chain(new).collect();
        if !lines.is_empty() {
            differences.insert(place, lines);
        }
    }
    differences
}

#[test]
fn the_shipped_runbooks_differ_from_the_page_only_where_somebody_decided() {
    let import = imported();
    let mut text = Vec::new();
    let mut undecided = Vec::new();
    for (file, written) in import.files.iter().take(4) {
        let page: Value = yaml::parse(file, written).unwrap();
        text.push(format!("{file}:"));
        for (place, lines) in differences(&said(&page), &said(&shipped(&format!("runbooks/{file}")))) {
            if !import.decisions.iter().any(|decision| decision.file == *file && decision.about == place) {
                undecided.push(format!("{file}, {place}: {lines:?}"));
            }
            text.push(format!(" {place}"));
            text.extend(lines);
        }
    }
    insta::assert_snapshot!(text.join("\n"));
    assert_eq!(undecided, [] as [String; 0]);
    let names: Vec<_> = import.files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "segment-age.yml",
        "encoder-drops.yml",
        "ingest-down.yml",
        "bitrate-variance.yml",
        "contacts.yml",
        "maintenance.yml",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_shipped_contacts_are_the_page_s_with_a_way_to_reach_them() {
    let import = imported();
    let page: Value = yaml::parse("contacts.yml", &import.files[4].1).unwrap();
    let mut ours = shipped("deploy/remediator.yml")["contacts"].clone();
    for contact in ours.as_array_mut().unwrap() {
        assert_eq!(contact["notify"], serde_json::json!(["pagerduty"]));
        contact["notify"] = serde_json::json!([]);
    }
    assert_eq!(page["contacts"], ours);
}

#[test]
fn the_shipped_maintenance_is_the_page_s_lists_and_what_people_have_of_them() {
    let import = imported();
    let page: Value = yaml::parse("maintenance.yml", &import.files[5].1).unwrap();
    let ours = shipped("deploy/remediator.yml")["maintenance"].clone();
    let (people, machines): (Vec<&Value>, Vec<&Value>) =
        ours.as_array().unwrap().iter().partition(|entry| entry.get("person").is_some());
    let names = |entries: &[&Value]| entries.iter().map(|entry| entry["name"].clone()).collect::<Vec<_>>();
    let lists: Vec<&Value> = page["maintenance"].as_array().unwrap().iter().collect();
    assert_eq!(names(&machines), names(&lists), "a machine goes through every list");
    for (machine, how) in machines.iter().zip(["daily", "weekly", "monthly"]) {
        let run = serde_json::json!(["vvtvctl", "ops", "maintenance", "run", how, "--format", "json"]);
        assert_eq!(machine["steps"][0]["run"], run);
    }
    let items: Vec<&Value> =
        lists.iter().flat_map(|list| list["steps"].as_array().unwrap()).map(|step| &step["title"]).collect();
    let texts: Vec<&Value> = people.iter().map(|entry| &entry["person"]).collect();
    assert_eq!(texts, ["Test failover procedures", "Update runbook procedures", "Disaster recovery test"]);
    assert!(texts.iter().all(|text| items.contains(text)), "{texts:?} of {items:?}");
    // Every key of an entry is one that the import writes, but for whose it is.
    let keys = |entry: &Value| entry.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(machines[0]), keys(lists[0]));
}
