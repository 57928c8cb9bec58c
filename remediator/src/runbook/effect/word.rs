//! One word of a command: its text as far as it is known before it runs.

/// A word after quotes were taken off; expansions stand in it as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    text: String,
    kind: Kind,
}

/// What is known of a word's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// All of it.
    Known,
    /// So many bytes of its beginning; the rest is one piece of data, and no option where nothing stands before it.
    Template(usize),
    /// The same for a quoted expansion, which may be anything.
    Quoted(usize),
    /// Expansions or patterns outside quotes: any number of words.
    Split,
}

impl Word {
    /// An element of an argv, possibly with a template in it. What it yields never begins with `-` (see `runbook/argument.rs`).
    pub(crate) fn argument(text: &str) -> Self {
        let kind = crate::runbook::template_start(text).map_or(Kind::Known, Kind::Template);
        Self { text: text.to_owned(), kind }
    }

    /// A word that is known.
    pub(crate) fn fixed(text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: Kind::Known }
    }

    pub(super) fn quoted(text: String, known: usize) -> Self {
        Self { text, kind: Kind::Quoted(known) }
    }

    pub(super) fn several(text: String) -> Self {
        Self { text, kind: Kind::Split }
    }

    /// One word that is a path or a name, never an option: what `find` puts in the place of `{}`.
    pub(super) fn operand(text: &str) -> Self {
        Self { text: text.to_owned(), kind: Kind::Template(0) }
    }

    /// Its text, expansions as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its text, if all of it is known.
    pub(crate) fn known(&self) -> Option<&str> {
        (self.kind == Kind::Known).then_some(&self.text)
    }

    /// The beginning that is known.
    pub(super) fn prefix(&self) -> &str {
        match self.kind {
            Kind::Known => &self.text,
            Kind::Template(known) | Kind::Quoted(known) => self.text.get(..known).unwrap_or_default(),
            Kind::Split => "",
        }
    }

    /// Whether it may turn out to be an option.
    pub(super) fn may_be_option(&self) -> bool {
        match self.kind {
            Kind::Known | Kind::Template(_) => false,
            Kind::Quoted(known) => known == 0,
            Kind::Split => true,
        }
    }

    /// Whether it may turn out to be more than one word, or none.
    pub(super) fn may_split(&self) -> bool {
        self.kind == Kind::Split
    }
}
