//! The check of a destination: its token, the state of its import source, the mapping, and the access to objects by
//! `api`, each with findings of its own; and whether what the job would bring fits. Nothing is changed in Assets.

mod fit;

use super::schema;
use crate::app::App;
use crate::assets::objects::SiteAccess;
use crate::assets::wire::HandleEmptyValues;
use crate::assets::{AssetsError, AssetsErrorKind, Client, ConfigState, ConfigStatus, Links, Target};
use crate::codes::{AssetsErrorCode, FindingCode};
use crate::connection_check::Overall;
use crate::db::{destinations, executions, job_settings};
use crate::destination::{EmptyValues, MissingObjects};
use crate::error::{Code, Result};
use crate::ids::{DestinationId, JobId, OrganizationId};
use crate::job::RemovalPolicy;
use crate::mapping::Difference;
use crate::permission::report::{Finding, Remedy, RemedyKind, Severity};
use crate::runs::context::{Destination, JobContext, ObjectApi, open_destination};
use crate::runs::transaction::transaction;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;
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

/// An import source, as Assets shows it to its token.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportSourceSeen {
    /// The id of the import source; null: Assets did not tell it.
    #[schema(required = true)]
    pub id: Option<String>,
    /// The workspace of Assets that it is in; null: Assets did not tell it.
    #[schema(required = true)]
    pub workspace_id: Option<String>,
    /// `IDLE`, `DISABLED`, `MISSING_MAPPING` or `RUNNING`, as Assets says; null while it has not said.
    #[schema(required = true)]
    pub status: Option<String>,
}

/// A destination with the job that delivers there.
struct Subject {
    organization: OrganizationId,
    destination: Destination,
    job: Option<JobContext>,
}

/// Checks a destination of an organization.
pub async fn check(app: &App, organization: OrganizationId, id: DestinationId) -> Result<DestinationCheck> {
    let subject = load(app, organization, id).await?;
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

async fn load(app: &App, organization: OrganizationId, id: DestinationId) -> Result<Subject> {
    let (part, users) = transaction(app, organization, "load a destination", async move |tx| {
        let part = job_settings::destination(tx, organization, id).await?;
        Ok((part, destinations::used_by(tx, organization, id).await?))
    })
    .await?;
    let job = match users.first() {
        Some(user) => Some(JobContext::load(app, organization, JobId(user.id)).await?),
        None => None,
    };
    Ok(Subject { organization, destination: open_destination(&app.keys, organization, part)?, job })
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
        Err(error) => report.findings.push(of_import(&error)),
        Ok(links) => {
            workspace = links.workspace_id();
            let text = "Assets accepts the token.";
            report.findings.push(Finding::new(Severity::Info, FindingCode::AssetsTokenValid, text));
            report.import_source =
                Some(ImportSourceSeen { id: links.import_source_id(), workspace_id: workspace.clone(), status: None });
            report.findings.extend(in_use(app, subject, &links).await?);
            source(app, subject, (&client, &target, &links), report).await?;
        }
    }
    if let Some(api) = &subject.destination.api {
        object_api(&client, subject, api, workspace.as_deref(), &mut report.findings).await;
    }
    Ok(())
}

/// Whether another job delivers to the same import source, through another destination.
async fn in_use(app: &App, subject: &Subject, links: &Links) -> Result<Option<Finding>> {
    let Some(source) = links.import_source_id() else { return Ok(None) };
    let (organization, id) = (subject.organization, DestinationId(subject.destination.id));
    let other = transaction(app, organization, "the import source's destinations", async |tx| {
        destinations::set_import_source(tx, organization, id, &source).await?;
        destinations::same_source(tx, organization, id, None).await
    });
    let Some(other) = other.await? else { return Ok(None) };
    let remedy = remedy(RemedyKind::Request, "Use one destination", FindingCode::DestinationInUse.advice());
    let text = other.refusal().detail;
    Ok(Some(Finding::new(Severity::Error, FindingCode::DestinationInUse, text).with_remedies(vec![remedy])))
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
        let remedy = remedy(RemedyKind::Request, "Give access to objects", how);
        findings.push(Finding::new(Severity::Warning, FindingCode::RemovalNeedsApi, text).with_remedies(vec![remedy]));
    }
    if subject.job.is_none() {
        let text = "No job delivers to this destination yet.";
        findings.push(Finding::new(Severity::Info, FindingCode::NoJob, text));
    }
}

