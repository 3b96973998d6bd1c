//! The conclusion from the steps.

use super::report::{Outcome, Step, StepName, StepVerdict};
use super::subject::{Subject, singular};
use crate::filter::EntityKind;
use crate::runs::context::JobContext;

pub(super) struct Concluded {
    pub outcome: Outcome,
    pub sentence: String,
    pub advice: Option<String>,
}

/// The steps that decide whether the object is in scope.
const DECIDING: [StepName; 6] =
    [StepName::Type, StepName::Found, StepName::Condition, StepName::Exclusion, StepName::Scope, StepName::Limit];

pub(super) fn of(job: &JobContext, kind: EntityKind, subject: Option<&Subject>, steps: &[Step]) -> Concluded {
    let one = singular(kind);
    let verdict = |name: StepName| steps.iter().find(|step| step.step == name);
    let deciding =
        |wanted: StepVerdict| DECIDING.iter().filter_map(|name| verdict(*name)).find(|step| step.verdict == wanted);
    let has = |name: StepName, wanted: StepVerdict| verdict(name).is_some_and(|step| step.verdict == wanted);
    let in_assets = has(StepName::Delivery, StepVerdict::Passed);
    let conclude = |outcome: Outcome, sentence: String, because: &Step| Concluded {
        outcome,
        sentence,
        advice: because.advice.clone(),
    };
    if let Some(step) = deciding(StepVerdict::Failed) {
        return match in_assets {
            true => {
                let delivery = verdict(StepName::Delivery).map(|step| step.sentence.as_str()).unwrap_or_default();
                conclude(Outcome::Leaving, format!("{} {delivery}", step.sentence), step)
            }
            false => conclude(Outcome::NotImported, not_imported(one, step), step),
        };
    }
    if let Some(step) = verdict(StepName::Permission).filter(|step| step.verdict == StepVerdict::Failed) {
        let stays =
            if in_assets { "The object stays in Assets as it was delivered." } else { "It cannot be imported." };
        return conclude(Outcome::Unknown, format!("{} {stays}", step.sentence), step);
    }
    if let Some(step) = deciding(StepVerdict::Unknown) {
        return conclude(Outcome::Unknown, step.sentence.clone(), step);
    }
    if subject.is_none() {
        return Concluded { outcome: Outcome::Unknown, sentence: "The object is not known.".to_owned(), advice: None };
    }
    for name in [StepName::Read, StepName::Delivery, StepName::Assets] {
        if let Some(step) = verdict(name).filter(|step| step.verdict == StepVerdict::Pending) {
            let sentence = format!("The {one} is in scope. {}", step.sentence);
            return conclude(Outcome::Pending, sentence, step);
        }
        if let Some(step) = verdict(name).filter(|step| step.verdict == StepVerdict::Failed) {
            let outcome = if name == StepName::Read { Outcome::Pending } else { Outcome::Unknown };
            return conclude(outcome, format!("The {one} is in scope. {}", step.sentence), step);
        }
        if let Some(step) = verdict(name).filter(|step| step.verdict == StepVerdict::Unknown) {
            return conclude(Outcome::Unknown, format!("The {one} is in scope. {}", step.sentence), step);
        }
    }
    let sentence = match job.destination {
        Some(_) => format!("The {one} is in scope, and Assets has it."),
        None => format!("The {one} is in scope, and the job's mirror has it. The job has no destination."),
    };
    Concluded { outcome: Outcome::Imported, sentence, advice: None }
}

fn not_imported(one: &str, step: &Step) -> String {
    match step.step {
        StepName::Found => step.sentence.clone(),
        _ => format!("The {one} is not imported. {}", step.sentence),
    }
}
