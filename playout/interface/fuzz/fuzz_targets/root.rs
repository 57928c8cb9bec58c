//! Any text as what people and programs write into a root: `playout.yml`, the flags, an address, and what ffprobe says of a film.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_playout_interface::config::{Config, PublishUrl};
use vvtv_playout_interface::ffprobe::Media;
use vvtv_playout_interface::flags::Flags;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse("playout.yml", text) {
        assert!(error.to_string().starts_with("playout.yml"));
    }
    if let Ok(flags) = Flags::parse(text) {
        let named = serde_json::to_string(&flags.named()).unwrap();
        assert_eq!(Flags::parse(&named).ok(), Some(flags));
    }
    if let Ok(media) = Media::parse(text.as_bytes()) {
        assert!(media.picture.is_some() || media.has_audio);
    }
    if let Ok(address) = PublishUrl::parse(text) {
        assert!(!address.app.is_empty() && !address.name.is_empty());
    }
});
