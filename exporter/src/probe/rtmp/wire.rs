//! The few bytes of RTMP that a probe needs: the `connect` command out, `_result` or `_error` in. Pure.
//!
//! Sources: Adobe RTMP 1.0 §5.3 (chunks), §5.4 (control messages), §7.2.1.1 (connect); AMF 0 §2.

use std::collections::BTreeMap;

use crate::config::RtmpEndpoint;

/// The chunk size that both sides begin with (§5.4.1).
const CHUNK_SIZE: usize = 128;

/// The largest message that is put together.
const MESSAGE_MAX: usize = 64 << 10;

const TYPE_SET_CHUNK_SIZE: u8 = 1;
const TYPE_COMMAND_AMF0: u8 = 20;

/// The `connect` command as chunks of the initial size.
#[must_use]
pub fn connect_command(endpoint: &RtmpEndpoint) -> Vec<u8> {
    let mut body = Vec::new();
    push_string(&mut body, "connect");
    push_number(&mut body, 1.0);
    body.push(0x03);
    for (key, value) in [("app", endpoint.app.as_str()), ("flashVer", "vvtv-exporter"), ("tcUrl", &endpoint.url())] {
        push_bare(&mut body, key);
        push_string(&mut body, value);
    }
    body.extend([0, 0, 0x09]);

    // Chunk type 0 on chunk stream 3: timestamp 0, length, type, message stream 0.
    let mut message = vec![0x03, 0, 0, 0];
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    message.extend(length.iter().skip(1));
    message.extend([TYPE_COMMAND_AMF0, 0, 0, 0, 0]);
    for (index, chunk) in body.chunks(CHUNK_SIZE).enumerate() {
        if index > 0 {
            message.push(0xC3);
        }
        message.extend(chunk);
    }
    message
}

fn push_bare(out: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(text.iter().take(usize::from(length)));
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(0x02);
    push_bare(out, text);
}

fn push_number(out: &mut Vec<u8>, number: f64) {
    out.push(0x00);
    out.extend(number.to_be_bytes());
}

/// The server's answer to `connect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `_result`
    Accepted,
    /// `_error`
    Refused,
}

/// Why an answer is not RTMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A continuation of a message that never began.
    #[error("a chunk continues a message that never began")]
    Orphan,
    /// A message beyond the limit.
    #[error("a message is larger than {MESSAGE_MAX} bytes")]
    TooLarge,
    /// A chunk size of zero or above the limit.
    #[error("a chunk size that makes no sense")]
    ChunkSize,
}

/// Puts messages together from chunks, in whatever pieces they arrive, until the answer is found.
#[derive(Debug)]
pub struct ReplyReader {
    pending: Vec<u8>,
    chunk_size: usize,
    streams: BTreeMap<u32, Message>,
}

/// What is left after a chunk, and the message that it completed.
type Cut<'a> = (&'a [u8], Option<Message>);

#[derive(Clone, Debug, Default)]
struct Message {
    length: usize,
    kind: u8,
    extended: bool,
    body: Vec<u8>,
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self { pending: Vec::new(), chunk_size: CHUNK_SIZE, streams: BTreeMap::new() }
    }
}

impl ReplyReader {
    /// Takes bytes; returns the answer once it is complete.
    ///
    /// # Errors
    /// What came is not RTMP.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Reply>, WireError> {
        self.pending.extend(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        loop {
            match self.chunk(rest)? {
                None => {
                    self.pending = rest.to_vec();
                    return Ok(None);
                }
                Some((after, message)) => {
                    rest = after;
                    if let Some(reply) = message.and_then(|message| self.message(&message)).transpose()? {
                        return Ok(Some(reply));
                    }
                }
            }
        }
    }

    /// One chunk off the front, and the message that it completes; none if it has not arrived whole.
    fn chunk<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Cut<'a>>, WireError> {
        let Some((head, id, rest)) = basic_header(bytes) else { return Ok(None) };
        let mut message = self.streams.get(&id).cloned().unwrap_or_default();
        let header_length = [11, 7, 3, 0].get(usize::from(head)).copied().unwrap_or(0);
        let Some((header, rest)) = rest.split_at_checked(header_length) else { return Ok(None) };
        if head <= 1 {
            let field = |at: usize| header.get(at).copied().unwrap_or(0);
            message.length = usize::from(field(3)) << 16 | usize::from(field(4)) << 8 | usize::from(field(5));
            message.kind = field(6);
        } else if !self.streams.contains_key(&id) {
            return Err(WireError::Orphan);
        }
        if head <= 2 {
            message.extended = header.iter().take(3).all(|byte| *byte == 0xFF) && header_length > 0;
            message.body.clear();
        }
        if message.length > MESSAGE_MAX {
            return Err(WireError::TooLarge);
        }
        let extended = if message.extended { 4 } else { 0 };
        let Some((_, rest)) = rest.split_at_checked(extended) else { return Ok(None) };
        let wanted = (message.length - message.body.len().min(message.length)).min(self.chunk_size);
        let Some((body, rest)) = rest.split_at_checked(wanted) else { return Ok(None) };
        message.body.extend(body);
        let complete = (message.body.len() >= message.length).then(|| message.clone());
        if complete.is_some() {
            message.body.clear();
        }
        self.streams.insert(id, message);
        Ok(Some((rest, complete)))
    }

    fn message(&mut self, message: &Message) -> Option<Result<Reply, WireError>> {
        match (message.kind, message.body.as_slice()) {
            (TYPE_SET_CHUNK_SIZE, [a, b, c, d, ..]) => {
                let size = usize::try_from(u32::from_be_bytes([a & 0x7F, *b, *c, *d])).unwrap_or(usize::MAX);
                if size == 0 {
                    return Some(Err(WireError::ChunkSize));
                }
                self.chunk_size = size.min(MESSAGE_MAX);
                None
            }
            (TYPE_COMMAND_AMF0, [0x02, 0, 7, rest @ ..]) if rest.starts_with(b"_result") => Some(Ok(Reply::Accepted)),
            (TYPE_COMMAND_AMF0, [0x02, 0, 6, rest @ ..]) if rest.starts_with(b"_error") => Some(Ok(Reply::Refused)),
            _ => None,
        }
    }
}

