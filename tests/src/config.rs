//! A lab's configuration files: the shipped ones with addresses and paths replaced, and a test's edits applied.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::ports::Ports;
use crate::programs::repository;

/// Shipped files and directories, and where they stand below the root.
const SHIPPED: [(&str, &str); 12] = [
    ("deploy/nginx/rtmp.conf", "configs/nginx/rtmp.conf"),
    ("deploy/nginx/check-nginx", "bin/check-nginx"),
    ("deploy/nginx/restart-nginx", "bin/restart-nginx"),
    ("deploy/nginx/run-nginx", "bin/run-nginx"),
    ("deploy/playout.yml", "configs/playout.yml"),
    ("deploy/exporter.yml", "configs/exporter.yml"),
    ("deploy/remediator.yml", "configs/remediator.yml"),
    ("deploy/remediator-web.yml", "configs/remediator-web.yml"),
    ("deploy/prometheus.yml", "configs/prometheus.yml"),
    ("alert-rules/alertmanager.yml", "configs/alertmanager.yml"),
    ("alert-rules", "alert-rules"),
    ("runbooks", "runbooks"),
];

/// Directories below the root that exist before any part starts.
const DIRECTORIES: [&str; 12] = [
    "bin",
    "broadcast/hls",
    "configs/nginx",
    "data",
    "logs",
    "run/nginx",
    "secrets/alertmanager",
    "secrets/prometheus",
    "secrets/remediator",
    "secrets/vvtvctl",
    "storage/emergency",
    "storage/ready",
];

type Change = dyn Fn(&mut Value) -> anyhow::Result<()> + Send + Sync;

/// A change to one configuration file, made after addresses and paths were replaced.
pub struct Edit {
    file: String,
    kind: EditKind,
}

enum EditKind {
    Yaml(Box<Change>),
    Text { from: String, to: String },
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edit({})", self.file)
    }
}

impl Edit {
    /// Any change to a YAML file's value. `file` is relative to the root, e.g. `runbooks/segment-age.yml`.
    pub fn yaml(file: &str, change: impl Fn(&mut Value) -> anyhow::Result<()> + Send + Sync + 'static) -> Self {
        Self { file: file.to_owned(), kind: EditKind::Yaml(Box::new(change)) }
    }

    /// Sets the value at a JSON pointer (`/limits/changes_per_hour`); what leads there must exist, the last key need not.
    #[must_use]
    pub fn set(file: &str, pointer: &str, value: Value) -> Self {
        let pointer = pointer.to_owned();
        Self::yaml(file, move |document| set(document, &pointer, value.clone()))
    }

    /// Replaces a text that must occur; for files that are not YAML.
    #[must_use]
    pub fn text(file: &str, from: &str, to: &str) -> Self {
        Self { file: file.to_owned(), kind: EditKind::Text { from: from.to_owned(), to: to.to_owned() } }
    }

    /// Leaves the rule of an alert out of `alert-rules/streaming.yml`.
    #[must_use]
    pub fn without_alert(alert: &str) -> Self {
        let alert = alert.to_owned();
        Self::yaml("alert-rules/streaming.yml", move |document| {
            let rules = document.pointer_mut("/groups/0/rules").and_then(Value::as_array_mut).context("no rules")?;
            let before = rules.len();
            rules.retain(|rule| rule.get("alert").and_then(Value::as_str) != Some(alert.as_str()));
            if rules.len() == before {
                bail!("no rule has the alert {alert}");
            }
            Ok(())
        })
    }

    fn apply(&self, text: &str) -> anyhow::Result<String> {
        match &self.kind {
            EditKind::Yaml(change) => {
                let mut document: Value = vvtv_toolkit::yaml::parse(&self.file, text)?;
                change(&mut document)?;
                // JSON is YAML, and every reader of these files takes it.
                Ok(serde_json::to_string_pretty(&document)?)
            }
            EditKind::Text { from, .. } if !text.contains(from.as_str()) => bail!("`{from}` does not occur"),
            EditKind::Text { from, to } => Ok(text.replace(from.as_str(), to)),
        }
    }
}

/// Sets the value at a JSON pointer; the parent must exist.
///
/// # Errors
/// Names the pointer whose parent is missing or cannot hold a value under that name.
pub fn set(document: &mut Value, pointer: &str, value: Value) -> anyhow::Result<()> {
    let (parent, key) = pointer.rsplit_once('/').with_context(|| format!("`{pointer}` is no JSON pointer"))?;
    let parent = document.pointer_mut(parent).with_context(|| format!("nothing is at `{parent}`"))?;
    let slot = match parent {
        Value::Object(map) => map.entry(key).or_insert(Value::Null),
        Value::Array(items) => {
            items.get_mut(key.parse::<usize>()?).with_context(|| format!("`{pointer}`: no such item"))?
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            bail!("`{pointer}`: the parent holds no values")
        }
    };
    *slot = value;
    Ok(())
}

