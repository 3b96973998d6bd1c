//! Jira's own interface of a site, which knows the accounts, and the attributes of object types that hold accounts.
//! Source: docs/assets.md, «Jira accounts», «Object API».

use super::client::Client;
use super::error::{AssetsError, AssetsErrorKind, Result};
use super::lookup::TypePlace;
use super::objects::SiteAccess;
use super::request::{Repeat, Request, json_body};
use super::wire::{id_text, optional_number};
use crate::jira_user::Account;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Accounts in one answer. An address begins those of few others.
const ACCOUNTS: usize = 50;
/// The pause between searches, so that the site has calls to spare for people.
const BETWEEN_SEARCHES: Duration = Duration::from_millis(120);
/// The number of the type User.
const USER: i64 = 2;
/// The global permission «Browse users and groups».
const BROWSE_USERS: &str = "USER_PICKER";

/// What an object type has under the name of an attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UserAttribute {
    /// The id of an attribute of the type User.
    Found(String),
    /// An attribute of another type.
    OtherType,
    Missing,
}

/// An account of Jira.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JiraAccount {
    account_id: String,
    account_type: String,
    display_name: Option<String>,
    email_address: Option<String>,
    active: bool,
}

impl Default for JiraAccount {
    fn default() -> Self {
        let (account_id, account_type) = Default::default();
        Self { account_id, account_type, display_name: None, email_address: None, active: true }
    }
}

/// What a caller may do in Jira, by the keys of permissions.
#[derive(Deserialize)]
struct JiraPermissions {
    #[serde(default)]
    permissions: BTreeMap<String, JiraPermission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JiraPermission {
    #[serde(default)]
    have_permission: bool,
}

/// An attribute of an object type.
#[derive(Deserialize)]
struct TypeAttribute {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    name: String,
    /// 0: a plain value, 1: references, 2: users.
    #[serde(rename = "type", default, deserialize_with = "optional_number")]
    kind: Option<i64>,
}

impl Client {
    /// Whether the user may see others. Jira finds nobody for those who may not, and does not say so.
    pub async fn may_search_accounts(&self, access: &SiteAccess) -> Result<bool> {
        let mut url = self.site(access, "/rest/api/3/mypermissions")?;
        url.query_pairs_mut().append_pair("permissions", BROWSE_USERS);
        let found: JiraPermissions = self.get("GET mypermissions", access.credential(), url).await?;
        Ok(found.permissions.get(BROWSE_USERS).is_some_and(|permission| permission.have_permission))
    }

    /// The accounts that a search for an address finds: also those whose name or address only begins with it.
    pub async fn search_accounts(&self, access: &SiteAccess, address: &str) -> Result<Vec<Account>> {
        self.clock.sleep(BETWEEN_SEARCHES).await;
        let mut url = self.site(access, "/rest/api/3/user/search")?;
        url.query_pairs_mut().append_pair("query", address).append_pair("maxResults", &ACCOUNTS.to_string());
        let found: Vec<JiraAccount> = self.get("GET user/search", access.credential(), url).await?;
        let accounts = found.into_iter().filter(|account| !account.account_id.is_empty()).map(|account| Account {
            id: account.account_id,
            name: account.display_name.unwrap_or_default(),
            is_person: account.account_type == "atlassian",
            is_active: account.active,
            mail: account.email_address.filter(|mail| !mail.trim().is_empty()),
        });
        Ok(accounts.collect())
    }

    /// The attribute of an object type with this name, whatever the case.
    pub async fn user_attribute(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        place: &TypePlace,
        name: &str,
    ) -> Result<UserAttribute> {
        let url = self.object_url(workspace_id, &format!("objecttype/{}/attributes", place.object_type_id))?;
        let attributes: Vec<TypeAttribute> = self.get("GET objecttype/attributes", access.credential(), url).await?;
        let found = attributes.into_iter().find(|of| of.name.trim().to_lowercase() == name.to_lowercase());
        Ok(match found {
            None => UserAttribute::Missing,
            Some(of) if of.kind == Some(USER) => UserAttribute::Found(id_text(&of.id)),
            Some(_) => UserAttribute::OtherType,
        })
    }

    /// Adds an attribute of the type User, for one account. Returns its id.
    pub async fn add_user_attribute(
        &self,
        access: &SiteAccess,
        workspace_id: &str,
        place: &TypePlace,
        (name, description): (&str, &str),
    ) -> Result<String> {
        let body = json!({
            "name": name,
            "description": description,
            "type": USER,
            "minimumCardinality": 0,
            "maximumCardinality": 1,
        });
        let request = Request {
            action: "POST objecttypeattribute",
            method: Method::POST,
            url: self.object_url(workspace_id, &format!("objecttypeattribute/{}", place.object_type_id))?,
            credential: access.credential(),
            body: json_body(&body),
            repeat: Repeat::OnlyIfNotDone,
        };
        let made: TypeAttribute = self.send(&request).await?.json().map_err(|error| error.during(request.action))?;
        let id = id_text(&made.id);
        if id.is_empty() {
            let detail = "the answer has no id of the new attribute";
            return Err(AssetsError::new(AssetsErrorKind::Malformed, detail).during(request.action));
        }
        Ok(id)
    }
}
