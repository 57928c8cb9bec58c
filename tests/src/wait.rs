//! Waiting for a condition, never for a time: with a deadline, and with the last thing seen in the error.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What one look at a condition found.
#[derive(Debug)]
pub enum Seen<T> {
    /// The condition holds.
    Yes(T),
    /// It does not hold; the text says what is there instead.
    NotYet(String),
}

impl<T> Seen<T> {
    /// An error is something seen, too: the next look may succeed.
    pub fn from_result(result: anyhow::Result<T>) -> Self {
        result.map_or_else(|error| Self::NotYet(format!("{error:#}")), Self::Yes)
    }
}

/// Looks until the condition holds, and returns what it found.
///
/// # Errors
/// The deadline passed; the message names the condition and the last thing seen.
pub async fn wait_for<T, Look, Fut>(what: &str, within: Duration, mut look: Look) -> anyhow::Result<T>
where
    Look: FnMut() -> Fut,
    Fut: Future<Output = Seen<T>>,
{
    let deadline = Instant::now() + within;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = "nothing yet".to_owned();
    loop {
        ticks.tick().await;
        match tokio::time::timeout_at(deadline, look()).await {
            Ok(Seen::Yes(found)) => return Ok(found),
            Ok(Seen::NotYet(seen)) => last = seen,
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            anyhow::bail!("waited {within:?} for {what}; last seen: {last}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_names_the_condition_and_the_last_thing_seen() {
        let error = wait_for::<(), _, _>("the moon", Duration::from_millis(250), || {
            std::future::ready(Seen::NotYet("a cloud".to_owned()))
        })
        .await
        .unwrap_err();
        assert_eq!(error.to_string(), "waited 250ms for the moon; last seen: a cloud");
    }

    #[tokio::test]
    async fn a_look_that_hangs_does_not_outlive_the_deadline() {
        let error =
            wait_for::<(), _, _>("an answer", Duration::from_millis(250), std::future::pending).await.unwrap_err();
        assert_eq!(error.to_string(), "waited 250ms for an answer; last seen: nothing yet");
    }
}
