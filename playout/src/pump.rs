//! The heart beat: each tick of the frame clock takes one frame from the item on air, or the slate, and offers it to the encoder.
//!
//! Owns the items on air. Waits for nothing but the clock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use vvtv_playout_interface::config::Video;

use crate::clock::FrameClock;
use crate::feeder::{Feeder, Pull, SAMPLE_BYTES, SAMPLE_RATE};
use crate::sink::{Frame, Sink};

/// An item without a frame for so long has failed.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// The next item is prepared so long before the end of the one on air.
const PREPARE_AHEAD: Duration = Duration::from_secs(5);

/// What the pump is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// A new encoder is there.
    Attach(Sink),
    /// The encoder is gone.
    Detach,
    /// The item to play next, in the place of an earlier one that is not on air yet.
    Next(Box<Feeder>),
    /// End the item on air now.
    Skip,
}

/// What the pump tells the programme.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Prepare the next item.
    WantNext,
    Started(i64),
    Ended(Box<Ended>),
}

/// An item that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) feeder: Feeder,
    pub(crate) played: Duration,
    pub(crate) end: End,
}

/// Why an item is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its last frame went out.
    Finished,
    /// It was given up because no frame came.
    Stalled,
    /// Somebody wanted the next one.
    Skipped,
}

/// Numbers since the daemon's start, and what is on air.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PumpReport {
    pub(crate) frames_sent: u64,
    /// Frames that the encoder did not take.
    pub(crate) frames_refused: u64,
    pub(crate) slate_frames: u64,
    /// Frames that were never made because the daemon itself came too late.
    pub(crate) frames_slipped: u64,
    pub(crate) on_air: Option<OnAir>,
}

/// The item on air.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OnAir {
    pub(crate) id: i64,
    pub(crate) asset_path: String,
    pub(crate) content_kind: String,
    pub(crate) duration_seconds: Option<f64>,
    pub(crate) position_seconds: f64,
}

struct Slot {
    feeder: Feeder,
    /// From the item's beginning, also those that an earlier daemon sent.
    frames: u64,
    /// Ticks since the last frame.
    hungry: u64,
}

/// The pump. [`Pump::run`] is its whole life.
pub(crate) struct Pump {
    video: Video,
    clock: FrameClock,
    ticks: u64,
    sink: Option<Sink>,
    on_air: Option<Slot>,
    next: Option<Slot>,
    asked: bool,
    black: Frame,
    report: PumpReport,
    notices: mpsc::Sender<Notice>,
    reports: watch::Sender<PumpReport>,
}

impl Pump {
    pub(crate) fn new(video: Video, notices: mpsc::Sender<Notice>, reports: watch::Sender<PumpReport>) -> Self {
        let luma = (video.width * video.height) as usize;
        let mut black = vec![16; luma];
        black.resize(video.frame_bytes(), 128);
        Self {
            video,
            clock: FrameClock::new(video.fps, Duration::ZERO),
            ticks: 0,
            sink: None,
            on_air: None,
            next: None,
            asked: false,
            black: Arc::new(black),
            report: PumpReport::default(),
            notices,
            reports,
        }
    }

