//! Finds objects of the directory by name, mail address or id, for a person who picks one, and reads one
//! object that a mirror does not know.

use crate::app::App;
use crate::error::Result;
use crate::filter::EntityKind;
use crate::filter::expression::Quoted;
use crate::graph::token::Identity;
use crate::graph::wire::{Items, properties};
use crate::graph::{GraphError, GraphErrorKind, Next, RequestOptions, Session};
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

/// The time of a lookup. When it is over, the answer has what was found so far.
const DEADLINE: Duration = Duration::from_secs(5);
/// How many objects a lookup finds at most.
pub const MAX_MATCHES: usize = 10;

/// An object of the directory, to pick from.
#[derive(Serialize, ToSchema, Clone, PartialEq, Eq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryMatch {
    /// The object id.
    pub id: Uuid,
    /// Its name in the directory.
    #[schema(required = true)]
    pub display_name: Option<String>,
    /// The sign-in name of a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_principal_name: Option<String>,
    /// The mail address of a user or group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mail: Option<String>,
    /// The description of a group, role or administrative unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// The operating system of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operating_system: Option<String>,
}

/// What a lookup found.
#[derive(Serialize, ToSchema, Clone, Default, Debug)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryMatches {
    /// The objects whose names begin with the text first, then those that contain a word that does.
    #[schema(max_items = 10)]
    pub items: Vec<DirectoryMatch>,
    /// There are more: a longer text finds fewer.
    pub more: bool,
    /// Microsoft Graph did not answer all requests within five seconds.
    pub partial: bool,
}

impl DirectoryMatch {
    pub(crate) fn new(id: Uuid, object: &Map<String, Value>) -> Self {
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            id,
            display_name: text("displayName"),
            user_principal_name: text("userPrincipalName"),
            mail: text("mail"),
            description: text("description"),
            operating_system: text("operatingSystem"),
        }
    }
}

/// The properties that are shown.
const fn shown(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Users => "id,displayName,userPrincipalName,mail",
        EntityKind::Groups => "id,displayName,mail,description",
        EntityKind::Devices => "id,displayName,operatingSystem",
        EntityKind::Roles | EntityKind::AdministrativeUnits => "id,displayName,description",
        EntityKind::Applications | EntityKind::ServicePrincipals => "id,displayName",
    }
}

/// The properties that may begin with the text. Each supports `startsWith` in a default query.
const fn searched(kind: EntityKind) -> &'static [&'static str] {
    match kind {
        EntityKind::Users => &["displayName", "userPrincipalName", "mail"],
        EntityKind::Groups => &["displayName", "mail", "mailNickname"],
        _ => &["displayName"],
    }
}

/// The objects of a kind that `search` names: an id, or the beginning of a name or of a word in it.
///
/// # Errors
/// The connection does not work, or its application may not read the objects.
pub async fn find(app: &App, identity: Identity, kind: EntityKind, search: &str) -> Result<DirectoryMatches> {
    let session = app.graph.session(identity, CancellationToken::new());
    let mut found = DirectoryMatches::default();
    let looking = look(&session, kind, search.trim(), &mut found);
    let outcome = tokio::select! {
        biased;
        outcome = looking => Some(outcome),
        () = app.clock.sleep(DEADLINE) => None,
    };
    match outcome {
        Some(outcome) => outcome?,
        None => found.partial = true,
    }
    found.more |= found.items.len() > MAX_MATCHES;
    found.items.truncate(MAX_MATCHES);
    Ok(found)
}

