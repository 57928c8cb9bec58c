//! The two watches on the server: is the new encoder listed as publisher, and does a lost server answer again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::machine::{Event, Pid, State};
use crate::config::Config;
use crate::{nginx, rtmp};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// How long one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// Looks until nginx lists a publisher whose bytes advance, and says so. The caller aborts it when the encoder ends.
pub(crate) async fn confirm(client: reqwest::Client, config: Arc<Config>, pid: Pid, events: mpsc::Sender<Event>) {
    let mut before = None;
    loop {
        if let Ok(stat) = nginx::stream_stat(&client, &config, LOOK_WITHIN).await {
            let advanced = before.is_some() && stat.bytes_in > before;
            if stat.publishing && advanced {
                let _ = events.send(Event::Published { pid }).await;
                return;
            }
            before = stat.bytes_in.filter(|_| stat.publishing);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// While the encoder is dead, watches for the server to come back, so that nobody waits for the end of a back-off.
///
/// Only the change from silent to answering counts: a server that answers and yet refuses the encoder gets the full back-off.
pub(crate) async fn returned(config: Arc<Config>, mut state: watch::Receiver<State>, events: mpsc::Sender<Event>) {
    loop {
        if state.wait_for(|state| *state == State::Dead).await.is_err() {
            return;
        }
        let mut was_silent = false;
        while *state.borrow_and_update() == State::Dead {
            let answers = rtmp::handshake(&config.publish, LOOK_WITHIN).await.is_ok();
            if answers && was_silent && events.send(Event::IngestReturned).await.is_err() {
                return;
            }
            was_silent = !answers;
            tokio::time::sleep(PAUSE).await;
        }
    }
}
