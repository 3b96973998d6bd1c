//! What a chat shows of a delivery: one or two sentences. They have no names of objects: these are whatever somebody
//! entered in the directory.

use super::payload::{AnnouncedRun, ExpiringConnection, Subject};
use crate::change::DirectoryEvent;
use crate::plural::counted;
use crate::run_state::RunState;
use chrono::{DateTime, SecondsFormat, Utc};

impl Subject {
    /// What is said of it at `now`.
    pub fn text(&self, now: DateTime<Utc>) -> String {
        match self {
            Self::Nothing => "This is a test of the webhook.".to_owned(),
            Self::Run(run) => of_run(run),
            Self::FailedConnection(of) => format!("The check of the connection «{}» failed. {}", of.name, of.summary),
            Self::ExpiringConnection(connection) => of_expiry(connection, now),
            Self::PausedJob(job) => format!(
                "The schedule of «{}» is paused (`{}`). It starts no runs until somebody resumes it.",
                job.name, job.paused_reason
            ),
            Self::ObservedDestination(of) => format!(
                "Assets acts on objects that an import leaves out: `missingObjects` of the destination «{}» is now `{}`.",
                of.name, of.missing_objects
            ),
            Self::Changes(event, changes) => of_changes(*event, changes.count, changes.job_name.as_deref()),
        }
    }
}

fn of_run(run: &AnnouncedRun) -> String {
    let what = match &run.job_name {
        Some(name) => format!("The {} run of «{name}»", run.mode),
        None => format!("The {} run {}", run.mode, run.id),
    };
    let number = |name: &str| -> u64 {
        let counts = run.counts.as_object().into_iter().flatten().filter(|(of, _)| *of != "memberships");
        counts.filter_map(|(_, count)| count.get(name)?.as_u64()).sum()
    };
    let changes = format!(
        "{} created, {} updated and {} removed",
        counted(number("created"), "object was", "objects were"),
        number("updated"),
        number("removed")
    );
    let warnings = run.warnings.as_array().map_or(0, |warnings| warnings.len() as u64);
    let because = || run.error.as_ref().and_then(|error| error.get("detail")?.as_str()).unwrap_or_default();
    match run.state {
        RunState::Running => format!("{what} has started."),
        RunState::Succeeded => format!("{what} succeeded: {changes}."),
        RunState::Degraded => format!("{what} ended with {}: {changes}.", counted(warnings, "warning", "warnings")),
        RunState::Failed => format!("{what} failed. {}", because()),
        RunState::Cancelled => format!("{what} was cancelled. {}", because()).trim_end().to_owned(),
        RunState::AwaitingApproval => {
            let missing = match number("missing") {
                0 => String::new(),
                missing => format!(": {} missing", counted(missing, "object is", "objects are")),
            };
            format!("{what} waits for approval{missing}. Approve or cancel it.")
        }
        RunState::Queued => format!("{what} is queued."),
    }
}

fn of_expiry(connection: &ExpiringConnection, now: DateTime<Utc>) -> String {
    let (name, expires_at) = (&connection.name, connection.credential_expires_at);
    let at = expires_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let when = if expires_at <= now { format!("expired at {at}") } else { format!("expires at {at}") };
    format!("The credential of the connection «{name}» {when}. Enter a new one before, so that imports go on.")
}

