//! The steps after the filter: what the last complete read found, what was delivered, and what Assets answered.

use super::known::{JobRecords, KnownObject, ignored};
use super::report::{Step, StepName, StepVerdict};
use crate::db::runs::RunRow;
use crate::directory::ObjectType;
use crate::error::Result;
use crate::job::RemovalPolicy;
use crate::run_state::{RunError, RunState};
use crate::runs::context::JobContext;
use chrono::{DateTime, SecondsFormat, Utc};

fn at(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Whether the application could read the type in the last run that read the directory.
pub(super) fn permission(known: &JobRecords, object_type: ObjectType) -> Step {
    let name = StepName::Permission;
    match known.lost(object_type) {
        Some(warning) => {
            let step = Step::new(name, StepVerdict::Failed, warning.detail);
            match warning.advice {
                Some(advice) => step.advice(advice),
                None => step,
            }
        }
        None if known.mirror.read_at.is_none() => {
            let detail = format!("No run of the job has read {object_type} yet.");
            Step::new(name, StepVerdict::NotApplicable, detail)
        }
        None => Step::new(name, StepVerdict::Passed, format!("The last complete read could read {object_type}.")),
    }
}

/// Whether the last complete read found the object in scope.
pub(super) fn read(known: &JobRecords, object: &KnownObject, one: &str) -> Step {
    let name = StepName::Read;
    let Some(read_at) = known.mirror.read_at.map(at) else {
        let step = Step::new(name, StepVerdict::Pending, "The job has not read the directory yet.");
        return match known.last_ended().and_then(failure) {
            Some((_, advice)) => step.advice(advice.unwrap_or_else(|| "See the error of the last run.".to_owned())),
            None => step.advice("Start a run."),
        };
    };
    let step = if object.is_mirrored {
        Step::new(name, StepVerdict::Passed, format!("The read of {read_at} found the {one} in scope."))
    } else if object.is_stub {
        let detail = format!(
            "The read of {read_at} imported only the id and name of the {one}, because others refer to it and it is out of scope."
        );
        Step::new(name, StepVerdict::Failed, detail)
    } else {
        let step =
            Step::new(name, StepVerdict::Pending, format!("The read of {read_at} did not find the {one} in scope."));
        let changed = if known.is_current { "" } else { " The filter or the selection changed since." };
        Step { sentence: format!("{}{changed}", step.sentence), ..step }
            .advice("Start a run to read the directory now.")
    };
    step.seen(read_at)
}

/// Whether the object was delivered, and what becomes of one that is gone.
pub(super) fn delivered(job: &JobContext, known: &JobRecords, object: &KnownObject, one: &str) -> Step {
    let name = StepName::Delivery;
    if job.destination.is_none() {
        let detail = "The job has no destination: it keeps what it reads in its mirror.";
        return Step::new(name, StepVerdict::NotApplicable, detail);
    }
    if let Some(delivered) = &object.delivered {
        let time = at(delivered.delivered_at);
        let sentence = match (delivered.marked, delivered.missing_runs) {
            (true, _) => format!("Assets has the {one} as a record with the status Removed, since {time}."),
            (false, 0) => format!("Assets took the {one} on {time}."),
            (false, missing) => {
                let policy = match job.policy {
                    RemovalPolicy::Keep => "the job keeps such objects in Assets".to_owned(),
                    RemovalPolicy::Mark => after(job, missing, "marks it as removed"),
                    RemovalPolicy::Remove => after(job, missing, "removes it from Assets"),
                };
                let runs =
                    if missing == 1 { "one complete read".to_owned() } else { format!("{missing} complete reads") };
                format!("Assets has the {one} since {time}. It is missing for {runs}, and {policy}.")
            }
        };
        return Step::new(name, StepVerdict::Passed, sentence).seen(time);
    }
    let pending = |detail: String| Step::new(name, StepVerdict::Pending, detail);
    if let Some(run) = known.waiting() {
        return pending(format!("The run {} waits for approval and has not delivered anything.", run.id))
            .seen(run.id.to_string())
            .advice("Look at the changes of that run, then approve or cancel it.");
    }
    match known.last_ended().and_then(|run| failure(run).map(|found| (run, found))) {
        Some((run, (error, advice))) if object.is_mirrored => {
            let step = pending(format!("The {one} was read and not delivered: the run {} failed. {error}", run.id));
            step.seen(run.id.to_string()).advice(advice.unwrap_or_else(|| "See the error of the run.".to_owned()))
        }
        _ => pending(format!("The {one} was not delivered to Assets yet.")).advice("Start a run that delivers."),
    }
}

fn after(job: &JobContext, missing: i32, what: &str) -> String {
    match job.after_missing_runs - missing {
        left if left <= 1 => format!("the next complete run {what}"),
        left => format!("the job {what} after {left} more complete runs"),
    }
}

/// Why a run failed, and what to do.
fn failure(run: &RunRow) -> Option<(String, Option<String>)> {
    if run.state != RunState::Failed {
        return None;
    }
    let error: RunError = serde_json::from_value(run.error.clone()?).ok()?;
    Some((error.detail, error.advice))
}

/// What Assets answered in the last run that changed the object.
pub(super) fn assets(
    known: &JobRecords,
    object: &KnownObject,
    object_type: ObjectType,
    one: &str,
) -> Result<Option<Step>> {
    let name = StepName::Assets;
    if object.delivered.is_none() && object.last_change.is_none() {
        return Ok(None);
    }
    let Some(change) = &object.last_change else {
        let detail = format!("No run that is still recorded changed the {one}.");
        return Ok(Some(Step::new(name, StepVerdict::NotApplicable, detail)));
    };
    let (run, action, time) = (change.run_id, change.action, at(change.at));
    let run_row = known.runs.iter().find(|row| row.id == run);
    let ignored = run_row.map(|row| ignored(row, object_type)).transpose()?.unwrap_or(0);
    let step = match change.state {
        RunState::Queued | RunState::Running => {
            Step::new(name, StepVerdict::Pending, format!("The run {run} is delivering it now ({action})."))
        }
        RunState::AwaitingApproval => Step::new(
            name,
            StepVerdict::Pending,
            format!("The run {run} awaits approval before it delivers it ({action})."),
        ),
        RunState::Failed | RunState::Cancelled => {
            let detail = format!("The run {run} of {time} was to deliver it ({action}) and ended as {}.", change.state);
            Step::new(name, StepVerdict::Failed, detail).advice("See the error of the run, then start another run.")
        }
        RunState::Succeeded | RunState::Degraded if ignored > 0 => {
            let detail = format!(
                "In the run {run} of {time} Assets did not take {ignored} {object_type}, and its report does not say which. The next run sends all {object_type} again."
            );
            Step::new(name, StepVerdict::Unknown, detail)
                .advice("See the warnings of the run, and the import's history in Assets.")
        }
        RunState::Succeeded | RunState::Degraded => {
            let detail = format!("In the run {run} of {time} Assets took all {object_type} that were sent ({action}).");
            Step::new(name, StepVerdict::Passed, detail)
        }
    };
    Ok(Some(step.seen(run.to_string())))
}
