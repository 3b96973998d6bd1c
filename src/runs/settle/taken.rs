//! What Assets reports, type by type, compared with what was sent. Source: docs/assets.md, «Execution status».

use crate::assets::wire::{ObjectTypeResult, ProgressResult};
use crate::codes::WarningCode;
use crate::directory::{ObjectType, TypeSpec};
use crate::plural::counted;
use crate::run_state::RunWarning;
use crate::runs::deliver::delivered::Delivered;
use crate::runs::diff::diffed::{Diffed, Planned};
use crate::runs::run::Run;

/// Messages of Assets that are shown one by one.
const MAX_MESSAGES: usize = 10;

/// The types of which Assets has everything that was sent. The others get a warning.
pub(super) fn settled_types(run: &Run, diffed: &Diffed, delivery: &Delivered) -> Vec<ObjectType> {
    let mut settled = Vec::new();
    for object_type in ObjectType::ALL {
        let sent = diffed.sends.get(&object_type).copied().unwrap_or(0);
        let is_settled = match delivery.of(object_type) {
            _ if sent == 0 => true,
            None => {
                warn_of_no_report(run, object_type, sent, delivery);
                false
            }
            Some(result) => {
                let repeated = delivery.repeated.get(&object_type).copied().unwrap_or(0);
                let verdict = judge(sent, repeated, result);
                let planned = diffed.planned.get(&object_type).copied().unwrap_or_default();
                count(run, object_type, sent, planned, result, &verdict);
                warn(run, object_type, sent, result, &verdict);
                verdict.is_complete
            }
        };
        if is_settled {
            settled.push(object_type);
        }
    }
    let progress = delivery.result.as_ref().and_then(|result| result.progress_result.as_ref());
    let failure =
        progress.and_then(ProgressResult::failure).map(|word| format!("Assets reports the import as {word}."));
    let messages = progress.into_iter().flat_map(|progress| progress.error_messages.iter().cloned());
    for message in failure.into_iter().chain(messages).take(MAX_MESSAGES) {
        let advice = "Look at the import's history in Assets.";
        run.progress.degrade(RunWarning::new(WarningCode::AssetsError, message).with_advice(advice));
        settled.clear();
    }
    settled
}

#[derive(PartialEq, Eq, Debug)]
struct Verdict {
    /// Assets has every entry that was sent.
    is_complete: bool,
    /// Entries that Assets did not take, or of which its report says nothing.
    ignored: u64,
    /// What Assets counted beyond what was sent, because entries were sent again.
    counted_again: u64,
}

/// Compares the report on a type with the `sent` entries, of which `repeated` were sent again because an answer was lost.
/// No two entries have the same identity, so Assets has them all when it created, updated or found identical as many
/// objects. Repeated entries are counted as duplicates, like first ones, or not at all; which is not documented.
fn judge(sent: u64, repeated: u64, result: &ObjectTypeResult) -> Verdict {
    let (taken, duplicates, rejected) = (result.taken(), result.duplicates(), result.rejected());
    let lacking = sent.saturating_sub(taken);
    let extra = taken.saturating_add(duplicates).saturating_sub(sent);
    let is_explained = extra == 0 || (repeated > 0 && (taken == sent || extra <= repeated));
    let was_read = result.entries_in_source.is_none_or(|read| {
        let read = u64::try_from(read).unwrap_or(0);
        read == sent || (repeated > 0 && read > sent)
    });
    let is_clean = rejected == 0 && result.error_messages.is_empty();
    // An entry that was sent again and rejected is counted twice.
    let ignored = if repeated > 0 { lacking } else { lacking.max(duplicates.saturating_add(rejected)) };
    Verdict {
        is_complete: lacking == 0 && is_explained && was_read && is_clean,
        ignored: ignored.min(sent),
        counted_again: if repeated > 0 { extra } else { 0 },
    }
}

