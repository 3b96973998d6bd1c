//! The tenants of the simulator: a healthy one, and one for each fault of a connection.

use super::permission::{AZURE_AD_GRAPH_APP_ID, by_name};
use super::tenant::{App, Principal, Required, Secret, Tail, Tenant};
use crate::seed::Directory;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, RwLock};
use uuid::Uuid;

/// The credentials of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    pub tenant_id: String,
    pub client_id: Uuid,
    pub client_secret: String,
}

macro_rules! scenarios {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// One tenant each, all in one simulator, all over one directory.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Scenario { $($(#[$doc])* $name),* }

        impl Scenario {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As in `demo --tenant …`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

scenarios! {
    /// Every permission the product asks for, as Application permissions, consented to.
    Healthy = "healthy";
    /// The permissions added and consented to as Delegated: the token has no `roles`.
    Delegated = "delegated";
    /// Like `delegated`, with `Application.Read.All` granted, so that the app can read its own registration.
    DelegatedDiagnosable = "delegated-diagnosable";
    /// Added as Application permissions; nobody pressed «Grant admin consent».
    Pending = "pending";
    /// Like `pending`, with `Application.Read.All` granted.
    PendingDiagnosable = "pending-diagnosable";
    /// An app registration with nothing but the `User.Read` of the portal.
    NotAdded = "not-added";
    /// The permissions were picked under Azure AD Graph, not Microsoft Graph.
    AzureAdGraph = "azure-ad-graph";
    /// The secret has expired.
    ExpiredSecret = "expired-secret";
    /// The Secret ID was pasted instead of the Value.
    SecretId = "secret-id";
    /// The secret is not the app's.
    WrongSecret = "wrong-secret";
    /// The tenant exists, the app is not in it.
    WrongTenant = "wrong-tenant";
    /// There is no such tenant.
    UnknownTenant = "unknown-tenant";
    /// The registration's Object ID was pasted as client id.
    ObjectId = "object-id";
    /// Users and groups, but no permission for licences.
    NoLicences = "no-licences";
    /// Everything but `Member.Read.Hidden`.
    NoHidden = "no-hidden";
    /// Only the `*.ReadBasic.All` permissions.
    Basic = "basic";
    /// `Directory.Read.All` alone.
    DirectoryReader = "directory-read-all";
    /// No permission at all, but the directory role Directory Readers.
    DirectoryRole = "directory-role";
    /// `*.ReadWrite.*` permissions: too much.
    Excess = "excess";
    /// Consent was given a moment ago: assignments exist, tokens do not have them for five minutes.
    Propagating = "propagating";
    /// The enterprise application is disabled.
    Disabled = "disabled";
    /// The enterprise application was deleted: AADSTS7000229.
    MissingPrincipal = "missing-principal";
    /// A token without `oid`: Graph answers `Authorization_IdentityNotFound`.
    IdentityUnknown = "identity-unknown";
    /// A conditional access policy for workload identities blocks the sign-in.
    ConditionalAccess = "conditional-access";
    /// No P1 licence: `signInActivity` is refused.
    NotPremium = "not-premium";
}

impl std::str::FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|scenario| scenario.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|scenario| scenario.as_str()).collect();
            format!("there is no simulated tenant {text:?}; there are {}", known.join(", "))
        })
    }
}

/// What the product asks for.
pub const RECOMMENDED: &[&str] = &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"];
const OPTIONAL: &[&str] = &["Member.Read.Hidden", "Device.Read.All", "AuditLog.Read.All", "Application.Read.All"];
/// The value of every valid client secret.
pub const SECRET: &str = "sim8Q~simulated-client-secret-value-0001";
/// The policy that `conditional-access` names.
pub const POLICY: Uuid = Uuid::from_u128(0x5c0a_9010_0000_4000_8000_0000_0000_00ca);
/// How long a consent of `propagating`, or one given to the running simulator, may take to show in tokens.
pub const PROPAGATION: TimeDelta = TimeDelta::minutes(5);

impl Scenario {
    fn number(self) -> u128 {
        Self::ALL.iter().position(|scenario| *scenario == self).unwrap_or_default() as u128
    }

    pub fn tenant_id(self) -> Uuid {
        Uuid::from_u128(0x5c0a_0000_7e4a_4000_8000_0000_0000_0000 | self.number())
    }

    pub fn client_id(self) -> Uuid {
        Uuid::from_u128(0x5c0a_0000_c11e_4000_8000_0000_0000_0000 | self.number())
    }

    pub fn object_id(self) -> Uuid {
        Uuid::from_u128(0x5c0a_0000_0b1e_4000_8000_0000_0000_0000 | self.number())
    }

    pub fn secret_id(self) -> Uuid {
        Uuid::from_u128(0x5c0a_0000_5ec1_4000_8000_0000_0000_0000 | self.number())
    }

    pub fn principal_id(self) -> Uuid {
        Uuid::from_u128(0x5c0a_0000_5b00_4000_8000_0000_0000_0000 | self.number())
    }

    /// The verified domain of the tenant.
    pub fn domain(self) -> String {
        format!("{}.contoso.example", self.as_str())
    }

