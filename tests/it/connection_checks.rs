//! Connection checks against the simulated tenants: the report that a person sees, and the commands that fix what it names.

use chrono::{DateTime, TimeDelta, Utc};
use entra_assets::clock::Clock;
use entra_assets::cloud::Cloud;
use entra_assets::config::{HostSettings, HttpSettings};
use entra_assets::connection_check::{
    CheckReport, DEADLINE, Overall, check, judge_token, refusal, render_text, summary,
};
use entra_assets::graph::Client;
use entra_assets::graph::limiter::LARGE_TENANT;
use entra_assets::graph::token::{Credential, Federated, Identity, Tokens};
use entra_assets::ids::{ConnectionId, OrganizationId};
use entra_assets::permission::report::{RemedyKind, Verdict};
use entra_assets::permission::{Capability, catalog};
use entra_assets::sim::graph::{Api, GraphOptions, GraphSim, SECRET, Scenario, Tail, TokenError, start};
use secrecy::ExposeSecret;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

struct World {
    sim: GraphSim,
    clock: Clock,
    tokens: Tokens,
    client: Client,
}

fn epoch() -> DateTime<Utc> {
    "2026-11-01T08:00:00Z".parse().unwrap()
}

impl World {
    fn start() -> Self {
        let clock = Clock::manual_sleepless(epoch());
        let sim = start(GraphOptions { clock: clock.clone(), ..GraphOptions::default() }).unwrap();
        let hosts = HostSettings {
            login_url: Some(sim.login_origin().parse().unwrap()),
            graph_url: Some(sim.graph_origin().parse().unwrap()),
            assets_url: None,
        };
        let http = entra_assets::http::client(&HttpSettings::default()).unwrap();
        let tokens = Tokens::new(http.clone(), clock.clone(), hosts.clone(), Federated::default());
        let client = Client::new(http, clock.clone(), &hosts, tokens.clone(), LARGE_TENANT);
        Self { sim, clock, tokens, client }
    }

    fn identity(scenario: Scenario) -> Identity {
        let entered = scenario.credentials();
        Identity {
            organization: OrganizationId::DEFAULT,
            connection: ConnectionId(Uuid::from_u128(scenario as u128 + 1)),
            credential_version: 1,
            tenant_id: entered.tenant_id,
            client_id: entered.client_id,
            cloud: Cloud::Global,
            credential: Credential::ClientSecret(entered.client_secret.into()),
        }
    }

    async fn check(&self, scenario: Scenario) -> CheckReport {
        self.check_for(scenario, &Capability::DEFAULT).await
    }

    async fn check_for(&self, scenario: Scenario, capabilities: &[Capability]) -> CheckReport {
        check(&self.client, &Self::identity(scenario), capabilities, None, DEADLINE).await
    }
}

fn codes(report: &CheckReport) -> Vec<String> {
    report.findings.iter().map(|finding| finding.code.to_string()).collect()
}

fn verdicts(report: &CheckReport) -> Vec<Verdict> {
    report.capabilities.iter().map(|capability| capability.verdict).collect()
}

/// What a check says of each simulated tenant: overall, findings, verdicts of users, managers, groups, memberships,
/// nested groups, owners and licences.
#[tokio::test]
async fn every_simulated_tenant_gets_its_own_report() {
    use Verdict::{AddedAsDelegated, ConsentPending, Granted, Limited, Missing, NotAdded, Unknown};
    let world = World::start();
    let all = |verdict| vec![verdict; 7];
    let no_roles = || (Overall::Failed, vec!["no_application_permission"], all(Missing));
    for scenario in Scenario::ALL {
        let report = world.check(*scenario).await;
        let expected = match scenario {
            Scenario::Healthy | Scenario::NoHidden | Scenario::NotPremium | Scenario::DirectoryReader => {
                (Overall::Ok, vec![], all(Granted))
            }
            Scenario::Delegated | Scenario::Pending | Scenario::NotAdded | Scenario::AzureAdGraph => no_roles(),
            Scenario::DelegatedDiagnosable => (Overall::Failed, vec!["added_as_delegated"], all(AddedAsDelegated)),
            Scenario::PendingDiagnosable => (Overall::Failed, vec![], all(ConsentPending)),
            Scenario::ExpiredSecret => (Overall::Failed, vec!["client_secret_expired"], all(Unknown)),
            Scenario::SecretId => (Overall::Failed, vec!["secret_id_pasted"], all(Unknown)),
            Scenario::WrongSecret => (Overall::Failed, vec!["client_secret_invalid"], all(Unknown)),
            Scenario::WrongTenant | Scenario::ObjectId => {
                (Overall::Failed, vec!["application_not_found"], all(Unknown))
            }
            Scenario::UnknownTenant => (Overall::Failed, vec!["tenant_not_found"], all(Unknown)),
            Scenario::NoLicences => (Overall::Degraded, vec![], [vec![Granted; 6], vec![NotAdded]].concat()),
            Scenario::Basic => {
                (Overall::Degraded, vec![], vec![Limited, Limited, Limited, Limited, Limited, Missing, Missing])
            }
            Scenario::DirectoryRole => (Overall::Ok, vec![], all(Granted)),
            Scenario::Excess => (Overall::Ok, vec!["excess_privileges"], all(Granted)),
            Scenario::Propagating => no_roles(),
            Scenario::Disabled => (Overall::Failed, vec!["application_disabled"], all(Unknown)),
            Scenario::MissingPrincipal => (Overall::Failed, vec!["service_principal_missing"], all(Unknown)),
            Scenario::IdentityUnknown => (Overall::Failed, vec!["service_principal_missing"], all(Missing)),
            Scenario::ConditionalAccess => (Overall::Failed, vec!["conditional_access_blocked"], all(Unknown)),
        };
        let codes = codes(&report);
        let seen = (report.overall, codes.iter().map(String::as_str).collect(), verdicts(&report));
        assert_eq!(seen, expected, "{}: {}", scenario.as_str(), render_text(&report));
        assert!(!serde_json::to_string(&report).unwrap().contains(SECRET));
        assert!(!report.partial);
    }
}

