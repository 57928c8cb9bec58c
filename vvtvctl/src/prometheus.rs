//! Questions to Prometheus: instant queries that yield one number.

use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use url::Url;
use vvtv_playout_interface::http;

/// Questions over a month take a while.
const WITHIN: Duration = Duration::from_secs(10);

/// The answer to a question for one number is a few hundred bytes.
const ANSWER_MAX: usize = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    value: (f64, String),
}

/// The value of a query; `None` when it yields no series, or no number.
///
/// # Errors
/// Prometheus does not answer, refuses the query, or the query yields several series.
pub(crate) async fn value(client: &reqwest::Client, base: &Url, query: &str) -> anyhow::Result<Option<f64>> {
    let mut url = base.clone();
    url.set_path("/api/v1/query");
    url.query_pairs_mut().clear().append_pair("query", query);
    let body = http::get(client, &url, WITHIN, ANSWER_MAX).await?;
    parse(&body).with_context(|| format!("Prometheus was asked {query}"))
}

fn parse(body: &[u8]) -> anyhow::Result<Option<f64>> {
    let answer: Answer = serde_json::from_slice(body).context("the answer cannot be read")?;
    match answer.data.result.as_slice() {
        [] => Ok(None),
        [Series { value: (_, text) }] => {
            let value: f64 = text.parse().with_context(|| format!("`{text}` is no number"))?;
            Ok(value.is_finite().then_some(value))
        }
        more => anyhow::bail!("{} series instead of one", more.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r#"{"data":{"result":[{"metric":{},"value":[1,"0.25"]}]}}"#, "Ok(Some(0.25))")]
    #[case(r#"{"data":{"result":[{"metric":{},"value":[1,"NaN"]}]}}"#, "Ok(None)")]
    #[case(r#"{"data":{"result":[]}}"#, "Ok(None)")]
    #[case(r#"{"data":{"result":[{"value":[1,"1"]},{"value":[1,"2"]}]}}"#, "Err(2 series instead of one)")]
    fn answers(#[case] body: &str, #[case] expected: &str) {
        let shown = match parse(body.as_bytes()) {
            Ok(value) => format!("Ok({value:?})"),
            Err(error) => format!("Err({error:#})"),
        };
        assert_eq!(shown, expected);
    }
}
