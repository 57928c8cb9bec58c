//! SNS itself, over HTTPS.

use std::time::Duration;

use super::{SnsUrl, Source, SourceError};

/// The largest answer that is read: a certificate, or a line of XML.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// SNS gives up on us after 15 s.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The real one.
pub(crate) struct Amazon(reqwest::Client);

impl Amazon {
    /// A client of it.
    ///
    /// # Errors
    /// The system's certificates cannot be loaded.
    pub(crate) fn new() -> reqwest::Result<Self> {
        Self::by(reqwest::Client::builder())
    }

    /// By a client that may find it elsewhere. Which addresses are asked is not the client's to say.
    ///
    /// # Errors
    /// The client cannot be made.
    pub(crate) fn by(client: reqwest::ClientBuilder) -> reqwest::Result<Self> {
        client.https_only(true).redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build().map(Self)
    }
}

impl Source for Amazon {
    async fn get(&self, url: &SnsUrl) -> Result<Vec<u8>, SourceError> {
        // What it fails of is logged, and a confirmation's address has a token in it.
        let mut response = self.0.get(url.get().clone()).send().await.map_err(reqwest::Error::without_url)?;
        if !response.status().is_success() {
            return Err(SourceError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(SourceError::TooLarge(ANSWER_BYTES_MAX));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
