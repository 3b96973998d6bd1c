//! Capabilities: what an import needs from Microsoft Graph, and which permissions grant it.

use super::page::{Page, WholeListQuery};
use crate::error::{Faults, Result};
use crate::permission::{self, Capability, CapabilityDescription};
use actix_web::get;
use actix_web::web::{Json, Query};

/// List capabilities
///
/// For each capability: the Application permissions that grant it with their ids, what it provides, and what is lost
/// without it. The response has the whole list unless `limit` is set.
#[utoipa::path(
    tag = "Connections",
    params(WholeListQuery),
    responses((status = 200, description = "Every capability", body = Page<CapabilityDescription>)),
    security(("bearer" = ["read"]))
)]
#[get("/v1/capabilities")]
pub async fn list_capabilities(query: Query<WholeListQuery>) -> Result<Json<Page<CapabilityDescription>>> {
    Ok(Json(query.into_inner().page("capabilities", permission::describe())?))
}

/// Reads `?capabilities=users,groups`. Absent or empty: the capabilities that a check covers by default.
pub(super) fn parse(text: Option<&str>) -> Result<Vec<Capability>> {
    let (mut faults, mut capabilities) = (Faults::default(), Vec::new());
    for word in text.unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word.parse::<Capability>() {
            Ok(capability) if !capabilities.contains(&capability) => capabilities.push(capability),
            Ok(_) => {}
            Err(unknown) => faults.push("?capabilities", "unknown_capability", unknown.to_string()),
        }
    }
    faults.into_result()?;
    Ok(or_default(capabilities))
}

/// The capabilities that were requested, or the default ones.
pub fn or_default(capabilities: Vec<Capability>) -> Vec<Capability> {
    if capabilities.is_empty() { Capability::DEFAULT.to_vec() } else { capabilities }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unknown_capability_is_a_fault() {
        assert_eq!(parse(None).unwrap(), Capability::DEFAULT);
        assert_eq!(parse(Some("devices, users,devices")).unwrap(), [Capability::Devices, Capability::Users]);
        assert_eq!(parse(Some("user,users,Groups")).unwrap_err().faults.len(), 2);
    }
}
