//! Command-line flags as people know them from Prometheus' own programs, to be flattened into a program's arguments.
//!
//! Their ids are their long names, so that they never collide with a field of the program.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::serve::{HostName, Hosts};

/// Where and how a program serves HTTP.
#[derive(Args, Clone, Debug, Default)]
pub struct WebArgs {
    /// Address to listen on, e.g. `127.0.0.1:10047`; may be given several times. The default is this machine's loopback: an address that
    /// others reach, and `:10047`, which is all of them, opens everything that is served to them, so set TLS and users by
    /// --web.config.file.
    #[arg(id = "web.listen-address", long = "web.listen-address", value_name = "ADDRESS")]
    pub listen_address: Vec<ListenAddress>,
    /// Name under which the program may be asked, or `*.NAME`; may be given several times. Addresses, `localhost` and the names of listen
    /// addresses need not be given. Requests for any other host are refused.
    #[arg(id = "web.allowed-host", long = "web.allowed-host", value_name = "NAME")]
    pub allowed_hosts: Vec<HostName>,
    /// Listen on the sockets that systemd passes (socket activation) instead of addresses.
    #[arg(id = "web.systemd-socket", long = "web.systemd-socket")]
    pub systemd_socket: bool,
    /// File with TLS, basic authentication and headers, in the format of Prometheus' exporter-toolkit.
    #[arg(id = "web.config.file", long = "web.config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Path under which the metrics are served.
    #[arg(id = "web.telemetry-path", long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", value_parser = url_path)]
    pub telemetry_path: String,
}

impl WebArgs {
    /// The names under which the program may be asked.
    #[must_use]
    pub fn hosts(&self) -> Hosts {
        let mut hosts: Hosts = self.allowed_hosts.iter().cloned().collect();
        self.listen_address.iter().for_each(|address| hosts.add(address.host()));
        hosts
    }
}

fn url_path(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    if text.starts_with('/') && text.len() > 1 && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("expected an absolute path of letters, digits, - _ . ~ and /, other than / itself".to_owned())
    }
}

/// How a program logs.
#[derive(Args, Clone, Debug, Default)]
pub struct LogArgs {
    /// Least severe level that is logged.
    #[arg(id = "log.level", long = "log.level", value_enum, default_value_t = LogLevel::Info)]
    pub level: LogLevel,
    /// Format of the log lines.
    #[arg(id = "log.format", long = "log.format", value_enum, default_value_t = LogFormat::Logfmt)]
    pub format: LogFormat,
}

/// A log level, in Prometheus' four steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator wants to see.
    #[default]
    Info,
    /// What deserves a look.
    Warn,
    /// What is broken.
    Error,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `ts=… level=… msg="…" key=value`
    #[default]
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// A host, possibly empty (= every address), and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

/// Why a text is no listen address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a listen address: expected :PORT, HOST:PORT or [IPV6]:PORT")]
pub struct ListenAddressError(String);

impl ListenAddress {
    /// A port on every address of the machine.
    #[must_use]
    pub const fn every_address(port: u16) -> Self {
        Self { host: String::new(), port }
    }

    /// A port on 127.0.0.1; port 0 asks the system for a free one.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port }
    }

    /// A port on 127.0.0.1 and on \[::1\].
    #[must_use]
    pub fn loopbacks(port: u16) -> [Self; 2] {
        [Self::loopback(port), Self { host: "::1".to_owned(), port }]
    }

    /// The host as written, without brackets; empty for every address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ListenAddressError(text.chars().take(100).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(refuse)?;
        let port = port.parse().map_err(|_| refuse())?;
        let bracketed = host.strip_prefix('[').map(|rest| rest.strip_suffix(']').ok_or_else(refuse)).transpose()?;
        let valid = match bracketed {
            Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')),
        };
        if !valid {
            return Err(refuse());
        }
        Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use rstest::rstest;

    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        web: WebArgs,
        #[command(flatten)]
        log: LogArgs,
        #[arg(long = "config.file")]
        config_file: Option<PathBuf>,
    }

    #[test]
    fn the_flags_live_beside_a_programs_own() {
        let args = ["p", "--config.file=mine", "--web.config.file=web"];
        let program = Program::try_parse_from(args).unwrap();
        assert_eq!((program.config_file, program.web.config_file), (Some("mine".into()), Some("web".into())));
    }

    #[rstest]
    #[case(":10047")]
    #[case("127.0.0.1:10047")]
    #[case("[::1]:0")]
    #[case("localhost:65535")]
    fn an_address_is_written_as_it_was_read(#[case] text: &str) {
        assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("10047")]
    #[case(":70000")]
    #[case("::1:80")]
    #[case("[::1:80")]
    #[case("[localhost]:80")]
    #[case("http://localhost:80")]
    #[case("")]
    fn other_texts_are_refused(#[case] text: &str) {
        assert_eq!(text.parse::<ListenAddress>(), Err(ListenAddressError(text.to_owned())));
    }

    #[test]
    fn the_listen_address_may_be_repeated_and_its_names_are_known_hosts() {
        let none = Program::try_parse_from(["p"]).unwrap();
        assert_eq!((none.web.listen_address.len(), none.web.hosts()), (0, Hosts::default()));
        assert_eq!(none.web.telemetry_path, "/metrics");
        assert_eq!((none.log.level, none.log.format), (LogLevel::Info, LogFormat::Logfmt));
        let args = ["p", "--web.listen-address=ops.example:1", "--web.listen-address", "127.0.0.1:2"];
        let two = Program::try_parse_from(args.into_iter().chain(["--web.allowed-host=*.example.org"])).unwrap();
        let addresses: Vec<_> = two.web.listen_address.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["ops.example:1", "127.0.0.1:2"]);
        let names = ["ops.example", "127.0.0.1", "*.example.org"].map(|name| name.parse::<HostName>().unwrap());
        assert_eq!(two.web.hosts(), names.into_iter().collect());
        assert!(Program::try_parse_from(["p", "--web.allowed-host=name:80"]).is_err());
    }

    #[test]
    fn a_telemetry_path_that_no_router_could_serve_is_refused() {
        for bad in ["metrics", "/", "/{x}", "/a b"] {
            assert!(Program::try_parse_from(["p", &format!("--web.telemetry-path={bad}")]).is_err(), "{bad}");
        }
    }
}
