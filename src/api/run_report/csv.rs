//! A report in CSV (RFC 4180): one table, with separate columns for facts and for changes.

use super::head::Head;
use super::row::{COLUMNS, Cells, facts, harmless};
use crate::api::bound::broken_off;
use crate::error::{Error, Result};
use actix_web::web::Bytes;
use csv::Writer;
use futures_util::{Stream, StreamExt};

const FACT_COLUMNS: [&str; 3] = ["record", "name", "value"];
/// The byte order mark by which spreadsheets recognise UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(super) fn write(
    head: Head,
    changes: impl Stream<Item = Result<Vec<Cells>>>,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    async_stream::stream! {
        yield top(&head).map_err(|error| broken_off("report", &error));
        tokio::pin!(changes);
        while let Some(page) = changes.next().await {
            match page.and_then(lines) {
                Ok(text) => yield Ok(text),
                Err(error) => {
                    yield Err(broken_off("report", &error));
                    return;
                }
            }
        }
    }
}

/// The header row and the facts of the run.
fn top(head: &Head) -> Result<Bytes> {
    let mut writer = Writer::from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
    writer.write_record(FACT_COLUMNS.iter().chain(&COLUMNS)).map_err(Error::internal)?;
    for fact in facts(head) {
        let own = [fact.record.to_owned(), harmless(fact.name), harmless(fact.value)];
        let none = COLUMNS.map(|_| String::new());
        writer.write_record(own.iter().chain(&none)).map_err(Error::internal)?;
    }
    finish(writer)
}

fn lines(rows: Vec<Cells>) -> Result<Bytes> {
    let mut writer = Writer::from_writer(Vec::new());
    for row in rows {
        let own = ["change".to_owned(), String::new(), String::new()];
        writer.write_record(own.iter().chain(&row.map(harmless))).map_err(Error::internal)?;
    }
    finish(writer)
}

fn finish(writer: Writer<Vec<u8>>) -> Result<Bytes> {
    writer.into_inner().map(Bytes::from).map_err(|e| Error::internal(e.to_string()))
}
