//! The simulated directory as Graph's own JSON, read past the product: what tests reckon the truth from.

use entra_assets::config::HttpSettings;
use entra_assets::sim::graph::{GraphSim, Scenario};
use serde_json::{Map, Value};

pub const USERS: &str = "id,displayName,userPrincipalName,mail,accountEnabled,city,state,country,department,jobTitle,\
    companyName,userType,usageLocation,createdDateTime,assignedLicenses,proxyAddresses,officeLocation,employeeId";
pub const GROUPS: &str = "id,displayName,description,mail,groupTypes,mailEnabled,securityEnabled,createdDateTime,renewedDateTime,\
    resourceProvisioningOptions";
pub const DEVICES: &str = "id,displayName,operatingSystem,operatingSystemVersion,accountEnabled,isCompliant,isManaged,\
    trustType,approximateLastSignInDateTime";

pub struct Raw {
    origin: String,
    client: reqwest::Client,
    token: String,
}

impl Raw {
    pub async fn sign_in(sim: &GraphSim) -> Self {
        let client = entra_assets::http::client(&HttpSettings::default()).unwrap();
        let credentials = Scenario::Healthy.credentials();
        let form = [
            ("client_id", credentials.client_id.to_string()),
            ("client_secret", credentials.client_secret.clone()),
            ("grant_type", "client_credentials".to_owned()),
            ("scope", "https://graph.microsoft.com/.default".to_owned()),
        ];
        let url = format!("{}/{}/oauth2/v2.0/token", sim.login_origin(), credentials.tenant_id);
        let answer: Value = client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self { origin: sim.graph_origin(), client, token }
    }

    /// One page, of a path or of a whole link; the body of the error if there is one.
    pub async fn page(&self, path: &str, eventual: bool) -> Result<Value, Value> {
        let url = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        let request = self.client.get(url).bearer_auth(&self.token);
        let request = if eventual { request.header("ConsistencyLevel", "eventual") } else { request };
        let response = request.send().await.unwrap();
        let is_good = response.status().is_success();
        let body: Value = response.json().await.unwrap();
        if is_good { Ok(body) } else { Err(body) }
    }

    /// Every row, and the last page's delta link.
    pub async fn rows(&self, path: &str, eventual: bool) -> Result<(Vec<Map<String, Value>>, String), Value> {
        let (mut rows, mut next) = (Vec::new(), path.to_owned());
        loop {
            let page = self.page(&next, eventual).await?;
            rows.extend(page["value"].as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()));
            match page["@odata.nextLink"].as_str() {
                Some(link) => link.clone_into(&mut next),
                None => return Ok((rows, page["@odata.deltaLink"].as_str().unwrap_or_default().to_owned())),
            }
        }
    }

    /// Every object of a collection.
    pub async fn all(&self, collection: &str, select: &str) -> Vec<Map<String, Value>> {
        self.rows(&format!("/v1.0/{collection}?$top=999&$select={select}"), false).await.unwrap().0
    }
}

pub fn id(object: &Map<String, Value>) -> String {
    object["id"].as_str().unwrap().to_owned()
}
