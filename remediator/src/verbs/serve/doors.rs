//! The doors of the server: who may come in, under which names, and how much at a time.

use anyhow::Context as _;
use vvtv_toolkit::access::{AccessMetrics, Gate, Role, Rules, Sender, Token, TokenError};
use vvtv_toolkit::serve::{Limits, ServeMetrics};
use vvtv_toolkit::web_config::WebConfig;

use crate::config::{Config, WebhookAccess};
use crate::http::{WEBHOOK_PATH, WEBHOOK_SNS_PATH, WEBHOOK_V2_PATH, link_to};
use crate::metrics::Metrics;
use crate::verbs::ServeArgs;

/// What is wrong with a configuration that does not say who may deliver alerts.
pub(crate) const WEBHOOK_UNDECIDED: &str = "who may deliver alerts is not said: `webhook: {token_file: …}` names the file of a token that Alertmanager \
                                     shows as well (`authorization: {credentials_file: …}`); `webhook: {unauthenticated: true}` lets everybody \
                                     who reaches the port start runbooks";

/// The name and the role of the token beside the journal.
const OPERATOR: &str = "operator";

/// Who may do what: those whom the web configuration knows, and whoever can read the token beside the journal, who could write the journal
/// just as well.
pub(super) fn gate(config: &Config, web: &WebConfig, metrics: AccessMetrics, durable: bool) -> anyhow::Result<Gate> {
    Ok(Gate::new(
        web.clone(),
        Rules {
            own: vec![own_token(config, durable)?],
            anonymous: None,
            unassigned: None,
            sender: match &config.webhook {
                WebhookAccess::Token(token) => Sender::with_token(token.reveal()),
                WebhookAccess::Anybody => Sender::Anybody,
                WebhookAccess::Undecided => Sender::Nobody,
            },
            names: config.external_url.host_str().map(str::to_owned).into_iter().collect(),
            secure: web.has_tls() || config.external_url.scheme() == "https",
            metrics,
        },
    ))
}

/// Where a full disk has no room for the token either, it is in memory, like everything else then: people are called all the same.
fn own_token(config: &Config, durable: bool) -> anyhow::Result<Token> {
    let file = config.operator_token_file();
    match Token::read_or_make(OPERATOR, Role::Operator, &file) {
        Err(error @ TokenError::Make { .. }) if !durable => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "the operator's token is not kept: it is good until the journal can be used");
            Token::random(OPERATOR, Role::Operator).context("cannot make a token")
        }
        made => Ok(made?),
    }
}

/// Where nobody has a password yet, the way in is logged, as whoever reads the log can read the token too.
pub(super) fn show_link(config: &Config, web: &WebConfig, gate: &Gate) -> anyhow::Result<()> {
    if web.knows_people() {
        return Ok(());
    }
    let code = gate.own_code().context("cannot make a one-time link to the console")?;
    if let Some(code) = code {
        let url = link_to(&config.external_url, &code);
        tracing::info!(url, "the console opens once with this link, within 15 minutes; `login` prints another");
    }
    Ok(())
}

pub(super) fn limits(args: &ServeArgs, config: &Config, metrics: &Metrics) -> Result<Limits, prometheus::Error> {
    let mut hosts = args.web.hosts();
    hosts.add(config.external_url.host_str().unwrap_or_default());
    hosts.add(config.listen.rsplit_once(':').map_or("", |(host, _port)| host));
    let always = [WEBHOOK_PATH, WEBHOOK_V2_PATH, &args.web.telemetry_path, "/-/healthy", "/-/ready"];
    Ok(Limits {
        hosts,
        reserved_paths: always.map(str::to_owned).to_vec(),
        large_body_paths: [WEBHOOK_PATH, WEBHOOK_V2_PATH, WEBHOOK_SNS_PATH].map(str::to_owned).to_vec(),
        // The registry has a prefix already.
        metrics: ServeMetrics::register(&metrics.registry, "")?,
        ..Limits::default()
    })
}
