//! A type that may no longer be read, because a permission was taken away. What was delivered of it stays as it is and
//! can still be referred to, and the other types go on. Where that makes no sense, the run fails.

use super::read_error::{ReadError, Result};
use super::read_plan::Need;
use super::reader::{LostPermission, Read, Reader};
use crate::codes::WarningCode;
use crate::directory::ObjectType;
use crate::graph::error::GraphErrorKind;
use crate::permission::{Capability, Standing, standing};
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;

/// What became of the reading of a type.
pub(super) enum Reading<T> {
    Whole(T),
    Lost(LostPermission),
}

/// Reads a type. If Graph refuses it with 403, what was staged of it is forgotten and the others go on; where the run
/// cannot go on without the type, the refusal is the error.
pub(super) async fn unless_refused<T>(
    reader: &Reader<'_>,
    object_type: ObjectType,
    reading: impl Future<Output = Result<T>>,
) -> Result<Reading<T>> {
    let refusal = match reading.await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::Forbidden) => error,
        other => return other.map(Reading::Whole),
    };
    match reader.plan.need(object_type) {
        Need::Scope => return Err(undecidable(refusal.into(), object_type)),
        Need::FirstDelivery if !reader.mirror.was_delivered(object_type).await? => return Err(refusal.into()),
        Need::FirstDelivery | Need::Optional => {}
    }
    // Half of a type is worse than nothing.
    reader.staging.forget(object_type).await?;
    Ok(Reading::Lost(LostPermission { object_type, refusal }))
}

/// Says of a refusal that the filter's scope needs what was refused.
pub(super) fn undecidable(error: ReadError, object_type: ObjectType) -> ReadError {
    match error {
        ReadError::Graph(error) if matches!(error.kind, GraphErrorKind::Forbidden) => {
            let plural = object_type.spec().plural;
            let why =
                format!("The filter's scope depends on {plural}, which may not be read, so the scope is unknown.");
            Stop::graph(&error).because(&why).into()
        }
        error => error,
    }
}

/// Whether the token certainly has no permission for groups, so that an answer of another path proves nothing.
pub(super) fn lacks_groups(reader: &Reader<'_>) -> bool {
    !reader.roles.is_empty() && matches!(standing(Capability::Groups, &reader.roles), Standing::Missing(_))
}

/// Warns of the types that were lost, and says what to do. If nothing at all could be read, the run fails.
pub(super) fn report(reader: &Reader<'_>, mut read: Read) -> Result<Read> {
    if read.types.is_empty()
        && let Some(LostPermission { refusal, .. }) = read.lost.pop()
    {
        return Err(Stop::graph(&refusal).because("Nothing that the job imports may be read now.").into());
    }
    for LostPermission { object_type, refusal } in &read.lost {
        let memberships = if *object_type == ObjectType::Groups { ", and so do the groups of users" } else { "" };
        let refusal = refusal.to_string();
        let detail = format!(
            "No permission to read {}: {}. They stay as they were delivered{memberships}.",
            object_type.spec().plural,
            refusal.trim_end_matches('.')
        );
        let least: Vec<&str> = object_type.spec().capability.least().collect();
        let advice = format!(
            "Grant the Application permission {} with admin consent; the connection check says what is missing and how \
             to add it. The next run after that reads what was left out.",
            least.join(" and ")
        );
        reader.run.progress.degrade(RunWarning::new(WarningCode::CapabilityLost, detail).with_advice(advice));
    }
    Ok(read)
}
