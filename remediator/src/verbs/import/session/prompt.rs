//! Prompts, and commands that go on over several lines.

/// Whose prompt a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// `$`, `%`, `user@host:~$`.
    User,
    /// `#`, `[root@host ~]#`.
    Root,
    /// `>`.
    Continued,
    /// That of another program: `mysql>`, `>>>`, `postgres=#`.
    Other,
}

/// A line's prompt and what stands behind it.
pub(super) fn prompt(line: &str) -> Option<(Prompt, &str)> {
    let text = line.trim_start();
    for (sign, prompt) in [
        ("$", Prompt::User),
        ("%", Prompt::User),
        ("❯", Prompt::User),
        ("➜", Prompt::User),
        ("#", Prompt::Root),
        (">", Prompt::Continued),
    ] {
        if let Some(rest) = text.strip_prefix(sign).filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            return Some((prompt, rest.trim_start()));
        }
    }
    let (at, sign) = text.match_indices(['$', '#', '%', '>']).next()?;
    let (before, rest) = (text.get(..at)?, text.get(at + 1..)?);
    if !(rest.is_empty() || rest.starts_with(' ')) {
        return text.starts_with(">>> ").then(|| (Prompt::Other, text.get(4..).unwrap_or_default()));
    }
    // `cat > file` is no prompt.
    let apart = before.ends_with(char::is_whitespace);
    let before = before.trim_end();
    let bracketed = before.starts_with('[') && before.ends_with(']') && before.contains('@');
    let spaced = before.contains(char::is_whitespace);
    let at_host = !spaced && before.contains('@') && !before.starts_with('-');
    let versioned = !spaced && (before.starts_with("sh-") || before.starts_with("bash-"));
    if (bracketed || (at_host || versioned) && !apart) && sign != ">" {
        let prompt = if sign == "#" { Prompt::Root } else { Prompt::User };
        return Some((prompt, rest.trim_start()));
    }
    let program =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c));
    let of_program = match sign {
        ">" => (!apart && program(before)) || before.ends_with(']'),
        "#" if !apart => before.strip_suffix('=').is_some_and(program),
        _ => false,
    };
    of_program.then(|| (Prompt::Other, rest.trim_start()))
}

/// What keeps a command from being complete.
#[derive(Debug, Default)]
pub(in crate::verbs::import) struct Pending {
    /// The word that ends a here-document.
    heredoc: Option<String>,
    /// `if`, `do`, `case` and `{` without their ends.
    depth: i32,
    quote: Option<char>,
    joined: bool,
}

impl Pending {
    pub(in crate::verbs::import) const fn continues(&self) -> bool {
        self.heredoc.is_some() || self.depth > 0 || self.quote.is_some() || self.joined
    }

    /// Takes the next line of a command.
    pub(in crate::verbs::import) fn take(&mut self, line: &str) {
        if let Some(end) = &self.heredoc {
            if line.trim() == end {
                self.heredoc = None;
            }
            return;
        }
        let mut escaped = false;
        for c in line.chars() {
            match (std::mem::take(&mut escaped), self.quote, c) {
                (false, None | Some('"'), '\\') => escaped = true,
                (false, Some(open), c) if c == open => self.quote = None,
                (false, None, '\'' | '"') => self.quote = Some(c),
                _ => {}
            }
        }
        let end = line.trim_end();
        self.joined = escaped || end.ends_with('|') || end.ends_with("&&");
        if self.quote.is_none() {
            self.heredoc = heredoc(line);
            for word in line.split([' ', '\t', ';']) {
                match word {
                    "if" | "do" | "case" | "{" => self.depth += 1,
                    "fi" | "done" | "esac" | "}" => self.depth = (self.depth - 1).max(0),
                    _ => {}
                }
            }
        }
    }
}

/// The word that ends the here-document which a line begins.
fn heredoc(line: &str) -> Option<String> {
    let rest = line.split_once("<<")?.1;
    if rest.starts_with('<') {
        return None;
    }
    let word = rest.trim_start_matches('-').trim_start().split([' ', ';', '|', '>', ')']).next()?;
    let word = word.trim_matches(['\'', '"', '\\']);
    (!word.is_empty()).then(|| word.to_owned())
}
