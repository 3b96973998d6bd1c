//! Users in several ranges of `createdDateTime` at once: one chain of pages is bound by latency, several are
//! bound by Graph's quota. Ranges share their borders, so nobody falls between them; who stands on a border
//! comes twice and is stored once. Source: docs/graph.md, «Reading in parallel».

use super::plan;
use super::reader::Reader;
use crate::codes::WarningCode;
use crate::directory::ObjectType;
use crate::filter::Parsed;
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Fewer users than this are read in one chain.
const PARTITION_FROM: u64 = 8_000;
/// Users to a range, about: eight pages.
const USERS_PER_PART: u64 = 8_000;
/// Each holds a page of a megabyte while it reads.
const PARTS_MOST: u64 = 8;
/// Looks at the number of users before a point in time, per border.
const LOOKS_PER_BORDER: u32 = 6;
/// Before this Entra ID had no users.
const EARLIEST: &str = "2008-01-01T00:00:00Z";

/// The conditions of the ranges; `None`: one chain is as good, or the server cannot count or compare.
pub(super) async fn of_users(reader: &Reader<'_>, rule: Option<&Parsed>) -> Result<Option<Vec<Condition>>, Stop> {
    // Several texts may have users in common, so that their numbers do not add up.
    if rule.is_some_and(|rule| rule.requests().len() > 1) {
        return Ok(None);
    }
    let advanced = rule.is_some_and(|rule| rule.advanced);
    let filter = rule.map(Parsed::text);
    let Some(total) = number(reader, filter).await? else {
        warn_of_serial(reader);
        return Ok(None);
    };
    reader.expect(ObjectType::Users, total);
    if total < PARTITION_FROM {
        return Ok(None);
    }
    let parts = (total / USERS_PER_PART).clamp(2, PARTS_MOST);
    let Some(borders) = borders(reader, filter, total, parts).await? else {
        warn_of_serial(reader);
        return Ok(None);
    };
    Ok(Some(conditions(filter, advanced, &borders)))
}

const NUMBER: &str = "usersNumber";

/// How many users an earlier attempt of this run expected.
pub(super) async fn noted_number(reader: &Reader<'_>) -> Result<Option<u64>, Stop> {
    Ok(plan::noted(reader, NUMBER).await?.and_then(|number| number.parse().ok()))
}

/// How many users there are, asked once in a run; `None`: the server does not count.
async fn number(reader: &Reader<'_>, filter: Option<&str>) -> Result<Option<u64>, Stop> {
    if let Some(number) = noted_number(reader).await? {
        return Ok(Some(number));
    }
    let number = reader.session.count("users", filter).await?;
    if let Some(number) = number {
        plan::note(reader, NUMBER, Some(&number.to_string())).await?;
    }
    Ok(number)
}

fn warn_of_serial(reader: &Reader<'_>) {
    let detail = "The server does not count or compare by createdDateTime; users are read one page after another.";
    reader.run.progress.warn(RunWarning::new(WarningCode::PartitionRefused, detail));
}

/// One range.
pub(super) struct Condition {
    pub filter: String,
    /// Asking for null needs an advanced query, which allows no `$expand`; the filter itself may be one.
    pub advanced: bool,
}

fn conditions(filter: Option<&str>, advanced: bool, borders: &[DateTime<Utc>]) -> Vec<Condition> {
    let with = |range: String, asks_for_null: bool| Condition {
        filter: filter.map_or(range.clone(), |filter| format!("({filter}) and {range}")),
        advanced: advanced || asks_for_null,
    };
    let mut conditions = Vec::new();
    if let (Some(first), Some(last)) = (borders.first(), borders.last()) {
        conditions.push(with(format!("createdDateTime le {}", text(*first)), false));
        for pair in borders.windows(2) {
            let range = format!("createdDateTime ge {} and createdDateTime le {}", text(pair[0]), text(pair[1]));
            conditions.push(with(range, false));
        }
        conditions.push(with(format!("createdDateTime ge {}", text(*last)), false));
    }
    // Some old accounts have no date at all.
    conditions.push(with("createdDateTime eq null".to_owned(), true));
    conditions
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Points in time between which about equally many users were created, found by halving.
async fn borders(
    reader: &Reader<'_>,
    filter: Option<&str>,
    total: u64,
    parts: u64,
) -> Result<Option<Vec<DateTime<Utc>>>, Stop> {
    let now = reader.run.app.clock.now();
    let earliest = DateTime::parse_from_rfc3339(EARLIEST).map_or(now, |at| at.with_timezone(&Utc));
    let searches = (1..parts).map(|part| border(reader, filter, total * part / parts, earliest, now));
    let found: Vec<Option<DateTime<Utc>>> = futures_util::future::try_join_all(searches).await?;
    let mut borders: Vec<DateTime<Utc>> = match found.into_iter().collect() {
        Some(borders) => borders,
        None => return Ok(None),
    };
    borders.sort_unstable();
    borders.dedup();
    Ok(Some(borders))
}

/// A point before which about `wanted` users were created; `None` when the server refuses to say.
async fn border(
    reader: &Reader<'_>,
    filter: Option<&str>,
    wanted: u64,
    mut from: DateTime<Utc>,
    mut to: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Stop> {
    for _ in 0..LOOKS_PER_BORDER {
        let middle = from + (to - from) / 2;
        let middle = middle - TimeDelta::nanoseconds(i64::from(middle.timestamp_subsec_nanos()));
        let range = format!("createdDateTime le {}", text(middle));
        let condition = filter.map_or(range.clone(), |filter| format!("({filter}) and {range}"));
        let Some(count) = reader.session.count("users", Some(&condition)).await? else { return Ok(None) };
        if count > wanted { to = middle } else { from = middle }
    }
    let middle = from + (to - from) / 2;
    Ok(Some(middle - TimeDelta::nanoseconds(i64::from(middle.timestamp_subsec_nanos()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_share_their_borders_and_include_those_without_a_date() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let conditions = super::conditions(Some("accountEnabled eq true"), false, &[at(0), at(60)]);
        let texts: Vec<&str> = conditions.iter().map(|condition| condition.filter.as_str()).collect();
        assert_eq!(
            texts,
            [
                "(accountEnabled eq true) and createdDateTime le 1970-01-01T00:00:00Z",
                "(accountEnabled eq true) and createdDateTime ge 1970-01-01T00:00:00Z and createdDateTime le 1970-01-01T00:01:00Z",
                "(accountEnabled eq true) and createdDateTime ge 1970-01-01T00:01:00Z",
                "(accountEnabled eq true) and createdDateTime eq null",
            ]
        );
        assert!(conditions[3].advanced && conditions[..3].iter().all(|condition| !condition.advanced));
        let all_advanced = super::conditions(Some("mail ne null"), true, &[at(0)]);
        assert!(all_advanced.iter().all(|condition| condition.advanced));
    }
}