/// Chunk type, chunk stream id, and what follows (§5.3.1.1).
fn basic_header(bytes: &[u8]) -> Option<(u8, u32, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let head = first >> 6;
    match (first & 0x3F, rest) {
        (0, [low, rest @ ..]) => Some((head, 64 + u32::from(*low), rest)),
        (1, [low, high, rest @ ..]) => Some((head, 64 + u32::from(*low) + 256 * u32::from(*high), rest)),
        (0 | 1, _) => None,
        (id, rest) => Some((head, u32::from(id), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// What nginx-rtmp sends: window size, bandwidth, chunk size 4096, then `_result`.
    fn nginx_answer(name: &str) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0x4C, 0x4B, 0x40];
        bytes.extend([2, 0, 0, 0, 0, 0, 5, 6, 0, 0, 0, 0, 0, 0x4C, 0x4B, 0x40, 2]);
        bytes.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0x10, 0]);
        let mut body = Vec::new();
        push_string(&mut body, name);
        push_number(&mut body, 1.0);
        body.extend(std::iter::repeat_n(5, 180));
        bytes.extend([3, 0, 0, 0, 0, 0, u8::try_from(body.len()).unwrap(), TYPE_COMMAND_AMF0, 0, 0, 0, 0]);
        bytes.extend(body);
        bytes
    }

    #[rstest]
    #[case("_result", Reply::Accepted)]
    #[case("_error", Reply::Refused)]
    fn an_answer_is_found_in_whatever_pieces_it_comes(#[case] name: &str, #[case] expected: Reply) {
        for size in 1..200 {
            let mut reader = ReplyReader::default();
            let mut answer = None;
            for piece in nginx_answer(name).chunks(size) {
                answer = answer.or(reader.feed(piece).unwrap());
            }
            assert_eq!(answer, Some(expected), "in pieces of {size}");
        }
    }

    #[test]
    fn the_recorded_answer_of_nginx_is_understood() {
        let answer = include_bytes!("../../../tests/fixtures/rtmp-reply-nginx.bin");
        assert_eq!(ReplyReader::default().feed(answer), Ok(Some(Reply::Accepted)));
        let (most, _) = answer.split_at(answer.len() - 1);
        assert_eq!(ReplyReader::default().feed(most), Ok(None));
    }

    #[test]
    fn a_message_may_go_on_in_chunks_of_the_initial_size() {
        let mut body = Vec::new();
        push_string(&mut body, "_result");
        body.resize(300, 5);
        let mut bytes = vec![3, 0, 0, 0, 0, 1, 44, TYPE_COMMAND_AMF0, 0, 0, 0, 0];
        for (index, chunk) in body.chunks(CHUNK_SIZE).enumerate() {
            if index > 0 {
                bytes.push(0xC3);
            }
            bytes.extend(chunk);
        }
        assert_eq!(ReplyReader::default().feed(&bytes), Ok(Some(Reply::Accepted)));
    }

    #[test]
    fn the_connect_command_is_cut_into_chunks() {
        let app = "a".repeat(200);
        let endpoint = RtmpEndpoint { host: "localhost".to_owned(), port: 1935, app };
        let bytes = connect_command(&endpoint);
        assert_eq!(bytes.get(..4), Some([3, 0, 0, 0].as_slice()));
        let length = bytes.iter().skip(4).take(3).fold(0, |sum, byte| sum * 256 + usize::from(*byte));
        assert_eq!(bytes.len(), 12 + length + (length - 1) / CHUNK_SIZE);
        assert_eq!(bytes.get(12 + CHUNK_SIZE), Some(&0xC3));
    }

    #[rstest]
    #[case(&[0xC3, 0], WireError::Orphan)]
    #[case(&[3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0], WireError::TooLarge)]
    #[case(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0], WireError::ChunkSize)]
    fn what_is_not_rtmp_is_refused(#[case] bytes: &[u8], #[case] expected: WireError) {
        assert_eq!(ReplyReader::default().feed(bytes), Err(expected));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_answer_not_a_panic(bytes in proptest::collection::vec(0_u8..=255, 0..2000), size in 1_usize..100) {
            let mut reader = ReplyReader::default();
            for piece in bytes.chunks(size) {
                if reader.feed(piece).is_err() {
                    break;
                }
            }
        }
    }
}
