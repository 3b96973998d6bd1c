//! Custom security attributes of users: on request, with a permission of their own, without which nothing is cleared. The
//! tenant names them, and may name them as Graph names properties.

use super::*;

const PERMISSION: &str = "CustomSecAttributeAssignment.Read.All";

fn grant(world: &World, with: bool) {
    let further = with.then_some(PERMISSION);
    let all: Vec<&str> = PERMISSIONS.into_iter().chain(further).collect();
    world.graph.set_roles(Scenario::Healthy, &all);
}

fn set(world: &World, user: Uuid, value: Value) {
    let changed = Map::from_iter([("customSecurityAttributes".to_owned(), value)]);
    world.graph.change(|directory| directory.update(user, changed).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn security_attributes_arrive_and_stay_when_their_permission_is_lost() {
    let world = World::following(SEED).await;
    grant(&world, true);
    let users: Vec<Uuid> = world.graph.read(|directory| directory.users.iter().map(|user| user.id).take(2).collect());
    set(
        &world,
        users[0],
        json!({"Engineering": {
            "@odata.type": "#microsoft.graph.customSecurityAttributeValue",
            "Project@odata.type": "#Collection(String)", "Project": ["Baker", "Cascade"], "Certified": true,
        }}),
    );
    let keys = ["customSecurityAttributes_Engineering_Project", "customSecurityAttributes_Engineering_Certified"];
    let job = world
        .add_job_with(
            json!({"users": {"attributes": keys}, "groups": {"enabled": false}, "licenses": {"enabled": false}}),
        )
        .await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    let of = |user: Uuid| {
        let all = world.assets.objects("Entra User");
        let found = all.into_iter().find(|object| object.values["Object ID"] == [user.to_string()]).unwrap();
        let value = |name: &str| found.values.get(name).cloned().unwrap_or_default();
        (value("Engineering Project"), value("Engineering Certified"))
    };
    let wanted = (vec!["Baker, Cascade".to_owned()], vec!["true".to_owned()]);
    assert_eq!((of(users[0]), of(users[1])), (wanted.clone(), (vec![], vec![])));
    // Without the permission Graph says null, which is not taken for empty.
    grant(&world, false);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "degraded", "{:?} {}", run.error, run.warnings);
    let told = run.warnings.to_string();
    assert!(told.contains("values_hidden") && told.contains(PERMISSION), "{told}");
    assert_eq!(of(users[0]), wanted);
    // An incremental run asks delta for nothing that it does not carry, and leaves them.
    let renamed = Map::from_iter([("displayName".to_owned(), json!("Renamed"))]);
    world.graph.change(|directory| directory.update(users[0], renamed).unwrap());
    let run = world.run(job, RunMode::Incremental).await;
    assert_ne!(state(&run), "failed", "{:?} {}", run.error, run.warnings);
    assert_eq!(of(users[0]), wanted);
    // With the permission an empty value is one.
    grant(&world, true);
    set(&world, users[0], Value::Null);
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    assert_eq!(of(users[0]), (vec![], vec![]));
}

/// A job whose users have an attribute with this name in the set `HR`.
async fn job_with(world: &World, name: &str) -> JobId {
    grant(world, true);
    let keys = [format!("customSecurityAttributes_HR_{name}"), "userPrincipalName".to_owned()];
    world.add_job_with(json!({"users": {"attributes": keys}})).await
}

fn users(world: &World) -> Vec<Uuid> {
    world.graph.read(|directory| directory.live_users().map(|(_, user)| user.id).collect())
}

fn values(world: &World, user: Uuid, name: &str) -> Vec<String> {
    let values = &world.store()[&("Entra User", user.to_string())];
    values.get(name).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_with_the_name_of_the_manager_hide_no_manager_who_goes() {
    let world = World::with(SEED, AssetsOptions::default()).await;
    world.assets.configure(|behaviour| behaviour.empty_values = EmptyValues::Remove);
    world.set_destination("missing_objects = 'ignore', empty_values = 'remove'").await;
    let users = users(&world);
    let (manager, another) = (users[0], users[1]);
    let reports = [(users[2], json!("E123")), (users[3], json!(another)), (users[4], json!([another, "E-4"]))];
    for (user, value) in &reports {
        set(&world, *user, json!({"HR": {"managerId": value}}));
        let _ = world.graph.change(|directory| directory.set_manager(*user, Some(manager)));
    }
    let job = job_with(&world, "managerId").await;
    world.set_job("deliver = 'changes', brake_percent = 100").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    reports.iter().for_each(|(user, _)| assert!(!values(&world, *user, "Manager").is_empty(), "{user}"));
    // No change tells of those whom she managed.
    world.graph.set_silent_deletions(true);
    world.graph.change(|directory| directory.delete(manager).unwrap());
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    let followed = world.text("SELECT count(*) FROM run_events WHERE data::text LIKE '%Comparing what changed%'").await;
    assert_eq!(followed, "1", "it compared what was touched");
    reports.iter().for_each(|(user, _)| assert!(values(&world, *user, "Manager").is_empty(), "{user}"));
    // A comparison of everything finds nothing more.
    let run = world.run(job, RunMode::Full).await;
    assert_eq!((&run.counts["users"]["updated"], &run.counts["users"]["created"]), (&json!(0), &json!(0)));
    // Links follow what changes: a manager who comes, and one who goes again.
    for target in [Some(another), None] {
        world.graph.change(|directory| directory.set_manager(users[2], target).unwrap());
        let run = world.run(job, RunMode::Incremental).await;
        assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
        assert_eq!(values(&world, users[2], "Manager").is_empty(), target.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_with_the_name_of_the_manager_shows_nobody_that_a_list_has_managers() {
    let world = World::following(SEED).await;
    set(&world, users(&world)[0], json!({"HR": {"managerId": "E123"}}));
    let job = job_with(&world, "managerId").await;
    // The lists ignore `$expand`.
    let nobody = Map::from_iter([("manager".to_owned(), Value::Null)]);
    world.graph.add_fault(Fault::on("/v1.0/users", Action::EveryRow { set: nobody }).exactly().times(0));
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    let managers = world.assets.counts().references["Entra User"]["Manager"] as u64;
    assert_eq!(managers, world.graph.truth().managers);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attribute_with_the_name_of_a_property_does_not_let_it_be_cleared() {
    let world = World::following(SEED).await;
    let user = users(&world)[0];
    set(
        &world,
        user,
        json!({"HR": {"userPrincipalName": "one of {\"HR\": }{ \"2\"}"}, "IT": {"userPrincipalName": ""}}),
    );
    let job = job_with(&world, "userPrincipalName").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(state(&run), "succeeded", "{:?} {}", run.error, run.warnings);
    let before = values(&world, user, "User Principal Name");
    assert_eq!(before.len(), 1);
    let nothing = Map::from_iter([("userPrincipalName".to_owned(), Value::Null)]);
    world.graph.add_fault(Fault::on("/v1.0/users", Action::EveryRow { set: nothing }).exactly().times(0));
    let run = world.run(job, RunMode::Full).await;
    assert!(run.warnings.to_string().contains("implausible_values"), "{:?} {}", run.error, run.warnings);
    assert_eq!(values(&world, user, "User Principal Name"), before);
}
