//! Where the objects of a job are in the object API: its object types, with the names that Assets has for them.

use crate::assets::jira::UserAttribute;
use crate::assets::lookup::{SeenObject, SeenObjects, TypePlace};
use crate::assets::objects::SiteAccess;
use crate::assets::wire::id_text;
use crate::assets::{AssetsError, AssetsErrorKind, Client, ImportSourceInfo, Links};
use crate::codes::WarningCode;
use crate::directory::ObjectType;
use crate::error::Error;
use crate::jira_user::Account;
use crate::mapping::{ImportSource, LookupTarget};
use crate::run_state::{RunError, RunStage, RunWarning};
use crate::runs::deliver::schema::{self, SCHEMA_NAME};
use crate::runs::forge_token::target;
use crate::runs::run::Run;
use crate::runs::stop::Stop;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Whether another request could go well.
fn is_about_the_request(error: &AssetsError) -> bool {
    matches!(
        error.kind,
        AssetsErrorKind::Validation { .. }
            | AssetsErrorKind::Forbidden
            | AssetsErrorKind::NotFound
            | AssetsErrorKind::NameTaken
            | AssetsErrorKind::Conflict(_)
    )
}

/// Why an account was not written.
pub(super) enum AccountRefused {
    /// Assets does not take it for this object. Others can go on.
    Value(String),
    Stopped(Stop),
}

/// Access to the objects of a destination.
pub(super) struct Access {
    site: SiteAccess,
    workspace: String,
    /// The id of the object schema, if the import token may read it, and its name.
    schema_id: Option<String>,
    schema_name: String,
}

pub(super) struct AssetsObjects {
    client: Client,
    /// `None`: the destination has no `api`, or it does not work.
    pub api: Option<Access>,
    /// Why the `api` of the destination does not work.
    pub refusal: Option<Box<RunError>>,
    /// The names in Assets of an object type and, by their keys, of its attributes.
    types: BTreeMap<ObjectType, (String, BTreeMap<String, String>)>,
    /// What the lookups of a type lead to, by the keys of their references.
    lookups: BTreeMap<ObjectType, BTreeMap<String, LookupTarget>>,
    /// Object types that were found.
    found: Mutex<BTreeMap<ObjectType, TypePlace>>,
}

fn failed(error: &AssetsError) -> Stop {
    Stop::assets(RunStage::Diff, error)
}

impl AssetsObjects {
    /// Ends the run if an object type does not fit what the job writes into it.
    pub(super) async fn find(run: &Run) -> Result<Self, Stop> {
        let client = run.app.assets.clone().with_cancellation(run.cancel.clone());
        let target = target(run).await?;
        let links = client.links(&target).await.map_err(|e| failed(&e))?;
        let current = client.schema_and_mapping(&target, &links).await.map_err(|e| failed(&e))?;
        if let Some(blocked) = schema::difference(&run.job, &links, current.as_ref()).blocked() {
            return Err(failed(&schema::refusal(blocked)));
        }
        let current = current.unwrap_or_default();
        let id = links.import_source_id().unwrap_or_default();
        let source = ImportSource { id: &id, schema_name: SCHEMA_NAME };
        let mapping = &run.job.mapping;
        let types = mapping
            .names_in(source, &current)
            .into_iter()
            .map(|(of, name, _)| (of, (name, mapping.attribute_names_in(source, &current, of))));
        let types: BTreeMap<ObjectType, _> = types.collect();
        let lookups = types.keys().map(|of| (*of, mapping.lookup_targets_in(source, &current, *of))).collect();
        let schema_name = current.pointer("/schema/objectSchema/name").and_then(Value::as_str).unwrap_or_default();
        let (api, refusal) = match access(run, &client, &links, schema_name.to_owned()).await {
            Ok(api) => (api, None),
            Err(Stop::Failed(error)) => (None, Some(error)),
            Err(stop) => return Err(stop),
        };
        Ok(Self { client, api, refusal, types, lookups, found: Mutex::default() })
    }

