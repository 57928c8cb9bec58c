//! The one way out for results: JSON for scripts, aligned text for people.
//!
//! File names and what others wrote are shown, never obeyed by the terminal. A reader that went away (`| head`) is not an error.

use std::io::Write as _;

use serde::Serialize;
use vvtv_toolkit::redaction;
use vvtv_toolkit::text::{visible, visible_lines};

use crate::cli::Format;

/// Prints a result: `value` as JSON or `text` as it is.
///
/// # Errors
/// The value cannot be written as JSON.
pub(crate) fn result<T: Serialize>(format: Format, value: &T, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    match format {
        Format::Json => print(&serde_json::to_string_pretty(value)?),
        Format::Text => print(visible_lines(&text()).trim_end_matches('\n')),
    }
    Ok(())
}

/// Prints to standard output, with a line end.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n"));
}

/// Prints a note or an error to standard error, without secrets.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "vvtvctl: {}", visible_lines(&redaction::text(text)));
}

/// Rows of name and value, aligned.
pub(crate) fn pairs(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:width$}  {}\n", visible(value))).collect()
}

/// A table with a heading and no lines.
pub(crate) fn table(heading: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(heading.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell)));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Seconds, for people: `2h03m04s`, `12.3s`, or `-`.
pub(crate) fn seconds(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    if value < 60.0 {
        return format!("{value:.1}s");
    }
    let whole = value.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}h{minutes:02}m{seconds:02}s") } else { format!("{minutes}m{seconds:02}s") }
}

/// A value, or `-`.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        assert_eq!(seconds(None), "-");
        assert_eq!(seconds(Some(12.34)), "12.3s");
        assert_eq!(seconds(Some(75.2)), "1m15s");
        assert_eq!(seconds(Some(7_384.0)), "2h03m04s");
    }

    #[test]
    fn rows_are_aligned() {
        insta::assert_snapshot!(pairs(&[("state", "running".into()), ("pid", "7".into())]), @r"
        state  running
        pid    7
        ");
        assert_eq!(pairs(&[("file", "a\u{1b}[2J\nb\u{202e}".into())]), "file  a␛[2J␊b\\u{202e}\n");
        insta::assert_snapshot!(table(&["id", "path"], vec![vec!["1".into(), "/a".into()], vec!["10".into(), "/b".into()]]), @r"
         id  path
         1   /a
         10  /b
        ");
    }
}
