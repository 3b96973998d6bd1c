//! The query of operations about an application that need no stored connection.

use super::capabilities::parse;
use crate::cloud::Cloud;
use crate::connection_check::setup::place_of;
use crate::error::{Faults, Result};
use crate::graph::token::{normalize_tenant_id, validate_tenant_id};
use crate::permission::Capability;
use crate::permission::remedy::Place;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// What older callers send for a tenant that they do not know.
const ANY_TENANT: &str = "organizations";

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationQuery {
    /// Capabilities, separated by commas. Absent: those that a job needs by default (`checkedByDefault` in
    /// `GET /v1/capabilities`).
    #[param(
        value_type = Vec<Capability>, required = false, style = Form, explode = false, max_items = 18,
        example = json!(["users", "groups"])
    )]
    pub capabilities: Option<String>,
    /// The cloud for the links and commands. Absent: global.
    pub cloud: Option<Cloud>,
    /// The application for the links and commands, if it is known. Without it they have `APPLICATION-CLIENT-ID`.
    pub client_id: Option<Uuid>,
    /// The tenant for the links and commands, if it is known.
    #[param(max_length = 253)]
    pub tenant_id: Option<String>,
}

impl ApplicationQuery {
    /// The capabilities, and the application with its cloud.
    ///
    /// # Errors
    /// `validation_failed`: an unknown capability, or a tenant that is none.
    pub fn read(self) -> Result<(Vec<Capability>, Place)> {
        let capabilities = parse(self.capabilities.as_deref())?;
        let tenant = self.tenant_id.as_deref().map(normalize_tenant_id).filter(|tenant| tenant != ANY_TENANT);
        let mut faults = Faults::default();
        if let Some(tenant) = &tenant {
            validate_tenant_id(tenant, "?tenantId", &mut faults);
        }
        faults.into_result()?;
        Ok((capabilities, place_of(self.cloud.unwrap_or_default(), tenant.as_deref(), self.client_id)))
    }
}
