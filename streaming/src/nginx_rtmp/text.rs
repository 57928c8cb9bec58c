//! Text out of bytes that come in pieces: a page says what encoders and players call themselves, in whatever characters they use.

/// Bytes of a character whose rest is still to come, at most.
const PARTIAL_MAX: usize = 3;

/// Decodes UTF-8. What is none is taken as Latin-1, as older encoders write it.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    partial: Vec<u8>,
}

impl Decoder {
    /// Appends the text of a piece.
    pub(super) fn feed(&mut self, piece: &[u8], text: &mut String) {
        if self.partial.is_empty() {
            self.decode(piece, text);
        } else {
            let mut bytes = std::mem::take(&mut self.partial);
            bytes.extend_from_slice(piece);
            self.decode(&bytes, text);
        }
    }

    /// No more comes.
    pub(super) fn finish(&mut self, text: &mut String) {
        text.extend(std::mem::take(&mut self.partial).into_iter().map(char::from));
    }

    fn decode(&mut self, bytes: &[u8], text: &mut String) {
        let mut rest = bytes.len();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            rest -= chunk.valid().len() + invalid.len();
            let unfinished = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if rest == 0 && unfinished && invalid.len() <= PARTIAL_MAX {
                self.partial = invalid.to_vec();
            } else {
                text.extend(invalid.iter().copied().map(char::from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cut_characters_and_broken_bytes_are_latin_1() {
        let bytes = b"a\xc3\xb6b\xf6c\xe2\x82\xacd\xf0\x9f";
        for at in 0..=bytes.len() {
            let (mut decoder, mut text) = (Decoder::default(), String::new());
            let (first, second) = bytes.split_at(at);
            decoder.feed(first, &mut text);
            decoder.feed(second, &mut text);
            decoder.finish(&mut text);
            assert_eq!(text, "aöböc€d\u{f0}\u{9f}", "cut at {at}");
        }
    }
}
