//! Reading what may be long without holding it: a document in the pieces in which it comes.

use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::time::timeout;
use url::Url;

use super::client::Manner;
use super::coding::codings;
use super::{BodyError, Fetcher, shown};
use crate::config::Location;
use crate::health::{Failure, ProbeError};

/// Bytes that are read of one document.
const BYTES_MAX: usize = 256 << 20;

impl Fetcher {
    /// Reads a document within `limit`, over a connection of its own, and hands over piece after piece. What comes packed, and
    /// what is a file, comes as one piece.
    ///
    /// # Errors
    /// As [`Fetcher::get`], and whatever `take` says, which ends the reading.
    pub async fn get_pieces(
        &self,
        location: &Location,
        limit: Duration,
        mut take: impl FnMut(&[u8]) -> Result<(), ProbeError>,
    ) -> Result<(), ProbeError> {
        let Location::Http(url) = location else {
            return take(&self.get(location, limit).await?.body);
        };
        timeout(limit, self.pieces(url, take)).await.unwrap_or_else(|_| {
            self.client.doubt(url);
            Err(ProbeError::new(Failure::Timeout, format!("{} gave no whole answer within {limit:?}", shown(location))))
        })
    }

    async fn pieces(&self, url: &Url, mut take: impl FnMut(&[u8]) -> Result<(), ProbeError>) -> Result<(), ProbeError> {
        let manner = Manner { once: true, byte: None };
        let (_, response) = self.answer(url, manner).await?;
        let status = response.status();
        let told = |error: ProbeError| ProbeError { http_status: Some(status.as_u16()), ..error };
        let unreadable = |error: BodyError| told(error.of(url));
        let codings = codings(response.headers()).map_err(|error| unreadable(error.into()))?;
        let mut incoming = response.into_body();
        if !codings.is_empty() {
            return take(&self.body(incoming, codings).await.map_err(unreadable)?);
        }
        let mut read = 0;
        while let Some(frame) = incoming.frame().await {
            let Ok(piece) = frame.map_err(|error| unreadable(BodyError::Broken(error)))?.into_data() else { continue };
            read += piece.len();
            if read > BYTES_MAX {
                return Err(unreadable(BodyError::TooLarge(BYTES_MAX)));
            }
            take(&piece)?;
        }
        Ok(())
    }
}
