//! The configuration file: its shape, and the step from there to the domain.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use url::Url;
use vvtv_toolkit::duration::PromDuration;
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

use super::counting::{self, RoleFile};
use super::reach::{self, ProbeFile};
use super::streams_from::StreamsFromFile;
use super::{
    Config, Connect, Expect, Host, Ingest, IngestError, Location, ProcessSelector, ProgressSource, RtmpEndpoint,
    StatEntry, Stream, Thresholds, Timing,
};
use crate::probe::{Configured, Keyed, each_source};
use crate::reach::Named;

/// More streams than this belong to several exporters.
pub(super) const STREAMS_MAX: usize = 20_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    streams: Spanned<Vec<StreamFile>>,
    #[serde(default)]
    streams_from: Vec<StreamsFromFile>,
    #[serde(default)]
    host: HostFile,
    #[serde(default)]
    reach: Vec<Spanned<String>>,
    #[serde(default)]
    probe: ProbeFile,
    #[serde(default)]
    interval: Option<Spanned<PromDuration>>,
    #[serde(default)]
    timeout: Option<Spanned<PromDuration>>,
    #[serde(default)]
    ingest_timeout: Option<Spanned<PromDuration>>,
    #[serde(default)]
    window: Option<Spanned<PromDuration>>,
    #[serde(default)]
    stalled_after: Option<Spanned<PromDuration>>,
    #[serde(default)]
    silent_after: Option<Spanned<PromDuration>>,
    #[serde(default)]
    bitrate_interval: Option<Spanned<PromDuration>>,
}

