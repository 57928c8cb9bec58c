//! A file that a step left, on its way into the bundle: a text without its secrets, anything else as it is.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use vvtv_toolkit::redaction::Redactor;

use super::bundle::header;

/// How much of a file is looked at to tell a text from anything else.
const LOOKED_AT: u64 = 8 << 10;

/// The longest line of a text: secrets are looked for line by line.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Adds a file that a step left, unless it is too large or no file; the note says what is not as it was.
pub(super) fn attach<W: Write>(
    archive: &mut tar::Builder<W>,
    path: &Path,
    name: &str,
    left: &mut u64,
    redaction: &Redactor,
) -> io::Result<Option<String>> {
    let opened = open(path).and_then(|mut file| Ok((file.metadata()?, is_text(&mut file)?, file)));
    let (data, is_text, file) = match opened {
        Ok(opened) => opened,
        Err(error) => return Ok(Some(error.to_string())),
    };
    if !data.is_file() || data.len() > *left {
        return Ok(Some(format!("left out, {} bytes", data.len())));
    }
    let (content, bytes) = match is_text {
        false => (file, data.len()),
        true => match without_secrets(file.take(data.len()), redaction) {
            Ok(text) => text,
            Err(error) => return Ok(Some(format!("left out: {error}"))),
        },
    };
    if bytes > *left {
        return Ok(Some(format!("left out, {bytes} bytes")));
    }
    *left -= bytes;
    // A step may still write it, or cut it off: the archive holds as many bytes as its header says.
    let mut content = content.take(bytes);
    let filled = (&mut content).chain(io::repeat(0)).take(bytes);
    archive.append_data(&mut header(bytes), format!("attachments/{name}"), filled)?;
    let missing = content.limit();
    Ok((missing > 0).then(|| format!("it became shorter while it was read, {missing} bytes are zeros")))
}

/// Opens what may be no file at all: no link is followed, and no pipe is waited for.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether it begins as a text does.
fn is_text(file: &mut File) -> io::Result<bool> {
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut beginning = Vec::new();
    file.take(LOOKED_AT).read_to_end(&mut beginning)?;
    file.rewind()?;
    let is_utf8 = match std::str::from_utf8(&beginning) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => error.error_len().is_none(),
    };
    Ok(is_utf8 && !beginning.contains(&0))
}

/// The text without its secrets, and its length: an archive says how long a file is before it comes.
fn without_secrets(text: impl Read, redaction: &Redactor) -> io::Result<(File, u64)> {
    let mut out = BufWriter::new(tempfile::tempfile()?);
    let mut text = BufReader::new(text);
    let (mut lines, mut line) = (redaction.lines(), Vec::new());
    loop {
        line.clear();
        (&mut text).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            break;
        }
        if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
            return Err(io::Error::other(format!(
                "a line of more than {LINE_BYTES_MAX} bytes cannot be searched for secrets"
            )));
        }
        out.write_all(lines.next(&String::from_utf8_lossy(&line)).as_bytes())?;
    }
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    let bytes = file.stream_position()?;
    file.rewind()?;
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::text(
        b"user=ana\nAuthorization: Bearer abcdefgh12345678\n",
        Ok("user=ana\nAuthorization: Bearer REDACTED\n")
    )]
    #[case::own(b"it is own-secret-1", Ok("it is REDACTED"))]
    #[case::binary(b"\0own-secret-1", Ok("\0own-secret-1"))]
    #[case::empty(b"", Ok(""))]
    #[case::one_line(&[b'x'; (1 << 20) + 1], Err("left out: a line of more than 1048576 bytes cannot be searched for secrets"))]
    fn texts_go_out_without_secrets(#[case] content: &[u8], #[case] expected: Result<&str, &str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.txt");
        std::fs::write(&path, content).unwrap();
        let mut archive = tar::Builder::new(Vec::new());
        let mut left = 8 << 20;
        let redaction = Redactor::new(["own-secret-1"]);
        let note = attach(&mut archive, &path, "log.txt", &mut left, &redaction).unwrap();
        let packed = archive.into_inner().unwrap();
        let mut read = tar::Archive::new(packed.as_slice());
        let mut found = read.entries().unwrap().map(|entry| {
            let mut text = String::new();
            entry.unwrap().read_to_string(&mut text).unwrap();
            text
        });
        match expected {
            Ok(text) => assert_eq!((found.next().as_deref(), note), (Some(text), None)),
            Err(why) => assert_eq!((found.next(), note.as_deref()), (None, Some(why))),
        }
    }
}
