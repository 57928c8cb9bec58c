//! What an import leaves to people, for a person: dangerous places first, one line for each decision, the same remark once.

use std::fmt;

use serde::Serialize;
use vvtv_toolkit::text::visible;

use super::Import;

/// How much depends on a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Acting as it is written may do harm.
    Danger,
    /// Something is missing, or is a choice.
    Decide,
    /// To be known; nothing depends on it.
    Note,
}

/// One place that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The page's name.
    pub page: String,
    /// The line of the page, from 1.
    pub line: usize,
    /// The file that it is marked in; empty for what became part of none.
    pub file: String,
    /// What of that file: a key, `action 3`, or a step.
    pub about: String,
    /// How much depends on it.
    pub weight: Weight,
    /// What is to be decided.
    pub text: String,
}

/// A line of the page that became part of no file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The line of the page, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

/// How much there is of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files that were written.
    pub files: usize,
    /// Places at which acting as it is written may do harm.
    pub dangerous: usize,
    /// Other decisions.
    pub decisions: usize,
    /// Notes.
    pub notes: usize,
    /// Lines that became part of no file.
    pub left_out: usize,
}

/// The report as text.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a>(pub(super) &'a Import);

impl Import {
    /// The report for people.
    #[must_use]
    pub const fn report(&self) -> Report<'_> {
        Report(self)
    }

    /// Files and report for programs.
    #[must_use]
    pub fn as_json(&self) -> serde_json::Value {
        let files = self.files.iter().map(|(name, text)| serde_json::json!({"name": name, "text": text}));
        serde_json::json!({
            "page": self.page,
            "files": files.collect::<Vec<_>>(),
            "decisions": self.decisions,
            "left_out": self.left_out,
            "counts": self.counts(),
        })
    }

    /// How much there is of everything.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |weight| self.decisions.iter().filter(|decision| decision.weight == weight).count();
        Counts {
            files: self.files.len(),
            dangerous: of(Weight::Danger),
            decisions: of(Weight::Decide),
            notes: of(Weight::Note),
            left_out: self.left_out.len(),
        }
    }
}

/// Everything that one text is said about.
#[derive(Default)]
struct Places<'a> {
    lines: Vec<usize>,
    /// What of each file it is about.
    files: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Places<'a> {
    fn add(&mut self, decision: &'a Decision) {
        // They come in the order of the lines.
        if self.lines.last() != Some(&decision.line) {
            self.lines.push(decision.line);
        }
        let at = self.files.iter().position(|(file, _)| *file == decision.file).unwrap_or_else(|| {
            self.files.push((&decision.file, Vec::new()));
            self.files.len() - 1
        });
        let Some((_, about)) = self.files.get_mut(at) else { return };
        if !about.contains(&decision.about.as_str()) {
            about.push(&decision.about);
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let import = self.0;
        for (weight, heading) in
            [(Weight::Danger, "dangerous:"), (Weight::Decide, "to decide:"), (Weight::Note, "to know:")]
        {
            let folded = folded(import.decisions.iter().filter(|decision| decision.weight == weight));
            if !folded.is_empty() {
                writeln!(f, "{heading}")?;
            }
            for (page, text, places) in folded {
                writeln!(f, "  {}:{places}{}", visible(page), visible(text))?;
            }
        }
        if !import.left_out.is_empty() {
            writeln!(f, "in no file:")?;
        }
        for left in &import.left_out {
            writeln!(f, "  {}:{}: {}", visible(&import.page), left.line, visible(&left.text))?;
        }
        let counts = import.counts();
        let count = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        write!(
            f,
            "{}: {}, {}, {}; {} in no file",
            count(counts.files, "file", "files"),
            count(counts.dangerous, "dangerous place", "dangerous places"),
            count(counts.decisions, "decision", "decisions"),
            count(counts.notes, "note", "notes"),
            count(counts.left_out, "line", "lines"),
        )
    }
}

/// Remarks with the same text together, in the order of their first lines.
fn folded<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Vec<(&'a str, &'a str, Places<'a>)> {
    let mut folded: Vec<(&str, &str, Places<'_>)> = Vec::new();
    for decision in decisions {
        let at = folded.iter().position(|(page, text, _)| *page == decision.page && *text == decision.text);
        let at = at.unwrap_or_else(|| {
            folded.push((&decision.page, &decision.text, Places::default()));
            folded.len() - 1
        });
        let Some((_, _, places)) = folded.get_mut(at) else { continue };
        places.add(decision);
    }
    folded
}

/// `17, 60: a.yml, b.yml, alerts: `; files of which it is about the same stand together.
impl fmt::Display for Places<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.lines.iter().map(ToString::to_string).collect();
        write!(f, "{}: ", lines.join(", "))?;
        let mut groups: Vec<(Vec<&str>, &[&str])> = Vec::new();
        for (file, about) in &self.files {
            match groups.iter_mut().find(|(_, other)| *other == about.as_slice()) {
                Some((files, _)) => files.push(file),
                None => groups.push((vec![file], about)),
            }
        }
        let groups = groups.iter().map(|(files, about)| {
            let parts = files.iter().chain(about.iter()).filter(|part| !part.is_empty());
            parts.copied().collect::<Vec<_>>().join(", ")
        });
        let groups = groups.filter(|group| !group.is_empty()).collect::<Vec<_>>().join("; ");
        if groups.is_empty() { Ok(()) } else { write!(f, "{}: ", visible(&groups)) }
    }
}