fn of_changes(event: DirectoryEvent, count: u64, job_name: Option<&str>) -> String {
    let what = match event {
        DirectoryEvent::UserJoined => counted(count, "user joined", "users joined"),
        DirectoryEvent::UserLeft => counted(count, "user left", "users left"),
        DirectoryEvent::UserMoved => {
            format!("{} another department, manager or company", counted(count, "user has", "users have"))
        }
        DirectoryEvent::LicenseExhausted => counted(count, "licence has no unit left", "licences have no unit left"),
        DirectoryEvent::GroupCreated => counted(count, "group is new", "groups are new"),
        DirectoryEvent::GroupDeleted => counted(count, "group is gone", "groups are gone"),
    };
    match job_name {
        Some(name) => format!("{what}, as the last run of «{name}» found."),
        None => format!("{what}, as a run found."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::PausedJob;
    use super::*;
    use crate::ids::{ConnectionId, JobId, RunId};
    use crate::run_state::RunMode;
    use serde_json::{Value, json};
    use uuid::Uuid;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn run(state: RunState, counts: Value) -> AnnouncedRun {
        AnnouncedRun {
            id: RunId(Uuid::from_u128(1)),
            job_id: JobId(Uuid::from_u128(2)),
            job_name: Some("Nightly".to_owned()),
            mode: RunMode::Full,
            state,
            stage: None,
            counts,
            warnings: json!([{"code": "many_objects"}]),
            error: Some(json!({"detail": "It broke."})),
            queued_at: at(0),
            started_at: None,
            finished_at: None,
        }
    }

    #[test]
    fn a_run_is_told_by_its_state_and_its_numbers() {
        let few = json!({"users": {"created": 1, "missing": 1}, "memberships": {"created": 9, "missing": 9}});
        let many = json!({"users": {"created": 1, "updated": 3, "missing": 2}, "groups": {"created": 1, "missing": 1}});
        let none = json!({});
        let of = "The full run of «Nightly»";
        let rows = [
            (RunState::Queued, &none, "is queued."),
            (RunState::Running, &none, "has started."),
            (RunState::Succeeded, &few, "succeeded: 1 object was created, 0 updated and 0 removed."),
            (RunState::Degraded, &many, "ended with 1 warning: 2 objects were created, 3 updated and 0 removed."),
            (RunState::Failed, &none, "failed. It broke."),
            (RunState::Cancelled, &none, "was cancelled. It broke."),
            (RunState::AwaitingApproval, &none, "waits for approval. Approve or cancel it."),
            (RunState::AwaitingApproval, &few, "waits for approval: 1 object is missing. Approve or cancel it."),
            (RunState::AwaitingApproval, &many, "waits for approval: 3 objects are missing. Approve or cancel it."),
        ];
        for (state, counts, said) in rows {
            let subject = Subject::Run(Box::new(run(state, counts.clone())));
            assert_eq!(subject.text(at(0)), format!("{of} {said}"));
        }
        let nameless = AnnouncedRun { job_name: None, error: None, ..run(RunState::Cancelled, none) };
        let said = format!("The full run {} was cancelled.", nameless.id);
        assert_eq!(Subject::Run(Box::new(nameless)).text(at(0)), said, "its job was deleted");
    }

    #[test]
    fn what_a_run_found_is_told_by_its_number() {
        let rows = [
            (DirectoryEvent::UserJoined, 1, "1 user joined"),
            (DirectoryEvent::UserLeft, 2, "2 users left"),
            (DirectoryEvent::UserMoved, 1, "1 user has another department, manager or company"),
            (DirectoryEvent::LicenseExhausted, 2, "2 licences have no unit left"),
            (DirectoryEvent::GroupCreated, 1, "1 group is new"),
            (DirectoryEvent::GroupDeleted, 2, "2 groups are gone"),
        ];
        for (event, count, said) in rows {
            assert_eq!(of_changes(event, count, Some("A")), format!("{said}, as the last run of «A» found."));
            assert_eq!(of_changes(event, count, None), format!("{said}, as a run found."));
        }
    }

    #[test]
    fn what_is_about_no_run_is_told_too() {
        let id = ConnectionId(Uuid::from_u128(3));
        let expiring = ExpiringConnection { id, name: "Contoso".to_owned(), credential_expires_at: at(60), days: 1 };
        let expiring = Subject::ExpiringConnection(expiring);
        assert!(expiring.text(at(59)).contains("«Contoso» expires at 1970-01-01T00:01:00Z."));
        assert!(expiring.text(at(60)).contains("«Contoso» expired at 1970-01-01T00:01:00Z."));
        let id = JobId(Uuid::from_u128(2));
        let paused = PausedJob { id, name: "Nightly".to_owned(), paused_reason: "manual".to_owned() };
        let said = "The schedule of «Nightly» is paused (`manual`). It starts no runs until somebody resumes it.";
        assert_eq!(Subject::PausedJob(paused).text(at(0)), said);
    }
}
