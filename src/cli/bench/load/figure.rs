//! What was measured, and its table.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};
use serde::Serialize;

/// One thing that was measured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli::bench) struct Figure {
    what: String,
    unit: &'static str,
    value: f64,
}

impl Figure {
    pub(super) fn new(what: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { what: what.into(), unit, value }
    }
}

/// Figure by figure the medians of the repetitions.
pub(super) fn medians(repetitions: &[Vec<Figure>]) -> Vec<Figure> {
    let first = repetitions.first().map(Vec::as_slice).unwrap_or_default();
    let median_of = |(place, figure): (usize, &Figure)| {
        let mut values: Vec<f64> = repetitions.iter().filter_map(|r| Some(r.get(place)?.value)).collect();
        values.sort_by(f64::total_cmp);
        let value = values.get(values.len() / 2).copied().unwrap_or(figure.value);
        Figure { value, ..figure.clone() }
    };
    first.iter().enumerate().map(median_of).collect()
}

pub(super) fn render(figures: &[Figure]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["what", "value", "unit"]);
    for figure in figures {
        let value = Cell::new(format!("{:.2}", figure.value)).set_alignment(CellAlignment::Right);
        table.add_row([Cell::new(&figure.what), value, Cell::new(figure.unit)]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_medians() {
        let once = |value| vec![Figure::new("start", "s", value)];
        let figures = medians(&[once(3.0), once(1.0), once(2.0)]);
        assert_eq!((figures.len(), figures[0].value), (1, 2.0));
        assert!(render(&figures).contains("2.00"));
    }
}
