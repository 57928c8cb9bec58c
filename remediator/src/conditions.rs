//! Conditions of steps, three-valued: what cannot be decided is an error, and an error is never a yes.

pub(crate) mod expression;
pub mod facts;
mod outage;
mod prometheus;
pub(crate) mod promql;
pub(crate) mod targets;

use std::future::Future;
use std::pin::Pin;

use vvtv_incident::{Answer, Target, Verdict};
use vvtv_toolkit::logging::chain;

pub use prometheus::{PromClient, PromError};

use self::facts::Facts;
use self::promql::Query;
use crate::site::SiteValues;

/// When a step is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A PromQL query that yields 1 (yes) or 0 (no).
    Promql(Query),
    /// An expression over the facts that yields a boolean.
    Expr(Box<str>),
    /// All of them hold.
    All(Vec<Self>),
    /// At least one of them holds.
    Any(Vec<Self>),
}

/// Whether a condition holds now.
///
/// Parts are asked in order, and only until the answer is certain. In `all` a "no" outweighs an error beside it, in `any` a "yes"
/// does: what is certain stays certain.
pub async fn holds(condition: &Condition, facts: &Facts, site: &SiteValues, prometheus: &PromClient) -> Answer {
    let target = Target::new(facts.target.as_str());
    let ask = |query: &Query| {
        let query = query.clone();
        let target = target.clone();
        async move {
            match prometheus.verdict(&query, &target).await {
                Ok(Verdict::Healthy) => Answer::Yes,
                Ok(Verdict::Unhealthy) => Answer::No,
                Ok(Verdict::Unknown) => Answer::Error(format!("`{}`: no sample", query.as_str())),
                Err(error) => Answer::Error(format!("`{}`: {}", query.as_str(), chain(&error))),
            }
        }
    };
    decide(condition, &expression::context(facts, site), &ask).await
}

/// As [`holds`], with somebody else to answer the PromQL: what a rehearsal does.
pub async fn holds_with<F, A>(condition: &Condition, facts: &Facts, site: &SiteValues, ask: F) -> Answer
where
    F: Fn(&Query) -> A + Sync,
    A: Future<Output = Answer> + Send,
{
    decide(condition, &expression::context(facts, site), &ask).await
}

fn decide<'a, F, A>(
    condition: &'a Condition,
    facts: &'a minijinja::Value,
    ask: &'a F,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>>
where
    F: Fn(&Query) -> A + Sync,
    A: Future<Output = Answer> + Send,
{
    Box::pin(async move {
        match condition {
            Condition::Expr(text) => match expression::holds(text, facts) {
                Ok(true) => Answer::Yes,
                Ok(false) => Answer::No,
                Err(error) => Answer::Error(format!("`{text}`: {error}")),
            },
            Condition::Promql(query) => ask(query).await,
            Condition::All(parts) => decide_parts(parts, &Answer::No, facts, ask).await,
            Condition::Any(parts) => decide_parts(parts, &Answer::Yes, facts, ask).await,
        }
    })
}

/// Asks the parts until one gives the answer that settles it; otherwise the first error, otherwise the opposite.
async fn decide_parts<F, A>(parts: &[Condition], settles: &Answer, facts: &minijinja::Value, ask: &F) -> Answer
where
    F: Fn(&Query) -> A + Sync,
    A: Future<Output = Answer> + Send,
{
    let mut error = None;
    for part in parts {
        match decide(part, facts, ask).await {
            answer if answer == *settles => return answer,
            Answer::Error(message) => error = error.or(Some(message)),
            Answer::Yes | Answer::No => {}
        }
    }
    match error {
        Some(message) => Answer::Error(message),
        None if *settles == Answer::No => Answer::Yes,
        None => Answer::No,
    }
}

#[cfg(test)]
mod tests;
