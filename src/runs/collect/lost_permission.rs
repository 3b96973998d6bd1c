//! A type that may no longer be read, because a permission was taken away. It is frozen: what was delivered of it
//! stays as it is and can be pointed at, and the other types go on. Where that makes no sense, the run fails.

use super::read_plan::wants_stubs;
use super::reader::{Frozen, Read, Reader};
use crate::codes::{RunErrorCode, WarningCode};
use crate::db::mirror::read::{self, Source};
use crate::db::mirror::{self, MEMBERS, delivered, gone_marker, stub_name};
use crate::directory::ObjectType;
use crate::filter::{ScopeGroups, ScopeUsers};
use crate::permission::{Capability, Standing, standing};
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;

/// What became of the reading of a type.
pub(super) enum Reading<T> {
    Whole(T),
    Frozen(Frozen),
}

/// Reads a type. If Graph refuses it with 403, the type is frozen and what was staged of it forgotten; the refusal
/// itself, where the run cannot go on without the type.
pub(super) async fn unless_refused<T>(
    reader: &Reader<'_>,
    object_type: ObjectType,
    reading: impl Future<Output = Result<T, Stop>>,
) -> Result<Reading<T>, Stop> {
    let refusal = match reading.await {
        Err(Stop::Failed(error)) if error.code == RunErrorCode::GraphForbidden => error,
        other => return other.map(Reading::Whole),
    };
    if decides(reader, object_type) {
        return Err(undecidable(Stop::Failed(refusal), object_type));
    }
    let is_imported = reader.run.job.mapping.is_enabled(object_type);
    if is_imported && is_needed(object_type) && !was_delivered(reader, object_type).await? {
        return Err(Stop::Failed(refusal));
    }
    forget(reader, object_type).await?;
    Ok(Reading::Frozen(Frozen { object_type, refusal }))
}

/// Whether the filter's scope depends on who or what is of this type: without it nobody can say what is in scope, and
/// everything would be taken for out of scope.
fn decides(reader: &Reader<'_>, object_type: ObjectType) -> bool {
    let scope = &reader.run.job.filter.scope;
    match object_type {
        ObjectType::Users => scope.groups != ScopeGroups::All || wants_stubs(reader),
        ObjectType::Groups => scope.users != ScopeUsers::All || wants_stubs(reader),
        ObjectType::Licenses | ObjectType::Devices => false,
    }
}

/// Says of a refusal that the filter's scope needs what was refused.
pub(super) fn undecidable(stop: Stop, object_type: ObjectType) -> Stop {
    match stop {
        Stop::Failed(mut error) if error.code == RunErrorCode::GraphForbidden => {
            error.detail = format!(
                "The filter's scope depends on {object_type}, and these may not be read, so nobody can say what is in \
                 scope. {}",
                error.detail
            );
            Stop::Failed(error)
        }
        stop => stop,
    }
}

/// Whether a first run without this type would be of no use: the others have their meaning from users and groups.
fn is_needed(object_type: ObjectType) -> bool {
    matches!(object_type, ObjectType::Users | ObjectType::Groups)
}

/// Whether the destination has objects of a type; of a job without one, whether the mirror has.
pub(super) async fn was_delivered(reader: &Reader<'_>, object_type: ObjectType) -> Result<bool, Stop> {
    let (organization, job) = (reader.run.job.organization, reader.run.job.id);
    let destination = reader.run.job.destination.as_ref().map(|destination| destination.id);
    let db = &reader.run.app.db;
    let known = db.scoped(organization, async move |tx| {
        if destination.is_none() {
            return read::count(tx, organization, Source::Mirror(job), object_type.as_str()).await;
        }
        if mirror::find(tx, organization, job).await?.delivered_to != destination {
            return Ok(0);
        }
        Ok(delivered::counts(tx, organization, job).await?.get(object_type.as_str()).copied().unwrap_or(0))
    });
    Ok(known.await? > 0)
}

/// Forgets what was staged of a type that turned out to be unreadable: half of it is worse than nothing.
async fn forget(reader: &Reader<'_>, object_type: ObjectType) -> Result<(), Stop> {
    reader.writer.flushed().await?;
    let lease = reader.run.lease;
    let name = object_type.as_str();
    let stored_as = [Some(name), Some(gone_marker(object_type)), stub_name(object_type)];
    let db = &reader.run.app.db;
    db.scoped(lease.organization, async move |tx| {
        for name in stored_as.into_iter().flatten() {
            mirror::restart(tx, &lease, name).await?;
        }
        if object_type == ObjectType::Groups {
            mirror::restart(tx, &lease, MEMBERS).await?;
            mirror::keep_staged_members(tx, &lease, &[]).await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// Whether the token certainly has no permission for groups, so that single answers of other paths mean nothing.
pub(super) fn lacks_groups(reader: &Reader<'_>) -> bool {
    !reader.roles.is_empty() && matches!(standing(Capability::Groups, &reader.roles), Standing::Missing(_))
}

/// Says which types are frozen, and what to do about it. If nothing at all could be read, the run fails.
pub(super) fn tell(reader: &Reader<'_>, mut read: Read) -> Result<Read, Stop> {
    if read.types.is_empty()
        && let Some(Frozen { mut refusal, .. }) = read.frozen.pop()
    {
        refusal.detail = format!("Nothing of what the job imports may be read now. {}", refusal.detail);
        return Err(Stop::Failed(refusal));
    }
    for Frozen { object_type, refusal } in &read.frozen {
        let memberships = if *object_type == ObjectType::Groups { ", and so do the groups of users" } else { "" };
        let detail = format!(
            "{object_type} could not be read: {}. They stay as they were delivered{memberships}.",
            refusal.detail.trim_end_matches('.')
        );
        let least: Vec<&str> = capability(*object_type).least().collect();
        let advice = format!(
            "Grant the Application permission {} with admin consent; the connection check says what is missing and how \
             to add it. The next run after that makes up for what was not read.",
            least.join(" and ")
        );
        reader.run.progress.degrade(RunWarning::new(WarningCode::CapabilityLost, detail).with_advice(advice));
    }
    Ok(read)
}

fn capability(object_type: ObjectType) -> Capability {
    match object_type {
        ObjectType::Users => Capability::Users,
        ObjectType::Groups => Capability::Groups,
        ObjectType::Licenses => Capability::Licenses,
        ObjectType::Devices => Capability::Devices,
    }
}
