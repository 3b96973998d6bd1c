//! Users in several ranges of `createdDateTime` at once: one chain of pages is limited by latency, several are limited by
//! Graph's quota. Ranges share their borders, so nobody falls between them; a user on a border comes twice and is stored
//! once. Source: docs/graph.md, «Reading in parallel».

use super::answers::Question;
use super::read_error::Result;
use super::reader::Reader;
use super::request::Request;
use super::staging::Note;
use crate::codes::WarningCode;
use crate::db::mirror::{Batch, Cursor, CursorRow};
use crate::directory::ObjectType;
use crate::filter::{EntityKind, Parsed};
use crate::graph::limiter::Permit;
use crate::graph::{COUNTS_PER_BORDER, RequestOptions};
use crate::run_state::RunWarning;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::collections::HashMap;

/// Before this Entra ID had no users.
const EARLIEST: &str = "2008-01-01T00:00:00Z";

/// Users in ranges that are read at once, when there are many. After a crash the ranges that were started are
/// resumed, because new ones would have other borders.
pub(super) async fn requests(reader: &Reader<'_>) -> Result<Option<Vec<Request>>> {
    let stored = reader.staging.cursors(ObjectType::Users.as_str()).await?;
    let mut conditions = stored_conditions(&stored);
    if conditions.is_empty() {
        if !stored.is_empty() {
            return Ok(None);
        }
        let rule = reader.run.job.filter.rule(EntityKind::Users).map(|rule| &rule.parsed);
        let Some(found) = of_users(reader, rule).await? else { return Ok(None) };
        conditions = found.into_iter().map(|condition| (condition.filter, condition.advanced)).collect();
        // Stored before the first page, so that an attempt after a crash finds them all.
        let cursors = conditions.iter().map(|(filter, advanced)| Cursor {
            collection: ObjectType::Users.as_str().into(),
            part: part_name(filter, *advanced),
            next_link: None,
            done: false,
            pages: 0,
        });
        reader.staging.write(Batch { cursors: cursors.collect(), ..Batch::default() }).await?;
        reader.staging.stored().await?;
    }
    let request = |(filter, advanced): (String, bool)| Request {
        part: part_name(&filter, advanced),
        filter: Some(filter),
        ..reader.dialect.list(&reader.run.job, ObjectType::Users, advanced)
    };
    Ok(Some(conditions.into_iter().map(request).collect()))
}

/// The part of a range is its condition, marked when it is an advanced query.
fn part_name(filter: &str, advanced: bool) -> String {
    format!("{}{filter}", if advanced { "advanced:" } else { "range:" })
}

fn stored_conditions(stored: &HashMap<String, CursorRow>) -> Vec<(String, bool)> {
    let condition = |part: &String| {
        let plain = part.strip_prefix("range:").map(|filter| (filter.to_owned(), false));
        plain.or_else(|| part.strip_prefix("advanced:").map(|filter| (filter.to_owned(), true)))
    };
    stored.keys().filter_map(condition).collect()
}

/// The conditions of the ranges; `None`: one chain is as fast, or the server cannot count or compare.
async fn of_users(reader: &Reader<'_>, rule: Option<&Parsed>) -> Result<Option<Vec<Condition>>> {
    // Several texts may have users in common, so that their numbers do not add up.
    if rule.is_some_and(|rule| rule.requests().len() > 1) {
        return Ok(None);
    }
    let advanced = reader.dialect.is_advanced(&reader.run.job, ObjectType::Users);
    let filter = rule.map(Parsed::text);
    let Some(total) = number(reader, filter).await? else {
        warn_of_serial(reader);
        return Ok(None);
    };
    reader.expect(ObjectType::Users, total);
    let Some(parts) = reader.plan.ranges(total) else { return Ok(None) };
    let Some(borders) = borders(reader, filter, total, parts).await? else {
        warn_of_serial(reader);
        return Ok(None);
    };
    Ok(Some(conditions(filter, advanced, &borders)))
}

/// How many users an earlier attempt of this run expected.
pub(super) async fn noted_number(reader: &Reader<'_>) -> Result<Option<u64>> {
    Ok(reader.staging.noted(Note::UserCount).await?.and_then(|number| number.parse().ok()))
}

/// How many users there are, asked once in a run; `None`: the server does not count.
async fn number(reader: &Reader<'_>, filter: Option<&str>) -> Result<Option<u64>> {
    // Noted without a number: the server does not count.
    if let Some(number) = reader.staging.noted(Note::UserCount).await? {
        return Ok(number.parse().ok());
    }
    let (number, request) = ask(reader, filter).await?;
    let text = number.map(|number| number.to_string());
    reader.staging.note_answer(Note::UserCount, text.as_deref(), request).await?;
    Ok(number)
}

/// How many users fulfil a condition, asked once in a run; `None`: the server does not count.
pub(super) async fn count(reader: &Reader<'_>, condition: Option<&str>) -> Result<Option<u64>> {
    let question = Question::new(ObjectType::Users.as_str(), "count", condition.map(str::as_bytes));
    reader.once(question, ask(reader, condition)).await
}

async fn ask(reader: &Reader<'_>, condition: Option<&str>) -> Result<(Option<u64>, Option<Permit>)> {
    Ok(reader.session.count_held("users", condition, &RequestOptions::advanced()).await?)
}

fn warn_of_serial(reader: &Reader<'_>) {
    let detail = "The server does not count or compare by createdDateTime; users are read one page after another.";
    reader.run.progress.warn(RunWarning::new(WarningCode::PartitionRefused, detail));
}

/// One range.
struct Condition {
    filter: String,
    /// Asking for null needs an advanced query, which allows no `$expand`; the filter itself may be one.
    advanced: bool,
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

/// Points in time between which about the same number of users were created, found by bisection.
async fn borders(
    reader: &Reader<'_>,
    filter: Option<&str>,
    total: u64,
    parts: u64,
) -> Result<Option<Vec<DateTime<Utc>>>> {
    // The same in each attempt: the counts of an earlier one are then answers to the same questions.
    let question = Question::new(ObjectType::Users.as_str(), "now", []);
    let now = reader.once(question, async { Ok((reader.run.app.clock.now(), None)) }).await?;
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
) -> Result<Option<DateTime<Utc>>> {
    for _ in 0..COUNTS_PER_BORDER {
        let middle = from + (to - from) / 2;
        let middle = middle - TimeDelta::nanoseconds(i64::from(middle.timestamp_subsec_nanos()));
        let range = format!("createdDateTime le {}", text(middle));
        let condition = filter.map_or(range.clone(), |filter| format!("({filter}) and {range}"));
        let Some(count) = count(reader, Some(&condition)).await? else { return Ok(None) };
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
