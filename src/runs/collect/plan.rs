//! What a read decided before its first page. A later attempt of the same run goes on by it: a position in the
//! changes that is taken anew would leave out what changed between the attempts.

use super::reader::Reader;
use crate::db::Transaction;
use crate::db::mirror::{Batch, Cursor, cursors, stage_cursors};
use crate::db::runs::Lease;
use crate::error::Result;
use crate::runs::stop::Stop;

const PLAN: &str = "plan";

/// Writes a decision down. When this returns, it is stored.
pub(super) async fn note(reader: &Reader<'_>, what: &str, text: Option<&str>) -> Result<(), Stop> {
    let next_link = text.map(str::to_owned);
    let cursor = Cursor { collection: PLAN, part: what.to_owned(), next_link, done: true, pages: 0 };
    reader.writer.write(Batch { cursors: vec![cursor], ..Batch::default() }).await?;
    reader.writer.flushed().await
}

/// Writes down, with whatever else a transaction changes, that it did so. Callers have fenced.
pub(super) async fn note_in(tx: &mut Transaction, lease: &Lease, what: &str) -> Result<()> {
    let cursor = Cursor { collection: PLAN, part: what.to_owned(), next_link: None, done: true, pages: 0 };
    stage_cursors(tx, lease, &[cursor]).await
}

/// What an earlier attempt of this run decided; `None`: nothing.
pub(super) async fn noted(reader: &Reader<'_>, what: &str) -> Result<Option<String>, Stop> {
    let (organization, run) = (reader.run.job.organization, reader.run.lease.run);
    let db = &reader.run.app.db;
    let mut known = db.scoped(organization, async move |tx| cursors(tx, organization, run, PLAN).await).await?;
    Ok(known.remove(what).map(|cursor| cursor.next_link.unwrap_or_default()))
}
