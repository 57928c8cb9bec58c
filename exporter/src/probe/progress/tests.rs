//! Files that encoders report to, and those that they left behind.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use prometheus::Registry;
use tokio::time::timeout;

use super::*;
use crate::clock::Clock;
use crate::fetch::Fetcher;
use crate::probe::Pace;
use crate::recorder::Recorder;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that is looked at fifty times a second.
struct Following {
    clock: Clock,
    view: watch::Receiver<Arc<ProgressView>>,
    _stop: tokio_util::sync::DropGuard,
}

impl Following {
    fn start(path: &Path) -> Self {
        let clock = Clock::start();
        let tools = Tools {
            clock,
            fetcher: Arc::new(Fetcher::new().unwrap()),
            recorder: Recorder::start(),
            remembered: Arc::default(),
            pace: Pace::register(&Registry::new()).unwrap(),
        };
        let timing = Timing { interval: Duration::from_millis(20), ..Timing::default() };
        let source = ProgressSource::File(path.to_owned());
        let spec = ProgressSpec { stream: "main".to_owned(), source, from: None, outputs: None, timing };
        let encoder = Encoder::new(ProgressTiming::from(timing));
        let (sender, view) = watch::channel(Arc::new(ProgressView { health: Health::default(), encoder }));
        let stop = CancellationToken::new();
        tokio::spawn(run(spec, tools, sender, stop.clone()));
        Self { clock, view, _stop: stop.drop_guard() }
    }

    async fn wait_for(&mut self, is_so: impl Fn(&ProgressView) -> bool) -> ProgressView {
        let found = timeout(PATIENCE, self.view.wait_for(|view| is_so(view))).await;
        let found = found.map(|found| found.unwrap().as_ref().clone());
        found.unwrap_or_else(|_| panic!("it did not come within {PATIENCE:?}, last seen {:?}", self.view.borrow()))
    }
}

fn block(frame: u64) -> String {
    format!("frame={frame}\nout_time_us={}\nprogress=continue\n", frame * 40_000)
}

fn write(path: &Path, text: &str, seconds_ago: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
}

#[tokio::test]
async fn what_a_dead_encoder_left_behind_is_no_report() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("progress");
    write(&path, &(9000..9200).map(block).collect::<String>(), 60);
    let mut following = Following::start(&path);
    let silent = following.wait_for(|view| view.health.last.is_some()).await;
    assert!(silent.health.last.unwrap().is_err_and(|error| error.reason == Failure::Silent));
    assert_eq!((silent.encoder.last_heard(), silent.encoder.totals()), (None, crate::window::loss::Totals::default()));
    // An encoder that takes the file over is heard, whatever is in it.
    File::options().append(true).open(&path).unwrap().write_all(block(25).as_bytes()).unwrap();
    let heard = following.wait_for(|view| view.encoder.last_heard().is_some()).await;
    assert!(heard.encoder.is_up(following.clock.now()) && heard.health.last.unwrap().is_ok());
    assert_eq!((heard.encoder.totals().frames, heard.encoder.totals().restarts), (25, 0));
}

#[tokio::test]
async fn a_report_in_place_of_the_one_before_is_a_report() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().join("progress"), directory.path().join("other"));
    write(&path, &block(100), 0);
    let mut following = Following::start(&path);
    following.wait_for(|view| view.encoder.last_heard().is_some()).await;
    for frame in 101..110 {
        let before = following.view.borrow().encoder.last_heard();
        write(&other, &block(frame), 0);
        std::fs::rename(&other, &path).unwrap();
        let view = following.wait_for(|view| view.encoder.last_heard() > before).await;
        assert_eq!((view.encoder.totals().frames, view.encoder.totals().restarts), (frame, 0));
    }
}

#[rstest::rstest]
#[case::looked_at_often(ProgressSource::File("progress".into()), 1, 3_000)]
#[case::looked_at_seldom(ProgressSource::File("progress".into()), 5, 7_500)]
#[case::not_looked_at(ProgressSource::Udp(SocketAddr::from(([127, 0, 0, 1], 1))), 5, 3_000)]
fn silence_is_not_known_before_the_next_look(
    #[case] source: ProgressSource,
    #[case] interval: u64,
    #[case] millis: u64,
) {
    let timing = Timing { interval: Duration::from_secs(interval), ..Timing::default() };
    let spec = ProgressSpec { stream: "main".to_owned(), source, from: None, outputs: None, timing };
    assert_eq!(spec.silent_after(), Duration::from_millis(millis));
}
