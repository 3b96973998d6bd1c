//! Custom security attributes of users: on request, with a permission of their own, without which nothing is cleared.

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