/// The import source's state and mapping.
async fn source(
    app: &App,
    subject: &Subject,
    (client, target, links): (&Client, &Target, &Links),
    report: &mut DestinationCheck,
) -> Result<()> {
    let config = match client.config_status(target, links).await {
        Ok(config) => config,
        Err(error) => {
            report.findings.push(of_import(&error));
            return Ok(());
        }
    };
    if let Some(source) = &mut report.import_source {
        source.status = Some(config.status.clone());
    }
    report.findings.push(state(app, subject, &config).await?);
    match client.schema_and_mapping(target, links).await {
        Ok(current) => {
            let blocked = blocked(subject, links, current.as_ref());
            if config.state != ConfigState::MissingMapping && blocked.is_empty() {
                report.findings.extend(mapping(subject, links, current.as_ref()));
            }
            report.findings.extend(blocked);
        }
        Err(error) => report.findings.push(of_import(&error)),
    }
    // What an import token may not read is no finding.
    if let Ok(Some(info)) = client.import_source(target, links).await {
        report.findings.extend(empty_values(subject.destination.empty_values, info.default_handle_empty_values));
    }
    Ok(())
}

async fn state(app: &App, subject: &Subject, config: &ConfigStatus) -> Result<Finding> {
    Ok(match config.state {
        ConfigState::Idle => {
            Finding::new(Severity::Info, FindingCode::ImportSourceReady, "The import source is ready.")
        }
        ConfigState::Disabled => {
            let how = "Open the schema's settings, Import, the import source's menu, and enable it.";
            let text = "The import source is disabled: no execution can be started.";
            Finding::new(Severity::Error, FindingCode::Assets(AssetsErrorCode::ImportDisabled), text)
                .with_remedies(vec![remedy(RemedyKind::Assets, "Enable the import source", how)])
        }
        ConfigState::MissingMapping => {
            let text = "The import source has no object types and attributes yet. The first run builds them.";
            let job = subject.job.as_ref().map_or_else(|| "{id}".to_owned(), |job| job.id.to_string());
            let how = format!("POST /v1/jobs/{job}/schema");
            Finding::new(Severity::Warning, FindingCode::Assets(AssetsErrorCode::MappingMissing), text)
                .with_remedies(vec![remedy(RemedyKind::Request, "Build them now", &how)])
        }
        ConfigState::Running => running(app, subject).await?,
        ConfigState::Other => {
            let text = format!("Assets says that the import source is {}, which is not documented.", config.status);
            Finding::new(Severity::Warning, FindingCode::ImportSourceStateUnknown, text)
        }
    })
}

/// Whether the execution that is under way is one of ours.
async fn running(app: &App, subject: &Subject) -> Result<Finding> {
    let organization = subject.organization;
    let ours = match subject.job.as_ref().map(|job| job.id) {
        Some(job) => {
            transaction(app, organization, "an execution under way", async move |tx| {
                executions::is_under_way(tx, organization, job).await
            })
            .await?
        }
        None => false,
    };
    if ours {
        return Ok(Finding::new(
            Severity::Info,
            FindingCode::OwnExecutionInProgress,
            "A run of the job is delivering just now.",
        ));
    }
    let text = "An execution of the import source is under way that no live run of this service started. A run waits \
                half an hour for it, and never cancels it.";
    let how = "Open the schema's settings, Import: wait for the import, or cancel it there if nobody needs it.";
    let remedy = remedy(RemedyKind::Assets, "Look at the import in Assets", how);
    Ok(Finding::new(Severity::Warning, FindingCode::Assets(AssetsErrorCode::ExecutionInProgress), text)
        .with_remedies(vec![remedy]))
}

fn mapping(subject: &Subject, links: &Links, current: Option<&serde_json::Value>) -> Vec<Finding> {
    let Some(job) = &subject.job else { return Vec::new() };
    let difference = schema::difference(job, links, current);
    let mut findings = Vec::new();
    if difference.in_sync {
        let text = "Object types and attributes in Assets are as the job needs them.";
        findings.push(Finding::new(Severity::Info, FindingCode::MappingEqual, text));
    } else {
        let how = format!("POST /v1/jobs/{}/schema", job.id);
        let remedy = remedy(RemedyKind::Request, "Build them now; the next run does it too", &how);
        findings.push(
            Finding::new(Severity::Warning, FindingCode::MappingDiffers, differences(&difference))
                .with_remedies(vec![remedy]),
        );
    }
    for refused in &difference.refused {
        let what = refused.attribute.as_deref().unwrap_or(&refused.object_type);
        let text = format!("{what} stays «{}» in Assets instead of «{}».", refused.current, refused.wanted);
        let remedy = remedy(RemedyKind::Assets, "What can be done", &refused.advice);
        findings
            .push(Finding::new(Severity::Warning, FindingCode::SchemaChangeRefused, text).with_remedies(vec![remedy]));
    }
    findings
}

/// What in the object schema keeps the object types from being built or filled.
fn blocked(subject: &Subject, links: &Links, current: Option<&serde_json::Value>) -> Vec<Finding> {
    let Some(job) = &subject.job else { return Vec::new() };
    let blocked = schema::difference(job, links, current).blocked();
    blocked.map(|blocked| of_import(&schema::refusal(blocked))).into_iter().collect()
}

