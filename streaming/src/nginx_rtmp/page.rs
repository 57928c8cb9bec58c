//! The statistics page as it is understood: of nginx-rtmp and its forks, as XML or JSON, in pieces. Pure, and tolerant, because they
//! differ in what they leave out and in what they escape.

use super::json::Json;
use super::names::is_same_name;
use super::text::Decoder;
use super::xml::Xml;

/// Elements deeper than this are not a statistics page.
const DEPTH_MAX: usize = 32;

/// Streams read from one page.
pub const STREAMS_MAX: usize = 20_000;

/// Bytes of a name that are kept: nginx-rtmp has at most 256, and of what is longer many may come.
const NAME_MAX: usize = 512;

/// The longest text or tag: no more of a page is ever held.
pub(super) const TOKEN_MAX: usize = 64 << 10;

/// Why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// It is none, or ends in the middle.
    #[error("{0}")]
    Malformed(String),
    /// It holds more than one does: [`STREAMS_MAX`], or a text without an end.
    #[error("{0}")]
    TooLarge(String),
}

/// The page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Page {
    /// Worker process that answered; every worker knows only its own publishers.
    pub pid: Option<u64>,
    /// Seconds since that worker started.
    pub uptime_seconds: Option<u64>,
    /// Every stream that is published or played.
    pub streams: Vec<StreamEntry>,
}

impl Page {
    /// The entries of a stream, which several `server` blocks may have: those that are written alike, or else those whose names are the
    /// same ([`is_same_name`]).
    pub fn entries_of<'a>(&'a self, app: &'a str, name: &'a str) -> impl Iterator<Item = &'a StreamEntry> {
        let alike = move |entry: &StreamEntry| entry.app == app && entry.name == name;
        let any_alike = self.streams.iter().any(alike);
        let same = move |entry: &StreamEntry| is_same_name(&entry.app, app) && is_same_name(&entry.name, name);
        self.streams.iter().filter(move |entry| if any_alike { alike(entry) } else { same(entry) })
    }
}

/// A stream of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct StreamEntry {
    /// Which `server` block of the configuration, from 1.
    pub server: u32,
    /// That block's port, where the page tells it (nginx-http-flv-module).
    pub port: Option<u16>,
    /// Application.
    pub app: String,
    /// Name within it.
    pub name: String,
    /// Bytes received from the publisher, where the page tells.
    pub bytes_in: Option<u64>,
    /// It has a publisher; a lone player makes a stream without one.
    pub publishing: bool,
    /// The publisher's client id, where clients are listed.
    pub client_id: Option<u64>,
    /// Bits per second of sound, a mean over some ten seconds.
    pub audio_bits_per_second: Option<u64>,
    /// The same of the picture.
    pub video_bits_per_second: Option<u64>,
}

/// Reads a whole page.
///
/// # Errors
/// As [`PageReader::feed`] and [`PageReader::finish`].
pub fn parse(body: &[u8]) -> Result<Page, PageError> {
    let mut reader = PageReader::default();
    reader.feed(body)?;
    reader.finish()
}

/// Reads a page in pieces, and holds its streams alone, not the page.
#[derive(Debug, Default)]
pub struct PageReader {
    decoder: Decoder,
    /// What came and is not understood yet.
    text: String,
    format: Option<Format>,
    reading: Reading,
}

#[derive(Debug)]
enum Format {
    Xml(Xml),
    Json(Json),
}

impl PageReader {
    /// Takes the next piece.
    ///
    /// # Errors
    /// It is no statistics page, or larger than one.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), PageError> {
        self.decoder.feed(piece, &mut self.text);
        self.read(false)
    }

    /// The page.
    ///
    /// # Errors
    /// It ends in the middle, or is no statistics page.
    pub fn finish(mut self) -> Result<Page, PageError> {
        self.decoder.finish(&mut self.text);
        self.read(true)?;
        if !self.reading.is_page {
            return Err(malformed("not a statistics page: there is neither an <rtmp> nor an <http-flv> element"));
        }
        if !self.reading.path.is_empty() {
            return Err(malformed("the statistics page ends in the middle"));
        }
        Ok(self.reading.page)
    }

    fn read(&mut self, last: bool) -> Result<(), PageError> {
        let format = match &mut self.format {
            Some(format) => format,
            None => {
                let start = self.text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
                let Some(first) = start.chars().next() else { return Ok(()) };
                let skipped = self.text.len() - start.len();
                self.text.drain(..skipped);
                let json = first == '{';
                self.format.insert(if json { Format::Json(Json::default()) } else { Format::Xml(Xml) })
            }
        };
        let read = match format {
            Format::Xml(xml) => xml.read(&self.text, last, &mut self.reading)?,
            Format::Json(json) => json.read(&self.text, last, &mut self.reading)?,
        };
        self.text.drain(..read);
        if self.text.len() > TOKEN_MAX {
            return Err(PageError::TooLarge(format!(
                "one text of the statistics page has more than {TOKEN_MAX} bytes"
            )));
        }
        Ok(())
    }
}

fn name(text: &str) -> &str {
    text.get(..text.floor_char_boundary(NAME_MAX)).unwrap_or(text)
}

pub(super) fn malformed(message: impl Into<String>) -> PageError {
    PageError::Malformed(message.into())
}

/// What an element, or a key of an object, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Root,
    Pid,
    Uptime,
    Server,
    Port,
    Application,
    Name,
    Stream,
    BytesIn,
    AudioRate,
    VideoRate,
    Client,
    Id,
    Publishing,
    Other,
}

