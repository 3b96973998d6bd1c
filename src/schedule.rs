//! Schedules: cron with five fields in a time zone, so that «5 o'clock in Berlin» is 5 o'clock in summer and winter.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
use croner::errors::CronError;
use croner::parser::CronParser;
use croner::{Cron, Weekday};

/// A valid schedule.
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
    /// `cron`: minute, hour, day of month, month, day of week. `timezone`: an IANA name. The error has every fault.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, Vec<ScheduleFault>> {
        let cron = parse_cron(cron).map_err(ScheduleFault::Cron);
        let timezone: Result<Tz, _> = timezone.parse().map_err(|_| {
            ScheduleFault::Timezone(format!("`{timezone}` is not an IANA time zone; use a name like `Europe/Berlin`"))
        });
        match (cron, timezone) {
            (Ok(cron), Ok(timezone)) => Ok(Self { cron, timezone }),
            (cron, timezone) => Err(cron.err().into_iter().chain(timezone.err()).collect()),
        }
    }

    /// The first time after `now`; `None` when there is none.
    pub fn next_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(&self.timezone);
        self.cron.find_next_occurrence(&local, false).ok().map(|next| next.with_timezone(&Utc))
    }
}

impl Schedule {
    /// The times after `now`, one after the other.
    pub fn times_after(&self, now: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.next_after(now), |last| self.next_after(*last))
    }
}

/// A field of a schedule, and its valid values.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Other valid values.
    also: &'static str,
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, also: "" },
    Field { name: "hour", least: 0, most: 23, also: "" },
    Field { name: "day of month", least: 1, most: 31, also: ", or `L` for the last" },
    Field { name: "month", least: 1, most: 12, also: " or JAN to DEC" },
    Field { name: "day of week", least: 0, most: 7, also: " (0 and 7 are Sunday) or SUN to SAT" },
];

/// The short forms that cron has for common schedules.
const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

fn parse_cron(text: &str) -> Result<Cron, String> {
    let nickname = NICKNAMES.iter().find(|(name, _)| text.trim().eq_ignore_ascii_case(name));
    let text = nickname.map_or(text, |(_, fields)| fields);
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "a schedule needs five fields (minute, hour, day of month, month, day of week), like `0 5 * * *`; this one has {}",
            fields.len()
        ));
    }
    let faults: Vec<String> =
        FIELDS.iter().enumerate().filter_map(|(index, field)| field.fault(index, fields[index])).collect();
    if !faults.is_empty() {
        return Err(faults.join("; "));
    }
    let cron = read(text).map_err(|_| format!("`{text}` is not a valid schedule; write it like `0 5 * * *`"))?;
    match fires(&cron) {
        true => Ok(cron),
        false => Err(format!("`{text}` never fires: none of its months has such a day")),
    }
}

fn read(text: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(croner::parser::Seconds::Disallowed).build().parse(text)
}

impl Field {
    /// What is wrong with `text` as this field. The errors of the cron library are not meant for users.
    fn fault(&self, index: usize, text: &str) -> Option<String> {
        let mut alone = ["*"; FIELDS.len()];
        alone[index] = text;
        let is_nothing = text.split(',').all(str::is_empty);
        if !is_nothing && read(&alone.join(" ")).is_ok() {
            return None;
        }
        let Self { name, least, most, also } = self;
        let numbers = text.split(',').flat_map(|part| part.split(['/', '#']).next().unwrap_or_default().split('-'));
        let outside = numbers.filter_map(|number| number.parse::<u32>().ok()).find(|n| !(*least..=*most).contains(n));
        Some(match outside {
            Some(number) => format!("{name}: `{number}` is not allowed; use {least} to {most}{also}"),
            None => format!(
                "{name}: `{text}` is not valid; use {least} to {most}{also}, lists like `1,2`, ranges like `1-5`, steps like \
                 `*/2`, or `*`"
            ),
        })
    }
}

/// Whether there is a day on which it fires. Dates and weekdays repeat every 28 years. Asking the library for the next
/// time of a schedule that never fires would take seconds.
fn fires(cron: &Cron) -> bool {
    let days = NaiveDate::from_ymd_opt(2024, 1, 1).into_iter().flat_map(|first| first.iter_days().take(29 * 366));
    let matches = |day: NaiveDate| {
        let (pattern, weekday) = (&cron.pattern, Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday()));
        pattern.month_match(day.month()).unwrap_or(false)
            && pattern.day_match(day.year(), day.month(), day.day(), weekday).unwrap_or(false)
    };
    days.into_iter().any(matches)
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
    fn nicknames_are_schedules() {
        let at = |cron| next(cron, "UTC", "2026-03-04T05:06:00Z");
        assert_eq!(at("@daily").as_deref(), Some("2026-03-05T00:00:00+00:00"));
        for (name, fields) in NICKNAMES {
            assert_eq!(at(name), at(fields), "{name}");
        }
    }

    #[test]
    fn a_time_that_is_now_is_not_next() {
        assert_eq!(next("*/15 * * * *", "UTC", "2026-01-01T00:15:00Z").as_deref(), Some("2026-01-01T00:30:00+00:00"));
    }

    fn faults(cron: &str, timezone: &str) -> Vec<ScheduleFault> {
        Schedule::parse(cron, timezone).unwrap_err()
    }

    #[test]
    fn faults_name_the_part_in_words() {
        let cron = |text: &str| match faults(text, "UTC").remove(0) {
            ScheduleFault::Cron(detail) => detail,
            ScheduleFault::Timezone(detail) => panic!("{detail}"),
        };
        assert_eq!(cron("0 25 * * *"), "hour: `25` is not allowed; use 0 to 23");
        assert_eq!(
            cron("61 5 0 1-13 *"),
            "minute: `61` is not allowed; use 0 to 59; day of month: `0` is not allowed; use 1 to 31, or `L` for the last; \
             month: `13` is not allowed; use 1 to 12 or JAN to DEC"
        );
        assert!(cron("x 5 * * *").starts_with("minute: `x` is not valid; use 0 to 59, lists"));
        assert!(cron(", 5 * * *").starts_with("minute: `,` is not valid"));
        assert!(
            cron("0 5 * * 8")
                .contains("day of week: `8` is not allowed; use 0 to 7 (0 and 7 are Sunday) or SUN to SAT")
        );
        assert!(cron("0 5 * *").contains("five fields") && cron("@noon").contains("five fields"));
        assert_eq!(faults("0 25 * * *", "Mars/Base").len(), 2, "both at once");
        assert!(matches!(faults("0 5 * * *", "Mars/Base")[..], [ScheduleFault::Timezone(_)]));
    }

    #[test]
    fn a_schedule_that_never_fires_is_a_fault_and_one_that_rarely_does_is_not() {
        for never in ["0 0 31 2 *", "0 0 30,31 FEB *", "0 0 31 4,6,9,11 *", "0 0 31 1 +MON#1"] {
            assert!(
                matches!(&faults(never, "UTC")[..], [ScheduleFault::Cron(detail)] if detail.contains("never fires"))
            );
        }
        for rare in ["0 0 29 2 *", "0 0 29 2 +MON", "0 0 31 2 MON", "0 0 L 2 *", "0 0 30 1-2 *", "0 0 * * FRI#5"] {
            assert!(next(rare, "UTC", "2026-01-01T00:00:00Z").is_some(), "{rare}");
        }
    }
}
