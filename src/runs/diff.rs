//! Compares what was seen with what was delivered. The result is the list of the run's changes, which is also the outbox
//! of its delivery. Everything here is local, so after a crash the comparison simply starts again.

mod absent;
pub mod adoption;
pub mod diffed;
mod memberships;
mod not_cleared;
mod outbox;
mod payload;
mod receiver;
mod same;
mod size;
mod targets;

use super::collect::collected::Collected;
use super::progress::Work;
use super::run::Run;
use super::stop::Stop;
use crate::codes::RunErrorCode;
use crate::db::mirror;
use crate::db::mirror::delivered::{self, NewChange};
use crate::db::mirror::read::{self, SeenRow};
use crate::destination::MissingObjects;
use crate::directory::{self, Item, Link, ObjectType, Properties};
use crate::error::{Error, Result};
use crate::job::Deliver;
use crate::mapping::TextChange;
use crate::run_state::{ChangeAction, ChangeReason, RunMode, RunStage, TypeCounts};
use diffed::{Diffed, Planned, pull_brake};
use futures_util::{Stream, StreamExt};
use memberships::GroupsOf;
use outbox::{BATCH, Outbox, seen_again, unchanged};
use payload::{Built, Referring, hash, payload};
use receiver::Change;
use same::SameValues;
use std::collections::{BTreeMap, HashMap};
use targets::Targets;
use uuid::Uuid;

/// What objects that are compared together take, about: some groups have a hundred thousand members.
const BATCH_BYTES: usize = 2 << 20;
/// The order in which types are sent: what others refer to comes first.
fn in_order() -> [ObjectType; ObjectType::ALL.len()] {
    let mut order = ObjectType::ALL;
    order.sort_by_key(|object_type| object_type.spec().rank);
    order
}

/// Compares type by type.
pub async fn diff(run: &Run, collected: &Collected) -> Result<Diffed, Stop> {
    let Before { known, resend, of_others } = begin(run, collected).await?;
    let mut outbox = Outbox::new(run);
    let mut whole = Vec::new();
    let targets = Targets::load(run, collected).await?;
    let mut brake = None;
    let mut left_out = 0;
    for object_type in in_order() {
        let delivered = known.get(object_type.as_str()).copied().unwrap_or(0);
        let everything = sends_everything(run) || resend.contains(&object_type.as_str().to_owned());
        if everything && run.mode != RunMode::Test {
            whole.push(object_type);
        }
        if collected.types.contains(&object_type) {
            outbox.reduced = 0;
            for stored_as in [Some(object_type.as_str()), mirror::stub_name(object_type)].into_iter().flatten() {
                compare(run, collected, object_type, stored_as, &targets, everything, &mut outbox).await?;
            }
            if run.mode != RunMode::Test {
                let absent = absent::judge(run, object_type, everything, &mut outbox).await?;
                left_out += absent.left_out;
                let missing = absent.newly_missing + outbox.reduced;
                brake = brake.or_else(|| pull_brake(run, object_type, missing, delivered));
            }
        } else if everything && run.mode != RunMode::Test {
            // Not read: what was delivered is sent again, so that Assets does not treat it as missing.
            left_out += absent::repeat(run, object_type, &mut outbox).await?;
        }
        outbox.flush().await?;
    }
    outbox.not_cleared.warn(run);
    let created = run.progress.counts().values().map(|count| count.created).sum();
    let warnings = size::warnings(known.values().sum(), created, outbox.many_references);
    warnings.into_iter().for_each(|warning| run.progress.warn(warning));
    let (organization, lease) = (run.job.organization, run.lease);
    let sends =
        run.tx("outbox counts", async move |tx| delivered::outbox_counts(tx, organization, lease.run).await).await?;
    if run.job.destination.is_some() {
        sends.iter().for_each(|(object_type, rows)| run.progress.count(object_type, |count| count.sent = *rows));
    }
    let planned = |count: &TypeCounts| Planned { changed: count.created + count.updated, marked: count.marked };
    let planned = run.progress.counts().iter().map(|(name, count)| (name.clone(), planned(count))).collect();
    for (object_type, held) in of_others {
        let missing = held.saturating_sub(sends.get(&object_type).copied().unwrap_or(0));
        brake = brake.or_else(|| object_type.parse().ok().and_then(|of| pull_brake(run, of, missing, held)));
    }
    if let Some(brake) = &brake {
        brake.warn(run);
    }
    Ok(Diffed {
        sends,
        planned,
        brake,
        adoption: None,
        compared: false,
        whole,
        left_out,
        references: outbox.references,
        settings: run.job.settings(),
        generation: collected.generation,
    })
}

