//! The check of a destination: its token, the state of its import source, the mapping, and the access to objects by
//! `api`, each with findings of its own; and whether what the job would bring fits. Nothing is changed in Assets.

mod fit;
mod import_source;
mod object_api;
mod subject;

use crate::app::App;
use crate::codes::FindingCode;
use crate::connection_check::Overall;
use crate::destination::MissingObjects;
use crate::error::{Code, Result};
use crate::ids::{DestinationId, OrganizationId};
use crate::job::RemovalPolicy;
use crate::permission::report::{Finding, Remedy, RemedyKind, Severity};
use chrono::{DateTime, Utc};
use import_source::ImportSourceSeen;
use serde::Serialize;
use std::time::Duration;
use subject::Subject;
use utoipa::ToSchema;

/// A check answers within this time, with what it has: Forge gives a call 25 seconds.
pub const DEADLINE: Duration = Duration::from_secs(18);
/// How long one request to Assets is repeated.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a check of a destination says.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DestinationCheck {
    pub checked_at: DateTime<Utc>,
    /// `ok`: a run can deliver. `degraded`: it can, and there is something to look at. `failed`: it cannot.
    pub overall: Overall,
    /// Time ran out before everything was looked at.
    pub partial: bool,
    /// The import source, once its token led there.
    #[schema(required = true)]
    pub import_source: Option<ImportSourceSeen>,
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
}

/// Checks a destination of an organization.
pub async fn check(app: &App, organization: OrganizationId, id: DestinationId) -> Result<DestinationCheck> {
    let subject = subject::load(app, organization, id).await?;
    let mut report = DestinationCheck {
        checked_at: app.clock.now(),
        overall: Overall::Ok,
        partial: false,
        import_source: None,
        findings: Vec::new(),
    };
    let mut of_job = Vec::new();
    report.partial = tokio::select! {
        (looked, found) = async { tokio::join!(look(app, &subject, &mut report), fitting(app, &subject)) } => {
            looked?;
            of_job = found;
            false
        }
        () = app.clock.sleep(DEADLINE) => true,
    };
    report.findings.splice(0..0, of_job);
    if report.partial {
        let detail =
            "Assets did not answer everything in time. Check again; if it lasts, look at status.atlassian.com.";
        report.findings.push(Finding::new(Severity::Warning, FindingCode::CheckIncomplete, detail));
    }
    report.overall = match report.findings.iter().map(|finding| finding.severity).min_by_key(|severity| *severity as u8)
    {
        Some(Severity::Error) => Overall::Failed,
        Some(Severity::Warning) => Overall::Degraded,
        Some(Severity::Info) | None => Overall::Ok,
    };
    Ok(report)
}

async fn fitting(app: &App, subject: &Subject) -> Vec<Finding> {
    match &subject.job {
        Some(job) => Box::pin(fit::findings(app, job)).await,
        None => Vec::new(),
    }
}

async fn look(app: &App, subject: &Subject, report: &mut DestinationCheck) -> Result<()> {
    let client = app.assets.clone().with_patience(PATIENCE);
    settings(subject, &mut report.findings);
    let target = match subject.destination.target(app, subject.organization).await {
        Ok(target) => target,
        Err(error) if error.code == Code::ForgeTokenMissing => {
            report.findings.push(Finding::new(Severity::Error, FindingCode::ForgeTokenMissing, error.detail));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let mut workspace = None;
    match client.links(&target).await {
        Err(error) => report.findings.push(import_source::of_import(&error)),
        Ok(links) => {
            workspace = links.workspace_id();
            let text = "Assets accepts the token.";
            report.findings.push(Finding::new(Severity::Info, FindingCode::AssetsTokenValid, text));
            let seen = ImportSourceSeen { id: links.import_source_id(), workspace_id: workspace.clone(), status: None };
            let seen = report.import_source.insert(seen);
            report.findings.extend(import_source::in_use(app, subject, &links).await?);
            import_source::look(app, subject, (&client, &target, &links), seen, &mut report.findings).await?;
        }
    }
    if let Some(api) = &subject.destination.api {
        object_api::look(&client, subject, api, workspace.as_deref(), &mut report.findings).await;
    }
    Ok(())
}

/// What the settings alone say.
fn settings(subject: &Subject, findings: &mut Vec<Finding>) {
    let destination = &subject.destination;
    if destination.missing_objects == MissingObjects::Unknown {
        let text = "What Assets does with objects that an import leaves out is not known, so every delivery sends \
                    everything in scope, and a test is delivered only once. GET /v1/destinations/setup says where it is set.";
        findings.push(Finding::new(Severity::Info, FindingCode::MissingObjectsUnknown, text));
    }
    let removes = subject.job.as_ref().is_some_and(|job| job.policy == RemovalPolicy::Remove);
    if removes && destination.api.is_none() {
        let text =
            "The job removes missing objects, but the destination has no `api` to remove them by; they are kept.";
        let how = "Give the destination `api` with the site's URL, an email address and an API token.";
        let remedy = Remedy::new(RemedyKind::Request, "Give access to objects", how);
        findings.push(Finding::new(Severity::Warning, FindingCode::RemovalNeedsApi, text).with_remedies(vec![remedy]));
    }
    if subject.job.is_none() {
        let text = "No job delivers to this destination yet.";
        findings.push(Finding::new(Severity::Info, FindingCode::NoJob, text));
    }
}
