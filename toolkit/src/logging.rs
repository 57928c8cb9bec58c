//! Logging to stderr: logfmt as Prometheus' programs write it, or JSON. No line goes out with a secret in it.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::sync::{LazyLock, PoisonError, RwLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::flags::{LogArgs, LogFormat, LogLevel};
use crate::redaction::Redactor;

/// Logging was already set up in this process.
#[derive(Debug, thiserror::Error)]
#[error("cannot set logging up")]
pub struct LoggingError(#[from] tracing_subscriber::util::TryInitError);

/// Sets the process's logging up; call it once, in `main`.
///
/// Libraries that log every packet at `debug` are held at `warn`, so that `--log.level=debug` shows the program's own decisions.
///
/// # Errors
/// Logging was already set up.
pub fn init(args: &LogArgs) -> Result<(), LoggingError> {
    let level = match args.level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let quiet = level.min(LevelFilter::WARN);
    let loud = ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tower_http"];
    let filter = Targets::new().with_default(level).with_targets(loud.map(|target| (target, quiet)));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(|| Redacting(io::stderr())).with_ansi(false);
    match args.format {
        LogFormat::Logfmt => registry.with(layer.event_format(Logfmt)).try_init()?,
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init()?,
    }
    Ok(())
}

/// What lines are redacted with. The process's, as its log is: the own secrets are known only when the configuration was read.
static REDACTOR: LazyLock<RwLock<Redactor>> = LazyLock::new(RwLock::default);

/// From now on, lines are redacted with this; before, secrets are known by their names and shapes alone.
pub fn redact_with(redactor: &Redactor) {
    *REDACTOR.write().unwrap_or_else(PoisonError::into_inner) = redactor.clone();
}

/// Redacts what is written. Each event comes as one write.
struct Redacting<W>(W);

impl<W: io::Write> io::Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let redactor = REDACTOR.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.write_all(redactor.text(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An error and its causes on one line, each said once: a cause that the message above it already ends with is left out.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        writer.write_str("ts=")?;
        SystemTime.format_time(&mut writer)?;
        let mut line = String::new();
        write_event(&mut line, *event.metadata().level(), event.metadata().target(), |visitor| event.record(visitor));
        writeln!(writer, "{line}")
    }
}

fn write_event(line: &mut String, level: Level, target: &str, record: impl FnOnce(&mut Fields)) {
    let level = match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    };
    let mut fields = Fields::default();
    record(&mut fields);
    line.push_str(" level=");
    line.push_str(level);
    push_pair(line, "target", target);
    push_pair(line, "msg", &fields.message);
    line.push_str(&fields.rest);
}

/// The event's message, and the other fields already written as ` key=value`.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Fields {
    fn put(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            push_pair(&mut self.rest, field.name(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, &chain(value));
    }
}

fn push_pair(line: &mut String, key: &str, value: &str) {
    line.push(' ');
    line.push_str(key);
    line.push('=');
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '=' | '\\');
    if !value.is_empty() && value.chars().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            c if c.is_control() => {
                let _: fmt::Result = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("read {name}")]
    struct Outer {
        name: &'static str,
        #[source]
        source: Inner,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("disk on fire")]
    struct Inner;

    #[test]
    fn a_chain_names_every_cause_once() {
        assert_eq!(chain(&Outer { name: "queue", source: Inner }), "read queue: disk on fire");
        assert_eq!(chain(&Inner), "disk on fire");
    }

    #[test]
    fn a_value_cannot_break_out_of_its_line() {
        let mut line = String::new();
        push_pair(&mut line, "plain", "127.0.0.1:10047");
        push_pair(&mut line, "empty", "");
        push_pair(&mut line, "evil", "a\nlevel=error \"b\" \u{1b}[2J\\");
        assert_eq!(line, " plain=127.0.0.1:10047 empty=\"\" evil=\"a\\nlevel=error \\\"b\\\" \\u001b[2J\\\\\"");
    }

    #[test]
    fn a_secret_does_not_get_into_a_line() {
        use std::io::Write as _;
        redact_with(&Redactor::new(["0wn-secret"]));
        let mut written = Vec::new();
        let lines = [
            "level=warn error=\"GET http://u:pw123@h/?token=abc: 404\" with=0wn-secret\n",
            "{\"level\":\"WARN\",\"error\":\"open \\\"rtmp://u:pw123@h/live\\\": {\\\"apiKey\\\": \\\"abc\\\"}\"}\n",
        ];
        for line in lines {
            Redacting(&mut written).write_all(line.as_bytes()).unwrap();
        }
        insta::assert_snapshot!(String::from_utf8(written).unwrap(), @r#"
        level=warn error="GET http://u:REDACTED@h/?token=REDACTED: 404" with=REDACTED
        {"level":"WARN","error":"open \"rtmp://u:REDACTED@h/live\": {\"apiKey\": \"REDACTED\"}"}
        "#);
    }

    #[test]
    fn a_whole_line() {
        let (sent, received) = std::sync::mpsc::channel();
        struct Capture(std::sync::mpsc::Sender<String>);
        impl<S: Subscriber> tracing_subscriber::Layer<S> for Capture {
            fn on_event(&self, event: &Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
                let mut line = String::new();
                write_event(&mut line, *event.metadata().level(), event.metadata().target(), |v| event.record(v));
                self.0.send(line).unwrap();
            }
        }
        let subscriber = tracing_subscriber::registry().with(Capture(sent));
        tracing::subscriber::with_default(subscriber, || {
            let error: &(dyn Error + 'static) = &Outer { name: "queue", source: Inner };
            tracing::warn!(target: "t", error, attempt = 3, name = "two words", "it failed");
        });
        assert_eq!(
            received.recv().unwrap(),
            " level=warn target=t msg=\"it failed\" error=\"read queue: disk on fire\" attempt=3 name=\"two words\""
        );
    }
}
