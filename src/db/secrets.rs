//! All sealed values of the database: to check that the master keys open them, and to encrypt them again with the first
//! key.

use super::{Db, Transaction, system};
use crate::error::{Code, Error, Result};
use crate::ids::OrganizationId;
use crate::seal::{KeyRing, Place};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use secrecy::ExposeSecret;
use uuid::Uuid;

/// The columns with secrets: table, column, and the column whose value is in the seal's associated data.
pub const SEALED: [(&str, &str, &str); 9] = [
    ("connections", "credential_sealed", "id"),
    ("destinations", "token_sealed", "id"),
    ("destinations", "api_token_sealed", "id"),
    ("webhooks", "secret_sealed", "id"),
    ("webhooks", "previous_secret_sealed", "id"),
    ("forge_tokens", "token_sealed", "id"),
    ("executions", "links_sealed", "id"),
    ("mirrors", "users_delta_sealed", "job_id"),
    ("mirrors", "groups_delta_sealed", "job_id"),
];
/// Values read at once.
const BATCH: i64 = 500;

/// What [`inspect`] found, or [`rotate`] did.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    pub values: u64,
    /// Sealed with another key than the first.
    pub stale: u64,
    /// `table.column of row …` that no key opens.
    pub unreadable: Vec<String>,
}

#[derive(QueryableByName)]
struct Sealed {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Binary)]
    sealed: Vec<u8>,
}

/// Opens every sealed value.
pub async fn inspect(db: &Db, keys: &KeyRing) -> Result<Tally> {
    walk(db, keys, false).await
}

/// Seals every value with the first key that another key sealed. A value that changes meanwhile is left as it is.
pub async fn rotate(db: &Db, keys: &KeyRing) -> Result<Tally> {
    walk(db, keys, true).await
}

async fn walk(db: &Db, keys: &KeyRing, reseal: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    for organization in system::organization_ids(db).await? {
        for (table, column, bound_to) in SEALED {
            let mut after = Uuid::nil();
            loop {
                let found = db
                    .scoped(organization, async |tx| read(tx, organization, (table, column, bound_to), after).await)
                    .await?;
                let Some(last) = found.last() else { break };
                after = last.id;
                for Sealed { id: row, sealed } in found {
                    tally.values += 1;
                    let place = Place { table, column, organization, row };
                    match resealed(keys, place, &sealed) {
                        Err(_) => tally.unreadable.push(format!("{table}.{column} of row {row}")),
                        Ok(None) => {}
                        Ok(Some(new)) => {
                            tally.stale += 1;
                            if reseal {
                                let text = (table, column, bound_to);
                                db.scoped(organization, async |tx| replace(tx, text, place, &sealed, &new).await)
                                    .await?;
                            }
                        }
                    }
                }
            }
        }
    }
    Ok(tally)
}

/// The value sealed with the first key, if another one sealed it.
fn resealed(keys: &KeyRing, place: Place, sealed: &[u8]) -> Result<Option<Vec<u8>>> {
    let secret = keys.open(place, sealed)?;
    match keys.is_stale(sealed) {
        true => keys.seal(place, secret.expose_secret()).map(Some),
        false => Ok(None),
    }
}

async fn read(
    tx: &mut Transaction,
    organization: OrganizationId,
    (table, column, bound_to): (&str, &str, &str),
    after: Uuid,
) -> Result<Vec<Sealed>> {
    // An organization that is being deleted has empty values in columns that may not be null.
    let query = format!(
        "SELECT {bound_to} AS id, {column} AS sealed FROM {table} WHERE organization_id = $1 AND {bound_to} > $2 \
         AND length({column}) > 0 ORDER BY {bound_to} LIMIT $3"
    );
    let query = diesel::sql_query(query).bind::<SqlUuid, _>(organization.0).bind::<SqlUuid, _>(after);
    Ok(query.bind::<BigInt, _>(BATCH).load(tx).await?)
}

async fn replace(
    tx: &mut Transaction,
    (table, column, bound_to): (&str, &str, &str),
    place: Place,
    old: &[u8],
    new: &[u8],
) -> Result<()> {
    let update =
        format!("UPDATE {table} SET {column} = $1 WHERE organization_id = $2 AND {bound_to} = $3 AND {column} = $4");
    let update = diesel::sql_query(update).bind::<Binary, _>(new).bind::<SqlUuid, _>(place.organization.0);
    update.bind::<SqlUuid, _>(place.row).bind::<Binary, _>(old).execute(tx).await?;
    Ok(())
}

impl Tally {
    /// An error unless every value could be opened.
    pub fn into_result(self) -> Result<Self> {
        match self.unreadable.as_slice() {
            [] => Ok(self),
            [first, ..] => Err(Error::new(
                Code::SecretUnreadable,
                format!(
                    "{} of {} stored secrets cannot be opened with the master keys given; the first is {first}. Add the \
                     key that sealed them to ENTRA_ASSETS_MASTER_KEY, after a comma; or enter these secrets again.",
                    self.unreadable.len(),
                    self.values
                ),
            )),
        }
    }
}
