//! A report as an Excel workbook. Its rows are written to temporary files as they are read, so memory is bounded; the
//! finished file is sent from disk.

use super::head::Head;
use super::row::{COLUMNS, Cells, facts, harmless};
use crate::api::bound::{Bound, broken_off};
use crate::api::places::Place;
use crate::error::{Error, Result};
use actix_web::web::Bytes;
use chrono::DateTime;
use futures_util::{Stream, StreamExt};
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// Changes on one sheet; Excel takes 1,048,576 rows.
const SHEET_ROWS: u32 = 1_000_000;
/// Excel's limit for the text of a cell, in UTF-16 units.
const MAX_CELL_LENGTH: usize = 32_767;
/// How many pages of changes may wait to be written.
const WAITING: usize = 2;
/// How many bytes are sent at once.
const BLOCK: usize = 64 * 1024;
const FACT_WIDTHS: [u16; 3] = [10, 26, 80];
const CHANGE_WIDTHS: [u16; COLUMNS.len()] = [12, 38, 32, 11, 13, 30, 50, 50];

/// A finished workbook in an unlinked file, which disappears when it is dropped.
pub(in crate::api) struct Content {
    file: File,
    pub length: u64,
    place: Place,
}

impl Content {
    pub fn into_stream(self, bound: Bound) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
        let Self { file, place, .. } = self;
        let mut file = tokio::fs::File::from_std(file);
        async_stream::stream! {
            // Until the file is sent, or its reader is gone.
            let _place = place;
            loop {
                if let Err(over) = bound.check() {
                    yield Err(broken_off("report", &over));
                    return;
                }
                let mut block = vec![0; BLOCK];
                match file.read(&mut block).await {
                    Ok(0) => return,
                    Ok(length) => {
                        block.truncate(length);
                        yield Ok(Bytes::from(block));
                    }
                    Err(error) => {
                        yield Err(broken_off("report", &Error::internal(error)));
                        return;
                    }
                }
            }
        }
    }
}

/// The workbook of a report.
pub(super) async fn write(
    head: Head,
    changes: impl Stream<Item = Result<Vec<Cells>>>,
    place: Place,
) -> Result<Content> {
    filled(changes, place, move |workbook, pages| fill(workbook, &head, pages)).await
}

/// A workbook that `fill` writes on its own thread, which receives the pages as they are read.
pub(in crate::api) async fn filled<R: Send + 'static>(
    pages: impl Stream<Item = Result<Vec<R>>>,
    place: Place,
    fill: impl FnOnce(&mut Workbook, mpsc::Receiver<Vec<R>>) -> Result<(), XlsxError> + Send + 'static,
) -> Result<Content> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let writing = tokio::task::spawn_blocking(move || {
        let mut workbook = Workbook::new();
        fill(&mut workbook, receiver).map_err(Error::internal)?;
        unlinked(&mut workbook, place)
    });
    let passing = async move {
        tokio::pin!(pages);
        while let Some(page) = pages.next().await {
            if sender.send(page?).await.is_err() {
                // The writer failed, and says why.
                break;
            }
        }
        Ok(())
    };
    let passed: Result<()> = passing.await;
    let content = writing.await.map_err(Error::internal)?;
    passed?;
    content
}

/// The workbook in an unlinked file, which keeps its place.
fn unlinked(workbook: &mut Workbook, place: Place) -> Result<Content> {
    let mut file = tempfile::tempfile().map_err(|e| {
        Error::internal(format!("a temporary file in {} cannot be made: {e}", std::env::temp_dir().display()))
    })?;
    workbook.save_to_writer(&mut file).map_err(Error::internal)?;
    let length = file.seek(SeekFrom::End(0)).map_err(Error::internal)?;
    file.rewind().map_err(Error::internal)?;
    Ok(Content { file, length, place })
}

