//! Whether everything that an attempt staged is there. Its transactions do not wait for the disk, so a crash of the database
//! takes back the last of them. A process that outlives the crash has read on meanwhile: what it stages next would stand
//! behind a gap. So one row has the number of the last transaction, and each expects the number of the one before.

use crate::db::Transaction;
use crate::db::runs::Lease;
use crate::error::{Code, Error, Result};
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

/// Numbers a transaction after so many that staged something, since this attempt began or staging was cleared: both are on
/// the disk with all that came before. If one of them is gone, the error is `database_unavailable`, and the next attempt
/// goes on from what is left. Callers have fenced.
pub async fn number_staging(tx: &mut Transaction, lease: &Lease, before: u64) -> Result<()> {
    const FIRST: &str = "
        INSERT INTO run_cursors (organization_id, run_id, collection, part, next_link, done, pages)
        VALUES ($1, $2, 'staged', '', $3, true, 0)
        ON CONFLICT (organization_id, run_id, collection, part) DO UPDATE SET next_link = excluded.next_link";
    const NEXT: &str = "
        UPDATE run_cursors SET next_link = $3
        WHERE organization_id = $1 AND run_id = $2 AND collection = 'staged' AND part = '' AND next_link = $4";
    // Those of an earlier attempt have another token.
    let number = |number: u64| format!("{} {number}", lease.token);
    let numbered = |statement: &'static str| {
        diesel::sql_query(statement)
            .bind::<SqlUuid, _>(lease.organization.0)
            .bind::<SqlUuid, _>(lease.run.0)
            .bind::<Text, _>(number(before + 1))
    };
    let numbered = match before {
        0 => numbered(FIRST).execute(tx).await?,
        _ => numbered(NEXT).bind::<Text, _>(number(before)).execute(tx).await?,
    };
    if numbered == 1 { Ok(()) } else { Err(lost()) }
}

/// What a run stored last is gone: the run goes on from what is left.
pub(super) fn lost() -> Error {
    Error::new(Code::DatabaseUnavailable, "The database has lost what a run stored last: it ended without writing it.")
}
