//! One who scrapes over a connection that stays open, as Prometheus does, with as little work as can be: the server is measured, not
//! a client library.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The end of a body that comes in chunks.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// A connection and the last answer.
pub(crate) struct Scraper {
    connection: TcpStream,
    request: String,
    answer: Vec<u8>,
    read: usize,
}

impl Scraper {
    pub(crate) fn connect(address: &str) -> Self {
        let connection = TcpStream::connect(address).unwrap();
        connection.set_nodelay(true).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
        Self { connection, request, answer: vec![0; 1 << 20], read: 0 }
    }

    /// Scrapes to the body's last byte.
    pub(crate) fn scrape(&mut self) {
        self.read = 0;
        self.connection.write_all(self.request.as_bytes()).unwrap();
        while !self.is_whole() {
            if self.read == self.answer.len() {
                self.answer.resize(2 * self.read, 0);
            }
            let read = self.connection.read(&mut self.answer[self.read..]).unwrap();
            assert!(read > 0, "the connection ended");
            self.read += read;
        }
    }

    /// The head and the body, chunks as they came.
    fn parts(&self) -> Option<(&str, &[u8])> {
        let answer = &self.answer[..self.read];
        let end = answer.windows(4).take(4096).position(|bytes| bytes == b"\r\n\r\n")?;
        Some((std::str::from_utf8(&answer[..end]).unwrap(), &answer[end + 4..]))
    }

    fn is_whole(&self) -> bool {
        let Some((head, body)) = self.parts() else { return false };
        match length(head) {
            Some(length) => body.len() >= length,
            None => body.ends_with(LAST_CHUNK),
        }
    }

    /// The last body.
    pub(crate) fn body(&self) -> String {
        let (head, mut body) = self.parts().unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        if length(head).is_some() {
            return String::from_utf8(body.to_vec()).unwrap();
        }
        let mut whole = Vec::new();
        loop {
            let end = body.windows(2).position(|bytes| bytes == b"\r\n").unwrap();
            let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
            if size == 0 {
                return String::from_utf8(whole).unwrap();
            }
            whole.extend_from_slice(&body[end + 2..end + 2 + size]);
            body = &body[end + 4 + size..];
        }
    }
}

fn length(head: &str) -> Option<usize> {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    fields.find_map(|(name, value)| name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap()))
}
