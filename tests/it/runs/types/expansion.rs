//! What comes by `$expand` where a server refuses `$expand`: it is read in another way, and never taken for gone or empty.

use super::*;

/// The one application with a federated credential.
const WITH_FEDERATED: &str = "Wiki sync";
const FEDERATED: &str = "Wiki sync: pipeline";

/// Every attribute of every type that is read by `$expand`, and what is missing is marked at once.
async fn begin() -> (World, JobId) {
    let (world, job) = delivered().await;
    world.set_job("removal_policy = 'mark', removal_after_missing_runs = 1").await;
    (world, job)
}

/// The values of a type by label.
fn values(world: &World, object_type: ObjectType) -> BTreeMap<String, Values> {
    objects(world, object_type).into_iter().map(|(label, object)| (label, object.values)).collect()
}

/// The types of which something is expanded.
const EXPANDED: [ObjectType; 6] = [
    ObjectType::Users,
    ObjectType::Groups,
    ObjectType::Devices,
    ObjectType::Applications,
    ObjectType::AppCredentials,
    ObjectType::ServicePrincipals,
];

fn all(world: &World) -> Vec<BTreeMap<String, Values>> {
    EXPANDED.into_iter().map(|object_type| values(world, object_type)).collect()
}

/// The issuer that the federated credential trusts.
fn issuer(world: &World) -> String {
    found(world, ObjectType::AppCredentials, FEDERATED).values.remove("Issuer").unwrap_or_default().concat()
}

fn set_issuer(world: &World, issuer: &str) {
    let application = named(world, APPLICATIONS, WITH_FEDERATED);
    let mut list = application.properties["federatedIdentityCredentials"].clone();
    list[0]["issuer"] = json!(issuer);
    let change = Map::from_iter([("federatedIdentityCredentials".to_owned(), list)]);
    assert!(world.graph.change(|directory| directory.set_record(APPLICATIONS, application.id, change)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_where_a_server_refuses_to_expand() {
    for status in [400, 404, 501] {
        let (world, job) = begin().await;
        let before = all(&world);
        let has_owner = |values: &Values| values.get("Owners").is_some_and(|owners| !owners.is_empty());
        assert!(
            EXPANDED
                .iter()
                .skip(2)
                .zip(&before[2..])
                .all(|(of, values)| { *of == ObjectType::AppCredentials || values.values().any(has_owner) })
        );
        world.graph.refuse(Feature::Expand, Some(status));
        for mode in [RunMode::Full, RunMode::Incremental] {
            let run = world.run(job, mode).await;
            assert_eq!(state(&run), "succeeded", "{status} {mode}: {:?} {}", run.error, run.warnings);
            assert_eq!(all(&world), before, "{status} {mode}: {}", run.warnings);
        }
        set_issuer(&world, "https://elsewhere.contoso.example");
        let run = world.run(job, RunMode::Full).await;
        let told = run.warnings.to_string();
        assert!(told.contains("owners of applications; they are read one by one"), "{told}");
        assert!(told.contains("`federatedIdentityCredentials` of applications; they are read one by one"), "{told}");
        assert_eq!(issuer(&world), "https://elsewhere.contoso.example", "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_really_went_is_marked_alone() {
    let (world, job) = begin().await;
    world.graph.refuse(Feature::Expand, Some(501));
    let application = named(&world, APPLICATIONS, WITH_FEDERATED);
    let none = Map::from_iter([("federatedIdentityCredentials".to_owned(), json!([]))]);
    assert!(world.graph.change(|directory| directory.set_record(APPLICATIONS, application.id, none)));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(run.counts["appCredentials"]["marked"], 1, "{}", run.counts);
    let credential = found(&world, ObjectType::AppCredentials, FEDERATED).values;
    assert_eq!(credential["Lifecycle"], ["Removed"]);
}

/// The server neither expands the list nor has it under a path of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_nobody_can_read_keeps_what_was_known() {
    for status in [400, 404, 501] {
        let (world, job) = begin().await;
        let before = values(&world, ObjectType::AppCredentials);
        world.graph.refuse(Feature::Expand, Some(status));
        let refused =
            Fault::on("/v1.0/applications/", Action::status(status)).containing("/federatedIdentityCredentials");
        world.graph.add_fault(refused.times(0));
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "succeeded", "{status}: {:?} {}", run.error, run.warnings);
        assert!(run.warnings.to_string().contains("neither expands nor lists"), "{status}: {}", run.warnings);
        assert_eq!(values(&world, ObjectType::AppCredentials), before, "{status}");
        assert_eq!(run.counts["appCredentials"]["missing"], 0, "{status}: {}", run.counts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_while_lists_are_read_one_by_one_ends_exact() {
    for after in [1, 2, 3] {
        let (world, job) = begin().await;
        world.graph.refuse(Feature::Expand, Some(501));
        set_issuer(&world, "https://elsewhere.contoso.example");
        let before = values(&world, ObjectType::AppCredentials).len();
        world.graph.reset_counters();
        let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
        let asked =
            || world.graph.requests().iter().filter(|request| request.path.starts_with("/v1.0/applications")).count();
        world.step_and_die(|| asked() >= after).await;
        let run = world.bring_to_its_end(id).await;
        assert_eq!(state(&run), "succeeded", "{after}: {:?} {}", run.error, run.warnings);
        assert_eq!(issuer(&world), "https://elsewhere.contoso.example", "{after}");
        assert_eq!(run.counts["appCredentials"]["missing"], 0, "{after}: {}", run.counts);
        assert_eq!(values(&world, ObjectType::AppCredentials).len(), before, "{after}");
    }
}