fn fill(workbook: &mut Workbook, head: &Head, mut pages: mpsc::Receiver<Vec<Cells>>) -> Result<(), XlsxError> {
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet_with_constant_memory()?.set_name("Run")?;
    for (column, (name, width)) in (0..).zip(["", "Name", "Value"].into_iter().zip(FACT_WIDTHS)) {
        sheet.set_column_width(column, width)?;
        sheet.write_string_with_format(0, column, name, &bold)?;
    }
    for (row, fact) in (1..).zip(facts(head)) {
        for (column, text) in (0..).zip([fact.record.to_owned(), fact.name]) {
            sheet.write_string(row, column, cell(text))?;
        }
        write_value(sheet, row, 2, fact.value)?;
    }
    add_changes_sheet(workbook, &bold)?;
    let mut row = 0;
    while let Some(page) = pages.blocking_recv() {
        for change in page {
            if row == SHEET_ROWS {
                add_filter(workbook, row)?;
                row = 0;
                add_changes_sheet(workbook, &bold)?;
            }
            row += 1;
            let last = workbook.worksheets().len() - 1;
            let sheet = workbook.worksheet_from_index(last)?;
            for (column, text) in (0..).zip(change) {
                sheet.write_string(row, column, cell(text))?;
            }
        }
    }
    add_filter(workbook, row)
}

/// A number or a time as Excel's own, so that it can be summed and sorted; anything else as text.
fn write_value(sheet: &mut Worksheet, row: u32, column: u16, text: String) -> Result<(), XlsxError> {
    if let Some(number) = text.parse::<u32>().ok().filter(|number| number.to_string() == text) {
        sheet.write_number(row, column, number)?;
    } else if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        let format = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss \"UTC\"").set_align(FormatAlign::Left);
        let time = ExcelDateTime::from_timestamp(time.timestamp())?;
        sheet.write_datetime_with_format(row, column, time, &format)?;
    } else {
        sheet.write_string(row, column, cell(text))?;
    }
    Ok(())
}

/// The row of filters over the columns of the last sheet, which has so many changes.
fn add_filter(workbook: &mut Workbook, rows: u32) -> Result<(), XlsxError> {
    let last = workbook.worksheets().len() - 1;
    let columns = u16::try_from(COLUMNS.len()).unwrap_or(u16::MAX);
    workbook.worksheet_from_index(last)?.autofilter(0, 0, rows, columns - 1)?;
    Ok(())
}

fn add_changes_sheet(workbook: &mut Workbook, bold: &Format) -> Result<(), XlsxError> {
    let number = workbook.worksheets().len();
    let name = if number == 1 { "Changes".to_owned() } else { format!("Changes {number}") };
    let sheet = workbook.add_worksheet_with_constant_memory()?.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, (name, width)) in (0..).zip(COLUMNS.into_iter().zip(CHANGE_WIDTHS)) {
        sheet.set_column_width(column, width)?;
        sheet.write_string_with_format(0, column, name, bold)?;
    }
    Ok(())
}

/// A text that is valid in Excel: no formula, and not too long for a cell.
pub(in crate::api) fn cell(text: String) -> String {
    let mut text = harmless(text);
    if text.len() > MAX_CELL_LENGTH && text.encode_utf16().count() > MAX_CELL_LENGTH {
        let mut units = 0;
        let end = text.char_indices().find(|(_, c)| {
            units += c.len_utf16();
            units >= MAX_CELL_LENGTH
        });
        text.truncate(end.map_or(text.len(), |(at, _)| at));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_where_excel_ends() {
        assert_eq!(cell("a".repeat(MAX_CELL_LENGTH)).len(), MAX_CELL_LENGTH);
        for long in ["a".repeat(MAX_CELL_LENGTH + 1), "ä".repeat(MAX_CELL_LENGTH + 1), "🙂".repeat(MAX_CELL_LENGTH)]
        {
            let cut = cell(long);
            assert!(cut.ends_with('…'));
            assert!(cut.encode_utf16().count() <= MAX_CELL_LENGTH);
            assert!(cut.encode_utf16().count() >= MAX_CELL_LENGTH - 1);
        }
    }
}
