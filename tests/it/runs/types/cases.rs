//! What becomes of the objects of each type that is read from a list of records, whatever happens.

use super::*;

/// One of the types that the table of cases is about.
struct Kind {
    object_type: ObjectType,
    /// Where its objects come from.
    path: &'static str,
    permission: &'static str,
    /// A property, its attribute in Assets.
    property: (&'static str, &'static str),
}

const KINDS: [Kind; 5] = [
    Kind {
        object_type: ObjectType::Applications,
        path: APPLICATIONS,
        permission: "Application.Read.All",
        property: ("notes", "Notes"),
    },
    Kind {
        object_type: ObjectType::ServicePrincipals,
        path: PRINCIPALS,
        permission: "Application.Read.All",
        property: ("notes", "Notes"),
    },
    Kind {
        object_type: ObjectType::Roles,
        path: ROLES,
        permission: "RoleManagement.Read.Directory",
        property: ("description", "Description"),
    },
    Kind {
        object_type: ObjectType::AdministrativeUnits,
        path: UNITS,
        permission: "AdministrativeUnit.Read.All",
        property: ("description", "Description"),
    },
    Kind {
        object_type: ObjectType::IntuneDevices,
        path: MANAGED,
        permission: "DeviceManagementManagedDevices.Read.All",
        property: ("notes", "Notes"),
    },
];

/// Only this type and users, with all attributes.
async fn begin(kind: &Kind) -> (World, JobId) {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    world.set_destination("missing_objects = 'ignore'").await;
    let mut objects = json!({"groups": {"enabled": false}, "licenses": {"enabled": false}});
    objects[kind.object_type.as_str()] = everything()[kind.object_type.as_str()].clone();
    let job = world.add_job_with(objects).await;
    world.set_job("brake_percent = 100").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
    (world, job)
}

fn identity(kind: &Kind) -> &'static str {
    attributes(kind.object_type).iter().find(|attribute| attribute.is_identity()).unwrap().name.as_ref()
}

/// The objects of the type in Assets, by id.
fn by_id(world: &World, kind: &Kind) -> BTreeMap<String, Values> {
    let all = world.assets.objects(kind.object_type.spec().type_name).into_iter();
    all.map(|object| (object.values[identity(kind)][0].clone(), object.values)).collect()
}

/// A record is changed, another deleted. Their ids.
fn change(world: &World, kind: &Kind) -> (Uuid, Uuid) {
    world.graph.change(|directory| {
        let ids: Vec<Uuid> = directory.records(kind.path).iter().map(|record| record.id).collect();
        let text = Map::from_iter([(kind.property.0.to_owned(), json!("Moved to the second floor"))]);
        assert!(directory.set_record(kind.path, ids[0], text) && directory.delete_record(kind.path, ids[1]));
        (ids[0], ids[1])
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_and_what_goes_arrives_with_every_kind_of_run() {
    for kind in &KINDS {
        for mode in [RunMode::Full, RunMode::Incremental] {
            let (world, job) = begin(kind).await;
            world.set_job("removal_policy = 'mark', removal_after_missing_runs = 1").await;
            let (changed, gone) = change(&world, kind);
            let run = world.run(job, mode).await;
            let of = &run.counts[kind.object_type.as_str()];
            assert_eq!(state(&run), "succeeded", "{} {mode}: {:?} {}", kind.object_type, run.error, run.warnings);
            assert_eq!((&of["marked"], &of["missing"]), (&json!(1), &json!(1)), "{} {mode}: {of}", kind.object_type);
            let now = by_id(&world, kind);
            let values = &now[&changed.to_string()];
            assert_eq!(values[kind.property.1], ["Moved to the second floor"], "{} {mode}", kind.object_type);
            assert_eq!(now[&gone.to_string()]["Lifecycle"], ["Removed"], "{} {mode}", kind.object_type);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_lost_freezes_the_type_alone() {
    for kind in &KINDS {
        let (world, job) = begin(kind).await;
        let before = by_id(&world, kind);
        change(&world, kind);
        let arrived = world.graph.change(|directory| directory.add_user(Map::new()));
        grant_all_but(&world, kind.permission);
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "degraded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        let told = run.warnings.to_string();
        assert!(told.contains("capability_lost") && told.contains(kind.permission), "{}: {told}", kind.object_type);
        assert_eq!(by_id(&world, kind), before, "{}", kind.object_type);
        let users = world.assets.objects("Entra User");
        assert!(users.iter().any(|user| user.values["Object ID"] == [arrived.to_string()]), "users go on");
        grant_all_but(&world, "");
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        assert_ne!(by_id(&world, kind), before, "{}", kind.object_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_read_delivers_nothing_and_a_type_that_is_off_is_left_alone() {
    for kind in &KINDS {
        let (world, job) = begin(kind).await;
        let before = by_id(&world, kind);
        change(&world, kind);
        let broken = Fault::on(format!("/v1.0/{}", kind.path), Action::status(400)).times(0);
        world.graph.add_fault(broken);
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "failed", "{}: {}", kind.object_type, run.warnings);
        assert_eq!(by_id(&world, kind), before, "{}", kind.object_type);
        world.graph.clear_faults();
        world.set_job(r#"objects = '{"groups": {"enabled": false}, "licenses": {"enabled": false}}'"#).await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        assert_eq!(by_id(&world, kind), before, "{}", kind.object_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_request_for_a_type_ends_exact() {
    for kind in &KINDS {
        for after in [1, 2] {
            let (world, job) = begin(kind).await;
            let (changed, _) = change(&world, kind);
            world.graph.reset_counters();
            let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
            let path = format!("/v1.0/{}", kind.path);
            let asked = || world.graph.requests().iter().filter(|request| request.path.starts_with(&path)).count();
            world.step_and_die(|| asked() >= after).await;
            let run = world.bring_to_its_end(id).await;
            assert_eq!(state(&run), "succeeded", "{} {after}: {:?} {}", kind.object_type, run.error, run.warnings);
            let values = &by_id(&world, kind)[&changed.to_string()];
            assert_eq!(values[kind.property.1], ["Moved to the second floor"], "{} {after}", kind.object_type);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_missing_objects_of_any_type_wait_for_a_person() {
    for kind in &KINDS {
        let (world, job) = begin(kind).await;
        world.set_job("brake_percent = 20").await;
        let before = by_id(&world, kind);
        world.graph.change(|directory| {
            let ids: Vec<Uuid> = directory.records(kind.path).iter().map(|record| record.id).collect();
            ids.iter().skip(1).for_each(|id| assert!(directory.delete_record(kind.path, *id)));
        });
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "awaitingApproval", "{}: {}", kind.object_type, run.warnings);
        assert_eq!(by_id(&world, kind), before, "{}", kind.object_type);
    }
}
