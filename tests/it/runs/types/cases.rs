//! What becomes of the objects of each type beside users and groups, whatever happens: one table of cases.

use super::*;

const PLANS: &str = "subscribedSkus/servicePlans";
const ORGANIZATION: &str = "organization";

/// One of the types that the table of cases is about.
struct Kind {
    object_type: ObjectType,
    /// Where its objects come from.
    path: &'static str,
    permission: &'static str,
    /// Changes an object and takes another away.
    change: fn(&World) -> Changed,
    /// Takes nearly all objects away.
    empty: fn(&World),
}

/// What was changed, by labels.
struct Changed {
    label: String,
    /// The attribute that has this value now.
    attribute: &'static str,
    value: &'static str,
    /// Nothing, where there is only one object.
    gone: Option<String>,
}

const MOVED: &str = "Moved to the second floor";

/// Changes the first record of a list, and deletes the second.
fn change_records(world: &World, path: &'static str, property: &'static str, attribute: &'static str) -> Changed {
    let name = |record: &Record| match record.text("displayName") {
        "" => record.text("deviceName").to_owned(),
        name => name.to_owned(),
    };
    let (first, second) = (&records(world, path)[0], &records(world, path)[1]);
    world.graph.change(|directory| {
        let text = Map::from_iter([(property.to_owned(), json!(MOVED))]);
        assert!(directory.set_record(path, first.id, text) && directory.delete_record(path, second.id));
    });
    Changed { label: name(first), attribute, value: MOVED, gone: Some(name(second)) }
}

fn empty_records(world: &World, path: &'static str) {
    world.graph.change(|directory| {
        let ids: Vec<Uuid> = directory.records(path).iter().map(|record| record.id).collect();
        ids.iter().skip(1).for_each(|id| assert!(directory.delete_record(path, *id)));
    });
}

/// Gives the application with hundreds of secrets these.
fn set_secrets(world: &World, change: impl FnOnce(&mut Vec<Value>)) {
    let backup = named(world, APPLICATIONS, "Backup runner");
    let mut secrets = backup.properties["passwordCredentials"].as_array().unwrap().clone();
    change(&mut secrets);
    let changed = Map::from_iter([("passwordCredentials".to_owned(), json!(secrets))]);
    assert!(world.graph.change(|directory| directory.set_record(APPLICATIONS, backup.id, changed)));
}

fn change_credentials(world: &World) -> Changed {
    set_secrets(world, |secrets| {
        secrets[3]["hint"] = json!("moved");
        secrets.remove(6);
    });
    Changed {
        label: "Backup runner: secret 4".to_owned(),
        attribute: "Hint",
        value: "moved",
        gone: Some("Backup runner: secret 7".to_owned()),
    }
}

fn change_plans(world: &World) -> Changed {
    let (first, second) = (&records(world, PLANS)[0], &records(world, PLANS)[1]);
    world.graph.change(|directory| {
        let changed = Map::from_iter([("appliesTo".to_owned(), json!("Company"))]);
        assert!(directory.set_record(PLANS, first.id, changed) && directory.delete_record(PLANS, second.id));
    });
    let name = |plan: &Record| plan.text("servicePlanName").to_owned();
    Changed { label: name(first), attribute: "Applies To", value: "Company", gone: Some(name(second)) }
}

fn change_tenant(world: &World) -> Changed {
    let changed = Map::from_iter([("countryLetterCode".to_owned(), json!("PT"))]);
    assert!(world.graph.change(|directory| directory.set_record(ORGANIZATION, Uuid::nil(), changed)));
    let label = world.assets.objects("Entra Tenant").remove(0).label;
    Changed { label, attribute: "Country", value: "PT", gone: None }
}

