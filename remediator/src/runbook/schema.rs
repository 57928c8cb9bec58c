//! The runbook language as a JSON Schema (draft 2020-12), for editors.
//!
//! Which keys there are is asked of the parser's own types; what they mean stands in one table. The schema knows shapes: what depends
//! on other places of a file (ids, steps that an expression names) is `check`'s business. It is stricter than the parser in two things
//! that are slips in an editor: a key without a value, and a number where a text is meant.

mod keys;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{Output, file};
use keys::keys;

/// What is known of one key: its name, what it means, and the schema of its value.
type Known = (&'static str, &'static str, Value);

/// The whole schema.
#[must_use]
pub fn schema() -> Value {
    let mut schema = object::<file::File>(
        &["id", "title", "alerts", "severity", "target", "healthy", "respond_within", "steps"],
        runbook(),
    );
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("vvtv-remediator runbook");
    schema["$defs"] = json!({
        "duration": {
            "description": "A duration as Prometheus writes it: 10s, 1m30s, 2h",
            "type": ["string", "integer"],
            "pattern": "^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$",
            "minLength": 1,
            "maximum": 0,
        },
        "argument": argument(),
        "when": variants::<file::When>(when()),
        "step": step(true),
        "restore_step": step(false),
    });
    schema
}

fn runbook() -> Vec<Known> {
    vec![
        ("id", "Its name: a-z, 0-9 and -", json!({"type": "string", "pattern": "^[a-z0-9-]{1,64}$"})),
        ("title", "Name for people", json!({"type": "string", "minLength": 1})),
        ("symptoms", "How the trouble shows", json!({"type": "string"})),
        ("impact", "What it means for viewers", json!({"type": "string"})),
        ("description", "What else a person should know of it", json!({"type": "string"})),
        ("undecided", "What a person has to settle first: while it has an entry, the file is refused", none()),
        ("alerts", "Names of the alerts that it answers", texts(1)),
        ("severity", "How bad its alerts are", one_of::<file::Severity>()),
        (
            "target",
            "The alert label whose value is the target",
            json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
        ),
        (
            "causes",
            "Runbooks whose open incident of the same target holds this one back",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
        (
            "healthy",
            "PromQL: 1 is healthy, 0 is sick, no sample is unknown. `$target` stands for the target, inside double quotes",
            json!({"type": "string", "minLength": 1}),
        ),
        ("healthy_for", "How long it must be healthy without a break; 30s if not said", duration()),
        ("respond_within", "The first level is called after this time of trouble", duration()),
        ("escalate", "The runbook's own escalation timer", escalate()),
        ("mode", "Whether its changes run, wait for a person, or are only written down", one_of::<file::Mode>()),
        ("limits", "Limits of its own, besides those of the configuration", limits()),
        (
            "steps",
            "What is done, in order",
            json!({"type": "array", "minItems": 1, "maxItems": 100, "items": {"$ref": "#/$defs/step"}}),
        ),
        ("recovery", "What happens once the target is healthy", recovery()),
    ]
}

fn limits() -> Value {
    let known = vec![(
        "changes_per_hour",
        "Changes of this runbook that may start within any hour",
        json!({"type": "integer", "minimum": 1}),
    )];
    object::<file::Limits>(&[], known)
}

fn escalate() -> Value {
    let known = vec![
        ("level", "Who is called, from 1", json!({"type": "integer", "minimum": 1, "maximum": 255})),
        ("after", "After this time of trouble", duration()),
    ];
    object::<file::Escalate>(&["level", "after"], known)
}

fn recovery() -> Value {
    let stage = vec![
        ("apply", "Takes a temporary measure back", json!({"$ref": "#/$defs/restore_step"})),
        ("undo", "Puts it in place again, if health suffered", json!({"$ref": "#/$defs/restore_step"})),
    ];
    let stage = object::<file::Restore>(&["apply", "undo"], stage);
    let known = vec![
        ("monitor", "How long the target is watched before the incident closes", duration()),
        ("restore", "Temporary measures to take back, in order", json!({"type": "array", "items": stage})),
    ];
    object::<file::Recovery>(&[], known)
}

/// A step of the ladder must say its kind; what restores is a change, whether it says so or not.
fn step(of_the_ladder: bool) -> Value {
    let text = || json!({"type": "string", "minLength": 1});
    let argv = || json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/argument"}});
    let flag = || json!({"type": "boolean"});
    let known = vec![
        (
            "id",
            "Its name, for conditions: a-z, 0-9 and _",
            json!({"type": "string", "pattern": "^[a-z_][a-z0-9_]{0,63}$"}),
        ),
        ("title", "Name for people", json!({"type": "string"})),
        (
            "action",
            "The number of the page's action that it is part of",
            json!({"type": "integer", "minimum": 0, "maximum": 255}),
        ),
        ("description", "What else a person should know of it", json!({"type": "string"})),
        ("undecided", "What a person has to settle first: while it has an entry, the file is refused", none()),
        ("kind", "diagnose reads, change alters the system", one_of::<file::StepKind>()),
        ("background", "Diagnoses only: later steps do not wait for it", flag()),
        (
            "reads_only",
            "Diagnoses only: its author vouches that it only reads, where the table of programs cannot say so",
            flag(),
        ),
        ("when", "Whether it is run at all", json!({"$ref": "#/$defs/when"})),
        ("run", "A program with its arguments, each template yielding exactly one", by_platform(&argv())),
        (
            "shell",
            "Fixed text for /bin/sh; data reaches it as $VVTV_… and in the JSON file $VVTV_FACTS",
            by_platform(&text()),
        ),
        ("timeout", "The longest it may run, up to an hour; 30s if not said", duration()),
        ("output", "How its standard output is read", one_of::<Output>()),
        ("locks", "Changes only: what no other change may touch meanwhile; `$target` stands for the target", texts(0)),
        ("settle", "How long `healthy` may take to hold before the next step", duration()),
        ("repeatable", "Changes only: it may run again after an unknown outcome", flag()),
        ("attempts", "How often it may run in one incident", json!({"type": "integer", "minimum": 1})),
        (
            "efficacy_floor",
            "Changes only: below this share of runs that helped lately it waits for a person",
            json!({"type": "number", "minimum": 0, "maximum": 1}),
        ),
        ("on_failure", "Changes only: whether the next steps run after a failure", one_of::<file::OnFailure>()),
    ];
    let required: &[&str] = if of_the_ladder { &["id", "kind"] } else { &["id"] };
    let mut step = object::<file::Step>(required, known);
    step["oneOf"] = json!([{"required": ["run"]}, {"required": ["shell"]}]);
    step
}

fn when() -> Vec<Known> {
    let parts = || json!({"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/when"}});
    vec![
        ("promql", "A query that yields 1 (yes) or 0 (no)", json!({"type": "string", "minLength": 1})),
        (
            "expr",
            "An expression over steps, alert, incident, host and vars that yields a boolean",
            json!({"type": "string", "minLength": 1}),
        ),
        ("all", "All of them hold", parts()),
        ("any", "At least one of them holds", parts()),
    ]
}

