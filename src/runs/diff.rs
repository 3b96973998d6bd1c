//! Compares what was seen with what was delivered. The result is the list of the run's changes, which is also the outbox
//! of its delivery. Everything here is local, so after a crash the comparison simply starts again.

mod absent;
pub mod adoption;
pub mod basis;
mod batch;
pub mod diffed;
mod extent;
mod memberships;
mod not_cleared;
mod outbox;
mod payload;
mod portions;
mod receiver;
mod same;
mod size;
mod targets;
mod touched;

use super::collect::collected::Collected;
use super::progress::Work;
use super::run::Run;
use super::stop::Stop;
use crate::codes::RunErrorCode;
use crate::db::Transaction;
use crate::db::mirror::delivered;
use crate::db::mirror::read::{Seen, SeenRow};
use crate::db::mirror::{self, Counters, MirrorRow, StoredAs, dropped, moved_by};
use crate::destination::MissingObjects;
use crate::directory::{Link, ObjectType};
use crate::error::Result;
use crate::job::Deliver;
use crate::run_state::{RunMode, RunStage, TypeCounts};
use absent::Absent;
use basis::Basis;
use batch::{Compares, compare_batch};
use diffed::{Brake, Diffed, Planned, pull_brake};
use extent::{Extent, Facts};
use memberships::{Groups, GroupsOf};
use outbox::Outbox;
use payload::Referring;
use portions::Portions;
use receiver::Change;
use same::SameValues;
use std::collections::BTreeMap;
use targets::Targets;
use touched::Touched;

/// The order in which types are sent: what others refer to comes first.
fn in_order() -> [ObjectType; ObjectType::ALL.len()] {
    let mut order = ObjectType::ALL;
    order.sort_by_key(|object_type| object_type.spec().rank);
    order
}

/// Compares type by type.
pub async fn diff(run: &Run, collected: &Collected) -> Result<Diffed, Stop> {
    let before = begin(run, collected).await?;
    run.log(&before.extent.to_string()).await?;
    let mut outbox = Outbox::new(run);
    let looks_at = LooksAt::load(run, collected, before.extent, before.is_new_place).await?;
    let Compared { whole, left_out, brake } = compare_types(run, collected, &before, &looks_at, &mut outbox).await?;
    outbox.not_cleared.warn(run);
    let basis = Basis::new(run, &before.mirror, !collected.lost.is_empty(), before.extent == Extent::Touched)?;
    count_dropped(run, &looks_at, &basis, std::mem::take(&mut outbox.dropped)).await?;
    let counts = run.progress.counts();
    let created = counts.values().map(|count| count.created).sum();
    let warnings = size::warnings(before.known.values().sum(), created, outbox.many_references);
    warnings.into_iter().for_each(|warning| run.progress.warn(warning));
    let sends = run.outbox_counts().await?;
    outbox.check().await?;
    if run.job.destination.is_some() {
        sends.iter().for_each(|(of, rows)| run.progress.count(of.as_str(), |count| count.sent = *rows));
    }
    let planned = |count: &TypeCounts| Planned { changed: count.created + count.updated, marked: count.marked };
    let planned = ObjectType::ALL.into_iter().filter_map(|of| Some((of, planned(counts.get(of.as_str())?)))).collect();
    let brake = brake.or_else(|| brake_of_others(run, &before.of_others, &sends));
    if let Some(brake) = &brake {
        brake.warn(run);
    }
    Ok(Diffed {
        sends,
        planned,
        brake,
        adoption: None,
        compared: false,
        looked_up: false,
        whole,
        left_out,
        references: outbox.references,
        settings: run.job.settings(),
        generation: collected.generation,
        basis,
    })
}

/// What a comparison of all types found.
#[derive(Default)]
struct Compared {
    /// Types of which everything in scope is sent.
    whole: Vec<ObjectType>,
    /// Objects that the last delivery had and this one leaves out.
    left_out: u64,
    brake: Option<Brake>,
}

async fn compare_types(
    run: &Run,
    collected: &Collected,
    before: &Before,
    looks_at: &LooksAt<'_>,
    outbox: &mut Outbox<'_>,
) -> Result<Compared, Stop> {
    let is_test = run.mode == RunMode::Test;
    let mut found = Compared::default();
    for object_type in in_order() {
        let delivered = before.known.get(&object_type).copied().unwrap_or(0);
        let everything = sends_everything(run) || before.resend.contains(&object_type);
        if everything && !is_test {
            found.whole.push(object_type);
        }
        if collected.types.contains(&object_type) {
            outbox.reduced = 0;
            let absent = looks_at.compare(run, collected, object_type, everything, outbox).await?;
            if !is_test {
                found.left_out += absent.left_out;
                let missing = absent.newly_missing + outbox.reduced;
                found.brake = found.brake.or_else(|| pull_brake(run, object_type, missing, delivered));
            }
        } else if everything && !is_test && !before.is_new_place {
            // Not read: what was delivered is sent again, so that Assets does not treat it as missing.
            found.left_out += absent::repeat(run, object_type, outbox).await?;
        }
        outbox.flush().await?;
    }
    Ok(found)
}

