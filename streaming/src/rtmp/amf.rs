//! Reading AMF 0 (Action Message Format, Adobe 2007): the strings and numbers of a command. Pure.

/// Objects inside objects.
const DEPTH_MAX: usize = 8;

/// Values of one command; more say nothing to a probe.
const VALUES_MAX: usize = 256;

/// A value, as far as an answer to `connect` has any use for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    /// Objects, typed objects and associative arrays.
    Object(Vec<(String, Self)>),
    /// Null, booleans, dates, lists.
    Other,
}

impl Value {
    /// A property of an object.
    pub(super) fn property(&self, wanted: &str) -> Option<&Self> {
        let Self::Object(properties) = self else { return None };
        properties.iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Numbers that some servers write as texts.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Object(_) | Self::Other => None,
        }
    }
}

/// The values of a command, up to the first that cannot be read.
pub(super) fn values(body: &[u8]) -> Vec<Value> {
    let mut reader = Reader { rest: body, left: VALUES_MAX };
    std::iter::from_fn(|| reader.value(0)).collect()
}

struct Reader<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn short(&mut self) -> Option<usize> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes).map(usize::from)
    }

    fn long(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.take(4)?.try_into().ok()?)).ok()
    }

    fn text(&mut self, length: usize) -> Option<String> {
        self.take(length).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// §2.2 to §2.18
    fn value(&mut self, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > DEPTH_MAX {
            return None;
        }
        match self.byte()? {
            0x00 => Some(Value::Number(f64::from_be_bytes(self.take(8)?.try_into().ok()?))),
            0x01 => self.take(1).map(|_| Value::Other),
            0x02 => {
                let length = self.short()?;
                self.text(length).map(Value::Text)
            }
            0x03 => self.object(depth),
            0x05 | 0x06 | 0x0D => Some(Value::Other),
            0x07 => self.take(2).map(|_| Value::Other),
            0x08 => {
                self.take(4)?;
                self.object(depth)
            }
            0x0A => {
                for _ in 0..self.long()? {
                    self.value(depth + 1)?;
                }
                Some(Value::Other)
            }
            0x0B => self.take(10).map(|_| Value::Other),
            0x0C | 0x0F => {
                let length = self.long()?;
                self.text(length).map(Value::Text)
            }
            0x10 => {
                let length = self.short()?;
                self.take(length)?;
                self.object(depth)
            }
            // What follows is AMF 3.
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        let mut properties = Vec::new();
        loop {
            let length = self.short()?;
            let name = self.text(length)?;
            if name.is_empty() && self.rest.first() == Some(&0x09) {
                self.take(1)?;
                return Some(Value::Object(properties));
            }
            properties.push((name, self.value(depth + 1)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_read_or_passed_over() {
        let mut bytes = vec![0x02, 0, 1, b'a', 0x00];
        bytes.extend(1.5_f64.to_be_bytes());
        bytes.extend([0x05, 0x06, 0x01, 1, 0x07, 0, 1]);
        bytes.extend([0x0A, 0, 0, 0, 2, 0x05, 0x01, 0]);
        bytes.extend([0x0B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0x0C, 0, 0, 0, 2, b'h', b'i']);
        // An array with one property, which is a typed object with one.
        bytes.extend([0x08, 0, 0, 0, 1, 0, 2, b'e', b'x', 0x10, 0, 1, b'T', 0, 1, b'c', 0x02, 0, 3, b'3', b'0', b'2']);
        bytes.extend([0, 0, 9, 0, 0, 9]);
        bytes.extend([0x11, 0x0A]);
        let found = values(&bytes);
        let text = |text: &str| Value::Text(text.to_owned());
        let inner = Value::Object(vec![("c".to_owned(), text("302"))]);
        let other = || Value::Other;
        let array = Value::Object(vec![("ex".to_owned(), inner)]);
        let before = [text("a"), Value::Number(1.5), other(), other(), other(), other(), other(), other(), text("hi")];
        assert_eq!(found, [before.as_slice(), &[array]].concat());
        let code = found.last().and_then(|array| array.property("ex")?.property("c")?.number());
        assert_eq!(code, Some(302.0));
    }

    #[test]
    fn what_nests_without_end_is_not_followed() {
        let nested = [0x03, 0, 1, b'a'].repeat(10_000);
        assert_eq!(values(&nested), []);
        let arrays = [0x0A, 0xFF, 0xFF, 0xFF, 0xFF].repeat(10_000);
        assert_eq!(values(&arrays), []);
        assert_eq!(values(&[0x05; 10_000]).len(), VALUES_MAX);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_values_not_a_panic(bytes in proptest::collection::vec(0_u8..=255, 0..500)) {
            let _ = values(&bytes);
        }
    }
}
