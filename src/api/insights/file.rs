//! The objects behind an insight as a file.

use super::asked::Asked;
use super::body::InsightItem;
use crate::api::run_report::{ReportFormat, cell, harmless, take_place, unlinked};
use crate::app::App;
use crate::error::{Error, Result};
use crate::insight::Insight;
use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::header::{self, ContentDisposition};
use rust_xlsxwriter::{Format, Workbook, XlsxError};

/// Objects that are read at once.
const ROWS: i64 = 1000;
/// Excel takes 1,048,576 rows.
const MAX_ROWS: usize = 1_000_000;
const COLUMNS: [&str; 4] = ["id", "name", "userPrincipalName", "detail"];
const WIDTHS: [u16; COLUMNS.len()] = [38, 36, 40, 80];
/// The byte order mark by which spreadsheets recognise UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

pub(super) async fn write(app: App, asked: Asked, insight: Insight, format: ReportFormat) -> Result<HttpResponse> {
    let place = if format == ReportFormat::Csv { None } else { Some(take_place(asked.organization())?) };
    let items = all(&app, &asked, insight).await?;
    let mut response = HttpResponse::Ok();
    response.content_type(format.media_type());
    let name = format!("entra-assets-{insight}.{}", format.extension());
    response.insert_header((header::CONTENT_DISPOSITION, ContentDisposition::attachment(name)));
    let Some(place) = place else { return Ok(response.body(csv(&items)?)) };
    let writing = tokio::task::spawn_blocking(move || {
        let mut workbook = Workbook::new();
        fill(&mut workbook, insight, &items).map_err(Error::internal)?;
        unlinked(&mut workbook, place)
    });
    let content = writing.await.map_err(Error::internal)??;
    // It is compressed already.
    response.insert_header((header::CONTENT_ENCODING, "identity"));
    Ok(response.body(SizedStream::new(content.length, content.into_stream())))
}

async fn all(app: &App, asked: &Asked, insight: Insight) -> Result<Vec<InsightItem>> {
    let mut items: Vec<InsightItem> = Vec::new();
    while items.len() < MAX_ROWS {
        let page = asked.objects(app, insight, items.last().map(|item| item.id), ROWS).await?;
        if page.is_empty() {
            break;
        }
        items.extend(page);
    }
    Ok(items)
}

fn cells(item: &InsightItem) -> [String; COLUMNS.len()] {
    let principal = item.user_principal_name.clone().unwrap_or_default();
    [item.id.to_string(), item.label.clone(), principal, item.detail.clone()]
}

fn csv(items: &[InsightItem]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
    writer.write_record(COLUMNS).map_err(Error::internal)?;
    for item in items {
        writer.write_record(cells(item).map(harmless)).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(|error| Error::internal(error.to_string()))
}

fn fill(workbook: &mut Workbook, insight: Insight, items: &[InsightItem]) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet_with_constant_memory()?.set_name(insight.title())?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, (name, width)) in (0..).zip(COLUMNS.into_iter().zip(WIDTHS)) {
        sheet.set_column_width(column, width)?;
        sheet.write_string_with_format(0, column, name, &bold)?;
    }
    for (row, item) in (1..).zip(items) {
        for (column, text) in (0..).zip(cells(item)) {
            sheet.write_string(row, column, cell(text))?;
        }
    }
    let last = u32::try_from(items.len()).unwrap_or(u32::MAX);
    sheet.autofilter(0, 0, last, u16::try_from(COLUMNS.len() - 1).unwrap_or(0))?;
    Ok(())
}
