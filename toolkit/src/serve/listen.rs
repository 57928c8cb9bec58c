//! What is listened on: addresses, or the sockets that systemd passes.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket, lookup_host};
use tracing::warn;

use super::ServeError;
use crate::flags::{ListenAddress, WebArgs};

/// Connections that the kernel holds until they are accepted: as many as come at once when a thousand clients start together.
const BACKLOG: u32 = 1024;

/// Opens what the flags ask for: the sockets that systemd passes, or addresses. Without either the first default must be there, and those
/// of the others are opened that the machine has.
///
/// Whoever can reach an address can ask for everything that is served there, so one beyond loopback without a web configuration
/// (TLS, users) is said in the log.
///
/// # Errors
/// An address cannot be opened, or systemd passes no TCP socket.
pub async fn listen(args: &WebArgs, defaults: &[ListenAddress]) -> Result<Vec<TcpListener>, ServeError> {
    let listeners = if args.systemd_socket {
        inherited()?
    } else if args.listen_address.is_empty() {
        those_there(defaults).await?
    } else {
        bind(&args.listen_address).await?
    };
    if args.config_file.is_none() {
        for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()).filter(is_open) {
            let message =
                "everybody who reaches this address may ask, unencrypted: --web.config.file sets TLS and users";
            warn!(%address, "{message}");
        }
    }
    Ok(listeners)
}

fn is_open(address: &SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

async fn those_there(defaults: &[ListenAddress]) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners = Vec::with_capacity(defaults.len());
    for address in defaults {
        match bind(std::slice::from_ref(address)).await {
            Ok(opened) => listeners.extend(opened),
            // A machine without IPv6.
            Err(ServeError::Bind { .. }) if !listeners.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

/// The sockets of sd_listen_fds(3).
fn inherited() -> Result<Vec<TcpListener>, ServeError> {
    let failed = |error| ServeError::NoSocket(Some(error));
    let mut passed = ListenFd::from_env();
    let mut listeners = Vec::with_capacity(passed.len());
    for index in 0..passed.len() {
        if let Some(listener) = passed.take_tcp_listener(index).map_err(failed)? {
            listener.set_nonblocking(true).map_err(failed)?;
            listeners.push(TcpListener::from_std(listener).map_err(failed)?);
        }
    }
    if listeners.is_empty() { Err(ServeError::NoSocket(None)) } else { Ok(listeners) }
}

/// Opens every address, or none.
///
/// # Errors
/// An address cannot be opened; the error names the port.
pub async fn bind(addresses: &[ListenAddress]) -> Result<Vec<TcpListener>, ServeError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let opened = match address.host() {
            "" => match open("::", address.port()).await {
                Err(error) if error.kind() != ErrorKind::AddrInUse => {
                    // A machine without IPv6.
                    open("0.0.0.0", address.port()).await
                }
                other => other,
            },
            host => open(host, address.port()).await,
        };
        listeners.push(opened.map_err(|source| {
            let address = address.clone();
            if source.kind() == ErrorKind::AddrInUse {
                ServeError::Taken { address }
            } else {
                ServeError::Bind { address, source }
            }
        })?);
    }
    Ok(listeners)
}

/// The first of the host's addresses that can be listened on.
async fn open(host: &str, port: u16) -> Result<TcpListener, Error> {
    let mut failed = Error::new(ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let opened = socket.and_then(|socket| {
            // A restart finds connections of the run before it in TIME_WAIT.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        });
        match opened {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
