//! Content codings (RFC 9110 §8.4.1), undone whatever was asked for: object stores and some packagers send them unasked. Pure.
//!
//! A compressed body that comes without its header is left as it is, as browsers leave it.

use std::io::{BufRead, BufReader, Read};

use brotli_decompressor::Decompressor;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use hyper::header::{self, HeaderMap};

use super::room::{Buffer, SMALL};

/// Codings of one body; more are no playlist.
const STACKED_MAX: usize = 4;

/// What the decoders read at once.
const PIECE: usize = 8 << 10;

/// A coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodingError {
    /// One that is not known, or too many.
    #[error("content coding `{0}` is not understood")]
    Unknown(String),
    /// More bytes than allowed.
    #[error("more than {0} bytes when unpacked")]
    TooLarge(usize),
    /// Not what the coding says.
    #[error("content coding: {0}")]
    Broken(#[from] std::io::Error),
}

/// The codings of a body in the order in which they were applied.
pub(super) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, CodingError> {
    let mut found = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in String::from_utf8_lossy(value.as_bytes()).split(',') {
            let coding = match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => Coding::Gzip,
                "deflate" => Coding::Deflate,
                "br" => Coding::Brotli,
                // `utf-8` stands there where people mistake it for the character set.
                "" | "identity" | "none" | "utf-8" | "utf8" => continue,
                other => return Err(CodingError::Unknown(other.chars().take(40).collect())),
            };
            if found.len() >= STACKED_MAX {
                return Err(CodingError::Unknown(format!("more than {STACKED_MAX} of them")));
            }
            found.push(coding);
        }
    }
    Ok(found)
}

/// Undoes codings; `max` bounds what comes out.
pub(super) fn decode(body: &[u8], codings: &[Coding], max: usize, mut out: Buffer) -> Result<Buffer, CodingError> {
    let mut reader: Box<dyn BufRead + '_> = Box::new(body);
    for coding in codings.iter().rev() {
        let decoder: Box<dyn Read + '_> = match coding {
            Coding::Gzip => Box::new(MultiGzDecoder::new(reader)),
            // RFC 9110 §8.4.1.2: some send it without the zlib format around.
            Coding::Deflate if is_zlib(reader.fill_buf()?) => Box::new(ZlibDecoder::new(reader)),
            Coding::Deflate => Box::new(DeflateDecoder::new(reader)),
            Coding::Brotli => Box::new(Decompressor::new(reader, PIECE)),
        };
        reader = Box::new(BufReader::with_capacity(PIECE, decoder));
    }
    loop {
        let piece = reader.fill_buf()?;
        let length = piece.len();
        if length == 0 {
            return Ok(out);
        }
        let read = out.bytes().len() + length;
        if read > max {
            return Err(CodingError::TooLarge(max));
        }
        if read > SMALL {
            out.grow(max);
        }
        out.extend(piece);
        reader.consume(length);
    }
}

/// RFC 1950 §2.2
fn is_zlib(start: &[u8]) -> bool {
    match start {
        [method, flags, ..] => method & 0x0F == 8 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::room::Room;
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use rstest::rstest;
    use std::io::Write as _;

    const TEXT: &[u8] = b"#EXTM3U\n#EXTM3U\n#EXTM3U\n#EXTM3U\n";

    /// `TEXT`, by another implementation.
    const BROTLI: &[u8] = &[
        0x1B, 0x1F, 0x00, 0xF8, 0x8D, 0x94, 0xAB, 0x93, 0x6B, 0x3D, 0x52, 0x54, 0x85, 0xA5, 0x15, 0x66, 0x9A, 0xA8,
        0x04, 0x3F, 0xE1, 0x00, 0xE1, 0x67, 0x00,
    ];

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(names: &[&'static str], body: &[u8]) -> Result<Vec<u8>, String> {
        let headers = names.iter().map(|name| (header::CONTENT_ENCODING, header::HeaderValue::from_static(name)));
        let mut all = HeaderMap::new();
        headers.for_each(|(name, value)| {
            all.append(name, value);
        });
        let read = codings(&all).and_then(|codings| decode(body, &codings, 1000, Room::default().buffer()));
        read.map(|read| read.bytes().clone()).map_err(|error| error.to_string())
    }

    #[rstest]
    #[case(&[], TEXT.to_vec())]
    #[case(&["identity"], TEXT.to_vec())]
    #[case(&["UTF-8"], TEXT.to_vec())]
    #[case(&["gzip"], gzip(TEXT))]
    #[case(&["X-GZip"], gzip(TEXT))]
    #[case(&["gzip"], [gzip(&TEXT[..8]), gzip(&TEXT[8..])].concat())]
    #[case(&["deflate"], zlib(TEXT))]
    #[case(&["deflate"], raw(TEXT))]
    #[case(&["br"], BROTLI.to_vec())]
    #[case(&["deflate, gzip"], gzip(&zlib(TEXT)))]
    #[case(&["deflate", "gzip"], gzip(&raw(TEXT)))]
    #[case(&["br, identity", "gzip"], gzip(BROTLI))]
    fn what_was_applied_is_undone(#[case] names: &[&'static str], #[case] body: Vec<u8>) {
        assert_eq!(read(names, &body), Ok(TEXT.to_vec()));
    }

    #[rstest]
    #[case(&["zstd"], TEXT.to_vec(), "content coding `zstd` is not understood")]
    #[case(&["gzip, gzip, gzip, gzip, gzip"], TEXT.to_vec(), "content coding `more than 4 of them` is not understood")]
    #[case(&["gzip"], gzip(&[b'\n'; 1001]), "more than 1000 bytes when unpacked")]
    #[case(&["gzip", "gzip"], gzip(&gzip(&[b'\n'; 100_000])), "more than 1000 bytes when unpacked")]
    fn what_cannot_be_undone_is_told(#[case] names: &[&'static str], #[case] body: Vec<u8>, #[case] expected: &str) {
        assert_eq!(read(names, &body), Err(expected.to_owned()));
    }

    #[rstest]
    #[case(&["gzip"], TEXT.to_vec())]
    #[case(&["gzip"], gzip(TEXT)[..20].to_vec())]
    #[case(&["br"], BROTLI[..10].to_vec())]
    fn what_is_broken_or_torn_is_an_error(#[case] names: &[&'static str], #[case] body: Vec<u8>) {
        assert!(read(names, &body).unwrap_err().starts_with("content coding: "));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_bounded(body in proptest::collection::vec(0_u8..=255, 0..2000), coding in 0..3_usize) {
            let coding = [Coding::Gzip, Coding::Deflate, Coding::Brotli][coding];
            if let Ok(out) = decode(&body, &[coding], 4096, Room::default().buffer()) {
                let out = out.bytes();
                assert!(out.len() <= 4096);
            }
        }
    }
}
