//! The steps that the settings of the job decide from the object alone: its type, the condition, exclusions and limits.

use super::known::KnownObject;
use super::live::{Answer, Live, Unanswered};
use super::report::{Step, StepName, StepVerdict, ValueSource};
use super::subject::{Subject, singular};
use crate::directory::ObjectType;
use crate::filter::judgement::{Joined, JudgedCondition, judge};
use crate::filter::pattern::Pattern;
use crate::filter::{EntityKind, Filter, Parsed, eval};
use crate::runs::context::JobContext;
use serde_json::Value;

/// Whether the job imports objects of the type.
pub(super) fn selected(job: &JobContext, object_type: ObjectType) -> Step {
    match job.mapping.is_enabled(object_type) {
        true => Step::new(StepName::Type, StepVerdict::Passed, format!("The job imports {object_type}.")),
        false => Step::new(StepName::Type, StepVerdict::Failed, format!("The job does not import {object_type}."))
            .advice(format!("Set `objects.{object_type}.enabled` of the job to true.")),
    }
}

/// Whether the object fulfils the condition of the filter, condition by condition.
pub(super) async fn condition(live: &Live, filter: &Filter, kind: EntityKind, subject: &Subject) -> Step {
    let name = StepName::Condition;
    let Some(rule) = filter.rule(kind).map(|rule| &rule.parsed) else {
        let detail = format!("The filter has no condition on {}.", kind.as_str());
        return Step::new(name, StepVerdict::NotApplicable, detail);
    };
    let conditions = judge(kind, &rule.expression, &subject.object);
    let holds = holds(live, rule, subject).await;
    let (verdict, sentence) = match &holds {
        Ok(true) => (StepVerdict::Passed, format!("The {} fulfils the condition of the filter.", singular(kind))),
        Ok(false) => (StepVerdict::Failed, why_not(kind, rule, &conditions)),
        Err(unanswered) => {
            let sentence = format!("Whether the condition of the filter holds is not known: {}.", unanswered.why);
            (StepVerdict::Unknown, sentence)
        }
    };
    let advice = match holds {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "Change the value in Entra, or the filter's condition on {}: `{}`.",
            kind.as_str(),
            rule.text()
        )),
        Err(unanswered) => Some(unanswered.advice.to_owned()),
    };
    Step { conditions, advice, ..Step::new(name, verdict, sentence) }
}

/// Whether the whole condition holds. What Graph returns nowhere, Graph has to decide.
async fn holds(live: &Live, rule: &Parsed, subject: &Subject) -> Answer<bool> {
    if rule.only_graph_decides() {
        return live.fulfils(rule, subject.id).await;
    }
    if rule.needs_a_list() && subject.source == ValueSource::Mirror {
        return Err(subject.stale.clone().unwrap_or_else(|| Unanswered::new("its values are not in the mirror")));
    }
    Ok(eval::matches(&rule.expression, &subject.object))
}

/// The conditions that do not hold, in a sentence.
fn why_not(kind: EntityKind, rule: &Parsed, conditions: &[JudgedCondition]) -> String {
    let failed: Vec<&JudgedCondition> = conditions.iter().filter(|one| one.holds == Some(false)).collect();
    let one = singular(kind);
    match failed.as_slice() {
        [only] if only.within != Joined::Not => {
            format!("The condition `{}` does not hold: the {one} has {}.", only.condition, shown(&only.value))
        }
        _ => format!("The {one} does not fulfil the condition `{}`.", rule.text()),
    }
}

/// A value in a sentence.
fn shown(value: &Value) -> String {
    const MAX_FOUND: usize = 80;
    match value {
        Value::Null => "no value".to_owned(),
        Value::String(text) if text.chars().count() <= MAX_FOUND => format!("the value «{text}»"),
        Value::Array(items) if items.is_empty() => "an empty list".to_owned(),
        Value::Array(items) => format!("a list of {} values", items.len()),
        Value::Bool(_) | Value::Number(_) => format!("the value {value}"),
        Value::String(_) | Value::Object(_) => "another value".to_owned(),
    }
}

/// Whether the filter excludes the object by id or name.
pub(super) fn exclusion(filter: &Filter, kind: EntityKind, subject: &Subject) -> Step {
    let (name, one) = (StepName::Exclusion, singular(kind));
    let exclude = &filter.exclude;
    let (ids, patterns, properties, field): (_, &[Pattern], &[&str], _) = match kind {
        EntityKind::Users => (&exclude.user_ids, &exclude.user_names, &["userPrincipalName", "displayName"], "user"),
        EntityKind::Groups => (&exclude.group_ids, &exclude.group_names, &["displayName"], "group"),
        _ => {
            let detail = format!("Filters exclude no {one}s by id or name.");
            return Step::new(name, StepVerdict::NotApplicable, detail);
        }
    };
    if ids.is_empty() && patterns.is_empty() {
        return Step::new(name, StepVerdict::NotApplicable, format!("The filter excludes no {one}s by id or name."));
    }
    if ids.binary_search(&subject.id).is_ok() {
        return Step::new(name, StepVerdict::Failed, format!("The filter excludes the {one} by its id."))
            .seen(subject.id.to_string())
            .advice(format!("Remove the id from `exclude.{field}Ids` of the filter."));
    }
    for property in properties {
        let Some(text) = subject.object.get(*property).and_then(Value::as_str) else { continue };
        if let Some(pattern) = patterns.iter().find(|pattern| pattern.matches(text)) {
            let pattern = pattern.as_str();
            return Step::new(
                name,
                StepVerdict::Failed,
                format!("The filter excludes the {one} by its name: «{text}» matches `{pattern}`."),
            )
            .seen(text)
            .advice(format!("Remove or narrow the pattern `{pattern}` in `exclude.{field}Names` of the filter."));
        }
    }
    Step::new(name, StepVerdict::Passed, format!("No exclusion of the filter names the {one}."))
}

