//! Steps that helped too seldom lately: they wait for a person, whatever their runbook's mode says.

use std::sync::Arc;

use super::Report;
use crate::clock::Clock;
use crate::config::Config;
use crate::efficacy::{records, since};
use crate::journal::Reader;
use crate::runbook::Book;

pub(super) fn check(books: &[Book], config: &Config, report: &mut Report) {
    // Before the first start there is no journal, and nothing to say.
    let (true, Ok(runtime)) = (config.database.is_file(), tokio::runtime::Builder::new_current_thread().build()) else {
        return;
    };
    let reader = Reader::new(config.database.clone());
    let Ok(changes) = runtime.block_on(reader.changes(since(Clock::start().now()))) else { return };
    let books: Vec<_> = books.iter().cloned().map(Arc::new).collect();
    for ((runbook, step), record) in records(&changes, &books) {
        let Some(book) = books.iter().find(|book| book.plan.id == runbook) else { continue };
        let Some(spec) = book.plan.steps.iter().find(|spec| spec.id == step) else { continue };
        if let (true, Some(mark)) =
            (spec.is_distrusted(record.efficacy(), &config.policy), book.marks.commands.get(&step))
        {
            let message = format!("`{step}` {}", record.words(spec, &config.policy));
            report.warning_at(&book.marks.source, mark, message);
        }
    }
}
