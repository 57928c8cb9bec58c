//! Texts as names: ids of runbooks, steps and lists.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Leaves room for a count behind it within the 64 bytes that an id may have.
const BYTES_MAX: usize = 60;

/// A text as a name: what is neither letter nor digit becomes the joint, letters of other scripts become Latin ones. It is empty if
/// there are neither.
pub(super) fn slug(text: &str, joint: char) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let latin = if c.is_ascii() {
            None
        } else if c.is_alphanumeric() {
            deunicode::deunicode_char(c)
        } else {
            // A mark on the letter before it becomes nothing; a sign or a picture separates.
            deunicode::deunicode_char(c).filter(|latin| latin.is_empty()).or(Some(" "))
        };
        let mut buffer = [0; 4];
        for c in latin.unwrap_or(c.encode_utf8(&mut buffer)).chars() {
            if c.is_ascii_alphanumeric() {
                name.push(c.to_ascii_lowercase());
            } else if !name.is_empty() && !name.ends_with(joint) {
                name.push(joint);
            }
        }
        if name.len() >= BYTES_MAX {
            break;
        }
    }
    name.truncate(BYTES_MAX);
    name.trim_end_matches(joint).to_owned()
}

/// The id of a runbook or list. `NodeDiskFull` is `node-disk-full`; a text without a letter gets an id made of its digest, which is the
/// same each time.
pub(super) fn id(text: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            words.push(' ');
        }
        words.push(c);
        before = c;
    }
    match slug(&words, '-') {
        name if name.is_empty() => format!("page-{}", digest(text)),
        name => name,
    }
}

/// The id of a step.
pub(super) fn step_id(text: &str) -> String {
    match slug(text, '_') {
        name if name.is_empty() => format!("step_{}", digest(text)),
        name if name.starts_with(|c: char| c.is_ascii_lowercase()) => name,
        name => format!("step_{}", name.get(..BYTES_MAX - 5).unwrap_or(&name)),
    }
}

/// The name, with a count behind it if it is taken.
pub(super) fn unused(name: String, joint: char, taken: &mut BTreeSet<String>) -> String {
    let mut unused = name.clone();
    let mut count = 1;
    while !taken.insert(unused.clone()) {
        count += 1;
        unused = format!("{name}{joint}{count}");
    }
    unused
}

/// A heading without the word for what it heads: `Alert: NodeDown` is about NodeDown.
pub(super) fn unprefixed(heading: &str) -> &str {
    let heading = heading.trim();
    let words = ["alert", "alarm", "runbook", "playbook", "procedure"];
    let after = heading.split_once([':', '\u{ff1a}']).filter(|(word, _)| words.contains(&word.to_lowercase().as_str()));
    after.map(|(_, rest)| rest.trim()).filter(|rest| rest.contains(char::is_alphanumeric)).unwrap_or(heading)
}

/// Whether a text is written as alert rules write names: one word with letters of both cases within it.
pub(super) fn is_alert_name(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut pairs = text.chars().zip(text.chars().skip(1));
    plain && pairs.any(|(one, other)| one.is_ascii_lowercase() && other.is_ascii_uppercase())
}

fn digest(text: &str) -> String {
    let mut digest = String::new();
    for byte in Sha256::digest(text).iter().take(4) {
        // Writing to a String cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("segment-age", "segment-age")]
    #[case("🚨 segment-age", "segment-age")]
    #[case("KubePodCrashLooping", "kube-pod-crash-looping")]
    #[case("nginx won't start", "nginx-won-t-start")]
    #[case("编码器卡死", "bian-ma-qi-qia-si")]
    #[case("推流中断", "tui-liu-zhong-duan")]
    #[case("Überlauf", "uberlauf")]
    #[case("Диск заполнен", "disk-zapolnen")]
    #[case("🚨", "page-49ef48c6")]
    fn names_in_any_script_have_ids(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(id(text), expected);
    }

    #[test]
    fn two_of_one_name_are_told_apart() {
        let mut taken = BTreeSet::new();
        let ids: Vec<_> = ["Check it", "check it!", "3 checks"].map(|it| unused(step_id(it), '_', &mut taken)).into();
        assert_eq!(ids, ["check_it", "check_it_2", "step_3_checks"]);
    }

    proptest::proptest! {
        #[test]
        fn every_id_is_one(text in "\\PC*") {
            proptest::prop_assert!(crate::runbook::is_identifier(&step_id(&text)));
            let id = id(&text);
            proptest::prop_assert!(!id.is_empty() && id.len() <= 64);
            proptest::prop_assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        }
    }
}
