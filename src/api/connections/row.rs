//! The columns of a connection: its credential is sealed here, and opened only where a change needs a part of it.

use super::body::{CreateConnection, UpdateConnection, UpdateCredential};
use crate::api::contract::Contract;
use crate::api::credentials::{self, CredentialBody};
use crate::api::patch::Change;
use crate::app::App;
use crate::connection::CredentialKind;
use crate::db::connections::{ConnectionRow, NewConnectionRow};
use crate::error::{Error, Faults, Result};
use crate::graph::token::{Credential, validate_tenant_id};
use crate::ids::{ConnectionId, OrganizationId};
use crate::seal::Place;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

fn place(organization: OrganizationId, id: ConnectionId) -> Place {
    Place { table: "connections", column: "credential_sealed", organization, row: id.0 }
}

/// The columns of a credential.
struct CredentialColumns {
    kind: CredentialKind,
    sealed: Option<Vec<u8>>,
    certificate_pem: Option<String>,
    hint: Option<String>,
    expires_at: Option<DateTime<Utc>>,
}

impl CredentialColumns {
    fn seal(app: &App, organization: OrganizationId, id: ConnectionId, body: &CredentialBody) -> Result<Self> {
        let credential = body.credential();
        let seal = |secret: &SecretString| app.keys.seal(place(organization, id), secret.expose_secret());
        let (sealed, certificate_pem) = match &credential {
            Credential::ClientSecret(secret) => (Some(seal(secret)?), None),
            Credential::Certificate { certificate_pem, private_key_pem } => {
                (Some(seal(private_key_pem)?), Some(certificate_pem.clone()))
            }
            Credential::Federated | Credential::Awaited => (None, None),
        };
        let (kind, hint) = (credential.kind(), credential.hint());
        Ok(Self { kind, sealed, certificate_pem, hint, expires_at: body.expires_at() })
    }

    fn stored(row: &ConnectionRow) -> Self {
        Self {
            kind: row.credential_kind,
            sealed: row.credential_sealed.clone(),
            certificate_pem: row.certificate_pem.clone(),
            hint: row.credential_hint.clone(),
            expires_at: row.credential_expires_at,
        }
    }
}

/// The service's own identity is only for the tenants and applications that the operator allows.
fn require_federated(app: &App, organization: OrganizationId, tenant_id: &str, client_id: Uuid) -> Result<()> {
    app.graph.tokens().federated().require(organization, tenant_id, client_id)
}

/// The columns of a new connection.
pub(super) fn new(
    app: &App,
    organization: OrganizationId,
    id: ConnectionId,
    body: &CreateConnection,
) -> Result<NewConnectionRow> {
    let mut faults = Faults::default();
    credentials::check_dates(&body.credential, app.clock.now(), &mut faults);
    faults.into_result()?;
    if matches!(body.credential, CredentialBody::Federated(_)) {
        require_federated(app, organization, &body.tenant_id, body.client_id)?;
    }
    let credential = CredentialColumns::seal(app, organization, id, &body.credential)?;
    Ok(NewConnectionRow {
        name: body.name.clone(),
        tenant_id: body.tenant_id.clone(),
        client_id: body.client_id,
        cloud: body.cloud,
        credential_kind: credential.kind,
        credential_sealed: credential.sealed,
        certificate_pem: credential.certificate_pem,
        credential_hint: credential.hint,
        credential_expires_at: credential.expires_at,
        credential_version: 1,
        expiry_announced: None,
    })
}

