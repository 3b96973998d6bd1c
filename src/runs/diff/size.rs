//! Warnings about the size of a delivery, before anything is sent. Only the delivery that exceeds a size is warned about.

use crate::assets_limits::{INCLUDED_OBJECTS, RECOMMENDED_VALUES};
use crate::codes::WarningCode;
use crate::plural::counted;
use crate::run_state::RunWarning;

/// What is more than Atlassian includes or recommends: objects, and objects with many references. `known` objects were
/// delivered before; the first delivery, or the first after a test, brings more than that.
pub(super) fn warnings(known: u64, created: u64, many_references: u64) -> Vec<RunWarning> {
    let mut warnings = Vec::new();
    let objects = known + created;
    if known <= INCLUDED_OBJECTS && objects > INCLUDED_OBJECTS {
        let detail = format!("There will be {objects} objects; {INCLUDED_OBJECTS} are included with Premium.");
        let advice = "See how many your site may have (Assets → Configuration → Usage), or narrow the filter.";
        warnings.push(RunWarning::new(WarningCode::ManyObjects, detail).with_count(objects).with_advice(advice));
    }
    if many_references > 0 && created > known {
        let detail = format!(
            "{} more than {RECOMMENDED_VALUES} values in a reference attribute, which Atlassian does not recommend. All \
             of them are sent.",
            counted(many_references, "object has", "objects have")
        );
        let advice =
            "If Assets gets slow, put memberships on the side with fewer values, or narrow the filter of groups.";
        warnings
            .push(RunWarning::new(WarningCode::ManyReferences, detail).with_count(many_references).with_advice(advice));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(known: u64, created: u64, many_references: u64) -> Vec<(String, Option<u64>)> {
        warnings(known, created, many_references)
            .into_iter()
            .map(|warning| (warning.code.to_string(), warning.count))
            .collect()
    }

    #[test]
    fn more_objects_than_are_included_are_told_before_they_are_created() {
        assert_eq!(warned(0, 0, 0), []);
        assert_eq!(warned(0, 50_000, 0), []);
        assert_eq!(warned(0, 50_001, 0), [("many_objects".to_owned(), Some(50_001))]);
        assert_eq!(warned(100, 60_000, 0), [("many_objects".to_owned(), Some(60_100))], "after a test");
        assert_eq!(warned(60_100, 500, 0), [], "it was told");
        let warning = &warnings(0, 120_000, 0)[0];
        assert!(warning.detail.contains("120000") && warning.detail.contains("50000"), "{}", warning.detail);
        assert!(warning.advice.as_ref().is_some_and(|advice| advice.contains("Usage")));
    }

    #[test]
    fn objects_with_many_references_are_told_beside_it() {
        assert_eq!(warned(0, 10, 3), [("many_references".to_owned(), Some(3))]);
        assert_eq!(warned(100, 5_000, 3), [("many_references".to_owned(), Some(3))], "after a test");
        assert_eq!(warned(5_100, 10, 3), [], "it was told");
        assert_eq!(warned(0, 50_001, 3).len(), 2);
    }
}
