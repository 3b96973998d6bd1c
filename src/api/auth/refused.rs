//! Failed sign-ins with a credential of a known organization. They are events in the audit log of this organization.

use crate::api::client;
use crate::api::rate_limit::RateLimiter;
use crate::app::App;
use crate::audit::{Action, Actor};
use crate::db::audit_events::{self, AuditEventRow};
use crate::error::Result;
use crate::ids::{self, OrganizationId};
use actix_web::dev::ServiceRequest;
use actix_web::web;
use serde_json::json;
use uuid::Uuid;

/// A credential that is not valid.
pub(super) struct Refused<'a> {
    pub organization: OrganizationId,
    pub actor: Actor,
    /// The collection of the credential in the API.
    pub kind: &'a str,
    pub id: Option<Uuid>,
    /// Why it is not valid, in one word.
    pub reason: &'a str,
}

/// Adds an audit event, unless the credential has a few of this minute already: nobody fills the table.
pub(super) async fn record(app: &App, request: &ServiceRequest, refused: Refused<'_>) -> Result<()> {
    let Refused { organization, actor, kind, id, reason } = refused;
    let limiter = request.app_data::<web::Data<RateLimiter>>();
    if !limiter.is_some_and(|limiter| limiter.may_record(id.unwrap_or(organization.0), &app.clock)) {
        return Ok(());
    }
    let event = AuditEventRow {
        organization_id: organization.0,
        id: ids::new_v7(&app.clock),
        at: app.clock.now(),
        actor,
        action: Action::Refuse.into(),
        resource_kind: kind.to_owned(),
        resource_id: id,
        detail: json!({"reason": reason}),
        address: client::address(app, request).map(|address| address.to_string()),
    };
    app.db.scoped(organization, async |tx| audit_events::insert(tx, &event).await).await
}
