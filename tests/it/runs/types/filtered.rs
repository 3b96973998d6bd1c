//! Each type that a filter can name: what Graph's condition takes is imported, and the rest leaves Assets as out of scope.

use super::*;
use crate::support::raw::{Raw, id};
use entra_assets::sim::assets::Missing;

type Predicate = fn(&Map<String, Value>) -> bool;

/// A condition, whether it needs an advanced query, and what it means.
struct Case {
    object_type: ObjectType,
    path: &'static str,
    odata: &'static str,
    advanced: bool,
    holds: Predicate,
}

fn text<'o>(object: &'o Map<String, Value>, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn has(object: &Map<String, Value>, name: &str, wanted: &str) -> bool {
    object.get(name).and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| one == wanted))
}

fn cases() -> Vec<Case> {
    use ObjectType::{AdministrativeUnits, Applications, Roles, ServicePrincipals};
    let case = |object_type, path, odata, advanced, holds| Case { object_type, path, odata, advanced, holds };
    vec![
        case(Applications, APPLICATIONS, "displayName in ('Badge printer','Wiki sync')", false, |o| {
            ["Badge printer", "Wiki sync"].contains(&text(o, "displayName"))
        }),
        case(Applications, APPLICATIONS, "signInAudience ne 'AzureADMyOrg'", true, |o| {
            text(o, "signInAudience") != "AzureADMyOrg"
        }),
        case(
            ServicePrincipals,
            PRINCIPALS,
            "servicePrincipalType eq 'Application' and startswith(displayName,'b')",
            false,
            |o| {
                text(o, "servicePrincipalType") == "Application"
                    && text(o, "displayName").to_lowercase().starts_with('b')
            },
        ),
        case(ServicePrincipals, PRINCIPALS, "accountEnabled eq true and not tags/any(t:t eq 'HideApp')", true, |o| {
            o.get("accountEnabled") == Some(&json!(true)) && !has(o, "tags", "HideApp")
        }),
        case(Roles, ROLES, "isBuiltIn eq false or displayName in ('Reports Reader')", false, |o| {
            o.get("isBuiltIn") == Some(&json!(false)) || text(o, "displayName") == "Reports Reader"
        }),
        case(AdministrativeUnits, UNITS, "startswith(displayName,'b')", false, |o| {
            text(o, "displayName").to_lowercase().starts_with('b')
        }),
        case(AdministrativeUnits, UNITS, "not startswith(displayName,'b')", true, |o| {
            !text(o, "displayName").to_lowercase().starts_with('b')
        }),
    ]
}

const SELECT: &str = "id,displayName,signInAudience,servicePrincipalType,accountEnabled,tags";

/// The ids that a condition takes, by what Graph returns without it.
async fn wanted(world: &World, case: &Case) -> (BTreeSet<String>, usize) {
    let select = match case.object_type {
        ObjectType::Applications => "id,displayName,signInAudience",
        ObjectType::ServicePrincipals => SELECT,
        ObjectType::Roles => "id,displayName,isBuiltIn",
        _ => "id,displayName",
    };
    let raw = Raw::sign_in(&world.graph).await;
    let all = raw.all(case.path, select).await;
    let number = all.len();
    let wanted: BTreeSet<String> = all.iter().filter(|object| (case.holds)(object)).map(id).collect();
    assert!(!wanted.is_empty() && wanted.len() < number, "{}: {} of {number}", case.odata, wanted.len());
    (wanted, number)
}