/// The counts of the run become what Assets reports. An object that was sent because it changed, and whose values Assets
/// found identical, counts as updated if its references changed or the object API cleared a value of it.
fn count(
    run: &Run,
    object_type: ObjectType,
    sent: u64,
    planned: Planned,
    result: &ObjectTypeResult,
    verdict: &Verdict,
) {
    let number = |counter: i64| u64::try_from(counter).unwrap_or(0);
    let expected = sent.saturating_sub(planned.changed);
    let identical = number(result.objects_identical).saturating_sub(expected).min(planned.changed);
    run.progress.count(object_type.as_str(), |count| {
        // Most new objects are among those whose references were updated.
        let references = number(result.objects_with_updated_references).saturating_sub(number(result.objects_created));
        let changed = identical.min(references.saturating_add(count.cleared));
        count.created = number(result.objects_created);
        count.updated = number(result.objects_updated).saturating_add(changed);
        count.unchanged += identical - changed;
        count.ignored = verdict.ignored;
        count.marked = if verdict.is_complete { planned.marked } else { 0 };
    });
}

fn warn(run: &Run, object_type: ObjectType, sent: u64, result: &ObjectTypeResult, verdict: &Verdict) {
    if verdict.is_complete {
        if verdict.counted_again > 0 {
            let detail = format!(
                "The answer to a part of the {object_type} was lost, so the part was sent again. Assets has all {sent}."
            );
            run.progress.warn(RunWarning::new(WarningCode::ChunkRepeated, detail).with_count(verdict.counted_again));
        }
        return;
    }
    let advice = "They are all sent again by the next run. Look at the import's history in Assets for the reasons.";
    let warning = RunWarning::new(WarningCode::EntriesIgnored, describe(object_type, sent, result));
    run.progress.degrade(warning.with_count(verdict.ignored).with_advice(advice));
    for message in result.error_messages.iter().take(MAX_MESSAGES) {
        run.progress.degrade(RunWarning::new(WarningCode::AssetsError, message.clone()).with_advice(advice));
    }
}

/// Every number of the report that is not zero, and what it leaves open.
fn describe(object_type: ObjectType, sent: u64, result: &ObjectTypeResult) -> String {
    let errors = result.error_count.max(i64::try_from(result.error_messages.len()).unwrap_or(i64::MAX));
    let counters = [
        (result.objects_created, "created"),
        (result.objects_updated, "updated"),
        (result.objects_identical, "identical"),
        (result.duplicate_entries, "duplicates"),
        (result.empty_label_entries, "without a label"),
        (result.empty_external_id_entries, "without an id"),
        (result.objects_filtered_with_ql_query, "left out by a query"),
        (errors, "errors"),
    ];
    let reported: Vec<String> = counters
        .iter()
        .filter(|(counter, _)| *counter != 0)
        .map(|(counter, what)| format!("{counter} {what}"))
        .collect();
    let reported = if reported.is_empty() { "nothing".to_owned() } else { reported.join(", ") };
    let read = result.entries_in_source.map(|read| format!("; it read {read}")).unwrap_or_default();
    let accounted = result
        .taken()
        .saturating_add(result.duplicates())
        .saturating_add(result.rejected().max(u64::try_from(errors).unwrap_or(0)));
    let open = match accounted.checked_sub(sent) {
        None => format!(" Its report says nothing about {}.", sent - accounted),
        Some(0) => String::new(),
        Some(extra) => format!(" That is {extra} more than were sent."),
    };
    let TypeSpec { singular, plural, .. } = object_type.spec();
    let were = counted(sent, &format!("{singular} was"), &format!("{plural} were"));
    format!("{were} sent. Assets reports {reported}{read}.{open}")
}

