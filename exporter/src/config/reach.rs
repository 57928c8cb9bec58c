//! Where what is watched may lead, what may be asked for through `/probe`, and who may report: hosts and networks, as the file names them.

use std::sync::Arc;

use serde::Deserialize;
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

use super::{Probing, ProgressSource};
use crate::reach::Named;

/// Entries of one list: each is looked at for each connection.
const ENTRIES_MAX: usize = 1000;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ProbeFile {
    #[serde(default)]
    allow: Vec<Spanned<String>>,
}

pub(super) fn named(source: &Document, entries: &[Spanned<String>]) -> Result<Named, YamlError> {
    if let Some(entry) = entries.get(ENTRIES_MAX) {
        return Err(source.error(entry, format!("more than {ENTRIES_MAX} hosts and networks")));
    }
    let mut named = Named::default();
    for entry in entries {
        named.add(&entry.value).map_err(|error| source.error(entry, error.to_string()))?;
    }
    Ok(named)
}

/// A stream's own list, or that of all.
pub(super) fn own(
    source: &Document,
    entries: Option<&[Spanned<String>]>,
    of_all: &Arc<Named>,
) -> Result<Arc<Named>, YamlError> {
    entries.map_or_else(|| Ok(Arc::clone(of_all)), |entries| named(source, entries).map(Arc::new))
}

pub(super) fn probing(source: &Document, probe: &ProbeFile, of_all: &[Spanned<String>]) -> Result<Probing, YamlError> {
    let targets = Some(named(source, &probe.allow)?).filter(|named| !named.is_empty());
    let mut reach = named(source, of_all)?;
    // Whoever may ask for it at once may be led there.
    reach.add_all(targets.clone().unwrap_or_default());
    Ok(Probing { targets: targets.map(Arc::new), reach: Arc::new(reach) })
}

pub(super) fn progress_from(
    source: &Document,
    progress: Option<&ProgressSource>,
    entries: Option<&Spanned<Vec<Spanned<String>>>>,
) -> Result<Option<Arc<Named>>, YamlError> {
    let Some(entries) = entries else { return Ok(None) };
    if !matches!(progress, Some(ProgressSource::Udp(_))) {
        return Err(
            source.error(entries, "only datagrams come from somewhere: `encoder_progress` is no udp:// address")
        );
    }
    let named = named(source, &entries.value)?;
    if named.is_empty() || named.has_names() {
        return Err(source.error(entries, "expected addresses, with or without a port, and networks"));
    }
    Ok(Some(Arc::new(named)))
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn read(text: &str) -> Result<Config, String> {
        let parsed = Config::parse("exporter.yml", text);
        parsed.map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_named_for_all_holds_where_a_stream_names_nothing_else() {
        let text = "streams:\n  - {name: a, playlist: 'http://a/a.m3u8'}\n  - {name: b, playlist: 'http://a/b.m3u8', reach: [b.test]}\n  \
                    - {name: c, playlist: 'http://a/c.m3u8', reach: []}\nreach: [10.0.0.0/8, '127.0.0.1:81']\n\
                    probe: {allow: ['*.c.test']}\n";
        let config = read(text).unwrap();
        let named: Vec<String> = config.streams.iter().map(|stream| stream.reach.to_string()).collect();
        assert_eq!(named, ["10.0.0.0/8, 127.0.0.1:81", "b.test", ""]);
        let probing = config.probing;
        let all = "10.0.0.0/8, 127.0.0.1:81, *.c.test";
        assert_eq!(
            (probing.targets.unwrap().to_string().as_str(), probing.reach.to_string().as_str()),
            ("*.c.test", all)
        );
        let off = read("streams: [{name: a, playlist: 'http://a/a.m3u8'}]\nprobe: {allow: []}\n").unwrap().probing;
        assert_eq!(off.targets, None);
    }

    #[test]
    fn every_mistake_has_its_place() {
        let stream = "streams:\n  - name: a\n    playlist: http://a/a.m3u8\n";
        let neither = "expected a host (`packager.example.com`, `*.example.com`), an address or a network (`10.0.0.0/8`); \
                       of a host or address, with its `:PORT` where only that is meant";
        let mistakes = [
            (format!("{stream}reach: ['http://b/']\n"), format!("exporter.yml:4:9: {neither}")),
            (
                format!("{stream}    reach: [10.0.0.1/8]\n"),
                "exporter.yml:4:13: `10.0.0.1/8` has bits set behind its prefix: `10.0.0.0/8` is meant?".to_owned(),
            ),
            (format!("{stream}probe: {{allow: ['*']}}\n"), format!("exporter.yml:4:17: {neither}")),
            (
                format!("{stream}probe: {{alow: []}}\n"),
                "exporter.yml:4:9: unknown field `alow`, expected one of allow".to_owned(),
            ),
            (
                format!("{stream}    encoder_progress: a\n    encoder_progress_from: [10.0.0.1]\n"),
                "exporter.yml:5:28: only datagrams come from somewhere: `encoder_progress` is no udp:// address"
                    .to_owned(),
            ),
            (
                format!("{stream}    encoder_progress: udp://0.0.0.0:7\n    encoder_progress_from: [encoder.test]\n"),
                "exporter.yml:5:28: expected addresses, with or without a port, and networks".to_owned(),
            ),
        ];
        for (text, expected) in mistakes {
            assert_eq!(read(&text).map(|_| ()), Err(expected), "{text}");
        }
        let from = "streams: []\nstreams_from:\n  - nginx_stat: http://a/stat\n    ingest: rtmp://a/live/{name}\n    playlist: ";
        let chosen = "exporter.yml:5:15: a publisher chooses its name, and must not choose the host that is asked";
        for template in ["http://{name}/a.m3u8", "http://{app}.{name}:80/a.m3u8"] {
            assert_eq!(read(&format!("{from}{template}\n")).map(|_| ()), Err(chosen.to_owned()), "{template}");
        }
        assert_eq!(read(&format!("{from}http://{{name}}.cdn.test/a.m3u8\n")).map(|_| ()), Ok(()));
    }
}
