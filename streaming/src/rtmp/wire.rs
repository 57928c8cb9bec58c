//! The few bytes of RTMP that a probe needs: the `connect` command out, messages in. Pure.
//!
//! Sources: Adobe RTMP 1.0 §5.3 (chunks), §5.4 (control messages), §7.1.1 (commands), §7.2.1.1 (connect); AMF 0 §2.

use std::collections::BTreeMap;

use super::dialogue::Connect;
use super::reply::{Reply, reply};

/// The chunk size that both sides begin with (§5.4.1).
const CHUNK_SIZE: usize = 128;

/// The largest message that is put together.
const MESSAGE_MAX: usize = 64 << 10;

const TYPE_SET_CHUNK_SIZE: u8 = 1;
const TYPE_ABORT: u8 = 2;
const TYPE_COMMAND_AMF3: u8 = 17;
const TYPE_COMMAND_AMF0: u8 = 20;

/// The `connect` command as chunks of the initial size.
pub(super) fn connect_command(connect: &Connect<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    push_string(&mut body, "connect");
    push_number(&mut body, 1.0);
    body.push(0x03);
    for (key, value) in [("app", connect.app), ("flashVer", connect.client), ("tcUrl", connect.tc_url)] {
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

pub(super) fn push_bare(out: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(text.iter().take(usize::from(length)));
}

pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(0x02);
    push_bare(out, text);
}

pub(super) fn push_number(out: &mut Vec<u8>, number: f64) {
    out.push(0x00);
    out.extend(number.to_be_bytes());
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
    streams: BTreeMap<u32, Stream>,
}

/// A message's kind and body.
type Message = (u8, Vec<u8>);

/// What a chunk's header says, or leaves as it was.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    length: usize,
    kind: u8,
    /// The extended timestamp, where the header's own is full.
    extended: Option<[u8; 4]>,
}

/// A chunk stream, and the message that comes over it.
#[derive(Debug, Default)]
struct Stream {
    header: Header,
    body: Vec<u8>,
}

impl Default for ReplyReader {
    fn default() -> Self {
        Self { pending: Vec::new(), chunk_size: CHUNK_SIZE, streams: BTreeMap::new() }
    }
}

/// What is left after a chunk, and the message that it completed.
type Cut<'a> = (&'a [u8], Option<Message>);

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
                    if let Some(reply) = message.and_then(|message| self.message(&message).transpose()).transpose()? {
                        return Ok(Some(reply));
                    }
                }
            }
        }
    }

    /// One chunk off the front, and the message that it completes; none if it has not arrived whole.
    fn chunk<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<Cut<'a>>, WireError> {
        let Some((format, id, rest)) = basic_header(bytes) else { return Ok(None) };
        let (mut header, read) = match self.streams.get(&id) {
            Some(stream) => (stream.header, stream.body.len()),
            None if format > 1 => return Err(WireError::Orphan),
            None => (Header::default(), 0),
        };
        let header_length = [11, 7, 3, 0].get(usize::from(format)).copied().unwrap_or(0);
        let Some((fields, rest)) = rest.split_at_checked(header_length) else { return Ok(None) };
        if let [_, _, _, a, b, c, kind, ..] = fields {
            header.length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            header.kind = *kind;
        }
        if header.length > MESSAGE_MAX {
            return Err(WireError::TooLarge);
        }
        // A header in the middle of a message begins another one.
        let read = if format < 3 { 0 } else { read };
        let Some(rest) = header.timestamp(fields, rest) else { return Ok(None) };
        let wanted = header.length.saturating_sub(read).min(self.chunk_size);
        let Some((piece, rest)) = rest.split_at_checked(wanted) else { return Ok(None) };
        let stream = self.streams.entry(id).or_default();
        stream.header = header;
        stream.body.truncate(read);
        stream.body.extend(piece);
        let complete = stream.body.len() >= header.length;
        Ok(Some((rest, complete.then(|| (header.kind, std::mem::take(&mut stream.body))))))
    }

    fn message(&mut self, (kind, body): &Message) -> Result<Option<Reply>, WireError> {
        match (*kind, body.as_slice()) {
            (TYPE_SET_CHUNK_SIZE, [a, b, c, d, ..]) => {
                let size = usize::try_from(u32::from_be_bytes([a & 0x7F, *b, *c, *d])).unwrap_or(usize::MAX);
                if size == 0 {
                    return Err(WireError::ChunkSize);
                }
                self.chunk_size = size.min(MESSAGE_MAX);
                Ok(None)
            }
            (TYPE_ABORT, [a, b, c, d, ..]) => {
                if let Some(stream) = self.streams.get_mut(&u32::from_be_bytes([*a, *b, *c, *d])) {
                    stream.body.clear();
                }
                Ok(None)
            }
            // One byte says which format follows; AMF 0 is the only one in use, and some leave the byte out.
            (TYPE_COMMAND_AMF3, [0, body @ ..] | body) | (TYPE_COMMAND_AMF0, body) => Ok(reply(body)),
            _ => Ok(None),
        }
    }
}

