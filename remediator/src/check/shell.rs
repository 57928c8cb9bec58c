//! Shell text taken apart into its commands, well enough to look at their names and options. It is never run from this.

/// The commands of a shell text, each as its words; quotes are taken off, expansions left as they are.
pub(super) fn commands(text: &str) -> Vec<Vec<String>> {
    let mut splitter = Splitter::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        splitter.take(c, &mut chars);
    }
    splitter.end_command();
    splitter.commands.into_iter().map(without_prefix).filter(|words| !words.is_empty()).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Code,
    Single,
    Double,
}

#[derive(Default)]
struct Splitter {
    commands: Vec<Vec<String>>,
    words: Vec<String>,
    word: Option<String>,
    /// What the present text stands in; a command substitution opens a new level of code.
    stack: Vec<Inside>,
}

impl Splitter {
    fn take(&mut self, c: char, rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
        let inside = self.stack.last().copied().unwrap_or(Inside::Code);
        match (inside, c) {
            (Inside::Single, '\'') | (Inside::Double, '"') => _ = self.stack.pop(),
            (Inside::Single, c) => self.push(c),
            (Inside::Code | Inside::Double, '\\') => {
                if let Some(escaped) = rest.next().filter(|next| *next != '\n') {
                    self.push(escaped);
                }
            }
            (Inside::Code | Inside::Double, '$') if rest.peek() == Some(&'(') => {
                rest.next();
                self.push('$');
                self.end_command();
                self.stack.push(Inside::Code);
            }
            (Inside::Double, c) => self.push(c),
            (Inside::Code, '\'') => self.open(Inside::Single),
            (Inside::Code, '"') => self.open(Inside::Double),
            (Inside::Code, '#') if self.word.is_none() => while rest.next_if(|next| *next != '\n').is_some() {},
            (Inside::Code, ')') => {
                self.end_command();
                self.stack.pop();
            }
            (Inside::Code, ';' | '|' | '&' | '\n' | '(' | '`') => self.end_command(),
            (Inside::Code, c) if c.is_whitespace() => self.end_word(),
            (Inside::Code, c) => self.push(c),
        }
    }

    fn open(&mut self, inside: Inside) {
        self.word.get_or_insert_default();
        self.stack.push(inside);
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn end_command(&mut self) {
        self.end_word();
        self.commands.push(std::mem::take(&mut self.words));
    }
}

/// Drops what stands before a command's name: assignments, redirections, and the words that begin a compound command.
fn without_prefix(words: Vec<String>) -> Vec<String> {
    const KEYWORDS: [&str; 9] = ["if", "then", "else", "elif", "do", "!", "{", "time", "exec"];
    let is_assignment = |word: &str| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    words.into_iter().skip_while(|word| KEYWORDS.contains(&word.as_str()) || is_assignment(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("ps aux | grep '[f]fmpeg' || echo 'no process'", &["ps aux", "grep [f]fmpeg", "echo no process"])]
    #[case("pids=$(pgrep -d, ffmpeg) && top -b -p \"$pids\"", &["pgrep -d, ffmpeg", "top -b -p $pids"])]
    #[case("echo \"now $(tail -f \"a b\") later\"; ls", &["echo now $", "tail -f a b", " later", "ls"])]
    #[case("A=1 B=2 if ! tail -f x; then ls; fi # top", &["tail -f x", "ls", "fi"])]
    #[case("echo 'it is; | fine' \\; x", &["echo it is; | fine ; x"])]
    #[case("a\\\nb c", &["ab c"])]
    fn commands_are_found(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(commands(text).iter().map(|words| words.join(" ")).collect::<Vec<_>>(), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer(text in "\\PC*|[a-z \"'$()|;&\\\\#`\n]*") {
            let _ = commands(&text);
        }
    }
}
