//! Parsing the statistics page: pure, and tolerant, because Debian's module and its forks differ in what they leave out.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::health::{Failure, ProbeError};

/// Elements deeper than this are not a statistics page.
const DEPTH_MAX: usize = 32;

/// Streams read from one page.
const STREAMS_MAX: usize = 20_000;

/// The page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Worker process that answered; every worker knows only its own publishers.
    pub pid: Option<u64>,
    /// Seconds since that worker started.
    pub uptime_seconds: Option<u64>,
    /// Every stream that is published or played.
    pub streams: Vec<StreamEntry>,
}

/// A `<stream>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEntry {
    /// Application.
    pub app: String,
    /// Name within it.
    pub name: String,
    /// Bytes received from the publisher.
    pub bytes_in: u64,
    /// It has a publisher; a lone player makes a stream without one.
    pub publishing: bool,
    /// The publisher's client id, where clients are listed.
    pub client_id: Option<u64>,
}

/// Reads a page.
///
/// # Errors
/// It is not XML, or not an `<rtmp>` page.
pub fn parse(body: &[u8]) -> Result<Page, ProbeError> {
    let malformed = |message: String| ProbeError::new(Failure::Malformed, message);
    let text = std::str::from_utf8(body).map_err(|error| malformed(format!("statistics page: {error}")))?;
    let mut reader = Reader::from_str(text);
    let mut reading = Reading::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => reading.open(start.local_name().as_ref())?,
            Ok(Event::Empty(start)) => {
                reading.open(start.local_name().as_ref())?;
                reading.close()?;
            }
            Ok(Event::End(_)) => reading.close()?,
            Ok(Event::Text(text)) => reading.text.push_str(&text.xml10_content()),
            Ok(Event::CData(text)) => reading.text.push_str(&text.into_inner()),
            Ok(Event::GeneralRef(reference)) => {
                let name = format!("&{};", reference.into_inner());
                let plain = quick_xml::escape::unescape(&name).map(std::borrow::Cow::into_owned);
                reading.text.push_str(&plain.unwrap_or_default());
            }
            Ok(Event::Eof) => break,
            Ok(Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_)) => {}
            Err(error) => return Err(malformed(format!("statistics page: {error}"))),
        }
    }
    if !reading.is_rtmp {
        return Err(malformed("not a statistics page: there is no <rtmp> element".to_owned()));
    }
    if !reading.path.is_empty() {
        return Err(malformed("the statistics page ends in the middle".to_owned()));
    }
    Ok(reading.page)
}

#[derive(Default)]
struct Reading {
    page: Page,
    is_rtmp: bool,
    path: Vec<String>,
    text: String,
    app: String,
    stream: Option<StreamEntry>,
    client: Client,
}

#[derive(Default)]
struct Client {
    id: Option<u64>,
    publishing: bool,
}

impl Reading {
    fn open(&mut self, name: &str) -> Result<(), ProbeError> {
        if self.path.len() >= DEPTH_MAX {
            return Err(ProbeError::new(Failure::Malformed, "the statistics page is nested too deeply"));
        }
        if self.path.is_empty() && name == "rtmp" {
            self.is_rtmp = true;
        }
        match name {
            "application" => self.app.clear(),
            "stream" => self.stream = Some(StreamEntry { app: self.app.clone(), ..StreamEntry::default() }),
            "client" => self.client = Client::default(),
            _ => {}
        }
        self.path.push(name.to_owned());
        self.text.clear();
        Ok(())
    }

    fn close(&mut self) -> Result<(), ProbeError> {
        let Some(name) = self.path.pop() else { return Ok(()) };
        let parent = self.path.last().map_or("", String::as_str);
        let text = self.text.trim();
        let number = || text.parse::<u64>().ok();
        match (parent, name.as_str(), self.stream.as_mut()) {
            ("rtmp", "pid", _) => self.page.pid = number(),
            ("rtmp", "uptime", _) => self.page.uptime_seconds = number(),
            ("application", "name", _) => text.clone_into(&mut self.app),
            ("stream", "name", Some(stream)) => text.clone_into(&mut stream.name),
            ("stream", "bytes_in", Some(stream)) => stream.bytes_in = number().unwrap_or(0),
            ("stream", "publishing", Some(stream)) => stream.publishing = true,
            ("client", "id", _) => self.client.id = number(),
            ("client", "publishing", _) => self.client.publishing = true,
            (_, "client", Some(stream)) if self.client.publishing => {
                stream.publishing = true;
                stream.client_id = self.client.id;
            }
            (_, "stream", Some(_)) => self.finish_stream()?,
            _ => {}
        }
        self.text.clear();
        Ok(())
    }

