//! Frames that an encoder lost: those it dropped, and those it had no time to produce.
//!
//! `drop_frames` stays 0 when the processor is too slow; then media time falls behind wall time instead, so both are counted. Where
//! media time cannot be used, the frames dropped count alone.

mod outputs;
mod pace;

use std::collections::VecDeque;
use std::time::Duration;

use self::outputs::Outputs;
use self::pace::{MediaClock, Tick, growth};
use vvtv_streaming::ffmpeg_progress::MediaTime;

/// Samples kept; the oldest go first, so a flood shortens the window instead of growing memory.
const SAMPLES_MAX: usize = 1024;

/// Fewer expected frames than this (ten seconds at 25 a second) say nothing: a hiccup at the start would be a tenth of them.
const EXPECTED_MIN: f64 = 250.0;

/// Over which the present speed, lag and losses are measured.
const SHORT: Duration = Duration::from_secs(10);

/// So much of [`SHORT`] must have been seen before anything is said of it.
const SHORT_MIN: Duration = Duration::from_secs(8);

/// So much of a run must have been seen before it is judged by itself.
const RUN_MIN: Duration = Duration::from_secs(10);

/// So many seconds of media tell the rate of frames; an encoder at a twentieth of real time needs four seconds for them.
const RATE_MIN: f64 = 0.2;

/// A process that has made no more frames than this when it is first heard has only begun, and counts from zero.
const BEGUN_MAX: u64 = 300;

/// Fewer samples than this say nothing. An encoder may report seldom: then the short window reaches back until it holds as many.
const SAMPLES_MIN: usize = 4;

/// An encoder's counters at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Monotonic time of arrival.
    pub at: Duration,
    /// Frames encoded since the encoder started; none where it does not say.
    pub frames: Option<u64>,
    /// Frames dropped since then.
    pub dropped: u64,
    /// Frames duplicated since then.
    pub duplicated: u64,
    /// Media time produced; none where it is not known.
    pub out_time: Option<MediaTime>,
    /// Video outputs that are encoded.
    pub outputs: u32,
}

/// Whether a sample continued its predecessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Continuity {
    /// The first sample, or counters that went on.
    Continued,
    /// Another encoder process.
    Restarted,
}

/// What the window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Lost ÷ expected frames, 0 to 1; without frames, as of sound alone, media time that was lost ÷ time.
    pub ratio: f64,
    /// Frames that were due in the window.
    pub expected_frames: f64,
    /// Media seconds produced per second of the last ten, or between the last two reports where they are rarer; none where it is not
    /// known.
    pub speed_ratio: Option<f64>,
    /// Lost ÷ expected frames of the present run alone, within the window; none before ten seconds of it were seen.
    pub run_ratio: Option<f64>,
    /// Lost ÷ expected frames of the last ten seconds of the present run; none before eight of it were seen.
    pub short_ratio: Option<f64>,
    /// Seconds that media time is behind where it was at best in the present run; none where it is not known.
    pub lag_seconds: Option<f64>,
    /// Seconds by which that grew over the last ten, negative where it shrank; none before eight of the run were seen.
    pub lag_growth_seconds: Option<f64>,
}

/// A sliding window over an encoder's counters, and totals that survive its restarts.
#[derive(Clone, Debug)]
pub struct LossWindow {
    length: Duration,
    /// One for each process of the encoder, oldest first.
    runs: VecDeque<Run>,
    totals: Totals,
}

/// Counted across restarts. What a process did before its first sample is its past, and is not counted, unless it had only begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames encoded.
    pub frames: u64,
    /// Frames dropped, as ffmpeg counts them.
    pub dropped: u64,
    /// Frames duplicated, as ffmpeg counts them.
    pub duplicated: u64,
    /// Restarts seen.
    pub restarts: u64,
}

/// The samples of one process.
#[derive(Clone, Debug, Default)]
struct Run {
    counts: VecDeque<Count>,
    clock: MediaClock,
    outputs: Outputs,
    /// Frames in a second of media, when that was last seen.
    rate: f64,
}

/// A sample as it is kept.
#[derive(Clone, Copy, Debug)]
struct Count {
    at: Duration,
    frames: u64,
    dropped: u64,
    duplicated: u64,
    /// Seconds of media, without jumps; none before media time advances, and where it is not known.
    media: Option<f64>,
    /// It is known, and has not advanced yet.
    stands: bool,
}

