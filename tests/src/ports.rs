//! The ports of a lab: the documented ones for `vvtv-lab up`, free ones for tests.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// One port per listener of the stack, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the port of the part that it is named after")]
pub struct Ports {
    pub rtmp: u16,
    pub http: u16,
    pub control: u16,
    pub prometheus: u16,
    pub alertmanager: u16,
    pub exporter: u16,
    pub remediator: u16,
    /// UDP: ffmpeg's progress, from the playout daemon to the exporter.
    pub progress: u16,
}

/// The ports of the shipped configuration files.
pub const SHIPPED: Ports = Ports {
    rtmp: 1935,
    http: 8080,
    control: 8082,
    prometheus: 9090,
    alertmanager: 9093,
    exporter: 10047,
    remediator: 10048,
    progress: 10050,
};

/// Where free ports are looked for: below the range that the kernel gives to outgoing connections.
const SEARCH: std::ops::Range<u16> = 20_000..32_000;

/// Sockets that keep found ports from being found again.
struct Claim {
    _tcp: TcpListener,
    _udp: UdpSocket,
    port: u16,
}

fn claim(port: u16) -> std::io::Result<Claim> {
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok(Claim { _tcp: tcp, _udp: udp, port })
}

impl Ports {
    /// Ports that nobody listens on now. The search begins elsewhere in every process, so that labs side by side seldom meet.
    ///
    /// # Errors
    /// The whole range is taken.
    pub fn free() -> anyhow::Result<Self> {
        let width = u32::from(SEARCH.end - SEARCH.start);
        let offset = u16::try_from(std::process::id().wrapping_mul(97) % width)?;
        let mut candidates = (SEARCH.start + offset..SEARCH.end).chain(SEARCH.start..SEARCH.start + offset);
        let mut claims = Vec::new();
        let mut next = || {
            let found =
                candidates.by_ref().find_map(|port| claim(port).ok()).context("no free port from 20000 to 32000")?;
            let port = found.port;
            claims.push(found);
            anyhow::Ok(port)
        };
        Ok(Self {
            rtmp: next()?,
            http: next()?,
            control: next()?,
            prometheus: next()?,
            alertmanager: next()?,
            exporter: next()?,
            remediator: next()?,
            progress: next()?,
        })
    }

    /// Port by port with the name that a person knows it by.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u16); 8] {
        [
            ("NGINX, RTMP", self.rtmp),
            ("NGINX, HTTP", self.http),
            ("NGINX, control", self.control),
            ("Prometheus", self.prometheus),
            ("Alertmanager", self.alertmanager),
            ("vvtv-exporter", self.exporter),
            ("vvtv-remediator", self.remediator),
            ("encoder progress, UDP", self.progress),
        ]
    }

    /// Checks that nobody listens on any of these ports.
    ///
    /// # Errors
    /// Names every port that is taken.
    pub fn check_free(&self) -> anyhow::Result<()> {
        let taken: Vec<String> = self
            .named()
            .into_iter()
            .filter_map(|(name, port)| claim(port).err().map(|error| format!("{port} ({name}): {error}")))
            .collect();
        if taken.is_empty() {
            return Ok(());
        }
        bail!("ports of 127.0.0.1 are taken:\n  {}", taken.join("\n  "));
    }

    /// The text of a shipped file with its addresses replaced by these.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        SHIPPED.named().into_iter().zip(self.named()).fold(text.to_owned(), |text, ((_, shipped), (_, ours))| {
            text.replace(&format!("127.0.0.1:{shipped}"), &format!("127.0.0.1:{ours}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_different_ones() {
        let ports = Ports::free().unwrap();
        let mut numbers: Vec<u16> = ports.named().into_iter().map(|(_, port)| port).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 8);
        ports.check_free().unwrap();
    }

    #[test]
    fn a_taken_port_is_named_with_its_part() {
        let mut ports = Ports::free().unwrap();
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ports.prometheus = taken.local_addr().unwrap().port();
        assert_eq!(
            ports.check_free().unwrap_err().to_string(),
            format!(
                "ports of 127.0.0.1 are taken:\n  {} (Prometheus): Address already in use (os error 98)",
                ports.prometheus
            )
        );
    }

    #[test]
    fn addresses_are_replaced_and_nothing_else() {
        let mut ports = SHIPPED;
        ports.http = 20_001;
        ports.exporter = 20_002;
        let text = "listen 127.0.0.1:8080; # 8080 and 127.0.0.1:9093 stay\nhttp://127.0.0.1:10047/metrics";
        let expected = "listen 127.0.0.1:20001; # 8080 and 127.0.0.1:9093 stay\nhttp://127.0.0.1:20002/metrics";
        assert_eq!(ports.apply(text), expected);
    }
}
