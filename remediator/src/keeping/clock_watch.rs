//! Whether our clock can be believed: it is compared with those of the programs that are asked.
//!
//! One machine's clock cannot be judged by itself. Nothing is deleted by a clock that nobody confirms; what else follows from time is
//! measured by a monotonic clock and is not wrong by that.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vvtv_incident::{ClockStep, Timestamp};
use vvtv_toolkit::duration::PromDuration;

use crate::clock::{Clock, rfc3339, wall};
use crate::metrics::Metrics;
use crate::upstream::clock::PeerClock;

/// So far two clocks may be apart: `Date` has whole seconds, and an answer may be under way for some.
const APART_MAX: f64 = 300.0;
/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// For how long a step of the clock at the start is told of.
const TELL_STEP: Duration = Duration::from_secs(3600);

/// What is known of our clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClockState {
    /// What people should know, a sentence each.
    pub doubts: Vec<String>,
    /// Somebody else's clock says the same, and nobody's says otherwise.
    pub confirmed: bool,
}

/// Compares from time to time.
pub(crate) struct ClockWatch {
    clock: Clock,
    peers: Vec<(String, String, PeerClock)>,
    step: Option<(ClockStep, Instant)>,
    metrics: Metrics,
    state: watch::Sender<ClockState>,
}

impl ClockWatch {
    /// A watch over the clock, which came here by `step`.
    #[must_use]
    pub(crate) fn new(
        clock: Clock,
        step: Option<ClockStep>,
        (prometheus, alertmanagers): (PeerClock, Vec<PeerClock>),
        metrics: Metrics,
    ) -> Self {
        let mut peers = vec![("prometheus".to_owned(), "Prometheus".to_owned(), prometheus)];
        peers.extend(alertmanagers.into_iter().zip(1..).map(|(peer, number)| match number {
            1 => ("alertmanager".to_owned(), "Alertmanager".to_owned(), peer),
            _ => (format!("alertmanager_{number}"), format!("Alertmanager {number}"), peer),
        }));
        let step = step.filter(|step| step.back().is_some()).map(|step| (step, Instant::now()));
        let mut it = Self { clock, peers, step, metrics, state: watch::Sender::default() };
        // Told before anybody can ask.
        it.look();
        it
    }

    /// What is known, as it changes.
    #[must_use]
    pub(crate) fn state(&self) -> watch::Receiver<ClockState> {
        self.state.subscribe()
    }

    /// Starts looking.
    pub(crate) fn start(mut self, tasks: &TaskTracker, stop: &CancellationToken) {
        let stop = stop.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(async {
                loop {
                    tokio::time::sleep(EVERY).await;
                    self.look();
                }
            })
            .await
        });
    }

    fn look(&mut self) {
        let mut state = ClockState::default();
        let wall = self.compare("wall", "this machine's clock", Some(wall()), &mut state);
        // Only what another program says confirms anything: ours goes on from this machine's.
        let peers = self.peers.clone();
        let peers: Vec<_> =
            peers.iter().map(|(of, name, peer)| self.compare(of, name, peer.now(), &mut state)).collect();
        let all = peers.iter().chain([&wall]);
        state.confirmed = all.clone().all(|agrees| *agrees != Some(false)) && peers.contains(&Some(true));
        self.step = self.step.filter(|(_, since)| since.elapsed() < TELL_STEP);
        let back = self.step.and_then(|(step, _)| Some((step, step.back()?)));
        self.metrics.keeping.clock_stepped_back.set(back.map_or(0.0, |(_, back)| back.as_secs_f64()));
        if let Some((step, back)) = back {
            let newest = rfc3339(step.from);
            state.doubts.push(format!(
                "The journal was {} ahead of this machine's clock at the start (its newest entry is of {newest}): time went on from the \
                 clock.",
                PromDuration::new(Duration::from_secs(back.as_secs()))
            ));
        }
        self.tell(state);
    }

    /// Whether another clock says the same; unknown if it says nothing.
    fn compare(&self, of: &str, name: &str, other: Option<Timestamp>, state: &mut ClockState) -> Option<bool> {
        let gauge = &self.metrics.keeping.clock_ahead;
        let Some(other) = other else {
            let _absent = gauge.remove_label_values(&[of]);
            return None;
        };
        let ahead = self.clock.ahead_of(other);
        gauge.with_label_values(&[of]).set(ahead);
        let agrees = ahead.abs() <= APART_MAX;
        if !agrees {
            // Whole minutes: it is said once, not with every look.
            let apart = Duration::from_secs(60 * Duration::from_secs_f64(ahead.abs()).as_secs().div_ceil(60));
            let side = if ahead > 0.0 { "ahead of" } else { "behind" };
            state.doubts.push(format!(
                "The remediator's clock is {} {side} {name}: nothing is deleted before they agree.",
                PromDuration::new(apart)
            ));
        }
        Some(agrees)
    }

    fn tell(&self, state: ClockState) {
        let before = self.state.borrow().clone();
        if before.doubts != state.doubts {
            for doubt in state.doubts.iter().filter(|doubt| !before.doubts.contains(doubt)) {
                tracing::warn!("{doubt}");
            }
            if state.doubts.is_empty() {
                tracing::info!("the clock is not in doubt any more");
            }
        }
        self.state.send_if_modified(|known| {
            let changed = *known != state;
            *known = state;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{DATE, HeaderMap};

    use super::*;

    fn peer(ahead_by: i64) -> PeerClock {
        let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead_by);
        let text = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let peer = PeerClock::default();
        peer.hear(&HeaderMap::from_iter([(DATE, text.parse().unwrap())]));
        peer
    }

    fn state(prometheus: PeerClock, alertmanager: PeerClock) -> ClockState {
        let metrics = Metrics::new().unwrap();
        ClockWatch::new(Clock::start(), None, (prometheus, vec![alertmanager]), metrics).state().borrow().clone()
    }

    #[test]
    fn a_clock_is_confirmed_by_somebody_else_and_by_nobody_who_says_otherwise() {
        let confirmed = |prometheus, alertmanager| {
            let state = state(prometheus, alertmanager);
            (state.confirmed, state.doubts)
        };
        assert_eq!(confirmed(PeerClock::default(), PeerClock::default()), (false, Vec::new()));
        assert_eq!(confirmed(peer(2), PeerClock::default()), (true, Vec::new()));
        assert_eq!(confirmed(PeerClock::default(), peer(-60)), (true, Vec::new()));
        let doubt = "The remediator's clock is 400d behind Prometheus: nothing is deleted before they agree.";
        assert_eq!(confirmed(peer(400 * 86_400 - 30), peer(0)), (false, vec![doubt.to_owned()]));
    }
}
