//! Why one object is imported or not: every rule that decides it, with the value that was seen, and what to change.
//!
//! An explanation decides by the same rules as a run. It reads the mirror, and asks Graph for the one object where the
//! mirror does not know it or was read by other settings. It writes nothing.

mod conclusion;
mod delivery;
mod known;
mod live;
mod report;
mod rules;
mod scope;
mod subject;

pub use report::{Explanation, Outcome, StepName, StepVerdict, ValueSource};

use crate::app::App;
use crate::directory_lookup::DirectoryMatch;
use crate::error::Result;
use crate::filter::EntityKind;
use crate::ids::{JobId, OrganizationId};
use crate::runs::context::JobContext;
use futures_util::future::{Either, select};
use known::{JobRecords, KnownObject, read_object};
use live::Live;
use serde_json::{Map, Value, json};
use std::pin::pin;
use std::time::Duration;
use subject::{Search, Subject, singular};
use tokio_util::sync::CancellationToken;

/// The time of an explanation. When it is over, what is not known from Graph stays unknown.
const DEADLINE: Duration = Duration::from_secs(15);

/// Explains why the job imports the object with this id or name, or why it does not. `may_ask`: whether Graph may be asked;
/// otherwise what is not stored stays unknown.
///
/// # Errors
/// The job does not exist, or its credential cannot be opened.
pub async fn explain(
    app: &App,
    organization: OrganizationId,
    job: JobId,
    (kind, key): (EntityKind, &str),
    may_ask: bool,
) -> Result<Explanation> {
    let job = JobContext::load(app, organization, job).await?;
    let cancel = CancellationToken::new();
    let live = Live::new(app, job.identity.clone(), may_ask, cancel.clone());
    let explaining = pin!(walk(app, &live, &job, kind, key.trim()));
    match select(explaining, pin!(app.clock.sleep(DEADLINE))).await {
        Either::Left((explained, _)) => explained,
        Either::Right(((), explaining)) => {
            cancel.cancel();
            explaining.await
        }
    }
}

/// The type of objects of a kind.
async fn walk(app: &App, live: &Live, job: &JobContext, kind: EntityKind, key: &str) -> Result<Explanation> {
    let (organization, object_type) = (job.organization, kind.object_type());
    let known = app.db.read(organization, async |tx| JobRecords::load(tx, job, object_type, key).await).await?;
    let rule = job.filter.rule(kind).map(|rule| &rule.parsed);
    let mut search = subject::find(live, &known, kind, key, rule).await?;
    let found = subject::step(&search, kind, key);
    let mut steps = vec![rules::selected(job, object_type), found];
    steps.push(delivery::permission(&known, object_type));
    if let Search::Nothing(None) = &search
        && let Some(gone) = gone(&known)
    {
        search = Search::One(gone);
    }
    let (subject, candidates) = match search {
        Search::One(subject) => (Some(subject), Vec::new()),
        Search::Several(candidates) => (None, candidates),
        Search::Nothing(_) => (None, Vec::new()),
    };
    if let Some(subject) = &subject {
        let id = subject.id;
        let object = app.db.read(organization, async |tx| KnownObject::load(tx, job, object_type, id).await).await?;
        if subject.source != ValueSource::Delivered {
            steps.push(rules::condition(live, &job.filter, kind, subject).await);
            steps.push(rules::exclusion(&job.filter, kind, subject));
            steps.push(scope::step(app, live, job, kind, (subject, &object)).await?);
            steps.push(rules::limit(&job.filter, kind, subject, &object));
        }
        steps.push(delivery::read(&known, &object, singular(kind)));
        steps.push(delivery::delivered(job, &known, &object, singular(kind)));
        steps.extend(delivery::assets(&known, &object, object_type, singular(kind))?);
    }
    let concluded = conclusion::of(job, kind, subject.as_ref(), &steps);
    Ok(Explanation {
        object_type,
        key: key.to_owned(),
        object: subject.as_ref().map(|subject| DirectoryMatch::new(subject.id, &subject.object)),
        candidates,
        outcome: concluded.outcome,
        conclusion: concluded.sentence,
        advice: concluded.advice,
        source: subject.map(|subject| subject.source),
        read_at: known.mirror.read_at,
        steps,
    })
}

/// An object that Assets has and that neither the mirror nor Graph knows any more.
fn gone(known: &JobRecords) -> Option<Subject> {
    if known.mirrored.iter().filter_map(read_object).next().is_some() {
        return None;
    }
    let [delivered] = known.delivered.as_slice() else { return None };
    let mut object = Map::new();
    object.insert("displayName".to_owned(), json!(delivered.label));
    object.retain(|_, value: &mut Value| !value.is_null());
    Some(Subject { id: delivered.id, object, source: ValueSource::Delivered, stale: None })
}