/// What a stretch of one run lost.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    seen: Duration,
    samples: usize,
    encoded: f64,
    lost: f64,
    growth: Option<f64>,
    /// Growth is in `lost`, as frames.
    in_frames: bool,
}

impl LossWindow {
    /// An empty window.
    #[must_use]
    pub const fn new(length: Duration) -> Self {
        Self { length, runs: VecDeque::new(), totals: Totals { frames: 0, dropped: 0, duplicated: 0, restarts: 0 } }
    }

    /// Counters across restarts.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Takes a sample. Counters that went back are another process' even if nobody says so; what lies between two is not counted.
    pub fn observe(&mut self, sample: Sample, another_process: bool) -> Continuity {
        let last = self.runs.back().and_then(|run| run.counts.back()).copied();
        let frames = sample.frames.or(last.map(|last| last.frames).filter(|_| !another_process)).unwrap_or(0);
        let (at, dropped, duplicated) = (sample.at, sample.dropped, sample.duplicated);
        let went_back = last.is_some_and(|last| {
            frames < last.frames || dropped < last.dropped || duplicated < last.duplicated || at < last.at
        });
        let restarted = last.is_some() && (another_process || went_back);
        if restarted || self.runs.is_empty() {
            self.runs.push_back(Run::default());
        }
        let (before, before_dropped, before_duplicated) = match last {
            Some(last) if !restarted => (last.frames, last.dropped, last.duplicated),
            Some(_) | None if frames <= BEGUN_MAX && dropped <= BEGUN_MAX => (0, 0, 0),
            Some(_) | None => (frames, dropped, duplicated),
        };
        self.totals.frames += frames - before;
        self.totals.dropped += dropped - before_dropped;
        self.totals.duplicated += duplicated - before_duplicated;
        if let Some(run) = self.runs.back_mut() {
            let media = run.clock.read(at, sample.out_time.map(MediaTime::seconds));
            run.outputs.observe(sample.outputs, dropped);
            let stands = media.is_none() && sample.out_time.is_some();
            run.counts.push_back(Count { at, frames, dropped, duplicated, media, stands });
            run.learn_rate();
        }
        self.prune(at);
        if !restarted {
            return Continuity::Continued;
        }
        self.totals.restarts += 1;
        Continuity::Restarted
    }

    /// The last sample stays, however old: the next one continues it.
    fn prune(&mut self, now: Duration) {
        let oldest = now.saturating_sub(self.length);
        let mut excess = self.runs.iter().map(|run| run.counts.len()).sum::<usize>().saturating_sub(SAMPLES_MAX);
        while let Some(run) = self.runs.front_mut() {
            match run.counts.front() {
                Some(first) if first.at >= oldest && excess == 0 => return,
                Some(_) => {
                    excess = excess.saturating_sub(1);
                    run.counts.pop_front();
                }
                None => {
                    self.runs.pop_front();
                }
            }
        }
    }

    /// The loss over the window that ends `now`. `expected_drops_ratio` of the source's frames are dropped by intention;
    /// `outputs` is over how many video outputs ffmpeg sums what it drops, where that is configured.
    #[must_use]
    pub fn loss(&self, now: Duration, expected_drops_ratio: f64, outputs: Option<u32>) -> Loss {
        let oldest = now.saturating_sub(self.length);
        let (mut lost, mut frames, mut present) = (0.0, 0.0, Stretch::default());
        let (mut late, mut timed) = (0.0, Duration::ZERO);
        for run in &self.runs {
            present = run.stretch(oldest, expected_drops_ratio, outputs);
            frames += present.encoded;
            lost += present.lost;
            if let Some(growth) = present.timed() {
                late += growth.max(0.0);
                timed += present.seen;
            }
        }
        let expected_frames = frames + lost;
        let ratio = if expected_frames >= EXPECTED_MIN {
            (lost / expected_frames).clamp(0.0, 1.0)
        } else if timed >= RUN_MIN.min(self.length / 2) {
            (late / timed.as_secs_f64()).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let long = Loss { ratio, expected_frames, ..Loss::default() };
        let Some(run) = self.runs.back() else { return long };
        let short = run.stretch(run.holding(SAMPLES_MIN, now, oldest), expected_drops_ratio, outputs);
        Loss {
            speed_ratio: run.speed(run.holding(2, now, oldest)),
            run_ratio: present.ratio(RUN_MIN.min(self.length / 2)),
            short_ratio: short.ratio(SHORT_MIN.min(self.length / 2)),
            lag_seconds: run.clock.lag(run.ticks(oldest)),
            lag_growth_seconds: short.growth.filter(|_| short.is_enough(SHORT_MIN.min(self.length / 2))),
            ..long
        }
    }

    /// How many video outputs ffmpeg sums the frames dropped over, as far as its reports tell.
    #[must_use]
    pub fn outputs(&self) -> u32 {
        self.runs.back().map_or(1, |run| run.outputs.summed())
    }
}

impl Run {
    fn since(&self, oldest: Duration) -> impl DoubleEndedIterator<Item = &Count> + Clone {
        self.counts.iter().filter(move |count| count.at >= oldest)
    }

