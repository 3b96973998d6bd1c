//! What the check of a destination says about the size of the import of its job.

use crate::app::App;
use crate::codes::FindingCode;
use crate::permission::report::{Finding, Remedy, RemedyKind, Severity};
use crate::runs::context::JobContext;
use crate::runs::fit::{self, FitFinding, FitFindingCode, FitProposal};
use std::time::Duration;

/// Counting takes no more of the time of a check.
const PATIENCE: Duration = Duration::from_secs(10);

/// What does not fit. Where Graph does not answer, the check of the connection says why.
pub(super) async fn findings(app: &App, job: &JobContext) -> Vec<Finding> {
    let fit = tokio::select! {
        fit = fit::fit(app, job) => fit.ok(),
        () = app.clock.sleep(PATIENCE) => None,
    };
    // What may not be read is for the check of the connection to say.
    let is_about_size = |found: &FitFinding| found.code != FitFindingCode::PermissionMissing;
    fit.into_iter().flat_map(|fit| fit.findings).filter(is_about_size).map(|found| finding(job, found)).collect()
}

fn finding(job: &JobContext, found: FitFinding) -> Finding {
    // Only a limit can be exceeded; the rest is recommended.
    let severity = match found.code {
        FitFindingCode::TooManyObjects => Severity::Warning,
        FitFindingCode::ManyAttributes
        | FitFindingCode::ManyReferences
        | FitFindingCode::ManyValues
        | FitFindingCode::PermissionMissing => Severity::Info,
    };
    let whole = Remedy::new(RemedyKind::Request, "See all numbers", format!("GET /v1/jobs/{}/fit", job.id));
    let remedies = found.proposals.into_iter().map(of_proposal).chain([whole]).collect();
    Finding::new(severity, FindingCode::JobDoesNotFit, found.detail).with_remedies(remedies)
}

fn of_proposal(FitProposal { title, method, path, body }: FitProposal) -> Remedy {
    Remedy::new(RemedyKind::Request, title, format!("{method} {path} {body}"))
}