    /// What a lookup leads to.
    pub(super) fn lookup(&self, object_type: ObjectType, key: &str) -> Option<&LookupTarget> {
        self.lookups.get(&object_type)?.get(key)
    }

    /// The objects of others that have one of these texts, `most` of them.
    pub(super) async fn find_others(
        &self,
        target: &LookupTarget,
        texts: &[String],
        most: usize,
    ) -> Result<SeenObjects, Stop> {
        let Some(api) = &self.api else { return Ok(SeenObjects::default()) };
        let schema = (api.schema_id.clone(), api.schema_name.as_str());
        let place = self.client.find_type(&api.site, &api.workspace, schema, &target.object_type).await;
        let place = place.map_err(|e| failed(&e))?;
        let found = self.client.find_by_values(&api.site, &api.workspace, &place, &target.by, texts, Some(most)).await;
        found.map_err(|e| failed(&e))
    }

    /// The name in Assets of one of our attributes.
    pub(super) fn name(&self, object_type: ObjectType, key: &str) -> Option<&String> {
        self.types.get(&object_type)?.1.get(key)
    }

    /// The keys of our attributes with their names in Assets.
    pub(super) fn names(&self, object_type: ObjectType) -> impl Iterator<Item = (&String, &String)> {
        self.types.get(&object_type).into_iter().flat_map(|(_, names)| names)
    }

