//! What words mean on a page: the parts of a runbook, conditions, prohibitions, and what is undone later.
//!
//! English is known best. Of other languages the commonest words are here; a page is otherwise taken by its structure.

mod action;

pub(super) use action::action;

/// What a part of a runbook is about, by its heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Symptoms,
    Impact,
    /// What the alert says; it tells nobody to do anything.
    Meaning,
    /// Whatever else makes what it stands below a runbook.
    Other,
}

// Words are separated by `|`.
const SYMPTOMS: &str = "symptom|symptoms|symptome|symptômes|síntomas|sintomas|симптомы|现象|症状";
const MEANING: &str = "meaning|bedeutung|signification|significado|значение|含义|意义|意味";
const IMPACT: &str = "impact|auswirkung|auswirkungen|impacto|влияние|последствия|影响|影響";
const PARTS: &str = "\
    diagnosis|diagnostics|mitigation|resolution|remediation|steps|actions|immediate actions|investigation|\
    troubleshooting|triage|recovery|response|diagnose|behebung|maßnahmen|diagnostic|atténuation|résolution|\
    diagnóstico|mitigación|mitigação|resolución|resolução|диагностика|устранение|решение|действия|诊断|診断|缓解|处理|处理步骤|\
    解决|解决方案|排查|排查步骤|対処|対応|復旧";
const PROCEDURES: &str = "\
    procedure|procedures|runbooks|playbooks|alerts|alert runbooks|verfahren|prozeduren|procédures|procedimientos|\
    procedimentos|процедуры|手順|操作手順|应急预案|预案";

/// What a heading says that its section is; `None` for a name of its own.
pub(super) fn part(title: &str) -> Option<Part> {
    let title = plain(title);
    let is = |words: &str| words.split('|').any(|word| word == title);
    if is(SYMPTOMS) {
        Some(Part::Symptoms)
    } else if is(IMPACT) {
        Some(Part::Impact)
    } else if is(MEANING) {
        Some(Part::Meaning)
    } else {
        is(PARTS).then_some(Part::Other)
    }
}

/// Whether what stands below a heading are runbooks.
pub(super) fn holds_procedures(title: &str) -> bool {
    let title = plain(title);
    PROCEDURES.split('|').any(|word| word == title)
}

fn plain(title: &str) -> String {
    title.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// Something that a machine cannot keep to by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remark {
    /// "do not", "never", "warning".
    Prohibition,
    /// "if", "when", "unless", "only", "otherwise".
    Condition,
    /// "roll back", "undo".
    Undo,
}

const PROHIBITIONS: &str = "\
    do not|don't|don’t|never|must not|should not|shouldn't|cannot be undone|irreversible|avoid|data loss|warning|\
    caution|danger|dangerous|careful|carefully|nicht|niemals|achtung|vorsicht|warnung|ne pas|jamais|attention|\
    avertissement|nunca|jamás|no ejecutar|cuidado|advertencia|atenção|não|не|нельзя|никогда|внимание|осторожно|不要|\
    切勿|请勿|禁止|严禁|警告|注意|しないで|危険";
const CONDITIONS: &str = "\
    if|when|whenever|unless|only|otherwise|in case|in the case|else|once|until|except|depending on|as a last resort|\
    last resort|provided|assuming|before|after|on failure|go to step|skip to|try first|first try|wenn|falls|nur|\
    sonst|andernfalls|außer|si|sauf|sinon|seulement|solo|cuando|salvo|se|quando|если|когда|только|иначе|кроме|如果|若|\
    当|除非|否则|仅|只有|もし|場合|のみ";
const UNDOS: &str = "\
    rollback|roll back|revert|undo|rückgängig|zurücksetzen|annuler|revertir|deshacer|откат|откатить|回滚|撤销|元に戻す";

