//! The RTMP server as the daemon needs it: is the new encoder listed as publisher, does a lost server answer again, and the control that
//! drops a silent publisher.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use vvtv_playout_interface::config::{Config, PublishUrl};
use vvtv_playout_interface::protocol::State;
use vvtv_playout_interface::{http, nginx, rtmp};
use vvtv_streaming::nginx_rtmp::{self, CONTROL_HEADER};

use crate::machine::{Event, Pid};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// How long one look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// The control answers with a number.
const CONTROL_ANSWER_MAX: usize = 1024;

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

/// Drops the stream's publisher; true when there was one.
///
/// # Errors
/// The control cannot be reached.
pub(crate) async fn drop_publisher(
    client: &reqwest::Client,
    config: &Config,
    timeout: Duration,
) -> anyhow::Result<bool> {
    let PublishUrl { app, name, .. } = &config.publish;
    let url = nginx_rtmp::drop_publisher_address(&config.nginx.control, app, name)?;
    let (header, value) = CONTROL_HEADER;
    let request = client.post(url.clone()).header(header, value);
    let body = http::answer(request, &url, timeout, CONTROL_ANSWER_MAX).await?;
    Ok(nginx_rtmp::was_dropped(&body))
}