const KINDS: [Kind; 8] = [
    Kind {
        object_type: ObjectType::Applications,
        path: APPLICATIONS,
        permission: "Application.Read.All",
        change: |world| change_records(world, APPLICATIONS, "notes", "Notes"),
        empty: |world| empty_records(world, APPLICATIONS),
    },
    Kind {
        object_type: ObjectType::AppCredentials,
        path: APPLICATIONS,
        permission: "Application.Read.All",
        change: change_credentials,
        empty: |world| set_secrets(world, Vec::clear),
    },
    Kind {
        object_type: ObjectType::ServicePrincipals,
        path: PRINCIPALS,
        permission: "Application.Read.All",
        change: |world| change_records(world, PRINCIPALS, "notes", "Notes"),
        empty: |world| empty_records(world, PRINCIPALS),
    },
    Kind {
        object_type: ObjectType::Roles,
        path: ROLES,
        permission: "RoleManagement.Read.Directory",
        change: |world| change_records(world, ROLES, "description", "Description"),
        empty: |world| empty_records(world, ROLES),
    },
    Kind {
        object_type: ObjectType::AdministrativeUnits,
        path: UNITS,
        permission: "AdministrativeUnit.Read.All",
        change: |world| change_records(world, UNITS, "description", "Description"),
        empty: |world| empty_records(world, UNITS),
    },
    Kind {
        object_type: ObjectType::IntuneDevices,
        path: MANAGED,
        permission: "DeviceManagementManagedDevices.Read.All",
        change: |world| change_records(world, MANAGED, "notes", "Notes"),
        empty: |world| empty_records(world, MANAGED),
    },
    Kind {
        object_type: ObjectType::ServicePlans,
        path: "subscribedSkus",
        permission: "LicenseAssignment.Read.All",
        change: change_plans,
        empty: |world| empty_records(world, PLANS),
    },
    Kind {
        object_type: ObjectType::Tenants,
        path: ORGANIZATION,
        // What reads users reads the tenant too, so Graph has to refuse it itself.
        permission: "",
        change: change_tenant,
        empty: |_| {},
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

/// The objects of the type in Assets, by label.
fn by_label(world: &World, kind: &Kind) -> BTreeMap<String, Values> {
    objects(world, kind.object_type).into_iter().map(|(label, object)| (label, object.values)).collect()
}

fn arrived(kind: &Kind, now: &BTreeMap<String, Values>, changed: &Changed) {
    let Changed { label, attribute, value, gone } = changed;
    assert_eq!(now[label][*attribute], [(*value).to_owned()], "{} {label}", kind.object_type);
    if let Some(gone) = gone {
        assert_eq!(now[gone]["Lifecycle"], ["Removed"], "{} {gone}", kind.object_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_and_what_goes_arrives_with_every_kind_of_run() {
    for kind in &KINDS {
        for mode in [RunMode::Full, RunMode::Incremental] {
            let (world, job) = begin(kind).await;
            world.set_job("removal_policy = 'mark', removal_after_missing_runs = 1").await;
            let changed = (kind.change)(&world);
            let run = world.run(job, mode).await;
            let of = &run.counts[kind.object_type.as_str()];
            assert_eq!(state(&run), "succeeded", "{} {mode}: {:?} {}", kind.object_type, run.error, run.warnings);
            let (gone, count) = (u64::from(changed.gone.is_some()), |name: &str| of[name].as_u64().unwrap_or(0));
            assert_eq!((count("marked"), count("missing")), (gone, gone), "{} {mode}: {of}", kind.object_type);
            arrived(kind, &by_label(&world, kind), &changed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_lost_freezes_the_type_alone() {
    for kind in &KINDS {
        let (world, job) = begin(kind).await;
        let before = by_label(&world, kind);
        (kind.change)(&world);
        let user = world.graph.change(|directory| directory.add_user(Map::new()));
        match kind.permission {
            "" => world.graph.add_fault(Fault::on(format!("/v1.0/{}", kind.path), Action::status(403)).times(0)),
            permission => grant_all_but(&world, permission),
        }
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "degraded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        let told = run.warnings.to_string();
        assert!(told.contains("capability_lost") && told.contains(kind.permission), "{}: {told}", kind.object_type);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
        let users = world.assets.objects("Entra User");
        assert!(users.iter().any(|object| object.values["Object ID"] == [user.to_string()]), "users go on");
        world.graph.clear_faults();
        grant_all_but(&world, "");
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        assert_ne!(by_label(&world, kind), before, "{}", kind.object_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_read_delivers_nothing_and_a_type_that_is_off_is_left_alone() {
    for kind in &KINDS {
        let (world, job) = begin(kind).await;
        let before = by_label(&world, kind);
        (kind.change)(&world);
        let broken = Fault::on(format!("/v1.0/{}", kind.path), Action::status(400)).times(0);
        world.graph.add_fault(broken);
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "failed", "{}: {}", kind.object_type, run.warnings);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
        world.graph.clear_faults();
        world.set_job(r#"objects = '{"groups": {"enabled": false}, "licenses": {"enabled": false}}'"#).await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_request_for_a_type_ends_exact() {
    for kind in &KINDS {
        for after in [1, 2] {
            let (world, job) = begin(kind).await;
            world.set_job("removal_policy = 'mark', removal_after_missing_runs = 1").await;
            let changed = (kind.change)(&world);
            world.graph.reset_counters();
            let id = world.queue(job, RunMode::Full, RunRequest::default()).await;
            let path = format!("/v1.0/{}", kind.path);
            let asked = || world.graph.requests().iter().filter(|request| request.path.starts_with(&path)).count();
            // A list of one page is asked for once: then the run lives.
            world.step_and_die(|| asked() >= after).await;
            let run = world.bring_to_its_end(id).await;
            assert_eq!(state(&run), "succeeded", "{} {after}: {:?} {}", kind.object_type, run.error, run.warnings);
            arrived(kind, &by_label(&world, kind), &changed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_missing_objects_of_any_type_wait_for_a_person() {
    for kind in KINDS.iter().filter(|kind| kind.object_type != ObjectType::Tenants) {
        let (world, job) = begin(kind).await;
        world.set_job("brake_percent = 20").await;
        let before = by_label(&world, kind);
        (kind.empty)(&world);
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "awaitingApproval", "{}: {}", kind.object_type, run.warnings);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
    }
}
