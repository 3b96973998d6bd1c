//! The columns of a job, and what it refers to.

use super::body::{CreateJob, JobResponse, JobSchedule, ScheduleRetry};
use crate::db::Transaction;
use crate::db::destinations;
use crate::db::jobs::{self, JobRow, NewJobRow, References};
use crate::directory::ObjectType;
use crate::error::{Code, Error, Faults, Result};
use crate::ids::{JobId, OrganizationId};
use crate::job::{RemovalPolicy, ScheduleMode};
use crate::schedule::Schedule;
use chrono::{DateTime, Utc};
use uuid::Uuid;

impl CreateJob {
    pub(super) fn from_row(row: &JobRow) -> Result<Self> {
        let job = JobResponse::from_row(row.clone())?;
        Ok(Self {
            name: job.name,
            connection_id: job.connection_id,
            filter_id: job.filter_id,
            destination_id: job.destination_id,
            objects: Some(job.objects.selection),
            memberships: Some(job.memberships),
            deliver: Some(job.deliver),
            removal: Some(job.removal),
            schedule: job.schedule.map(|schedule| JobSchedule {
                cron: schedule.cron,
                timezone: schedule.timezone,
                enabled: schedule.enabled || schedule.paused_reason.is_some(),
                mode: schedule.mode,
                full_cron: schedule.full_cron,
                retry: schedule.retry,
            }),
        })
    }

    /// The columns of the job. `current`: the stored job, whose schedule continues unless it is changed.
    pub(super) fn row(
        &self,
        current: Option<&JobRow>,
        changes_schedule: bool,
        now: DateTime<Utc>,
    ) -> Result<NewJobRow> {
        let removal = self.removal.clone().unwrap_or_default();
        let mut new = NewJobRow {
            name: self.name.clone(),
            connection_id: self.connection_id.0,
            filter_id: self.filter_id.map(Uuid::from),
            destination_id: self.destination_id.map(Uuid::from),
            objects: serde_json::to_value(self.objects.clone().unwrap_or_default()).map_err(Error::internal)?,
            memberships: self.memberships.unwrap_or_default(),
            deliver: self.deliver.unwrap_or_default(),
            removal_policy: removal.policy,
            removal_after_missing_runs: removal.after_missing_runs,
            brake_percent: removal.brake_percent,
            schedule_cron: None,
            schedule_timezone: None,
            schedule_enabled: false,
            schedule_next_at: None,
            schedule_paused_reason: None,
            schedule_mode: ScheduleMode::default(),
            schedule_full_cron: None,
            schedule_full_next_at: None,
            schedule_retry_attempts: 0,
            schedule_retry_minutes: ScheduleRetry::default().after_minutes,
        };
        if let Some(schedule) = &self.schedule {
            let next = |cron: &str| Schedule::parse(cron, &schedule.timezone).ok().and_then(|s| s.next_after(now));
            new.schedule_cron = Some(schedule.cron.clone());
            new.schedule_timezone = Some(schedule.timezone.clone());
            new.schedule_enabled = schedule.enabled;
            new.schedule_mode = schedule.mode;
            new.schedule_next_at = next(&schedule.cron).filter(|_| schedule.enabled);
            new.schedule_full_cron = schedule.full_cron.clone();
            new.schedule_full_next_at = schedule.full_cron.as_deref().and_then(next).filter(|_| schedule.enabled);
            new.schedule_retry_attempts = schedule.retry.attempts;
            new.schedule_retry_minutes = schedule.retry.after_minutes;
        }
        if let Some(current) = current.filter(|_| !changes_schedule) {
            new.schedule_enabled = current.schedule_enabled;
            new.schedule_next_at = current.schedule_next_at;
            new.schedule_full_next_at = current.schedule_full_next_at;
            new.schedule_paused_reason = current.schedule_paused_reason.clone();
        }
        Ok(new)
    }

    /// Checks that what the job refers to exists, and that no other job uses the destination. `current`: the stored job.
    pub(super) async fn check_references(
        &self,
        tx: &mut Transaction,
        organization: OrganizationId,
        current: Option<&JobRow>,
    ) -> Result<()> {
        let References { has_connection, has_filter, destination_api } =
            jobs::references(tx, organization, self.connection_id, self.filter_id, self.destination_id).await?;
        let mut faults = Faults::default();
        let mut unknown = |pointer: &str, what: &str, id: Uuid| {
            faults.push(pointer, "unknown_reference", format!("There is no {what} with the id {id}."));
        };
        if !has_connection {
            unknown("/connectionId", "connection", self.connection_id.0);
        }
        if let Some(id) = self.filter_id.filter(|_| !has_filter) {
            unknown("/filterId", "filter", id.0);
        }
        if let Some(id) = self.destination_id.filter(|_| destination_api.is_none()) {
            unknown("/destinationId", "destination", id.0);
        }
        let removes = self.removal.as_ref().is_some_and(|removal| removal.policy == RemovalPolicy::Remove);
        if removes && destination_api == Some(false) {
            let detail = "To remove objects, the destination needs `api`. Add it, or use the policy `mark`.";
            faults.push("/removal/policy", "api_required", detail);
        }
        let objects =
            self.objects.iter().flat_map(|objects| ObjectType::ALL.map(|of| (of, objects.of(of).existing.as_ref())));
        for (object_type, existing) in objects {
            let needs_api = existing.is_some_and(|existing| existing.match_by.is_some());
            if needs_api && destination_api == Some(false) {
                let detail =
                    "The object API writes the identity into objects that are matched, so the destination needs `api`.";
                faults.push(format!("/objects/{object_type}/existing/matchBy"), "api_required", detail);
            }
        }
        let has_jira_users = self.objects.as_ref().is_some_and(|objects| {
            let users = objects.of(ObjectType::Users);
            users.enabled && users.jira_user
        });
        if has_jira_users && destination_api == Some(false) {
            let detail = "The object API writes Jira accounts into objects, so the destination needs `api`.";
            faults.push("/objects/users/jiraUser", "api_required", detail);
        }
        faults.into_result()?;
        let Some(destination) = self.destination_id else { return Ok(()) };
        let own_id = current.map(|current| JobId(current.id));
        if let Some(job) = jobs::served_by(tx, organization, destination, own_id).await? {
            let detail = format!("The destination is already used by the job «{}» ({}).", job.name, job.id);
            return Err(Error::new(Code::DestinationInUse, detail).with_used_by(vec![job]));
        }
        // A job that shares its import source from before can still be changed otherwise.
        if current.is_some_and(|current| current.destination_id == Some(destination.0)) {
            return Ok(());
        }
        match destinations::same_source(tx, organization, destination, own_id).await? {
            Some(other) => Err(other.refusal()),
            None => Ok(()),
        }
    }
}
