//! The page as XML. A piece is understood as far as its last whole tag; what is cut waits for the rest.

use quick_xml::errors::{Error, SyntaxError};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::page::{PageError, Reading, Tag, malformed};

/// Reads XML.
#[derive(Debug)]
pub(super) struct Xml;

impl Xml {
    /// Understands a text as far as it goes; tells how many bytes that were.
    pub(super) fn read(&self, text: &str, last: bool, reading: &mut Reading) -> Result<usize, PageError> {
        let whole = if last { text.len() } else { text.rfind('>').map_or(0, |at| at + 1) };
        let text = text.get(..whole).unwrap_or_default();
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        // The elements that matter are compared by `Reading`, which knows them over the pieces.
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        loop {
            let understood = usize::try_from(reader.buffer_position()).unwrap_or(whole);
            match reader.read_event() {
                Ok(Event::Eof) => return Ok(whole),
                Ok(event) => take(event, reading)?,
                Err(Error::Syntax(error)) if !last && is_cut(error) => return Ok(understood),
                Err(error) => return Err(malformed(format!("statistics page: {error}"))),
            }
        }
    }
}

/// Whether the rest may mend it.
const fn is_cut(error: SyntaxError) -> bool {
    !matches!(error, SyntaxError::InvalidBangMarkup)
}

fn take(event: Event<'_>, reading: &mut Reading) -> Result<(), PageError> {
    match event {
        Event::Start(start) => reading.open(Tag::of(start.local_name().as_ref())),
        Event::Empty(start) => {
            let tag = Tag::of(start.local_name().as_ref());
            reading.open(tag)?;
            reading.close(tag)
        }
        Event::End(end) => reading.close(Tag::of(end.local_name().as_ref())),
        Event::Text(text) => reading.say(&text.xml10_content()),
        Event::CData(text) => reading.say(&text.into_inner()),
        Event::GeneralRef(reference) => {
            let name = format!("&{};", reference.into_inner());
            // An entity that nobody knows, or a character that XML has not, says nothing.
            reading.say(&quick_xml::escape::unescape(&name).unwrap_or_default())
        }
        Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) | Event::Eof => Ok(()),
    }
}
