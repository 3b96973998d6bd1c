//! The names of those who started and approved runs.

use super::actor::Actor;
use super::body::RunResponse;
use crate::audit;
use crate::db::names::{Named, names};
use crate::db::{Transaction, audit_events, runs};
use crate::error::Result;
use crate::ids::{OrganizationId, RunId};
use std::collections::HashMap;
use std::slice;
use uuid::Uuid;

/// Adds to each run who started it and who approved it: two queries for a page.
pub(super) async fn add_names(
    tx: &mut Transaction,
    organization: OrganizationId,
    runs: &mut [RunResponse],
) -> Result<()> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id.0).collect();
    let approved: HashMap<Uuid, audit::Actor> =
        audit_events::actors(tx, organization, audit::Action::Approve, &ids).await?.into_iter().collect();
    let started: Vec<audit::Actor> = runs.iter().map(|run| run.requested_by.as_str().into()).collect();
    let key = |actor: &audit::Actor| match actor {
        audit::Actor::ApiKey(id) => Some(id.0),
        _ => None,
    };
    let keys: Vec<Uuid> = started.iter().chain(approved.values()).filter_map(key).collect();
    let keys = if keys.is_empty() { HashMap::new() } else { names(tx, organization, Named::ApiKeys, keys).await? };
    for (run, started) in runs.iter_mut().zip(&started) {
        run.triggered_by = Actor::new(started, &keys);
        run.approved_by = approved.get(&run.id.0).map(|actor| Actor::new(actor, &keys));
    }
    Ok(())
}

/// A run, with these names.
pub(super) async fn single(tx: &mut Transaction, organization: OrganizationId, id: RunId) -> Result<RunResponse> {
    let mut run = RunResponse::from_row(runs::find(tx, organization, id).await?)?;
    add_names(tx, organization, slice::from_mut(&mut run)).await?;
    Ok(run)
}
