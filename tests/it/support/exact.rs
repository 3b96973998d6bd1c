//! The store of Assets against the directory, object by object and reference by reference.

use super::world::World;
use entra_assets::db::runs::RunRow;
use entra_assets::ids::RunId;
use entra_assets::sim::assets::{AssetsOptions, AssetsSim, EmptyValues, Missing};
use entra_assets::sim::graph::GraphSim;
use entra_assets::sim::seed::{Directory, ObjectKind, SeedOptions};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

type Pairs = BTreeSet<(Uuid, Uuid)>;

impl World {
    /// Asserts that Assets holds exactly the live objects and links of the directory.
    pub fn assert_exact(&self, why: &str) {
        assert_exact(&self.graph, &self.assets, why);
    }

    /// The same with a truth that differs from the directory in a known way.
    pub fn assert_exact_but(&self, why: &str, differ: impl FnOnce(&mut Truth)) {
        assert_exact_but(&self.graph, &self.assets, why, differ);
    }
}

/// See [`World::assert_exact`].
pub fn assert_exact(graph: &GraphSim, assets: &AssetsSim, why: &str) {
    assert_exact_but(graph, assets, why, |_| {});
}

fn assert_exact_but(graph: &GraphSim, assets: &AssetsSim, why: &str, differ: impl FnOnce(&mut Truth)) {
    let mut truth = Truth::of(graph);
    differ(&mut truth);
    let store = Store(assets);
    let found = Truth {
        users: store.ids("Entra User"),
        groups: store.ids("Entra Group"),
        managers: store.links("Entra User", "Manager"),
        groups_of_users: store.links("Entra User", "Groups"),
        licenses_of_users: store.links("Entra User", "Licenses"),
        parents_of_groups: store.links("Entra Group", "Parent Groups"),
        owners: store.links("Entra Group", "Owners"),
        licenses_of_groups: store.links("Entra Group", "Licenses"),
        texts: store.texts(),
    };
    let pairs = [
        ("managers", &found.managers, &truth.managers),
        ("groups of users", &found.groups_of_users, &truth.groups_of_users),
        ("licences of users", &found.licenses_of_users, &truth.licenses_of_users),
        ("parents of groups", &found.parents_of_groups, &truth.parents_of_groups),
        ("owners", &found.owners, &truth.owners),
        ("licences of groups", &found.licenses_of_groups, &truth.licenses_of_groups),
    ];
    let (users, groups) = (&found.users, &found.groups);
    assert!(*users == truth.users, "{why}: users {}", difference(users, &truth.users));
    assert!(*groups == truth.groups, "{why}: groups {}", difference(groups, &truth.groups));
    let (texts, wanted) = (&found.texts, &truth.texts);
    assert!(texts == wanted, "{why}: texts {}", difference(texts, wanted));
    for (what, found, truth) in pairs {
        assert!(found == truth, "{why}: {what} {}", difference(found, truth));
    }
}

struct Store<'a>(&'a AssetsSim);

impl Store<'_> {
    fn ids(&self, name: &str) -> BTreeSet<Uuid> {
        self.0.objects(name).iter().map(|object| object.values["Object ID"][0].parse().unwrap()).collect()
    }

    /// What people and groups are called, and what people do.
    fn texts(&self) -> BTreeSet<(Uuid, String)> {
        let mut texts = BTreeSet::new();
        for (name, attribute) in
            [("Entra User", "Display Name"), ("Entra Group", "Display Name"), ("Entra User", "Job Title")]
        {
            for object in self.0.objects(name) {
                let id = object.values["Object ID"][0].parse().unwrap();
                texts.extend(object.values.get(attribute).into_iter().flatten().map(|text| (id, text.clone())));
            }
        }
        texts
    }

    fn links(&self, name: &str, attribute: &str) -> Pairs {
        let mut pairs = Pairs::new();
        for object in self.0.objects(name) {
            let id: Uuid = object.values["Object ID"][0].parse().unwrap();
            for target in object.values.get(attribute).into_iter().flatten() {
                assert!(pairs.insert((id, target.parse().unwrap())), "{name} {id} has {attribute} {target} twice");
            }
        }
        pairs
    }
}

