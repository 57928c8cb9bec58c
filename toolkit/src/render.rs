//! The one way out for metrics: Prometheus text 0.0.4 and OpenMetrics 1.0 from the same calls.
//!
//! Callers prepare their [`Labels`] once and write samples straight into the body, so that a scrape neither builds nor drops a tree
//! of values. Sources: Prometheus "exposition formats"; OpenMetrics 1.0.0.

mod labels;

use std::collections::VecDeque;

use bytes::Bytes;
use prometheus::Registry;
use prometheus::proto::{Metric, MetricFamily, MetricType};

use self::labels::push_escaped;
pub use self::labels::{LabelList, Labels, LabelsRef};

/// An exposition format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Text004,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

/// What a family's samples mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, except at a restart. The family's name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, sum and count; written by [`Exposition::registry`].
    Histogram,
    /// Quantiles, sum and count; written by [`Exposition::registry`].
    Summary,
    /// Not known.
    Untyped,
}

impl Format {
    /// The format that a scraper's `Accept` header prefers; text 0.0.4 when it names neither.
    #[must_use]
    pub fn negotiate(accept: Option<&str>) -> Self {
        let mut best = (Self::Text004, 0.0_f32);
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => Self::OpenMetrics,
                "text/plain" | "text/*" | "*/*" => Self::Text004,
                _ => continue,
            };
            let mut quality = 1.0;
            let mut known_version = true;
            for part in parts {
                match part.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                    Some(("q", value)) => quality = value.parse().unwrap_or(0.0),
                    Some(("version", value)) if format == Self::OpenMetrics => {
                        known_version = matches!(value.trim_matches('"'), "1.0.0" | "0.0.1");
                    }
                    _ => {}
                }
            }
            if known_version && quality > best.1 {
                best = (format, quality);
            }
        }
        best.0
    }

    /// The `Content-Type` of a body in this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text004 => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// How a line of a flag or of a small count ends.
const DIGITS: [&str; 10] = ["} 0\n", "} 1\n", "} 2\n", "} 3\n", "} 4\n", "} 5\n", "} 6\n", "} 7\n", "} 8\n", "} 9\n"];

/// Room for the end of a line; a longer number makes room for itself.
const LINE_END_MAX: usize = 32;

/// Takes the pieces of a body while it is written. An empty piece says that the body is whole: without it, it is not.
pub type Pieces = Box<dyn FnMut(Bytes) + Send>;

/// A piece is handed on at the first sample after so many bytes.
const PIECE_BYTES: usize = 128 << 10;

/// Room for the sample that makes a piece large enough.
const PIECE_ROOM: usize = PIECE_BYTES + (4 << 10);

/// A body being written. Families must not be repeated; a family without samples leaves no trace.
pub struct Exposition {
    format: Format,
    out: String,
    header: String,
    name: String,
    /// The name and a brace.
    opening: String,
    pieces: Option<Pieces>,
    /// At so many bytes a piece is handed on.
    piece_bytes: usize,
    /// Pieces on their way; the room of those that were sent is used again, since fresh memory costs more than what is written to it.
    under_way: VecDeque<Bytes>,
}

