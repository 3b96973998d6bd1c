//! The audit log: every write leaves an event. So does a failed attempt with a key, with a ticket whose key has ended, or with
//! the link of a handover.

use super::auth::Caller;
use super::page::{Page, PageQuery, TimeSortQuery};
use crate::app::App;
use crate::audit::Action;
use crate::db::Transaction;
use crate::db::audit_events::{self, AuditEventRow, Which};
use crate::error::{Error, Result};
use crate::ids;
use actix_web::get;
use actix_web::web::{Data, Json, Query};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use utoipa::ToSchema;
use uuid::Uuid;

/// Fields of a resource that change with each update, or that the service itself changes.
const ALWAYS_CHANGED: [&str; 6] = ["updatedAt", "version", "lastCheck", "lastRun", "observed", "nextRunAt"];
/// An event has at most so many changed fields.
const MAX_CHANGES: usize = 50;
/// A longer value is not repeated in an event.
const MAX_VALUE_CHARACTERS: usize = 1_000;

/// Something that somebody did.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct AuditEventResponse {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    /// Who acted: `adminKey`, `apiKey:<id>`, `jwt:<issuer>:<subject>`, `handover:<id>`, or a part of the service, such as `schedule`.
    pub actor: String,
    #[schema(value_type = Action)]
    pub action: String,
    /// The collection of the changed resource in the API.
    #[schema(example = "filters")]
    pub resource_kind: String,
    /// The id of the changed resource; null: the event is about none.
    #[schema(required = true)]
    pub resource_id: Option<Uuid>,
    /// Details of the action; never a secret. Of an update: `changes` has the `field`s that changed with their values
    /// `before` and `after`, and `secrets` the names of the secrets that were replaced.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// The address of the caller. Null: it is not known, or the service acted by itself.
    #[schema(required = true, example = "198.51.100.7")]
    pub address: Option<String>,
}

impl From<AuditEventRow> for AuditEventResponse {
    fn from(row: AuditEventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor.to_string(),
            action: row.action.to_string(),
            resource_kind: row.resource_kind,
            resource_id: row.resource_id,
            detail: row.detail,
            address: row.address,
        }
    }
}

/// The name of a secret, with what was stored before and is stored now, sealed.
pub(super) type Secret<'a> = (&'a str, Option<&'a [u8]>, Option<&'a [u8]>);

/// Records an action of `caller`, in the transaction of the action.
pub(super) async fn record(
    tx: &mut Transaction,
    app: &App,
    caller: &Caller,
    action: Action,
    kind: &str,
    id: Uuid,
) -> Result<()> {
    record_with(tx, app, caller, (action, kind, id), json!({})).await
}

/// As [`record`], with details. `detail` must hold no secret.
pub(super) async fn record_with(
    tx: &mut Transaction,
    app: &App,
    caller: &Caller,
    (action, kind, id): (Action, &str, Uuid),
    detail: Value,
) -> Result<()> {
    audit_events::insert(tx, &AuditEventRow { detail, ..event(app, caller, (action, kind, id)) }).await
}

/// Records an update of a resource, with what it changed. `before` and `after`: the resource as the API shows it, so without
/// secrets. `secrets`: those that it has.
pub(super) async fn record_update(
    tx: &mut Transaction,
    app: &App,
    caller: &Caller,
    (kind, id): (&str, Uuid),
    (before, after): (&impl Serialize, &impl Serialize),
    secrets: &[Secret<'_>],
) -> Result<()> {
    let shown = |resource: serde_json::Result<Value>| resource.map_err(Error::internal);
    let (before, after) = (shown(serde_json::to_value(before))?, shown(serde_json::to_value(after))?);
    let mut changes = Vec::new();
    compare("", &before, &after, &mut changes);
    let more = changes.len().saturating_sub(MAX_CHANGES);
    changes.truncate(MAX_CHANGES);
    let mut detail = json!({"changes": changes});
    if more > 0 {
        detail["moreChanges"] = more.into();
    }
    let replaced = secrets.iter().filter(|(_, before, after)| before != after);
    let replaced: Vec<&str> = replaced.map(|(name, ..)| *name).collect();
    if !replaced.is_empty() {
        detail["secrets"] = replaced.into();
    }
    record_with(tx, app, caller, (Action::Update, kind, id), detail).await
}

/// Adds every field below `path` whose value is not the same.
fn compare(path: &str, before: &Value, after: &Value, changes: &mut Vec<Value>) {
    if before == after {
        return;
    }
    if let (Value::Object(old), Value::Object(new)) = (before, after) {
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| !path.is_empty() || !ALWAYS_CHANGED.contains(&name.as_str())) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let of = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
            compare(&path, &of(old), &of(new), changes);
        }
        return;
    }
    changes.push(json!({"field": path, "before": bounded(before), "after": bounded(after)}));
}

/// A value as it is, or how long it is.
fn bounded(value: &Value) -> Value {
    let characters = value.to_string().chars().count();
    if characters <= MAX_VALUE_CHARACTERS { value.clone() } else { format!("({characters} characters)").into() }
}

/// The event that [`record`] stores.
pub(super) fn event(app: &App, caller: &Caller, (action, kind, id): (Action, &str, Uuid)) -> AuditEventRow {
    AuditEventRow {
        organization_id: caller.organization.0,
        id: ids::new_v7(&app.clock),
        at: app.clock.now(),
        actor: caller.actor.clone(),
        action: action.into(),
        resource_kind: kind.to_owned(),
        resource_id: Some(id),
        detail: json!({}),
        address: caller.address.map(|address| address.to_string()),
    }
}

/// List audit events
///
/// Who did what, newest first, unless `sort` says otherwise. A key, a ticket whose key has ended, or a link that is used in
/// vain leaves events, too (`refuse`): a limited number.
#[utoipa::path(
    tag = "Administration",
    params(Which, TimeSortQuery, PageQuery),
    responses((status = 200, description = "A page of events", body = Page<AuditEventResponse>)),
    security(("bearer" = ["admin"]))
)]
#[get("/v1/audit-events")]
pub async fn list_audit_events(
    app: Data<App>,
    caller: Caller,
    which: Query<Which>,
    sort: Query<TimeSortQuery>,
    query: Query<PageQuery>,
) -> Result<Json<Page<AuditEventResponse>>> {
    let window = query.sorted("audit-events", &which, sort.order())?;
    let organization = caller.organization;
    let rows = app
        .db
        .scoped(organization, async |tx| audit_events::list(tx, organization, &which, &window.part()).await)
        .await?;
    Ok(Json(window.page(rows, |row| row.id, AuditEventResponse::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_by_its_path() {
        let before = json!({"name": "a", "removal": {"policy": "keep", "brake": 20}, "version": 1, "types": ["x"]});
        let after = json!({"name": "a", "removal": {"policy": "mark", "brake": 20}, "version": 2, "types": ["x", "y"]});
        let mut changes = Vec::new();
        compare("", &before, &after, &mut changes);
        let expected = [
            json!({"field": "removal.policy", "before": "keep", "after": "mark"}),
            json!({"field": "types", "before": ["x"], "after": ["x", "y"]}),
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_long_value_is_not_repeated() {
        assert_eq!(bounded(&"a".repeat(998).into()), Value::from("a".repeat(998)));
        assert_eq!(bounded(&"a".repeat(999).into()), Value::from("(1001 characters)"));
    }
}
