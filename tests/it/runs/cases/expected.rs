//! What a naive reader of the rules expects of a case: what the directory looks like as objects of Assets, what an
//! execution then holds, and what Assets does with the rest.

use super::{Assets, Case, Mode, Scene, Situation, Word};
use crate::support::world::{Store, World};
use entra_assets::run_state::RunMode;
use entra_assets::sim::seed::{Directory, Edges, ObjectKind};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub const BY_HAND: &str = "made-by-hand";

type Key = (&'static str, String);
/// Values by attribute; of the directory only those that the rules are about.
type Values = BTreeMap<String, Vec<String>>;

/// Reference attributes and the type that they lead to.
const REFERENCES: [(&str, &str); 6] = [
    ("Manager", "Entra User"),
    ("Groups", "Entra Group"),
    ("Licenses", "Entra License"),
    ("Parent Groups", "Entra Group"),
    ("Owners", "Entra User"),
    ("Members", "Entra User"),
];

pub struct Outcome {
    pub state: &'static str,
    /// Words that the run has to say.
    pub codes: Vec<&'static str>,
    /// `destination.missingObjects` afterwards.
    pub word: &'static str,
    pub store: BTreeMap<Key, Want>,
}

/// What an object has to look like.
pub enum Want {
    /// All of it as it was.
    Kept(Values),
    /// These attributes so; others were not looked at.
    Delivered(Values),
}

fn targets(edges: &Edges, from: Uuid, within: &BTreeSet<Uuid>) -> Vec<String> {
    let mut found: Vec<String> =
        edges.iter().filter(|(of, to)| *of == from && within.contains(to)).map(|(_, to)| to.to_string()).collect();
    found.sort();
    found
}

fn swapped(edges: Edges) -> Edges {
    edges.into_iter().map(|(from, to)| (to, from)).collect()
}

/// The directory as objects of Assets, as far as the case imports it.
pub fn directory(world: &World, before: &Store, scene: &Scene, case: Case) -> BTreeMap<Key, Values> {
    world.graph.read(|directory| {
        let mut objects = BTreeMap::new();
        let excluded = |id: &Uuid| case.situation == Situation::Narrowed && scene.excluded.contains(id);
        let users: BTreeSet<Uuid> =
            directory.live_users().map(|(_, user)| user.id).filter(|id| !excluded(id)).collect();
        // Of users that may not be read, those can be pointed at that are there already.
        let known = |id: &Uuid| before.contains_key(&("Entra User", id.to_string()));
        let targets: BTreeSet<Uuid> =
            users.iter().copied().filter(|id| case.situation != Situation::UsersLost || known(id)).collect();
        let groups: BTreeSet<Uuid> = directory.live_groups().map(|(_, group)| group.id).collect();
        add_users(directory, scene, case, &users, &groups, &mut objects);
        if case.situation == Situation::GroupsLost {
            keep(before, "Groups", &mut objects);
        }
        add_groups(directory, case, &targets, &groups, &mut objects);
        // What is read are changes, and that an owner is gone is a change of the owner.
        if case.situation == Situation::UsersLost && case.mode.of_run() == RunMode::Incremental {
            keep(before, "Owners", &mut objects);
        }
        let licences = directory.user_license_edges();
        for id in entra_assets::sim::seed::words::SKUS.iter().map(|sku| sku.id) {
            let used = licences.iter().filter(|(_, sku)| *sku == id).count();
            let values = Values::from([("Consumed Units".to_owned(), vec![used.to_string()])]);
            objects.insert(("Entra License", id.to_string()), values);
        }
        objects
    })
}

fn add_users(
    directory: &Directory,
    scene: &Scene,
    case: Case,
    users: &BTreeSet<Uuid>,
    groups: &BTreeSet<Uuid>,
    objects: &mut BTreeMap<Key, Values>,
) {
    let managers = directory.manager_edges();
    let memberships = swapped(directory.member_edges(ObjectKind::User));
    let licences = directory.user_license_edges();
    for (_, user) in directory.live_users().filter(|(_, user)| users.contains(&user.id)) {
        let lifecycle = if user.enabled { "Active" } else { "Disabled" };
        let mut values = Values::from([
            ("Manager".to_owned(), targets(&managers, user.id, users)),
            ("Groups".to_owned(), targets(&memberships, user.id, groups)),
            ("Lifecycle".to_owned(), vec![lifecycle.to_owned()]),
        ]);
        if case.situation != Situation::TypeOff {
            let all = licences.iter().map(|(_, sku)| *sku).collect();
            values.insert("Licenses".to_owned(), targets(&licences, user.id, &all));
        }
        if user.id == scene.changed {
            values.insert("Job Title".to_owned(), vec!["Astronomer".to_owned()]);
        }
        objects.insert(("Entra User", user.id.to_string()), values);
    }
}

/// References that may not be read stay as they are in Assets; who arrives has none.
fn keep(before: &Store, attribute: &str, objects: &mut BTreeMap<Key, Values>) {
    for (key, values) in objects {
        if let Some(found) = values.get_mut(attribute) {
            *found = before.get(key).and_then(|values| values.get(attribute)).cloned().unwrap_or_default();
        }
    }
}

fn add_groups(
    directory: &Directory,
    case: Case,
    users: &BTreeSet<Uuid>,
    groups: &BTreeSet<Uuid>,
    objects: &mut BTreeMap<Key, Values>,
) {
    let parents = swapped(directory.member_edges(ObjectKind::Group));
    let owners = directory.owner_edges();
    let licences = directory.group_license_edges();
    for (_, group) in directory.live_groups() {
        let mut values = Values::from([
            ("Parent Groups".to_owned(), targets(&parents, group.id, groups)),
            ("Owners".to_owned(), targets(&owners, group.id, users)),
            ("Lifecycle".to_owned(), vec!["Active".to_owned()]),
        ]);
        if case.situation != Situation::TypeOff {
            let all = licences.iter().map(|(_, sku)| *sku).collect();
            values.insert("Licenses".to_owned(), targets(&licences, group.id, &all));
        }
        objects.insert(("Entra Group", group.id.to_string()), values);
    }
}

/// What the rules make of a case.
pub fn outcome(case: Case, before: &Store, directory: &BTreeMap<Key, Values>) -> Outcome {
    let as_before = || before.iter().map(|(key, values)| (key.clone(), Want::Kept(values.clone()))).collect();
    let nothing_sent = |state, codes| Outcome { state, codes, word: case.word.as_str(), store: as_before() };
    // Nothing is delivered from a read that did not come to its end.
    if case.situation == Situation::Partial {
        return nothing_sent("failed", vec!["collect"]);
    }
    // A test begins with users: there is nothing else to try.
    if case.mode == Mode::Test && case.situation == Situation::UsersLost {
        return nothing_sent("failed", vec!["graph_forbidden"]);
    }
    // A test sends a part. Unless Assets ignores the rest, that would make it act on all of it.
    if case.mode == Mode::Test && case.word != Word::Ignore {
        return nothing_sent("failed", vec!["test_would_remove"]);
    }
    let lost = matches!(case.situation, Situation::LicensesLost | Situation::UsersLost | Situation::GroupsLost);
    let codes = if lost { vec!["capability_lost"] } else { Vec::new() };
    if case.mode == Mode::DryRun {
        return nothing_sent(if lost { "degraded" } else { "succeeded" }, codes);
    }
    delivered(case, before, directory, codes)
}

/// What an execution holds, and what Assets does with the rest.
fn delivered(case: Case, before: &Store, directory: &BTreeMap<Key, Values>, mut codes: Vec<&'static str>) -> Outcome {
    let mut store: BTreeMap<Key, Want> = BTreeMap::new();
    for (key, values) in directory.iter().filter(|(key, _)| !is_frozen(case, key)) {
        if is_sent(case, before.get(key), key, values) {
            store.insert(key.clone(), Want::Delivered(values.clone()));
        }
    }
    let mut acts = false;
    for (key, values) in before {
        if store.contains_key(key) {
            continue;
        }
        let repeated = key.1 != BY_HAND && is_repeated(case, key, directory.contains_key(key));
        let mut values = values.clone();
        match case.assets {
            Assets::Update if !repeated => {
                acts = true;
                values.insert("Lifecycle".to_owned(), vec!["Removed".to_owned()]);
            }
            Assets::Remove if !repeated => {
                acts = true;
                continue;
            }
            Assets::Ignore | Assets::Update | Assets::Remove | Assets::RemoveAfterTwo => {}
        }
        store.insert(key.clone(), Want::Kept(values));
    }
    let mut word = case.word.as_str();
    if acts {
        codes.push("missing_objects_observed");
        word = if case.assets == Assets::Update { "update" } else { "remove" };
    }
    drop_dangling(&mut store);
    Outcome { state: if codes.is_empty() { "succeeded" } else { "degraded" }, codes, word, store }
}

/// Objects of a type that is switched off, or that may not be read, stay as they are.
fn is_frozen(case: Case, key: &Key) -> bool {
    match case.situation {
        Situation::TypeOff | Situation::LicensesLost => key.0 == "Entra License",
        Situation::UsersLost => key.0 == "Entra User",
        Situation::GroupsLost => key.0 == "Entra Group",
        Situation::Complete | Situation::Partial | Situation::Narrowed => false,
    }
}

/// Whether every object in scope is in the execution.
fn sends_everything(case: Case) -> bool {
    case.word != Word::Ignore || case.mode.delivers_all()
}

/// An object of the directory: always when it is new or changed.
fn is_sent(case: Case, before: Option<&Values>, key: &Key, values: &Values) -> bool {
    let Some(before) = before else { return true };
    // A test knows only some members of a group, so it leaves alone those that are there.
    if case.mode == Mode::Test && key.0 == "Entra Group" {
        return false;
    }
    // Nor does it know the groups of users that it may not read.
    if case.mode == Mode::Test && key.0 == "Entra User" && case.situation == Situation::GroupsLost {
        return false;
    }
    // Another selection gives every object another meaning.
    let is_changed = case.situation == Situation::TypeOff
        || values.iter().any(|(name, values)| before.get(name).cloned().unwrap_or_default() != *values);
    is_changed || sends_everything(case)
}

/// An object that was delivered and is not read now: sent as it was, so that Assets does not miss it, unless
/// Assets is meant to act on it.
fn is_repeated(case: Case, key: &Key, in_directory: bool) -> bool {
    if !sends_everything(case) || case.mode == Mode::Test {
        return false;
    }
    is_frozen(case, key) || (!in_directory && matches!(case.word, Word::Unknown | Word::Ignore))
}

/// A reference is gone with the object that it leads to.
fn drop_dangling(store: &mut BTreeMap<Key, Want>) {
    let keys: BTreeSet<Key> = store.keys().cloned().collect();
    for want in store.values_mut() {
        let (Want::Kept(values) | Want::Delivered(values)) = want;
        for (name, target) in REFERENCES {
            if let Some(ids) = values.get_mut(name) {
                ids.retain(|id| keys.contains(&(target, id.clone())));
            }
        }
        if let Want::Kept(values) = want {
            values.retain(|_, values| !values.is_empty());
        }
    }
}

pub fn compare(found: &Store, wanted: &BTreeMap<Key, Want>) -> Result<(), String> {
    if let Some(key) = found.keys().find(|key| !wanted.contains_key(*key)) {
        return Err(format!("{key:?} should not be there"));
    }
    for (key, want) in wanted {
        let Some(found) = found.get(key) else { return Err(format!("{key:?} is not there")) };
        match want {
            Want::Kept(values) if found != values => {
                return Err(format!("{key:?} is {found:?} instead of {values:?}"));
            }
            Want::Kept(_) => {}
            Want::Delivered(values) => {
                for (name, values) in values {
                    let found = found.get(name).cloned().unwrap_or_default();
                    if found != *values {
                        return Err(format!("{name} of {key:?} is {found:?} instead of {values:?}"));
                    }
                }
            }
        }
    }
    Ok(())
}
