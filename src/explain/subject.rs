//! Finds the object that an explanation is about: in the mirror, else in the directory, else among what was delivered.

use super::known::{JobRecords, read_object};
use super::live::{Live, MAX_CANDIDATES, Object, Unanswered};
use super::report::{Step, StepName, StepVerdict, ValueSource};
use crate::directory_lookup::DirectoryMatch;
use crate::error::Result;
use crate::filter::{EntityKind, Parsed};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The object that is explained.
pub(super) struct Subject {
    pub id: Uuid,
    pub object: Map<String, Value>,
    pub source: ValueSource,
    /// Why its values may be out of date.
    pub stale: Option<Unanswered>,
}

/// What was found for a key.
pub(super) enum Search {
    One(Subject),
    Several(Vec<DirectoryMatch>),
    /// There is no such object, or nobody can say.
    Nothing(Option<Unanswered>),
}

/// The object with this id or name. The values come from the mirror if they decide what a run would decide now.
pub(super) async fn find(
    live: &Live,
    known: &JobRecords,
    kind: EntityKind,
    key: &str,
    rule: Option<&Parsed>,
) -> Result<Search> {
    let mirrored: Vec<Object> = known.mirrored.iter().filter_map(read_object).collect();
    if mirrored.len() > 1 {
        return Ok(several(mirrored));
    }
    let key = mirrored.first().map_or_else(|| key.to_owned(), |(id, _)| id.to_string());
    let is_enough = known.is_current && !rule.is_some_and(Parsed::needs_a_list);
    if is_enough && let Some((id, object)) = mirrored.first().cloned() {
        return Ok(Search::One(Subject { id, object, source: ValueSource::Mirror, stale: None }));
    }
    let asked = live.find(kind, &key, rule).await;
    Ok(match (asked, mirrored.into_iter().next()) {
        (Ok(found), _) if found.len() > 1 => several(found),
        (Ok(found), None) => match found.into_iter().next() {
            Some((id, object)) => Search::One(Subject { id, object, source: ValueSource::Graph, stale: None }),
            None => Search::Nothing(None),
        },
        (Ok(found), Some((id, object))) => match found.into_iter().next() {
            Some((id, object)) => Search::One(Subject { id, object, source: ValueSource::Graph, stale: None }),
            None => {
                let stale = Some(Unanswered::new("Microsoft Graph no longer has the object"));
                Search::One(Subject { id, object, source: ValueSource::Mirror, stale })
            }
        },
        (Err(unanswered), Some((id, object))) => {
            Search::One(Subject { id, object, source: ValueSource::Mirror, stale: Some(unanswered) })
        }
        (Err(unanswered), None) => Search::Nothing(Some(unanswered)),
    })
}

fn several(found: Vec<Object>) -> Search {
    Search::Several(found.iter().take(MAX_CANDIDATES).map(|(id, object)| DirectoryMatch::new(*id, object)).collect())
}

/// The step that says whether there is such an object.
pub(super) fn step(search: &Search, kind: EntityKind, key: &str) -> Step {
    let (name, one) = (StepName::Found, singular(kind));
    match search {
        Search::One(subject) => {
            let who = DirectoryMatch::new(subject.id, &subject.object);
            let where_from = match (subject.source, &subject.stale) {
                (ValueSource::Mirror, None) => "The job's mirror has",
                (ValueSource::Mirror, Some(_)) => "The job's mirror has, from its last complete read,",
                (ValueSource::Graph, _) => "Microsoft Graph has",
                (ValueSource::Delivered, _) => "Assets has",
            };
            let shown = who.display_name.unwrap_or_else(|| subject.id.to_string());
            let step = Step::new(name, StepVerdict::Passed, format!("{where_from} the {one} «{shown}»."));
            step.seen(subject.id.to_string())
        }
        Search::Several(candidates) => {
            let number = candidates.len();
            let many = if number == MAX_CANDIDATES { format!("At least {number}") } else { number.to_string() };
            Step::new(name, StepVerdict::Unknown, format!("{many} {}s are named «{key}».", one))
                .advice("Ask for one of them by its id.")
        }
        Search::Nothing(None) => {
            let detail = format!("There is no {one} with the id or name «{key}» in the directory.");
            Step::new(name, StepVerdict::Failed, detail)
                .advice("Compare the spelling, or use the object id from the Entra admin center. Deleted users and groups are there under «Deleted».")
        }
        Search::Nothing(Some(unanswered)) => {
            let detail = format!("Whether there is a {one} «{key}» is not known: {}.", unanswered.why);
            Step::new(name, StepVerdict::Unknown, detail).advice(unanswered.advice)
        }
    }
}

pub(super) const fn singular(kind: EntityKind) -> &'static str {
    kind.object_type().spec().singular
}