/// The ids in Assets that are not marked as removed.
fn active(world: &World, object_type: ObjectType) -> BTreeSet<String> {
    let is_there = |object: &AssetsObject| object.values["Lifecycle"] != ["Removed"];
    let all = world.assets.objects(object_type.spec().type_name).into_iter().filter(is_there);
    all.map(|object| object.values["Object ID"][0].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_condition_takes_is_imported_and_the_rest_goes_out_of_scope() {
    for case in cases() {
        let (world, job) = delivered().await;
        world.set_job("removal_policy = 'mark', removal_after_missing_runs = 1, brake_percent = 100").await;
        let (wanted, all) = wanted(&world, &case).await;
        assert_eq!(active(&world, case.object_type).len(), all, "{}", case.odata);
        let before = objects(&world, case.object_type);
        let rule = Map::from_iter([(case.object_type.to_string(), json!({"odata": case.odata}))]);
        let filter = world.add_filter(Value::Object(rule)).await;
        world.set_job(&format!("filter_id = '{filter}'")).await;
        for mode in [RunMode::Full, RunMode::Incremental] {
            world.graph.reset_counters();
            let run = world.run(job, mode).await;
            assert_eq!(state(&run), "succeeded", "{} {mode}: {:?} {}", case.odata, run.error, run.warnings);
            assert_eq!(active(&world, case.object_type), wanted, "{} {mode}", case.odata);
            let path = format!("/v1.0/{}", case.path);
            // What the list leaves out is asked for by its ids, without the condition.
            let is_by_id = |query: &String| query.contains("filter=id%20in");
            let lists = world.graph.requests().into_iter().filter(|request| request.path == path);
            let lists: Vec<String> = lists.map(|request| request.query).filter(|query| !is_by_id(query)).collect();
            let is_advanced = |query: &String| query.contains("count=true");
            assert!(!lists.is_empty() && lists.iter().all(|q| is_advanced(q) == case.advanced), "{mode} {lists:?}");
        }
        // An advanced query has no `$expand`: what it would show is read in another way.
        for (label, object) in objects(&world, case.object_type) {
            if wanted.contains(&object.values["Object ID"][0]) {
                let owners = |object: &AssetsObject| object.values.get("Owners").cloned();
                assert_eq!(owners(&object), owners(&before[&label]), "{} {label}", case.odata);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_those_of_the_applications_that_the_filter_takes() {
    for odata in ["displayName eq 'Wiki sync'", "publisherDomain ne 'x' and displayName eq 'Wiki sync'"] {
        let (world, job) = delivered().await;
        world.set_job("removal_policy = 'mark', removal_after_missing_runs = 1, brake_percent = 100").await;
        let filter = world.add_filter(json!({"applications": {"odata": odata}})).await;
        world.set_job(&format!("filter_id = '{filter}'")).await;
        for mode in [RunMode::Full, RunMode::Incremental] {
            let run = world.run(job, mode).await;
            assert_eq!(state(&run), "succeeded", "{odata} {mode}: {:?} {}", run.error, run.warnings);
            let of = objects(&world, ObjectType::AppCredentials);
            let left: Vec<&String> = of
                .iter()
                .filter(|(_, object)| object.values["Lifecycle"] == ["Active"])
                .map(|(label, _)| label)
                .collect();
            assert_eq!(left, ["Wiki sync: CN=build.contoso.example", "Wiki sync: pipeline"], "{odata} {mode}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_run_shows_what_the_filter_takes() {
    let (world, job) = delivered().await;
    world.assets.configure(|behaviour| behaviour.missing = Missing::default());
    world.set_destination("missing_objects = 'ignore'").await;
    for case in cases() {
        let (wanted, _) = wanted(&world, &case).await;
        let rule = Map::from_iter([(case.object_type.to_string(), json!({"odata": case.odata}))]);
        let filter = world.add_filter(Value::Object(rule)).await;
        world.set_job(&format!("filter_id = '{filter}'")).await;
        let run = world.run(job, RunMode::Test).await;
        assert_eq!(state(&run), "succeeded", "{}: {:?} {}", case.odata, run.error, run.warnings);
        let read = run.counts[case.object_type.as_str()]["read"].as_u64().unwrap();
        assert!(read > 0 && read <= wanted.len() as u64, "{}: {read} of {}", case.odata, wanted.len());
    }
}
