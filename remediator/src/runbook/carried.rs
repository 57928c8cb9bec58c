//! The runbook's own text below its rendered page, so that `import` can take it back from a page that nobody has changed.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::build::is_runbook_id;
use super::file::File;
use vvtv_toolkit::yaml::Document;

/// The name in bold before the runbook's text.
pub(crate) const FIELD: &str = "Runbook";

/// What `render` puts below a page: the runbook's text, and by what it is seen that the page is the same still.
pub(super) fn below(page: &str, text: &str) -> String {
    // A fence is longer than any within.
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let digest = digest(page.lines());
    format!(
        "**{FIELD}:** as it is written; `import` takes it back while all above is `{digest}`\n\n{fence}yaml\n{text}{end}{fence}\n"
    )
}

/// The digest that stands in such a line.
pub(crate) fn digest_in(text: &str) -> Option<&str> {
    text.rsplit('`').nth(1).filter(|text| text.starts_with("sha256:"))
}

/// The digest of lines without what is invisible at their ends, and without blank lines at the page's end.
pub(crate) fn digest<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = lines.map(str::trim_end).collect::<Vec<_>>().join("\n");
    text.truncate(text.trim_end().len());
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(&text) {
        // Writing to a String cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

/// The id of a text that has the shape of a runbook.
pub(crate) fn id_of(text: &str) -> Option<String> {
    let file: File = Document::from_text("page".into(), text.to_owned()).parse().ok()?;
    is_runbook_id(&file.id.value).then_some(file.id.value)
}
