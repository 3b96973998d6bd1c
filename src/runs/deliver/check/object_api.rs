//! The access to objects by `api`: it has a credential, a place and rights of its own.

use super::subject::Subject;
use crate::assets::objects::SiteAccess;
use crate::assets::{AssetsError, AssetsErrorKind, Client};
use crate::codes::FindingCode;
use crate::directory::ObjectType;
use crate::permission::report::{Finding, Remedy, RemedyKind, Severity};
use crate::runs::context::ObjectApi;

/// Looks at what of it works. `workspace`: that of the import source.
pub async fn look(
    client: &Client,
    subject: &Subject,
    api: &ObjectApi,
    workspace: Option<&str>,
    findings: &mut Vec<Finding>,
) {
    let access = match api.access() {
        Ok(access) => access,
        Err(error) => {
            return findings.push(Finding::new(Severity::Error, FindingCode::ObjectApiSiteInvalid, error.detail));
        }
    };
    let found = match client.workspace_id(&access).await {
        Ok(found) => found,
        Err(error) => return findings.push(of_objects(&error, api)),
    };
    if workspace.is_some_and(|workspace| workspace != found) {
        let text = format!("The site {} has another Assets workspace than the import source.", api.site_url);
        findings.push(Finding::new(Severity::Error, FindingCode::ObjectApiOtherWorkspace, text));
        return;
    }
    let object_type = subject.job.as_ref().map_or("Entra User", |job| job.mapping.type_name(ObjectType::Users));
    findings.push(match client.may_query(&access, &found, object_type).await {
        Ok(()) => Finding::new(Severity::Info, FindingCode::ObjectApiOk, format!("{} may query objects.", api.email)),
        Err(error) => return findings.push(of_objects(&error, api)),
    });
    if subject.job.as_ref().is_some_and(|job| job.mapping.jira_user().is_some()) {
        findings.push(accounts(client, &access, api).await);
    }
}

/// Whether the Jira accounts of users can be found.
async fn accounts(client: &Client, access: &SiteAccess, api: &ObjectApi) -> Finding {
    match client.may_search_accounts(access).await {
        Ok(true) => {
            let text = format!("{} may search for Jira accounts.", api.email);
            Finding::new(Severity::Info, FindingCode::JiraAccountsOk, text)
        }
        Ok(false) => {
            let text = format!("{} may not search for Jira accounts, so no user would get one.", api.email);
            let how = FindingCode::JiraAccountsForbidden.advice();
            Finding::new(Severity::Warning, FindingCode::JiraAccountsForbidden, text).with_remedies(vec![Remedy::new(
                RemedyKind::Assets,
                "What to do",
                how,
            )])
        }
        Err(error) => of_objects(&error, api),
    }
}

fn of_objects(error: &AssetsError, api: &ObjectApi) -> Finding {
    let (code, text, how) = match &error.kind {
        AssetsErrorKind::Unauthorized => (
            FindingCode::ObjectApiTokenInvalid,
            format!("{} does not accept the API token of {}.", api.site_url, api.email),
            "Make an API token at id.atlassian.com → Security → API tokens as that person, and store it in the destination.",
        ),
        AssetsErrorKind::Forbidden => (
            FindingCode::ObjectApiForbidden,
            format!("{} may not use Assets at {}.", api.email, api.site_url),
            "Give the person a Jira Service Management licence and the role Object Schema Manager or Object Schema User.",
        ),
        AssetsErrorKind::NotFound => (
            FindingCode::ObjectApiNoWorkspace,
            format!("{} has no Assets workspace that {} may see.", api.site_url, api.email),
            "Assets comes with Jira Service Management Premium or Enterprise; check the address of the site.",
        ),
        _ => (error.code().into(), format!("{error}."), error.advice()),
    };
    Finding::new(Severity::Error, code, text).with_remedies(vec![Remedy::new(RemedyKind::Assets, "What to do", how)])
}
