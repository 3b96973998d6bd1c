//! What webhooks are told of a run.

use super::{Announcement, announce, listened};
use crate::db::Transaction;
use crate::db::runs::row::{self, RunRow};
use crate::db::schema::jobs;
use crate::error::Result;
use crate::ids::{JobId, OrganizationId, RunId};
use crate::run_state::RunState;
use crate::webhook::WebhookEvent;
use crate::webhook::payload::{AnnouncedRun, Subject};
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Announces to the webhooks of the event that a run has come to `state`.
pub(in crate::db) async fn announce_run(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: RunId,
    state: RunState,
    now: DateTime<Utc>,
) -> Result<()> {
    let event = match state {
        RunState::Running => Some(WebhookEvent::Started),
        other => WebhookEvent::of_run(other),
    };
    let Some(event) = event else { return Ok(()) };
    if !listened(tx, organization, None).await?.contains(&event) {
        return Ok(());
    }
    let run = row::find(tx, organization, id).await?;
    let job_name: Option<String> =
        jobs::table.find((organization.0, run.job_id)).select(jobs::name).first(tx).await.optional()?;
    let subject = Subject::Run(Box::new(announced(run, job_name)));
    announce(tx, organization, event, Announcement { event: event.into(), subject, run: Some(id) }, now).await
}

/// What a delivery says of a run.
fn announced(run: RunRow, job_name: Option<String>) -> AnnouncedRun {
    AnnouncedRun {
        id: RunId(run.id),
        job_id: JobId(run.job_id),
        job_name,
        mode: run.mode,
        state: run.state,
        stage: run.stage,
        counts: run.counts,
        warnings: run.warnings,
        error: run.error,
        queued_at: run.queued_at,
        started_at: run.started_at,
        finished_at: run.finished_at,
    }
}