impl Header {
    /// What follows the timestamp; none if that has not arrived whole.
    ///
    /// Chunks that go on with a message repeat its extended timestamp (§5.3.1.3), but not those of every server.
    fn timestamp<'a>(&mut self, fields: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
        if let Some(time) = fields.first_chunk::<3>() {
            self.extended = None;
            if *time != [0xFF; 3] {
                return Some(rest);
            }
            let (extended, rest) = rest.split_first_chunk()?;
            self.extended = Some(*extended);
            return Some(rest);
        }
        let Some(extended) = self.extended else { return Some(rest) };
        match rest.split_first_chunk() {
            Some((repeated, rest)) if *repeated == extended => Some(rest),
            None if extended.starts_with(rest) => None,
            Some(_) | None => Some(rest),
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
    #[case("_error", Reply::Refused(String::new()))]
    fn an_answer_is_found_in_whatever_pieces_it_comes(#[case] name: &str, #[case] expected: Reply) {
        for size in 1..200 {
            let mut reader = ReplyReader::default();
            let mut answer = None;
            for piece in nginx_answer(name).chunks(size) {
                answer = answer.or(reader.feed(piece).unwrap());
            }
            assert_eq!(answer, Some(expected.clone()), "in pieces of {size}");
        }
    }

    #[test]
    fn the_recorded_answer_of_nginx_is_understood() {
        let answer = include_bytes!("../../tests/fixtures/rtmp-reply-nginx.bin");
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
        let bytes = connect_command(&Connect { app: &app, tc_url: "rtmp://localhost:1935/live", client: "test" });
        assert_eq!(bytes.get(..4), Some([3, 0, 0, 0].as_slice()));
        let length = bytes.iter().skip(4).take(3).fold(0, |sum, byte| sum * 256 + usize::from(*byte));
        assert_eq!(bytes.len(), 12 + length + (length - 1) / CHUNK_SIZE);
        assert_eq!(bytes.get(12 + CHUNK_SIZE), Some(&0xC3));
    }

    fn command(head: &[u8], kind: u8, length: usize) -> Vec<u8> {
        let length = u32::try_from(length).unwrap().to_be_bytes();
        [head, &length[1..], &[kind, 0, 0, 0, 0]].concat()
    }

    fn accepted() -> Vec<u8> {
        let mut body = Vec::new();
        push_string(&mut body, "_result");
        push_number(&mut body, 1.0);
        body.extend([5; 284]);
        body
    }

    #[rstest]
    #[case::three_byte_id(&[0, 0x10, 0, 0, 0], &[], &[0xC0, 0x10])]
    #[case::four_byte_id(&[1, 0x10, 1, 0, 0, 0], &[], &[0xC1, 0x10, 1])]
    #[case::extended_timestamp(&[3, 0xFF, 0xFF, 0xFF], &[1, 0, 0, 0], &[0xC3, 1, 0, 0, 0])]
    #[case::extended_timestamp_that_is_not_repeated(&[3, 0xFF, 0xFF, 0xFF], &[1, 0, 0, 0], &[0xC3])]
    fn chunks_of_every_form_are_put_together(
        #[case] head: &[u8],
        #[case] extended: &[u8],
        #[case] next: &[u8],
        #[values(1, 3, 1000)] size: usize,
        #[values(TYPE_COMMAND_AMF0, TYPE_COMMAND_AMF3)] kind: u8,
        #[values(false, true)] marked: bool,
    ) {
        let body = if kind == TYPE_COMMAND_AMF3 && marked { [vec![0], accepted()].concat() } else { accepted() };
        let mut bytes = [command(head, kind, body.len()), extended.to_vec()].concat();
        let chunks: Vec<&[u8]> = body.chunks(CHUNK_SIZE).collect();
        bytes.extend(chunks.join(next));
        let mut reader = ReplyReader::default();
        let mut answer = None;
        for piece in bytes.chunks(size) {
            answer = answer.or(reader.feed(piece).unwrap());
        }
        assert_eq!(answer, Some(Reply::Accepted));
    }

    #[test]
    fn what_is_aborted_or_begun_anew_is_forgotten() {
        let body = accepted();
        let begun = [command(&[3, 0, 0, 0], TYPE_COMMAND_AMF0, body.len()), vec![0; CHUNK_SIZE]].concat();
        let abort = [2, 0, 0, 0, 0, 0, 4, TYPE_ABORT, 0, 0, 0, 0, 0, 0, 0, 3];
        let chunks: Vec<&[u8]> = body.chunks(CHUNK_SIZE).collect();
        let whole = chunks.join(&0xC3);
        let anew = [command(&[3, 0, 0, 0], TYPE_COMMAND_AMF0, body.len()), whole.clone()].concat();
        assert_eq!(ReplyReader::default().feed(&[begun.clone(), anew].concat()), Ok(Some(Reply::Accepted)));
        let after_abort = [begun, abort.to_vec(), vec![0xC3], whole].concat();
        assert_eq!(ReplyReader::default().feed(&after_abort), Ok(Some(Reply::Accepted)));
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