/// The tenants that `demo --tenant` shows, as a person reads them.
#[tokio::test]
async fn reports_read_well_to_someone_who_has_never_seen_entra() {
    let world = World::start();
    for scenario in [
        Scenario::Healthy,
        Scenario::Delegated,
        Scenario::DelegatedDiagnosable,
        Scenario::Pending,
        Scenario::PendingDiagnosable,
        Scenario::ExpiredSecret,
        Scenario::SecretId,
        Scenario::WrongTenant,
        Scenario::NoLicences,
        Scenario::ConditionalAccess,
    ] {
        let text = render_text(&world.check(scenario).await);
        insta::assert_snapshot!(format!("report_{}", scenario.as_str()), without_ids(&text));
    }
}

/// The text with the ids, which differ each time, checked and replaced.
fn without_ids(text: &str) -> String {
    let line = |line: &str| match line.split_once(" ID: ") {
        Some((name @ ("  Trace" | "  Correlation"), id)) => {
            assert!(Uuid::parse_str(id).is_ok(), "{line}");
            format!("{name} ID: …\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[tokio::test]
async fn consent_that_is_on_its_way_is_told_apart_once_the_check_may_look() {
    let world = World::start();
    let look = catalog::id("Application.Read.All", catalog::PermissionKind::Application).unwrap();
    world.sim.change_app(Scenario::Propagating, |app| {
        let assignments = &mut app.principal.as_mut().unwrap().assignments;
        assignments.iter_mut().filter(|granted| granted.role == look).for_each(|granted| granted.effective = epoch());
    });
    let report = world.check(Scenario::Propagating).await;
    assert_eq!(verdicts(&report), [Verdict::StaleToken; 7], "{}", render_text(&report));
    world.clock.advance(TimeDelta::minutes(6).to_std().unwrap());
    assert_eq!(world.check(Scenario::Propagating).await.overall, Overall::Ok);
}

/// Case C3, in a tenant whose application has SharePoint's permission of the same id.
#[tokio::test]
async fn sharepoints_permission_of_the_same_id_does_not_count() {
    let world = World::start();
    world.sim.set_roles(Scenario::Healthy, &["Application.Read.All"]);
    let role = catalog::id("User.Read.All", catalog::PermissionKind::Application).unwrap();
    world.sim.change_app(Scenario::Healthy, |app| {
        let principal = app.principal.as_mut().unwrap();
        principal.assign(Api::SharePoint, role, epoch(), epoch());
    });
    let report = world.check_for(Scenario::Healthy, &[Capability::Users]).await;
    assert_eq!(verdicts(&report), [Verdict::NotAdded], "{}", render_text(&report));
    assert!(report.capabilities[0].message.contains("under Microsoft Graph"), "{}", report.capabilities[0].message);
    assert!(report.capabilities[0].evidence.iter().any(|evidence| evidence.detail.contains("SharePoint")));
}

#[tokio::test]
async fn sharepoints_delegated_grant_does_not_count() {
    let world = World::start();
    world.sim.set_roles(Scenario::Healthy, &["Directory.Read.All"]);
    let check = || world.check_for(Scenario::Healthy, &[Capability::SignInActivity]);
    let name = "AuditLog.Read.All";
    world.sim.change_app(Scenario::Healthy, |app| {
        app.principal.as_mut().unwrap().delegated_of_sharepoint.push(name);
    });
    assert_eq!(verdicts(&check().await), [Verdict::NotAdded]);
    world.sim.change_app(Scenario::Healthy, |app| app.principal.as_mut().unwrap().delegated.push(name));
    assert_eq!(verdicts(&check().await), [Verdict::AddedAsDelegated]);
}

/// Case C3c, with the pages of 100 that Graph answers with.
#[tokio::test]
async fn a_permission_on_the_last_page_of_the_assignments_is_found() {
    let world = World::start();
    world.sim.set_roles(Scenario::Healthy, &["Application.Read.All"]);
    let role = catalog::id("User.Read.All", catalog::PermissionKind::Application).unwrap();
    let later = epoch() + TimeDelta::minutes(5);
    world.sim.change_app(Scenario::Healthy, |app| {
        let principal = app.principal.as_mut().unwrap();
        for other in 0..250 {
            principal.assign(Api::MicrosoftGraph, Uuid::from_u128(other), epoch(), epoch());
        }
        principal.assign(Api::MicrosoftGraph, role, epoch(), later);
    });
    let report = world.check_for(Scenario::Healthy, &[Capability::Users]).await;
    assert_eq!(verdicts(&report), [Verdict::StaleToken], "{}", render_text(&report));
    let pages = world.sim.requests().iter().filter(|request| request.path.contains("appRoleAssignments")).count();
    assert_eq!(pages, 3);
}

/// Cases C1, C2 and C9: each number that an administrator meets has an explanation, and Microsoft's own text.
#[tokio::test]
async fn numbers_of_the_sign_in_service_are_explained() {
    let world = World::start();
    for (aadsts, code) in [
        (700_211, "federated_credential_not_found"),
        (700_212, "federated_credential_not_found"),
        (700_213, "federated_credential_not_found"),
        (7_002_137, "federated_credential_not_found"),
        (7_002_138, "federated_credential_not_found"),
        (900_021, "tenant_malformed"),
        (500_014, "resource_disabled"),
        (650_052, "resource_not_found"),
        (7_000_114, "application_not_allowed"),
        (530_035, "security_defaults_blocked"),
    ] {
        world.sim.set_token_error(Scenario::Healthy, Some(TokenError { aadsts }), Tail::Spaces);
        let report = world.check(Scenario::Healthy).await;
        assert_eq!(codes(&report), [code], "{aadsts}");
        let finding = &report.findings[0];
        assert!(finding.microsoft_message.as_deref().unwrap().starts_with(&format!("AADSTS{aadsts}: ")));
        assert!(!finding.remedies.is_empty(), "{aadsts}");
    }
}

#[tokio::test]
async fn a_check_has_a_summary_with_the_first_cause() {
    let world = World::start();
    for (scenario, expected) in [
        (Scenario::Healthy, "All 7 capabilities that were checked work."),
        (Scenario::ExpiredSecret, "Nothing can be imported with this connection. The client secret has expired."),
        (
            Scenario::DelegatedDiagnosable,
            "Nothing can be imported with this connection. Permissions were added as Delegated, which work only for a \
             signed-in user.",
        ),
        (
            Scenario::NoLicences,
            "1 of 7 capabilities does not work in full: licences. Licences cannot be read: LicenseAssignment.Read.All is not \
             added to the application.",
        ),
    ] {
        assert_eq!(summary(&world.check(scenario).await), expected, "{}", scenario.as_str());
    }
}

#[tokio::test]
async fn the_emitted_commands_fix_what_the_report_names() {
    let world = World::start();
    for scenario in [
        Scenario::Delegated,
        Scenario::Pending,
        Scenario::NotAdded,
        Scenario::DelegatedDiagnosable,
        Scenario::NoLicences,
        Scenario::Disabled,
    ] {
        let report = world.check(scenario).await;
        assert_ne!(report.overall, Overall::Ok, "{}", scenario.as_str());
        run_remedies(&world, scenario, &report);
        world.clock.advance(TimeDelta::minutes(6).to_std().unwrap());
        let report = world.check(scenario).await;
        assert_eq!(report.overall, Overall::Ok, "{}: {}", scenario.as_str(), render_text(&report));
    }
}

/// Runs every Azure CLI script of a report with an `az` that only forwards `az rest` to the simulator, as
/// the tenant's administrator.
fn run_remedies(world: &World, scenario: Scenario, report: &CheckReport) {
    let dir = tempfile::tempdir().unwrap();
    let az = dir.path().join("az");
    fs::write(&az, include_str!("connection_checks/az.sh")).unwrap();
    fs::set_permissions(&az, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let of_findings = report.findings.iter().flat_map(|finding| &finding.remedies);
    let remedies = of_findings.chain(report.capabilities.iter().flat_map(|capability| &capability.remedies));
    let mut scripts: Vec<&str> =
        remedies.filter(|remedy| remedy.kind == RemedyKind::AzCli).map(|remedy| remedy.value.as_str()).collect();
    scripts.dedup();
    assert!(!scripts.is_empty(), "{}", render_text(report));
    for script in scripts {
        let output = Command::new("bash")
            .args(["-c", script])
            .env("PATH", &path)
            .env("GRAPH", world.sim.graph_origin())
            .env("TOKEN", scenario.admin_token())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{errors}{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[tokio::test]
async fn a_run_is_judged_by_its_own_token_alone() {
    let world = World::start();
    let identity = World::identity(Scenario::NoLicences);
    let token = world.tokens.fresh(&identity).await.unwrap();
    let seen = judge_token(&token.claims, &identity, &[Capability::Users, Capability::Licenses]);
    assert_eq!(seen.iter().map(|v| v.verdict).collect::<Vec<_>>(), [Verdict::Granted, Verdict::Missing]);
    for (scenario, expected) in [
        (Scenario::NoLicences, None),
        (Scenario::DirectoryRole, None),
        (Scenario::Delegated, Some("no_application_permission")),
        (Scenario::IdentityUnknown, Some("service_principal_missing")),
    ] {
        let identity = World::identity(scenario);
        let token = world.tokens.fresh(&identity).await.unwrap();
        let refused = refusal(&token.claims, &identity, None).map(|finding| finding.code.to_string());
        assert_eq!(refused.as_deref(), expected, "{}", scenario.as_str());
    }
}

#[tokio::test]
async fn what_the_tenants_licence_does_not_allow_is_said() {
    let world = World::start();
    let report = world.check_for(Scenario::NotPremium, &[Capability::SignInActivity]).await;
    assert_eq!(verdicts(&report), [Verdict::Missing]);
    assert!(report.capabilities[0].message.contains("Entra ID P1 or P2"), "{}", report.capabilities[0].message);
}

#[tokio::test]
async fn a_check_takes_a_fresh_token_every_time() {
    let world = World::start();
    world.check(Scenario::Healthy).await;
    world.sim.set_roles(Scenario::Healthy, &["User.Read.All"]);
    let report = world.check(Scenario::Healthy).await;
    assert_eq!(verdicts(&report)[..3], [Verdict::Granted, Verdict::Granted, Verdict::Missing]);
}

/// What tracing writes, to search it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_and_no_token_is_in_a_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::start();
    for scenario in [Scenario::Healthy, Scenario::WrongSecret, Scenario::Delegated] {
        world.check(scenario).await;
    }
    let token = world.tokens.get(&World::identity(Scenario::Healthy)).await.unwrap();
    tracing::info!(token = ?token, identity = ?World::identity(Scenario::Healthy), "the log is written");
    drop(guard);
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("the log is written"));
    for secret in [SECRET, &Scenario::WrongSecret.credentials().client_secret, token.secret.expose_secret()] {
        assert!(!text.contains(secret));
    }
}

/// Every capability with exactly, less and more than what it needs, live.
#[tokio::test]
async fn every_capability_works_with_exactly_what_the_table_says() {
    let world = World::start();
    for capability in Capability::ALL {
        let exactly: Vec<&str> = capability.least().collect();
        let check = async |roles: &[&str]| {
            world.sim.set_roles(Scenario::Healthy, roles);
            let report = world.check_for(Scenario::Healthy, &[capability]).await;
            (
                report.capabilities[0].verdict,
                codes(&report).iter().any(|code| code == "excess_privileges"),
                render_text(&report),
            )
        };
        let (verdict, excess, text) = check(&exactly).await;
        assert_eq!((verdict, excess), (Verdict::Granted, false), "{capability} exactly: {text}");
        for leave_out in 0..exactly.len() {
            let mut less = exactly.clone();
            less.remove(leave_out);
            let (verdict, _, text) = check(&less).await;
            assert!(!verdict.works(), "{capability} with {less:?}: {text}");
        }
        let mut more = exactly.clone();
        more.push("Directory.ReadWrite.All");
        let (verdict, excess, text) = check(&more).await;
        assert_eq!((verdict, excess), (Verdict::Granted, true), "{capability} with more: {text}");
    }
}
