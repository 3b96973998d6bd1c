//! The changes of a run that are about objects which others made in Assets.

use crate::db::Transaction;
use crate::db::runs::{Lease, fence};
use crate::error::Result;
use crate::ids::{OrganizationId, RunId};
use crate::run_state::{ChangeAction, ChangeReason};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

/// An object that would be created.
#[derive(QueryableByName, Clone, Debug)]
pub struct CandidateRow {
    #[diesel(sql_type = BigInt)]
    pub seq: i64,
    #[diesel(sql_type = Text)]
    pub after: String,
}

/// What is known of a change once Assets was asked.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub seq: i64,
    pub action: ChangeAction,
    pub reason: ChangeReason,
    pub send: bool,
    pub before: Option<String>,
    pub assets_keys: Vec<String>,
    pub writes_identity: bool,
}

/// An object that is in Assets and that the run knows nothing of.
#[derive(Clone, Debug)]
pub struct OnlyInAssets {
    /// Its number in Assets.
    pub number: u64,
    pub key: String,
    pub label: String,
    pub values: String,
}

/// What was found of a type.
#[derive(Clone, Copy, Debug, Default)]
pub struct FoundCounts {
    pub matched: u64,
    pub ambiguous: u64,
    pub unidentified: u64,
    pub only_in_assets: u64,
    /// Objects into which the identity is to be written.
    pub to_write: u64,
}

/// What a run found of a type, with what an earlier attempt of it found.
pub async fn found(tx: &mut Transaction, lease: &Lease, object_type: &str) -> Result<FoundCounts> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        action: ChangeAction,
        #[diesel(sql_type = BigInt)]
        number: i64,
        #[diesel(sql_type = BigInt)]
        to_write: i64,
    }
    const FOUND: &str = "
        SELECT action, count(*) AS number, count(*) FILTER (WHERE writes_identity) AS to_write FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND object_type = $3 GROUP BY action";
    let rows: Vec<Row> = diesel::sql_query(FOUND)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Text, _>(object_type)
        .load(tx)
        .await?;
    let number = |action| rows.iter().find(|row| row.action == action).map_or(0, |row| row.number.unsigned_abs());
    Ok(FoundCounts {
        matched: number(ChangeAction::Matched),
        ambiguous: number(ChangeAction::Ambiguous),
        unidentified: number(ChangeAction::Unidentified),
        only_in_assets: number(ChangeAction::OnlyInAssets),
        to_write: rows.iter().map(|row| row.to_write.unsigned_abs()).sum(),
    })
}

/// Forgets which objects of a type are only in Assets, so that they are listed again. Fenced.
pub async fn forget_only_in_assets(tx: &mut Transaction, lease: &Lease, object_type: &str) -> Result<()> {
    const FORGET: &str = "
        DELETE FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND object_type = $3 AND action = 'onlyInAssets'";
    fence(tx, lease).await?;
    diesel::sql_query(FORGET)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Text, _>(object_type)
        .execute(tx)
        .await?;
    Ok(())
}

