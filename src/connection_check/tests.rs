//! The decision table row by row, against a scripted tenant.

mod tenant;

use super::*;
use crate::permission::Capability as C;
use crate::permission::report::{EvidenceKind, RemedyKind};
use serde_json::json;
use tenant::{CLIENT, PermissionKind, SECRET, TENANT, Tenant};

fn codes(report: &CheckReport) -> Vec<FindingCode> {
    let of = |finding: &Finding| finding.code.to_string().parse().unwrap();
    report.findings.iter().map(of).collect()
}

fn verdicts(report: &CheckReport) -> Vec<Verdict> {
    report.capabilities.iter().map(|c| c.verdict).collect()
}

fn evidence(report: &CheckReport, nth: usize) -> Vec<EvidenceKind> {
    report.capabilities[nth].evidence.iter().map(|evidence| evidence.kind).collect()
}

const ALL: [&str; 3] = ["User.Read.All", "GroupMember.Read.All", "LicenseAssignment.Read.All"];

#[tokio::test]
async fn what_is_granted_and_works_is_ok() {
    let report = Tenant::with_roles(&ALL).check(&C::DEFAULT).await;
    assert_eq!(report.overall, Overall::Ok);
    assert_eq!(verdicts(&report), [Verdict::Granted; 7]);
    assert_eq!(evidence(&report, 0), [EvidenceKind::TokenRole, EvidenceKind::Probe]);
    assert_eq!(report.capabilities[0].evidence[1].request_id.as_deref(), Some("graph-request"));
    insta::assert_snapshot!(render_text(&report));
}

#[tokio::test]
async fn a_token_without_roles_says_honestly_that_the_reason_is_not_known() {
    let report = Tenant::with_roles(&[]).check(&C::DEFAULT).await;
    assert_eq!((report.overall, verdicts(&report)), (Overall::Failed, vec![Verdict::Missing; 7]));
    assert_eq!(codes(&report), [FindingCode::NoApplicationPermission]);
    let text = &report.findings[0].message;
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in: {text}"));
    assert!(at("Delegated") < at("Grant admin consent") && at("Grant admin consent") < at("five minutes"));
    assert!(text.contains("manifest"));
    insta::assert_snapshot!(render_text(&report));
}

#[tokio::test]
async fn with_self_diagnosis_every_reason_is_told_apart() {
    let base = || Tenant::with_roles(&["Application.Read.All"]);
    let permission = "User.Read.All";
    for (tenant, verdict, kind) in [
        (base().added(permission, PermissionKind::Delegated), Verdict::AddedAsDelegated, EvidenceKind::Manifest),
        (base().added(permission, PermissionKind::Application), Verdict::ConsentPending, EvidenceKind::Manifest),
        (base().assigned(permission), Verdict::StaleToken, EvidenceKind::AppRoleAssignment),
        (base().added("User.Read", PermissionKind::Delegated), Verdict::NotAdded, EvidenceKind::Manifest),
    ] {
        let report = tenant.check(&[C::Users, C::SelfDiagnosis]).await;
        assert_eq!(verdicts(&report), [verdict, Verdict::Granted]);
        assert_eq!(evidence(&report, 0), [kind, EvidenceKind::Probe]);
        assert_eq!(report.overall, Overall::Degraded);
        let has = |kind: RemedyKind| report.capabilities[0].remedies.iter().any(|remedy| remedy.kind == kind);
        assert_eq!(has(RemedyKind::AzCli), verdict != Verdict::StaleToken);
        insta::assert_snapshot!(format!("reason_{verdict:?}"), report.capabilities[0].message);
    }
}

#[tokio::test]
async fn a_delegated_grant_is_seen_where_the_manifest_is_in_another_tenant() {
    let tenant =
        Tenant::with_roles(&["Directory.Read.All"]).without_manifest().granted_delegated("AuditLog.Read.All openid");
    let report = tenant.check(&[C::SignInActivity]).await;
    assert_eq!(verdicts(&report), [Verdict::AddedAsDelegated]);
    assert_eq!(evidence(&report, 0)[0], EvidenceKind::DelegatedGrant);
    let nothing = Tenant::with_roles(&["Directory.Read.All"]).without_manifest().check(&[C::SignInActivity]).await;
    assert_eq!(verdicts(&nothing), [Verdict::Missing], "not added, or pending: it cannot be seen");
}

const DIAGNOSABLE: &[&str] = &["Application.Read.All"];