async fn look(session: &Session, kind: EntityKind, search: &str, found: &mut DirectoryMatches) -> Result<()> {
    if let Ok(id) = Uuid::parse_str(search) {
        let object = object(session, kind, &id.to_string(), shown(kind)).await?;
        found.items.extend(object.map(|(id, object)| DirectoryMatch::new(id, &object)));
        return Ok(());
    }
    if !kind.has_advanced_queries() {
        return look_through(session, kind, search, found).await;
    }
    let starts = |name: &&str| format!("startswith({name},{})", Quoted(search));
    let filter = searched(kind).iter().map(starts).collect::<Vec<_>>().join(" or ");
    let by_beginning = format!("$filter={}", urlencoding::encode(&filter));
    add(found, page(session, kind, &by_beginning, false).await?);
    if found.items.len() > MAX_MATCHES {
        return Ok(());
    }
    // A quote would end the clause, and a backslash would escape its end.
    let word = search.replace(['"', '\\'], " ");
    if word.trim().is_empty() {
        return Ok(());
    }
    let clause = format!("\"displayName:{}\"", word.trim());
    let by_word = format!("$search={}&$count=true", urlencoding::encode(&clause));
    match page(session, kind, &by_word, true).await {
        Ok(page) => add(found, page),
        // Tenants of External ID have no advanced queries.
        Err(error) if error.refuses_optional() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Looks through the whole list of a kind that Graph neither searches nor filters by the beginning of a name.
async fn look_through(session: &Session, kind: EntityKind, search: &str, found: &mut DirectoryMatches) -> Result<()> {
    let search = search.to_lowercase();
    let options = RequestOptions { budget: DEADLINE, ..RequestOptions::interactive() };
    let mut pages = session.pages::<Items>(session.url(&format!("{}?$select={}", kind.path(), shown(kind))), options);
    let (mut first, mut others) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await? {
        for item in page.content.iter() {
            let (id, object) = read(item)?;
            let name = object.get("displayName").and_then(Value::as_str).unwrap_or_default().to_lowercase();
            let found = id.map(|id| DirectoryMatch::new(id, &object));
            if name.starts_with(&search) {
                first.extend(found);
            } else if name.split(' ').any(|word| word.starts_with(&search)) {
                others.extend(found);
            }
        }
    }
    first.extend(others);
    add(found, (first, false));
    Ok(())
}

fn add(found: &mut DirectoryMatches, (matches, more): (Vec<DirectoryMatch>, bool)) {
    for one in matches {
        if !found.items.iter().any(|known| known.id == one.id) {
            found.items.push(one);
        }
    }
    found.more |= more;
}

async fn page(
    session: &Session,
    kind: EntityKind,
    query: &str,
    advanced: bool,
) -> Result<(Vec<DirectoryMatch>, bool), GraphError> {
    let path = format!("{}?$top={}&$select={}&{query}", kind.path(), MAX_MATCHES + 1, shown(kind));
    let options = RequestOptions { advanced, budget: DEADLINE, ..RequestOptions::interactive() };
    let page = session.page::<Items>(&session.url(&path), &options).await?;
    let mut matches = Vec::new();
    for item in page.content.iter() {
        let (id, object) = read(item)?;
        matches.extend(id.map(|id| DirectoryMatch::new(id, &object)));
    }
    Ok((matches, matches!(page.next, Next::More(_))))
}

/// One object by its id, or a user by the user principal name, with the properties in `select`. `None`: there is none.
pub(crate) async fn object(
    session: &Session,
    kind: EntityKind,
    key: &str,
    select: &str,
) -> Result<Option<(Uuid, Map<String, Value>)>, GraphError> {
    let path = format!("{}/{}?$select={select}", kind.path(), urlencoding::encode(key));
    let options = RequestOptions { budget: DEADLINE, ..RequestOptions::interactive() };
    match session.get(&session.url(&path), &options).await {
        Ok(body) => {
            let (id, object) = read(&body.text)?;
            Ok(id.map(|id| (id, object)))
        }
        Err(error) if matches!(error.kind, GraphErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An object as Graph returned it, without what is null.
pub(crate) fn read(item: &str) -> Result<(Option<Uuid>, Map<String, Value>), GraphError> {
    let malformed =
        |error: serde_json::Error| GraphError::new(GraphErrorKind::Malformed, format!("an object: {error}"));
    let object = properties(item).map_err(malformed)?;
    Ok((object.uuid(), serde_json::from_str(&object.json).map_err(malformed)?))
}
