//! When something comes round: a cron expression in a time zone's local time. Computed from the time alone.

use croner::Cron;
use jiff::tz::TimeZone;
use vvtv_incident::Timestamp;

/// Times that come again and again.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// The times of a cron expression in a time zone.
    ///
    /// # Errors
    /// Either cannot be read.
    pub fn new(cron: &str, zone: &str) -> Result<Self, String> {
        let cron = cron.parse::<Cron>().map_err(|error| format!("`{cron}` is not a cron expression: {error}"))?;
        let zone = TimeZone::get(zone).map_err(|error| error.to_string())?;
        Ok(Self { cron, zone })
    }

    /// The latest time that is not after now.
    #[must_use]
    pub fn latest(&self, now: Timestamp) -> Option<Timestamp> {
        instant(&self.cron.find_previous_occurrence(&self.local(now)?, true).ok()?)
    }

    /// The first time after now.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        instant(&self.cron.find_next_occurrence(&self.local(now)?, false).ok()?)
    }

    fn local(&self, now: Timestamp) -> Option<jiff::Zoned> {
        let now = jiff::Timestamp::from_millisecond(i64::try_from(now.millis()).ok()?).ok()?;
        Some(now.to_zoned(self.zone.clone()))
    }
}

fn instant(at: &jiff::Zoned) -> Option<Timestamp> {
    u64::try_from(at.timestamp().as_millisecond()).ok().map(Timestamp::from_millis)
}
