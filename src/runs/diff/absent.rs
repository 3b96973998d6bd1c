//! Objects that were delivered and are no longer seen: counted, kept, marked or removed, as the policy says.

use super::outbox::{Outbox, unchanged};
use super::payload::hash;
use crate::codes::WarningCode;
use crate::db::mirror::delivered::{self, DeliveredRow, NewChange};
use crate::destination::MissingObjects;
use crate::directory::{Lifecycle, ObjectType};
use crate::error::{Error, Result};
use crate::filter::{EntityKind, ScopeGroups, ScopeUsers};
use crate::job::RemovalPolicy;
use crate::run_state::{ChangeAction, ChangeReason, RunWarning};
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use uuid::Uuid;

const PAGE: i64 = 1000;

#[derive(Default)]
pub(super) struct Absent {
    /// Delivered, and not seen for the first time.
    pub newly_missing: u64,
    /// Delivered, and not sent again.
    pub left_out: u64,
}

/// What happens to the delivered objects of a type that this read did not see.
pub(super) async fn judge(
    run: &Run,
    object_type: ObjectType,
    everything: bool,
    outbox: &mut Outbox<'_>,
) -> Result<Absent, Stop> {
    let (organization, job, source) = (run.job.organization, (run.job.id, run.lease.run), run.source());
    let mut absent = Absent::default();
    let mut after = None;
    loop {
        let rows = run
            .tx("absent objects", async move |tx| {
                delivered::absent(tx, organization, job, source, object_type.as_str(), after, PAGE).await
            })
            .await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id);
        for row in rows {
            judge_one(run, object_type, everything, row, outbox, &mut absent).await?;
        }
    }
    warn_of_removals(run, &absent);
    Ok(absent)
}

/// The same, where only these objects can be gone, and those that were missing before. `ids`: ascending.
pub(super) async fn judge_some(
    run: &Run,
    object_type: ObjectType,
    ids: &[Uuid],
    outbox: &mut Outbox<'_>,
) -> Result<Absent, Stop> {
    let (organization, job) = (run.job.organization, (run.job.id, run.lease.run));
    let missing =
        run.tx("missing objects", async move |tx| delivered::missing_ids(tx, organization, job.0, object_type).await);
    let ids: BTreeSet<Uuid> = missing.await?.into_iter().chain(ids.iter().copied()).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut absent = Absent::default();
    for ids in ids.chunks(PAGE as usize) {
        let rows = run.tx("absent objects", async move |tx| {
            delivered::absent_among(tx, organization, job, object_type, ids).await
        });
        for row in rows.await? {
            judge_one(run, object_type, false, row, outbox, &mut absent).await?;
        }
    }
    warn_of_removals(run, &absent);
    Ok(absent)
}

fn warn_of_removals(run: &Run, absent: &Absent) {
    if absent.newly_missing > 0 && run.job.policy == RemovalPolicy::Remove && !has_api(run) {
        let detail =
            "Missing objects should be removed, but the destination has no `api` to remove them by; they are kept.";
        let advice = "Give the destination `api` with the site's URL, an email address and an API token; or choose the policy keep or mark.";
        run.progress.degrade(RunWarning::new(WarningCode::RemovalNeedsApi, detail).with_advice(advice));
    }
}

fn has_api(run: &Run) -> bool {
    run.job.destination.as_ref().is_some_and(|destination| destination.api.is_some())
}

async fn judge_one(
    run: &Run,
    object_type: ObjectType,
    everything: bool,
    row: DeliveredRow,
    outbox: &mut Outbox<'_>,
    absent: &mut Absent,
) -> Result<()> {
    if row.marked {
        // It stays as a record, in every complete delivery, or Assets would treat it as missing.
        return if everything { outbox.push(unchanged(object_type, row.id)).await } else { Ok(()) };
    }
    let is_new = row.missing_runs == 0;
    absent.newly_missing += u64::from(is_new);
    let due = row.missing_runs + 1 >= run.job.after_missing_runs;
    let action = match run.job.policy {
        RemovalPolicy::Mark if due => ChangeAction::Mark,
        RemovalPolicy::Remove if due && has_api(run) => ChangeAction::Remove,
        RemovalPolicy::Keep | RemovalPolicy::Mark | RemovalPolicy::Remove => ChangeAction::Missing,
    };
    run.progress.count(object_type.as_str(), |count| {
        count.missing += 1;
        count.removed += u64::from(action == ChangeAction::Remove);
        count.marked += u64::from(action == ChangeAction::Mark);
        // Its lifecycle changes.
        count.updated += u64::from(action == ChangeAction::Mark);
    });
    let reason = row.missing_reason.unwrap_or_else(|| reason(run, object_type));
    let change = change_of(run, object_type, row, action, reason, everything)?;
    absent.left_out += u64::from(!change.send);
    outbox.push(change).await
}