macro_rules! stream_file {
    ($($(#[$doc:meta])* $name:ident: $Kind:ty $(= $key:ident)?,)*) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct StreamFile {
            name: Spanned<String>,
            #[serde(default)]
            playlist: Option<Spanned<String>>,
            #[serde(default)]
            ingest: Option<Spanned<String>>,
            #[serde(default)]
            ingest_connect: IngestConnectFile,
            #[serde(default)]
            nginx_stat: Option<Spanned<String>>,
            #[serde(default)]
            nginx_stat_server: Option<Spanned<u32>>,
            #[serde(default)]
            encoder_progress: Option<Spanned<String>>,
            #[serde(default)]
            encoder_progress_from: Option<Spanned<Vec<Spanned<String>>>>,
            #[serde(default)]
            encoder_frame_rates: Option<Spanned<FrameRatesFile>>,
            #[serde(default)]
            encoder_outputs: Option<Spanned<u32>>,
            #[serde(default)]
            expect: ExpectFile,
            #[serde(default)]
            count: Option<Spanned<Vec<RoleFile>>>,
            #[serde(default)]
            ignore: Vec<Spanned<String>>,
            #[serde(default)]
            reach: Option<Vec<Spanned<String>>>,
            $($(#[serde(default)] $key: Option<Spanned<<$Kind as Keyed>::Key>>,)?)*
            #[serde(default)]
            thresholds: ThresholdsFile,
        }

        impl StreamFile {
            /// What stands under the keys that sources have for themselves.
            fn configured(&self, source: &Document) -> Result<Configured, YamlError> {
                Ok(Configured {
                    $($($key: self.$key.as_ref().map(|key| understand::<$Kind>(source, key)).transpose()?,)?)*
                })
            }
        }
    };
}

each_source!(stream_file);

fn understand<K: Keyed>(source: &Document, key: &Spanned<K::Key>) -> Result<K::Config, YamlError> {
    K::understand(&key.value).map_err(|message| source.error(key, message))
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ExpectFile {
    #[default]
    Live,
    Event,
}

impl From<ExpectFile> for Expect {
    fn from(file: ExpectFile) -> Self {
        match file {
            ExpectFile::Live => Self::Live,
            ExpectFile::Event => Self::Event,
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum IngestConnectFile {
    #[default]
    Application,
    Handshake,
}

impl From<IngestConnectFile> for Connect {
    fn from(file: IngestConnectFile) -> Self {
        match file {
            IngestConnectFile::Application => Self::Application,
            IngestConnectFile::Handshake => Self::Handshake,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameRatesFile {
    source: f64,
    output: f64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdsFile {
    #[serde(default)]
    segment_age_seconds: Option<Spanned<f64>>,
    #[serde(default)]
    encoder_drops_ratio: Option<Spanned<f64>>,
    #[serde(default)]
    bitrate_variance_ratio: Option<Spanned<f64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct HostFile {
    #[serde(default)]
    interval: Option<Spanned<PromDuration>>,
    #[serde(default)]
    broadcast: Option<PathBuf>,
    #[serde(default)]
    processes: Option<Vec<ProcessFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProcessFile {
    name: Spanned<String>,
    #[serde(default)]
    pid_file: Option<PathBuf>,
}

pub(super) fn read(name: &str, text: &str) -> Result<Config, YamlError> {
    let source = Document::from_text(name.into(), text.to_owned());
    let file: File = source.parse()?;
    if file.streams.value.is_empty() && file.streams_from.is_empty() {
        return Err(source.error(&file.streams, "at least one stream is needed"));
    }
    if file.streams.value.len() > STREAMS_MAX {
        return Err(source.error(&file.streams, format!("more than {STREAMS_MAX} streams: use several exporters")));
    }
    let timing = timing(&source, &file)?;
    let reach = Arc::new(reach::named(&source, &file.reach)?);
    let probing = reach::probing(&source, &file.probe, &file.reach)?;
    let host = host(&source, file.host)?;
    let mut names = BTreeSet::new();
    let mut progress = BTreeMap::new();
    let mut streams = Vec::with_capacity(file.streams.value.len());
    for entry in file.streams.value {
        let stream = stream(&source, &entry, timing, &reach)?;
        if !names.insert(stream.name.clone()) {
            return Err(source.error(&entry.name, format!("stream `{}` is configured twice", stream.name)));
        }
        if let (Some(from), Some(at)) = (&stream.progress, &entry.encoder_progress)
            && let Some(other) = progress.insert(from.clone(), stream.name.clone())
        {
            let message = format!("stream `{other}` reads the same progress: give each encoder its own port or file");
            return Err(source.error(at, message));
        }
        streams.push(Arc::new(stream));
    }
    let from =
        file.streams_from.iter().map(|entry| super::streams_from::read(&source, entry, timing, &reach).map(Arc::new));
    let streams_from = from.collect::<Result<_, _>>()?;
    Ok(Config { streams, streams_from, host, reach, probing })
}

fn timing(source: &Document, file: &File) -> Result<Timing, YamlError> {
    let default = Timing::default();
    let (tenth, minute, hour) = (Duration::from_millis(100), Duration::from_secs(60), Duration::from_secs(3600));
    Ok(Timing {
        interval: duration(source, file.interval.as_ref(), default.interval, tenth, minute)?,
        timeout: duration(source, file.timeout.as_ref(), default.timeout, tenth, minute)?,
        ingest_timeout: duration(source, file.ingest_timeout.as_ref(), default.ingest_timeout, tenth, minute)?,
        window: duration(source, file.window.as_ref(), default.window, Duration::from_secs(5), hour)?,
        stalled_after: duration(source, file.stalled_after.as_ref(), default.stalled_after, tenth, hour)?,
        silent_after: duration(source, file.silent_after.as_ref(), default.silent_after, tenth, hour)?,
        bitrate_interval: duration(source, file.bitrate_interval.as_ref(), default.bitrate_interval, tenth, hour)?,
    })
}

pub(super) fn duration(
    source: &Document,
    given: Option<&Spanned<PromDuration>>,
    default: Duration,
    min: Duration,
    max: Duration,
) -> Result<Duration, YamlError> {
    match given {
        None => Ok(default),
        Some(value) if (min..=max).contains(&value.value.get()) => Ok(value.value.get()),
        Some(value) => {
            let (min, max) = (PromDuration::new(min), PromDuration::new(max));
            Err(source.error(value, format!("{} is not between {min} and {max}", value.value)))
        }
    }
}

fn stream(source: &Document, file: &StreamFile, timing: Timing, reach: &Arc<Named>) -> Result<Stream, YamlError> {
    let name = &file.name.value;
    let usable = |c: char| !c.is_control() && !matches!(c, '/' | '"' | '\\');
    if name.is_empty() || name.len() > 100 || !name.chars().all(usable) {
        return Err(source.error(&file.name, "a stream's name is 1 to 100 characters without / \\ and quotes"));
    }
    let playlist = file.playlist.as_ref().map(|at| location(source, at)).transpose()?;
    let ingest = file.ingest.as_ref().map(|at| ingest(source, at, file.ingest_connect)).transpose()?;
    let nginx_stat = match (&file.nginx_stat, &ingest) {
        (None, _) => None,
        (Some(at), Some(ingest)) => {
            let (app, key) = (ingest.endpoint.app.clone(), ingest.key.clone());
            let (port, server) = (Some(ingest.endpoint.port), stat_server(source, file.nginx_stat_server.as_ref())?);
            Some(StatEntry { location: location(source, at)?, app, key, port, server })
        }
        (Some(at), None) => {
            return Err(source.error(at, "nginx_stat needs `ingest`, which tells the publisher's application and name"));
        }
    };
    let progress = file.encoder_progress.as_ref().map(|at| progress(source, at)).transpose()?;
    if playlist.is_none() && ingest.is_none() && progress.is_none() {
        return Err(source
            .error(&file.name, format!("stream `{name}` has no source: give a playlist, ingest or encoder_progress")));
    }
    Ok(Stream {
        name: name.clone(),
        playlist,
        ingest,
        nginx_stat,
        progress_from: reach::progress_from(source, progress.as_ref(), file.encoder_progress_from.as_ref())?,
        progress,
        sources: file.configured(source)?,
        expect: file.expect.into(),
        counting: counting::read(source, file.count.as_ref(), &file.ignore)?,
        reach: reach::own(source, file.reach.as_deref(), reach)?,
        thresholds: thresholds(source, &file.thresholds)?,
        timing,
        expected_drops_ratio: file
            .encoder_frame_rates
            .as_ref()
            .map_or(Ok(0.0), |rates| expected_drops(source, rates))?,
        encoder_outputs: file.encoder_outputs.as_ref().map(|at| encoder_outputs(source, at)).transpose()?,
    })
}

fn encoder_outputs(source: &Document, at: &Spanned<u32>) -> Result<u32, YamlError> {
    if (1..=100).contains(&at.value) {
        Ok(at.value)
    } else {
        Err(source.error(at, "between 1 and 100 video outputs are needed"))
    }
}

fn stat_server(source: &Document, given: Option<&Spanned<u32>>) -> Result<Option<u32>, YamlError> {
    match given {
        Some(at) if at.value == 0 => Err(source.error(at, "the `server` blocks of the page are counted from 1")),
        given => Ok(given.map(|at| at.value)),
    }
}

fn expected_drops(source: &Document, rates: &Spanned<FrameRatesFile>) -> Result<f64, YamlError> {
    let FrameRatesFile { source: from, output } = rates.value;
    let sane = |rate: f64| rate.is_finite() && rate > 0.0 && rate <= 1000.0;
    if !sane(from) || !sane(output) {
        return Err(source.error(rates, "frame rates are between 0 and 1000 frames per second"));
    }
    Ok((1.0 - output / from).max(0.0))
}

pub(super) fn thresholds(source: &Document, file: &ThresholdsFile) -> Result<Thresholds, YamlError> {
    let positive = |given: &Option<Spanned<f64>>, default: f64, max: f64| match given {
        None => Ok(default),
        Some(value) if value.value > 0.0 && value.value <= max => Ok(value.value),
        Some(value) => Err(source.error(value, format!("a threshold above 0 and up to {max} is needed"))),
    };
    let default = Thresholds::default();
    Ok(Thresholds {
        segment_age_seconds: positive(&file.segment_age_seconds, default.segment_age_seconds, 86_400.0)?,
        encoder_drops_ratio: positive(&file.encoder_drops_ratio, default.encoder_drops_ratio, 1.0)?,
        bitrate_variance_ratio: positive(&file.bitrate_variance_ratio, default.bitrate_variance_ratio, 100.0)?,
    })
}

pub(super) fn location(source: &Document, at: &Spanned<String>) -> Result<Location, YamlError> {
    if !at.value.contains("://") {
        return match at.value.as_str() {
            "" => Err(source.error(at, "empty: expected an http(s) URL or a file path")),
            path => Ok(Location::File(PathBuf::from(path))),
        };
    }
    let url = url(source, at)?;
    match url.scheme() {
        "http" | "https" => Ok(Location::Http(url)),
        "file" => url.to_file_path().map(Location::File).map_err(|()| source.error(at, "not a path of this machine")),
        scheme => Err(source.error(at, format!("`{scheme}` cannot be read: expected http, https or a file path"))),
    }
}

fn url(source: &Document, at: &Spanned<String>) -> Result<Url, YamlError> {
    at.value.parse().map_err(|error| source.error(at, format!("not a URL: {error}")))
}

pub(super) fn ingest(source: &Document, at: &Spanned<String>, connect: IngestConnectFile) -> Result<Ingest, YamlError> {
    let parsed = RtmpEndpoint::parse(&at.value).map_err(|error| source.error(at, error.to_string()))?;
    match parsed {
        (endpoint, Some(key)) => Ok(Ingest { endpoint: RtmpEndpoint { connect: connect.into(), ..endpoint }, key }),
        (_, None) => Err(source.error(at, IngestError::Incomplete.to_string())),
    }
}

fn progress(source: &Document, at: &Spanned<String>) -> Result<ProgressSource, YamlError> {
    let Some(address) = at.value.strip_prefix("udp://") else {
        return match location(source, at)? {
            Location::File(path) => Ok(ProgressSource::File(path)),
            Location::Http(_) => Err(source.error(at, "expected udp://ADDRESS:PORT or a file path")),
        };
    };
    let parsed = address.parse::<SocketAddr>().ok().or_else(|| {
        let port = address.strip_prefix("localhost:")?.parse().ok()?;
        Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    });
    match parsed {
        Some(address) if address.port() > 0 => Ok(ProgressSource::Udp(address)),
        _ => Err(source.error(at, "expected udp://ADDRESS:PORT, the address to receive datagrams on")),
    }
}

fn host(source: &Document, file: HostFile) -> Result<Host, YamlError> {
    let default = Host::default();
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    let processes = match file.processes {
        None => default.processes,
        Some(given) => {
            let mut processes = BTreeMap::new();
            for ProcessFile { name, pid_file } in given {
                let selector =
                    pid_file.map_or_else(|| ProcessSelector::Name(name.value.clone()), ProcessSelector::PidFile);
                if processes.insert(name.value.clone(), selector).is_some() {
                    return Err(source.error(&name, format!("process `{}` is configured twice", name.value)));
                }
            }
            processes
        }
    };
    Ok(Host {
        interval: duration(source, file.interval.as_ref(), default.interval, second, hour)?,
        broadcast: file.broadcast.unwrap_or(default.broadcast),
        processes,
    })
}
