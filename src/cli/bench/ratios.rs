//! What the measurements mean: each is a part of another, so that they hold on any machine.

use super::step::Step;
use super::table::Measured;

/// A ratio of two measurements, and what it is of.
pub(super) type Ratio = (&'static str, f64);

/// Those that the measured steps give.
pub(super) fn ratios(rows: &[Measured]) -> Vec<Ratio> {
    let of = |step: Step| rows.iter().find(|row| row.step == step);
    let (download, full, repeat, incremental) =
        (of(Step::Download), of(Step::Full), of(Step::Repeat), of(Step::Incremental));
    let (nothing, changed) = (of(Step::Nothing), of(Step::Changed));
    let found = [
        ("full: collect ÷ floor", divide(full.and_then(|m| m.collect_seconds), full.and_then(|m| m.floor_seconds))),
        ("full: requests ÷ planned", divide(full.and_then(|m| m.requests), full.and_then(|m| m.planned_requests))),
        ("full: units ÷ planned P", divide(full.and_then(|m| m.units), full.and_then(|m| m.planned_units))),
        ("full: 429s ÷ requests", divide(full.and_then(|m| m.throttled), full.and_then(|m| m.requests))),
        (
            "full: collect ÷ bare download",
            divide(full.and_then(|m| m.collect_seconds), download.and_then(|m| m.collect_seconds)),
        ),
        (
            "full: collect, diff and deliver ÷ collect",
            divide(full.and_then(Measured::stages_seconds), full.and_then(|m| m.collect_seconds)),
        ),
        ("repeated ÷ full: CPU", divide(repeat.and_then(|m| m.cpu_seconds), full.and_then(|m| m.cpu_seconds))),
        ("incremental ÷ full: requests", divide(incremental.and_then(|m| m.requests), full.and_then(|m| m.requests))),
        ("incremental ÷ full: units", divide(incremental.and_then(|m| m.units), full.and_then(|m| m.units))),
        ("nothing changed ÷ full: CPU", divide(nothing.and_then(|m| m.cpu_seconds), full.and_then(|m| m.cpu_seconds))),
        (
            "500 users and 100 groups ÷ full: CPU",
            divide(changed.and_then(|m| m.cpu_seconds), full.and_then(|m| m.cpu_seconds)),
        ),
    ];
    found.into_iter().filter_map(|(name, ratio)| Some((name, ratio?))).collect()
}

fn divide(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other.filter(|other| *other > 0.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_needs_both_its_measurements() {
        let full = Measured { cpu_seconds: Some(4.0), floor_seconds: Some(0.0), ..Measured::new(Step::Full) };
        let repeat = Measured { cpu_seconds: Some(1.0), ..Measured::new(Step::Repeat) };
        assert_eq!(ratios(std::slice::from_ref(&full)), []);
        assert_eq!(ratios(&[full, repeat]), [("repeated ÷ full: CPU", 0.25)]);
    }
}
