//! Why one object is imported or not.

use super::auth::{Caller, Scope};
use super::places::LIVE_READS;
use crate::app::App;
use crate::db::job_settings;
use crate::error::{Error, Fault, Result};
use crate::explain::{self, Explanation};
use crate::filter::EntityKind;
use crate::ids::JobId;
use actix_web::get;
use actix_web::web::{Data, Json, Path, Query};
use serde::Deserialize;
use utoipa::IntoParams;

/// The object that is asked about: one of the three.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// A user: the object id, user principal name, mail address or display name.
    #[param(min_length = 1, max_length = 256, example = "adele@contoso.com")]
    pub user: Option<String>,
    /// A group: the object id, display name or mail address.
    #[param(min_length = 1, max_length = 256)]
    pub group: Option<String>,
    /// A device: the object id or display name.
    #[param(min_length = 1, max_length = 256)]
    pub device: Option<String>,
}

impl ExplainQuery {
    /// The kind of the object and its key.
    fn read(self) -> Result<(EntityKind, String)> {
        let given = [
            self.user.map(|key| (EntityKind::Users, key)),
            self.group.map(|key| (EntityKind::Groups, key)),
            self.device.map(|key| (EntityKind::Devices, key)),
        ];
        let given: Vec<(EntityKind, String)> = given.into_iter().flatten().collect();
        match <[_; 1]>::try_from(given) {
            Ok([one]) => Ok(one),
            Err(given) => {
                let (code, what) = if given.is_empty() { ("required", "Give") } else { ("conflict", "Give only") };
                let detail = format!("{what} one of `user`, `group` and `device`");
                Err(Error::validation(vec![Fault::new("?user", code, detail)]))
            }
        }
    }
}

/// Explain why an object is imported or not
///
/// Goes through everything that decides: the type, whether the object exists and may be read, each condition of the filter
/// with the value that was found, exclusions, the scope with the path of groups, limits, the last complete read, the
/// delivery, and what Assets answered. Each step has a verdict and one sentence; the conclusion says what to change. Values
/// come from the job's mirror. With the scope `run`, Graph is asked for the one object where the mirror does not know it, or
/// was read by other settings; without it, the answer then has steps that are `unknown`. The response takes at most 20 seconds.
/// An organization may have eight requests at once that ask Microsoft or Atlassian (`rate_limited`).
#[utoipa::path(
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job's id"), ExplainQuery),
    responses((status = 200, description = "The steps and the conclusion", body = Explanation)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/jobs/{id}/explain")]
pub async fn explain_object(
    app: Data<App>,
    caller: Caller,
    id: Path<JobId>,
    query: Query<ExplainQuery>,
) -> Result<Json<Explanation>> {
    let (organization, id) = (caller.organization, *id);
    app.db.scoped(organization, async |tx| job_settings::load(tx, organization, id).await).await?;
    let (kind, key) = query.into_inner().read()?;
    // The mirror is what a reader sees anyway. Graph also knows whom the filter leaves out.
    let may_ask = caller.require(Scope::Run).is_ok();
    let _place = may_ask.then(|| LIVE_READS.take(organization)).transpose()?;
    Ok(Json(explain::explain(&app, organization, id, (kind, &key), may_ask).await?))
}
