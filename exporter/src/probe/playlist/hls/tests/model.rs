//! A list read in one go, of which the end is kept, against a model that keeps everything.

use super::*;
use proptest::prelude::*;

/// A segment as it is written, with the lines before it.
#[derive(Clone, Debug)]
struct Written {
    /// Tenths of a second; none writes `-1`.
    tenths: Option<u32>,
    gap: bool,
    discontinuous: bool,
    date: Option<u32>,
    range: Option<(u32, Option<u32>)>,
    /// Parts before it, and whether each is there.
    parts: Vec<bool>,
}

fn written() -> impl Strategy<Value = Written> {
    let rarely = |percent: f64| proptest::bool::weighted(percent);
    let range = (1_u32..1000, proptest::option::of(0_u32..1000));
    let parts = proptest::collection::vec(any::<bool>(), 0..3);
    (
        proptest::option::weighted(0.95, 1_u32..100),
        rarely(0.2),
        rarely(0.1),
        proptest::option::weighted(0.1, 0_u32..1000),
        proptest::option::weighted(0.3, range),
        parts,
    )
        .prop_map(|(tenths, gap, discontinuous, date, range, parts)| Written {
            tenths,
            gap,
            discontinuous,
            date,
            range,
            parts,
        })
}

const EPOCH: u32 = 1_795_359_600;

fn text(head: &str, list: &[Written], open: &[bool]) -> String {
    let part =
        |there: &bool| format!("#EXT-X-PART:DURATION=0.5,URI=\"p.mp4\"{}\n", if *there { "" } else { ",GAP=YES" });
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n{head}");
    for (index, segment) in list.iter().enumerate() {
        if segment.discontinuous {
            text += "#EXT-X-DISCONTINUITY\n";
        }
        if let Some(date) = segment.date {
            let date = jiff::Timestamp::from_second(i64::from(EPOCH + date)).unwrap();
            text += &format!("#EXT-X-PROGRAM-DATE-TIME:{date}\n");
        }
        text.extend(segment.parts.iter().map(part));
        if segment.gap {
            text += "#EXT-X-GAP\n";
        }
        if let Some((length, offset)) = segment.range {
            let offset = offset.map(|offset| format!("@{offset}")).unwrap_or_default();
            text += &format!("#EXT-X-BYTERANGE:{length}{offset}\n");
        }
        let duration =
            segment.tenths.map_or_else(|| "-1".to_owned(), |tenths| format!("{}.{}", tenths / 10, tenths % 10));
        text += &format!("#EXTINF:{duration},\n{index}.ts\n");
    }
    text.extend(open.iter().map(part));
    text
}

/// All segments, and where the newest one that is there ends.
fn everything(sequence: u64, list: &[Written]) -> (Vec<Segment>, Option<f64>) {
    let (mut all, mut clock, mut end): (Vec<Segment>, Option<f64>, _) = (Vec::new(), None, None);
    for (index, segment) in list.iter().enumerate() {
        let date = segment.date.map(|date| f64::from(EPOCH + date));
        let begins = date.or(clock);
        clock = match (begins, segment.tenths) {
            (Some(begins), Some(tenths)) => Some(begins + f64::from(tenths) / 10.0),
            _ => None,
        };
        if !segment.gap {
            end = clock;
        }
        let before = all.last().and_then(|segment| segment.range).map_or(0, |range| range.offset + range.length);
        all.push(Segment {
            sequence: sequence + index as u64,
            uri: format!("{index}.ts"),
            seconds: segment.tenths.map_or(0.0, |tenths| f64::from(tenths) / 10.0),
            gap: segment.gap,
            discontinuous: segment.discontinuous,
            range: segment.range.map(|(length, offset)| ByteRange {
                offset: offset.map_or(before, u64::from),
                length: u64::from(length),
            }),
            program_unix_seconds: date,
        });
    }
    (all, end)
}

fn near(ours: Option<f64>, model: Option<f64>) -> bool {
    match (ours, model) {
        (Some(ours), Some(model)) => (ours - model).abs() < 1e-3,
        (ours, model) => ours == model,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_kept_and_counted_is_that_of_the_whole_list(
        sequence in 0_u64..1000,
        before in 0_u64..10,
        list in proptest::collection::vec(written(), 0..200),
        open in proptest::collection::vec(any::<bool>(), 0..4),
    ) {
        let head = format!("#EXT-X-MEDIA-SEQUENCE:{sequence}\n#EXT-X-DISCONTINUITY-SEQUENCE:{before}\n");
        let media = media(&text(&head, &list, &open));
        let (all, end) = everything(sequence, &list);
        let there = open.iter().filter(|there| **there).count() as u32;
        let newest = all.iter().rposition(|segment| !segment.gap).map(|index| Identity {
            discontinuity: before + all[..=index].iter().filter(|segment| segment.discontinuous).count() as u64,
            parts: there,
            ..all[index].identity()
        });
        let only_parts = Identity {
            sequence: sequence + all.len() as u64,
            discontinuity: before + all.iter().filter(|segment| segment.discontinuous).count() as u64,
            parts: there,
            uri: String::new(),
            range: None,
        };
        prop_assert_eq!(&media.newest, &newest.or_else(|| (there > 0).then_some(only_parts)));
        prop_assert_eq!(media.segments, all.len());
        prop_assert_eq!(&media.recent, &all[all.len().saturating_sub(RECENT_MAX)..]);
        let unknown = list.iter().filter(|segment| segment.tenths.is_none()).count();
        prop_assert_eq!(media.tally.unknown_durations, unknown);
        prop_assert_eq!(media.tally.gaps, list.iter().filter(|segment| segment.gap).count());
        let seconds = all.iter().map(|segment| segment.seconds).sum::<f64>() + 9.0 * unknown as f64;
        prop_assert!((media.listed_seconds - seconds).abs() < 1e-6, "{} of {seconds}", media.listed_seconds);
        if there == 0 {
            prop_assert!(near(media.program_end_unix_seconds, end), "{:?} of {end:?}", media.program_end_unix_seconds);
        }
    }
}