impl Exposition {
    /// An empty body.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self::with_capacity(format, 16 << 10)
    }

    /// An empty body with room for so many bytes: one that grows to megabytes is copied at every doubling.
    #[must_use]
    pub fn with_capacity(format: Format, bytes: usize) -> Self {
        Self {
            format,
            out: String::with_capacity(bytes),
            header: String::new(),
            name: String::new(),
            opening: String::new(),
            pieces: None,
            piece_bytes: usize::MAX,
            under_way: VecDeque::new(),
        }
    }

    /// A body that is handed on in pieces, so that a large one is neither held whole nor waited for.
    #[must_use]
    pub fn in_pieces(format: Format, pieces: Pieces) -> Self {
        Self { pieces: Some(pieces), piece_bytes: PIECE_BYTES, ..Self::with_capacity(format, PIECE_ROOM) }
    }

    /// Begins a family. `name` is the name as queries write it, with a counter's `_total`.
    pub fn family(&mut self, name: &str, help: &str, kind: Kind) {
        let family = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        self.name.clear();
        self.name.push_str(family);
        if self.format == Format::OpenMetrics && kind == Kind::Counter {
            self.name.push_str("_total");
        }
        self.opening.clear();
        self.opening.push_str(&self.name);
        self.opening.push('{');
        let kind = match (self.format, kind) {
            (_, Kind::Counter) => "counter",
            (_, Kind::Gauge) => "gauge",
            (_, Kind::Histogram) => "histogram",
            (_, Kind::Summary) => "summary",
            (Format::Text004, Kind::Untyped) => "untyped",
            (Format::OpenMetrics, Kind::Untyped) => "unknown",
        };
        self.header.clear();
        let header = &mut self.header;
        for part in ["# HELP ", family, " "] {
            header.push_str(part);
        }
        push_escaped(header, help, self.format == Format::OpenMetrics);
        for part in ["\n# TYPE ", family, " ", kind, "\n"] {
            header.push_str(part);
        }
    }

    /// Hands on what was written.
    #[cold]
    fn hand_on(&mut self) {
        let Some(pieces) = &mut self.pieces else { return };
        let sent = self.under_way.pop_front_if(|piece| piece.is_unique());
        let mut room = sent.map_or_else(|| Vec::with_capacity(PIECE_ROOM), Vec::from);
        room.clear();
        let room = String::from_utf8(room).unwrap_or_default();
        let piece = Bytes::from(std::mem::replace(&mut self.out, room));
        self.under_way.push_back(piece.clone());
        pieces(piece);
    }

    /// Writes a sample of the current family.
    pub fn sample<'a>(&mut self, labels: impl Into<LabelsRef<'a>>, value: f64) {
        self.sample_with(labels, &Labels::NONE, value);
    }

    /// Writes a sample with more labels, the same ones for many samples.
    pub fn sample_with<'a, 'b>(
        &mut self,
        labels: impl Into<LabelsRef<'a>>,
        more: impl Into<LabelsRef<'b>>,
        value: f64,
    ) {
        if self.out.len() >= self.piece_bytes {
            self.hand_on();
        }
        self.out.push_str(&self.header);
        self.header.clear();
        let (LabelsRef(labels), LabelsRef(more)) = (labels.into(), more.into());
        if labels.is_empty() && more.is_empty() {
            self.out.push_str(&self.name);
            self.out.push(' ');
        } else {
            // In as few pieces as can be: a scrape of ten thousand streams has two hundred thousand samples.
            self.out.reserve(self.opening.len() + labels.len() + more.len() + LINE_END_MAX);
            self.out.push_str(&self.opening);
            self.out.push_str(labels);
            if !more.is_empty() {
                self.out.push_str(if labels.is_empty() { "" } else { "," });
                self.out.push_str(more);
            }
            if let Some(digit) = DIGITS.get(value as usize).filter(|_| (value as usize) as f64 == value) {
                self.out.push_str(digit);
                return;
            }
            self.out.push_str("} ");
        }
        push_value(&mut self.out, value);
        self.out.push('\n');
    }

    fn suffixed(&mut self, suffix: &str, labels: &Labels, extra: Option<(&str, &str)>, value: f64) {
        self.out.push_str(&self.header);
        self.header.clear();
        self.out.push_str(&self.name);
        self.out.push_str(suffix);
        let labels = labels.text();
        if !labels.is_empty() || extra.is_some() {
            self.out.push('{');
            self.out.push_str(labels);
            if let Some((name, text)) = extra {
                let comma = if labels.is_empty() { "" } else { "," };
                for part in [comma, name, "=\"", text, "\""] {
                    self.out.push_str(part);
                }
            }
            self.out.push('}');
        }
        self.out.push(' ');
        push_value(&mut self.out, value);
        self.out.push('\n');
    }

    /// Writes everything that a registry holds.
    pub fn registry(&mut self, registry: &Registry) {
        for family in registry.gather() {
            self.gathered(&family);
        }
    }

    fn gathered(&mut self, family: &MetricFamily) {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            MetricType::SUMMARY => Kind::Summary,
            MetricType::UNTYPED => Kind::Untyped,
        };
        self.family(family.name(), family.help(), kind);
        for metric in family.get_metric() {
            let pairs: Vec<_> = metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            let labels = Labels::new(&pairs);
            match kind {
                Kind::Counter => self.sample(&labels, metric.get_counter().get_value()),
                Kind::Gauge => self.sample(&labels, metric.get_gauge().get_value()),
                Kind::Untyped => self.sample(&labels, 0.0),
                Kind::Histogram => self.histogram(metric, &labels),
                Kind::Summary => self.summary(metric, &labels),
            }
        }
    }

    fn histogram(&mut self, metric: &Metric, labels: &Labels) {
        let histogram = metric.get_histogram();
        for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite()) {
            let bound = bound(self.format, bucket.upper_bound());
            self.suffixed("_bucket", labels, Some(("le", &bound)), bucket.cumulative_count() as f64);
        }
        let count = histogram.get_sample_count() as f64;
        self.suffixed("_bucket", labels, Some(("le", "+Inf")), count);
        self.suffixed("_sum", labels, None, histogram.get_sample_sum());
        self.suffixed("_count", labels, None, count);
    }

    fn summary(&mut self, metric: &Metric, labels: &Labels) {
        let summary = metric.get_summary();
        for quantile in summary.get_quantile() {
            let at = bound(self.format, quantile.quantile());
            self.suffixed("", labels, Some(("quantile", &at)), quantile.value());
        }
        self.suffixed("_sum", labels, None, summary.sample_sum());
        self.suffixed("_count", labels, None, summary.sample_count() as f64);
    }

    /// The finished body, or an empty one if it was handed on in pieces.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        let rest = Bytes::from(self.out);
        let Some(mut pieces) = self.pieces else { return rest };
        if !rest.is_empty() {
            pieces(rest);
        }
        pieces(Bytes::new());
        Bytes::new()
    }
}