/// Case C3: SharePoint's User.Read.All has the id of Microsoft Graph's.
#[tokio::test]
async fn a_permission_of_another_api_with_the_same_id_is_not_graphs() {
    let tenant = Tenant::with_roles(DIAGNOSABLE).assigned_elsewhere("User.Read.All");
    let report = tenant.check(&[C::Users, C::Groups]).await;
    assert_eq!(verdicts(&report), [Verdict::NotAdded, Verdict::NotAdded]);
    let users = &report.capabilities[0];
    assert!(
        users.evidence.iter().any(|e| e.detail.contains("of Office 365 SharePoint Online")),
        "{:?}",
        users.evidence
    );
    assert!(users.remedies.iter().any(|remedy| remedy.kind == RemedyKind::AzCli));
    let both = Tenant::with_roles(DIAGNOSABLE).assigned_elsewhere("User.Read.All").assigned("User.Read.All");
    assert_eq!(verdicts(&both.check(&[C::Users]).await), [Verdict::StaleToken]);
    let pending = Tenant::with_roles(DIAGNOSABLE)
        .assigned_elsewhere("User.Read.All")
        .added("User.Read.All", PermissionKind::Application);
    assert_eq!(verdicts(&pending.check(&[C::Users]).await), [Verdict::ConsentPending]);
}

#[tokio::test]
async fn a_delegated_grant_of_another_api_is_not_graphs() {
    let base = || Tenant::with_roles(&["Directory.Read.All"]).without_manifest();
    let elsewhere = base().granted_delegated_elsewhere("AuditLog.Read.All");
    assert_eq!(verdicts(&elsewhere.check(&[C::SignInActivity]).await), [Verdict::Missing]);
}

/// Case C3c.
#[tokio::test]
async fn lists_of_grants_are_read_to_the_last_page() {
    for entries in [99, 100, 1_234] {
        let tenant = Tenant::with_roles(DIAGNOSABLE).assigned("User.Read.All").behind(entries);
        let report = tenant.check(&[C::Users]).await;
        assert_eq!(verdicts(&report), [Verdict::StaleToken], "behind {entries}");
    }
    let delegated = Tenant::with_roles(&["Directory.Read.All"]).without_manifest();
    let delegated = delegated.granted_delegated("AuditLog.Read.All").behind(250);
    assert_eq!(verdicts(&delegated.check(&[C::SignInActivity]).await), [Verdict::AddedAsDelegated]);
}

#[tokio::test]
async fn a_list_that_was_not_read_to_its_end_proves_nothing_by_what_it_lacks() {
    let base = || Tenant::with_roles(DIAGNOSABLE).behind(150).broken_page(1);
    let added = base().added("User.Read.All", PermissionKind::Application);
    assert_eq!(verdicts(&added.check(&[C::Users]).await), [Verdict::Missing]);
    assert_eq!(verdicts(&base().check(&[C::Users]).await), [Verdict::Missing]);
    let found = Tenant::with_roles(DIAGNOSABLE).behind(50).assigned("User.Read.All").behind(80).broken_page(2);
    assert_eq!(verdicts(&found.check(&[C::Users]).await), [Verdict::StaleToken], "what it has counts");
}

#[tokio::test]
async fn of_two_missing_permissions_each_is_named_by_its_own_reason() {
    let tenant = Tenant::with_roles(DIAGNOSABLE)
        .added("AuditLog.Read.All", PermissionKind::Delegated)
        .added("User.Read.All", PermissionKind::Application);
    let report = tenant.check(&[C::SignInActivity]).await;
    assert_eq!(verdicts(&report), [Verdict::AddedAsDelegated]);
    let message = &report.capabilities[0].message;
    assert!(message.contains("you added AuditLog.Read.All as Delegated"), "{message}");
    assert_eq!(report.capabilities[0].permission, "AuditLog.Read.All, User.Read.All");
}

#[tokio::test]
async fn consent_that_is_pending_leads_with_the_consent_link() {
    let report = Tenant::with_roles(&["Application.Read.All"])
        .added("User.Read.All", PermissionKind::Application)
        .check(&[C::Users])
        .await;
    let first = &report.capabilities[0].remedies[0];
    let url = format!("https://login.microsoftonline.com/{TENANT}/adminconsent?client_id={CLIENT}");
    assert_eq!((first.kind, &first.value), (RemedyKind::ConsentUrl, &url));
}

