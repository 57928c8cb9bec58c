//! The real ffmpeg as a packager of MPEG-DASH: its age is seen to grow while it stands still, however it addresses its segments.

use std::collections::BTreeSet;

use rstest::rstest;
use rustix::process::Signal;

use super::running::{Running, Started, label, samples};

/// Two renditions of a small picture and one of sound, in segments of a second.
const PACKAGER: &str = "-re -f lavfi -i testsrc2=size=160x90:rate=10 -f lavfi -i sine -map 0 -map 0 -map 1 -c:v libx264 \
    -preset ultrafast -g 10 -b:v 50k -c:a aac -f dash -seg_duration 1 -window_size 5 -extra_window_size 2";

fn ages(scrape: &str) -> Vec<(String, f64)> {
    samples(scrape, "vvtv_segment_age_seconds").map(|(labels, age)| (label(labels, "variant"), age)).collect()
}

#[rstest]
#[case::the_manifest_lists_them_in_a_timeline("-use_timeline 1")]
#[case::they_follow_from_the_clock("-use_timeline 0")]
#[case::the_manifest_lists_each("-use_template 0 -use_timeline 0")]
#[tokio::test]
async fn a_packager_that_stands_still_ages_and_one_that_goes_on_does_not(#[case] addressing: &str) {
    let directory = tempfile::tempdir().unwrap();
    let manifest = directory.path().join("live.mpd").display().to_string();
    let arguments = PACKAGER.split_whitespace().chain(addressing.split_whitespace());
    let packager = Started::ffmpeg(arguments.chain(["-adaptation_sets", "id=0,streams=v id=1,streams=a"]), &manifest);
    let config = format!("streams: [{{name: main, playlist: '{manifest}'}}]\ninterval: 200ms\n");
    let running = Running::start(&config, &[]);

    let fresh = |scrape: &str| {
        let ages = ages(scrape);
        ages.len() == 3 && ages.iter().all(|(_, age)| *age < 3.0)
    };
    let scrape = running.wait_until("three fresh variants", fresh).await;
    let names: BTreeSet<_> = ages(&scrape).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(["0/0", "0/1", "1/2"].map(str::to_owned)));

    packager.signal(Signal::STOP);
    let old = |scrape: &str| ages(scrape).iter().all(|(_, age)| *age > 6.0);
    let scrape = running.wait_until("three old variants", old).await;
    assert_eq!(ages(&scrape).len(), 3);
    let missing = samples(&scrape, "vvtv_segment_available").any(|(_, available)| available < 1.0);
    assert_eq!(missing, addressing == "-use_timeline 0", "only what is due by the clock can be missing:\n{scrape}");

    packager.signal(Signal::CONT);
    let _ = running.wait_until("three fresh variants again", fresh).await;
}
