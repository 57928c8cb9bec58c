//! What Prometheus knows: the stream's signals over a day, the objectives over a month, the room that is left.

use vvtv_playout_interface::config::Config;
use vvtv_playout_interface::http;

use super::{Evidence, Finding, Mark, evidence};
use crate::prometheus;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Freshness,
    Drops,
    Bitrate,
    Slo,
    Capacity,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug)]
enum Unit {
    Seconds,
    Share,
    Gibibytes,
    Days,
}

/// A number and what it must be.
struct Look {
    what: &'static str,
    query: String,
    unit: Unit,
    wanted: Wanted,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Below(f64),
    AtLeast(f64),
    /// To be known with the others; nothing is wanted of it.
    Any,
}

/// Asks Prometheus; without an answer to one of its numbers a question has none.
///
/// # Errors
/// Prometheus does not answer.
pub(super) async fn ask(config: &Config, question: Question) -> anyhow::Result<Finding> {
    let client = http::client()?;
    let mut found = Vec::new();
    for look in looks(&config.stream, question) {
        let value = prometheus::value(&client, &config.prometheus, &look.query).await?;
        found.push((look, value));
    }
    Ok(judge(&found))
}

fn judge(found: &[(Look, Option<f64>)]) -> Finding {
    let good = |(look, value): &&(Look, Option<f64>)| match (value, look.wanted) {
        (Some(value), Wanted::Below(limit)) => *value < limit,
        (Some(value), Wanted::AtLeast(limit)) => *value >= limit,
        (Some(_), Wanted::Any) => true,
        (None, _) => false,
    };
    let evidence: Vec<Evidence> = found.iter().map(|(look, value)| look.evidence(*value)).collect();
    let missing = found.iter().filter(|(_, value)| value.is_none()).count();
    if missing > 0 {
        let summary = format!("Prometheus has no value for {missing} of {} numbers", found.len());
        return Finding { mark: Mark::Unknown, summary, evidence };
    }
    let met = found.iter().filter(good).count();
    Finding::new(met == found.len(), format!("{met} of {} numbers are as wanted", found.len()), evidence)
}

impl Look {
    fn evidence(&self, value: Option<f64>) -> Evidence {
        let limit = match self.wanted {
            Wanted::Below(limit) => Some(format!("below {}", self.unit.show(limit))),
            Wanted::AtLeast(limit) => Some(format!("at least {}", self.unit.show(limit))),
            Wanted::Any => None,
        };
        let value = value.map_or_else(|| "unknown".to_owned(), |value| self.unit.show(value));
        evidence(self.what, value, limit.as_deref())
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => format!("{value:.1} s"),
            Self::Share => format!("{:.3} %", value * 100.0),
            Self::Days => format!("{value:.1}"),
            Self::Gibibytes => format!("{:.1} GiB", value / f64::from(1 << 30)),
        }
    }
}