#[tokio::test]
async fn what_works_without_a_permission_is_granted_by_a_directory_role() {
    let report = Tenant::with_roles(&[]).allowing("/users").check(&[C::Users, C::Groups]).await;
    assert_eq!(verdicts(&report), [Verdict::Granted, Verdict::Missing]);
    assert_eq!(evidence(&report, 0)[0], EvidenceKind::DirectoryRole);
    assert_eq!(report.overall, Overall::Degraded);
}

#[tokio::test]
async fn what_graph_refuses_in_spite_of_the_permission_is_missing() {
    let report = Tenant::with_roles(&ALL).refusing("/users").check(&C::DEFAULT).await;
    assert_eq!(verdicts(&report)[..3], [Verdict::Missing, Verdict::Missing, Verdict::Granted]);
    assert_eq!(report.overall, Overall::Degraded);
}

#[tokio::test]
async fn a_nested_group_that_may_not_be_read_is_found_out() {
    let report =
        Tenant::with_roles(&ALL).refusing(&format!("/groups/{}/members", tenant::INNER)).check(&C::DEFAULT).await;
    let of = |capability: C| report.capabilities.iter().find(|c| c.capability == capability).unwrap().verdict;
    assert_eq!(
        (of(C::NestedGroups), of(C::Memberships), of(C::Owners)),
        (Verdict::Missing, Verdict::Granted, Verdict::Granted)
    );
}

#[tokio::test]
async fn basic_permissions_are_limited() {
    let report = Tenant::with_roles(&["User.ReadBasic.All"]).allowing("/users").check(&[C::Users]).await;
    assert_eq!((report.overall, verdicts(&report)), (Overall::Degraded, vec![Verdict::Limited]));
    assert_eq!(report.capabilities[0].permission, "User.ReadBasic.All");
}

#[tokio::test]
async fn what_basic_permissions_do_not_reach_is_missing_with_its_remedies() {
    let tenant = Tenant::with_roles(&["GroupMember.ReadBasic.All"]).allowing("/groups").refusing("/owners");
    let report = tenant.check(&[C::Memberships, C::Owners]).await;
    assert_eq!(verdicts(&report), [Verdict::Limited, Verdict::Missing]);
    let owners = &report.capabilities[1];
    assert_eq!(owners.permission, "GroupMember.Read.All");
    assert!(owners.message.contains("GroupMember.ReadBasic.All") && !owners.message.contains("support"));
    assert!(owners.remedies.iter().any(|remedy| remedy.value.contains("98830695-27a2-44f7-8c18-0c3ebc9698f6")));
    assert!(report.remedies.iter().any(|remedy| remedy.kind == RemedyKind::AzCli));
}

#[tokio::test]
async fn more_than_needed_is_a_warning() {
    let report = Tenant::with_roles(&["User.ReadWrite.All", "Mail.Read"]).check(&[C::Users]).await;
    assert_eq!((report.overall, codes(&report)), (Overall::Ok, vec![FindingCode::ExcessPrivileges]));
    assert!(report.findings[0].message.contains("User.ReadWrite.All and Mail.Read"));
}

#[tokio::test]
async fn a_token_that_is_not_the_right_one_is_named() {
    for (claims, code) in [
        (json!({"aud": "https://graph.windows.net"}), FindingCode::TokenWrongAudience),
        (json!({"aud": "https://graph.microsoft.us"}), FindingCode::TokenWrongAudience),
        (json!({"tid": "00000000-0000-4000-8000-00000000abcd"}), FindingCode::TokenWrongTenant),
        (json!({"appid": "00000000-0000-4000-8000-00000000abcd"}), FindingCode::TokenWrongApplication),
        (json!({"scp": "User.Read"}), FindingCode::TokenIsDelegated),
    ] {
        let report = Tenant::with_roles(&ALL).claims(claims).check(&C::DEFAULT).await;
        assert_eq!((report.overall, codes(&report)), (Overall::Failed, vec![code]));
        assert_eq!(verdicts(&report), [Verdict::Unknown; 7]);
    }
    for audience in ["https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"] {
        let report = Tenant::with_roles(&ALL).claims(json!({"aud": audience})).check(&C::DEFAULT).await;
        assert_eq!(report.overall, Overall::Ok, "{audience}");
    }
}

