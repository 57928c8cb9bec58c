//! A page as text, for receivers that people read without a form of their own.

use vvtv_toolkit::text::visible;

use super::{Notice, NoticeKind};
use crate::journal::outbox::Subject;

/// On one line, with everything to be seen: what an alert brings must neither look like lines of ours nor hide.
pub(super) fn one_line(text: &str) -> String {
    visible(&text.replace(['\r', '\n', '\t'], " ")).into_owned()
}

/// The summary, and whether it goes on or is over.
pub(super) fn headline(notice: &Notice) -> String {
    let over = match notice.kind {
        NoticeKind::Trigger => "",
        NoticeKind::Update => "Update: ",
        NoticeKind::Resolve => "Resolved: ",
    };
    format!("{over}{}", one_line(&notice.summary))
}

/// Who is called and about what, a line each.
pub(super) fn about(notice: &Notice) -> [String; 3] {
    [
        format!("Called: {}, {}", notice.level, one_line(&notice.contact)),
        format!("Why: {}", notice.reason.explanation()),
        subject(notice),
    ]
}

fn subject(notice: &Notice) -> String {
    match notice.subject {
        Subject::Incident { incident, .. } => {
            format!("Incident: {incident} ({}), open since {}", notice.runbook, notice.opened_at)
        }
        Subject::Task(task) => {
            format!("Task: {} ({}), due by the calendar on {}", task.get(), one_line(&notice.target), notice.opened_at)
        }
    }
}

/// Where to read on: what it is, and its address.
pub(super) fn links(notice: &Notice) -> Vec<(&'static str, &str)> {
    let links = &notice.links;
    let page = match notice.subject {
        Subject::Incident { .. } => "Incident",
        Subject::Task(_) => "Task",
    };
    let more = [("Diagnostic bundle", links.bundle.as_deref()), ("Runbook", links.runbook.as_deref())];
    let more = more.into_iter().filter_map(|(name, address)| Some((name, address?)));
    std::iter::once((page, links.incident.as_str())).chain(more).collect()
}

/// What was tried, a line each, as long as all of them are at most so many bytes; then how many are left out.
pub(super) fn tried(notice: &Notice, bytes_max: usize) -> Vec<String> {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for step in &notice.tried {
        let line = one_line(&step.to_string());
        bytes += line.len();
        if bytes > bytes_max {
            lines.push(format!("and {} more", notice.tried.len() - lines.len()));
            break;
        }
        lines.push(line);
    }
    lines
}

/// Everything, as plain text.
pub(super) fn plain(notice: &Notice, bytes_max: usize) -> String {
    let mut lines = vec![headline(notice), String::new()];
    lines.extend(about(notice));
    lines.push(String::new());
    lines.extend(links(notice).into_iter().map(|(name, address)| format!("{name}: {address}")));
    let tried = tried(notice, bytes_max);
    if !tried.is_empty() {
        lines.extend([String::new(), "Tried:".to_owned()]);
        lines.extend(tried.into_iter().map(|line| format!("- {line}")));
    }
    lines.push(String::new());
    lines.join("\n")
}
