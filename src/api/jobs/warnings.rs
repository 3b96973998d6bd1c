//! What a run of a job will lack. The job shows it as `warnings`.

use crate::connection_check::lacking::{Lacking, lacking};
use crate::db::jobs::JobRow;
use crate::db::{Transaction, job_settings};
use crate::directory::ObjectType;
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, OrganizationId};
use crate::mapping::{Mapping, ReferenceTemplate, Selection};
use crate::permission::Capability;
use crate::permission::report::Remedy;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// A job has few types, and few of their attributes need a capability of their own.
const MAX_WARNINGS: usize = 100;

/// Something that a run of the job will lack.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JobWarning {
    pub code: JobWarningCode,
    /// The place in the job (RFC 6901).
    #[schema(example = "/objects/applications")]
    pub pointer: String,
    pub object_type: ObjectType,
    /// The key of the attribute; absent, if it is the type itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attribute: Option<String>,
    pub capability: Capability,
    /// The least permissions that grant the capability.
    pub permissions: Vec<&'static str>,
    /// What is lacking, and what the import lacks without it.
    pub detail: String,
    /// When the connection was checked.
    pub checked_at: DateTime<Utc>,
    /// How to grant it, from that check.
    pub remedies: Vec<Remedy>,
}

/// What a run will lack according to the newest check of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobWarningCode {
    /// The newest check of the connection's credential found that a type or an attribute may not be read.
    PermissionMissing,
}

impl From<Lacking> for JobWarning {
    fn from(lacking: Lacking) -> Self {
        let (pointer, detail) = (lacking.pointer(), lacking.detail());
        let Lacking { need, verdict, checked_at } = lacking;
        Self {
            code: JobWarningCode::PermissionMissing,
            pointer,
            object_type: need.object_type,
            attribute: need.attribute,
            capability: need.capability,
            permissions: need.capability.least().collect(),
            detail,
            checked_at,
            remedies: verdict.remedies,
        }
    }
}

/// What a run of the job will lack.
pub(super) async fn warnings(
    tx: &mut Transaction,
    organization: OrganizationId,
    row: &JobRow,
) -> Result<Vec<JobWarning>> {
    let selection: Selection = serde_json::from_value(row.objects.clone()).map_err(Error::internal)?;
    let needs = Mapping::new(&selection, row.memberships, ReferenceTemplate::default()).needs();
    let id = ConnectionId(row.connection_id);
    let connection = job_settings::connection(tx, organization, id).await?;
    let found = lacking(tx, organization, (id, connection.credential_version), needs).await?;
    Ok(found.into_iter().take(MAX_WARNINGS).map(JobWarning::from).collect())
}
