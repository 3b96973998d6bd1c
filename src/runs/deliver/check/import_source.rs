//! The import source of a destination: whether others use it, its state, and its mapping.

use super::subject::Subject;
use crate::app::App;
use crate::assets::wire::HandleEmptyValues;
use crate::assets::{AssetsError, Client, ConfigState, ConfigStatus, Links, Target};
use crate::codes::{AssetsErrorCode, FindingCode};
use crate::db::{destinations, executions};
use crate::destination::EmptyValues;
use crate::error::Result;
use crate::ids::DestinationId;
use crate::mapping::Difference;
use crate::permission::report::{Finding, Remedy, RemedyKind, Severity};
use crate::runs::deliver::schema;
use crate::runs::transaction::transaction;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

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

/// Whether another job delivers to the same import source, through another destination.
pub async fn in_use(app: &App, subject: &Subject, links: &Links) -> Result<Option<Finding>> {
    let Some(source) = links.import_source_id() else { return Ok(None) };
    let (organization, id) = (subject.organization, DestinationId(subject.destination.id));
    let other = transaction(app, organization, "the import source's destinations", async |tx| {
        destinations::set_import_source(tx, organization, id, &source).await?;
        destinations::same_source(tx, organization, id, None).await
    });
    let Some(other) = other.await? else { return Ok(None) };
    let remedy = Remedy::new(RemedyKind::Request, "Use one destination", FindingCode::DestinationInUse.advice());
    let text = other.refusal().detail;
    Ok(Some(Finding::new(Severity::Error, FindingCode::DestinationInUse, text).with_remedies(vec![remedy])))
}

/// The import source's state and mapping.
pub async fn look(
    app: &App,
    subject: &Subject,
    (client, target, links): (&Client, &Target, &Links),
    seen: &mut ImportSourceSeen,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let config = match client.config_status(target, links).await {
        Ok(config) => config,
        Err(error) => {
            findings.push(of_import(&error));
            return Ok(());
        }
    };
    seen.status = Some(config.status.clone());
    findings.push(state(app, subject, &config).await?);
    match client.schema_and_mapping(target, links).await {
        Ok(current) => {
            let blocked = blocked(subject, links, current.as_ref());
            if config.state != ConfigState::MissingMapping && blocked.is_empty() {
                findings.extend(mapping(subject, links, current.as_ref()));
            }
            findings.extend(blocked);
        }
        Err(error) => findings.push(of_import(&error)),
    }
    // What an import token may not read is no finding.
    if let Ok(Some(info)) = client.import_source(target, links).await {
        findings.extend(empty_values(subject.destination.empty_values, info.default_handle_empty_values));
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
                .with_remedies(vec![Remedy::new(RemedyKind::Assets, "Enable the import source", how)])
        }
        ConfigState::MissingMapping => {
            let text = "The import source has no object types and attributes yet. The first run builds them.";
            let job = subject.job.as_ref().map_or_else(|| "{id}".to_owned(), |job| job.id.to_string());
            let how = format!("POST /v1/jobs/{job}/schema");
            Finding::new(Severity::Warning, FindingCode::Assets(AssetsErrorCode::MappingMissing), text)
                .with_remedies(vec![Remedy::new(RemedyKind::Request, "Build them now", &how)])
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
    let remedy = Remedy::new(RemedyKind::Assets, "Look at the import in Assets", how);
    Ok(Finding::new(Severity::Warning, FindingCode::Assets(AssetsErrorCode::ExecutionInProgress), text)
        .with_remedies(vec![remedy]))
}

fn mapping(subject: &Subject, links: &Links, current: Option<&Value>) -> Vec<Finding> {
    let Some(job) = &subject.job else { return Vec::new() };
    let difference = schema::difference(job, links, current);
    let mut findings = Vec::new();
    if difference.in_sync {
        let text = "Object types and attributes in Assets are as the job needs them.";
        findings.push(Finding::new(Severity::Info, FindingCode::MappingEqual, text));
    } else {
        let how = format!("POST /v1/jobs/{}/schema", job.id);
        let remedy = Remedy::new(RemedyKind::Request, "Build them now; the next run does it too", &how);
        findings.push(
            Finding::new(Severity::Warning, FindingCode::MappingDiffers, differences(&difference))
                .with_remedies(vec![remedy]),
        );
    }
    for refused in &difference.refused {
        let what = refused.attribute.as_deref().unwrap_or(&refused.object_type);
        let text = format!("{what} stays «{}» in Assets instead of «{}».", refused.current, refused.wanted);
        let remedy = Remedy::new(RemedyKind::Assets, "What can be done", &refused.advice);
        findings
            .push(Finding::new(Severity::Warning, FindingCode::SchemaChangeRefused, text).with_remedies(vec![remedy]));
    }
    findings
}

/// What in the object schema keeps the object types from being built or filled.
fn blocked(subject: &Subject, links: &Links, current: Option<&Value>) -> Vec<Finding> {
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

pub fn of_import(error: &AssetsError) -> Finding {
    let remedies = vec![Remedy::new(RemedyKind::Assets, "What to do", error.advice())];
    Finding::new(Severity::Error, error.code().into(), format!("{error}.")).with_remedies(remedies)
}
