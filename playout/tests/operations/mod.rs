//! `ops` against the real NGINX and the real playout: maintenance, and the bundle.

mod bundle;
mod maintenance;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::lab::Lab;

/// Fetches a page from the lab's NGINX; the whole answer.
fn get(lab: &Lab, path: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, lab.http_port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
