//! What a run that has ended found in the directory, told to webhooks: one delivery for each event, however many objects it
//! happened to.

use super::row::{self, RunRow};
use crate::change::{DirectoryEvent, FeedPlace, ValueChange, changes};
use crate::db::Transaction;
use crate::db::schema::{jobs, run_changes};
use crate::db::webhooks::{self, Announcement};
use crate::directory::ObjectType;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::{ChangeAction, RunMode, RunState};
use crate::webhook::WebhookEvent;
use crate::webhook::payload::{ChangedObject, DirectoryChanges, MAX_OBJECTS, Subject};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// Changes whose values are looked at at once.
const AT_ONCE: i64 = 500;

/// What happened, and to whom.
struct Found {
    event: DirectoryEvent,
    count: u64,
    /// The first of them.
    objects: Vec<ChangedObject>,
}

impl Found {
    fn of(event: DirectoryEvent) -> Self {
        Self { event, count: 0, objects: Vec::new() }
    }

    fn add(&mut self, object: ChangedObject) {
        self.count += 1;
        if self.objects.len() < MAX_OBJECTS {
            self.objects.push(object);
        }
    }
}

/// Announces what a run found in the directory, as far as somebody wants to know: of the runs that the feed of the job shows.
pub(super) async fn announce(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    state: RunState,
    now: DateTime<Utc>,
) -> Result<()> {
    if !matches!(state, RunState::Succeeded | RunState::Degraded) {
        return Ok(());
    }
    let run = row::find(tx, organization, id).await?;
    if run.mode == RunMode::DryRun {
        return Ok(());
    }
    let listened = webhooks::listened(tx, organization, Some(JobId(run.job_id))).await?;
    let wanted: Vec<DirectoryEvent> =
        DirectoryEvent::ALL.into_iter().filter(|event| listened.contains(&WebhookEvent::from(*event))).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let job: Option<String> =
        jobs::table.find((organization.0, run.job_id)).select(jobs::name).first(tx).await.optional()?;
    let (by_values, by_action): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|event| !event.deciding().is_empty());
    let mut found = Vec::new();
    for event in by_action {
        found.push(of_action(tx, &run, event).await?);
    }
    found.extend(of_values(tx, &run, &by_values).await?);
    for one in found.into_iter().filter(|one| one.count > 0) {
        let event = WebhookEvent::from(one.event);
        let announcement = announcement(event, one, &run, job.clone());
        webhooks::announce(tx, organization, event, announcement, now).await?;
    }
    Ok(())
}

/// Counts in the database: after a first import these are all objects of the directory. Who was missing before has left
/// before.
async fn of_action(tx: &mut Transaction, run: &RunRow, event: DirectoryEvent) -> Result<Found> {
    let object_type = event.object_type();
    let means = |action: &ChangeAction| DirectoryEvent::of_action(object_type, *action) == Some(event);
    let actions: Vec<ChangeAction> = ChangeAction::ALL.into_iter().filter(means).collect();
    let of_event = || {
        run_changes::table
            .filter(run_changes::organization_id.eq(run.organization_id))
            .filter(run_changes::run_id.eq(run.id))
            .filter(run_changes::object_type.eq(object_type))
            .filter(run_changes::action.eq_any(actions.clone()))
            .filter(run_changes::missing_before.eq(false))
    };
    let count: i64 = of_event().count().get_result(tx).await?;
    let first: Vec<(Uuid, Option<String>)> = of_event()
        .order(run_changes::seq)
        .limit(MAX_OBJECTS as i64)
        .select((run_changes::object_id, run_changes::label))
        .load(tx)
        .await?;
    let object = |(object_id, label)| ChangedObject { object_id, label, changes: Vec::new() };
    Ok(Found { event, count: count.unsigned_abs(), objects: first.into_iter().map(object).collect() })
}

/// A change whose values decide what it means.
type Changed = (i64, ObjectType, Uuid, Option<String>, ChangeAction, Option<String>, Option<String>);

/// Reads the changes in parts, so that memory does not grow with their number.
async fn of_values(tx: &mut Transaction, run: &RunRow, events: &[DirectoryEvent]) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = events.iter().map(|event| Found::of(*event)).collect();
    let types: Vec<ObjectType> = events.iter().map(|event| event.object_type()).collect();
    let mut after = 0;
    while !types.is_empty() {
        let part: Vec<Changed> = run_changes::table
            .filter(run_changes::organization_id.eq(run.organization_id))
            .filter(run_changes::run_id.eq(run.id))
            .filter(run_changes::seq.gt(after))
            .filter(run_changes::object_type.eq_any(types.clone()))
            .filter(run_changes::action.ne(ChangeAction::Unchanged))
            .filter(run_changes::after.is_not_null())
            .order(run_changes::seq)
            .limit(AT_ONCE)
            .select((
                run_changes::seq,
                run_changes::object_type,
                run_changes::object_id,
                run_changes::label,
                run_changes::action,
                run_changes::before,
                run_changes::after,
            ))
            .load(tx)
            .await?;
        let Some(last) = part.last() else { break };
        after = last.0;
        for (_, object_type, object_id, label, action, before, after) in part {
            let mut changes = changes(before.as_deref(), after.as_deref());
            let event = DirectoryEvent::of(object_type, action, &changes);
            let Some(one) = found.iter_mut().find(|one| Some(one.event) == event) else { continue };
            let decides = |change: &ValueChange| one.event.deciding().contains(&change.name.as_str());
            changes.retain(decides);
            one.add(ChangedObject { object_id, label, changes });
        }
    }
    Ok(found)
}

fn announcement(event: WebhookEvent, found: Found, run: &RunRow, job_name: Option<String>) -> Announcement {
    let before = FeedPlace { run: run.id, seq: 0 };
    let changes = DirectoryChanges {
        run_id: RunId(run.id),
        job_id: JobId(run.job_id),
        job_name,
        count: found.count,
        objects: found.objects,
        feed: format!("/v1/jobs/{}/changes?after={}", run.job_id, before.write()),
    };
    Announcement { event: event.into(), subject: Subject::Changes(found.event, changes), run: Some(RunId(run.id)) }
}
