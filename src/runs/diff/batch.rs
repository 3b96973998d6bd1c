//! Compares objects that were read with what was delivered of them, some at a time.

use super::outbox::{Outbox, seen_again, unchanged};
use super::payload::{Built, Referring, hash, payload};
use crate::assets_limits::RECOMMENDED_VALUES;
use crate::db::mirror::delivered::{self, NewChange};
use crate::db::mirror::read::SeenRow;
use crate::directory::{self, Item, Link, ObjectType, Properties};
use crate::error::{Error, Result};
use crate::mapping::TextChange;
use crate::run_state::{ChangeAction, ChangeReason, RunMode};
use crate::runs::run::Run;
use std::collections::HashMap;
use uuid::Uuid;

/// What objects are compared with.
#[derive(Clone, Copy)]
pub(super) struct Compares<'a> {
    pub object_type: ObjectType,
    /// Its stubs are compared.
    pub is_stub: bool,
    pub referring: &'a Referring<'a>,
    /// What did not change is sent too.
    pub everything: bool,
}

/// An object that is not as it was delivered.
struct Differing {
    row: SeenRow,
    payload: String,
    hash: Vec<u8>,
    label: String,
}

/// Compares some objects, and writes what differs into the outbox.
pub(super) async fn compare_batch(
    run: &Run,
    with: Compares<'_>,
    batch: Vec<SeenRow>,
    outbox: &mut Outbox<'_>,
) -> Result<()> {
    let Compares { object_type, is_stub, .. } = with;
    let mut differing = Vec::new();
    let keeps_groups = object_type == ObjectType::Users && !is_stub && with.referring.targets.groups_lost;
    let kept = match keeps_groups {
        true => payloads(run, object_type, delivered_ids(batch.iter())).await?,
        false => HashMap::new(),
    };
    for row in batch {
        let properties: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
        let Built { text: payload, references, dropped } = build(run, with, &row, &properties, kept.get(&row.id));
        if dropped > 0 {
            outbox.dropped.push((object_type, row.id, i32::try_from(dropped).unwrap_or(i32::MAX)));
        }
        let hash = hash(run, &payload);
        let is_same = row.delivered_hash.as_deref() == Some(&hash[..]);
        let is_partial =
            run.mode == RunMode::Test && !is_whole(object_type, with.referring) && row.delivered_hash.is_some();
        let label = || directory::label(object_type, row.id, &properties, &run.app.license_names);
        if is_partial || (is_same && row.marked != Some(true)) {
            run.progress.count(object_type.as_str(), |count| count.unchanged += 1);
            // One that was missing may have been removed by Assets meanwhile.
            let was_missing = row.missing_runs.is_some_and(|runs| runs > 0);
            if was_missing && !is_partial {
                outbox.push(seen_again(object_type, row.id, label())).await?;
            } else if with.everything && !is_partial {
                outbox.push(unchanged(object_type, row.id)).await?;
            }
            continue;
        }
        outbox.many_references += u64::from(references as u64 > RECOMMENDED_VALUES);
        let label = label();
        differing.push(Differing { row, payload, hash, label });
    }
    let mut before = payloads(run, object_type, delivered_ids(differing.iter().map(|of| &of.row))).await?;
    for of in differing {
        let before = before.remove(&of.row.id);
        let changed = change(run, with, of, before, outbox);
        outbox.push(changed).await?;
    }
    Ok(())
}

/// What is sent of an object, or of its stub. `before`: what was delivered of it, where its groups cannot be read now.
fn build(run: &Run, with: Compares<'_>, row: &SeenRow, properties: &Properties, before: Option<&String>) -> Built {
    let Compares { object_type, referring, .. } = with;
    if with.is_stub {
        return Built { text: run.job.mapping.stub(object_type, row.id, properties), references: 0, dropped: 0 };
    }
    let groups = before.and_then(|before| run.job.mapping.linked(object_type, Link::Groups, before));
    payload(run, object_type, referring, row, properties, groups)
}

/// Whether a test knows all of an object. It does not read the targets of groups, and not always the groups of users:
/// objects that were delivered before stay unchanged. Nor does it know which spelling of a value most users have.
fn is_whole(object_type: ObjectType, referring: &Referring<'_>) -> bool {
    match object_type {
        ObjectType::Groups => false,
        ObjectType::Users => referring.targets.memberships,
        _ => !matches!(object_type.spec().collection.item, Item::Values),
    }
}

/// The change of an object that is not as it was delivered, counted.
fn change(run: &Run, with: Compares<'_>, of: Differing, before: Option<String>, outbox: &mut Outbox<'_>) -> NewChange {
    let (object_type, Differing { row, payload, hash, label }) = (with.object_type, of);
    outbox.count_references(object_type, before.as_deref(), &payload);
    // It was there in full, and has left the scope.
    let clears = |before: &String| !run.job.mapping.cleared(object_type, before, &payload).is_empty();
    let is_reduced = with.is_stub && before.as_ref().is_some_and(clears);
    outbox.reduced += u64::from(is_reduced);
    let is_back = row.marked == Some(true) || row.missing_runs.is_some_and(|runs| runs > 0);
    let (action, reason) = match (&before, is_back) {
        (None, _) => (ChangeAction::Create, ChangeReason::New),
        (Some(_), true) => (ChangeAction::Restore, ChangeReason::SeenAgain),
        (Some(_), false) if is_reduced => (ChangeAction::Update, ChangeReason::OutOfScope),
        (Some(before), false) => (ChangeAction::Update, why_changed(run, object_type, before, &payload)),
    };
    run.progress.count(object_type.as_str(), |count| match action {
        ChangeAction::Create => count.created += 1,
        _ => count.updated += 1,
    });
    if let Some(before) = &before {
        outbox.not_cleared.count(run, object_type, before, &payload, &label);
    }
    NewChange {
        seq: 0,
        object_type,
        object_id: row.id,
        label: Some(label),
        action,
        reason: Some(reason),
        send: true,
        hash: Some(hash),
        before,
        after: Some(payload),
        missing_before: false,
    }
}

fn why_changed(run: &Run, object_type: ObjectType, before: &str, after: &str) -> ChangeReason {
    match run.job.mapping.text_change(object_type, before, after) {
        TextChange::Mapping => ChangeReason::Mapping,
        TextChange::References => ChangeReason::References,
        TextChange::Values => ChangeReason::Changed,
    }
}

fn delivered_ids<'a>(rows: impl Iterator<Item = &'a SeenRow>) -> Vec<Uuid> {
    rows.filter(|row| row.delivered_hash.is_some()).map(|row| row.id).collect()
}

/// The delivered payloads of some objects of a type.
pub(super) async fn payloads(run: &Run, object_type: ObjectType, ids: Vec<Uuid>) -> Result<HashMap<Uuid, String>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (organization, job) = (run.job.organization, run.job.id);
    let name = object_type.as_str();
    run.tx("delivered payloads", async move |tx| delivered::payloads(tx, organization, job, name, &ids).await).await
}