/// The numbers of a question. The stream's name comes from the configuration and is escaped as a label value.
fn looks(stream: &str, question: Question) -> Vec<Look> {
    let stream = stream.replace('\\', "\\\\").replace('"', "\\\"");
    let of = |metric: &str| format!("{metric}{{stream=\"{stream}\"}}");
    let look = |what, query, unit, wanted| Look { what, query, unit, wanted };
    let below = |what, query, unit, limit| look(what, query, unit, Wanted::Below(limit));
    let at_least = |what, query, unit, limit| look(what, query, unit, Wanted::AtLeast(limit));
    match question {
        Question::Freshness => {
            let age = of("vvtv_segment_age_seconds");
            vec![
                below("segment age now", format!("max({age})"), Unit::Seconds, 6.0),
                below(
                    "segment age in 99 % of the last day",
                    format!("max(quantile_over_time(0.99, {age}[1d]))"),
                    Unit::Seconds,
                    6.0,
                ),
            ]
        }
        Question::Drops => {
            let drops = of("vvtv_encoder_drops_ratio");
            let mean = format!("max(avg_over_time({drops}[1d]))");
            vec![below("frames lost in the last day", mean, Unit::Share, 0.001)]
        }
        Question::Bitrate => {
            let variance = of("vvtv_bitrate_variance_ratio");
            let query = format!("max(quantile_over_time(0.95, {variance}[1d]))");
            vec![below("variation of the bitrate in 95 % of the last day", query, Unit::Share, 0.25)]
        }
        Question::Slo => {
            let share = |inner: &str| format!("avg_over_time({inner}[30d:1m])");
            // What alert-rules/slo.yml recorded, which its alerts go by; reckoned here where those rules are not in use.
            let met = |slo: &str, inner: &str| {
                format!("min(vvtv:slo_met:avg30d{{stream=\"{stream}\",slo=\"{slo}\"}}) or {}", share(inner))
            };
            let fresh = format!("(max({}) < bool 10)", of("vvtv_segment_age_seconds"));
            let up = format!("min({})", of("vvtv_ingest_up"));
            let smooth = format!("(max({}) <= bool 0.005)", of("vvtv_encoder_drops_ratio"));
            let days = format!("count_over_time({up}[30d:5m]) / 288 or vector(0)");
            vec![
                at_least("time with fresh segments, 30 days", met("segment_freshness", &fresh), Unit::Share, 0.999),
                at_least("time with a working ingest, 30 days", met("availability", &up), Unit::Share, 0.999),
                at_least("time without lost frames, 30 days", share(&smooth), Unit::Share, 0.99),
                // A month is not judged by its first hour.
                look("days measured, of the 30", days, Unit::Days, Wanted::Any),
            ]
        }
        Question::Capacity => {
            let busy = "max(quantile_over_time(0.95, vvtv_host_cpu_usage_ratio[7d]))".to_owned();
            let memory = "min(min_over_time(vvtv_host_memory_available_bytes[7d]) / vvtv_host_memory_bytes)".to_owned();
            let disk = "vvtv_broadcast_filesystem_available_bytes";
            let left = format!("min({disk} / vvtv_broadcast_filesystem_size_bytes)");
            // A month is not told from less than a day.
            let soon = format!("clamp_min(min(predict_linear({disk}[7d], 30 * 86400) and {disk} offset 1d), 0)");
            vec![
                below("CPU use in 95 % of the last week", busy, Unit::Share, 0.8),
                at_least("least memory available in the last week", memory, Unit::Share, 0.1),
                at_least("disk available for segments", left, Unit::Share, 0.2),
                at_least("disk available in 30 days, as it goes", soon, Unit::Gibibytes, f64::from(1 << 30)),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_missing_is_no_pass() {
        let found = |values: [Option<f64>; 2]| {
            let finding = judge(&looks("main", Question::Freshness).into_iter().zip(values).collect::<Vec<_>>());
            (finding.mark, finding.summary, finding.evidence.into_iter().map(|it| it.value).collect::<Vec<_>>())
        };
        let shown = |values: [&str; 2]| values.map(str::to_owned).to_vec();
        let summary = |text: &str| text.to_owned();
        assert_eq!(
            found([Some(2.0), Some(5.9)]),
            (Mark::Pass, summary("2 of 2 numbers are as wanted"), shown(["2.0 s", "5.9 s"]))
        );
        assert_eq!(
            found([Some(2.0), Some(6.0)]),
            (Mark::Fail, summary("1 of 2 numbers are as wanted"), shown(["2.0 s", "6.0 s"]))
        );
        assert_eq!(
            found([Some(2.0), None]),
            (Mark::Unknown, summary("Prometheus has no value for 1 of 2 numbers"), shown(["2.0 s", "unknown"]))
        );
    }

    #[test]
    fn a_streams_name_cannot_leave_its_label() {
        let query = &looks(r#"a"} or vector(1) #"#, Question::Drops)[0].query;
        assert_eq!(query, r#"max(avg_over_time(vvtv_encoder_drops_ratio{stream="a\"} or vector(1) #"}[1d]))"#);
    }
}
