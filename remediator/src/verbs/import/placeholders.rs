//! What stands for something else in a command of a page: `<pod>`, `$DEVICE`, `{{ … }}`, `[name]`, `YOUR_HOST`, `…`.

use std::collections::BTreeSet;

/// Variables that a step has without setting them.
const GIVEN: [&str; 9] = ["HOME", "PATH", "USER", "PWD", "TMPDIR", "LANG", "IFS", "OPTARG", "OPTIND"];
/// Longer ones are no placeholders but text between two signs.
const BYTES_MAX: usize = 120;

/// Each placeholder of a shell text once, in its order.
pub(super) fn placeholders(text: &str) -> Vec<String> {
    let mut found: Vec<(usize, &str)> = templates(text);
    let within = found.iter().map(|(at, name)| *at..at + name.len()).collect::<Vec<_>>();
    let others = angles(text).into_iter().chain(variables(text)).chain(words(text));
    found.extend(others.filter(|(at, _)| !within.iter().any(|template| template.contains(at))));
    found.sort_unstable();
    let mut known = BTreeSet::new();
    found.into_iter().map(|(_, name)| name).filter(|name| known.insert(*name)).map(str::to_owned).collect()
}

/// The beginning of a text, as far as a placeholder goes.
fn near(text: &str) -> &str {
    text.get(..text.floor_char_boundary(BYTES_MAX)).unwrap_or(text)
}

/// `{{ … }}`, `{% … %}` and what a template's comment begins with.
fn templates(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (open, close) in [("{{", "}}"), ("{%", "%}"), ("{#", "#}")] {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(open)).map(|at| from + at) {
            let rest = text.get(at..).unwrap_or_default();
            let end = near(rest).find(close).map_or(open.len(), |end| end + close.len());
            found.push((at, rest.get(..end).unwrap_or(open)));
            from = at + end;
        }
    }
    found
}

/// `<pod name>`, which a shell takes for two redirections.
fn angles(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '<' && before != '<' {
            let rest = near(text.get(at + 1..).unwrap_or_default());
            let inner = rest.split_once('>').map(|(inner, _)| inner).unwrap_or_default();
            let plain = |c: char| c.is_alphanumeric() || " _-./:|,'@".contains(c);
            let named = inner.starts_with(char::is_alphabetic) && inner.chars().all(plain);
            if named && !inner.ends_with(' ') {
                found.extend(text.get(at..at + inner.len() + 2).map(|name| (at, name)));
            }
        }
        before = c;
    }
    found
}

/// `$NAME` and `${NAME}` that the text does not set itself. Single quotes keep a shell from looking.
fn variables(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut single, mut double, mut escaped) = (false, false, false);
    let set = set(text);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' if !single => escaped = true,
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '$' if !single => found.extend(variable(text, at, &set)),
            _ => {}
        }
    }
    found
}

fn variable<'a>(text: &'a str, at: usize, set: &BTreeSet<&str>) -> Option<(usize, &'a str)> {
    let rest = text.get(at + 1..)?;
    let (rest, braces) = rest.strip_prefix('{').map_or((rest, 0), |rest| (rest, 1));
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let defaulted = braces > 0 && after.trim_start_matches(':').starts_with(['-', '=']);
    if !named || defaulted || GIVEN.contains(&name) || name.starts_with("VVTV_") || set.contains(name) {
        return None;
    }
    let closing = usize::from(braces > 0 && after.starts_with('}'));
    Some((at, text.get(at..at + 1 + braces + end + closing)?))
}

/// The variables that a text sets: `NAME=`, `read NAME`, `for NAME in`.
fn set(text: &str) -> BTreeSet<&str> {
    let mut set = BTreeSet::new();
    let mut by_word = false;
    for word in text.split(|c: char| c.is_whitespace() || ";&|(){}\"'`".contains(c)) {
        let (name, rest) =
            word.split_at(word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len()));
        if rest.starts_with('=') || (by_word && rest.is_empty()) {
            set.insert(name);
        }
        // `for` takes one name, `read` several and options.
        by_word = matches!(word, "for" | "read")
            || (by_word && (word.is_empty() || word.starts_with('-') || rest.is_empty()));
        by_word &= !matches!(word, "in" | "do" | "then");
    }
    set
}

/// Words that are written to be replaced.
fn words(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for part in text.split_inclusive(|c: char| c.is_whitespace() || "\"'=/,:@;".contains(c)) {
        let word = part.trim_end_matches(|c: char| c.is_whitespace() || "\"'=/,:@;".contains(c));
        let between = |open, close| word.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        let inner = between('[', ']').or_else(|| between('{', '}'));
        let upper = word.to_ascii_uppercase();
        let is = ["...", "…"].contains(&word)
            || inner.is_some_and(is_named)
            || (word.len() >= 3 && upper.chars().all(|c| c == 'X'))
            || ["YOUR_", "YOUR-", "REPLACE_ME", "REPLACEME", "CHANGEME", "CHANGE_ME"]
                .iter()
                .any(|it| upper.starts_with(it));
        if is {
            found.push((at, word));
        }
        at += part.len();
    }
    found
}

/// A name between brackets, and no set of characters such as `[a-zA-Z]`.
fn is_named(inner: &str) -> bool {
    let ranges = inner.as_bytes().chunks(3).all(|range| matches!(range, [_, b'-', _]));
    let plain = inner.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    inner.chars().count() >= 3 && plain && !ranges && inner.starts_with(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("kubectl delete pod <pod-name> -n <namespace>", &["<pod-name>", "<namespace>"])]
    #[case("export D=/srv\nrm -rf $D/* ${DEVICE}", &["${DEVICE}"])]
    #[case("mount \"$DEVICE\" /mnt '$8' $1 $HOME ${X:-y}", &["$DEVICE"])]
    #[case("for i in a b; do echo $i; done; read -r x y; echo $y", &[])]
    #[case("echo '{{ .Values.x }}' {% raw %} ${#list}", &["{{ .Values.x }}", "{% raw %}", "{#"])]
    #[case("oc get [pod-name] -n {namespace} | grep '[f]fmpeg' [a-z] [a-zA-Z]", &["[pod-name]", "{namespace}"])]
    #[case("curl https://YOUR_HOST/xxx/...", &["YOUR_HOST", "xxx", "..."])]
    #[case("sort <in >out; cat <<EOF\nx\nEOF\ndiff <(a) <(b)", &[])]
    #[case("find . -exec rm {} + && ./...", &["..."])]
    #[case("curl {{ $labels.instance }}/$path", &["{{ $labels.instance }}", "$path"])]
    #[case("vvtvctl plan execute <plan_id>", &["<plan_id>"])]
    fn placeholders_are_found(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(placeholders(text), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer(text in "(<|>|\\$|\\{|\\}|\\{\\{|%|#|\\[|\\]|'|\"|\\\\|=|x|é|read | |\\PC)*") {
            let _ = placeholders(&text);
        }
    }
}
