//! The object API, for jobs that remove objects or clear values. It needs a user's API token, and its rate limits apply
//! to the whole site (docs/assets.md, «Limits»).

use super::client::Client;
use super::error::{AssetsError, AssetsErrorKind, Result};
use super::request::{Credential, Repeat, Request, json_body};
use super::wire::{AqlPage, id_text};
use crate::http::same_origin;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// Ids in one query.
const IDS_IN_A_QUERY: usize = 50;
const PAGE: usize = 100;
/// The pause between requests: 500 queries per minute are allowed, and 1000 requests of all kinds.
const BETWEEN_QUERIES: Duration = Duration::from_millis(120);
const BETWEEN_WRITES: Duration = Duration::from_millis(60);
/// The domain of Jira sites.
const SITE_DOMAINS: [&str; 4] = [".atlassian.net", ".jira.com", ".jira-dev.com", ".atlassian-us-gov-mod.net"];

/// A user's access to a site: the `api` part of a destination.
#[derive(Clone, Debug)]
pub struct SiteAccess {
    /// `https://example.atlassian.net`
    pub site_url: Url,
    pub email: String,
    pub api_token: SecretString,
}

impl SiteAccess {
    pub(super) fn credential(&self) -> Credential<'_> {
        Credential::Basic { email: &self.email, token: &self.api_token }
    }
}

/// The objects of one import in one object type. Both ids are those in an execution's status. An object of another type
/// or schema is never changed, whatever the names of its attributes.
#[derive(Clone, Debug)]
pub struct ObjectScope<'a> {
    pub object_schema_id: i64,
    pub object_type_id: i64,
    /// The object type's name in Assets.
    pub object_type: &'a str,
    /// The name of the attribute with the directory's id.
    pub identity: &'a str,
}

/// An object in Assets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundObject {
    /// Its id in the object API.
    pub id: String,
    /// Such as `ITSM-5186`.
    pub object_key: String,
    /// The directory's id.
    pub external_id: Uuid,
}

