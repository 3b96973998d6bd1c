//! Microsoft's four clouds. Each has its own hosts, and a token of one is not valid in another.
//!
//! Source: <https://learn.microsoft.com/en-us/graph/deployments>; docs/graph.md, «Clouds».

use crate::text_enum::text_enum;

text_enum! {
    /// The cloud of a tenant. The service's host settings change only where requests are sent; scope, audience and portal
    /// links stay those of the cloud.
    #[derive(Default)]
    Cloud in "connections.cloud" {
        /// The public cloud, GCC included.
        #[default]
        Global = "global",
        /// US Government L4 (GCC High).
        UsGov = "usGov",
        /// US Government L5 (Department of Defense).
        UsGovDod = "usGovDod",
        /// China, operated by 21Vianet.
        China = "china",
    }
}

impl Cloud {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_the_graph_of_its_cloud() {
        for cloud in Cloud::ALL {
            assert_eq!(cloud.scope(), format!("{}/.default", cloud.graph_host()));
        }
    }
}
