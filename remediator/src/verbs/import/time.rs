//! Times as people write them: `1.5 hours`, `1 hour 30 minutes`, `5m`, `10-15 minutes`, `Level 3 after 30min`.

use std::time::Duration;

use vvtv_toolkit::duration::PromDuration;

/// Units by their seconds, largest first, with the words for them.
const UNITS: [(u64, &[&str]); 5] = [
    (604_800, &["w", "week", "weeks", "woche", "wochen", "semaine", "semaines", "semana", "semanas"]),
    (
        86_400,
        &[
            "d", "day", "days", "tag", "tage", "tagen", "jour", "jours", "día", "días", "dia", "dias", "день", "дня",
            "дней",
        ],
    ),
    (
        3_600,
        &[
            "h",
            "hr",
            "hrs",
            "hour",
            "hours",
            "stunde",
            "stunden",
            "std",
            "heure",
            "heures",
            "hora",
            "horas",
            "час",
            "часа",
            "часов",
        ],
    ),
    (
        60,
        &[
            "m",
            "min",
            "mins",
            "minute",
            "minutes",
            "minuten",
            "minuto",
            "minutos",
            "minuti",
            "мин",
            "минута",
            "минуты",
            "минут",
        ],
    ),
    (
        1,
        &[
            "s",
            "sec",
            "secs",
            "second",
            "seconds",
            "sek",
            "sekunde",
            "sekunden",
            "seconde",
            "secondes",
            "segundo",
            "segundos",
            "сек",
            "секунд",
            "секунды",
        ],
    ),
];
/// Scripts that write words without spaces between them: what the text behind the number begins with.
const UNSPACED: [(u64, &str); 8] = [
    (86_400, "天"),
    (86_400, "日"),
    (3_600, "小时"),
    (3_600, "小時"),
    (3_600, "時間"),
    (60, "分"),
    (1, "秒"),
    (604_800, "周"),
];
/// What may stand between the parts of one time.
const JOINTS: [&str; 8] = ["and ", "und ", "et ", "y ", "e ", "и ", "和", ", "];

/// A time that a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) time: PromDuration,
    /// It is the lesser end of a range.
    pub(super) range: bool,
}

/// Every time that a text names, in its order.
pub(super) fn times(text: &str) -> Vec<Named> {
    let lower = text.to_lowercase();
    let mut named = Vec::new();
    let mut rest = lower.as_str();
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let begins = c.is_ascii_digit() && !before.is_alphanumeric() && before != '.';
        if let (true, Some((time, after))) = (begins, time(rest)) {
            named.push(time);
            (before, rest) = (' ', after);
            continue;
        }
        before = c;
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    named
}

/// The first time that a text names.
pub(super) fn duration(text: &str) -> Option<PromDuration> {
    times(text).first().map(|named| named.time)
}

