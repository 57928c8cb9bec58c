//! A word of shell text without its quotes, and the commands that stand in it.

use brush_parser::ParserOptions;
use brush_parser::word::{ParameterExpr, WordPiece, WordPieceWithSource, parse};

use super::super::Word;
use super::IN_WORD_MAX;

/// The word, and every command substitution in it.
///
/// # Errors
/// It is not taken apart with certainty.
pub(super) fn take_apart(written: &str, options: &ParserOptions) -> Result<(Word, Vec<String>), String> {
    if written.matches(['(', '`', '{']).count() > IN_WORD_MAX {
        return Err(format!("has more than {IN_WORD_MAX} expansions in one word"));
    }
    let unsure = || "is a word that is not taken apart with certainty".to_owned();
    let pieces = parse(written, options).map_err(|_| unsure())?;
    let mut taker = Taker { written, options, text: String::new(), known: None, splits: false, commands: Vec::new() };
    taker.pieces(&pieces, false).ok_or_else(unsure)?;
    let word = match (taker.splits, taker.known) {
        (true, _) => Word::several(taker.text),
        (false, Some(known)) => Word::quoted(taker.text, known),
        (false, None) => Word::fixed(taker.text),
    };
    Ok((word, taker.commands))
}

/// Whether a text in `$((…))` is arithmetic and nothing else: shells may take what is not for a subshell in a substitution.
fn is_a_sum(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let fine = text.chars().all(|c| plain(c) || " $+-*/%()=!?:".contains(c)) && !text.contains("$(");
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let beside =
        words.iter().zip(words.iter().skip(1)).any(|(one, next)| one.ends_with(plain) && next.starts_with(plain));
    fine && !beside
}

struct Taker<'a> {
    written: &'a str,
    options: &'a ParserOptions,
    text: String,
    /// Where the first expansion begins.
    known: Option<usize>,
    splits: bool,
    commands: Vec<String>,
}

impl Taker<'_> {
    fn pieces(&mut self, pieces: &[WordPieceWithSource], quoted: bool) -> Option<()> {
        let mut after_dollar = false;
        for piece in pieces {
            let source = self.written.get(piece.start_index..piece.end_index)?;
            match &piece.piece {
                WordPiece::Text(text) => self.literal(text, quoted, after_dollar)?,
                WordPiece::SingleQuotedText(text) => self.text.push_str(text),
                WordPiece::DoubleQuotedSequence(inner) => self.pieces(inner, true)?,
                WordPiece::EscapeSequence(text) => self.text.extend(text.chars().skip(1).filter(|c| *c != '\n')),
                WordPiece::TildePrefix(_) => self.text.push_str(source),
                WordPiece::CommandSubstitution(text) | WordPiece::BackquotedCommandSubstitution(text) => {
                    self.commands.push(text.clone());
                    self.expansion("$", quoted);
                }
                WordPiece::ArithmeticExpression(sum) => {
                    if !is_a_sum(&sum.value) {
                        return None;
                    }
                    self.expansion(source, true);
                }
                WordPiece::ParameterExpansion(parameter) => {
                    self.parameter(parameter)?;
                    self.expansion(source, quoted);
                }
                // The shell that runs it may not have these quotes.
                WordPiece::AnsiCQuotedText(_) | WordPiece::GettextDoubleQuotedSequence(_) => return None,
            }
            after_dollar = matches!(&piece.piece, WordPiece::Text(text) if text == "$");
        }
        Some(())
    }

    /// Text that stands for itself. What would be something else to a shell was not understood, and is lost in it.
    fn literal(&mut self, text: &str, quoted: bool, after_dollar: bool) -> Option<()> {
        let strange = if quoted {
            text.contains('`')
        } else {
            text.contains(['(', ')', ';', '|', '&', '<', '>', '`', '\n', ' '])
        };
        if strange || (after_dollar && text.starts_with(['(', '{'])) {
            return None;
        }
        let is_pattern = !quoted && text.contains(['*', '?', '[']);
        if is_pattern && self.text.is_empty() && text.starts_with(['*', '?', '[']) && text != "[" && text != "[[" {
            self.splits = true;
        }
        self.text.push_str(text);
        Some(())
    }

    fn expansion(&mut self, written: &str, quoted: bool) {
        self.known.get_or_insert(self.text.len());
        self.splits |= !quoted;
        self.text.push_str(written);
    }

    /// What a parameter's expansion has in it is a word again.
    fn parameter(&mut self, parameter: &ParameterExpr) -> Option<()> {
        let inner = match parameter {
            ParameterExpr::Parameter { .. } | ParameterExpr::ParameterLength { .. } => None,
            ParameterExpr::UseDefaultValues { default_value: word, .. }
            | ParameterExpr::AssignDefaultValues { default_value: word, .. }
            | ParameterExpr::IndicateErrorIfNullOrUnset { error_message: word, .. }
            | ParameterExpr::UseAlternativeValue { alternative_value: word, .. }
            | ParameterExpr::RemoveSmallestSuffixPattern { pattern: word, .. }
            | ParameterExpr::RemoveLargestSuffixPattern { pattern: word, .. }
            | ParameterExpr::RemoveSmallestPrefixPattern { pattern: word, .. }
            | ParameterExpr::RemoveLargestPrefixPattern { pattern: word, .. } => word.as_deref(),
            ParameterExpr::Substring { .. }
            | ParameterExpr::Transform { .. }
            | ParameterExpr::UppercaseFirstChar { .. }
            | ParameterExpr::UppercasePattern { .. }
            | ParameterExpr::LowercaseFirstChar { .. }
            | ParameterExpr::LowercasePattern { .. }
            | ParameterExpr::ReplaceSubstring { .. }
            | ParameterExpr::VariableNames { .. }
            | ParameterExpr::MemberKeys { .. } => return None,
        };
        let Some(inner) = inner else { return Some(()) };
        if inner.contains(['(', '`', '$']) {
            let (_, commands) = take_apart(inner, self.options).ok()?;
            self.commands.extend(commands);
        }
        Some(())
    }
}
