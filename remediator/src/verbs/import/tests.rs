use super::*;
use crate::runbook::Site;
use crate::source::Source;
use vvtv_toolkit::yaml::{self, Place, YamlError};

fn shipped() -> Import {
    import("streaming_runbook.md", include_str!("../../../tests/fixtures/streaming_runbook.md")).unwrap()
}

fn load(name: &str, text: &str) -> Result<crate::runbook::Book, Vec<YamlError>> {
    let site = Site { platform: crate::runbook::platform::Platform::Linux, variables: Default::default() };
    crate::runbook::parse(Source::from_text(name.into(), text.to_owned()), &site)
}

fn said(import: &Import) -> String {
    let mut text: Vec<_> = import.files.iter().map(|(name, text)| format!("==> {name}\n{text}")).collect();
    text.push(import.report().to_string());
    text.join("\n")
}

#[test]
fn the_page_becomes_four_runbooks_contacts_and_maintenance_lists() {
    let import = shipped();
    let files: Vec<_> = import.files.iter().map(|(name, text)| format!("==> {name}\n{text}")).collect();
    insta::assert_snapshot!(files.join("\n"));
}

#[test]
fn every_place_that_needs_a_person_is_named_and_marked() {
    let import = shipped();
    insta::assert_snapshot!(import.report().to_string());
    let marks: usize = import.files.iter().map(|(_, text)| text.matches("# DECIDE:").count()).sum();
    let open = |decision: &&Decision| !decision.file.is_empty() && decision.weight != Weight::Note;
    assert_eq!(marks, import.decisions.iter().filter(open).count());
    assert_eq!(shipped(), import);
}

#[test]
fn what_is_not_decided_is_refused_in_its_place() {
    let (name, text) = &shipped().files[0];
    let errors = load(name, text).unwrap_err();
    let said: Vec<_> = errors.iter().map(|error| error.message()).collect();
    insta::assert_snapshot!(said.join("\n"));
}

const PAGE: &str = "\
# A page
| Alert | Severity | Response Time | Escalation |
|--|--|--|--|
| odd thing | Terrible | soon | someone |
| late | Major | 5 minutes | Level 2 after 10min |
## Procedures
### odd: Odd Thing
Call Bob first.
**Immediate Actions:**
1. Ponder:
   ```bash
   frobnicate --now
   ping 8.8.8.8
   ```
2. Wait for the moon
### late: It's \"late\" # really
**Timer:** 20 minutes
1. Check {{ target }}:
   ```
   echo \"a # b\" # says: so
   ```
**Recovery:** look around
";

#[test]
fn a_page_in_another_hand_leaves_more_to_decide_and_guesses_nothing() {
    insta::assert_snapshot!(said(&import("page.md", PAGE).unwrap()));
}

#[test]
fn what_has_nothing_to_compile_is_an_error() {
    assert_eq!(import("page.md", "# Nothing\n"), Err(ImportError::Nothing));
    assert_eq!(import("page.md", ""), Err(ImportError::Nothing));
    assert_eq!(import("page.md", "x".repeat(BYTES_MAX + 1)), Err(ImportError::TooLong));
    assert_eq!(import("page.md", "x\n".repeat(LINES_MAX + 1)), Err(ImportError::TooLong));
    let many: String = (0..=RUNBOOKS_MAX).map(|number| format!("## AlertOf{number}\n### Meaning\nx\n")).collect();
    assert_eq!(import("page.md", many), Err(ImportError::TooMany));
    assert_eq!(import("page.md", b"a\n\xff"), Err(ImportError::NoText { line: 2, byte: 0xff }));
}