    /// The credentials that the user of the scenario enters, with the mistake of the scenario.
    pub fn credentials(self) -> Credentials {
        let mut entered = Credentials {
            tenant_id: self.tenant_id().to_string(),
            client_id: self.client_id(),
            client_secret: SECRET.to_owned(),
        };
        match self {
            Self::SecretId => entered.client_secret = self.secret_id().to_string(),
            Self::WrongSecret => entered.client_secret = "sim8Q~not-the-secret-of-this-app-000000".into(),
            // The tenant is there, the app is in another one.
            Self::WrongTenant => entered.client_id = Self::Healthy.client_id(),
            Self::UnknownTenant => entered.tenant_id = "5c0a0000-dead-4000-8000-000000000000".into(),
            Self::ObjectId => entered.client_id = self.object_id(),
            _ => {}
        }
        entered
    }

    /// The admin's bearer token for this tenant, for the Graph writes that remedies make.
    pub fn admin_token(self) -> String {
        admin_token(self.tenant_id())
    }

    pub(super) fn tenant(self, directory: Arc<RwLock<Directory>>, now: DateTime<Utc>) -> Tenant {
        Tenant {
            id: self.tenant_id(),
            name: format!("Contoso ({})", self.as_str()),
            domains: vec![self.domain()],
            directory,
            apps: vec![self.app(now)],
            token_error: None,
            tail: Tail::default(),
            premium: self != Self::NotPremium,
            graph_principal: Uuid::from_u128(0x5c0a_0000_64a0_4000_8000_0000_0000_0000 | self.number()),
            sharepoint_principal: Uuid::from_u128(0x5c0a_0000_5a0e_4000_8000_0000_0000_0000 | self.number()),
        }
    }

    fn app(self, now: DateTime<Utc>) -> App {
        let expired = self == Self::ExpiredSecret;
        let expires = if expired { now - TimeDelta::days(3) } else { now + TimeDelta::days(365) };
        let mut app = App {
            app_id: self.client_id(),
            object_id: self.object_id(),
            name: format!("Entra to Assets ({})", self.as_str()),
            home: true,
            public: false,
            secrets: vec![Secret { id: self.secret_id(), value: SECRET.to_owned(), expires }],
            certificates: Vec::new(),
            federated: Vec::new(),
            required: Vec::new(),
            principal: Some(Principal {
                id: self.principal_id(),
                enabled: true,
                assignments: Vec::new(),
                delegated: Vec::new(),
                delegated_of_sharepoint: Vec::new(),
            }),
            blocked_by: None,
            directory_reader: false,
            identity_unknown: false,
        };
        app.require(&["User.Read"], false);
        self.permit(&mut app, now);
        app
    }

    /// Adds and consents to what the scenario has.
    fn permit(self, app: &mut App, now: DateTime<Utc>) {
        let granted: &[&str] = match self {
            Self::Healthy
            | Self::ExpiredSecret
            | Self::SecretId
            | Self::WrongSecret
            | Self::ObjectId
            | Self::Propagating
            | Self::Disabled
            | Self::MissingPrincipal
            | Self::IdentityUnknown
            | Self::ConditionalAccess
            | Self::NotPremium
            | Self::UnknownTenant => {
                &[RECOMMENDED[0], RECOMMENDED[1], RECOMMENDED[2], OPTIONAL[0], OPTIONAL[1], OPTIONAL[2], OPTIONAL[3]]
            }
            Self::WrongTenant | Self::NotAdded | Self::DirectoryRole | Self::AzureAdGraph => &[],
            Self::Delegated | Self::Pending => &[],
            Self::DelegatedDiagnosable | Self::PendingDiagnosable => &["Application.Read.All"],
            Self::NoLicences => &["User.Read.All", "GroupMember.Read.All", "Application.Read.All"],
            Self::NoHidden => {
                &["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All", "Device.Read.All"]
            }
            Self::Basic => &["User.ReadBasic.All", "Group.ReadBasic.All", "GroupMember.ReadBasic.All"],
            Self::DirectoryReader => &["Directory.Read.All"],
            Self::Excess => &["User.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"],
        };
        app.require(granted, true);
        let effective = if self == Self::Propagating { now + PROPAGATION } else { now };
        app.consent(now, effective);
        match self {
            Self::Delegated | Self::DelegatedDiagnosable => {
                app.require(RECOMMENDED, false);
                app.consent(now, now);
            }
            Self::Pending | Self::PendingDiagnosable => app.require(RECOMMENDED, true),
            Self::AzureAdGraph => {
                app.required.extend(by_name("Directory.Read.All").and_then(|p| p.role).map(|id| Required {
                    resource: AZURE_AD_GRAPH_APP_ID,
                    id,
                    application: true,
                }))
            }
            Self::DirectoryRole => app.directory_reader = true,
            Self::IdentityUnknown => app.identity_unknown = true,
            Self::ConditionalAccess => app.blocked_by = Some(POLICY),
            Self::MissingPrincipal => app.principal = None,
            Self::Disabled => {
                if let Some(principal) = &mut app.principal {
                    principal.enabled = false;
                }
            }
            _ => {}
        }
    }
}

/// The bearer token of a tenant's administrator, which may make the writes of remedies.
pub fn admin_token(tenant: Uuid) -> String {
    format!("simulated-admin.{tenant}")
}
