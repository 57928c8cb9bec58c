//! The differences that are meant, with the section that each rests on.

/// Fields of a playlist that we read otherwise than the player.
pub(crate) struct Accepted {
    /// The file's name without its ending.
    pub(crate) playlist: &'static str,
    /// As the record calls them.
    pub(crate) fields: &'static [&'static str],
    /// Of the standard.
    pub(crate) section: &'static str,
    /// Why ours is as it is.
    pub(crate) reason: &'static str,
}

const fn accept(
    playlist: &'static str,
    fields: &'static [&'static str],
    section: &'static str,
    reason: &'static str,
) -> Accepted {
    Accepted { playlist, fields, section, reason }
}

/// Where the player takes something else than an address for a segment.
const MORE_SEGMENTS: &[&str] = &["count", "discontinuous", "gaps", "milliseconds", "ranges", "sequences", "uris"];

pub(crate) const ACCEPTED: &[Accepted] = &[
    accept(
        "channels",
        &["kind"],
        "RFC 8216 §4.3.1.1",
        "lists of channels have attributes behind EXTM3U; video.js reads them, and what is read is counted",
    ),
    accept(
        "leading-blank",
        &["kind"],
        "RFC 8216 §4.3.1.1",
        "a blank first line is passed over by ExoPlayer, and counted",
    ),
    accept(
        "indented",
        MORE_SEGMENTS,
        "RFC 8216 §4.1",
        "blanks before a tag do not make it an address; video.js and ExoPlayer cut them off",
    ),
    accept(
        "date-offset-of-hours",
        &["newest_ends"],
        "RFC 8216 §4.3.2.6",
        "ISO 8601 has offsets of hours alone, which the player's engine does not read",
    ),
    accept(
        "date-without-offset",
        &["newest_ends"],
        "RFC 8216 §4.3.2.6",
        "which moment is meant is unknown: the player takes its own time zone",
    ),
    accept(
        "define-undefined",
        &["uris", "gaps"],
        "rfc8216bis §4.3",
        "an address with an unknown variable is not asked for, and is no newest segment",
    ),
    accept(
        "extinf-attributes",
        MORE_SEGMENTS,
        "RFC 8216 §4.3.2.1",
        "the rest of an EXTINF line is no address; video.js and ExoPlayer read none there",
    ),
    accept("extinf-exponent", MORE_SEGMENTS, "RFC 8216 §4.3.2.1", "the rest of an EXTINF line is no address"),
    accept(
        "extinf-minus-one",
        MORE_SEGMENTS,
        "RFC 8216 §4.3.2.1",
        "the rest of an EXTINF line is no address; the duration is unknown",
    ),
    accept("extinf-space-before-comma", MORE_SEGMENTS, "RFC 8216 §4.3.2.1", "the rest of an EXTINF line is no address"),
    accept(
        "master-blanks",
        &["variants"],
        "RFC 8216 §4.2",
        "blanks around `=` are cut off, as video.js does, and counted",
    ),
    accept(
        "master-data-uri",
        &["subtitles"],
        "RFC 8216 §4.3.4.1",
        "the exporter asks over HTTP or in files: an entry of another scheme is left out, and counted",
    ),
    accept(
        "master-unknown-scheme",
        &["variants"],
        "RFC 8216 §4.3.4.2",
        "the exporter asks over HTTP or in files: an entry of another scheme is left out, and counted",
    ),
    accept(
        "master-lower-case",
        &["variants"],
        "RFC 8216 §4.2",
        "names of attributes in lower case are read, and counted",
    ),
    accept(
        "master-without-bandwidth",
        &["variants"],
        "RFC 8216 §4.3.4.2",
        "nginx-rtmp's hls_variant without attributes: the variant is there, and other players play it",
    ),
    accept(
        "master-nothing-behind-the-tag",
        &["variants"],
        "RFC 8216 §4.3.4.2",
        "the variant is there, and other players play it",
    ),
    accept("master-redundant", &["variants"], "RFC 8216 §4.3.4.2", "an entry that stands there twice is one"),
    accept(
        "master-undefined",
        &["variants"],
        "rfc8216bis §4.3",
        "an address with an unknown variable is not asked for",
    ),
    accept(
        "master-variant-without-uri",
        &["variants"],
        "RFC 8216 §4.3.4.2",
        "the address belongs to the tag that it follows",
    ),
    accept(
        "sequence-after-a-segment",
        &["sequences"],
        "RFC 8216 §4.3.3.2",
        "the number is that of the list's first segment, wherever the tag stands",
    ),
];
