//! The objects behind an insight as a file, written a page at a time, so memory does not grow with its size.

use super::asked::Asked;
use super::body::InsightItem;
use crate::api::auth::Credential;
use crate::api::bound::{Bound, broken_off};
use crate::api::places::{Place, WORKBOOKS};
use crate::api::run_report::{ReportFormat, cell, filled, harmless};
use crate::app::App;
use crate::error::{Error, Result};
use crate::insight::Insight;
use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::header::{self, ContentDisposition};
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use rust_xlsxwriter::{Format, Workbook, XlsxError};
use tokio::sync::mpsc;

/// Objects that are read at once.
const ROWS: i64 = 1000;
/// Excel takes 1,048,576 rows.
const MAX_SHEET_ROWS: u32 = 1_000_000;
const COLUMNS: [&str; 4] = ["id", "name", "userPrincipalName", "detail"];
const WIDTHS: [u16; COLUMNS.len()] = [38, 36, 40, 80];
/// The byte order mark by which spreadsheets recognise UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(super) async fn write(
    app: App,
    asked: Asked,
    (insight, format): (Insight, ReportFormat),
    (credential, search): (Credential, Place),
) -> Result<HttpResponse> {
    let mut response = HttpResponse::Ok();
    response.content_type(format.media_type());
    let name = format!("entra-assets-{insight}.{}", format.extension());
    response.insert_header((header::CONTENT_DISPOSITION, ContentDisposition::attachment(name)));
    let organization = asked.organization();
    let (of_pages, of_file) = (Bound::of_download(&app, credential), Bound::of_download(&app, credential));
    let mut pages = Box::pin(pages(app, (of_pages, search), asked, insight));
    // What cannot be read at all is told as an error, and not by a file that breaks off.
    let first = pages.next().await.transpose()?;
    let pages = futures_util::stream::iter(first.map(Ok)).chain(pages);
    if format == ReportFormat::Csv {
        return Ok(response.streaming(as_csv(pages)));
    }
    let place = WORKBOOKS.take(organization)?;
    let content = filled(pages, place, move |workbook, pages| fill(workbook, insight, pages)).await?;
    // It is compressed already.
    response.insert_header((header::CONTENT_ENCODING, "identity"));
    Ok(response.body(SizedStream::new(content.length, content.into_stream(of_file))))
}

/// All objects, by id: no database connection is held while the caller reads. It ends with the caller's key, and is a search
/// until its last page is read.
fn pages(
    app: App,
    (bound, search): (Bound, Place),
    asked: Asked,
    insight: Insight,
) -> impl Stream<Item = Result<Vec<InsightItem>>> {
    async_stream::try_stream! {
        let _search = search;
        let mut after = None;
        loop {
            bound.check()?;
            let page = asked.objects(&app, insight, after, ROWS).await?;
            let Some(last) = page.last() else { return };
            after = Some(last.id);
            yield page;
        }
    }
}

fn cells(item: &InsightItem) -> [String; COLUMNS.len()] {
    let principal = item.user_principal_name.clone().unwrap_or_default();
    [item.id.to_string(), item.label.clone(), principal, item.detail.clone()]
}

fn as_csv(pages: impl Stream<Item = Result<Vec<InsightItem>>>) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let head = lines(BYTE_ORDER_MARK, std::iter::once(COLUMNS.map(str::to_owned)));
    let rest = pages.map(|page| lines("", page?.iter().map(|item| cells(item).map(harmless))));
    futures_util::stream::once(std::future::ready(head))
        .chain(rest)
        .map(|part| part.map_err(|error| broken_off("insight", &error)))
}

/// Lines of CSV (RFC 4180) after `start`.
fn lines(start: &str, rows: impl Iterator<Item = [String; COLUMNS.len()]>) -> Result<Bytes> {
    let mut writer = csv::Writer::from_writer(start.as_bytes().to_vec());
    for row in rows {
        writer.write_record(row).map_err(Error::internal)?;
    }
    writer.into_inner().map(Bytes::from).map_err(|error| Error::internal(error.to_string()))
}

/// A sheet of all objects, or of as many as Excel takes.
fn fill(
    workbook: &mut Workbook,
    insight: Insight,
    mut pages: mpsc::Receiver<Vec<InsightItem>>,
) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet_with_constant_memory()?.set_name(insight.title())?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, (name, width)) in (0..).zip(COLUMNS.into_iter().zip(WIDTHS)) {
        sheet.set_column_width(column, width)?;
        sheet.write_string_with_format(0, column, name, &bold)?;
    }
    let mut last = 0;
    'pages: while let Some(page) = pages.blocking_recv() {
        for item in &page {
            if last == MAX_SHEET_ROWS {
                break 'pages;
            }
            last += 1;
            for (column, text) in (0..).zip(cells(item)) {
                sheet.write_string(last, column, cell(text))?;
            }
        }
    }
    sheet.autofilter(0, 0, last, u16::try_from(COLUMNS.len() - 1).unwrap_or(0))?;
    Ok(())
}
