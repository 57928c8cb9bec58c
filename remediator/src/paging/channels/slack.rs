//! Slack's incoming webhooks: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/>.
//!
//! They write and do nothing else, so a resolve is a message of its own.

use serde_json::{Value, json};

use super::Notice;
use super::text;

/// Of what was tried. Slack asks for messages of at most 4,000 characters and cuts them at 40,000.
const TRIED_BYTES_MAX: usize = 2_000;

/// The body of one message.
pub(super) fn message(notice: &Notice) -> Value {
    let link = |address: &str, name: &str| format!("<{}|{name}>", escaped(address).replace('|', "%7C"));
    let links: Vec<String> = text::links(notice).into_iter().map(|(name, address)| link(address, name)).collect();
    let mut lines = vec![escaped(&text::headline(notice))];
    lines.extend(text::about(notice).iter().map(|line| escaped(line)));
    lines.push(links.join(" "));
    lines.extend(text::tried(notice, TRIED_BYTES_MAX).iter().map(|line| format!("• {}", escaped(line))));
    // Names without `<@…>` call nobody, and what looks like an address is not fetched.
    json!({"text": lines.join("\n"), "link_names": false, "unfurl_links": false, "unfurl_media": false})
}

/// Without what Slack takes for a link, a mention or an entity:
/// <https://docs.slack.dev/messaging/formatting-message-text/#escaping>.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
