//! An action's text taken apart: what is done, and the condition in the page's words.

use super::bare;

/// An action's text: what is done, and under which condition in the page's words.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::verbs::import) struct Action {
    /// Empty if the text has nothing but the condition.
    pub(in crate::verbs::import) what: String,
    pub(in crate::verbs::import) condition: Option<String>,
}

/// Words that a condition begins with.
const OPENERS: &str = "\
    if|when|whenever|unless|only if|only when|once|in case|as a last resort|otherwise|wenn|falls|si|если|when and if|\
    until|如果|若|もし";
/// What asks rather than makes a condition: "check if the disk is full".
const QUESTIONS: &str = "check|see|verify|confirm|determine|find out|ask|test|know|decide|identify|prüfe|tell";

/// Takes the condition out of an action's text.
pub(in crate::verbs::import) fn action(text: &str) -> Action {
    let text = bare(text);
    let lower = text.to_lowercase();
    // Lower case may have other lengths; then nothing is cut.
    let same = lower.len() == text.len();
    let opener = OPENERS.split('|').find(|opener| {
        let unspaced = opener.starts_with(|c: char| c >= '\u{2e80}');
        lower.strip_prefix(opener).is_some_and(|rest| unspaced || !rest.starts_with(char::is_alphanumeric))
    });
    if opener.is_some() {
        let opener = opener.filter(|opener| *opener == "otherwise" && same);
        let cut = opener.map_or_else(|| text.split_once([',', '，']), |opener| text.split_at_checked(opener.len()));
        let (condition, what) = cut.unwrap_or((text, ""));
        let what = capital(what.trim_start_matches([',', ' ']));
        return Action { what, condition: Some(condition.to_owned()) };
    }
    let within = OPENERS.split('|').filter(|_| same).filter_map(|opener| lower.find(&format!(" {opener} "))).min();
    if let Some((what, condition)) = within.and_then(|at| text.split_at_checked(at)) {
        let before = what.to_lowercase();
        let asks = QUESTIONS.split('|').any(|word| before.ends_with(word));
        if !asks {
            return Action { what: what.trim().to_owned(), condition: Some(condition.trim().to_owned()) };
        }
    }
    let only = lower.starts_with("only ") && same;
    Action { what: text.to_owned(), condition: only.then(|| text.to_owned()) }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("If encoder is stuck/frozen:", "", Some("If encoder is stuck/frozen"))]
    #[case("If drops persist, restart with lower settings:", "Restart with lower settings", Some("If drops persist"))]
    #[case("Restart NGINX-RTMP if needed:", "Restart NGINX-RTMP", Some("if needed"))]
    #[case("Restart the encoder when it is stuck:", "Restart the encoder", Some("when it is stuck"))]
    #[case("Otherwise restart nginx:", "Restart nginx", Some("Otherwise"))]
    #[case("Unless it is prime time, reboot:", "Reboot", Some("Unless it is prime time"))]
    #[case("Check if the disk is full:", "Check if the disk is full", None)]
    #[case("As a last resort, use:", "Use", Some("As a last resort"))]
    #[case("Only restart it in case of deadlock:", "Only restart it", Some("in case of deadlock"))]
    #[case("Only for the brave", "Only for the brave", Some("Only for the brave"))]
    #[case("Wenn der Encoder hängt, neu starten:", "Neu starten", Some("Wenn der Encoder hängt"))]
    #[case("如果编码器卡死，重启编码器：", "重启编码器", Some("如果编码器卡死"))]
    #[case("Check encoder status:", "Check encoder status", None)]
    fn conditions_are_taken_out(#[case] text: &str, #[case] what: &str, #[case] condition: Option<&str>) {
        assert_eq!(action(text), Action { what: what.to_owned(), condition: condition.map(str::to_owned) });
    }
}