/// What a comparison begins with.
struct Before {
    /// Delivered objects by type.
    known: BTreeMap<String, u64>,
    /// Types to send whole because Assets may have lost some.
    resend: Vec<String>,
    /// Objects by type that other jobs left in the destination, where this one has not delivered yet and Assets may act on
    /// what is missing.
    of_others: BTreeMap<String, u64>,
}

/// Clears an earlier attempt, and forgets what was delivered when it went somewhere else.
async fn begin(run: &Run, collected: &Collected) -> Result<Before, Stop> {
    let (organization, job, lease) = (run.job.organization, run.job.id, run.lease);
    let change = receiver::compare(run).await?;
    let (known, mirror) = run
        .tx("begin the comparison", async |tx| {
            delivered::clear_changes(tx, &lease).await?;
            let mut mirror = mirror::find(tx, organization, job).await?;
            if run.mode != RunMode::DryRun {
                receiver::note(tx, run, &mut mirror, change).await?;
            }
            Ok((delivered::counts(tx, organization, job).await?, mirror))
        })
        .await?;
    let counts = run.progress.counts();
    let read = collected.types.iter().filter_map(|object_type| counts.get(object_type.as_str()));
    run.progress.enter(&run.app, RunStage::Diff, Some(read.map(|count| count.read).sum()));
    let to = run.job.destination.as_ref().filter(|to| to.missing_objects != MissingObjects::Ignore);
    let Some(to) = to else { return Ok(Before { known, resend: mirror.resend, of_others: BTreeMap::new() }) };
    let has_delivered = mirror.delivered_to == Some(to.id) && mirror.delivered_at.is_some();
    let has_others = !has_delivered && to.delivered_at.is_some() && change != Change::ImportSource;
    if run.mode == RunMode::Test && (has_delivered || has_others) {
        return Err(Stop::failed(
            RunStage::Diff,
            RunErrorCode::TestWouldRemove,
            "A test sends only a part, and this destination already has objects that Assets could then treat as missing.",
            "Use a dryRun; or set missingObjects to ignore once «Missing objects» is set to Ignore in Assets.",
        ));
    }
    let of_others = if has_others { to.holds.clone() } else { BTreeMap::new() };
    Ok(Before { known, resend: mirror.resend, of_others })
}

/// Unless Assets ignores what is missing from an execution, every delivery has to be whole.
fn sends_everything(run: &Run) -> bool {
    let ignores = run.job.destination.as_ref().is_none_or(|d| d.missing_objects == MissingObjects::Ignore);
    !ignores || run.delivery() == Deliver::Full
}

/// Compares the seen objects of one type, or its stubs, with what was delivered of them.
async fn compare(
    run: &Run,
    collected: &Collected,
    object_type: ObjectType,
    stored_as: &'static str,
    targets: &Targets,
    everything: bool,
    outbox: &mut Outbox<'_>,
) -> Result<(), Stop> {
    let (organization, job, source) = (run.job.organization, run.job.id, run.source());
    let is_stub = stored_as != object_type.as_str();
    let carries = |link| !is_stub && run.job.mapping.carries(object_type, link);
    let carries_all = object_type == ObjectType::Users && carries(Link::AllGroups);
    let parents = match carries_all {
        true => Some(GroupsOf::load(run, targets, ObjectType::Groups).await?),
        false => None,
    };
    let groups_of = match object_type {
        ObjectType::Users if carries(Link::Groups) || carries_all => {
            Some(GroupsOf::load(run, targets, object_type).await?)
        }
        ObjectType::Groups if carries(Link::ParentGroups) => Some(GroupsOf::load(run, targets, object_type).await?),
        _ => None,
    };
    let same = SameValues::load(run, collected, object_type).await?;
    let referring = Referring { targets, groups_of, parents, same };
    let with_members = object_type == ObjectType::Groups && carries(Link::Members);
    run.tx("compare", async |tx| {
        let rows = match with_members {
            true => read::groups_with_users(tx, organization, job, source).await?,
            false => read::objects(tx, organization, job, source, object_type.as_str(), stored_as).await?,
        };
        let mut rows = rows.fuse();
        loop {
            let batch = next_batch(&mut rows).await?;
            if batch.is_empty() {
                return Ok(());
            }
            let compared = batch.len() as u64;
            compare_batch(run, object_type, is_stub, &referring, everything, batch, outbox).await?;
            run.progress.advance(Work::Objects, compared);
        }
    })
    .await?;
    Ok(())
}

