//! What was measured, as one table.

use super::step::Step;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use serde::Serialize;

/// One step once, or the medians of several. `None`: the step has nothing of the kind.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measured {
    pub(super) step: Step,
    pub(super) wall_seconds: Option<f64>,
    pub(super) collect_seconds: Option<f64>,
    pub(super) diff_seconds: Option<f64>,
    pub(super) deliver_seconds: Option<f64>,
    /// Of the service and its PostgreSQL.
    pub(super) cpu_seconds: Option<f64>,
    /// Of the service since it started.
    pub(super) peak_megabytes: Option<f64>,
    pub(super) requests: Option<f64>,
    pub(super) planned_requests: Option<f64>,
    pub(super) units: Option<f64>,
    pub(super) planned_units: Option<f64>,
    pub(super) floor_seconds: Option<f64>,
    /// Answers 429.
    pub(super) throttled: Option<f64>,
    pub(super) objects_collected: Option<f64>,
    pub(super) objects_compared: Option<f64>,
    pub(super) objects_delivered: Option<f64>,
}

/// A column: its heading, its number, and the digits behind the point.
type Column = (&'static str, fn(&Measured) -> Option<f64>, usize);

const COLUMNS: [Column; 17] = [
    ("wall s", |m| m.wall_seconds, 2),
    ("collect s", |m| m.collect_seconds, 2),
    ("diff s", |m| m.diff_seconds, 2),
    ("deliver s", |m| m.deliver_seconds, 2),
    ("CPU s", |m| m.cpu_seconds, 2),
    ("peak MB", |m| m.peak_megabytes, 0),
    ("requests", |m| m.requests, 0),
    ("planned requests", |m| m.planned_requests, 0),
    ("units", |m| m.units, 0),
    ("planned P", |m| m.planned_units, 0),
    ("floor s", |m| m.floor_seconds, 2),
    ("429s", |m| m.throttled, 0),
    ("collected", |m| m.objects_collected, 0),
    ("delivered", |m| m.objects_delivered, 0),
    ("collect/s", |m| rate(m.objects_collected, m.collect_seconds), 0),
    ("diff/s", |m| rate(m.objects_compared, m.diff_seconds), 0),
    ("deliver/s", |m| rate(m.objects_delivered, m.deliver_seconds), 0),
];

fn rate(objects: Option<f64>, seconds: Option<f64>) -> Option<f64> {
    Some(objects? / seconds.filter(|seconds| *seconds > 0.0)?)
}

impl Measured {
    pub(super) fn new(step: Step) -> Self {
        Self {
            step,
            wall_seconds: None,
            collect_seconds: None,
            diff_seconds: None,
            deliver_seconds: None,
            cpu_seconds: None,
            peak_megabytes: None,
            requests: None,
            planned_requests: None,
            units: None,
            planned_units: None,
            floor_seconds: None,
            throttled: None,
            objects_collected: None,
            objects_compared: None,
            objects_delivered: None,
        }
    }

    /// Until everything was delivered.
    pub(super) fn stages_seconds(&self) -> Option<f64> {
        Some(self.collect_seconds? + self.diff_seconds? + self.deliver_seconds?)
    }
}

/// Step by step the medians of the repetitions.
pub(super) fn medians(repetitions: &[Vec<Measured>]) -> Vec<Measured> {
    let steps = repetitions.first().map(Vec::as_slice).unwrap_or_default();
    let of_step = |place: usize| repetitions.iter().filter_map(move |repetition| repetition.get(place));
    steps
        .iter()
        .enumerate()
        .map(|(place, first)| {
            let of = |field: fn(&Measured) -> Option<f64>| median(of_step(place).filter_map(field).collect());
            Measured {
                step: first.step,
                wall_seconds: of(|m| m.wall_seconds),
                collect_seconds: of(|m| m.collect_seconds),
                diff_seconds: of(|m| m.diff_seconds),
                deliver_seconds: of(|m| m.deliver_seconds),
                cpu_seconds: of(|m| m.cpu_seconds),
                peak_megabytes: of(|m| m.peak_megabytes),
                requests: of(|m| m.requests),
                planned_requests: of(|m| m.planned_requests),
                units: of(|m| m.units),
                planned_units: of(|m| m.planned_units),
                floor_seconds: of(|m| m.floor_seconds),
                throttled: of(|m| m.throttled),
                objects_collected: of(|m| m.objects_collected),
                objects_compared: of(|m| m.objects_compared),
                objects_delivered: of(|m| m.objects_delivered),
            }
        })
        .collect()
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

pub(super) fn render(rows: &[Measured]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(std::iter::once("").chain(COLUMNS.iter().map(|(heading, ..)| *heading)));
    for row in rows {
        let numbers = COLUMNS.iter().map(|(_, number, digits)| {
            let text = number(row).map(|number| format!("{number:.digits$}")).unwrap_or_default();
            Cell::new(text).set_alignment(CellAlignment::Right)
        });
        table.add_row(std::iter::once(Cell::new(name(row.step))).chain(numbers));
    }
    table.to_string()
}

/// One step in a line, for those who watch.
pub(super) fn line(row: &Measured) -> String {
    let numbers = COLUMNS
        .iter()
        .filter_map(|(heading, number, digits)| number(row).map(|number| format!("{heading} {number:.digits$}")));
    format!("  {}: {}", name(row.step), numbers.collect::<Vec<_>>().join(", "))
}

fn name(step: Step) -> &'static str {
    match step {
        Step::Download => "bare download",
        Step::Test => "test run",
        Step::Full => "full",
        Step::Repeat => "repeated",
        Step::Incremental => "incremental",
        Step::Nothing => "incremental, nothing changed",
        Step::Changed => "incremental, 500 users and 100 groups",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_medians() {
        let once = |wall| vec![Measured { wall_seconds: Some(wall), ..Measured::new(Step::Full) }];
        let rows = medians(&[once(3.0), once(1.0), once(2.0)]);
        assert_eq!((rows.len(), rows[0].wall_seconds, rows[0].cpu_seconds), (1, Some(2.0), None));
        assert!(render(&rows).contains("2.00"));
    }
}
