//! Playlists read by our parser and by a browser's player: the same segments, numbers, targets and variants. Every difference that we
//! want is listed with its reason; any other fails, and so does a listed one that is none.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod accepted;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};
use url::Url;
use vvtv_exporter::probe::playlist::{Context, Kind, MasterPlaylist, Media, Named, Playlist, parse};

use crate::accepted::{ACCEPTED, Accepted};

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential"))
}

struct Recorded {
    base: Url,
    context: Context,
    playlists: Map<String, Value>,
}

fn recorded() -> Recorded {
    let text = std::fs::read_to_string(directory().join("hls.js.json")).unwrap();
    let mut recorded: Value = serde_json::from_str(&text).unwrap();
    let base: Url = recorded["base"].as_str().unwrap().parse().unwrap();
    let definitions: String = recorded["imported"].as_object().unwrap().iter().map(definition).collect();
    let master = format!("#EXTM3U\n{definitions}#EXT-X-STREAM-INF:BANDWIDTH=1\nlist.m3u8\n");
    let Playlist::Master(master) = parse(master.as_bytes(), &Context::default()).unwrap() else { unreachable!() };
    let query = base.query().unwrap_or_default().to_owned();
    let Value::Object(playlists) = recorded["playlists"].take() else { unreachable!() };
    Recorded { base, context: Context { query, variables: master.variables }, playlists }
}

fn definition((name, value): (&String, &Value)) -> String {
    format!("#EXT-X-DEFINE:NAME=\"{name}\",VALUE={value}\n")
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

fn media(media: &Media, base: &Url) -> Value {
    let recent = &media.recent;
    let newest = media.newest.as_ref().filter(|newest| !newest.uri.is_empty());
    let resolved = |uri: &str| base.join(uri).unwrap().to_string();
    let range = |range: vvtv_exporter::probe::playlist::ByteRange| json!([range.offset, range.offset + range.length]);
    json!({
        "kind": "media",
        "count": media.segments,
        "target_duration": media.target_duration_seconds,
        "media_sequence": media.media_sequence,
        "ended": media.ended,
        "sequences": recent.iter().map(|segment| segment.sequence).collect::<Vec<_>>(),
        "uris": recent.iter().map(|segment| resolved(&segment.uri)).collect::<Vec<_>>(),
        "milliseconds": recent.iter().map(|segment| milliseconds(segment.seconds)).collect::<Vec<_>>(),
        "discontinuous": recent.iter().map(|segment| segment.discontinuous).collect::<Vec<_>>(),
        "ranges": recent.iter().map(|segment| segment.range.map(range)).collect::<Vec<_>>(),
        "gaps": recent.iter().map(|segment| segment.gap).collect::<Vec<_>>(),
        "newest_discontinuity": newest.map(|newest| newest.discontinuity),
        "parts": media.newest.as_ref().map_or(0, |newest| newest.parts),
        "newest_ends": media.program_end_unix_seconds.map(milliseconds),
    })
}

fn master(master: &MasterPlaylist, base: &Url) -> Value {
    let entry = |named: &Named| {
        let kind = match named.kind {
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Subtitles => "subtitles",
            Kind::IFrames => "i_frames",
        };
        json!({
            "kind": kind,
            "uri": base.join(&named.uri).unwrap().to_string(),
            "bandwidth": named.bits_per_second,
            "resolution": named.attributes.resolution,
            "codecs": named.attributes.codecs,
            "name": named.attributes.name,
            "pathway": named.attributes.pathway,
        })
    };
    let all = |wanted: fn(&Named) -> bool| -> Vec<_> {
        master.named.iter().filter(|named| wanted(named)).map(entry).collect()
    };
    json!({
        "kind": "master",
        "variants": all(|named| matches!(named.kind, Kind::Video | Kind::Audio) && named.attributes.group.is_none()),
        "i_frames": all(|named| named.kind == Kind::IFrames),
        "audio": all(|named| named.kind == Kind::Audio && named.attributes.group.is_some()),
        "subtitles": all(|named| named.kind == Kind::Subtitles),
        "pathway": master.pathway,
    })
}

/// Ours, in the words of the record.
fn ours(file: &str, recorded: &Recorded) -> Value {
    let body = std::fs::read(directory().join(file)).unwrap();
    match parse(&body, &recorded.context) {
        Ok(Playlist::Media(found)) if found.target_duration_seconds.is_none() && found.nothing_listed().is_some() => {
            json!({"kind": "refused"})
        }
        Ok(Playlist::Media(found)) => media(&found, &recorded.base),
        Ok(Playlist::Master(found)) => master(&found, &recorded.base),
        Ok(Playlist::Presentation(_)) => json!({"kind": "presentation"}),
        Err(_) => json!({"kind": "refused"}),
    }
}

/// Ours keeps the end of a long list: the same end is compared.
fn end_of(theirs: &Value, ours: &Value) -> Value {
    match (theirs, ours) {
        (Value::Array(all), Value::Array(kept)) if all.len() > kept.len() && kept.len() == 64 => {
            Value::from(all[all.len() - kept.len()..].to_vec())
        }
        (theirs, _) => theirs.clone(),
    }
}

#[test]
fn a_browsers_player_reads_the_same() {
    let recorded = recorded();
    let (mut surprises, mut met) = (Vec::new(), BTreeSet::new());
    for (file, theirs) in &recorded.playlists {
        let ours = ours(file, &recorded);
        let fields = theirs.as_object().unwrap().keys().chain(ours.as_object().unwrap().keys());
        let same_kind = theirs["kind"] == ours["kind"];
        for field in fields.filter(|field| same_kind || *field == "kind").collect::<BTreeSet<_>>() {
            let theirs = end_of(&theirs[field], &ours[field]);
            if theirs == ours[field] {
                continue;
            }
            let name = file.trim_start_matches("playlists/").trim_end_matches(".m3u8");
            let is_meant = |known: &Accepted| known.playlist == name && known.fields.contains(&field.as_str());
            if ACCEPTED.iter().any(is_meant) {
                met.insert((name, field.clone()));
            } else {
                surprises.push(format!("{name}: {field}: ours {}, theirs {theirs}", ours[field]));
            }
        }
    }
    for Accepted { playlist, fields, section, reason } in ACCEPTED {
        let unmet = fields.iter().filter(|field| !met.contains(&(*playlist, field.to_string())));
        surprises.extend(unmet.map(|field| format!("{playlist}: {field}: no difference ({section}: {reason})")));
    }
    assert!(surprises.is_empty(), "{} of {}:\n{}", surprises.len(), recorded.playlists.len(), surprises.join("\n"));
}

#[test]
fn every_playlist_here_is_recorded() {
    let recorded = recorded();
    let found: BTreeSet<String> = std::fs::read_dir(directory().join("playlists"))
        .unwrap()
        .map(|entry| format!("playlists/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    let known = recorded.playlists.keys().filter(|file| file.starts_with("playlists/")).cloned().collect();
    assert_eq!(found, known);
    assert!(found.len() >= 50);
}
