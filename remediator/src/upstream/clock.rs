//! What other programs say that it is: the `Date` of every answer of Prometheus and Alertmanager.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{DATE, HeaderMap};
use vvtv_incident::Timestamp;

use crate::clock::parse_http_date;

/// What was heard this long ago is not known any more.
const HEARD_WITHIN: Duration = Duration::from_secs(600);

/// The last `Date` that one program has sent.
#[derive(Clone, Debug, Default)]
pub struct PeerClock(Arc<Mutex<Option<(Timestamp, Instant)>>>);

impl PeerClock {
    /// Takes an answer's date, if it has one.
    pub fn hear(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(parse_http_date);
        if let Some(date) = date {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }

    /// What its clock says now, if it was heard lately.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let (date, heard_at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let ago = heard_at.elapsed();
        (ago <= HEARD_WITHIN).then(|| date + ago)
    }
}