/// Writes the directories and every shipped file that exists below `root`, for these ports, with these edits.
///
/// # Errors
/// A file cannot be read or written, or an edit does not fit it; the message names the file.
pub fn write_all(root: &Path, ports: &Ports, edits: &[Edit]) -> anyhow::Result<()> {
    for directory in DIRECTORIES {
        let path = root.join(directory);
        std::fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    }
    let mut written = Vec::new();
    for (shipped, place) in SHIPPED {
        let source = repository().join(shipped);
        if source.is_dir() {
            std::fs::create_dir_all(root.join(place))?;
            for entry in std::fs::read_dir(&source).with_context(|| format!("list {}", source.display()))? {
                let path = entry?.path();
                if path.is_file() {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let place = format!("{place}/{name}");
                    write_one(&path, root, &place, ports, edits)?;
                    written.push(place);
                }
            }
        } else if source.is_file() {
            write_one(&source, root, place, ports, edits)?;
            written.push(place.to_owned());
        }
    }
    match edits.iter().find(|edit| !written.contains(&edit.file)) {
        Some(edit) => bail!("an edit is for {}, which is not shipped", edit.file),
        None => Ok(()),
    }
}

fn write_one(source: &Path, root: &Path, place: &str, ports: &Ports, edits: &[Edit]) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(source).with_context(|| format!("read {}", source.display()))?;
    let text = ports.apply(&text).replace("/vvtv/", &format!("{}/", root.display()));
    let text = text.replace("/var/lib/vvtv-remediator/", &format!("{}/data/", root.display()));
    let text = edits
        .iter()
        .filter(|edit| edit.file == place)
        .try_fold(text, |text, edit| edit.apply(&text))
        .with_context(|| format!("edit {place}"))?;
    let target = root.join(place);
    std::fs::write(&target, text).with_context(|| format!("write {}", target.display()))?;
    let mut permissions = source.metadata()?.permissions();
    // As `deploy/layout` does, whatever the checkout's umask was.
    permissions.set_mode(permissions.mode() & !0o022);
    std::fs::set_permissions(&target, permissions).with_context(|| format!("set the mode of {}", target.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SHIPPED as SHIPPED_PORTS;
    use serde_json::json;

    fn written(edits: &[Edit]) -> anyhow::Result<tempfile::TempDir> {
        let root = tempfile::tempdir()?;
        write_all(root.path(), &SHIPPED_PORTS, edits)?;
        Ok(root)
    }

    fn yaml(root: &Path, file: &str) -> Value {
        vvtv_toolkit::yaml::load(&root.join(file)).unwrap()
    }

    #[test]
    fn paths_below_vvtv_become_paths_below_the_root() {
        let root = written(&[]).unwrap();
        let files = yaml(root.path(), "configs/prometheus.yml").pointer("/rule_files").cloned().unwrap();
        let at = |name: &str| format!("{}/alert-rules/{name}", root.path().display());
        assert_eq!(files, json!([at("streaming.yml"), at("slo.yml"), at("meta.yml")]));
    }

    #[test]
    fn an_alert_can_be_left_out() {
        let root = written(&[Edit::without_alert("PublisherLost")]).unwrap();
        let rules = yaml(root.path(), "alert-rules/streaming.yml").pointer("/groups/0/rules").cloned().unwrap();
        let names: Vec<&str> = rules.as_array().unwrap().iter().filter_map(|rule| rule["alert"].as_str()).collect();
        let others = [
            "SegmentAgeHigh",
            "EncoderDropsHigh",
            "EncoderFallingBehind",
            "IngestDown",
            "BitrateVarianceHigh",
            "BitrateSwinging",
        ];
        assert_eq!(names, others);
    }

    #[test]
    fn edits_that_do_not_fit_are_errors() {
        let error = |edit| format!("{:#}", written(&[edit]).unwrap_err());
        assert_eq!(
            error(Edit::without_alert("Nonsense")),
            "edit alert-rules/streaming.yml: no rule has the alert Nonsense"
        );
        assert_eq!(
            error(Edit::set("configs/prometheus.yml", "/globe/scrape_interval", json!("2s"))),
            "edit configs/prometheus.yml: nothing is at `/globe`"
        );
        assert_eq!(
            error(Edit::text("configs/nginx/rtmp.conf", "no such text", "")),
            "edit configs/nginx/rtmp.conf: `no such text` does not occur"
        );
        assert_eq!(
            error(Edit::set("configs/nothing.yml", "/a", json!(1))),
            "an edit is for configs/nothing.yml, which is not shipped"
        );
    }
}
