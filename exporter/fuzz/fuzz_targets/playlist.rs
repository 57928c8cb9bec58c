//! Any two playlists after one another: no panic, and nothing measured of them is negative, infinite or NaN.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use vvtv_exporter::clock::Now;
use vvtv_exporter::probe::playlist::{Context, Freshness, Media, PlayerBuffer, Playlist, Sight, parse, violations};

fn media(body: &[u8]) -> Option<Media> {
    match parse(body, &Context::default()) {
        Ok(Playlist::Media(media)) => Some(media),
        Ok(Playlist::Master(_) | Playlist::Presentation(_)) | Err(_) => None,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let middle = bytes.windows(7).skip(1).position(|window| window == b"#EXTM3U").map_or(bytes.len(), |at| at + 1);
    let (first, second) = bytes.split_at(middle);
    let start = Now { mono: Duration::from_secs(1), unix_seconds: 1e9 };
    let (mut freshness, mut buffer, mut before) = (Freshness::never_seen(start), PlayerBuffer::default(), None);
    for (body, second) in [(first, 2), (second, 3)] {
        let Some(media) = media(body) else { continue };
        let now = Now { mono: Duration::from_secs(second), unix_seconds: 1e9 };
        let _ = violations(before.as_ref(), &media);
        if let Some(sight) = Sight::of(&media, None, Duration::from_secs(60)) {
            let _ = freshness.observe(now, &sight);
        }
        buffer.observe(now, &media);
        assert!(buffer.seconds(now).is_finite() && buffer.seconds(now) >= 0.0);
        assert!(media.listed_seconds.is_finite() && media.listed_seconds >= 0.0);
        assert!(freshness.age(now) <= Duration::from_secs(3));
        before = Some(media);
    }
});
