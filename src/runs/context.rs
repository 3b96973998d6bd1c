//! The settings of a run's job, parsed, with their secrets opened.

use super::transaction::transaction;
use crate::app::App;
use crate::assets::objects::SiteAccess;
use crate::connection::CredentialKind;
use crate::db::job_settings::{self, ConnectionPart, DestinationPart, JobSettings};
use crate::destination::{self, EmptyValues, MissingObjects};
use crate::directory::Link;
use crate::directory::ObjectType::{self, Groups, Users};
use crate::error::{Code, Error, Result};
use crate::filter::Filter;
use crate::graph::token::{Credential, Identity};
use crate::ids::{ConnectionId, JobId, OrganizationId};
use crate::job::{Deliver, RemovalPolicy};
use crate::mapping::{Mapping, Memberships, Selection};
use crate::seal::{KeyRing, Place};
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The settings that a run works by.
pub struct JobContext {
    pub organization: OrganizationId,
    pub id: JobId,
    /// The job's version, so that an approval can tell whether it changed.
    pub version: i64,
    pub identity: Identity,
    pub filter: Filter,
    pub mapping: Mapping,
    pub memberships: Memberships,
    pub deliver: Deliver,
    pub policy: RemovalPolicy,
    pub after_missing_runs: i32,
    pub brake_percent: i32,
    pub destination: Option<Destination>,
    /// What was selected to be read: another one needs a full read.
    pub selection_hash: Vec<u8>,
}

pub struct Destination {
    pub id: Uuid,
    /// Rises with every change of the destination.
    pub version: i64,
    /// When something was first sent there, by whatever job.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Objects by type, as the last settled delivery of whatever job left them.
    pub holds: BTreeMap<ObjectType, u64>,
    pub kind: DestinationAccess,
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    /// For removals and clearing by the object API.
    pub api: Option<ObjectApi>,
}

/// Which settings a comparison was made with: what it found holds only for them.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    pub job_version: i64,
    pub destination: Option<Uuid>,
    pub destination_version: Option<i64>,
    /// See [`JobContext::selection`].
    pub selection: String,
}

/// How the import source of a destination is reached, with its secret opened.
pub enum DestinationAccess {
    AssetsImport { token: SecretString },
    Forge { workspace_id: String, import_id: String },
}

#[derive(Clone)]
pub struct ObjectApi {
    pub site_url: String,
    pub email: String,
    pub token: SecretString,
}

impl ObjectApi {
    /// The access that it gives; an error, if it does not name a site.
    pub fn access(&self) -> Result<SiteAccess> {
        let invalid = || Error::new(Code::ConfigurationInvalid, format!("{} is not the URL of a site.", self.site_url));
        Ok(SiteAccess {
            site_url: self.site_url.parse().map_err(|_| invalid())?,
            email: self.email.clone(),
            api_token: self.token.clone(),
        })
    }
}

impl JobContext {
    pub async fn load(app: &App, organization: OrganizationId, id: JobId) -> Result<Self> {
        let settings = transaction(app, organization, "load settings", async move |tx| {
            job_settings::load(tx, organization, id).await
        });
        Self::new(app, organization, settings.await?)
    }

    pub fn new(app: &App, organization: OrganizationId, settings: JobSettings) -> Result<Self> {
        let JobSettings { job, connection, filter, destination } = settings;
        let selection: Selection = read("objects", job.objects)?;
        let memberships = job.memberships;
        let template = destination.as_ref().map(|to| to.reference_template).unwrap_or_default();
        let rule = filter.map_or_else(|| serde_json::json!({}), |filter| filter.rule);
        let filter = Filter::from_json(&rule)?;
        let mapping = Mapping::new(&selection, memberships, template)
            .with_license_names(app.license_names.clone())
            .at(app.clock.now());
        if let Ok(tenant) = Uuid::parse_str(&connection.tenant_id) {
            mapping.reads_tenant(tenant);
        }
        Ok(Self {
            organization,
            id: JobId(job.id),
            version: job.version,
            selection_hash: selection_hash(&mapping, &filter),
            identity: identity(&app.keys, organization, &connection)?,
            filter,
            mapping,
            memberships,
            deliver: job.deliver,
            policy: job.removal_policy,
            after_missing_runs: job.removal_after_missing_runs,
            brake_percent: job.brake_percent,
            destination: destination.map(|d| open_destination(&app.keys, organization, d)).transpose()?,
        })
    }

    /// The settings that a comparison goes by.
    pub fn settings(&self) -> Settings {
        let destination = self.destination.as_ref();
        Settings {
            job_version: self.version,
            destination: destination.map(|destination| destination.id),
            destination_version: destination.map(|destination| destination.version),
            selection: self.selection(),
        }
    }

    /// What is selected to be read, as text.
    pub fn selection(&self) -> String {
        HEXLOWER.encode(&self.selection_hash)
    }

    /// The types that the job imports.
    pub fn enabled_types(&self) -> impl Iterator<Item = ObjectType> {
        ObjectType::ALL.into_iter().filter(|object_type| self.mapping.is_enabled(*object_type))
    }
}