/// The next objects, as many as are compared together; empty at the end.
async fn next_batch(rows: &mut (impl Stream<Item = Result<SeenRow>> + Unpin)) -> Result<Vec<SeenRow>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH
        && bytes < BATCH_BYTES
        && let Some(row) = rows.next().await
    {
        let row = row?;
        bytes += row.data.len() + row.members.as_deref().map_or(0, size_of_val);
        batch.push(row);
    }
    Ok(batch)
}

async fn compare_batch(
    run: &Run,
    object_type: ObjectType,
    is_stub: bool,
    referring: &Referring<'_>,
    everything: bool,
    batch: Vec<SeenRow>,
    outbox: &mut Outbox<'_>,
) -> Result<()> {
    let mut changed = Vec::new();
    let keeps_groups = object_type == ObjectType::Users && !is_stub && referring.targets.groups_lost;
    let kept = match keeps_groups {
        true => payloads(run, object_type, delivered_ids(batch.iter())).await?,
        false => HashMap::new(),
    };
    for row in batch {
        let properties: Properties = serde_json::from_str(&row.data).map_err(Error::internal)?;
        let Built { text: payload, references, dropped } = match is_stub {
            true => Built { text: run.job.mapping.stub(object_type, row.id, &properties), references: 0, dropped: 0 },
            false => {
                let before = kept.get(&row.id);
                let groups = before.and_then(|before| run.job.mapping.linked(object_type, Link::Groups, before));
                payload(run, object_type, referring, &row, &properties, groups)
            }
        };
        if dropped > 0 && run.job.filter.narrows() {
            run.progress.count(object_type.as_str(), |count| count.dropped_references += dropped as u64);
        }
        let hash = hash(run, &payload);
        let is_same = row.delivered_hash.as_deref() == Some(&hash[..]);
        // A test does not read the targets of groups, and not always the groups of users: objects that were delivered
        // before stay unchanged. Nor does a test know which spelling of a value most users have.
        let is_whole = match object_type {
            ObjectType::Groups => false,
            ObjectType::Users => referring.targets.memberships,
            _ => !matches!(object_type.spec().collection.item, Item::Values),
        };
        let is_partial = run.mode == RunMode::Test && !is_whole && row.delivered_hash.is_some();
        if is_partial || (is_same && row.marked != Some(true)) {
            run.progress.count(object_type.as_str(), |count| count.unchanged += 1);
            // One that was missing may have been removed by Assets meanwhile.
            let was_missing = row.missing_runs.is_some_and(|runs| runs > 0);
            if was_missing && !is_partial {
                let label = directory::label(object_type, row.id, &properties, &run.app.license_names);
                outbox.push(seen_again(object_type, row.id, label)).await?;
            } else if everything && !is_partial {
                outbox.push(unchanged(object_type, row.id)).await?;
            }
            continue;
        }
        outbox.many_references += u64::from(references > size::RECOMMENDED_REFERENCES);
        let label = directory::label(object_type, row.id, &properties, &run.app.license_names);
        changed.push((row, payload, hash, label));
    }
    let mut before = payloads(run, object_type, delivered_ids(changed.iter().map(|(row, ..)| row))).await?;
    for (row, payload, hash, label) in changed {
        let before = before.remove(&row.id);
        outbox.count_references(object_type, before.as_deref(), &payload);
        // It was there in full, and has left the scope.
        let is_reduced =
            is_stub && before.as_ref().is_some_and(|b| !run.job.mapping.cleared(object_type, b, &payload).is_empty());
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
        let change = NewChange {
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
        };
        outbox.push(change).await?;
    }
    Ok(())
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

async fn payloads(run: &Run, object_type: ObjectType, ids: Vec<Uuid>) -> Result<HashMap<Uuid, String>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (organization, job) = (run.job.organization, run.job.id);
    let name = object_type.as_str();
    run.tx("delivered payloads", async move |tx| delivered::payloads(tx, organization, job, name, &ids).await).await
}