    /// Beats until the orders' sender is gone.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let start = Instant::now();
        loop {
            tokio::select! {
                // Orders first: an encoder that just came must not miss the tick that follows.
                biased;
                order = orders.recv() => match order {
                    Some(Order::Attach(sink)) => self.sink = Some(sink),
                    Some(Order::Detach) => self.sink = None,
                    Some(Order::Next(feeder)) => {
                        let resumed = feeder.item.resume_seconds.unwrap_or(0.0) * f64::from(self.video.fps);
                        self.next = Some(Slot { feeder: *feeder, frames: resumed as u64, hungry: 0 });
                        self.asked = false;
                    }
                    Some(Order::Skip) => self.end(End::Skipped),
                    None => return,
                },
                () = tokio::time::sleep_until(start + self.clock.next()) => {
                    let due = self.clock.take(start.elapsed());
                    self.report.frames_slipped += due.slipped;
                    for _ in 0..due.frames {
                        self.tick();
                    }
                    self.ask_for_next();
                    self.publish();
                }
            }
        }
    }

    fn tick(&mut self) {
        let sound_bytes = self.sound_bytes();
        self.ticks += 1;
        let (frame, sound) = match self.pull(sound_bytes) {
            Some((frame, sound)) => (frame.unwrap_or_else(|| self.black.clone()), sound),
            None => {
                self.report.slate_frames += 1;
                (self.black.clone(), vec![0; sound_bytes])
            }
        };
        match &self.sink {
            Some(sink) if sink.offer(frame, sound) => self.report.frames_sent += 1,
            Some(_) => self.report.frames_refused += 1,
            None => {}
        }
    }

    /// This tick's share of samples; with rates that do not divide evenly, shares differ by one and never drift.
    fn sound_bytes(&self) -> usize {
        let until = |ticks: u64| ticks * u64::from(SAMPLE_RATE) / u64::from(self.video.fps);
        let samples = until(self.ticks + 1) - until(self.ticks);
        usize::try_from(samples).unwrap_or(0) * SAMPLE_BYTES
    }

    /// The frame of the item on air, changing to the next item as often as items end. `None`: slate.
    fn pull(&mut self, sound_bytes: usize) -> Option<(Option<Frame>, Vec<u8>)> {
        let stalled = u64::from(self.video.fps) * STALLED_AFTER.as_secs();
        loop {
            if self.on_air.is_none() {
                let next = self.next.as_mut()?;
                next.hungry += 1;
                if !next.feeder.ready(sound_bytes) && next.hungry < stalled {
                    return None;
                }
                self.on_air = self.next.take();
                let id = self.on_air.as_ref().map(|slot| slot.feeder.item.id)?;
                self.tell(Notice::Started(id));
            }
            let slot = self.on_air.as_mut()?;
            match slot.feeder.pull(sound_bytes) {
                Pull::Frame(frame, sound) => {
                    slot.frames += 1;
                    slot.hungry = 0;
                    return Some((frame, sound));
                }
                Pull::Starved(last) if slot.hungry < stalled => {
                    slot.hungry += 1;
                    return last.map(|last| (Some(last), vec![0; sound_bytes]));
                }
                Pull::Starved(_) => self.end(End::Stalled),
                Pull::Ended => self.end(End::Finished),
            }
        }
    }

    fn end(&mut self, end: End) {
        if let Some(slot) = self.on_air.take() {
            let played = Duration::from_secs_f64(slot.frames as f64 / f64::from(self.video.fps));
            self.tell(Notice::Ended(Box::new(Ended { feeder: slot.feeder, played, end })));
        }
    }

    fn ask_for_next(&mut self) {
        let wanted = self.next.is_none()
            && !self.asked
            && self.on_air.as_ref().is_none_or(|slot| {
                let position = slot.frames as f64 / f64::from(self.video.fps);
                let left = slot.feeder.duration_seconds.map(|duration| duration - position);
                slot.feeder.decoded() || left.is_none_or(|left| left <= PREPARE_AHEAD.as_secs_f64())
            });
        if wanted {
            self.asked = true;
            self.tell(Notice::WantNext);
        }
    }

    fn tell(&mut self, notice: Notice) {
        // There are at most three notices per item and the programme takes them promptly; a lost WantNext is asked again.
        if let Err(error) = self.notices.try_send(notice) {
            tracing::warn!(%error, "the programme does not keep up with the pump");
            self.asked = false;
        }
    }

    fn publish(&mut self) {
        let fps = f64::from(self.video.fps);
        self.report.on_air = self.on_air.as_ref().map(|slot| OnAir {
            id: slot.feeder.item.id,
            asset_path: slot.feeder.item.asset_path.clone(),
            content_kind: slot.feeder.item.content_kind.clone(),
            duration_seconds: slot.feeder.duration_seconds,
            position_seconds: slot.frames as f64 / fps,
        });
        self.reports.send_replace(self.report.clone());
    }
}
