//! A report in JSON: [`super::RunReport`], written while the changes are read.

use super::super::run_changes::ChangeResponse;
use super::head::Head;
use crate::api::bound::broken_off;
use crate::db::runs::ChangeRow;
use crate::error::{Error, Result};
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};

pub(super) fn write(
    head: Head,
    changes: impl Stream<Item = Result<Vec<ChangeRow>>>,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    async_stream::stream! {
        yield text(&head).map(|text| Bytes::from(format!("{text},\"changes\":["))).map_err(|e| broken_off("report", &e));
        let mut separator = "";
        tokio::pin!(changes);
        while let Some(page) = changes.next().await {
            match page.and_then(|rows| items(rows, &mut separator)) {
                Ok(text) => yield Ok(Bytes::from(text)),
                Err(error) => {
                    yield Err(broken_off("report", &error));
                    return;
                }
            }
        }
        yield Ok(Bytes::from_static(b"]}"));
    }
}

/// The fields before the changes; the object is not closed yet.
fn text(head: &Head) -> Result<String> {
    let run = serde_json::to_string(&head.run).map_err(Error::internal)?;
    let name = serde_json::to_string(&head.job_name).map_err(Error::internal)?;
    Ok(format!("{{\"jobName\":{name},\"run\":{run}"))
}

fn items(rows: Vec<ChangeRow>, separator: &mut &'static str) -> Result<String> {
    let mut text = String::new();
    for row in rows {
        text.push_str(separator);
        text.push_str(&serde_json::to_string(&ChangeResponse::from_row(row)).map_err(Error::internal)?);
        *separator = ",";
    }
    Ok(text)
}
