//! The client's side of a conversation, from the first byte to the answer to `connect`. Pure.

use super::reply::Reply;
use super::wire::{ReplyReader, WireError, connect_command};

/// Size of C1, C2, S1 and S2 (§5.2.3, §5.2.4).
const HANDSHAKE: usize = 1536;

/// Bytes of an answer that are read in search of the result.
pub const ANSWER_MAX: usize = 64 << 10;

/// What a client sends first: C0 and C1. Version 3; a C1 of zero time, zero version and any bytes asks for the plain handshake.
pub const OPENING: [u8; 1 + HANDSHAKE] = {
    let mut bytes = [0; 1 + HANDSHAKE];
    let [version, ..] = &mut bytes;
    *version = 3;
    bytes
};

/// What `connect` names (§7.2.1.1).
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// `app`: the application, with its arguments.
    pub app: &'a str,
    /// `tcUrl`: the server's address up to the application.
    pub tc_url: &'a str,
    /// `flashVer`: what the client calls itself.
    pub client: &'a str,
}

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// S0, S1 or S2 are to come.
    Handshake,
    /// The answer to `connect` is to come.
    Connect,
}

/// How a conversation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The handshake is finished, and nothing else was wanted.
    Greeted,
    /// The answer to `connect`.
    Answered(Reply),
}

/// What follows from what came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// To be sent now; mostly nothing.
    pub send: Vec<u8>,
    /// The end, if this is it.
    pub verdict: Option<Verdict>,
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialogueError {
    /// S0 names another version.
    #[error("does not speak RTMP version 3")]
    Version,
    /// The answer is none.
    #[error("does not answer in RTMP: {0}")]
    Wire(#[from] WireError),
    /// [`ANSWER_MAX`] bytes came, and the answer was not among them.
    #[error("sends and sends, but no answer")]
    Endless,
}

/// A conversation. [`OPENING`] is to be sent before anything is fed.
#[derive(Debug)]
pub struct Dialogue {
    state: State,
    /// What is sent with C2; none where the handshake alone is wanted.
    command: Option<Vec<u8>>,
}

#[derive(Debug)]
enum State {
    /// What came of S0 and S1.
    Greeting(Vec<u8>),
    /// So many bytes of S2 are still to come.
    Echo(usize),
    Answer {
        reader: ReplyReader,
        bytes: usize,
    },
}

impl Dialogue {
    /// The handshake, and `connect` where that is wanted.
    #[must_use]
    pub fn new(connect: Option<Connect<'_>>) -> Self {
        Self { state: State::Greeting(Vec::new()), command: connect.map(|connect| connect_command(&connect)) }
    }

    /// How far it has come.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self.state {
            State::Greeting(_) | State::Echo(_) => Stage::Handshake,
            State::Answer { .. } => Stage::Connect,
        }
    }

    /// Takes what the server sent, in whatever pieces it comes.
    ///
    /// # Errors
    /// It is not RTMP, or too much without an answer.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Turn, DialogueError> {
        let mut turn = Turn::default();
        let mut rest = bytes;
        while !rest.is_empty() && turn.verdict.is_none() {
            rest = self.take(rest, &mut turn)?;
        }
        Ok(turn)
    }

    /// Takes what belongs to the present state, and leaves the rest.
    fn take<'a>(&mut self, bytes: &'a [u8], turn: &mut Turn) -> Result<&'a [u8], DialogueError> {
        match &mut self.state {
            State::Greeting(greeting) => {
                let (mine, rest) = bytes.split_at(bytes.len().min(1 + HANDSHAKE - greeting.len()));
                greeting.extend(mine);
                if greeting.first() != Some(&3) {
                    return Err(DialogueError::Version);
                }
                if greeting.len() == 1 + HANDSHAKE {
                    // C2 is the server's S1.
                    turn.send.extend(greeting.iter().skip(1));
                    turn.send.extend(self.command.iter().flatten());
                    self.state = State::Echo(HANDSHAKE);
                }
                Ok(rest)
            }
            State::Echo(missing) => {
                let (mine, rest) = bytes.split_at(bytes.len().min(*missing));
                *missing -= mine.len();
                if *missing == 0 {
                    match self.command {
                        None => turn.verdict = Some(Verdict::Greeted),
                        Some(_) => self.state = State::Answer { reader: ReplyReader::default(), bytes: 0 },
                    }
                }
                Ok(rest)
            }
            State::Answer { reader, bytes: count } => {
                *count += bytes.len();
                turn.verdict = reader.feed(bytes)?.map(Verdict::Answered);
                if turn.verdict.is_none() && *count >= ANSWER_MAX {
                    return Err(DialogueError::Endless);
                }
                Ok(&[])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: Connect<'_> = Connect { app: "live", tc_url: "rtmp://127.0.0.1:1935/live", client: "test" };

    fn server() -> Vec<u8> {
        let s1: Vec<u8> = (0..HANDSHAKE).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let answer = include_bytes!("../../tests/fixtures/rtmp-reply-nginx.bin");
        [&[3], s1.as_slice(), &[7; HANDSHAKE], answer].concat()
    }

    #[test]
    fn a_conversation_goes_its_way_in_whatever_pieces_it_comes() {
        let bytes = server();
        for size in [1, 2, 700, HANDSHAKE, HANDSHAKE + 1, bytes.len()] {
            let mut dialogue = Dialogue::new(Some(CONNECT));
            let (mut sent, mut verdicts) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(size) {
                let turn = dialogue.feed(piece).unwrap();
                sent.extend(turn.send);
                verdicts.extend(turn.verdict);
            }
            let expected = [&bytes[1..=HANDSHAKE], &connect_command(&CONNECT)].concat();
            assert_eq!((sent, verdicts), (expected, vec![Verdict::Answered(Reply::Accepted)]), "in pieces of {size}");
            assert_eq!(dialogue.stage(), Stage::Connect);
        }
    }

    #[test]
    fn a_handshake_alone_ends_with_the_echo() {
        let (bytes, mut dialogue) = (server(), Dialogue::new(None));
        let (greeting, echo) = bytes[..1 + 2 * HANDSHAKE].split_at(1 + HANDSHAKE);
        let turn = dialogue.feed(greeting).unwrap();
        assert_eq!(turn, Turn { send: greeting[1..].to_vec(), verdict: None });
        assert_eq!(dialogue.stage(), Stage::Handshake);
        assert_eq!(dialogue.feed(echo), Ok(Turn { send: Vec::new(), verdict: Some(Verdict::Greeted) }));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        assert_eq!(Dialogue::new(None).feed(b"HTTP/1.1 400 Bad Request"), Err(DialogueError::Version));
        let mut dialogue = Dialogue::new(Some(CONNECT));
        dialogue.feed(&server()[..1 + 2 * HANDSHAKE]).unwrap();
        assert_eq!(dialogue.feed(&[0xC3, 0]), Err(DialogueError::Wire(WireError::Orphan)));
        let mut dialogue = Dialogue::new(Some(CONNECT));
        dialogue.feed(&server()[..1 + 2 * HANDSHAKE]).unwrap();
        // Audio of one byte, again and again.
        let audio = [4, 0, 0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0].repeat(ANSWER_MAX / 13 + 1);
        assert_eq!(dialogue.feed(&audio), Err(DialogueError::Endless));
    }
}