/// Each level that a text names, and the time of it: `Level 2 after 10min, Level 3 after 30min`, `L2 after 1h`.
pub(super) fn levels(text: &str) -> Vec<(u8, Option<PromDuration>)> {
    let lower = text.to_lowercase();
    let mut starts = Vec::new();
    let mut before = ' ';
    for (at, c) in lower.char_indices() {
        let rest = lower.get(at..).unwrap_or_default();
        let number = rest.strip_prefix("level").or_else(|| rest.strip_prefix('l')).map(str::trim_start);
        let digits = number.map(|number| number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
        if let (false, Some(level)) = (before.is_alphanumeric(), digits.and_then(|digits| digits.parse().ok())) {
            starts.push((at, level));
        }
        before = c;
    }
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([lower.len()]).collect::<Vec<_>>();
    let part = |(at, _): &(usize, u8), end: usize| lower.get(*at..end).and_then(duration);
    starts.iter().zip(ends).map(|(start, end)| (start.1, part(start, end))).collect()
}

/// The time at the beginning of a text in lower case, and what comes after it.
fn time(text: &str) -> Option<(Named, &str)> {
    let (mut millis, rest) = number(text)?;
    let (rest, range) = match rest.trim_start().strip_prefix(['-', '–', '—']).map(str::trim_start) {
        Some(upper) if upper.starts_with(|c: char| c.is_ascii_digit()) => (number(upper)?.1, true),
        _ => (rest, false),
    };
    let (mut unit, mut rest) = seconds(rest)?;
    millis = millis.checked_mul(unit)?;
    while let Some((more, smaller, after)) = next_part(rest).filter(|(_, smaller, _)| *smaller < unit) {
        millis = millis.checked_add(more.checked_mul(smaller)?)?;
        (unit, rest) = (smaller, after);
    }
    Some((Named { time: PromDuration::new(Duration::from_millis(millis)), range }, rest))
}

fn next_part(rest: &str) -> Option<(u64, u64, &str)> {
    let rest = rest.trim_start();
    let rest = JOINTS.iter().find_map(|joint| rest.strip_prefix(joint)).unwrap_or(rest).trim_start();
    let (number, rest) = number(rest)?;
    let (unit, rest) = seconds(rest)?;
    Some((number, unit, rest))
}

/// A number in thousandths: `1.5`, `1,5`.
fn number(text: &str) -> Option<(u64, &str)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (whole, rest) = text.split_at_checked(digits(text))?;
    let whole: u64 = whole.parse().ok().filter(|whole| *whole < 1_000_000)?;
    let fraction = rest.strip_prefix(['.', ',']).map(|rest| rest.split_at(digits(rest)));
    match fraction {
        Some((fraction, rest)) if !fraction.is_empty() => {
            let thousandths = format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?;
            Some((whole * 1_000 + thousandths, rest))
        }
        _ => Some((whole * 1_000, rest)),
    }
}

/// The unit at the beginning of a text, in seconds.
fn seconds(text: &str) -> Option<(u64, &str)> {
    let text = text.trim_start_matches([' ', '-', '\u{a0}']);
    if let Some((unit, rest)) = UNSPACED.iter().find_map(|(unit, word)| Some((*unit, text.strip_prefix(word)?))) {
        return Some((unit, rest.trim_start_matches(['钟', '鐘', '間'])));
    }
    let (word, rest) = text.split_at(text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len()));
    let unit = UNITS.iter().find(|(_, words)| words.contains(&word))?;
    Some((unit.0, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("5m", "5m")]
    #[case("10min", "10m")]
    #[case("1.5 hours", "1h30m")]
    #[case("0,5 Stunden", "30m")]
    #[case("1 hour 30 minutes", "1h30m")]
    #[case("1h30m", "1h30m")]
    #[case("2 hours and 5 minutes", "2h5m")]
    #[case("10-15 minutes", "10m (range)")]
    #[case("within 5 minutes (15 minutes at night)", "5m, 15m")]
    #[case("Monitor for 15 minutes, gradually restore", "15m")]
    #[case("5 分钟内", "5m")]
    #[case("1小时30分钟", "1h30m")]
    #[case("15 минут", "15m")]
    #[case("5-minute", "5m")]
    #[case("L2 after 15 minutes", "15m")]
    #[case("p99 of 3 months", "")]
    #[case("Immediate", "")]
    #[case("0.5%", "")]
    #[case("99999999999999999999 hours", "")]
    fn times_are_read(#[case] text: &str, #[case] expected: &str) {
        let said = times(text);
        let said = said.iter().map(|it| format!("{}{}", it.time, if it.range { " (range)" } else { "" }));
        assert_eq!(said.collect::<Vec<_>>().join(", "), expected);
    }

    #[rstest]
    #[case("Level 2 after 10min, Level 3 after 30min", "2 10m, 3 30m")]
    #[case("L2 after 1h", "2 1h")]
    #[case("level 2", "2 -")]
    #[case("call 2 people", "")]
    fn levels_are_read(#[case] text: &str, #[case] expected: &str) {
        let levels = levels(text);
        let said = levels
            .iter()
            .map(|(level, time)| format!("{level} {}", time.map_or_else(|| "-".to_owned(), |time| time.to_string())));
        assert_eq!(said.collect::<Vec<_>>().join(", "), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_answer(text in "([0-9]{1,24}|[ .,–-]|hours?|min|level|and |分|\\PC)*") {
            let _ = (times(&text), levels(&text));
        }
    }
}
