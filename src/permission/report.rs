//! The result of a check: verdicts with evidence, findings, and remedies.

use super::Capability;
use crate::codes::{FindingCode, RecordedCode};
use crate::text_enum::explained;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

explained! {
    /// Whether one capability works, and if not, why.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum Verdict {
        /// It works.
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

explained! {
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
}

/// One thing that a verdict rests on.
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

explained! {
    /// In which form a remedy helps.
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

impl Remedy {
    pub fn new(kind: RemedyKind, title: impl Into<String>, value: impl Into<String>) -> Self {
        Self { kind, title: title.into(), value: value.into() }
    }
}

explained! {
    /// How grave a finding is.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum Severity {
        /// Nothing can be imported until it is fixed.
        Error,
        /// It works, and something should be looked at.
        Warning,
        /// Good to know.
        Info,
    }
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
    /// Ways to fix it.
    pub remedies: Vec<Remedy>,
    /// Microsoft's trace id of the refusal, by which its support finds it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_id: Option<String>,
    /// Microsoft's correlation id of the refusal.
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
    /// What the verdict rests on.
    pub evidence: Vec<Evidence>,
    /// Ways to make it work; empty if it works.
    pub remedies: Vec<Remedy>,
}