/// Whether the object is within the limits of the filter: of too many, those with the smallest ids are taken.
pub(super) fn limit(filter: &Filter, kind: EntityKind, subject: &Subject, known: &KnownObject) -> Step {
    let (name, one) = (StepName::Limit, singular(kind));
    let (limit, field) = match kind {
        EntityKind::Users => (filter.limits.max_users, "maxUsers"),
        EntityKind::Groups => (filter.limits.max_groups, "maxGroups"),
        _ => (None, ""),
    };
    let Some(limit) = limit else {
        return Step::new(name, StepVerdict::NotApplicable, format!("The filter does not limit the number of {one}s."));
    };
    let (number, last) = known.extent;
    let is_full = u64::try_from(number).unwrap_or(0) >= limit;
    if known.is_mirrored {
        return Step::new(
            name,
            StepVerdict::Passed,
            format!("The {one} is among the {limit} {one}s that the filter takes."),
        )
        .seen(limit);
    }
    if is_full && last.is_some_and(|last| subject.id > last) {
        let detail =
            format!("The filter takes {limit} {one}s, those with the smallest ids, and this {one} comes after them.");
        return Step::new(name, StepVerdict::Failed, detail)
            .seen(limit)
            .advice(format!("Raise or remove `limits.{field}` of the filter."));
    }
    Step::new(name, StepVerdict::Passed, format!("The limit of {limit} {one}s does not leave the {one} out."))
        .seen(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn subject(object: Value) -> Subject {
        let object = object.as_object().unwrap().clone();
        Subject { id: Uuid::from_u128(7), object, source: ValueSource::Graph, stale: None }
    }

    fn filter(body: Value) -> Filter {
        Filter::from_json(&body).unwrap()
    }

    #[test]
    fn an_exclusion_names_the_pattern_or_the_id() {
        let user = subject(json!({"displayName": "Backup", "userPrincipalName": "svc-backup@contoso.com"}));
        let judged = |body: Value| exclusion(&filter(body), EntityKind::Users, &user);
        let by_name = judged(json!({"exclude": {"userNames": ["admin*", "svc-*"]}}));
        assert_eq!((by_name.verdict, by_name.seen), (StepVerdict::Failed, json!("svc-backup@contoso.com")));
        assert!(by_name.sentence.contains("`svc-*`") && by_name.advice.unwrap().contains("exclude.userNames"));
        let by_id = judged(json!({"exclude": {"userIds": [Uuid::from_u128(7)]}}));
        assert!(by_id.verdict == StepVerdict::Failed && by_id.advice.unwrap().contains("exclude.userIds"));
        assert_eq!(judged(json!({"exclude": {"userNames": ["admin*"]}})).verdict, StepVerdict::Passed);
        assert_eq!(judged(json!({})).verdict, StepVerdict::NotApplicable);
    }

    #[test]
    fn a_limit_takes_the_smallest_ids() {
        let limits = filter(json!({"limits": {"maxUsers": 2}}));
        let judged = |number, last: u128, is_mirrored| {
            let known = KnownObject {
                is_mirrored,
                is_stub: false,
                delivered: None,
                last_change: None,
                extent: (number, Some(Uuid::from_u128(last))),
            };
            limit(&limits, EntityKind::Users, &subject(json!({})), &known).verdict
        };
        assert_eq!(judged(2, 6, false), StepVerdict::Failed);
        assert_eq!(judged(2, 9, false), StepVerdict::Passed, "it takes the place of another");
        assert_eq!(judged(1, 6, false), StepVerdict::Passed, "there is room");
        assert_eq!(judged(2, 7, true), StepVerdict::Passed);
    }

    #[test]
    fn a_sentence_says_which_condition_does_not_hold_and_why() {
        let rule = filter(json!({"users": {"odata": "department eq 'IT' and accountEnabled eq true"}}));
        let rule = &rule.rule(EntityKind::Users).unwrap().parsed;
        let sentence = |object: Value| {
            let object = object.as_object().unwrap().clone();
            why_not(EntityKind::Users, rule, &judge(EntityKind::Users, &rule.expression, &object))
        };
        assert_eq!(
            sentence(json!({"department": "Sales", "accountEnabled": true})),
            "The condition `department eq 'IT'` does not hold: the user has the value «Sales»."
        );
        assert_eq!(
            sentence(json!({"accountEnabled": true})),
            "The condition `department eq 'IT'` does not hold: the user has no value."
        );
        assert!(sentence(json!({})).starts_with("The user does not fulfil the condition `department eq 'IT' and"));
    }
}
