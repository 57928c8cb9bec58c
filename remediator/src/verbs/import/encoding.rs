//! The page's bytes as text: UTF-8 or UTF-16, with the line ends and the NULs that CommonMark wants.

use super::ImportError;

/// The text of a page. A byte order mark decides; without one it is UTF-8. Line ends become `\n`, NUL becomes U+FFFD (CommonMark 0.31,
/// 2.3 "Insecure characters").
///
/// # Errors
/// It is neither; the error has the line and the byte.
pub(super) fn text(bytes: &[u8]) -> Result<String, ImportError> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest)?,
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(ImportError::Utf32),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        all => utf8(all)?,
    };
    Ok(text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}"))
}

fn utf8(bytes: &[u8]) -> Result<String, ImportError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        ImportError::NoText { line: line_after(before), byte }
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ImportError> {
    let mut text = String::new();
    let (pairs, rest) = bytes.as_chunks::<2>();
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match c {
            Ok(c) => text.push(c),
            Err(_) => return Err(ImportError::Utf16 { line: line_after(text.as_bytes()) }),
        }
    }
    if rest.is_empty() { Ok(text) } else { Err(ImportError::Utf16 { line: line_after(text.as_bytes()) }) }
}

fn line_after(before: &[u8]) -> usize {
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_decides_and_what_is_no_text_has_its_place() {
        assert_eq!(text(b"\xef\xbb\xbfa\r\nb\rc\0").as_deref(), Ok("a\nb\nc\u{fffd}"));
        assert_eq!(text(b"\xff\xfea\0\r\0\n\0").as_deref(), Ok("a\n"));
        assert_eq!(text(b"\xfe\xff\0a").as_deref(), Ok("a"));
        assert_eq!(text(b"a\nPr\xfcfung"), Err(ImportError::NoText { line: 2, byte: 0xfc }));
        assert_eq!(text(b"\xff\xfea\0\n\0\0\xd8"), Err(ImportError::Utf16 { line: 2 }));
        assert_eq!(text(b"\xff\xfea"), Err(ImportError::Utf16 { line: 1 }));
        assert_eq!(text(b"\xff\xfe\0\0a\0\0\0"), Err(ImportError::Utf32));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_text_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = text(&bytes);
        }
    }
}