fn differences(difference: &Difference) -> String {
    format!(
        "Assets lacks {} object types and {} attributes that the job needs, and {} definitions differ.",
        difference.added_object_types.len(),
        difference.added_attributes.len(),
        difference.changed.len()
    )
}

/// Whether the administrator's word fits what the import source says.
fn empty_values(declared: EmptyValues, seen: Option<HandleEmptyValues>) -> Option<Finding> {
    let seen = match (seen?, declared) {
        (HandleEmptyValues::Remove, EmptyValues::Ignore) => EmptyValues::Remove,
        (HandleEmptyValues::Ignore, EmptyValues::Remove) => EmptyValues::Ignore,
        (
            HandleEmptyValues::Ignore | HandleEmptyValues::Remove | HandleEmptyValues::Other,
            EmptyValues::Unknown | EmptyValues::Ignore | EmptyValues::Remove,
        ) => return None,
    };
    let text = format!(
        "The import source's default for empty values is {seen}, and the destination says {declared}. Single object types may \
         differ."
    );
    Some(Finding::new(Severity::Warning, FindingCode::EmptyValuesDiffer, text))
}

/// The object API has a credential, a place and rights of its own.
async fn object_api(
    client: &Client,
    subject: &Subject,
    api: &ObjectApi,
    workspace: Option<&str>,
    findings: &mut Vec<Finding>,
) {
    let access = match api.access() {
        Ok(access) => access,
        Err(error) => {
            return findings.push(Finding::new(Severity::Error, FindingCode::ObjectApiSiteInvalid, error.detail));
        }
    };
    let found = match client.workspace_id(&access).await {
        Ok(found) => found,
        Err(error) => return findings.push(of_objects(&error, api)),
    };
    if workspace.is_some_and(|workspace| workspace != found) {
        let text = format!("The site {} has another Assets workspace than the import source.", api.site_url);
        findings.push(Finding::new(Severity::Error, FindingCode::ObjectApiOtherWorkspace, text));
        return;
    }
    let object_type =
        subject.job.as_ref().map_or("Entra User", |job| job.mapping.type_name(crate::directory::ObjectType::Users));
    findings.push(match client.may_query(&access, &found, object_type).await {
        Ok(()) => Finding::new(Severity::Info, FindingCode::ObjectApiOk, format!("{} may query objects.", api.email)),
        Err(error) => return findings.push(of_objects(&error, api)),
    });
    if subject.job.as_ref().is_some_and(|job| job.mapping.jira_user().is_some()) {
        findings.push(accounts(client, &access, api).await);
    }
}

/// Whether the Jira accounts of users can be found.
async fn accounts(client: &Client, access: &SiteAccess, api: &ObjectApi) -> Finding {
    match client.may_search_accounts(access).await {
        Ok(true) => {
            let text = format!("{} may search for Jira accounts.", api.email);
            Finding::new(Severity::Info, FindingCode::JiraAccountsOk, text)
        }
        Ok(false) => {
            let text = format!("{} may not search for Jira accounts, so no user would get one.", api.email);
            let how = FindingCode::JiraAccountsForbidden.advice();
            Finding::new(Severity::Warning, FindingCode::JiraAccountsForbidden, text).with_remedies(vec![remedy(
                RemedyKind::Assets,
                "What to do",
                how,
            )])
        }
        Err(error) => of_objects(&error, api),
    }
}

fn of_import(error: &AssetsError) -> Finding {
    let remedies = vec![remedy(RemedyKind::Assets, "What to do", error.advice())];
    Finding::new(Severity::Error, error.code().into(), format!("{error}.")).with_remedies(remedies)
}

fn of_objects(error: &AssetsError, api: &ObjectApi) -> Finding {
    let (code, text, how) = match &error.kind {
        AssetsErrorKind::Unauthorized => (
            FindingCode::ObjectApiTokenInvalid,
            format!("{} does not accept the API token of {}.", api.site_url, api.email),
            "Make an API token at id.atlassian.com → Security → API tokens as that person, and store it in the destination.",
        ),
        AssetsErrorKind::Forbidden => (
            FindingCode::ObjectApiForbidden,
            format!("{} may not use Assets at {}.", api.email, api.site_url),
            "Give the person a Jira Service Management licence and the role Object Schema Manager or Object Schema User.",
        ),
        AssetsErrorKind::NotFound => (
            FindingCode::ObjectApiNoWorkspace,
            format!("{} has no Assets workspace that {} may see.", api.site_url, api.email),
            "Assets comes with Jira Service Management Premium or Enterprise; check the address of the site.",
        ),
        _ => (error.code().into(), format!("{error}."), error.advice()),
    };
    Finding::new(Severity::Error, code, text).with_remedies(vec![remedy(RemedyKind::Assets, "What to do", how)])
}

fn remedy(kind: RemedyKind, title: &str, value: &str) -> Remedy {
    Remedy { kind, title: title.to_owned(), value: value.to_owned() }
}