/// The brake for what other jobs left in the destination and this one does not send.
fn brake_of_others(
    run: &Run,
    of_others: &BTreeMap<ObjectType, u64>,
    sends: &BTreeMap<ObjectType, u64>,
) -> Option<Brake> {
    of_others.iter().find_map(|(object_type, held)| {
        let missing = held.saturating_sub(sends.get(object_type).copied().unwrap_or(0));
        pull_brake(run, *object_type, missing, *held)
    })
}

/// What is compared, and what it is compared with.
enum LooksAt<'a> {
    Everything { targets: Box<Targets>, is_new_place: bool },
    Some(Touched<'a>),
}

impl<'a> LooksAt<'a> {
    async fn load(run: &'a Run, collected: &'a Collected, extent: Extent, is_new_place: bool) -> Result<Self> {
        if let Extent::Everything(_) = extent {
            let targets = Box::new(Targets::load(run, collected).await?);
            return Ok(Self::Everything { targets, is_new_place });
        }
        let touched = Touched::load(run, collected).await?;
        run.progress.expect(Work::Objects, touched.len());
        Ok(Self::Some(touched))
    }

    /// Compares the objects of a type, and judges those that are gone.
    async fn compare(
        &self,
        run: &Run,
        collected: &Collected,
        object_type: ObjectType,
        everything: bool,
        outbox: &mut Outbox<'_>,
    ) -> Result<Absent, Stop> {
        let (targets, is_new_place) = match self {
            Self::Everything { targets, is_new_place } => (targets, *is_new_place),
            Self::Some(touched) => return touched.compare(object_type, outbox).await,
        };
        for stored_as in StoredAs::all_of(object_type) {
            let how = Comparison { everything, is_new_place };
            compare(run, collected, (object_type, stored_as), targets, how, outbox).await?;
        }
        match run.mode {
            RunMode::Test => Ok(Absent::default()),
            _ if is_new_place => Ok(Absent::default()),
            _ => absent::judge(run, object_type, everything, outbox).await,
        }
    }
}

/// Counts the references that are left out, of what was compared and of the rest, and stores what the next comparison needs
/// to know of them.
async fn count_dropped(run: &Run, looks_at: &LooksAt<'_>, basis: &Basis, found: Vec<dropped::Dropped>) -> Result<()> {
    let mut totals: BTreeMap<ObjectType, u64> = BTreeMap::new();
    for (object_type, _, number) in &found {
        *totals.entry(*object_type).or_default() += u64::from(number.unsigned_abs());
    }
    let (organization, job) = (run.job.organization, run.job.id);
    if basis.settings.is_some() {
        let compared = match looks_at {
            LooksAt::Everything { .. } => None,
            LooksAt::Some(touched) => Some(touched.ids()),
        };
        let new = &mut totals;
        run.fenced_tx("references left out", async move |tx| {
            let mut mirror = mirror::find(tx, organization, job).await?;
            let counters = mirror.counters();
            match compared {
                None => dropped::replace(tx, organization, job, &found).await?,
                Some(compared) => {
                    for (of, number) in &counters.dropped {
                        *new.entry(*of).or_default() += number;
                    }
                    for (of, before) in dropped::replace_some(tx, organization, job, &compared, &found).await? {
                        let total = new.entry(of).or_default();
                        *total = moved_by(*total, -before);
                    }
                }
            }
            mirror.set_counters(&Counters { dropped: new.clone(), ..counters })?;
            mirror::save(tx, &mirror).await
        })
        .await?;
    }
    for (of, number) in totals.into_iter().filter(|(_, number)| *number > 0) {
        run.progress.count(of.as_str(), |count| count.dropped_references += number);
    }
    Ok(())
}

/// What a comparison begins with.
struct Before {
    /// Delivered objects by type.
    known: BTreeMap<ObjectType, u64>,
    /// Types to send whole because Assets may have lost some.
    resend: Vec<ObjectType>,
    /// Objects by type that other jobs left in the destination, where this one has not delivered yet and Assets may act on
    /// what is missing.
    of_others: BTreeMap<ObjectType, u64>,
    mirror: MirrorRow,
    extent: Extent,
    /// A dry run, and the place that the job now delivers to has nothing yet: what was delivered is elsewhere, and stays
    /// known until a run delivers.
    is_new_place: bool,
}

/// How the objects of a type are compared.
#[derive(Clone, Copy)]
struct Comparison {
    /// What did not change is sent too.
    everything: bool,
    is_new_place: bool,
}