fn push_value(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        // Both buffers write the shortest text that reads back as the same number, many times faster than the standard library.
        let whole = value as i64;
        if whole as f64 == value && whole.abs() < 1 << 53 {
            out.push_str(itoa::Buffer::new().format(whole));
        } else {
            out.push_str(zmij::Buffer::new().format_finite(value));
        }
    }
}

/// A bucket bound or quantile. OpenMetrics wants the canonical form of floats (`1.0`, `1e+06`), so that labels compare equal.
fn bound(format: Format, value: f64) -> String {
    match format {
        Format::Text004 => value.to_string(),
        Format::OpenMetrics if value.abs() >= 1e6 => {
            let text = format!("{value:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{digits}e+{exponent:0>2}")
        }
        Format::OpenMetrics => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{HistogramOpts, HistogramVec, IntCounter};
    use rstest::rstest;

    const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

    #[rstest]
    #[case(None, Format::Text004)]
    #[case(Some(""), Format::Text004)]
    #[case(Some("*/*"), Format::Text004)]
    #[case(Some("text/html, */*;q=0.1"), Format::Text004)]
    #[case(Some(PROMETHEUS_2), Format::OpenMetrics)]
    #[case(Some("application/openmetrics-text; version=1.0.0; q=0.2, text/plain;q=0.9"), Format::Text004)]
    #[case(Some("application/openmetrics-text; version=2.0.0"), Format::Text004)]
    #[case(Some("application/openmetrics-text;q=garbage"), Format::Text004)]
    fn the_accept_header_decides(#[case] accept: Option<&str>, #[case] expected: Format) {
        assert_eq!(Format::negotiate(accept), expected);
    }

    fn body(format: Format) -> String {
        let registry = Registry::new();
        let counter = IntCounter::new("polls_total", "Polls.").unwrap();
        counter.inc_by(3);
        registry.register(Box::new(counter)).unwrap();
        let options = HistogramOpts::new("wait_seconds", "Wait.").buckets(vec![0.005, 1.0, 2e6]);
        let histogram = HistogramVec::new(options, &["who"]).unwrap();
        histogram.with_label_values(&["a\"b"]).observe(0.5);
        registry.register(Box::new(histogram)).unwrap();

        let mut out = Exposition::new(format);
        out.family("frames_total", "Frames \"seen\",\nas \\ counted.", Kind::Counter);
        out.sample(&Labels::new(&[("stream", "ü\\\"\n")]), 1e15);
        out.family("empty", "Leaves no trace.", Kind::Gauge);
        out.family("age_seconds", "Age.", Kind::Gauge);
        out.sample(&Labels::NONE, 0.25);
        out.sample(&Labels::new(&[("a", "1")]).with(&[("b", "2")]), f64::NAN);
        out.sample(&Labels::new(&[("a", "2")]), f64::NEG_INFINITY);
        out.registry(&registry);
        String::from_utf8(out.finish().to_vec()).unwrap()
    }

    #[test]
    fn text_004() {
        insta::assert_snapshot!(body(Format::Text004), @r#"
        # HELP frames_total Frames "seen",\nas \\ counted.
        # TYPE frames_total counter
        frames_total{stream="ü\\\"\n"} 1000000000000000
        # HELP age_seconds Age.
        # TYPE age_seconds gauge
        age_seconds 0.25
        age_seconds{a="1",b="2"} NaN
        age_seconds{a="2"} -Inf
        # HELP polls_total Polls.
        # TYPE polls_total counter
        polls_total 3
        # HELP wait_seconds Wait.
        # TYPE wait_seconds histogram
        wait_seconds_bucket{who="a\"b",le="0.005"} 0
        wait_seconds_bucket{who="a\"b",le="1"} 1
        wait_seconds_bucket{who="a\"b",le="2000000"} 1
        wait_seconds_bucket{who="a\"b",le="+Inf"} 1
        wait_seconds_sum{who="a\"b"} 0.5
        wait_seconds_count{who="a\"b"} 1
        "#);
    }

    #[test]
    fn open_metrics() {
        insta::assert_snapshot!(body(Format::OpenMetrics), @r#"
        # HELP frames Frames \"seen\",\nas \\ counted.
        # TYPE frames counter
        frames_total{stream="ü\\\"\n"} 1000000000000000
        # HELP age_seconds Age.
        # TYPE age_seconds gauge
        age_seconds 0.25
        age_seconds{a="1",b="2"} NaN
        age_seconds{a="2"} -Inf
        # HELP polls Polls.
        # TYPE polls counter
        polls_total 3
        # HELP wait_seconds Wait.
        # TYPE wait_seconds histogram
        wait_seconds_bucket{who="a\"b",le="0.005"} 0
        wait_seconds_bucket{who="a\"b",le="1.0"} 1
        wait_seconds_bucket{who="a\"b",le="2e+06"} 1
        wait_seconds_bucket{who="a\"b",le="+Inf"} 1
        wait_seconds_sum{who="a\"b"} 0.5
        wait_seconds_count{who="a\"b"} 1
        # EOF
        "#);
    }

    #[test]
    fn the_short_way_writes_what_the_long_way_writes() {
        let labels = Labels::new(&[("stream", "main")]);
        for value in [0.0, -0.0, 1.0, 9.0, 9.5, 10.0, -1.0, 0.1, 1e-7, 1e15, 1e300, f64::NAN, f64::INFINITY] {
            let mut out = Exposition::new(Format::Text004);
            out.family("up", "Up.", Kind::Gauge);
            out.suffixed("", &labels, None, value);
            out.sample(&labels, value);
            let body = String::from_utf8(out.finish().to_vec()).unwrap();
            let [_, _, long, short] = body.lines().collect::<Vec<_>>()[..] else { panic!("{body}") };
            assert_eq!(long, short);
        }
    }

    fn write(mut out: Exposition) -> Bytes {
        for family in 0..3 {
            out.family(&format!("family_{family}"), "Family.", Kind::Gauge);
            for n in 0..20_000 {
                out.sample(&Labels::new(&[("n", &n.to_string())]), f64::from(n));
            }
        }
        out.finish()
    }

    #[test]
    fn pieces_make_up_the_whole_and_an_empty_one_ends_it() {
        let whole = write(Exposition::new(Format::OpenMetrics));
        let (sender, pieces) = std::sync::mpsc::channel();
        let send = Box::new(move |piece| sender.send(piece).unwrap());
        assert_eq!(write(Exposition::in_pieces(Format::OpenMetrics, send)), Bytes::new());
        let pieces: Vec<Bytes> = pieces.iter().collect();
        assert_eq!(pieces.concat(), whole);
        let (ends, sizes): (Vec<_>, Vec<_>) = pieces.iter().map(|piece| (piece.is_empty(), piece.len())).unzip();
        assert_eq!(ends, [vec![false; 12], vec![true]].concat());
        assert!(sizes[..11].iter().all(|size| (PIECE_BYTES..PIECE_ROOM).contains(size)), "{sizes:?}");
    }

    #[test]
    fn the_room_of_a_piece_that_was_sent_is_used_again() {
        let (sender, places) = std::sync::mpsc::channel();
        let mut waiting = VecDeque::new();
        let send = Box::new(move |piece: Bytes| {
            sender.send(piece.as_ptr() as usize).unwrap();
            waiting.push_back(piece);
            while waiting.len() > 2 {
                waiting.pop_front();
            }
        });
        write(Exposition::in_pieces(Format::Text004, send));
        let places: Vec<usize> = places.iter().collect();
        let different: std::collections::HashSet<&usize> = places[..12].iter().collect();
        assert!(different.len() <= 4, "{places:?}");
    }
}
