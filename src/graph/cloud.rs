//! Microsoft's four clouds. Each has its own hosts, and a token of one is not valid in another.
//!
//! Source: <https://learn.microsoft.com/en-us/graph/deployments>; docs/graph.md, «Clouds».

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The cloud of a tenant. The service's host settings change only where requests are sent; scope, audience and portal
/// links stay those of the cloud.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cloud {
    /// The public cloud, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (Department of Defense).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

impl Cloud {
    pub const ALL: [Self; 4] = [Self::Global, Self::UsGov, Self::UsGovDod, Self::China];

    /// The word in the API and the database: `global`, `usGov`, `usGovDod`, `china`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::UsGov => "usGov",
            Self::UsGovDod => "usGovDod",
            Self::China => "china",
        }
    }

    /// The name in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::Global => "the public (global) cloud",
            Self::UsGov => "the US Government cloud (GCC High)",
            Self::UsGovDod => "the US Government cloud for the Department of Defense",
            Self::China => "the China cloud (21Vianet)",
        }
    }

    /// Origin of the sign-in service, without a slash at the end.
    pub fn login_host(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Origin of Microsoft Graph, without a slash at the end.
    pub fn graph_host(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// Origin of the Azure portal, without a slash at the end.
    pub fn portal_host(self) -> &'static str {
        match self {
            Self::Global => "https://portal.azure.com",
            Self::UsGov | Self::UsGovDod => "https://portal.azure.us",
            Self::China => "https://portal.azure.cn",
        }
    }

    /// The one scope of a client-credentials request.
    pub fn scope(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com/.default",
            Self::UsGov => "https://graph.microsoft.us/.default",
            Self::UsGovDod => "https://dod-graph.microsoft.us/.default",
            Self::China => "https://microsoftgraph.chinacloudapi.cn/.default",
        }
    }

    /// `az cloud set --name …`.
    pub fn az_name(self) -> &'static str {
        match self {
            Self::Global => "AzureCloud",
            Self::UsGov | Self::UsGovDod => "AzureUSGovernment",
            Self::China => "AzureChinaCloud",
        }
    }

    /// `Connect-MgGraph -Environment …`.
    pub fn powershell_name(self) -> &'static str {
        match self {
            Self::Global => "Global",
            Self::UsGov => "USGov",
            Self::UsGovDod => "USGovDoD",
            Self::China => "China",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text does not name a cloud.
#[derive(Debug, thiserror::Error)]
#[error("the cloud must be global, usGov, usGovDod or china")]
pub struct UnknownCloud;

impl FromStr for Cloud {
    type Err = UnknownCloud;
    fn from_str(text: &str) -> Result<Self, UnknownCloud> {
        Self::ALL.into_iter().find(|cloud| cloud.as_str() == text).ok_or(UnknownCloud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_same_in_json_and_in_the_database() {
        for cloud in Cloud::ALL {
            assert_eq!(serde_json::to_value(cloud).unwrap(), cloud.as_str());
            assert_eq!(cloud.as_str().parse::<Cloud>().unwrap(), cloud);
            assert_eq!(cloud.scope(), format!("{}/.default", cloud.graph_host()));
        }
        assert!("azure".parse::<Cloud>().is_err());
    }
}
