//! Destinations: import sources of Assets.

use super::Transaction;
use super::crud::crud;
use super::jobs::{Refers, users_of};
use super::list::{Condition, containing, is, list};
use super::schema::{destinations, jobs};
use crate::destination::{DestinationKind, EmptyValues, MissingObjects};
use crate::error::{Code, Error, Result, UsedBy};
use crate::ids::{DestinationId, JobId, OrganizationId};
use crate::mapping::ReferenceTemplate;
use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Queryable, Selectable, Clone)]
#[diesel(table_name = destinations)]
pub struct DestinationRow {
    pub id: Uuid,
    pub name: String,
    pub kind: DestinationKind,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    pub reference_template: ReferenceTemplate,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The columns of a destination that a caller sets.
#[derive(Insertable, AsChangeset, Clone)]
#[diesel(table_name = destinations, treat_none_as_null = true)]
pub struct NewDestinationRow {
    pub name: String,
    pub kind: DestinationKind,
    pub token_sealed: Option<Vec<u8>>,
    pub workspace_id: Option<String>,
    pub import_id: Option<String>,
    pub missing_objects: MissingObjects,
    pub empty_values: EmptyValues,
    pub reference_template: ReferenceTemplate,
    pub api_site_url: Option<String>,
    pub api_email: Option<String>,
    pub api_token_sealed: Option<Vec<u8>>,
}

crud!(destinations, DestinationRow, NewDestinationRow, DestinationId);
list!(destinations, DestinationRow, by name or time);

/// Which destinations to list. Conditions combine: a destination fulfils all of them.
#[derive(Deserialize, IntoParams, Clone, Default, Debug)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// Only destinations of this kind.
    #[param(inline)]
    pub kind: Option<DestinationKind>,
    /// Only destinations to this import source of Assets.
    #[param(min_length = 1, max_length = 200)]
    pub import_id: Option<String>,
    /// Only destinations in this workspace of Assets. Only destinations of the kind `forge` name theirs.
    #[param(min_length = 1, max_length = 200)]
    pub workspace_id: Option<String>,
    /// Only destinations with exactly this name.
    #[param(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// Only destinations whose name contains this text, whatever the case.
    #[param(min_length = 1, max_length = 200)]
    pub search: Option<String>,
}

impl Which {
    fn conditions(&self) -> Vec<Condition<destinations::table>> {
        // Of an import source with a token, Assets has told the id.
        let leads_to = |id: &String| {
            let is_named = destinations::import_id.is_not_distinct_from(id.clone());
            is(is_named.or(destinations::import_source.is_not_distinct_from(id.clone())))
        };
        let found = [
            self.kind.map(|kind| is(destinations::kind.eq(kind))),
            self.import_id.as_ref().map(leads_to),
            self.workspace_id.clone().map(|id| is(destinations::workspace_id.assume_not_null().eq(id))),
            self.name.clone().map(|name| is(destinations::name.eq(name))),
            self.search.as_deref().map(|text| is(destinations::name.ilike(containing(text)))),
        ];
        found.into_iter().flatten().collect()
    }
}

/// The destination of the kind `forge` that leads to an import source; the newest, if there are several.
pub async fn of_forge_import(tx: &mut Transaction, organization: OrganizationId, import: &str) -> Result<Option<Uuid>> {
    Ok(destinations::table
        .filter(destinations::organization_id.eq(organization.0))
        .filter(destinations::kind.eq(DestinationKind::Forge))
        .filter(destinations::import_id.eq(import))
        .order(destinations::id.desc())
        .select(destinations::id)
        .first(tx)
        .await
        .optional()?)
}

/// The destinations of the kind `forge`, or those of them that lead to one import source.
pub async fn of_forge(tx: &mut Transaction, organization: OrganizationId, import: Option<&str>) -> Result<Vec<Uuid>> {
    let mut of_forge = destinations::table
        .filter(destinations::organization_id.eq(organization.0))
        .filter(destinations::kind.eq(DestinationKind::Forge))
        .into_boxed();
    if let Some(import) = import {
        of_forge = of_forge.filter(destinations::import_id.eq(import.to_owned()));
    }
    Ok(of_forge.order(destinations::id).select(destinations::id).load(tx).await?)
}

/// Whether an organization delivers by another way than a Forge app.
pub async fn has_other_than_forge(tx: &mut Transaction, organization: OrganizationId) -> Result<bool> {
    let others = destinations::table
        .filter(destinations::organization_id.eq(organization.0))
        .filter(destinations::kind.ne(DestinationKind::Forge));
    Ok(diesel::select(exists(others)).get_result(tx).await?)
}