fn warn_of_no_report(run: &Run, object_type: ObjectType, sent: u64, delivery: &Delivered) {
    let progress = delivery.result.as_ref().and_then(|result| result.progress_result.as_ref());
    let total = progress.map(|progress| progress.total_number_entries_in_import).filter(|total| *total > 0);
    let total = total.map(|total| format!(" In all it read {total} entries.")).unwrap_or_default();
    let detail = format!("Assets did not report what it did with {}.{total}", object_type.counted(sent));
    let advice = "Compare GET /v1/jobs/{id}/schema with Assets; the next run sends them again.";
    run.progress.degrade(RunWarning::new(WarningCode::TypeNotProcessed, detail).with_advice(advice));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(sent: u64, repeated: u64, report: Value) -> (bool, u64) {
        let verdict = judge(sent, repeated, &serde_json::from_value(report).unwrap());
        (verdict.is_complete, verdict.ignored)
    }

    #[test]
    fn a_report_that_covers_what_was_sent_is_complete() {
        assert_eq!(of(60, 0, json!({"entriesInSource": 60, "objectsCreated": 60})), (true, 0));
        assert_eq!(of(60, 0, json!({"objectsCreated": 10, "objectsUpdated": 20, "objectsIdentical": "30"})), (true, 0));
    }

    #[test]
    fn what_a_report_leaves_out_is_ignored() {
        let few = json!({"entriesInSource": 60, "objectsCreated": 10, "errorCount": 0});
        assert_eq!(of(60, 0, few), (false, 50));
        assert_eq!(of(60, 0, json!({})), (false, 60), "counts are missing");
        assert_eq!(of(60, 0, json!({"entriesInSource": 60})), (false, 60));
        assert_eq!(of(60, 0, json!({"objectsCreated": -60})), (false, 60), "a negative count");
        assert_eq!(of(60, 0, json!({"objectsCreated": null, "objectsIdentical": 59})), (false, 1));
        assert_eq!(of(1000, 0, json!({"objectsCreated": 980, "errorMessages": ["no", "no"]})), (false, 20));
        assert_eq!(of(60, 0, json!({"entriesInSource": 60, "objectsCreated": 58, "emptyLabelEntries": 2})), (false, 2));
    }

    #[test]
    fn a_report_of_more_than_was_sent_is_not_believed() {
        assert_eq!(of(60, 0, json!({"objectsCreated": 100})), (false, 0));
        assert_eq!(of(60, 0, json!({"entriesInSource": 70, "objectsCreated": 60})), (false, 0));
        assert_eq!(of(60, 0, json!({"entriesInSource": 59, "objectsCreated": 60})), (false, 0));
        assert_eq!(of(60, 0, json!({"objectsCreated": 60, "duplicateEnries": 10})), (false, 10));
        let absurd = json!({"objectsCreated": i64::MAX, "objectsUpdated": i64::MAX, "objectsIdentical": i64::MAX});
        assert_eq!(of(60, 5, absurd), (false, 0));
    }

    #[test]
    fn what_was_sent_again_explains_what_is_counted_again() {
        let again = json!({"entriesInSource": 90, "objectsCreated": 60, "duplicateEnries": 30});
        assert_eq!(of(60, 30, again.clone()), (true, 0));
        assert_eq!(
            of(60, 30, json!({"entriesInSource": 60, "objectsCreated": 60})),
            (true, 0),
            "Assets counts it once"
        );
        assert_eq!(
            of(60, 30, json!({"objectsCreated": 60, "objectsIdentical": 30})),
            (true, 0),
            "counted as identical"
        );
        assert_eq!(of(60, 15, again), (true, 0), "the chunk was sent more often than is known");
        assert_eq!(of(60, 30, json!({"objectsCreated": 50, "duplicateEnries": 30})), (false, 10), "ten are not there");
        let rejected_twice =
            json!({"entriesInSource": 90, "objectsCreated": 59, "duplicateEnries": 29, "errorCount": 2});
        assert_eq!(of(60, 30, rejected_twice), (false, 1));
        assert_eq!(of(60, 30, json!({"objectsCreated": 60, "objectsIdentical": 31})), (false, 0), "more than repeated");
    }
}