/// The result of a search.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    pub objects: Vec<FoundObject>,
    /// The ids of the type's attributes by their names.
    pub attribute_ids: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Workspaces {
    #[serde(default)]
    values: Vec<Workspace>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Workspace {
    workspace_id: String,
}

/// Whether the URL is the address of an Atlassian site, without a path.
fn is_site(site_url: &Url) -> bool {
    let host = site_url.host_str().unwrap_or_default();
    site_url.scheme() == "https"
        && site_url.port().is_none()
        && site_url.username().is_empty()
        && SITE_DOMAINS.iter().any(|domain| host.ends_with(domain) && host.len() > domain.len())
}

impl Client {
    /// Why a site URL cannot be used; `None` if it can. If the operator set the origin of Assets, that origin is a site
    /// too.
    pub fn site_url_fault(&self, site_url: &str) -> Option<&'static str> {
        let url = Url::parse(site_url).ok();
        let is_good = url.is_some_and(|url| is_site(&url) || (self.is_overridden && same_origin(&url, &self.origin)));
        if is_good { None } else { Some("must be the site's address, like https://example.atlassian.net") }
    }

    /// The Assets workspace of a site. [`AssetsErrorKind::NotFound`] when the site has no Assets (it needs Jira Service
    /// Management Premium or Enterprise) or the user may not see it.
    pub async fn workspace_id(&self, access: &SiteAccess) -> Result<String> {
        let url = self.site(access, "/rest/servicedeskapi/assets/workspace")?;
        let found: Workspaces = self.get("GET workspace", access.credential(), url).await?;
        found.values.into_iter().next().map(|workspace| workspace.workspace_id).ok_or_else(|| {
            AssetsError::new(AssetsErrorKind::NotFound, "the site has no Assets workspace that this user may see")
                .during("GET workspace")
        })
    }

    /// A path of the site.
    pub(super) fn site(&self, access: &SiteAccess, path: &str) -> Result<Url> {
        let mut url = if self.is_overridden {
            self.origin.clone()
        } else {
            if let Some(fault) = self.site_url_fault(access.site_url.as_str()) {
                return Err(AssetsError::new(AssetsErrorKind::ForeignLink, format!("the site URL {fault}")));
            }
            access.site_url.clone()
        };
        url.set_path(path);
        url.set_query(None);
        Ok(url)
    }

    /// Checks that the user may query objects at all. An error about the query itself, such as for an object type that does
    /// not exist yet, counts as allowed.
    pub async fn may_query(&self, access: &SiteAccess, workspace_id: &str, object_type: &str) -> Result<()> {
        let query = format!("objectType = \"{}\"", object_type.replace(['"', '\\'], ""));
        let request = Request {
            action: "POST object/aql/totalcount",
            method: Method::POST,
            url: self.object_url(workspace_id, "object/aql/totalcount")?,
            credential: access.credential(),
            body: json_body(&json!({ "qlQuery": query })),
            repeat: Repeat::Safe,
        };
        match self.send(&request).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind, AssetsErrorKind::Validation { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The objects with these directory ids, found by queries of 50 ids each.
    pub async fn find_by_external_id(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        scope: &ObjectScope<'_>,
        ids: &[Uuid],
    ) -> Result<Found> {
        let mut found = Found::default();
        for ids in ids.chunks(IDS_IN_A_QUERY) {
            let query = json!({ "qlQuery": query(scope, ids) });
            let mut start = 0;
            loop {
                let (page, is_last) = self.aql_page(access, workspace_id, &query, start).await?;
                start += page.values.len();
                collect(scope, ids, page, &mut found);
                if is_last {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// A page of the objects that a query finds, and whether it is the last.
    pub(super) async fn aql_page(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        query: &Value,
        start: usize,
    ) -> Result<(AqlPage, bool)> {
        let mut url = self.object_url(workspace_id, "object/aql")?;
        url.query_pairs_mut()
            .append_pair("startAt", &start.to_string())
            .append_pair("maxResults", &PAGE.to_string())
            .append_pair("includeAttributes", "true");
        self.clock.sleep(BETWEEN_QUERIES).await;
        let request = Request {
            action: "POST object/aql",
            method: Method::POST,
            url,
            credential: access.credential(),
            body: json_body(query),
            repeat: Repeat::Safe,
        };
        let page: AqlPage = self.send(&request).await?.json().map_err(|error| error.during("POST object/aql"))?;
        let is_last = page.values.is_empty() || page.is_last.or(page.last).unwrap_or(page.values.len() < PAGE);
        Ok((page, is_last))
    }

    pub(super) async fn between_writes(&self) {
        self.clock.sleep(BETWEEN_WRITES).await;
    }

    /// Deletes an object. One that no longer exists counts as deleted.
    pub async fn delete_object(&self, access: &SiteAccess, workspace_id: &str, object_id: &str) -> Result<()> {
        self.clock.sleep(BETWEEN_WRITES).await;
        let request = Request {
            action: "DELETE object",
            method: Method::DELETE,
            url: self.object_url(workspace_id, &format!("object/{}", number(object_id)?))?,
            credential: access.credential(),
            body: None,
            repeat: Repeat::Safe,
        };
        match self.send(&request).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == AssetsErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Clears the values of attributes ([`Found::attribute_ids`]) of an object. Other attributes stay unchanged.
    pub async fn clear_attributes(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        scope: &ObjectScope<'_>,
        object_id: &str,
        attribute_ids: &[&str],
    ) -> Result<()> {
        self.clock.sleep(BETWEEN_WRITES).await;
        let attributes: Vec<Value> = attribute_ids
            .iter()
            .map(|id| json!({ "objectTypeAttributeId": id, "objectAttributeValues": [] }))
            .collect();
        let request = Request {
            action: "PUT object",
            method: Method::PUT,
            url: self.object_url(workspace_id, &format!("object/{}", number(object_id)?))?,
            credential: access.credential(),
            body: json_body(&json!({ "objectTypeId": scope.object_type_id.to_string(), "attributes": attributes })),
            repeat: Repeat::Safe,
        };
        self.send(&request).await.map(|_| ())
    }

    pub(super) fn object_url(&self, workspace_id: &str, path: &str) -> Result<Url> {
        if workspace_id.is_empty() || !workspace_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(AssetsError::new(AssetsErrorKind::Malformed, "the workspace id is not valid"));
        }
        let mut url = self.origin.clone();
        url.set_path(&format!("/jsm/assets/workspace/{workspace_id}/v1/{path}"));
        Ok(url)
    }
}

/// An object's id: it becomes part of a path.
pub(super) fn number(object_id: &str) -> Result<&str> {
    let is_number = !object_id.is_empty() && object_id.bytes().all(|b| b.is_ascii_digit());
    is_number
        .then_some(object_id)
        .ok_or_else(|| AssetsError::new(AssetsErrorKind::Malformed, "an object's id is not a number"))
}

fn query(scope: &ObjectScope<'_>, ids: &[Uuid]) -> String {
    let name = |text: &str| text.replace(['"', '\\'], "");
    let mut text = format!("objectType = \"{}\" AND \"{}\" IN (", name(scope.object_type), name(scope.identity));
    for (position, id) in ids.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}\"{id}\"", if position == 0 { "" } else { ", " });
    }
    text.push(')');
    text
}

/// Takes only objects that belong to the scope and were requested. A query that Assets interprets differently must not
/// lead to the deletion of another object.
fn collect(scope: &ObjectScope<'_>, ids: &[Uuid], page: AqlPage, found: &mut Found) {
    let names: HashMap<String, &str> =
        page.object_type_attributes.iter().map(|attribute| (id_text(&attribute.id), attribute.name.as_str())).collect();
    for object in &page.values {
        let schema = id_text(&object.object_type.object_schema_id);
        if id_text(&object.object_type.id) != scope.object_type_id.to_string()
            || (!schema.is_empty() && schema != scope.object_schema_id.to_string())
        {
            continue;
        }
        let identity = object.attributes.iter().find(|attribute| {
            names.get(&id_text(&attribute.object_type_attribute_id)).is_some_and(|name| *name == scope.identity)
        });
        let value = identity.and_then(|attribute| attribute.object_attribute_values.first());
        let external_id = value.and_then(|value| Uuid::parse_str(value.value.as_str()?).ok());
        if let Some(external_id) = external_id.filter(|id| ids.contains(id)) {
            let id = id_text(&object.id);
            found.objects.push(FoundObject { id, object_key: object.object_key.clone(), external_id });
        }
    }
    for attribute in page.object_type_attributes {
        found.attribute_ids.insert(attribute.name, id_text(&attribute.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> ObjectScope<'static> {
        ObjectScope { object_schema_id: 2, object_type_id: 7, object_type: "Entra User", identity: "Object ID" }
    }

    #[test]
    fn objects_are_asked_for_by_type_and_directory_id() {
        assert_eq!(
            query(&scope(), &[Uuid::from_u128(1), Uuid::from_u128(2)]),
            "objectType = \"Entra User\" AND \"Object ID\" IN (\"00000000-0000-0000-0000-000000000001\", \
             \"00000000-0000-0000-0000-000000000002\")"
        );
    }

    #[test]
    fn a_strangers_object_is_never_found() {
        let id = Uuid::from_u128(1);
        let object = |number: &str, object_type: &str, schema: i64, attribute: &str, value: String| {
            json!({"id": number, "objectKey": "E-1", "objectType": {"id": object_type, "objectSchemaId": schema},
                   "attributes": [{"objectTypeAttributeId": attribute, "objectAttributeValues": [{"value": value}]}]})
        };
        let page = json!({"isLast": true, "objectTypeAttributes": [{"id": "70", "name": "Object ID"}, {"id": "71", "name": "Note"}],
        "values": [
            object("1", "7", 2, "70", id.to_string()),
            object("2", "8", 2, "70", id.to_string()),
            object("3", "7", 3, "70", id.to_string()),
            object("4", "7", 2, "71", id.to_string()),
            object("5", "7", 2, "70", Uuid::from_u128(9).to_string()),
        ]});
        let mut found = Found::default();
        collect(&scope(), &[id], serde_json::from_value(page).unwrap(), &mut found);
        assert_eq!(found.objects.iter().map(|object| object.id.as_str()).collect::<Vec<_>>(), ["1"]);
        assert_eq!(found.attribute_ids["Note"], "71");
    }

    #[test]
    fn a_site_is_a_site_of_atlassian() {
        let fault = |url: &str| !is_site(&Url::parse(url).unwrap());
        assert!(!fault("https://example.atlassian.net"));
        for wrong in [
            "http://example.atlassian.net",
            "https://127.0.0.1",
            "https://atlassian.net.example",
            "https://u@x.atlassian.net",
        ] {
            assert!(fault(wrong), "{wrong}");
        }
    }
}
