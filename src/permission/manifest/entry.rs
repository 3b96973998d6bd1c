//! What one entry of a manifest means for an import.

use super::read::Added;
use crate::permission::catalog::{self, AZURE_AD_GRAPH, MICROSOFT_GRAPH, PermissionKind};
use crate::permission::{Capability, grants, list, missing_parts};
use crate::text_enum::explained;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

explained! {
    /// The API that a permission belongs to.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum Resource {
        /// Microsoft Graph, which this service uses.
        MicrosoftGraph,
        /// Microsoft has shut it down. Its permissions have the same names, and no effect on Microsoft Graph.
        AzureAdGraph,
        /// Another API.
        Other,
    }
}

/// One permission that is added in the manifest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestPermission {
    pub id: Uuid,
    /// `null` if the id is not in the list of permissions of this version.
    pub name: Option<String>,
    /// `Application` or `Delegated`: the column Type in the portal.
    pub kind: String,
    /// The API that it belongs to.
    pub resource: Resource,
    /// The application id of that API.
    pub resource_app_id: Uuid,
    /// What is wrong with it, or why it has no effect here.
    pub note: Option<String>,
}

/// One entry with its name and its meaning.
pub struct Entry {
    added: Added,
    /// The name as a permission of Microsoft Graph.
    name: Option<&'static str>,
    pub meaning: Meaning,
}

/// What an entry means. Only capabilities decide whether a Delegated permission is a mistake: one that grants what
/// Application permissions grant already has no effect, and needs no correction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// Nothing to say: it works, or it has nothing to do with an import.
    Fine,
    OfAzureAdGraph,
    /// Of another API, with the id of a Microsoft Graph permission.
    OfAnotherApi {
        same_as: &'static str,
    },
    Unknown,
    /// The id is that of a permission of another kind than the entry says.
    WrongKind {
        actual: PermissionKind,
    },
    /// It would grant what no Application permission grants: add the least permissions as Application permissions.
    AddedAsDelegated {
        instead: Vec<&'static str>,
    },
    /// It would grant what Application permissions grant already.
    RedundantDelegated,
}

impl Entry {
    /// `application` are the Microsoft Graph permissions that are added as Application.
    pub fn new(added: &Added, capabilities: &[Capability], application: &[&str]) -> Self {
        let known = catalog::names(added.id);
        let name = catalog::name(added.id, added.kind).or_else(|| known.first().map(|(name, _)| name.as_str()));
        let meaning = match (added.resource, name) {
            (AZURE_AD_GRAPH, _) => Meaning::OfAzureAdGraph,
            (MICROSOFT_GRAPH, None) => Meaning::Unknown,
            (MICROSOFT_GRAPH, Some(name)) => match known.iter().map(|(_, kind)| *kind).collect::<Vec<_>>() {
                kinds if kinds.contains(&added.kind) => meaning(name, added.kind, capabilities, application),
                kinds => Meaning::WrongKind { actual: kinds.first().copied().unwrap_or(added.kind) },
            },
            (_, Some(same_as)) if added.kind == PermissionKind::Application => Meaning::OfAnotherApi { same_as },
            (_, _) => Meaning::Fine,
        };
        Self { added: *added, name: name.filter(|_| added.resource == MICROSOFT_GRAPH), meaning }
    }

    /// The name, or the id if the name is not known.
    pub fn shown(&self) -> String {
        self.name.map_or_else(|| self.added.id.to_string(), str::to_owned)
    }

    fn note(&self) -> Option<String> {
        let name = self.name.unwrap_or_default();
        match &self.meaning {
            Meaning::Fine => None,
            Meaning::OfAzureAdGraph => Some(
                "Microsoft has shut down Azure AD Graph. This permission has no effect on Microsoft Graph.".to_owned(),
            ),
            Meaning::OfAnotherApi { same_as } => Some(format!(
                "This permission belongs to another API. It has no effect on Microsoft Graph, although Microsoft Graph's {same_as} \
                 has the same id."
            )),
            Meaning::Unknown => {
                Some("This version of the service does not know a Microsoft Graph permission with this id.".to_owned())
            }
            Meaning::WrongKind { actual } => Some(format!(
                "The id is that of the {} permission {name}, but the entry says {}. Entra ignores the entry.",
                actual.title(),
                self.added.kind.title()
            )),
            Meaning::AddedAsDelegated { instead } => Some(format!(
                "A Delegated permission has no effect for a service. Add {} as {}.",
                list(instead),
                if instead.len() == 1 { "an Application permission" } else { "Application permissions" }
            )),
            Meaning::RedundantDelegated => Some(
                "A Delegated permission has no effect for a service. The Application permissions grant already what this \
                 import needs of it, so there is nothing to add."
                    .to_owned(),
            ),
        }
    }

    pub fn into_permission(self) -> ManifestPermission {
        let note = self.note();
        ManifestPermission {
            id: self.added.id,
            name: self.name.map(str::to_owned),
            kind: self.added.kind.title().to_owned(),
            resource: match self.added.resource {
                MICROSOFT_GRAPH => Resource::MicrosoftGraph,
                AZURE_AD_GRAPH => Resource::AzureAdGraph,
                _ => Resource::Other,
            },
            resource_app_id: self.added.resource,
            note,
        }
    }
}

/// The meaning of a permission of Microsoft Graph whose id and kind match.
fn meaning(name: &str, kind: PermissionKind, capabilities: &[Capability], application: &[&str]) -> Meaning {
    if kind == PermissionKind::Application {
        return Meaning::Fine;
    }
    let mut instead: Vec<&str> = Vec::new();
    for part in capabilities.iter().flat_map(|capability| missing_parts(*capability, application)) {
        let least = part.first().copied().filter(|least| grants(name, part) && !instead.contains(least));
        instead.extend(least);
    }
    if !instead.is_empty() {
        return Meaning::AddedAsDelegated { instead };
    }
    let is_of_a_part = |capability: &Capability| capability.row().parts.iter().any(|part| grants(name, part));
    if capabilities.iter().any(is_of_a_part) { Meaning::RedundantDelegated } else { Meaning::Fine }
}
