//! Steps that say that they only read: whether the table of what programs do says so, too.

use super::Report;
use crate::runbook::Book;
use crate::runbook::effect::Effect;

/// An error for each that changes, or of which it cannot be said, and whose author does not vouch for it.
pub(super) fn check(book: &Book, report: &mut Report) {
    for step in book.plan.all_steps().filter(|step| !step.is_change()) {
        let (Some(spec), Some(mark)) = (book.steps.get(&step.id), book.marks.commands.get(&step.id)) else { continue };
        if spec.reads_only {
            continue;
        }
        let message = match spec.command.effect() {
            Effect::Reads => continue,
            Effect::Changes(cause) => format!(
                "a diagnosis runs unasked, but {cause}: write `kind: change`, or `reads_only: true` if it alters nothing here"
            ),
            Effect::CannotSay(cause) => format!(
                "a diagnosis runs unasked, and whether it only reads cannot be said, for {cause}: write `reads_only: true` if it \
                 does, otherwise `kind: change`"
            ),
        };
        report.error_at(&book.marks.source, mark, message);
    }
}
