//! Levels of people that no channel tells apart: while it fails, the next one cannot be called either.

use std::collections::BTreeSet;

use super::Report;
use crate::config::{ChannelName, Config};

pub(super) fn check(config: &Config, report: &mut Report) {
    let mut contacts: Vec<_> = config.contacts.iter().collect();
    contacts.sort_by_key(|contact| contact.level);
    let Some((first, higher)) = contacts.split_first() else { return };
    let below: BTreeSet<&ChannelName> = first.notify.iter().collect();
    let shares = |notify: &[ChannelName]| notify.iter().all(|channel| below.contains(channel));
    if higher.is_empty() || !higher.iter().all(|contact| shares(&contact.notify)) {
        return;
    }
    let channels: Vec<_> = below.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "every level is reached through {} alone: while that fails nobody can be called, and whoever it rings for level 1 may be whom it rings \
         for all of them; give a higher level a channel of its own",
        channels.join(", ")
    );
    report.warning_at(&config.marks.source, &config.marks.contacts, message);
}