#[tokio::test]
async fn a_tenant_without_the_enterprise_application_is_told() {
    let report = Tenant::with_roles(&[]).claims(json!({"oid": null})).check(&C::DEFAULT).await;
    assert_eq!(codes(&report), [FindingCode::ServicePrincipalMissing]);
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_judged_by_live_requests_alone() {
    let report = Tenant::with_roles(&ALL).opaque().allowing("/users").check(&[C::Users, C::Groups]).await;
    assert_eq!(codes(&report), [FindingCode::TokenUnreadable]);
    assert_eq!(verdicts(&report), [Verdict::Granted, Verdict::Missing]);
}

#[tokio::test]
async fn a_disabled_application_is_seen() {
    let report = Tenant::with_roles(&["Application.Read.All"]).disabled().check(&[C::SelfDiagnosis]).await;
    assert_eq!((report.overall, codes(&report)), (Overall::Degraded, vec![FindingCode::ApplicationDisabled]));
}

#[tokio::test]
async fn every_refusal_of_entra_becomes_a_finding() {
    let mut all = String::new();
    for row in crate::graph::sign_in_error::ALL.iter().filter(|row| !row.numbers.is_empty()) {
        let number = row.numbers[0];
        let report = Tenant::refused_with(number).check(&C::DEFAULT).await;
        let finding = &report.findings[0];
        assert_eq!((report.overall, &finding.code, finding.aadsts), (Overall::Failed, &row.code.into(), Some(number)));
        assert_eq!(finding.trace_id.as_deref(), Some("trace"));
        assert_eq!(finding.correlation_id.as_deref(), Some("correlation"));
        assert_eq!(verdicts(&report), [Verdict::Unknown; 7]);
        assert!(!finding.message.contains('{'), "{}", finding.message);
        let remedies: Vec<&str> = finding.remedies.iter().map(|remedy| remedy.value.as_str()).collect();
        all.push_str(&format!("AADSTS{number} {}\n  {}\n  {}\n", finding.code, finding.message, remedies.join("\n  ")));
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_end_of_a_credential_is_warned_of_from_thirty_days_before() {
    let ends = |days: i64| Some(tenant::now() + TimeDelta::days(days));
    for (end, expected) in [
        (None, vec![]),
        (ends(31), vec![]),
        (ends(30), vec![FindingCode::CredentialExpiresSoon]),
        (ends(-1), vec![FindingCode::CredentialExpired]),
    ] {
        let report = Tenant::with_roles(&ALL).check_until(&C::DEFAULT, end, DEADLINE).await;
        assert_eq!((report.overall, codes(&report)), (Overall::Ok, expected), "{end:?}");
        assert_eq!(report.identity.credential_expires_at, end);
    }
    let refused = Tenant::refused_with(7000222).check_until(&C::DEFAULT, ends(-1), DEADLINE).await;
    assert_eq!(codes(&refused), [FindingCode::ClientSecretExpired]);
}

#[tokio::test]
async fn a_slow_graph_ends_with_what_there_is() {
    let slow = Tenant::with_roles(&ALL).slow("/subscribedSkus");
    let report = slow.check_until(&C::DEFAULT, None, Duration::from_millis(1500)).await;
    assert!(report.partial);
    assert_eq!(verdicts(&report)[..6], [Verdict::Granted; 6]);
    assert_eq!(verdicts(&report)[6], Verdict::Unknown);
}

#[tokio::test]
async fn no_secret_is_in_a_report() {
    for tenant in [Tenant::with_roles(&ALL), Tenant::with_roles(&[]), Tenant::refused_with(7000215)] {
        let report = tenant.check(&C::ALL).await;
        let text = serde_json::to_string(&report).unwrap() + &render_text(&report);
        assert!(!text.contains(SECRET) && !text.contains("eyJ") && !text.contains(".sig"), "{text}");
    }
}

#[test]
fn the_set_up_reads_well_and_leaves_out_what_is_granted() {
    let place = setup::place_of(crate::cloud::Cloud::China, Some(TENANT), Some(CLIENT));
    let first = setup(&place, &C::DEFAULT, None);
    assert_eq!(first.permissions.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ALL);
    assert!(first.permissions.iter().all(|p| p.kind == "Application" && p.granted.is_none()));
    assert!(first.az_cli.contains("https://microsoftgraph.chinacloudapi.cn/v1.0/"));
    insta::assert_json_snapshot!(first.steps);
    let verdict = |capability| CapabilityVerdict { verdict: Verdict::Granted, ..verdict::unchecked(capability, "") };
    let after = setup(&place, &C::DEFAULT, Some(&C::DEFAULT.map(verdict)));
    assert_eq!((after.az_cli.as_str(), after.powershell.as_str()), ("", ""));
    assert!(after.permissions.iter().all(|p| p.granted == Some(true)));
}
