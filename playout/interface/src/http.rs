//! Requests to the servers of a channel: bounded in time and in size.

use std::time::Duration;

use anyhow::{Context as _, bail};

/// An HTTP client for loopback services.
///
/// # Errors
/// The TLS library cannot be set up.
pub fn client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build().context("cannot set up HTTP")
}

/// Fetches a page of at most `limit` bytes within `timeout`.
///
/// # Errors
/// The server does not answer in time or not with success, or the page is too large.
pub async fn get(client: &reqwest::Client, url: &url::Url, timeout: Duration, limit: usize) -> anyhow::Result<Vec<u8>> {
    answer(client.get(url.clone()), url, timeout, limit).await
}

/// The same of a request that has more than an address.
///
/// # Errors
/// As [`get`].
pub async fn answer(
    request: reqwest::RequestBuilder,
    url: &url::Url,
    timeout: Duration,
    limit: usize,
) -> anyhow::Result<Vec<u8>> {
    let fetch = async {
        let mut response = request.send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > limit {
                bail!("the answer is larger than {limit} bytes");
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    match tokio::time::timeout(timeout, fetch).await {
        Ok(result) => result.map_err(|error| error.context(format!("cannot fetch {url}"))),
        Err(_) => bail!("cannot fetch {url}: no answer within {timeout:?}"),
    }
}
