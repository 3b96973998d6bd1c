//! Managers who go, come back, or are not shown yet.

use super::*;

/// What the changes say when a manager went and nobody came is not documented: every form leads to the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_who_is_not_replaced_is_cleared_whatever_the_changes_say() {
    for cleared in [ClearedManager::RemovedEntry, ClearedManager::EmptyList, ClearedManager::Nothing] {
        for expand in [None, Some(400)] {
            let (world, job) = world().await;
            world.graph.set_cleared_manager(cleared);
            let (user, manager) = world.graph.read(|directory| directory.manager_edges()[5]);
            let other = world.graph.read(|directory| directory.manager_edges()[9].0);
            world.graph.change(|directory| {
                directory.set_manager(user, None).unwrap();
                // Of somebody else only something else changed.
                directory.update(other, map(&json!({"jobTitle": "Astronomer"}))).unwrap();
            });
            world.graph.refuse(Feature::Expand, expand);
            let run = world.run(job, RunMode::Incremental).await;
            assert_eq!(run.state.as_str(), "succeeded", "{cleared:?} {expand:?}: {:?}", run.error);
            world.assert_exact(&format!("{cleared:?} {expand:?}"));
            world.graph.change(|directory| directory.set_manager(user, Some(manager)).unwrap());
            world.run(job, RunMode::Incremental).await;
            world.assert_exact(&format!("{cleared:?} {expand:?}, and back"));
        }
    }
}

/// Whether the changes report the reports of somebody who was restored is not documented.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_or_owner_who_is_restored_is_found_by_everybody_who_was_read_meanwhile() {
    let (world, job) = world().await;
    world.graph.set_silent_deletions(true);
    let (manager, owner) = world.graph.change(|directory| {
        let manager = directory.manager_edges()[0].1;
        let owner = directory.owner_edges().into_iter().find(|(_, owner)| *owner != manager).unwrap().1;
        directory.delete(manager).unwrap();
        directory.delete(owner).unwrap();
        (manager, owner)
    });
    // Read while they are in the recycle bin.
    assert_eq!(world.run(job, RunMode::Full).await.state.as_str(), "succeeded");
    world.assert_exact("in the recycle bin");
    world.graph.change(|directory| {
        directory.restore(manager).unwrap();
        directory.restore(owner).unwrap();
    });
    assert_followed(&world, job, "restored").await;
}

/// A user whose manager cannot be read yet keeps the one that is known, and is asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_who_cannot_be_asked_for_yet_stays() {
    let (world, job) = world().await;
    let user = world.graph.change(|directory| {
        let user = directory.manager_edges()[3].0;
        directory.update(user, map(&json!({"jobTitle": "Astronomer"}))).unwrap();
        user
    });
    let hidden = Fault::on("/v1.0/users", Action::MissingRow { id: user }).containing("id in").times(1);
    world.graph.add_fault(hidden);
    let run = world.run(job, RunMode::Incremental).await;
    assert_eq!(warnings(&run), BTreeMap::from([("changes_not_readable".to_owned(), 1)]), "{:?}", run.error);
    world.assert_exact("the manager stays");
    assert_followed(&world, job, "again").await;
}
