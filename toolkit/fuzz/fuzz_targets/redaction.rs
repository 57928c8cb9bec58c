//! Any text: redacting it ends, keeps its lines, is bounded, is done at once, and hides a planted secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vvtv_toolkit::redaction::{GROWTH_MAX, Redactor};

const OWN: &str = "0wn-s3cret-value";

fuzz_target!(|text: &str| {
    let redactor = Redactor::new([OWN]);
    let once = redactor.text(text).into_owned();
    assert_eq!(redactor.text(&once), once);
    assert_eq!(once.matches('\n').count(), text.matches('\n').count());
    assert!(once.len() <= text.len() * GROWTH_MAX);
    let mut lines = redactor.lines();
    for line in text.lines() {
        assert_eq!(lines.next_aligned(line).0.chars().count(), line.chars().count());
    }
    let half = text.floor_char_boundary(text.len() / 2);
    let (before, after) = text.split_at(half);
    let planted = format!("{before} {OWN}\n?token=a1b2c3d4e5f6g7\n{after}");
    let clean = redactor.text(&planted);
    assert!(!clean.contains(OWN));
});