#[test]
fn two_of_one_name_become_two_files() {
    let import = import("page.md", "## Procedures\n### a: A\nx\n### a: B\ny\n").unwrap();
    assert_eq!(import.files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a.yml", "a-2.yml"]);
}

#[test]
fn a_page_in_another_encoding_is_the_same_page() {
    let text = "# Übertragung\n\n1. Prüfen:\n   ```bash\n   uptime\n   ```\n";
    let expected = import("page.md", text).unwrap();
    let windows = text.replace('\n', "\r\n");
    let utf16 = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(windows.encode_utf16()).flat_map(unit).collect()
    };
    let pages = [
        windows.clone().into_bytes(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    for page in pages {
        assert_eq!(import("page.md", page).as_ref(), Ok(&expected));
    }
}

/// Every text of a file: keys, values and elements.
fn texts(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::String(text) => out.push_str(text),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        serde_json::Value::Object(map) => map.values().for_each(|value| texts(value, out)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
    out.push('\n');
}

/// All that a person can read of an import.
fn readable(import: &Import) -> String {
    let mut out = import.report().to_string();
    for (name, text) in &import.files {
        let value: serde_json::Value = yaml::parse(name, text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        texts(&value, &mut out);
    }
    out.to_lowercase()
}

/// Parts of pages; each `%` is a word that no other line has.
const PARTS: [&str; 48] = [
    "# %",
    "## %",
    "### %: title",
    "## Procedures",
    "## Meaning",
    "## Impact",
    "## Diagnosis %",
    "%\n---",
    "%\n===",
    "%",
    "% and more.",
    "If % fails, %:",
    "Unless %:",
    "**Warning:** %",
    "**Impact:** %",
    "**Symptoms**: %",
    "**Timer:** 5 minutes %",
    "**Recovery:** 5 minutes, %",
    "**Rollback:** %",
    "**Alerts:** %",
    "**Severity:** %",
    "1. %:",
    "1. If % is bad:",
    "2) % when it is %:",
    "- % only",
    "* never %",
    "- [ ] %",
    "   - nested %",
    "> % if",
    "> [!WARNING]\n> %",
    "   ```bash\n   systemctl restart %\n   ```",
    "```\n$ echo %\n%\n$ uptime\n```",
    "```console\n# df %\nprinted %\n```",
    "```yaml\n%: 1\n```",
    "   ```\n   % <pod> $X{{ y }}\n   cd /%\n   rm %\n   ```",
    "~~~sh\nif %; then\n  rm % # %\nfi\n~~~",
    "    % indented",
    "```",
    "   # or on macOS: %",
    "```sh\na %\n# or on macOS: %\nb %\n```",
    "<div>%</div>",
    "<!-- % -->",
    "[%]: http://x",
    "| Alert | Severity | % |\n|--|--|--|\n| % | major | 5m |",
    "| Level | Contact | Phone % |\n|--|--|--|\n| L1 | % | % |",
    "\t%",
    "---",
    "[^1]: %",
];

fn page() -> impl proptest::strategy::Strategy<Value = (String, Vec<String>)> {
    use proptest::prelude::*;
    let chosen = proptest::collection::vec((proptest::sample::select(PARTS.to_vec()), any::<bool>()), 0..24);
    chosen.prop_map(|chosen| {
        let mut words = Vec::new();
        let mut page = String::new();
        for (line, blank) in chosen {
            for part in line.split_inclusive('%') {
                match part.strip_suffix('%') {
                    Some(before) => {
                        let word = format!("w{}w", words.len());
                        page.push_str(before);
                        page.push_str(&word);
                        words.push(word);
                    }
                    None => page.push_str(part),
                }
            }
            page.push_str(if blank { "\n\n" } else { "\n" });
        }
        (page, words)
    })
}

proptest::proptest! {
    #[test]
    fn every_line_is_in_a_file_or_in_the_report((text, words) in page()) {
        let Ok(import) = import("page.md", &text) else { return Ok(()) };
        let readable = readable(&import);
        for word in words {
            proptest::prop_assert!(readable.contains(&word), "{word} of\n{text}\n{}", said(&import));
        }
    }

    #[test]
    fn what_is_written_is_refused_in_its_place_until_it_is_decided((text, _) in page()) {
        let Ok(import) = import("page.md", &text) else { return Ok(()) };
        let books = import.files.iter().filter(|(name, _)| !["contacts.yml", "maintenance.yml"].contains(&name.as_str()));
        for (name, text) in books {
            let errors = load(name, text).err().unwrap_or_default();
            proptest::prop_assert!(!errors.is_empty(), "{text}");
            for error in errors {
                proptest::prop_assert!(matches!(error.place(), Place::At { .. }), "{error}\n{text}");
            }
        }
    }

    #[test]
    fn any_bytes_are_an_import_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..256)) {
        let _ = import("page.md", bytes);
    }

    #[test]
    fn any_text_is_yaml_or_an_error(text in "(## Procedures\n|### a: b\n|[0-9][.)] If x, y:\n|```|~~~|bash|\n|   |[a-z#'\":{}|&\\\\ ]*\n|\\| Alert \\|\n|\\*\\*Recovery:\\*\\* \\PC*\n|- \\[ \\] \\PC*\n|> |\\PC*\n)*") {
        if let Ok(import) = import("page.md", &text) {
            readable(&import);
        }
    }
}
