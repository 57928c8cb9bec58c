//! What goes out for each tick, with the two pipes in the test's hands.

use super::*;

const TICK: usize = 8;

struct Pipes {
    video: Option<mpsc::Sender<Frame>>,
    audio: Option<mpsc::Sender<Vec<u8>>>,
}

fn item() -> Item {
    Item {
        id: 1,
        plan_id: None,
        asset_path: "a.mp4".to_owned(),
        duration_seconds: Some(1.0),
        status: "queued".to_owned(),
        priority: 0,
        content_kind: "program".to_owned(),
        resolution: None,
        bitrate: None,
        created_at: String::new(),
        play_started_at: None,
        play_finished_at: None,
        failure_reason: None,
        resume_seconds: None,
        fault: None,
    }
}

/// A feeder whose pipes the test holds. Needs a runtime.
fn feeder(picture: bool, sound: bool) -> (Feeder, Pipes) {
    let video = picture.then(|| mpsc::channel(3));
    let audio = sound.then(|| mpsc::channel(8));
    let (video_in, video) = video.unzip();
    let (audio_in, audio) = audio.unzip();
    let process = AbortOnDropHandle::new(tokio::spawn(async { Ok(()) }));
    let feeder = Feeder {
        item: item(),
        duration_seconds: Some(1.0),
        video,
        audio,
        sound: Vec::new(),
        debt: 0,
        last: None,
        process,
    };
    (feeder, Pipes { video: video_in, audio: audio_in })
}

fn frame(value: u8) -> Frame {
    Arc::new(vec![value])
}

impl Pipes {
    fn picture(&self, value: u8) {
        self.video.as_ref().unwrap().try_send(frame(value)).unwrap();
    }

    fn sound(&self, bytes: &[u8]) {
        self.audio.as_ref().unwrap().try_send(bytes.to_vec()).unwrap();
    }
}

#[tokio::test]
async fn picture_and_sound_begin_together_and_end_together() {
    let (mut feeder, mut pipes) = feeder(true, true);
    assert!(!feeder.ready(TICK));
    pipes.picture(1);
    assert!(!feeder.ready(TICK));
    pipes.sound(&[1; 12]);
    assert!(feeder.ready(TICK));
    assert_eq!(feeder.pull(TICK), Pull::Frame(Some(frame(1)), vec![1; 8]));
    assert_eq!(feeder.pull(TICK), Pull::Starved(Some(frame(1))));
    pipes.picture(2);
    pipes.video = None;
    pipes.audio = None;
    assert_eq!(feeder.pull(TICK), Pull::Frame(Some(frame(2)), vec![1, 1, 1, 1, 0, 0, 0, 0]));
    assert_eq!(feeder.pull(TICK), Pull::Ended);
}

#[tokio::test]
async fn sound_that_comes_late_is_skipped_so_that_it_stays_with_its_picture() {
    let (mut feeder, pipes) = feeder(true, true);
    for value in 1..=3 {
        pipes.picture(value);
    }
    // The picture's pipe is full, so the feeder may be blocked there: do not wait for its sound.
    assert!(feeder.ready(TICK));
    assert_eq!(feeder.pull(TICK), Pull::Frame(Some(frame(1)), vec![0; 8]));
    pipes.sound(&[1; 8]);
    pipes.sound(&[2; 8]);
    assert_eq!(feeder.pull(TICK), Pull::Frame(Some(frame(2)), vec![2; 8]));
}

#[tokio::test]
async fn sound_alone_and_picture_alone() {
    let (mut alone, mut pipes) = feeder(false, true);
    pipes.sound(&[5; 8]);
    assert!(alone.ready(TICK));
    assert_eq!(alone.pull(TICK), Pull::Frame(None, vec![5; 8]));
    assert_eq!(alone.pull(TICK), Pull::Starved(None));
    pipes.audio = None;
    assert_eq!(alone.pull(TICK), Pull::Ended);

    let (mut silent, mut pipes) = feeder(true, false);
    pipes.picture(1);
    assert!(silent.ready(TICK));
    assert_eq!(silent.pull(TICK), Pull::Frame(Some(frame(1)), vec![0; 8]));
    pipes.video = None;
    assert_eq!(silent.pull(TICK), Pull::Ended);
}

#[tokio::test]
async fn sound_that_outlasts_the_picture_is_played_under_the_last_picture() {
    let (mut feeder, mut pipes) = feeder(true, true);
    pipes.picture(1);
    pipes.sound(&[1; 16]);
    pipes.video = None;
    assert_eq!(feeder.pull(TICK), Pull::Frame(Some(frame(1)), vec![1; 8]));
    assert_eq!(feeder.pull(TICK), Pull::Frame(Some(frame(1)), vec![1; 8]));
    pipes.audio = None;
    assert_eq!(feeder.pull(TICK), Pull::Ended);
}
