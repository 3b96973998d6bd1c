//! A report in one or two sentences: what works, and the first thing that is wrong.

use super::report::CheckReport;
use crate::permission::list;
use crate::permission::report::{CapabilityVerdict, Severity, Verdict};

pub fn summary(report: &CheckReport) -> String {
    let count = report.capabilities.len();
    let bad: Vec<&CapabilityVerdict> = report.capabilities.iter().filter(|c| c.verdict != Verdict::Granted).collect();
    let mut text = if bad.is_empty() {
        format!("All {count} capabilities that were checked work.")
    } else if bad.len() == count && bad.iter().all(|capability| !capability.verdict.works()) {
        "Nothing can be imported with this connection.".to_owned()
    } else {
        let names: Vec<String> =
            bad.iter().map(|capability| capability.capability.row().title.to_lowercase()).collect();
        let verb = if bad.len() == 1 { "does" } else { "do" };
        format!("{} of {count} capabilities {verb} not work in full: {}.", bad.len(), list(&names))
    };
    let error = report.findings.iter().find(|finding| finding.severity == Severity::Error);
    let cause = error
        .map(|finding| first_sentence(&finding.message))
        .or_else(|| bad.first().map(|capability| first_sentence(&capability.message)));
    if let Some(cause) = cause {
        text.push(' ');
        text.push_str(cause);
    }
    text
}

/// The text to the end of its first sentence: a full stop before a capital. Names like User.Read.All have no space.
fn first_sentence(text: &str) -> &str {
    let ends = text.match_indices(". ").map(|(at, _)| at);
    let end = ends.into_iter().find(|at| text[at + 2..].starts_with(|c: char| c.is_uppercase() || c == '«'));
    end.map_or(text, |at| &text[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_ends_at_a_full_stop_before_a_capital() {
        assert_eq!(first_sentence("Add User.Read.All. Then wait."), "Add User.Read.All.");
        assert_eq!(first_sentence("One sentence, e.g. this."), "One sentence, e.g. this.");
        assert_eq!(first_sentence(""), "");
    }
}
