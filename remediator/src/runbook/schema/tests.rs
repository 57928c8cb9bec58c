use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::runbook::platform::Platform;
use crate::runbook::{Site, build};
use crate::source::Source;

/// Whether the schema takes a document.
struct Judge {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let mut schemas = boon::Schemas::new();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource("runbook.json", schema()).unwrap();
        let index = compiler.compile("runbook.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn says(&self, document: &Value) -> Result<(), String> {
        self.schemas.validate(document, self.index).map_err(|error| format!("{error:#}"))
    }
}

fn shipped() -> Vec<(PathBuf, Value)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.to_str().is_some_and(|name| name.ends_with(".yml") && !name.ends_with(".test.yml")));
    files.sort();
    files.into_iter().map(|file| (file.clone(), Source::read(&file).unwrap().parse().unwrap())).collect()
}

/// What the parser says of a document: its shape is wrong, its meaning is wrong, or it is a runbook.
#[derive(Debug, PartialEq, Eq)]
enum Parser {
    Shape(String),
    Meaning,
    Runbook,
}

fn parser(document: &Value) -> Parser {
    // JSON is YAML.
    let source = Source::from_text(PathBuf::from("book.yml"), serde_json::to_string(document).unwrap());
    if let Err(error) = source.parse::<file::File>() {
        return Parser::Shape(error.message().to_owned());
    }
    let argv = crate::runbook::VariableText::One("restart-nginx".to_owned());
    let variables: BTreeMap<_, _> = [("restart_nginx".to_owned(), crate::runbook::Variable::new(argv).unwrap())].into();
    let takes = |platform| build::book(source.clone(), &Site { platform, variables: variables.clone() }).is_ok();
    let both = takes(Platform::Linux) && takes(Platform::Macos);
    if both { Parser::Runbook } else { Parser::Meaning }
}

/// Every document that differs from the given one in one place: a key or element left out, a key too many, a value of another kind.
fn mutations(value: &Value) -> Vec<Value> {
    let mut all = vec![json!([{}]), json!({"nothing": {}})];
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let with = |inner: Value| {
                    let mut map = map.clone();
                    map.insert(key.clone(), inner);
                    Value::Object(map)
                };
                let mut without = map.clone();
                without.remove(key);
                all.push(Value::Object(without));
                all.extend(mutations(inner).into_iter().map(with));
            }
            let mut more = map.clone();
            more.insert("surprise".to_owned(), json!("x"));
            all.push(Value::Object(more));
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                all.extend(mutations(inner).into_iter().map(|inner| {
                    let mut items = items.clone();
                    items[index] = inner;
                    Value::Array(items)
                }));
            }
            all.push(json!([]));
        }
        // The parser also takes a number for a text; an editor asks for quotes.
        Value::String(_) => all.extend([json!("…"), json!("5m"), json!("")]),
        Value::Number(_) | Value::Bool(_) => all.extend([json!("…"), json!(-1), json!(true)]),
        Value::Null => {}
    }
    all
}

#[test]
fn the_shipped_runbooks_are_valid() {
    let judge = Judge::new();
    let books = shipped();
    assert_eq!(books.len(), 4);
    for (file, document) in books {
        assert_eq!(judge.says(&document), Ok(()), "{}", file.display());
    }
}

/// Every key of the language, once.
const SPECIMEN: &str = "\
id: specimen
title: A specimen
symptoms: it stands still
impact: nobody sees it
description: it began in May
undecided: []
alerts: [Specimen]
severity: major
target: stream
causes: [other]
healthy: min(up)
healthy_for: 1m
respond_within: 5m
escalate: {level: 2, after: 10m}
limits: {changes_per_hour: 4}
mode: approve
steps:
  - {id: look, kind: diagnose, background: true, reads_only: true, run: {linux: [ls, 1], macos: [ls]}, timeout: 5s, output: text}
  - id: mend
    title: Mend it
    action: 1
    kind: change
    when: {all: [{expr: target == 'main'}, {any: [{promql: up}]}]}
    run: [{var: restart_nginx}, '{{ target }}']
    locks: [a]
    settle: 5s
    repeatable: true
    attempts: 2
    efficacy_floor: 0.3
    on_failure: continue
recovery:
  monitor: 15m
  restore: [{apply: {id: back, shell: ls}, undo: {id: again, shell: {linux: ls, macos: ls}}}]
";

#[test]
fn schema_and_parser_agree_about_every_mutation_of_a_specimen() {
    let judge = Judge::new();
    let specimen = Source::from_text(PathBuf::from("specimen.yml"), SPECIMEN.to_owned()).parse().unwrap();
    assert_eq!((parser(&specimen), judge.says(&specimen)), (Parser::Runbook, Ok(())));
    let (mut refused, mut taken, mut disagreements) = (0, 0, BTreeSet::new());
    for mutation in mutations(&specimen) {
        match (parser(&mutation), judge.says(&mutation)) {
            (Parser::Shape(why), Ok(())) => _ = disagreements.insert(format!("only the parser refuses it: {why}")),
            (Parser::Runbook, Err(why)) => _ = disagreements.insert(format!("only the schema refuses it: {why}")),
            (Parser::Runbook, Ok(())) => taken += 1,
            (Parser::Shape(_) | Parser::Meaning, Err(_)) => refused += 1,
            (Parser::Meaning, Ok(())) => {}
        }
    }
    assert_eq!(disagreements, BTreeSet::new());
    assert!(refused > 200 && taken > 50, "{refused} refused, {taken} taken");
}

#[test]
fn the_specimen_has_every_key() {
    let keys = [
        keys::<file::File>(),
        keys::<file::Escalate>(),
        keys::<file::Limits>(),
        keys::<file::Step>(),
        keys::<file::When>(),
        keys::<file::Recovery>(),
    ];
    for key in keys.concat() {
        assert!(SPECIMEN.contains(&format!("{key}:")), "{key}");
    }
}

#[test]
fn every_key_of_the_parser_is_explained_and_no_other() {
    let schema = schema();
    let at = |path: &str| schema.pointer(path).unwrap_or_else(|| panic!("no {path}"));
    let places: [(&[&str], &str); 8] = [
        (keys::<file::File>(), ""),
        (keys::<file::Escalate>(), "/properties/escalate"),
        (keys::<file::Limits>(), "/properties/limits"),
        (keys::<file::Recovery>(), "/properties/recovery"),
        (keys::<file::Restore>(), "/properties/recovery/properties/restore/items"),
        (keys::<file::Step>(), "/$defs/step"),
        (keys::<file::Step>(), "/$defs/restore_step"),
        (keys::<file::When>(), "/$defs/when"),
    ];
    for (keys, path) in places {
        let properties = at(&format!("{path}/properties")).as_object().unwrap();
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        assert_eq!(properties.keys().collect::<Vec<_>>(), keys, "{path}");
        for (key, property) in properties {
            assert!(property["description"].is_string(), "{path}: {key} has no description");
        }
    }
    assert_eq!(keys::<file::StepKind>(), ["diagnose", "change"]);
}

#[test]
fn the_shipped_schema_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks/runbook.schema.json");
    let shipped: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(shipped, schema(), "write it anew: vvtv-remediator schema > runbooks/runbook.schema.json");
}
