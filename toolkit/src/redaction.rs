//! Takes secrets out of texts before they are shown, stored or sent: the one place that knows what a secret looks like.
//!
//! A secret is told by its name (`password: …`, `?token=…`, `X-Api-Key: …`, `--passphrase …`), by its shape (tokens of known services,
//! PEM blocks, password hashes), by its place (userinfo of an address, the stream key in a publishing address), or because it is one of
//! the program's own ([`Redactor::new`]). Where in doubt it goes: a hidden word costs a look into the file, a shown key costs the stream.
//!
//! Invariants: pure; linear in the text (no backtracking, bounded look-back); what was redacted once stays as it is.

mod addresses;
mod blocks;
mod commands;
mod known;
mod names;
mod pairs;
mod pattern;
mod shapes;
mod spans;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use blocks::Block;
use known::Known;
use spans::Spans;

/// What stands in a secret's place: a plain word, so that addresses, YAML, JSON and command lines stay readable.
pub const MARK: &str = "REDACTED";

/// A redacted text is at most so many times as long as it was: each hidden character may become a whole [`MARK`].
pub const GROWTH_MAX: usize = MARK.len();

/// Own secrets of fewer bytes are not looked for: they stand in ordinary texts by chance.
pub const OWN_BYTES_MIN: usize = 8;

/// What a replacement uncovers (a shape made of a secret's neighbours) is looked for so often.
const ROUNDS_MAX: usize = 8;

/// Knows what secrets look like, and the program's own ones by value. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<Known>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("own_secrets", &self.known.len()).finish()
    }
}

impl Redactor {
    /// A redactor that also hides these values wherever they stand, as they are and percent-encoded. Values of fewer than
    /// [`OWN_BYTES_MIN`] bytes are left out; of a value with several lines, each line is a secret.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut known = Known::default();
        secrets.into_iter().for_each(|secret| known.add(secret.as_ref()));
        Self { known: Arc::new(known) }
    }

    /// Hides a publishing address's key too: everywhere if it is long enough, and behind its application however short it is.
    #[must_use]
    pub fn with_stream_key(mut self, application: &str, key: &str) -> Self {
        Arc::make_mut(&mut self.known).add_behind(&format!("{application}/"), key);
        self
    }

    /// The text without secrets. Lines stay lines.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut lines = self.lines();
        let mut clean: Option<String> = None;
        let mut begin = 0;
        for line in text.split_inclusive('\n') {
            match (lines.next(line), &mut clean) {
                (Cow::Borrowed(_), None) => {}
                (Cow::Borrowed(same), Some(clean)) => clean.push_str(same),
                (Cow::Owned(other), Some(clean)) => clean.push_str(&other),
                (Cow::Owned(other), None) => {
                    clean = Some(text.get(..begin).unwrap_or_default().to_owned() + &other);
                }
            }
            begin += line.len();
        }
        clean.map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// For texts that come or go line by line.
    #[must_use]
    pub fn lines(&self) -> Lines {
        Lines { redactor: self.clone(), block: Block::default() }
    }

    /// An address as messages show it: also without the values of its query, which may be signatures under any name, and
    /// without its fragment.
    #[must_use]
    pub fn address(&self, text: &str) -> String {
        self.text(&addresses::without_values(text)).into_owned()
    }

    /// A command line as messages show it: arguments with blanks are quoted.
    #[must_use]
    pub fn arguments<S: AsRef<str>>(&self, argv: &[S]) -> String {
        let shown = commands::quoted(argv);
        self.text(&shown).into_owned()
    }

    /// What a single line hides.
    fn spans(&self, line: &str, block: &mut Block) -> Spans {
        let mut spans = Spans::default();
        block.begin(line, &mut spans);
        self.rules(line, block, &mut spans);
        block.end(line);
        spans
    }

    fn rules(&self, line: &str, block: &mut Block, spans: &mut Spans) {
        self.known.find(line, spans);
        pairs::find(line, &mut block.named, spans);
        addresses::find(line, spans);
        commands::find(line, spans);
        shapes::find(line, spans);
        if !block.is_public() {
            shapes::find_orphans(line, spans);
        }
    }
}

/// Redacts line by line and remembers what spans lines: PEM blocks, block scalars of YAML, a flag whose value is on the next line.
#[derive(Clone, Debug)]
pub struct Lines {
    redactor: Redactor,
    block: Block,
}

impl Lines {
    /// The next line, with or without its end, without its secrets.
    pub fn next<'a>(&mut self, line: &'a str) -> Cow<'a, str> {
        // A value whose quote is not closed ends with its line at the latest, not with the next one's beginning.
        let (content, end) = without_end(line);
        let before = self.block.clone();
        let spans = self.redactor.spans(content, &mut self.block);
        if spans.is_empty() {
            return Cow::Borrowed(line);
        }
        let mut clean = spans.replaced(content);
        for _ in 0..ROUNDS_MAX {
            let mut again = Spans::default();
            self.redactor.rules(&clean, &mut before.clone(), &mut again);
            let cleaner = again.replaced(&clean);
            if cleaner == clean {
                break;
            }
            clean = cleaner;
        }
        Cow::Owned(clean + end)
    }

    /// The next line with each character of a secret as `*`: columns stay where they are. Also gives what was hidden.
    pub fn next_aligned<'a>(&mut self, line: &'a str) -> (String, Vec<&'a str>) {
        let (content, end) = without_end(line);
        let spans = self.redactor.spans(content, &mut self.block);
        (spans.covered(content) + end, spans.hidden(content))
    }
}

/// A line, and how it ends.
fn without_end(line: &str) -> (&str, &str) {
    let content = line.strip_suffix('\n').unwrap_or(line);
    line.split_at(content.strip_suffix('\r').unwrap_or(content).len())
}

/// The text without secrets, for programs and places that have none of their own.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    Redactor::default().text(text)
}