    async fn type_place(&self, api: &Access, object_type: ObjectType) -> Result<TypePlace, Stop> {
        let known = self.found.lock().ok().and_then(|found| found.get(&object_type).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let name = self.types.get(&object_type).map_or("", |(name, _)| name);
        let schema = (api.schema_id.clone(), api.schema_name.as_str());
        let place = self.client.find_type(&api.site, &api.workspace, schema, name).await.map_err(|e| failed(&e))?;
        if let Ok(mut found) = self.found.lock() {
            found.insert(object_type, place.clone());
        }
        Ok(place)
    }

    /// The objects that have one of these values in one of our attributes.
    pub(super) async fn find_values(
        &self,
        object_type: ObjectType,
        key: &str,
        values: &[String],
    ) -> Result<SeenObjects, Stop> {
        let (Some(api), Some(name)) = (&self.api, self.name(object_type, key)) else {
            return Ok(SeenObjects::default());
        };
        if values.is_empty() {
            return Ok(SeenObjects::default());
        }
        let place = self.type_place(api, object_type).await?;
        let found = self.client.find_by_values(&api.site, &api.workspace, &place, name, values, None).await;
        found.map_err(|e| failed(&e))
    }

    /// The objects of the type from `start`.
    pub(super) async fn page(&self, object_type: ObjectType, start: usize) -> Result<SeenObjects, Stop> {
        let Some(api) = &self.api else { return Ok(SeenObjects { is_last: true, ..SeenObjects::default() }) };
        let place = self.type_place(api, object_type).await?;
        self.client.objects_from(&api.site, &api.workspace, &place, start).await.map_err(|e| failed(&e))
    }

    /// Whether an object type has this attribute of the type User.
    pub(super) async fn account_attribute(&self, object_type: ObjectType, name: &str) -> Result<UserAttribute, Stop> {
        let Some(api) = &self.api else { return Ok(UserAttribute::Missing) };
        let place = self.type_place(api, object_type).await?;
        self.client.user_attribute(&api.site, &api.workspace, &place, name).await.map_err(|e| failed(&e))
    }

    /// Adds an attribute of the type User. Its id, or why Assets does not let it be added.
    pub(super) async fn add_account_attribute(
        &self,
        object_type: ObjectType,
        name: &str,
        description: &str,
    ) -> Result<std::result::Result<String, String>, Stop> {
        let Some(api) = &self.api else { return Ok(Err("there is no `api`".to_owned())) };
        let place = self.type_place(api, object_type).await?;
        match self.client.add_user_attribute(&api.site, &api.workspace, &place, (name, description)).await {
            Ok(id) => Ok(Ok(id)),
            Err(error) if is_about_the_request(&error) => Ok(Err(error.to_string())),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Writes an account into an attribute of an object, or takes it away.
    pub(super) async fn write_account(
        &self,
        object_type: ObjectType,
        object_id: &str,
        attribute_id: &str,
        account: Option<&str>,
    ) -> Result<(), AccountRefused> {
        let Some(api) = &self.api else { return Err(AccountRefused::Value("there is no `api`".to_owned())) };
        let place = self.type_place(api, object_type).await.map_err(AccountRefused::Stopped)?;
        let written =
            self.client.write_value(&api.site, &api.workspace, (&place, object_id), attribute_id, account).await;
        written.map_err(|error| match error.kind {
            AssetsErrorKind::Forbidden => AccountRefused::Stopped(Stop::assets(RunStage::Deliver, &error)),
            _ if is_about_the_request(&error) => AccountRefused::Value(error.to_string()),
            _ => AccountRefused::Stopped(Stop::assets(RunStage::Deliver, &error)),
        })
    }

    /// The accounts that a search for an address finds.
    pub(super) async fn search_accounts(&self, address: &str) -> Result<Vec<Account>, Stop> {
        let Some(api) = &self.api else { return Ok(Vec::new()) };
        self.client.search_accounts(&api.site, address).await.map_err(|e| failed(&e))
    }

    /// Whether the person whose access this is may search for accounts.
    pub(super) async fn may_search_accounts(&self) -> Result<bool, Stop> {
        let Some(api) = &self.api else { return Ok(false) };
        self.client.may_search_accounts(&api.site).await.map_err(|e| failed(&e))
    }

    /// Writes the value of one of our attributes into an object that was `found`.
    pub(super) async fn write(
        &self,
        object_type: ObjectType,
        (found, object): (&SeenObjects, &SeenObject),
        key: &str,
        value: &str,
    ) -> Result<(), Stop> {
        let attribute = self.name(object_type, key).and_then(|name| found.attribute_ids.get(name));
        let (Some(api), Some(attribute)) = (&self.api, attribute) else {
            return Err(Error::internal(format!("the attribute for {key} is not among those of the object")).into());
        };
        let place = self.type_place(api, object_type).await?;
        let written = self.client.write_value(&api.site, &api.workspace, (&place, &object.id), attribute, Some(value));
        written.await.map_err(|e| Stop::assets(RunStage::Deliver, &e))
    }

    /// Says that the objects of others were not looked at.
    pub(super) fn warn(&self, run: &Run, object_type: ObjectType, why: Option<&str>) {
        let name = self.types.get(&object_type).map_or("", |(name, _)| name);
        let refused = self.refusal.as_ref().map(|error| error.detail.as_str());
        let why = why.or(refused).unwrap_or("The destination has no `api`.");
        let detail =
            format!("The objects of «{name}» were not compared with the {object_type} of the directory: {why}");
        let warning = RunWarning::new(WarningCode::ExistingNotCompared, detail);
        run.progress.warn(warning.with_advice(WarningCode::ExistingNotCompared.advice()));
    }
}

/// Access to the objects, if the destination has `api`.
async fn access(run: &Run, client: &Client, links: &Links, schema_name: String) -> Result<Option<Access>, Stop> {
    let Some(api) = run.job.destination.as_ref().and_then(|destination| destination.api.as_ref()) else {
        return Ok(None);
    };
    let site = api.access()?;
    let workspace = client.workspace_id(&site).await.map_err(|e| failed(&e))?;
    let info = client.import_source(&target(run).await?, links).await.map_err(|e| failed(&e))?;
    Ok(Some(Access { site, workspace, schema_id: info.and_then(schema_id), schema_name }))
}

fn schema_id(info: ImportSourceInfo) -> Option<String> {
    info.object_schema_id.map(|id| id_text(&id)).filter(|id| !id.is_empty())
}