    fn finish_stream(&mut self) -> Result<(), ProbeError> {
        if self.page.streams.len() >= STREAMS_MAX {
            return Err(ProbeError::new(Failure::TooLarge, format!("more than {STREAMS_MAX} streams on one page")));
        }
        self.page.streams.extend(self.stream.take());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn main(bytes_in: u64, client_id: Option<u64>) -> Vec<StreamEntry> {
        let (app, name) = ("live".to_owned(), "main".to_owned());
        vec![StreamEntry { app, name, bytes_in, publishing: true, client_id }]
    }

    #[rstest]
    #[case::never(include_str!("../../../tests/fixtures/nginx-stat-never-published.xml"), 9628, 2, vec![])]
    #[case::publishing(include_str!("../../../tests/fixtures/nginx-stat-publishing.xml"), 9628, 192, main(21_330_681, Some(2)))]
    #[case::player(include_str!("../../../tests/fixtures/nginx-stat-publishing-with-player.xml"), 9628, 194, main(21_616_695, Some(2)))]
    #[case::killed(include_str!("../../../tests/fixtures/nginx-stat-after-kill9-300ms.xml"), 9628, 247, vec![])]
    #[case::killed_longer(include_str!("../../../tests/fixtures/nginx-stat-after-kill9-12s.xml"), 9628, 259, vec![])]
    #[case::frozen(include_str!("../../../tests/fixtures/nginx-stat-publisher-sigstop-15s.xml"), 9628, 306, main(2_211_274, Some(128)))]
    #[case::disk_full(include_str!("../../../tests/fixtures/nginx-stat-disk-full.xml"), 12312, 124, main(14_755_096, Some(1)))]
    fn recorded_pages(#[case] body: &str, #[case] pid: u64, #[case] uptime: u64, #[case] streams: Vec<StreamEntry>) {
        assert_eq!(parse(body.as_bytes()), Ok(Page { pid: Some(pid), uptime_seconds: Some(uptime), streams }));
    }

    #[test]
    fn another_application_may_have_a_stream_of_the_same_name() {
        let body = include_bytes!("../../../tests/fixtures/nginx-stat-frozen-plus-second-publisher.xml");
        let found: Vec<_> = parse(body).unwrap().streams.into_iter().map(|entry| (entry.app, entry.name)).collect();
        assert_eq!(found, [("cont".to_owned(), "main".to_owned())]);
    }

    #[test]
    fn a_lone_player_is_no_publisher() {
        let body = "<rtmp><server><application><name>live</name><live><stream><name>main</name><bytes_in>0</bytes_in>\
            <client><id>7</id><active/></client><nclients>1</nclients><active/></stream></live></application></server></rtmp>";
        let entry = StreamEntry { app: "live".to_owned(), name: "main".to_owned(), ..StreamEntry::default() };
        assert_eq!(parse(body.as_bytes()).unwrap().streams, [entry]);
    }

    #[test]
    fn forks_that_leave_things_out_or_write_them_otherwise_are_read() {
        let body = "<?xml version=\"1.0\"?>\n<?xml-stylesheet type=\"text/xsl\" href=\"stat.xsl\"?><rtmp><!-- fork -->\
            <server><application><name>a</name></application></server>\
            <server><application><name><![CDATA[live]]></name><live><stream><name>a&amp;b</name><bytes_in></bytes_in>\
            <bw_data>1</bw_data><meta><name>wrong</name></meta><publishing></publishing></stream></live></application></server></rtmp>";
        let (app, name) = ("live".to_owned(), "a&b".to_owned());
        let entry = StreamEntry { app, name, bytes_in: 0, publishing: true, client_id: None };
        assert_eq!(parse(body.as_bytes()), Ok(Page { pid: None, uptime_seconds: None, streams: vec![entry] }));
    }

    #[rstest]
    #[case(include_bytes!("../../../tests/fixtures/nginx-stat-worker-hung.txt").as_slice())]
    #[case(b"<html><body><h1>404</h1></body></html>".as_slice())]
    #[case(b"<rtmp><server>".as_slice())]
    #[case(b"<rtmp></server></rtmp>".as_slice())]
    #[case(b"".as_slice())]
    #[case(b"\xff".as_slice())]
    fn what_is_no_page_is_refused(#[case] body: &[u8]) {
        assert_eq!(parse(body).map_err(|error| error.reason), Err(Failure::Malformed));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer_not_a_panic(text in "(<rtmp>)?(</?(stream|client|name|id|bytes_in|publishing)/?>|[0-9a-z&;]{0,5}){0,40}(</rtmp>)?") {
            let _ = parse(text.as_bytes());
        }
    }
}
