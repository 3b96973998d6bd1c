//! System tokens of Forge apps, sealed: the newest one of each installation.

use super::Transaction;
use super::schema::forge_tokens;
use crate::error::Result;
use crate::ids::OrganizationId;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = forge_tokens)]
pub struct ForgeTokenRow {
    pub organization_id: Uuid,
    pub installation_id: String,
    pub token_sealed: Vec<u8>,
    /// New for each token: part of the seal's associated data.
    pub id: Uuid,
    pub api_base_url: String,
    pub expires_at: DateTime<Utc>,
    /// When the app sent it.
    pub updated_at: DateTime<Utc>,
}

/// Stores the token of an installation, unless the one that it has for the same site ends later. Answers with the end of the
/// one that is kept.
pub async fn keep_the_longer(tx: &mut Transaction, row: &ForgeTokenRow) -> Result<DateTime<Utc>> {
    let ends_later = excluded(forge_tokens::expires_at).ge(forge_tokens::expires_at);
    let is_of_another_site = excluded(forge_tokens::api_base_url).ne(forge_tokens::api_base_url);
    let upsert = diesel::insert_into(forge_tokens::table)
        .values(row)
        .on_conflict((forge_tokens::organization_id, forge_tokens::installation_id))
        .do_update()
        .set((
            forge_tokens::token_sealed.eq(excluded(forge_tokens::token_sealed)),
            forge_tokens::id.eq(excluded(forge_tokens::id)),
            forge_tokens::api_base_url.eq(excluded(forge_tokens::api_base_url)),
            forge_tokens::expires_at.eq(excluded(forge_tokens::expires_at)),
            forge_tokens::updated_at.eq(excluded(forge_tokens::updated_at)),
        ));
    diesel::query_dsl::methods::FilterDsl::filter(upsert, ends_later.or(is_of_another_site)).execute(tx).await?;
    let kept = forge_tokens::table.find((row.organization_id, &row.installation_id));
    Ok(kept.select(forge_tokens::expires_at).first(tx).await?)
}

/// Deletes the tokens of an organization.
pub async fn delete_all(tx: &mut Transaction, organization: OrganizationId) -> Result<()> {
    diesel::delete(forge_tokens::table.filter(forge_tokens::organization_id.eq(organization.0))).execute(tx).await?;
    Ok(())
}

/// The organization's newest token.
pub async fn newest(tx: &mut Transaction, organization: OrganizationId) -> Result<Option<ForgeTokenRow>> {
    Ok(forge_tokens::table
        .filter(forge_tokens::organization_id.eq(organization.0))
        .order(forge_tokens::updated_at.desc())
        .select(ForgeTokenRow::as_select())
        .first(tx)
        .await
        .optional()?)
}

/// Marks a token as expired before its time, unless it was replaced meanwhile.
pub async fn end(tx: &mut Transaction, organization: OrganizationId, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    diesel::update(forge_tokens::table)
        .filter(forge_tokens::organization_id.eq(organization.0))
        .filter(forge_tokens::id.eq(id))
        .set(forge_tokens::expires_at.eq(now))
        .execute(tx)
        .await?;
    Ok(())
}