fn difference<T: Ord + std::fmt::Debug>(found: &BTreeSet<T>, truth: &BTreeSet<T>) -> String {
    let few = |set: Vec<&T>| format!("{} {:?}", set.len(), &set[..set.len().min(3)]);
    format!("too many: {}, missing: {}", few(found.difference(truth).collect()), few(truth.difference(found).collect()))
}

/// What a whole delivery holds. Links lead from the object that carries the reference.
#[derive(Clone, PartialEq, Eq)]
pub struct Truth {
    pub users: BTreeSet<Uuid>,
    pub groups: BTreeSet<Uuid>,
    pub managers: Pairs,
    pub groups_of_users: Pairs,
    pub licenses_of_users: Pairs,
    pub parents_of_groups: Pairs,
    pub owners: Pairs,
    pub licenses_of_groups: Pairs,
    pub texts: BTreeSet<(Uuid, String)>,
}

impl Truth {
    /// Leaves these users and groups, and what leads from one of them to another.
    pub fn keep(&mut self, users: &BTreeSet<Uuid>, groups: &BTreeSet<Uuid>) {
        let both = |pairs: &mut Pairs, from: &BTreeSet<Uuid>, to: &BTreeSet<Uuid>| {
            pairs.retain(|(a, b)| from.contains(a) && to.contains(b));
        };
        self.users.retain(|id| users.contains(id));
        self.groups.retain(|id| groups.contains(id));
        both(&mut self.managers, users, users);
        both(&mut self.groups_of_users, users, groups);
        both(&mut self.parents_of_groups, groups, groups);
        both(&mut self.owners, groups, users);
        self.licenses_of_users.retain(|(user, _)| users.contains(user));
        self.licenses_of_groups.retain(|(group, _)| groups.contains(group));
        self.texts.retain(|(id, _)| users.contains(id) || groups.contains(id));
    }

    fn of(graph: &GraphSim) -> Self {
        let mut truth = graph.read(Self::of_directory);
        truth.texts = graph.texts("displayName").into_iter().chain(graph.texts("jobTitle")).collect();
        truth
    }

    fn of_directory(directory: &Directory) -> Self {
        let turned = |kind| directory.member_edges(kind).into_iter().map(|(group, member)| (member, group)).collect();
        Self {
            users: directory.live_users().map(|(_, user)| user.id).collect(),
            groups: directory.live_groups().map(|(_, group)| group.id).collect(),
            managers: directory.manager_edges().into_iter().collect(),
            groups_of_users: turned(ObjectKind::User),
            licenses_of_users: directory.user_license_edges().into_iter().collect(),
            parents_of_groups: turned(ObjectKind::Group),
            owners: directory.owner_edges().into_iter().collect(),
            licenses_of_groups: directory.group_license_edges().into_iter().collect(),
            texts: BTreeSet::new(),
        }
    }
}

impl World {
    /// A world in which Assets follows every delivery: what is left out is removed, what is empty is cleared. Its
    /// store equals the directory after every complete read, and no longer after an incomplete one.
    pub async fn following(seed: SeedOptions) -> Self {
        let world = Self::with(seed, AssetsOptions::default()).await;
        world.follow().await;
        world
    }

    /// Brings a run to its end, or to where it waits for a person, after its process died. The connection of the dead may hold
    /// the row for a moment.
    pub async fn bring_to_its_end(&self, id: RunId) -> RunRow {
        // A dead process may leave a transaction that the database is still about to end: until then nobody can claim.
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
        for _ in 0..2_000 {
            let run = self.find(id).await;
            if run.finished_at.is_some() || run.state.as_str() == "awaitingApproval" {
                break;
            }
            if !self.step().await {
                ticks.tick().await;
            }
        }
        self.find(id).await
    }

    /// See [`World::following`].
    pub async fn follow(&self) {
        self.assets.configure(|behaviour| {
            behaviour.empty_values = EmptyValues::Remove;
            behaviour.missing = Missing::remove();
        });
        self.set_destination("missing_objects = 'remove', empty_values = 'remove'").await;
    }
}

/// How often a run warned of each kind, apart from the size of what it delivers.
pub fn warnings(run: &RunRow) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    let all = run.warnings.as_array().into_iter().flatten();
    for warning in all.filter(|warning| warning["code"] != "many_references") {
        *kinds.entry(warning["code"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    kinds
}
