//! Schedules: five-field cron in a time zone, so that «at 5 in Berlin» stays at 5 when the clocks change.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::CronParser;

/// A schedule that can be carried out.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    timezone: Tz,
}

/// Which part of a schedule is wrong, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScheduleFault {
    Cron(String),
    Timezone(String),
}

impl Schedule {
    /// `cron`: minute, hour, day of month, month, day of week. `timezone`: an IANA name.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, ScheduleFault> {
        if cron.split_whitespace().count() != 5 {
            let detail = "a schedule has five fields: minute hour day-of-month month day-of-week, like `0 5 * * *`";
            return Err(ScheduleFault::Cron(detail.to_owned()));
        }
        let parsed = CronParser::builder().seconds(croner::parser::Seconds::Disallowed).build().parse(cron);
        let cron = parsed.map_err(|e| ScheduleFault::Cron(e.to_string()))?;
        let timezone = timezone.parse().map_err(|_| {
            ScheduleFault::Timezone(format!("`{timezone}` is not an IANA time zone like `Europe/Berlin`"))
        })?;
        Ok(Self { cron, timezone })
    }

    /// The first time after `now`; `None` when there is none (31 February).
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(&self.timezone);
        self.cron.find_next_occurrence(&local, false).ok().map(|next| next.with_timezone(&Utc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, timezone: &str, now: &str) -> Option<String> {
        let now = DateTime::parse_from_rfc3339(now).unwrap().with_timezone(&Utc);
        Schedule::parse(cron, timezone).unwrap().next_after(now).map(|next| next.to_rfc3339())
    }

    #[test]
    fn the_hour_is_the_hour_of_the_time_zone_in_summer_and_winter() {
        let at = |now| next("0 5 * * *", "Europe/Berlin", now);
        assert_eq!(at("2026-07-01T00:00:00Z").as_deref(), Some("2026-07-01T03:00:00+00:00"));
        assert_eq!(at("2026-12-01T00:00:00Z").as_deref(), Some("2026-12-01T04:00:00+00:00"));
    }

    #[test]
    fn a_time_that_is_now_is_not_next() {
        assert_eq!(next("*/15 * * * *", "UTC", "2026-01-01T00:15:00Z").as_deref(), Some("2026-01-01T00:30:00+00:00"));
    }

    #[test]
    fn faults_name_the_part() {
        assert!(matches!(Schedule::parse("0 5 * *", "UTC"), Err(ScheduleFault::Cron(_))));
        assert!(matches!(Schedule::parse("0 25 * * *", "UTC"), Err(ScheduleFault::Cron(_))));
        assert!(matches!(Schedule::parse("0 5 * * *", "Mars/Base"), Err(ScheduleFault::Timezone(_))));
    }
}
