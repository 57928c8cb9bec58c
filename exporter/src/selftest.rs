//! `vvtv-exporter selftest`: built-in faults on loopback, measured by the real probes. Proves on the machine at hand that each metric
//! trips and clears.

mod world;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use prometheus::Registry;
use vvtv_toolkit::render::{Exposition, Format};

use self::world::{Fault, World};
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Fetcher;
use crate::metrics;
use crate::probe::{Pace, Tools, View};
use crate::probe_fleet::{ProbeFleet, Watched};
use crate::recorder::Recorder;

/// How long a metric may take to trip or to clear: the window, and the probes' own pace.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A fault, and what it does to a series.
struct Case {
    name: &'static str,
    fault: Fault,
    series: &'static str,
    trips: fn(f64) -> bool,
}

const AGE: &str = "vvtv_segment_age_seconds{stream=\"selftest\",variant=\"media\"}";

const CASES: [Case; 8] = [
    Case { name: "playlist frozen", fault: Fault::PlaylistFrozen, series: AGE, trips: |age| age > 1.0 },
    Case { name: "playlist vanished", fault: Fault::PlaylistVanished, series: AGE, trips: |age| age > 1.0 },
    Case {
        name: "segments missing",
        fault: Fault::SegmentsMissing,
        series: "vvtv_segment_available{stream=\"selftest\",variant=\"media\"}",
        trips: |available| available < 1.0,
    },
    Case {
        name: "RTMP server hung",
        fault: Fault::RtmpHung,
        series: "vvtv_ingest_state{stream=\"selftest\",state=\"server_hung\"}",
        trips: |hung| hung > 0.0,
    },
    Case {
        name: "publisher frozen",
        fault: Fault::PublisherFrozen,
        series: "vvtv_ingest_publishing{stream=\"selftest\"}",
        trips: |publishing| publishing < 1.0,
    },
    Case {
        name: "encoder drops frames",
        fault: Fault::EncoderDrops,
        series: "vvtv_encoder_drops_ratio{stream=\"selftest\"}",
        trips: |ratio| ratio > 0.005,
    },
    Case {
        name: "encoder starved",
        fault: Fault::EncoderStarved,
        series: "vvtv_encoder_speed_ratio{stream=\"selftest\"}",
        trips: |speed| speed < 0.9,
    },
    Case {
        name: "bitrate swings",
        fault: Fault::BitrateSwings,
        series: "vvtv_bitrate_variance_ratio{stream=\"selftest\"}",
        trips: |ratio| ratio > 0.25,
    },
];

/// Runs every case.
///
/// # Errors
/// A metric did not trip, did not clear, or moved without a fault; or loopback cannot be used.
pub async fn run() -> anyhow::Result<()> {
    let mut bench = Bench::start().await?;
    for case in &CASES {
        bench.waits_for(case, Wanted::Clear).await?;
    }
    let mut failed = 0;
    for case in &CASES {
        let outcome = bench.provoke(case).await;
        match &outcome {
            Ok(times) => println!("ok      {}: {times}", case.name),
            Err(error) => println!("FAILED  {}: {error:#}", case.name),
        }
        failed += usize::from(outcome.is_err());
    }
    match bench.restart().await {
        Ok(()) => println!("ok      encoder restarted: counted, and nothing is lost"),
        Err(error) => {
            println!("FAILED  encoder restarted: {error:#}");
            failed += 1;
        }
    }
    bench.fleet.stop().await;
    anyhow::ensure!(failed == 0, "{failed} of {} cases failed", CASES.len() + 1);
    Ok(())
}

#[derive(Clone, Copy)]
enum Wanted {
    Trip,
    Clear,
}

/// How long a case took.
struct Times {
    trip: Duration,
    clear: Duration,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trips after {:.1} s, clears after {:.1} s", self.trip.as_secs_f64(), self.clear.as_secs_f64())
    }
}

/// The real probes, pointed at a world of faults.
struct Bench {
    world: World,
    fleet: ProbeFleet,
    watched: View<Watched>,
    clock: Clock,
    registry: Registry,
}

impl Bench {
    async fn start() -> anyhow::Result<Self> {
        let world = World::start().await.context("open ports on loopback")?;
        let config = Config::parse("selftest", &world.config()).map_err(anyhow::Error::new)?;
        let registry = Registry::new();
        let clock = Clock::start();
        let pace = Pace::register(&registry).context("register metrics")?;
        let fetcher = Arc::new(Fetcher::new().context("set an HTTP client up")?);
        let tools = Tools { clock, fetcher, recorder: Recorder::start(), remembered: Arc::default(), pace };
        let mut fleet = ProbeFleet::new(tools);
        fleet.apply(&config).await;
        world.begin();
        let watched = fleet.watched();
        Ok(Self { world, fleet, watched, clock, registry })
    }

    fn value(&self, series: &str) -> Option<f64> {
        let watched = Arc::clone(&self.watched.borrow());
        let body = metrics::scrape(self.clock.now(), &watched, &self.registry, Exposition::new(Format::Text004));
        let text = String::from_utf8_lossy(&body);
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }

    async fn waits_for(&self, case: &Case, wanted: Wanted) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        let mut last = None;
        while started.elapsed() < PATIENCE {
            ticks.tick().await;
            last = self.value(case.series);
            let there = last.is_some_and(|value| match wanted {
                Wanted::Trip => (case.trips)(value),
                Wanted::Clear => !(case.trips)(value),
            });
            if there {
                return Ok(started.elapsed());
            }
        }
        let what = match wanted {
            Wanted::Trip => "trip",
            Wanted::Clear => "clear",
        };
        anyhow::bail!("{} does not {what} within {PATIENCE:?}, it is {last:?}", case.series)
    }

    async fn provoke(&mut self, case: &Case) -> anyhow::Result<Times> {
        self.world.set(Some(case.fault));
        let trip = self.waits_for(case, Wanted::Trip).await;
        self.world.set(None);
        let clear = self.waits_for(case, Wanted::Clear).await;
        Ok(Times { trip: trip?, clear: clear? })
    }

    /// An encoder that begins anew at zero.
    async fn restart(&mut self) -> anyhow::Result<()> {
        let restarts = "vvtv_encoder_restarts_total{stream=\"selftest\"}";
        let ratio = "vvtv_encoder_drops_ratio{stream=\"selftest\"}";
        let before = self.value(restarts).context("no restarts are counted")?;
        self.world.restart_encoder();
        let started = Instant::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        while self.value(restarts).is_none_or(|count| count <= before) {
            anyhow::ensure!(started.elapsed() < PATIENCE, "{restarts} does not grow");
            ticks.tick().await;
        }
        let lost = self.value(ratio).context("no drops are measured")?;
        // On a busy machine a late report looks like some lost frames; a restart taken for a loss would be most of them.
        anyhow::ensure!((0.0..0.2).contains(&lost), "{ratio} is {lost}");
        Ok(())
    }
}