/// Who a connection signs in as, with its credential opened.
pub fn identity(keys: &KeyRing, organization: OrganizationId, connection: &ConnectionPart) -> Result<Identity> {
    let open = |column: &'static str, sealed: &Option<Vec<u8>>| match sealed {
        Some(sealed) => keys.open(Place { table: "connections", column, organization, row: connection.id }, sealed),
        None => Err(Error::new(Code::ConnectionUnusable, "The connection has no credential; enter it again.")),
    };
    let credential = match connection.credential_kind {
        CredentialKind::ClientSecret => {
            Credential::ClientSecret(open("credential_sealed", &connection.credential_sealed)?)
        }
        CredentialKind::Certificate => Credential::Certificate {
            certificate_pem: connection.certificate_pem.clone().unwrap_or_default(),
            private_key_pem: open("credential_sealed", &connection.credential_sealed)?,
        },
        CredentialKind::Federated => Credential::Federated,
        CredentialKind::Awaited => Credential::Awaited,
    };
    Ok(Identity {
        organization,
        connection: ConnectionId(connection.id),
        credential_version: connection.credential_version,
        tenant_id: connection.tenant_id.clone(),
        client_id: connection.client_id,
        cloud: connection.cloud,
        credential,
    })
}

/// The import source and the object API of a destination, with their secrets opened.
pub fn open_destination(
    keys: &KeyRing,
    organization: OrganizationId,
    destination: DestinationPart,
) -> Result<Destination> {
    let row = destination.id;
    let open = |column: &'static str, sealed: &[u8]| {
        keys.open(Place { table: "destinations", column, organization, row }, sealed)
    };
    let kind = match (destination.kind, &destination.token_sealed) {
        (destination::DestinationKind::AssetsImport, Some(sealed)) => {
            DestinationAccess::AssetsImport { token: open("token_sealed", sealed)? }
        }
        (destination::DestinationKind::Forge, _) => DestinationAccess::Forge {
            workspace_id: destination.workspace_id.unwrap_or_default(),
            import_id: destination.import_id.unwrap_or_default(),
        },
        (destination::DestinationKind::AssetsImport, None) => {
            return Err(Error::internal(format!("destinations.token_sealed is null in the row {row}")));
        }
    };
    let api = match (destination.api_site_url, destination.api_email, &destination.api_token_sealed) {
        (Some(site_url), Some(email), Some(sealed)) => {
            Some(ObjectApi { site_url, email, token: open("api_token_sealed", sealed)? })
        }
        _ => None,
    };
    Ok(Destination {
        id: row,
        version: destination.version,
        delivered_at: destination.delivered_at,
        holds: read("delivered", destination.delivered)?,
        kind,
        missing_objects: destination.missing_objects,
        empty_values: destination.empty_values,
        api,
    })
}

/// What the mirror's contents depend on: attributes, types and filter, and with stubs who carries the memberships, but not
/// names or templates.
fn selection_hash(mapping: &Mapping, filter: &Filter) -> Vec<u8> {
    let mut text = String::new();
    for object_type in ObjectType::ALL.into_iter().filter(|t| mapping.is_enabled(*t)) {
        text.push_str(object_type.as_str());
        text.push_str(&mapping.select(object_type).join(","));
        // These have no property of their own.
        for relation in mapping.relations(object_type) {
            text.push(',');
            text.push_str(relation.name);
        }
        text.push(';');
    }
    if filter.wants_stubs() {
        // Of which groups the members are read, and what is outside them, depends on who carries the memberships.
        let sides = [(Users, Link::Groups), (Groups, Link::ParentGroups), (Groups, Link::Members)];
        text.extend(sides.map(|(object_type, link)| if mapping.carries(object_type, link) { '1' } else { '0' }));
    }
    crate::db::mirror::hash(&[text.as_bytes(), filter.to_json().to_string().as_bytes()])
}

/// A stored JSON value. It was validated when it was stored, so a fault is a defect.
fn read<T: DeserializeOwned>(what: &str, value: serde_json::Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| Error::internal(format!("stored {what}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::ReferenceTemplate;
    use serde_json::json;

    fn hashes(rule: &serde_json::Value) -> Vec<Vec<u8>> {
        let filter = Filter::from_json(rule).unwrap();
        let all = [Memberships::OnUser, Memberships::OnGroup, Memberships::Both];
        let hash = |memberships| {
            let mapping = Mapping::new(&Selection::default(), memberships, ReferenceTemplate::ArrayPlaceholder);
            selection_hash(&mapping, &filter)
        };
        all.into_iter().map(hash).collect()
    }

    #[test]
    fn who_carries_the_memberships_is_selected_only_where_there_are_stubs() {
        let condition = json!({"odata": "mailEnabled eq false"});
        for rule in [json!({}), json!({"groups": condition}), json!({"outside": "stub"})] {
            let hashes = hashes(&rule);
            assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{rule}");
        }
        let with_stubs = hashes(&json!({"groups": condition, "outside": "stub"}));
        assert!(with_stubs[0] != with_stubs[1] && with_stubs[1] != with_stubs[2] && with_stubs[2] != with_stubs[0]);
    }
}
