//! What becomes of the objects of each type, whatever happens: one table of cases.

use super::kinds::{Changed, KINDS, Kind};
use super::*;
use entra_assets::directory::Item;
use entra_assets::sim::graph::RequestRecord;

/// The types of the job: this one, the one that goes on, and users where their values are the objects.
fn imported(kind: &Kind) -> Vec<ObjectType> {
    let mut imported = vec![kind.object_type, kind.companion];
    if matches!(kind.object_type.spec().collection.item, Item::Values) {
        imported.push(ObjectType::Users);
    }
    imported
}

/// Only these types, with all attributes of those that are off by default.
fn only(imported: &[ObjectType]) -> Value {
    let all = everything();
    let choice = |of: ObjectType| match imported.contains(&of) {
        true => (of.to_string(), all[of.as_str()].clone()),
        false => (of.to_string(), json!({"enabled": false})),
    };
    Value::Object(ObjectType::ALL.into_iter().map(choice).collect())
}

async fn begin(kind: &Kind) -> (World, JobId) {
    let world = World::following(SEED).await;
    grant_all_but(&world, "");
    world.set_destination("missing_objects = 'ignore'").await;
    let job = world.add_job_with(only(&imported(kind))).await;
    world.set_job("brake_percent = 100").await;
    let run = world.run(job, RunMode::Full).await;
    assert_eq!(run.state.as_str(), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
    (world, job)
}

/// An object of the type that goes on comes. Its id.
fn arrive(world: &World, companion: ObjectType) -> Uuid {
    world.graph.change(|directory| match companion {
        ObjectType::Groups => directory.add_group("Newcomers", GroupKind::Security),
        _ => directory.add_user(Map::new()),
    })
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
        let newcomer = arrive(&world, kind.companion);
        match kind.permission {
            "" => world.graph.add_fault(Fault::on(format!("/v1.0/{}", kind.path), Action::status(403)).times(0)),
            permission => grant_all_but(&world, permission),
        }
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "degraded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        let told = run.warnings.to_string();
        assert!(told.contains("capability_lost") && told.contains(kind.permission), "{}: {told}", kind.object_type);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
        let others = world.assets.objects(kind.companion.spec().type_name);
        assert!(
            others.iter().any(|object| object.values["Object ID"] == [newcomer.to_string()]),
            "{}",
            kind.object_type
        );
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
        let path = format!("/v1.0/{}", kind.path);
        world.graph.add_fault(Fault::on(&path, Action::status(400)).exactly().times(0));
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "failed", "{}: {}", kind.object_type, run.warnings);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
        world.graph.clear_faults();
        let before = by_label(&world, kind);
        let others: Vec<ObjectType> = imported(kind).into_iter().filter(|of| *of != kind.object_type).collect();
        world.set_job(&format!("objects = '{}'", only(&others))).await;
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_breaks_on_a_later_page_delivers_nothing() {
    let mut broken = Vec::new();
    for kind in &KINDS {
        let (world, job) = begin(kind).await;
        let before = by_label(&world, kind);
        (kind.change)(&world);
        world.graph.set_max_page_size(3);
        let path = format!("/v1.0/{}", kind.path);
        world.graph.add_fault(Fault::on(&path, Action::status(500)).exactly().containing("$skiptoken").times(0));
        world.graph.reset_counters();
        let run = world.run(job, RunMode::Full).await;
        let is_later = |request: &RequestRecord| request.path == path && request.query.contains("$skiptoken");
        if !world.graph.requests().iter().any(is_later) {
            assert_eq!(state(&run), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
            continue;
        }
        assert_eq!(state(&run), "failed", "{}: {}", kind.object_type, run.warnings);
        assert_eq!(by_label(&world, kind), before, "{}", kind.object_type);
        broken.push(kind.object_type);
    }
    assert!(broken.len() >= KINDS.len() / 2, "only {broken:?} have a second page");
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

/// By the policy `remove`, through the object API.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_is_removed_where_the_policy_says_so() {
    for kind in &KINDS {
        let (world, job) = begin(kind).await;
        world.give_object_api().await;
        world.set_job("removal_policy = 'remove', removal_after_missing_runs = 1").await;
        let Changed { gone, .. } = (kind.change)(&world);
        let before: BTreeSet<String> = by_label(&world, kind).into_keys().collect();
        let run = world.run(job, RunMode::Full).await;
        assert_eq!(state(&run), "succeeded", "{}: {:?} {}", kind.object_type, run.error, run.warnings);
        let removed = &run.counts[kind.object_type.as_str()]["removed"];
        assert_eq!(*removed, u64::from(gone.is_some()), "{}: {removed}", kind.object_type);
        let now: BTreeSet<String> = by_label(&world, kind).into_keys().collect();
        assert_eq!(before.difference(&now).cloned().collect::<Vec<_>>(), Vec::from_iter(gone), "{}", kind.object_type);
    }
}

#[test]
fn the_table_has_every_type() {
    let is_missing = |of: &ObjectType| !KINDS.iter().any(|kind| kind.object_type == *of);
    let missing = ObjectType::ALL.into_iter().filter(is_missing);
    let missing: Vec<ObjectType> = missing.filter(|of| !matches!(of.spec().collection.item, Item::Values)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
