//! The project's conventions, as tests. A failure names the file, the line and the rule.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails in a helper fails the test")]

mod repository;

use std::collections::BTreeSet;

use regex::Regex;
use repository::{text, tracked};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const MAIN_LINES_MAX: usize = 40;

/// What the pure core may depend on: nothing that has a clock, a file, a socket or a die in it.
const CORE_DEPENDENCIES: [&str; 1] = ["thiserror"];

/// A file's lines with their numbers.
fn lines(file: &str) -> impl Iterator<Item = (usize, String)> + use<> {
    let lines: Vec<String> = text(file).lines().map(str::to_owned).collect();
    lines.into_iter().zip(1..).map(|(line, number)| (number, line))
}

fn nothing(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Lines of the files with this ending that match, as `file:line: text`. The patterns stand in this file, which is left out.
fn matching(endings: &[&str], pattern: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let pattern = Regex::new(pattern).unwrap();
    let files =
        endings.iter().flat_map(|ending| tracked(ending)).filter(|file| wanted(file) && file != "tests/tests/tidy.rs");
    files
        .flat_map(|file| {
            lines(&file)
                .filter(|(_, line)| pattern.is_match(line))
                .map(move |(number, line)| format!("{file}:{number}: {}", line.trim()))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn files_are_read_in_one_sitting() {
    let long = tracked(".rs").into_iter().filter_map(|file| {
        let count = lines(&file).count();
        let limit = if file.ends_with("src/main.rs") { MAIN_LINES_MAX } else { FILE_LINES_MAX };
        (count > limit).then(|| format!("{file}: {count} lines, at most {limit}"))
    });
    nothing(&long.collect::<Vec<_>>());
}

struct LongFunctions<'a> {
    file: &'a str,
    found: Vec<String>,
}

impl LongFunctions<'_> {
    fn look(&mut self, name: &syn::Ident, body: &syn::Block) {
        let span = body.span();
        // Without the lines of the braces.
        let count = span.end().line.saturating_sub(span.start().line + 1);
        if count > FUNCTION_LINES_MAX {
            let (file, line) = (self.file, span.start().line);
            self.found.push(format!("{file}:{line}: {name} has {count} lines, at most {FUNCTION_LINES_MAX}"));
        }
    }
}

impl<'ast> Visit<'ast> for LongFunctions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.look(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.look(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

#[test]
fn functions_fit_on_a_screen() {
    let mut found = Vec::new();
    for file in tracked(".rs") {
        let parsed = syn::parse_file(&text(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut visitor = LongFunctions { file: &file, found: Vec::new() };
        visitor.visit_file(&parsed);
        found.append(&mut visitor.found);
    }
    nothing(&found);
}

#[test]
fn every_module_says_what_it_is_for() {
    // `foo/tests.rs` is what its name says.
    let modules = tracked(".rs").into_iter().filter(|file| !file.ends_with("/tests.rs"));
    let silent = modules.filter(|file| !text(file).trim_start().starts_with("//!"));
    nothing(&silent.map(|file| format!("{file}: no //! header")).collect::<Vec<_>>());
}

#[test]
fn tests_wait_for_conditions_not_for_time() {
    let in_test_files = matching(&[".rs"], r"\bsleep\(", |file| file.contains("tests/"));
    nothing(&in_test_files);
    let in_unit_tests = tracked(".rs").into_iter().filter(|file| file != "tests/tests/tidy.rs").flat_map(|file| {
        let sleeping = lines(&file)
            .skip_while(|(_, line)| line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| line.contains("sleep("));
        sleeping.map(|(number, line)| format!("{file}:{number}: {}", line.trim())).collect::<Vec<_>>()
    });
    nothing(&in_unit_tests.collect::<Vec<_>>());
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    nothing(&matching(&[".rs"], r"#!?\[allow\(", |_| true));
    let unexplained = tracked(".rs").into_iter().filter(|file| file != "tests/tests/tidy.rs").filter(|file| {
        let text = text(file);
        text.match_indices("[expect(")
            .any(|(at, _)| !text[at..].split(")]").next().unwrap_or_default().contains("reason"))
    });
    nothing(&unexplained.map(|file| format!("{file}: an expect without a reason")).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    nothing(&matching(
        &[".rs", ".yml", ".sh", "Makefile", ".toml"],
        r"\b(todo!|unimplemented!|FIXME|TODO|XXX|HACK)",
        |_| true,
    ));
}

#[test]
fn comments_tell_the_present() {
    nothing(&matching(&[".rs"], r"//.*\b(no longer|previously)\b", |_| true));
    nothing(&matching(&[".yml", ".conf"], r"#.*\b(no longer|previously)\b", |_| true));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let endings = [
        ".rs",
        ".yml",
        ".yaml",
        ".toml",
        ".md",
        ".json",
        ".conf",
        ".sh",
        ".service",
        "Makefile",
        "Dockerfile",
        "restart-nginx",
        "packages",
    ];
    nothing(&matching(&endings, r#"(^|[\s"'`=(:])(/work/|/root/|/home/[a-z]+/|/tmp/vvtv)"#, |_| true));
}

#[test]
fn the_core_is_pure_by_its_dependencies() {
    let manifest = text("remediator/incident/Cargo.toml");
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
    let name = Regex::new(r"(?m)^([a-z0-9_-]+)").unwrap();
    let impure = name
        .captures_iter(section)
        .map(|found| found[1].to_owned())
        .filter(|name| !CORE_DEPENDENCIES.contains(&name.as_str()));
    nothing(
        &impure
            .map(|name| format!("remediator/incident/Cargo.toml: {name} does not belong in the core"))
            .collect::<Vec<_>>(),
    );
    let impure_use = r"\b(std::(fs|net|process|thread)\b|SystemTime::now|Instant::now|Timestamp::now)";
    nothing(&matching(&[".rs"], impure_use, |file| file.starts_with("remediator/incident/src/")));
}

#[test]
fn the_command_line_and_the_daemon_know_their_interface_alone() {
    let names = |manifest: &str, other: &str| {
        lines(manifest).any(|(_, line)| line.split(['.', ' ', '=']).next().is_some_and(|name| name == other))
    };
    assert!(
        names("vvtvctl/Cargo.toml", "vvtv-playout-interface") && names("playout/Cargo.toml", "vvtv-playout-interface")
    );
    assert!(!names("vvtvctl/Cargo.toml", "vvtv-playout") && !names("playout/Cargo.toml", "vvtvctl"));
    let interface = ["vvtv-playout", "vvtvctl"].map(|other| names("playout/interface/Cargo.toml", other));
    assert_eq!(interface, [false, false]);
}

#[test]
fn versions_stand_in_one_place() {
    let members = tracked("Cargo.toml").into_iter().filter(|file| file != "Cargo.toml" && !file.contains("fuzz/"));
    let version = Regex::new(r#"^[a-z0-9_-]+\s*=\s*("\d|\{.*version\s*=)"#).unwrap();
    let found = members.flat_map(|file| {
        lines(&file)
            .filter(|(_, line)| version.is_match(line))
            .map(move |(number, line)| format!("{file}:{number}: {line}"))
            .collect::<Vec<_>>()
    });
    nothing(&found.collect::<Vec<_>>());
}

#[test]
fn every_runbook_url_leads_to_a_runbook_that_answers_the_alert() {
    let rule = Regex::new(r"(?s)- alert: (\w+).*?runbook_url: http://127\.0\.0\.1:10048/runbooks/([a-z-]+)").unwrap();
    let rules = text("alert-rules/streaming.yml");
    let runbooks: BTreeSet<String> = tracked(".yml").into_iter().filter(|file| file.starts_with("runbooks/")).collect();
    let mut found = Vec::new();
    for alert in rule.captures_iter(&rules) {
        let (name, file) = (&alert[1], format!("runbooks/{}.yml", &alert[2]));
        if !runbooks.contains(&file) {
            found.push(format!("{name}: {file} does not exist"));
        } else if !Regex::new(&format!(r"(?m)^alerts:.*\b{name}\b")).unwrap().is_match(&text(&file)) {
            found.push(format!("{name}: {file} does not name it among its alerts"));
        }
    }
    assert_eq!(rule.captures_iter(&rules).count(), rules.matches("- alert: ").count(), "an alert has no runbook_url");
    nothing(&found);
}

/// The exporter's metrics: those of its golden scrape, and those that had nothing to say there, as its source files name them.
fn exporter_metrics(named: &str) -> BTreeSet<String> {
    let family = Regex::new(r"(?m)^# TYPE ([a-z0-9_]+)").unwrap();
    let scrape = text("exporter/tests/golden/scrape.prom");
    let written = Regex::new(named).unwrap();
    let files = tracked(".rs").into_iter().filter(|file| file.starts_with("exporter/src/"));
    let sources: String = files.map(|file| text(&file)).collect();
    let names = family.captures_iter(&scrape).chain(written.captures_iter(&sources)).map(|found| found[1].to_owned());
    // The crate has a name of the same form.
    names.filter(|name| name != "vvtv_exporter").collect()
}

#[test]
fn the_shipped_list_of_metrics_is_the_exporter_s() {
    let shipped = text("alert-rules/metrics.txt");
    let listed: Vec<&str> = shipped.lines().skip(1).collect();
    let mut existing = exporter_metrics(r#""(vvtv_[a-z0-9_]+)""#);
    existing.extend(server_metrics("exporter"));
    assert_eq!(listed, existing.iter().map(String::as_str).collect::<Vec<_>>());
}

/// What the server of a program counts of itself.
fn server_metrics(program: &str) -> BTreeSet<String> {
    let counted = Regex::new(r#"\bopts\(\s*"([a-z_]+)""#).unwrap();
    let server = text("toolkit/src/serve/metrics.rs");
    counted.captures_iter(&server).map(|found| format!("vvtv_{program}_http_{}", &found[1])).collect()
}

/// The metrics of our programs about streams and incidents: the exporter's, and those that the remediator registers.
fn existing_metrics() -> BTreeSet<String> {
    // Of streams and of the machine; what the exporter tells of itself is registered otherwise.
    let exporters = exporter_metrics(r#"\b(?:gauge|counter)\(\s*"(vvtv_[a-z0-9_]+)""#);
    let registered = Regex::new(r#"\b(?:counters|counter|gauges|gauge|times|time|histogram)\(\s*"([a-z_]+)""#).unwrap();
    let files = tracked(".rs").into_iter().filter(|file| file.starts_with("remediator/src/metrics"));
    let remediator: String = files.map(|file| text(&file)).collect();
    let remediators = registered.captures_iter(&remediator).map(|found| format!("vvtv_remediator_{}", &found[1]));
    let servers = ["exporter", "remediator"].into_iter().flat_map(server_metrics);
    let all: BTreeSet<String> =
        exporters.into_iter().filter(|name| name.starts_with("vvtv_")).chain(remediators).chain(servers).collect();
    assert!(all.len() > 40, "{all:?}");
    all
}

/// Names of ours in a text: not the prefixes of labels, files and variables that begin alike.
fn named_metrics(text: &str) -> BTreeSet<String> {
    let metric = Regex::new(r"\bvvtv_[a-z0-9_]*[a-z0-9]\b").unwrap();
    metric.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

/// A histogram's series have endings that its name does not.
fn is_among(metrics: &BTreeSet<String>, name: &str) -> bool {
    ["", "_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|ending| name.strip_suffix(ending))
        .any(|stem| metrics.contains(stem))
}

#[test]
fn dashboards_rules_and_runbooks_ask_for_metrics_that_exist() {
    let existing = existing_metrics();
    let readers = tracked(".yml").into_iter().chain(tracked(".json"));
    let places = ["alert-rules/", "grafana/", "runbooks/", "deploy/"];
    let unknown = readers.filter(|file| places.iter().any(|place| file.starts_with(place))).flat_map(|file| {
        let names = named_metrics(&text(&file)).into_iter().filter(|name| !is_among(&existing, name));
        names.map(|name| format!("{file}: no program of ours has {name}")).collect::<Vec<_>>()
    });
    nothing(&unknown.collect::<Vec<_>>());
}

#[test]
fn the_readme_has_the_list_of_metrics() {
    let existing = existing_metrics();
    let documented = named_metrics(&text("README.md"));
    let silent = existing.difference(&documented).map(|name| format!("README.md does not document {name}"));
    let invented = documented.iter().filter(|name| !is_among(&existing, name));
    let invented = invented.map(|name| format!("README.md names {name}, which no program of ours has"));
    nothing(&silent.chain(invented).collect::<Vec<_>>());
}

#[test]
fn what_is_claimed_of_security_names_tests_that_exist() {
    let claim = Regex::new(r"`([a-z_/-]+\.rs)(?:: ([a-z_0-9]+))?`").unwrap();
    let claims = text("docs/security.md");
    let mut found = Vec::new();
    for claim in claim.captures_iter(&claims) {
        let file = &claim[1];
        let Ok(source) = std::fs::read_to_string(repository::root().join(file)) else {
            found.push(format!("docs/security.md names {file}, which does not exist"));
            continue;
        };
        match claim.get(2).map(|test| test.as_str()) {
            Some(test) if !source.contains(&format!("fn {test}(")) => {
                found.push(format!("docs/security.md names {test}, which is not in {file}"));
            }
            _ => {}
        }
    }
    assert!(claim.captures_iter(&claims).count() > 10, "docs/security.md names no tests");
    nothing(&found);
}

#[test]
fn the_map_names_places_that_exist() {
    let quoted = Regex::new(r"`([A-Za-z0-9_./-]+)(…)?`").unwrap();
    let is_path = Regex::new(r"^[a-z][^/]*/|\.(rs|md|yml|txt|sql|toml)$").unwrap();
    let map = text("ARCHITECTURE.md");
    let paths: Vec<&str> = quoted
        .captures_iter(&map)
        .map(|found| found.get(1).unwrap().as_str())
        .filter(|path| is_path.is_match(path))
        .collect();
    assert!(paths.len() > 80, "ARCHITECTURE.md names few places: {paths:?}");
    let missing = paths.iter().filter(|path| !repository::root().join(path).exists());
    nothing(
        &missing
            .map(|path| format!("ARCHITECTURE.md names {path}, which does not exist: full paths"))
            .collect::<Vec<_>>(),
    );
}