impl Tag {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "rtmp" | "http-flv" => Self::Root,
            "pid" => Self::Pid,
            "uptime" => Self::Uptime,
            "server" | "servers" => Self::Server,
            "port" => Self::Port,
            "application" | "applications" => Self::Application,
            "name" => Self::Name,
            "stream" | "streams" => Self::Stream,
            "bytes_in" => Self::BytesIn,
            "bw_audio" => Self::AudioRate,
            "bw_video" => Self::VideoRate,
            "client" | "clients" => Self::Client,
            "id" => Self::Id,
            "publishing" => Self::Publishing,
            _ => Self::Other,
        }
    }
}

/// What is known in the middle of a page.
#[derive(Debug, Default)]
pub(super) struct Reading {
    page: Page,
    is_page: bool,
    path: Vec<Tag>,
    text: String,
    servers: u32,
    port: Option<u16>,
    app: String,
    /// Where the streams of the application that is open begin: its name may come after them.
    unnamed: usize,
    stream: Option<StreamEntry>,
    client: Client,
}

#[derive(Debug, Default)]
struct Client {
    id: Option<u64>,
    publishing: bool,
}

impl Reading {
    /// An element begins.
    pub(super) fn open(&mut self, tag: Tag) -> Result<(), PageError> {
        if self.path.len() >= DEPTH_MAX {
            return Err(malformed("the statistics page is nested too deeply"));
        }
        if self.path.is_empty() {
            if tag != Tag::Root || self.is_page {
                return Err(malformed("not a statistics page: its root is neither <rtmp> nor <http-flv>"));
            }
            self.is_page = true;
        }
        match tag {
            Tag::Server => {
                self.servers += 1;
                self.port = None;
                self.app.clear();
            }
            Tag::Application => {
                self.app.clear();
                self.unnamed = self.page.streams.len();
            }
            Tag::Stream => {
                let (server, port, app) = (self.servers.max(1), self.port, self.app.clone());
                self.stream = Some(StreamEntry { server, port, app, ..StreamEntry::default() });
            }
            Tag::Client => self.client = Client::default(),
            Tag::Root
            | Tag::Pid
            | Tag::Uptime
            | Tag::Port
            | Tag::Name
            | Tag::BytesIn
            | Tag::AudioRate
            | Tag::VideoRate
            | Tag::Id
            | Tag::Publishing
            | Tag::Other => {}
        }
        self.path.push(tag);
        self.text.clear();
        Ok(())
    }

    /// Text of the element that began last.
    pub(super) fn say(&mut self, text: &str) -> Result<(), PageError> {
        if self.text.len() + text.len() > TOKEN_MAX {
            let message = format!("one text of the statistics page has more than {TOKEN_MAX} bytes");
            return Err(PageError::TooLarge(message));
        }
        self.text.push_str(text);
        Ok(())
    }

    /// An element ends. Of those that mean nothing here the name is not compared.
    pub(super) fn close(&mut self, ended: Tag) -> Result<(), PageError> {
        let tag = self.path.pop().ok_or_else(|| malformed("the statistics page ends an element that did not begin"))?;
        if tag != ended {
            return Err(malformed("the statistics page ends another element than the one that began"));
        }
        let parent = self.path.last().copied().unwrap_or(Tag::Other);
        let text = self.text.trim();
        let number = || text.parse::<u64>().ok();
        match (parent, tag, self.stream.as_mut()) {
            (Tag::Root, Tag::Pid, _) => self.page.pid = number(),
            (Tag::Root, Tag::Uptime, _) => self.page.uptime_seconds = number(),
            (Tag::Server, Tag::Port, _) => self.port = text.parse().ok(),
            // Some versions list a server's applications as if they were servers.
            (Tag::Application | Tag::Server, Tag::Name, _) => name(text).clone_into(&mut self.app),
            (Tag::Stream, Tag::Name, Some(stream)) => name(text).clone_into(&mut stream.name),
            (Tag::Stream, Tag::BytesIn, Some(stream)) => stream.bytes_in = number(),
            (Tag::Stream, Tag::AudioRate, Some(stream)) => stream.audio_bits_per_second = number(),
            (Tag::Stream, Tag::VideoRate, Some(stream)) => stream.video_bits_per_second = number(),
            (Tag::Stream, Tag::Publishing, Some(stream)) => stream.publishing = true,
            (Tag::Client, Tag::Id, _) => self.client.id = number(),
            (Tag::Client, Tag::Publishing, _) => self.client.publishing = true,
            (_, Tag::Client, Some(stream)) if self.client.publishing => {
                stream.publishing = true;
                stream.client_id = self.client.id;
            }
            (_, Tag::Stream, Some(_)) => self.finish_stream()?,
            (_, Tag::Application, _) => {
                for stream in self.page.streams.iter_mut().skip(self.unnamed).filter(|stream| stream.app.is_empty()) {
                    stream.app.clone_from(&self.app);
                }
            }
            _ => {}
        }
        self.text.clear();
        Ok(())
    }

    fn finish_stream(&mut self) -> Result<(), PageError> {
        if self.page.streams.len() >= STREAMS_MAX {
            return Err(PageError::TooLarge(format!("more than {STREAMS_MAX} streams on one page")));
        }
        self.page.streams.extend(self.stream.take());
        Ok(())
    }
}
