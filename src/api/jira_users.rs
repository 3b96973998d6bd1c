//! Which Jira accounts the users of a job are.

use super::auth::Caller;
use super::page::{Page, PageQuery};
use crate::app::App;
use crate::db::jira_users::{self, JiraUserRow, Which};
use crate::db::job_settings;
use crate::error::Result;
use crate::ids::{JobId, RunId};
use crate::jira_user::{JiraUserOutcome, JiraUserReason};
use actix_web::get;
use actix_web::web::{Data, Json, Path, Query};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What the last search for the Jira account of a user said.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "objectId": "01900000-0000-7000-8000-000000000001", "label": "Adele Vance", "mail": "adele@contoso.com",
    "userPrincipalName": "adele@contoso.com", "accountId": null, "outcome": "ambiguous", "reason": "severalAccounts",
    "runId": "01900000-0000-7000-8000-000000000002", "lookedAt": "2027-01-01T05:00:00Z",
}))]
pub struct JiraUserResponse {
    /// The user's id in the directory.
    pub object_id: Uuid,
    /// The name of the user, once it was delivered.
    #[schema(required = true)]
    pub label: Option<String>,
    /// The mail address that was searched for.
    #[schema(required = true)]
    pub mail: Option<String>,
    /// The user principal name, which was searched for if no account has the mail address.
    #[schema(required = true)]
    pub user_principal_name: Option<String>,
    /// The id of the account in the object in Assets; null if it has none.
    #[schema(required = true)]
    pub account_id: Option<String>,
    pub outcome: JiraUserOutcome,
    /// Why the object has no account, or not the right one; null if it has.
    #[schema(required = true)]
    pub reason: Option<JiraUserReason>,
    /// The run that looked, or saw that somebody has to.
    pub run_id: RunId,
    /// When it looked, or saw that somebody has to.
    pub looked_at: DateTime<Utc>,
}

impl From<JiraUserRow> for JiraUserResponse {
    fn from(row: JiraUserRow) -> Self {
        Self {
            object_id: row.user_id,
            label: row.label,
            mail: row.mail,
            user_principal_name: row.user_principal_name,
            account_id: row.account,
            outcome: row.outcome,
            reason: row.reason,
            run_id: RunId(row.run_id),
            looked_at: row.looked_at,
        }
    }
}

/// Which users to list. Conditions combine.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct JiraUsersQuery {
    /// Only users of whom the last search said this.
    #[param(inline)]
    pub outcome: Option<JiraUserOutcome>,
    /// Only this user.
    pub object_id: Option<Uuid>,
}

/// List the Jira accounts of a job's users
///
/// What the last search for each user said, and which account the object in Assets has. A job with `jiraUser` looks after
/// each delivery for users that are new or have another address or object, and in full runs also for those who were looked
/// for long ago. It does so for half an hour at most; whoever is left is `waiting` for the next run.
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), JiraUsersQuery, PageQuery),
    responses((status = 200, description = "A page of users", body = Page<JiraUserResponse>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/jira-users")]
pub async fn list_jira_users(
    app: Data<App>,
    caller: Caller,
    id: Path<JobId>,
    what: Query<JiraUsersQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<JiraUserResponse>>> {
    let (organization, id) = (caller.organization, *id);
    let which = Which { outcome: what.outcome, user: what.object_id };
    let window = query.window(&format!("jobs/{id}/jira-users/{which:?}"))?;
    let rows = app
        .db
        .read(organization, async |tx| {
            job_settings::load(tx, organization, id).await?;
            jira_users::list(tx, organization, id, which, window.after, window.rows()).await
        })
        .await?;
    Ok(Json(window.page(rows, |row| row.user_id, JiraUserResponse::from)))
}