/// The job that delivers to this destination; at most one.
pub async fn used_by(tx: &mut Transaction, organization: OrganizationId, id: DestinationId) -> Result<Vec<UsedBy>> {
    users_of(tx, organization, Refers::Destination(id)).await
}

/// What identifies an import source: its id, once Assets was asked for it, and until then a hash of the token.
#[derive(AsChangeset, Clone, Default, Debug)]
#[diesel(table_name = destinations, treat_none_as_null = true)]
pub struct LeadsTo {
    pub token_hash: Option<Vec<u8>>,
    pub import_source: Option<String>,
}

/// Another destination that leads to the same import source, with the job that delivers there.
#[derive(Clone, Debug)]
pub struct SameSource {
    pub destination: String,
    pub job: UsedBy,
    /// When something was first sent there.
    pub delivered_at: Option<DateTime<Utc>>,
}

impl SameSource {
    /// The refusal of a second way to the import source.
    pub fn refusal(self) -> Error {
        let detail = format!(
            "The job «{}» already delivers to this import source, through the destination «{}». Two jobs that deliver to one \
             import source undo each other: make another import source in Assets for this one.",
            self.job.name, self.destination
        );
        Error::new(Code::DestinationInUse, detail).with_used_by(vec![self.job])
    }
}

/// Stores which import source a destination leads to.
pub async fn set_leads_to(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: DestinationId,
    to: &LeadsTo,
) -> Result<()> {
    diesel::update(destinations::table.find((organization.0, id.0))).set(to).execute(tx).await?;
    Ok(())
}

/// Stores the id of the import source, which Assets returned.
pub async fn set_import_source(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: DestinationId,
    import_source: &str,
) -> Result<()> {
    diesel::update(destinations::table.find((organization.0, id.0)))
        .filter(destinations::import_source.is_distinct_from(import_source))
        .set(destinations::import_source.eq(import_source))
        .execute(tx)
        .await?;
    Ok(())
}

/// Another destination with a job that leads to the same import source, the one that was delivered to first. The
/// destinations that lead there stay locked until the transaction ends, so that of two concurrent requests one waits.
pub async fn same_source(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: DestinationId,
    except: Option<JobId>,
) -> Result<Option<SameSource>> {
    let own = destinations::table.find((organization.0, id.0));
    let own: Option<(Option<Vec<u8>>, Option<String>)> =
        own.select((destinations::token_hash, destinations::import_source)).first(tx).await.optional()?;
    let Some((token_hash, import_source)) = own else { return Ok(None) };
    let same: Vec<Uuid> = destinations::table
        .filter(destinations::organization_id.eq(organization.0))
        .filter(destinations::token_hash.eq(&token_hash).or(destinations::import_source.eq(&import_source)))
        .order(destinations::id)
        .select(destinations::id)
        .for_update()
        .load(tx)
        .await?;
    let others: Vec<Uuid> = same.into_iter().filter(|other| *other != id.0).collect();
    let rows: Vec<(String, Option<DateTime<Utc>>, Uuid, String)> = destinations::table
        .inner_join(
            jobs::table.on(jobs::organization_id
                .eq(destinations::organization_id)
                .and(jobs::destination_id.eq(destinations::id.nullable()))),
        )
        .filter(destinations::organization_id.eq(organization.0))
        .filter(destinations::id.eq_any(others))
        .filter(jobs::deleting_at.is_null())
        .order((destinations::delivered_at.asc().nulls_last(), destinations::id))
        .select((destinations::name, destinations::delivered_at, jobs::id, jobs::name))
        .load(tx)
        .await?;
    let other = rows.into_iter().find(|(_, _, job, _)| except.is_none_or(|except| except.0 != *job));
    Ok(other.map(|(destination, delivered_at, id, name)| SameSource {
        destination,
        job: UsedBy { kind: "jobs", id, name },
        delivered_at,
    }))
}

/// The import sources to which jobs deliver through other destinations than this one, as far as Assets named them.
pub async fn other_sources(
    tx: &mut Transaction,
    organization: OrganizationId,
    id: DestinationId,
) -> Result<Vec<String>> {
    let used = jobs::table
        .filter(jobs::organization_id.eq(organization.0))
        .filter(jobs::deleting_at.is_null())
        .filter(jobs::destination_id.is_not_null())
        .select(jobs::destination_id.assume_not_null());
    Ok(destinations::table
        .filter(destinations::organization_id.eq(organization.0))
        .filter(destinations::id.ne(id.0))
        .filter(destinations::id.eq_any(used))
        .filter(destinations::import_source.is_not_null())
        .select(destinations::import_source.assume_not_null())
        .load(tx)
        .await?)
}