    fn ticks(&self, oldest: Duration) -> impl DoubleEndedIterator<Item = Tick> + Clone {
        self.since(oldest).filter_map(|count| Some(Tick { at: count.at, media: count.media? }))
    }

    /// Where the short window begins, if it holds so many samples.
    fn holding(&self, samples: usize, now: Duration, oldest: Duration) -> Duration {
        let few = self.counts.iter().rev().nth(samples.saturating_sub(1)).map_or(now, |count| count.at);
        now.saturating_sub(SHORT).min(few).max(oldest)
    }

    /// Keeps the rate of frames, because an encoder that stands still shows none.
    fn learn_rate(&mut self) {
        let Some(last) = self.counts.back() else { return };
        let moving = self.counts.iter().find(|count| count.media.is_some());
        let Some((first, from, to)) = moving.and_then(|first| Some((first, first.media?, last.media?))) else { return };
        if to - from >= RATE_MIN {
            self.rate = (last.frames - first.frames) as f64 / (to - from);
        }
    }

    fn stretch(&self, oldest: Duration, expected_drops_ratio: f64, outputs: Option<u32>) -> Stretch {
        let mut counts = self.since(oldest);
        let samples = counts.clone().count();
        let (Some(first), Some(last)) = (counts.next(), counts.next_back()) else { return Stretch::default() };
        let encoded = (last.frames - first.frames) as f64;
        let dropped = (last.dropped - first.dropped) as f64 / f64::from(outputs.unwrap_or(self.outputs.summed()));
        let unwanted = (dropped - expected_drops_ratio * (encoded + dropped)).max(0.0);
        let growth = growth(self.ticks(oldest));
        let starved = growth.map_or(0.0, |growth| growth.max(0.0) * self.rate);
        let seen = last.at - first.at;
        Stretch { seen, samples, encoded, lost: unwanted + starved, growth, in_frames: self.rate > 0.0 }
    }

    fn speed(&self, oldest: Duration) -> Option<f64> {
        let mut ticks = self.ticks(oldest);
        if let (Some(first), Some(last)) = (ticks.next(), ticks.next_back()) {
            let passed = (last.at - first.at).as_secs_f64();
            return (passed > 0.0).then(|| ((last.media - first.media) / passed).max(0.0));
        }
        // One time told again and again is a standstill; one that was told once says nothing.
        let told = self.since(oldest).rev().take_while(|count| count.stands).count();
        (told > 1).then_some(0.0)
    }
}

impl Stretch {
    fn is_enough(&self, least: Duration) -> bool {
        self.samples >= SAMPLES_MIN && self.seen >= least
    }

    /// Seconds of media time that were lost, where they are not in the frames.
    fn timed(&self) -> Option<f64> {
        self.growth.filter(|_| !self.in_frames)
    }

    /// Without frames, as of sound alone and before the first ones, it is the share of time that was lost.
    fn ratio(&self, least: Duration) -> Option<f64> {
        if !self.is_enough(least) {
            return None;
        }
        let expected = self.encoded + self.lost;
        let of_frames = (expected > 0.0).then(|| self.lost / expected);
        let of_time = self.timed().map(|growth| growth / self.seen.as_secs_f64());
        of_frames.into_iter().chain(of_time).reduce(f64::max).map(|ratio| ratio.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests;