fn argument() -> Value {
    json!({
        "description": "One argument: a text, in which {{ … }} is a template, or a site variable's whole argv",
        "oneOf": [
            {"type": "string"},
            {"type": "integer", "minimum": 0},
            {"type": "object", "properties": {"var": {"type": "string"}}, "required": ["var"], "additionalProperties": false},
        ],
    })
}

fn texts(at_least: usize) -> Value {
    json!({"type": "array", "minItems": at_least, "items": {"type": "string", "minLength": 1}})
}

/// A list that must have become empty.
fn none() -> Value {
    json!({"type": "array", "items": {"type": "string"}, "maxItems": 0})
}

fn duration() -> Value {
    json!({"$ref": "#/$defs/duration"})
}

fn by_platform(value: &Value) -> Value {
    let properties = json!({"linux": value, "macos": value});
    let each = json!({"type": "object", "properties": properties, "required": ["linux", "macos"], "additionalProperties": false});
    json!({"oneOf": [value, each]})
}

/// The names that an enum of the parser has.
fn one_of<T: DeserializeOwned>() -> Value {
    json!({"enum": keys::<T>()})
}

/// A mapping with the keys that a struct of the parser has.
fn object<T: DeserializeOwned>(required: &[&str], known: Vec<Known>) -> Value {
    json!({
        "type": "object",
        "properties": properties(keys::<T>(), known),
        "required": required,
        "additionalProperties": false,
    })
}

/// A mapping with exactly one of the keys that an enum of the parser has.
fn variants<T: DeserializeOwned>(known: Vec<Known>) -> Value {
    let mut schema = object::<T>(&[], known);
    schema["minProperties"] = json!(1);
    schema["maxProperties"] = json!(1);
    schema
}

/// What the table has nothing of stays without a description, which a test refuses.
fn properties(keys: &[&str], known: Vec<Known>) -> Map<String, Value> {
    let mut properties: Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), json!({}))).collect();
    for (key, description, mut schema) in known {
        schema["description"] = json!(description);
        properties.insert(key.to_owned(), schema);
    }
    properties
}

#[cfg(test)]
mod tests;