/// Each sentence that has such words, with what it is for the first of them.
pub(super) fn remarks(text: &str) -> Vec<(Remark, &str)> {
    sentences(text).into_iter().filter_map(|sentence| Some((remark(sentence)?, sentence))).collect()
}

fn remark(sentence: &str) -> Option<Remark> {
    let lower = without_code(sentence).to_lowercase();
    let has = |words: &str| words.split('|').any(|word| has_word(&lower, word));
    if has(PROHIBITIONS) {
        Some(Remark::Prohibition)
    } else if has(UNDOS) {
        Some(Remark::Undo)
    } else {
        has(CONDITIONS).then_some(Remark::Condition)
    }
}

/// What is in backticks is a program's, not a person's.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join(" … ")
}

fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let rest = text.get(end..).unwrap_or_default();
        let ends = matches!(c, '。' | '！' | '？')
            || (matches!(c, '.' | '!' | '?') && rest.starts_with(char::is_whitespace))
            || c == '\n';
        if ends {
            sentences.push(text.get(start..end).unwrap_or_default());
            start = end;
        }
    }
    sentences.push(text.get(start..).unwrap_or_default());
    sentences.into_iter().map(str::trim).filter(|sentence| !sentence.is_empty()).collect()
}

/// The last sentence of a text.
pub(super) fn last_sentence(text: &str) -> &str {
    sentences(text).last().copied().unwrap_or_default()
}

/// The beginning of a text, where it is long.
pub(super) fn short(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A text without the colon or comma at its end.
pub(super) fn bare(text: &str) -> &str {
    text.trim().trim_end_matches([':', '\u{ff1a}', ',', ' '])
}

/// Whether a text in lower case has a word or phrase; scripts without spaces have no ends of words.
fn has_word(lower: &str, word: &str) -> bool {
    let unspaced = word.starts_with(|c: char| c >= '\u{2e80}');
    lower.match_indices(word).any(|(at, _)| {
        let before = lower.get(..at).and_then(|text| text.chars().next_back());
        let after = lower.get(at + word.len()..).and_then(|text| text.chars().next());
        unspaced || ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

/// Conditions that only say that the trouble is still there, which is asked before every change anyway.
pub(super) fn only_says_still_sick(condition: &str) -> bool {
    let words = ["needed", "persist", "continue", "still", "necessary"];
    let others = ["unless", "only", "otherwise", "until"];
    let lower = condition.to_lowercase();
    // A second condition is not about the trouble.
    let one = lower.split_whitespace().count() <= 5 && !lower.contains([',', ';']);
    one && words.iter().any(|word| lower.contains(word)) && !others.iter().any(|word| has_word(&lower, word))
}

/// Whether a text announces what a command prints.
pub(super) fn announces_output(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words = [
        "output",
        "example response",
        "you should see",
        "will see",
        "looks like",
        "similar to",
        "prints",
        "returns",
        "ausgabe",
        "sortie",
        "salida",
        "вывод",
        "输出",
        "出力",
    ];
    words.iter().any(|word| has_word(&lower, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Do NOT restart NGINX during the news. It is busy.", &[(Remark::Prohibition, "Do NOT restart NGINX during the news.")])]
    #[case("Run `grep --only-matching if`.", &[])]
    #[case("Undo it by hand", &[(Remark::Undo, "Undo it by hand")])]
    #[case("请勿在生产环境执行。再检查", &[(Remark::Prohibition, "请勿在生产环境执行。")])]
    #[case("Whenever and wherever; lifting", &[(Remark::Condition, "Whenever and wherever; lifting")])]
    #[case("Lifting gifts", &[])]
    fn what_a_machine_cannot_keep_to_is_named(#[case] text: &str, #[case] expected: &[(Remark, &str)]) {
        assert_eq!(remarks(text), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer(text in "(if |when |only |, |\\. |`|İ|\\PC)*") {
            let _ = (action(&text), remarks(&text), part(&text), announces_output(&text), only_says_still_sick(&text));
        }
    }
}
