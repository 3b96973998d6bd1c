//! What a first delivery is told about its size, before anything is sent.

use crate::run_state::RunWarning;

/// Objects that Jira Service Management Premium includes. Source: facts/assets.md §3.
const INCLUDED_OBJECTS: u64 = 50_000;
/// Values of one reference attribute that Atlassian recommends at most. Source: facts/assets.md §3.
pub(super) const RECOMMENDED_REFERENCES: usize = 10;

/// What is more than Atlassian includes or recommends: objects to create, and objects with many references.
pub(super) fn warnings(objects: u64, many_references: u64) -> Vec<RunWarning> {
    let mut warnings = Vec::new();
    if objects > INCLUDED_OBJECTS {
        let detail = format!("{objects} objects are to be created; {INCLUDED_OBJECTS} are included with Premium.");
        let advice = "See how many your site may have (Assets → Configuration → Usage), or narrow the filter.";
        warnings.push(RunWarning::new("many_objects", detail).with_count(objects).with_advice(advice));
    }
    if many_references > 0 {
        let detail = format!(
            "{many_references} objects have more than {RECOMMENDED_REFERENCES} values in a reference attribute, which \
             Atlassian does not recommend. They are all delivered."
        );
        let advice =
            "If Assets gets slow, put memberships on the side with fewer values, or narrow the filter of groups.";
        warnings.push(RunWarning::new("many_references", detail).with_count(many_references).with_advice(advice));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(objects: u64, many_references: u64) -> Vec<(String, Option<u64>)> {
        warnings(objects, many_references).into_iter().map(|warning| (warning.code, warning.count)).collect()
    }

    #[test]
    fn more_objects_than_are_included_are_told_before_they_are_created() {
        assert_eq!(told(0, 0), []);
        assert_eq!(told(50_000, 0), []);
        assert_eq!(told(50_001, 0), [("many_objects".to_owned(), Some(50_001))]);
        let warning = &warnings(120_000, 0)[0];
        assert!(warning.detail.contains("120000") && warning.detail.contains("50000"), "{}", warning.detail);
        assert!(warning.advice.as_ref().is_some_and(|advice| advice.contains("Usage")));
    }

    #[test]
    fn objects_with_many_references_are_told_beside_it() {
        assert_eq!(told(10, 3), [("many_references".to_owned(), Some(3))]);
        assert_eq!(told(50_001, 3).len(), 2);
    }
}
