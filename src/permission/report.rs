//! The result of a check: verdicts with evidence, findings, and remedies.

use super::Capability;
use crate::codes::{FindingCode, RecordedCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether one capability works, and if not, why.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Granted,
    /// It works, but only with basic properties.
    Limited,
    /// It does not work. The check could not see why.
    Missing,
    /// The permission was added as *Delegated*, which has no effect for a service.
    AddedAsDelegated,
    /// Added as *Application*, but admin consent was not granted.
    ConsentPending,
    /// Granted, but the tokens do not contain it yet.
    StaleToken,
    /// Neither added nor granted.
    NotAdded,
    /// This check could not determine it.
    Unknown,
}

impl Verdict {
    pub fn works(self) -> bool {
        match self {
            Self::Granted | Self::Limited => true,
            Self::Missing
            | Self::AddedAsDelegated
            | Self::ConsentPending
            | Self::StaleToken
            | Self::NotAdded
            | Self::Unknown => false,
        }
    }
}

/// Where a verdict comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EvidenceKind {
    /// The claim `roles` of the access token.
    TokenRole,
    /// An Application permission that the tenant granted.
    AppRoleAssignment,
    /// A Delegated permission that the tenant granted.
    DelegatedGrant,
    /// A permission of the app registration, whether granted or not.
    Manifest,
    /// It works without the permission, so a directory role allows it.
    DirectoryRole,
    /// A request to Graph, made for this check.
    Probe,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    pub kind: EvidenceKind,
    pub detail: String,
    /// Graph's `request-id`, by which Microsoft support finds the request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

impl Evidence {
    pub fn new(kind: EvidenceKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), request_id: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RemedyKind {
    /// A page that an administrator opens to grant consent.
    ConsentUrl,
    /// A page of the portal, with what to do there in the title.
    Portal,
    /// A script for Bash with the Azure CLI, such as Cloud Shell.
    AzCli,
    /// A script for Microsoft Graph PowerShell.
    Powershell,
    /// What to do in Assets, with the names that Assets uses.
    Assets,
    /// A request to this service.
    Request,
}

/// One way to fix it. Several remedies of a finding are either steps in this order or alternatives; their titles say
/// which.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remedy {
    pub kind: RemedyKind,
    pub title: String,
    /// A URL or a script.
    pub value: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    Error,
    Warning,
    Info,
}

/// A fact about the whole connection: a failed sign-in, too many permissions, an expiry date.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Stable: `client_secret_invalid`.
    #[schema(value_type = String)]
    pub code: RecordedCode<FindingCode>,
    pub severity: Severity,
    /// The AADSTS number in Microsoft's message.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aadsts: Option<u32>,
    /// What is wrong and what to do.
    pub message: String,
    /// The message as Microsoft wrote it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub microsoft_message: Option<String>,
    pub remedies: Vec<Remedy>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub correlation_id: Option<String>,
}

impl Finding {
    pub fn new(severity: Severity, code: FindingCode, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            severity,
            aadsts: None,
            message: message.into(),
            microsoft_message: None,
            remedies: Vec::new(),
            trace_id: None,
            correlation_id: None,
        }
    }

    pub fn with_remedies(mut self, remedies: Vec<Remedy>) -> Self {
        self.remedies = remedies;
        self
    }
}

/// The verdict on one capability.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityVerdict {
    pub capability: Capability,
    pub verdict: Verdict,
    /// The permission that grants it, or the least permission that would.
    pub permission: String,
    /// One sentence.
    pub message: String,
    pub evidence: Vec<Evidence>,
    pub remedies: Vec<Remedy>,
}
