//! References to what is not there: they are left out, and counted.

use super::*;

const ASSIGNMENTS: &str = "roleManagement/directory/roleAssignments";

fn dropped(run: &RunRow, object_type: ObjectType) -> u64 {
    run.counts[object_type.as_str()]["droppedReferences"].as_u64().unwrap_or(0)
}

/// The principals of all assignments that nobody has any more.
fn without_principal(world: &World) -> u64 {
    let principals: BTreeSet<Uuid> = records(world, PRINCIPALS).iter().map(|record| record.id).collect();
    let is_there = |id: Uuid| principals.contains(&id) || world.graph.read(|directory| directory.find(id)).is_some();
    let pairs: BTreeSet<(String, Uuid)> = records(world, ASSIGNMENTS)
        .iter()
        .map(|of| (of.text("roleDefinitionId").to_owned(), Uuid::parse_str(of.text("principalId")).unwrap()))
        .collect();
    let live = |id: Uuid| world.graph.read(|directory| directory.find(id).is_none_or(|found| directory.is_live(found)));
    pairs.iter().filter(|(_, id)| !is_there(*id) || !live(*id)).count() as u64
}

async fn run(world: &World, job: JobId, mode: RunMode) -> RunRow {
    let run = world.run(job, mode).await;
    assert_eq!(state(&run), "succeeded", "{mode}: {:?} {}", run.error, run.warnings);
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_to_principals_that_are_gone_are_counted_by_every_kind_of_run() {
    let (world, job) = delivered().await;
    world.set_job("brake_percent = 100").await;
    let full = run(&world, job, RunMode::Full).await;
    assert_eq!((dropped(&full, ObjectType::Roles), without_principal(&world)), (1, 1), "{}", full.counts);
    // The assignment outlives the user.
    let gone = Uuid::parse_str(&user(&world, 0)).unwrap();
    world.graph.change(|directory| directory.delete(gone)).unwrap();
    for mode in [RunMode::Incremental, RunMode::Full] {
        let run = run(&world, job, mode).await;
        assert_eq!((dropped(&run, ObjectType::Roles), without_principal(&world)), (2, 2), "{mode}: {}", run.counts);
        let administrators = found(&world, ObjectType::Roles, "Global Administrator").values;
        assert_eq!(administrators["Members"], [user(&world, 1)], "{mode}");
    }
    let left = records(&world, ASSIGNMENTS).into_iter().find(|of| of.text("principalId") == gone.to_string()).unwrap();
    assert!(world.graph.change(|directory| directory.delete_record(ASSIGNMENTS, left.id)));
    for mode in [RunMode::Incremental, RunMode::Full] {
        let run = run(&world, job, mode).await;
        assert_eq!((dropped(&run, ObjectType::Roles), without_principal(&world)), (1, 1), "{mode}: {}", run.counts);
    }
}

/// The principal may be of the type that is not imported.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_of_a_type_that_is_off_is_not_counted() {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    let mut objects = everything();
    objects["servicePrincipals"] = json!({"enabled": false});
    let job = world.add_job_with(objects).await;
    let run = run(&world, job, RunMode::Full).await;
    assert_eq!(dropped(&run, ObjectType::Roles), 0, "{}", run.counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_user_and_a_licence_that_do_not_exist_are_counted() {
    let (world, job) = delivered().await;
    let before = run(&world, job, RunMode::Full).await;
    let (device, nobody) = (records(&world, MANAGED)[0].id, Uuid::from_u128(0xDE1E_7ED1).to_string());
    world.graph.change(|directory| {
        let primary = Map::from_iter([("userId".to_owned(), json!(nobody))]);
        assert!(directory.set_record(MANAGED, device, primary));
        let unknown =
            Map::from_iter([("assignedLicenses".to_owned(), json!([{"skuId": nobody, "disabledPlans": []}]))]);
        let user = directory.users[6].id;
        directory.update(user, unknown).unwrap();
    });
    for mode in [RunMode::Incremental, RunMode::Full] {
        let after = run(&world, job, mode).await;
        for object_type in [ObjectType::IntuneDevices, ObjectType::Users] {
            let number = dropped(&before, object_type) + 1;
            assert_eq!(dropped(&after, object_type), number, "{mode} {object_type}: {}", after.counts);
        }
    }
}