/// The columns of `row` with `change` applied. A credential that is not changed is not opened: the master key may be
/// gone.
pub(super) fn changed(
    app: &App,
    contract: &Contract,
    organization: OrganizationId,
    row: ConnectionRow,
    change: UpdateConnection,
) -> Result<NewConnectionRow> {
    let changes_credential = change.credential.is_some();
    let tenant_id = change.tenant_id.unwrap_or_else(|| row.tenant_id.clone());
    let mut faults = Faults::default();
    validate_tenant_id(&tenant_id, "/tenantId", &mut faults);
    let merged = change.credential.map(|credential| merge(app, organization, &row, &credential)).transpose()?;
    if let Some(credential) = &merged {
        check(app, contract, credential, &mut faults);
    }
    faults.into_result()?;
    let credential = match merged {
        Some(merged) => {
            let body = serde_json::from_value(merged).map_err(Error::internal)?;
            CredentialColumns::seal(app, organization, ConnectionId(row.id), &body)?
        }
        None => CredentialColumns::stored(&row),
    };
    let client_id = change.client_id.unwrap_or(row.client_id);
    let cloud = change.cloud.of(row.cloud);
    let reaches_elsewhere = (&tenant_id, client_id, cloud) != (&row.tenant_id, row.client_id, row.cloud);
    let depends = changes_credential || reaches_elsewhere;
    if depends && credential.kind == CredentialKind::Federated {
        require_federated(app, organization, &tenant_id, client_id)?;
    }
    Ok(NewConnectionRow {
        name: change.name.unwrap_or(row.name),
        tenant_id,
        client_id,
        cloud,
        credential_kind: credential.kind,
        credential_sealed: credential.sealed,
        certificate_pem: credential.certificate_pem,
        credential_hint: credential.hint,
        credential_expires_at: credential.expires_at,
        credential_version: row.credential_version + i64::from(depends),
        // Another end is announced again.
        expiry_announced: row.expiry_announced.filter(|_| credential.expires_at == row.credential_expires_at),
    })
}

/// The columns of `row` with another credential.
pub(super) fn with_credential(
    app: &App,
    organization: OrganizationId,
    row: ConnectionRow,
    credential: &CredentialBody,
) -> Result<NewConnectionRow> {
    if matches!(credential, CredentialBody::Federated(_)) {
        require_federated(app, organization, &row.tenant_id, row.client_id)?;
    }
    let credential = CredentialColumns::seal(app, organization, ConnectionId(row.id), credential)?;
    Ok(NewConnectionRow {
        name: row.name,
        tenant_id: row.tenant_id,
        client_id: row.client_id,
        cloud: row.cloud,
        credential_kind: credential.kind,
        credential_sealed: credential.sealed,
        certificate_pem: credential.certificate_pem,
        credential_hint: credential.hint,
        credential_expires_at: credential.expires_at,
        credential_version: row.credential_version + 1,
        // Another end is announced again.
        expiry_announced: None,
    })
}

/// The whole credential that a change makes, as the body of a request, with those secrets opened that it keeps.
fn merge(app: &App, organization: OrganizationId, row: &ConnectionRow, change: &UpdateCredential) -> Result<Value> {
    let kind = change.kind.unwrap_or(row.credential_kind);
    let is_same = kind == row.credential_kind;
    let keep = |given: &Option<String>, keeps: CredentialKind| match (given, &row.credential_sealed) {
        (Some(given), _) => Ok(Some(given.clone())),
        (None, Some(sealed)) if is_same && kind == keeps => {
            let opened = app.keys.open(place(organization, ConnectionId(row.id)), sealed)?;
            Ok::<_, Error>(Some(opened.expose_secret().to_owned()))
        }
        (None, _) => Ok(None),
    };
    // The date that was declared for one secret says nothing about the next.
    let keeps_date = is_same && kind == CredentialKind::ClientSecret && change.secret.is_none();
    let expires_at = match change.expires_at {
        Change::Keep => row.credential_expires_at.filter(|_| keeps_date),
        Change::Reset => None,
        Change::Set(at) => Some(at),
    };
    let certificate = change.certificate.clone().or_else(|| row.certificate_pem.clone().filter(|_| is_same));
    let mut credential = json!({
        "kind": kind,
        "secret": keep(&change.secret, CredentialKind::ClientSecret)?,
        "certificate": certificate,
        "privateKey": keep(&change.private_key, CredentialKind::Certificate)?,
        "expiresAt": expires_at,
    });
    if let Value::Object(fields) = &mut credential {
        fields.retain(|_, field| !field.is_null());
    }
    Ok(credential)
}

/// Every fault of a credential, at its place in the body of a connection.
fn check(app: &App, contract: &Contract, credential: &Value, faults: &mut Faults) {
    contract.check_form("CredentialBody", credential, "/credential", faults);
    let mut more = Faults::default();
    credentials::check_now(app, &json!({"credential": credential}), &mut more);
    faults.add_new(more);
}
