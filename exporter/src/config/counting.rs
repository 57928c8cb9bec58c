//! Which variants the segment age of a stream is about.

use serde::Deserialize;
use vvtv_toolkit::yaml::{Document, Spanned, YamlError};

use crate::probe::playlist::{Role, VariantView};

/// Which variants count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    roles: Vec<Role>,
    /// Names, in which `*` stands for anything.
    ignored: Vec<String>,
}

impl Default for Counting {
    fn default() -> Self {
        Self { roles: Role::ALL.into_iter().filter(|role| role.is_vital()).collect(), ignored: Vec::new() }
    }
}

impl Counting {
    /// Whether a variant counts by itself.
    fn counts(&self, variant: &VariantView) -> bool {
        self.roles.contains(&variant.role) && !self.ignored.iter().any(|pattern| matches(pattern, &variant.name))
    }

    /// Of a stream's variants, which count: all of them where none does by itself, so that a stream always has an age.
    pub fn of<'a>(&self, variants: &'a [VariantView]) -> impl Iterator<Item = (&'a VariantView, bool)> {
        let none = !variants.iter().any(|variant| self.counts(variant));
        variants.iter().map(move |variant| (variant, none || self.counts(variant)))
    }
}

/// A pattern's pieces between its `*`s stand in the text in their order, the first at its beginning, the last at its end.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = text.find(piece) else { return false };
        text = text.get(at + piece.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

/// A word of `count`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RoleFile {
    Video,
    Audio,
    Subtitles,
    Iframes,
    Standby,
    Redundant,
}

impl From<RoleFile> for Role {
    fn from(file: RoleFile) -> Self {
        match file {
            RoleFile::Video => Self::Video,
            RoleFile::Audio => Self::Audio,
            RoleFile::Subtitles => Self::Subtitles,
            RoleFile::Iframes => Self::IFrames,
            RoleFile::Standby => Self::Standby,
            RoleFile::Redundant => Self::Redundant,
        }
    }
}

pub(super) fn read(
    source: &Document,
    count: Option<&Spanned<Vec<RoleFile>>>,
    ignore: &[Spanned<String>],
) -> Result<Counting, YamlError> {
    let roles = match count {
        None => Counting::default().roles,
        Some(count) if count.value.is_empty() => {
            return Err(source.error(count, "at least one kind of variant has to count"));
        }
        Some(count) => count.value.iter().copied().map(Role::from).collect(),
    };
    if let Some(all) = ignore.iter().find(|pattern| pattern.value.chars().all(|c| c == '*')) {
        return Err(source.error(all, "this would ignore every variant"));
    }
    Ok(Counting { roles, ignored: ignore.iter().map(|pattern| pattern.value.clone()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use crate::probe::playlist::Freshness;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case("v.m3u8", "v.m3u8", true)]
    #[case("v.m3u8", "av.m3u8", false)]
    #[case("backup/*", "backup/v.m3u8", true)]
    #[case("*/v.m3u8", "a/b/v.m3u8", true)]
    #[case("a*b*c", "a1b2c", true)]
    #[case("a*b*c", "acb", false)]
    #[case("a*a", "a", false)]
    fn a_star_stands_for_anything(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(matches(pattern, text), expected);
    }

    #[test]
    fn where_nothing_counts_everything_does() {
        let now = Now { mono: Duration::ZERO, unix_seconds: 0.0 };
        let variant = |name, role| VariantView::new("main", name, role, Freshness::never_seen(now));
        let variants = [variant("v", Role::Video), variant("en", Role::Audio), variant("cc", Role::Subtitles)];
        let counted = |counting: &Counting| counting.of(&variants).map(|(_, counts)| counts).collect::<Vec<_>>();
        let with = |roles: &[Role], ignored: &[&str]| Counting {
            roles: roles.to_vec(),
            ignored: ignored.iter().map(|pattern| (*pattern).to_owned()).collect(),
        };
        assert_eq!(counted(&Counting::default()), [true, true, false]);
        assert_eq!(counted(&with(&[Role::Video, Role::Audio], &["e*"])), [true, false, false]);
        assert_eq!(counted(&with(&[Role::Standby], &[])), [true, true, true]);
    }
}
