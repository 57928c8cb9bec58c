//! Pages that a channel has taken and may forget: they are told again until they are over, and their end for a while after that.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::journal::outbox::Subject;
use crate::paging::channels::{Channel, Notice, NoticeKind, Standing};

/// Between two tellings: what Alertmanager loses with a restart is back before its `group_wait` is forgotten by people, too.
const EVERY: Duration = Duration::from_secs(10);
/// So long is an end told again: as long as Prometheus tells of a resolved alert.
const END_FOR: Duration = Duration::from_secs(15 * 60);
/// Pages that are told again. Beyond it the oldest are left to the channel's own memory.
const PAGES_MAX: usize = 500;

/// The pages of one channel.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pages: BTreeMap<Subject, (Standing, Option<Instant>)>,
    next: Option<Instant>,
    failing: bool,
}

impl Pages {
    /// A notice was taken.
    pub(super) fn keep(&mut self, subject: Subject, notice: Notice) {
        let now = Instant::now();
        let forget_at = (notice.kind == NoticeKind::Resolve).then(|| now + END_FOR);
        self.pages.insert(subject, (Standing::new(notice, jiff::Timestamp::now()), forget_at));
        if self.pages.len() > PAGES_MAX
            && let Some((oldest, _)) = self.pages.pop_first()
        {
            tracing::error!(about = %oldest, "more than {PAGES_MAX} pages stand: this one is not told again");
        }
        self.next.get_or_insert(now + EVERY);
    }

    /// A page is taken back: what called is not told again, whether or not its end arrives.
    pub(super) fn forget(&mut self, subject: Subject) {
        self.pages.remove(&subject);
    }

    /// Ends when they are to be told again.
    pub(super) async fn due(&self) {
        match self.next {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Tells of all of them.
    pub(super) async fn tell(&mut self, name: &str, channel: &Channel) {
        let now = Instant::now();
        self.pages.retain(|_, (_, forget_at)| forget_at.is_none_or(|at| at > now));
        if !channel.forgets() {
            self.pages.clear();
        }
        self.next = (!self.pages.is_empty()).then(|| now + EVERY);
        let pages: Vec<_> = self.pages.values().map(|(page, _)| page.clone()).collect();
        if pages.is_empty() {
            return;
        }
        match channel.tell_again(&pages).await {
            Ok(()) if std::mem::take(&mut self.failing) => {
                tracing::info!(channel = name, "pages that stand are told again");
            }
            Ok(()) => {}
            Err(error) => {
                let error = vvtv_toolkit::logging::chain(&error);
                if std::mem::replace(&mut self.failing, true) {
                    tracing::debug!(channel = name, error, "pages that stand cannot be told again");
                } else {
                    tracing::warn!(
                        channel = name,
                        error,
                        "pages that stand cannot be told again: tried every {EVERY:?}"
                    );
                }
            }
        }
    }
}
