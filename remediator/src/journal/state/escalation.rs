//! Who was called, and who has it in hand.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vvtv_incident::{Arrival, Ending, Escalation, Level, PageRecord, Person, Standing, Timestamp};

use super::word::{MillisV1, ReasonV1, at};

/// An incident's escalation.
#[derive(Serialize, Deserialize)]
pub(super) struct EscalationV1 {
    since: MillisV1,
    standing: StandingV1,
    reached: Option<(u8, MillisV1)>,
    pages: Vec<PageV1>,
    #[serde(default)]
    still_since: Option<MillisV1>,
    #[serde(default)]
    ends: Option<EndingV1>,
}

/// When pages are taken back.
#[derive(Serialize, Deserialize)]
struct EndingV1 {
    at: MillisV1,
    quiet_for: Duration,
}

/// Whether somebody has it in hand.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StandingV1 {
    Open,
    InHand {
        by: String,
        until: MillisV1,
        #[serde(default)]
        told: Vec<ReasonV1>,
    },
}

/// A page.
#[derive(Serialize, Deserialize)]
struct PageV1 {
    page: u32,
    level: u8,
    reason: ReasonV1,
    due_at: MillisV1,
    #[serde(default)]
    arrival: ArrivalV1,
    resolved: bool,
}

/// Whether it has arrived.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ArrivalV1 {
    Awaited,
    Undeliverable,
    Taken { at: MillisV1 },
}

/// The first versions do not say so, and counted every page as taken.
impl Default for ArrivalV1 {
    fn default() -> Self {
        Self::Taken { at: 0 }
    }
}

impl From<&Escalation> for EscalationV1 {
    fn from(escalation: &Escalation) -> Self {
        let Escalation { since, standing, reached, pages, still_since, ends } = escalation;
        Self {
            since: since.millis(),
            standing: standing.into(),
            reached: reached.map(|(level, at)| (level.get(), at.millis())),
            pages: pages.iter().map(Into::into).collect(),
            still_since: still_since.map(Timestamp::millis),
            ends: ends.map(|Ending { at, quiet_for }| EndingV1 { at: at.millis(), quiet_for }),
        }
    }
}

impl From<EscalationV1> for Escalation {
    fn from(escalation: EscalationV1) -> Self {
        let EscalationV1 { since, standing, reached, pages, still_since, ends } = escalation;
        Self {
            since: at(since),
            standing: standing.into(),
            reached: reached.map(|(level, millis)| (Level::new(level), at(millis))),
            pages: pages.into_iter().map(Into::into).collect(),
            still_since: still_since.map(at),
            ends: ends.map(|EndingV1 { at: millis, quiet_for }| Ending { at: at(millis), quiet_for }),
        }
    }
}

impl From<&Standing> for StandingV1 {
    fn from(standing: &Standing) -> Self {
        match standing {
            Standing::Open => Self::Open,
            Standing::InHand { by, until, told } => Self::InHand {
                by: by.to_string(),
                until: until.millis(),
                told: told.iter().copied().map(ReasonV1).collect(),
            },
        }
    }
}

impl From<StandingV1> for Standing {
    fn from(standing: StandingV1) -> Self {
        match standing {
            StandingV1::Open => Self::Open,
            StandingV1::InHand { by, until, told } => Self::InHand {
                by: Person::new(by),
                until: at(until),
                told: told.into_iter().map(|ReasonV1(reason)| reason).collect(),
            },
        }
    }
}

impl From<&PageRecord> for PageV1 {
    fn from(record: &PageRecord) -> Self {
        let PageRecord { page, level, reason, due_at, arrival, resolved } = record;
        Self {
            page: *page,
            level: level.get(),
            reason: ReasonV1(*reason),
            due_at: due_at.millis(),
            arrival: (*arrival).into(),
            resolved: *resolved,
        }
    }
}

impl From<PageV1> for PageRecord {
    fn from(page: PageV1) -> Self {
        let PageV1 { page, level, reason: ReasonV1(reason), due_at, arrival, resolved } = page;
        Self { page, level: Level::new(level), reason, due_at: at(due_at), arrival: arrival.into(), resolved }
    }
}

impl From<Arrival> for ArrivalV1 {
    fn from(arrival: Arrival) -> Self {
        match arrival {
            Arrival::Awaited => Self::Awaited,
            Arrival::Undeliverable => Self::Undeliverable,
            Arrival::Taken { at } => Self::Taken { at: at.millis() },
        }
    }
}

impl From<ArrivalV1> for Arrival {
    fn from(arrival: ArrivalV1) -> Self {
        match arrival {
            ArrivalV1::Awaited => Self::Awaited,
            ArrivalV1::Undeliverable => Self::Undeliverable,
            ArrivalV1::Taken { at: millis } => Self::Taken { at: at(millis) },
        }
    }
}
