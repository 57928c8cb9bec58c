//! Whatever is written into a root or said over the socket: it is understood, or refused with its place, and nothing in between.

use proptest::prelude::*;
use vvtv_playout_interface::config::{Config, PublishUrl};
use vvtv_playout_interface::ffprobe::{Media, Picture};
use vvtv_playout_interface::flags::{Flags, Key};
use vvtv_playout_interface::protocol::{Reply, Request};
use vvtv_playout_interface::settings::{Kbps, Preset, RateControl};

/// The shipped configuration.
const SHIPPED: &str = include_str!("../../../deploy/playout.yml");

#[test]
fn recorded_answers_of_ffprobe() {
    let film = Media::parse(include_bytes!("fixtures/ffprobe-film.json")).unwrap();
    assert_eq!((film.picture, film.has_audio), (Some(Picture { width: 320, height: 180 }), true));
    let song = Media::parse(include_bytes!("fixtures/ffprobe-song.json")).unwrap();
    assert_eq!((song.picture, song.has_audio), (None, true), "a cover is no moving picture");
}

#[test]
fn a_recorded_flags_file() {
    let flags = Flags::parse(include_str!("fixtures/flags.json")).unwrap();
    assert_eq!((flags.get(Key::Preset), flags.get(Key::Bitrate)), (Some("fast"), None));
    let named = serde_json::to_string(&flags.named()).unwrap();
    assert_eq!(Flags::parse(&named).unwrap(), flags);
}

/// A text with a piece of it replaced.
fn spoilt(text: &'static str) -> impl Strategy<Value = String> {
    (0..text.len(), 0_usize..12, "\\PC{0,8}").prop_map(move |(at, length, put)| {
        let keep = |end: usize| (0..=end.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        format!("{}{put}{}", &text[..keep(at)], &text[keep(at + length)..])
    })
}

proptest! {
    #[test]
    fn a_spoilt_configuration_is_good_or_refused_by_name(text in spoilt(SHIPPED)) {
        match Config::parse("playout.yml", &text) {
            Ok(config) => prop_assert!(config.video.frame_bytes() > 0 && config.respawn.max >= config.respawn.first),
            Err(error) => prop_assert!(error.to_string().starts_with("playout.yml"), "{error}"),
        }
    }

    #[test]
    fn spoilt_flags_are_good_or_refused(text in spoilt(include_str!("fixtures/flags.json"))) {
        if let Ok(flags) = Flags::parse(&text) {
            let base = Config::parse("playout.yml", SHIPPED).unwrap().encoder;
            prop_assert!(flags.over(&base).is_ok(), "what was checked when it was read fits");
        }
    }

    #[test]
    fn a_spoilt_answer_of_ffprobe_has_something_to_play_or_is_refused(
        text in spoilt(include_str!("fixtures/ffprobe-film.json"))
    ) {
        if let Ok(media) = Media::parse(text.as_bytes()) {
            prop_assert!(media.picture.is_some() || media.has_audio);
            prop_assert!(media.duration_seconds.is_none_or(|seconds| seconds.is_finite() && seconds > 0.0));
        }
    }

    #[test]
    fn settings_are_read_as_they_are_written(text in "\\PC{0,12}|[0-9]{1,6}[kKmM]?") {
        if let Ok(kbps) = text.parse::<Kbps>() {
            prop_assert_eq!(kbps.to_string().parse(), Ok(kbps));
        }
        if let Ok(preset) = text.parse::<Preset>() {
            prop_assert_eq!(preset.to_string(), text.clone());
        }
        if let Ok(rate_control) = text.parse::<RateControl>() {
            prop_assert_eq!(rate_control.to_string(), text);
        }
    }

    #[test]
    fn an_address_names_an_application_and_a_stream(text in "rtmp://[a-z0-9.:/\\[\\]%?#@-]{0,40}|\\PC{0,40}") {
        if let Ok(PublishUrl { host, app, name, .. }) = PublishUrl::parse(&text) {
            prop_assert!(!app.is_empty() && !app.contains('/') && !name.is_empty(), "{host} {app} {name}");
        }
    }

    #[test]
    fn what_is_said_is_heard_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), lines in any::<usize>()) {
        let _refused: Result<Request, _> = serde_json::from_slice(&bytes);
        let _refused: Result<Reply, _> = serde_json::from_slice(&bytes);
        let request = Request::LogTail { lines };
        let line = serde_json::to_vec(&request).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Request>(&line).unwrap(), request);
    }
}