/// Clears an earlier attempt, and forgets what was delivered when it went somewhere else.
async fn begin(run: &Run, collected: &Collected) -> Result<Before, Stop> {
    let (organization, job, lease) = (run.job.organization, run.job.id, run.lease);
    let change = receiver::compare(run).await?;
    let is_new_place = run.mode == RunMode::DryRun && change.is_elsewhere();
    let (known, mirror, extent) = run
        .tx("begin the comparison", async |tx| {
            delivered::clear_changes(tx, &lease).await?;
            let mut mirror = mirror::find(tx, organization, job).await?;
            if run.mode != RunMode::DryRun {
                receiver::note(tx, run, &mut mirror, change).await?;
            }
            let touched = touched_rows(run, tx, &mirror).await?;
            let extent = extent(run, collected, &mirror, touched)?;
            let known = match extent {
                _ if is_new_place => BTreeMap::new(),
                Extent::Everything(_) => delivered::counts(tx, organization, job).await?,
                Extent::Touched => mirror.counters().held,
            };
            Ok((known, mirror, extent))
        })
        .await?;
    let counts = run.progress.counts();
    let read = collected.types.iter().filter_map(|object_type| counts.get(object_type.as_str()));
    let total = match extent {
        Extent::Everything(_) => read.map(|count| count.read).sum(),
        Extent::Touched => 0,
    };
    run.progress.enter(&run.app, RunStage::Diff, Some(total));
    let resend = if is_new_place { Vec::new() } else { mirror.resend.clone() };
    let to = run.job.destination.as_ref().filter(|to| to.missing_objects != MissingObjects::Ignore);
    let Some(to) = to else {
        return Ok(Before { known, resend, of_others: BTreeMap::new(), mirror, extent, is_new_place });
    };
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
    Ok(Before { known, resend, of_others, mirror, extent, is_new_place })
}

/// How many objects may differ, as far as that matters.
async fn touched_rows(run: &Run, tx: &mut Transaction, mirror: &MirrorRow) -> Result<u64> {
    if !mirror.is_followed() {
        return Ok(0);
    }
    let objects: u64 = mirror.counters().read.values().sum();
    let limit = i64::try_from(objects).unwrap_or(i64::MAX).max(extent::FEW as i64 + 1);
    mirror::touched::count(tx, run.job.organization, run.job.id, limit).await.map(i64::unsigned_abs)
}

/// What has to be compared.
fn extent(run: &Run, collected: &Collected, mirror: &MirrorRow, touched: u64) -> Result<Extent> {
    let compares_by = basis::compared_by(&basis::settings(run)?, mirror.delivered_at);
    Ok(extent::decide(&Facts {
        mode: run.mode,
        is_patch: collected.is_patch,
        is_whole_delivery: sends_everything(run),
        has_lost_types: !collected.lost.is_empty(),
        has_nested_groups: basis::has_nested_groups(run),
        compared_by: mirror.compared_by.as_deref(),
        compares_by: &compares_by,
        generation: mirror.generation,
        read_generation: collected.generation,
        touched_generation: mirror.touched_generation,
        resends: !mirror.resend.is_empty(),
        touched,
        objects: mirror.counters().read.values().sum(),
    }))
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
    (object_type, stored_as): (ObjectType, StoredAs),
    targets: &Targets,
    how: Comparison,
    outbox: &mut Outbox<'_>,
) -> Result<(), Stop> {
    let is_stub = stored_as.is_stub();
    let carries = |link| !is_stub && run.job.mapping.carries(object_type, link);
    let carries_all = object_type == ObjectType::Users && carries(Link::AllGroups);
    let parents = match carries_all {
        true => Some(GroupsOf::load(run, targets, ObjectType::Groups).await?),
        false => None,
    };
    let groups_of = match object_type {
        ObjectType::Users if carries(Link::Groups) || carries_all => {
            Some(Groups::All(GroupsOf::load(run, targets, object_type).await?))
        }
        ObjectType::Groups if carries(Link::ParentGroups) => {
            Some(Groups::All(GroupsOf::load(run, targets, object_type).await?))
        }
        _ => None,
    };
    let same = SameValues::load(run, collected, object_type).await?;
    let referring = Referring { targets, groups_of, parents, same };
    let with_members = object_type == ObjectType::Groups && carries(Link::Members);
    let with = Compares { object_type, is_stub, referring: &referring, everything: how.everything };
    let mut portions = Portions::all(run, Seen { source: run.source(), object_type, stored_as, with_members });
    loop {
        let mut batch = portions.next().await?;
        if batch.is_empty() {
            return Ok(());
        }
        if how.is_new_place {
            batch = batch.into_iter().map(SeenRow::undelivered).collect();
        }
        let compared = batch.len() as u64;
        compare_batch(run, with, batch, outbox).await?;
        run.progress.advance(Work::Objects, compared);
    }
}