fn change_of(
    run: &Run,
    object_type: ObjectType,
    row: DeliveredRow,
    action: ChangeAction,
    reason: ChangeReason,
    everything: bool,
) -> Result<NewChange> {
    let missing_before = row.missing_runs > 0;
    let after = match action {
        ChangeAction::Mark => Some(removed_payload(&row.payload, run.app.clock.now())?),
        _ => None,
    };
    Ok(NewChange {
        seq: 0,
        object_type,
        object_id: row.id,
        label: row.label,
        action,
        reason: Some(reason),
        send: match action {
            // What is removed is sent once more, so that Assets does not act on it, and says where it is.
            ChangeAction::Mark | ChangeAction::Remove => true,
            _ => everything && is_kept(run),
        },
        hash: after.as_ref().map(|payload| hash(run, payload)),
        // The run in which the object went missing already reported it.
        before: (action != ChangeAction::Missing || !missing_before).then_some(row.payload),
        after,
        missing_before,
    })
}

/// Whether a missing object is sent again, so that Assets does not treat it as missing. Where the admin
/// has said that Assets updates or removes what is missing, and asks for nothing else, that is meant.
fn is_kept(run: &Run) -> bool {
    let meant = run
        .job
        .destination
        .as_ref()
        .is_some_and(|d| matches!(d.missing_objects, MissingObjects::Update | MissingObjects::Remove));
    !(meant && run.job.policy == RemovalPolicy::Keep)
}

/// Without anything that could leave it out, an object that is not seen was deleted.
fn reason(run: &Run, object_type: ObjectType) -> ChangeReason {
    let filter = &run.job.filter;
    let is_narrowed = match object_type {
        ObjectType::Users => {
            filter.rule(EntityKind::Users).is_some()
                || filter.scope.users != ScopeUsers::All
                || filter.limits.max_users.is_some()
        }
        ObjectType::Groups => {
            filter.rule(EntityKind::Groups).is_some()
                || filter.scope.groups != ScopeGroups::All
                || filter.limits.max_groups.is_some()
        }
        // The credentials of an application are where it is.
        ObjectType::AppCredentials => filter.rule(EntityKind::Applications).is_some(),
        _ => EntityKind::ALL.into_iter().any(|kind| kind.object_type() == object_type && filter.rule(kind).is_some()),
    };
    let excludes = matches!(object_type, ObjectType::Users | ObjectType::Groups) && !filter.exclude.is_empty();
    if is_narrowed || excludes { ChangeReason::OutOfScope } else { ChangeReason::Deleted }
}

/// The payload of an object that is kept as a record: as it was, with Lifecycle and Removed On set.
fn removed_payload(payload: &str, now: DateTime<Utc>) -> Result<String> {
    let mut map: Map<String, Value> = serde_json::from_str(payload).map_err(Error::internal)?;
    map.insert("lifecycle".to_owned(), Lifecycle::Removed.as_str().into());
    map.insert("removedOn".to_owned(), now.to_rfc3339_opts(SecondsFormat::Secs, true).into());
    Ok(Value::Object(map).to_string())
}

/// Sends everything that was delivered of a type as it was, but for what was missing already and is left for Assets to
/// act on. Returns how many are left out.
pub(super) async fn repeat(run: &Run, object_type: ObjectType, outbox: &mut Outbox<'_>) -> Result<u64, Stop> {
    let (organization, job) = (run.job.organization, run.job.id);
    let mut left_out = 0;
    let mut after: Option<Uuid> = None;
    loop {
        let rows = run
            .tx("delivered objects", async move |tx| {
                delivered::page(tx, organization, job, object_type.as_str(), after, PAGE).await
            })
            .await?;
        let Some(last) = rows.last() else { return Ok(left_out) };
        after = Some(last.id);
        for row in rows {
            if row.missing_runs > 0 && !row.marked && !is_kept(run) {
                left_out += 1;
            } else {
                outbox.push(unchanged(object_type, row.id)).await?;
            }
        }
    }
}