/// The next objects of a type that would be created, in their order.
pub async fn candidates(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    object_type: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<CandidateRow>> {
    const CANDIDATES: &str = "
        SELECT seq, after FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND object_type = $3 AND seq > $4
          AND action = 'create' AND send AND after IS NOT NULL
        ORDER BY seq LIMIT $5";
    select(tx, CANDIDATES, (organization, run, object_type), after, limit).await
}

/// The next objects of a type into which the identity is still to be written.
pub async fn identities_to_write(
    tx: &mut Transaction,
    organization: OrganizationId,
    run: RunId,
    object_type: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<CandidateRow>> {
    const TO_WRITE: &str = "
        SELECT seq, after FROM run_changes
        WHERE organization_id = $1 AND run_id = $2 AND object_type = $3 AND seq > $4
          AND writes_identity AND send AND after IS NOT NULL
        ORDER BY seq LIMIT $5";
    select(tx, TO_WRITE, (organization, run, object_type), after, limit).await
}

async fn select(
    tx: &mut Transaction,
    query: &str,
    (organization, run, object_type): (OrganizationId, RunId, &str),
    after: i64,
    limit: i64,
) -> Result<Vec<CandidateRow>> {
    Ok(diesel::sql_query(query)
        .bind::<SqlUuid, _>(organization.0)
        .bind::<SqlUuid, _>(run.0)
        .bind::<Text, _>(object_type)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .load(tx)
        .await?)
}

/// Stores what was found of changes. Fenced.
pub async fn judge(tx: &mut Transaction, lease: &Lease, found: &[Judgement]) -> Result<()> {
    const JUDGE: &str = "
        UPDATE run_changes c SET action = f.action, reason = f.reason, send = f.send, before = f.before,
            assets_keys = string_to_array(f.keys, ','), writes_identity = f.writes_identity
        FROM unnest($3::bigint[], $4::text[], $5::text[], $6::bool[], $7::text[], $8::text[], $9::bool[])
            AS f(seq, action, reason, send, before, keys, writes_identity)
        WHERE c.organization_id = $1 AND c.run_id = $2 AND c.seq = f.seq";
    fence(tx, lease).await?;
    fn column<'a, T>(found: &'a [Judgement], value: impl Fn(&'a Judgement) -> T) -> Vec<T> {
        found.iter().map(value).collect()
    }
    diesel::sql_query(JUDGE)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Array<BigInt>, _>(column(found, |f| f.seq))
        .bind::<Array<Text>, _>(column(found, |f| f.action))
        .bind::<Array<Text>, _>(column(found, |f| f.reason))
        .bind::<Array<Bool>, _>(column(found, |f| f.send))
        .bind::<Array<Nullable<Text>>, _>(column(found, |f| f.before.as_deref()))
        .bind::<Array<Text>, _>(column(found, |f| f.assets_keys.join(",")))
        .bind::<Array<Bool>, _>(column(found, |f| f.writes_identity))
        .execute(tx)
        .await?;
    Ok(())
}

/// The identities of these changes are written. Fenced.
pub async fn identity_written(tx: &mut Transaction, lease: &Lease, written: &[i64]) -> Result<()> {
    const WRITTEN: &str = "
        UPDATE run_changes SET writes_identity = false
        WHERE organization_id = $1 AND run_id = $2 AND seq = ANY($3)";
    fence(tx, lease).await?;
    diesel::sql_query(WRITTEN)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Array<BigInt>, _>(written)
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds objects that are only in Assets behind the other changes; they are never sent. Fenced.
pub async fn add_only_in_assets(
    tx: &mut Transaction,
    lease: &Lease,
    object_type: &str,
    found: &[OnlyInAssets],
) -> Result<()> {
    const ADD: &str = "
        INSERT INTO run_changes (organization_id, run_id, seq, object_type, object_id, label, action, send, before,
            assets_keys)
        SELECT $1, $2, (SELECT coalesce(max(seq), 0) FROM run_changes WHERE organization_id = $1 AND run_id = $2)
                + row_number() OVER (), $3, id, label, 'onlyInAssets', false, before, ARRAY[key]
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[]) AS f(id, label, before, key)";
    fence(tx, lease).await?;
    fn column<'a, T>(found: &'a [OnlyInAssets], value: impl Fn(&'a OnlyInAssets) -> T) -> Vec<T> {
        found.iter().map(value).collect()
    }
    diesel::sql_query(ADD)
        .bind::<SqlUuid, _>(lease.organization.0)
        .bind::<SqlUuid, _>(lease.run.0)
        .bind::<Text, _>(object_type)
        .bind::<Array<SqlUuid>, _>(column(found, |f| Uuid::from_u128(u128::from(f.number))))
        .bind::<Array<Text>, _>(column(found, |f| f.label.replace('\0', "")))
        .bind::<Array<Text>, _>(column(found, |f| f.values.as_str()))
        .bind::<Array<Text>, _>(column(found, |f| f.key.as_str()))
        .execute(tx)
        .await?;
    Ok(())
}
