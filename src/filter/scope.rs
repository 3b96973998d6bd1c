//! What Graph cannot decide: scope by membership, and limits.
//!
//! Everything here works on sorted identifiers of any small type (`Uuid`, or numbers that stand for one), so that
//! millions of memberships fit into memory: an edge is two of them.
//!
//! The order of the rules: objects that fulfil the conditions and are not excluded (`candidates`) → users by membership
//! → limit of users → groups by their remaining users → limit of groups. Each object that a rule removes is counted.

use crate::filter::{Limits, Scope, ScopeGroups, ScopeUsers};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use uuid::Uuid;

/// An identifier: a `Uuid`, or a number in its place.
pub trait Id: Copy + Ord + Hash {}
impl<T: Copy + Ord + Hash> Id for T {}

/// Direct memberships as pairs (group, member), separate for users and nested groups.
#[derive(Clone, Debug, Default)]
pub struct Memberships<N> {
    /// (group, user), sorted.
    users: Vec<(N, N)>,
    /// (group, nested group), sorted.
    groups: Vec<(N, N)>,
    /// (nested group, group), sorted.
    parents: Vec<(N, N)>,
}

impl<N: Id> Memberships<N> {
    /// From pairs in any order, with or without duplicates: (group, user) and (group, nested group).
    pub fn new(users: Vec<(N, N)>, groups: Vec<(N, N)>) -> Self {
        let parents = groups.iter().map(|(group, nested)| (*nested, *group)).collect();
        Self { users: sorted(users), groups: sorted(groups), parents: sorted(parents) }
    }

    /// (group, user), sorted.
    pub fn of_users(&self) -> &[(N, N)] {
        &self.users
    }

    /// (group, nested group), sorted.
    pub fn of_groups(&self) -> &[(N, N)] {
        &self.groups
    }

    /// The groups themselves and all groups nested in them, sorted. Groups may contain each other in a cycle.
    pub fn with_nested(&self, roots: &[N]) -> Vec<N> {
        closure(roots, &self.groups)
    }

    /// The groups themselves and all groups that contain them, sorted. Groups may contain each other in a cycle.
    pub fn with_parents(&self, groups: &[N]) -> Vec<N> {
        closure(groups, &self.parents)
    }

    /// The users that are members of any of the groups, sorted, each once.
    pub fn members_of(&self, groups: &[N], transitive: bool) -> Vec<N> {
        let groups = if transitive { self.with_nested(groups) } else { sorted(groups.to_vec()) };
        let members = groups.iter().flat_map(|group| targets(&self.users, *group)).collect();
        sorted(members)
    }

    /// The groups that have one of the users (sorted) as a member, sorted, each once.
    pub fn containing(&self, users: &[N], transitive: bool) -> Vec<N> {
        let direct = self.users.iter().filter(|(_, user)| users.binary_search(user).is_ok()).map(|(group, _)| *group);
        let direct = sorted(direct.collect());
        if transitive { self.with_parents(&direct) } else { direct }
    }
}

/// Numbers in place of ids, in the same order: a membership takes eight bytes instead of thirty-two.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// By number, sorted.
    ids: Vec<Uuid>,
}

impl Numbers {
    pub fn id(&self, number: u32) -> Uuid {
        self.ids[number as usize]
    }

    pub fn ids(&self, numbers: &[u32]) -> Vec<Uuid> {
        numbers.iter().map(|number| self.id(*number)).collect()
    }

    /// The numbers of those ids that have one.
    pub fn of(&self, ids: &[Uuid]) -> Vec<u32> {
        ids.iter().filter_map(|id| self.ids.binary_search(id).ok()).filter_map(|at| u32::try_from(at).ok()).collect()
    }
}

/// Collects memberships and gives their ids numbers.
#[derive(Default)]
pub struct MembershipsBuilder {
    numbers: HashMap<Uuid, u32>,
    users: Vec<(u32, u32)>,
    groups: Vec<(u32, u32)>,
}

impl MembershipsBuilder {
    /// The number of an id, given in the order in which ids arrive.
    pub fn number(&mut self, id: Uuid) -> u32 {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(id).or_insert(next)
    }

    /// Members of a group: users, or nested groups.
    pub fn add(&mut self, group: Uuid, are_users: bool, members: &[Uuid]) {
        let group = self.number(group);
        for member in members {
            let member = self.number(*member);
            if are_users { self.users.push((group, member)) } else { self.groups.push((group, member)) }
        }
    }

    /// Renumbers by the order of the ids: the numbers, and the memberships with them.
    pub fn build(self) -> (Numbers, Memberships<u32>) {
        let mut ids: Vec<(Uuid, u32)> = self.numbers.into_iter().collect();
        ids.sort_unstable();
        let mut places = vec![0u32; ids.len()];
        for (place, (_, number)) in (0u32..).zip(&ids) {
            places[*number as usize] = place;
        }
        let placed = |mut pairs: Vec<(u32, u32)>| {
            for (group, member) in &mut pairs {
                (*group, *member) = (places[*group as usize], places[*member as usize]);
            }
            pairs
        };
        let memberships = Memberships::new(placed(self.users), placed(self.groups));
        (Numbers { ids: ids.into_iter().map(|(id, _)| id).collect() }, memberships)
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list.dedup();
    list
}

fn targets<N: Id>(edges: &[(N, N)], from: N) -> impl Iterator<Item = N> + '_ {
    let start = edges.partition_point(|(source, _)| *source < from);
    edges[start..].iter().take_while(move |(source, _)| *source == from).map(|(_, target)| *target)
}

fn closure<N: Id>(roots: &[N], edges: &[(N, N)]) -> Vec<N> {
    let mut seen: HashSet<N> = roots.iter().copied().collect();
    let mut open: Vec<N> = seen.iter().copied().collect();
    while let Some(group) = open.pop() {
        for next in targets(edges, group) {
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    sorted(seen.into_iter().collect())
}

/// The objects that fulfil their conditions and are not excluded, in any order, with or without duplicates.
#[derive(Clone, Debug, Default)]
pub struct Candidates<N> {
    pub users: Vec<N>,
    pub groups: Vec<N>,
}

/// The objects in scope, and how many each rule removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InScope<N> {
    /// Sorted.
    pub users: Vec<N>,
    /// Sorted.
    pub groups: Vec<N>,
    /// Users that only the limit leaves out: they take the places of others. Sorted.
    pub over_limit: Vec<N>,
    pub fell_out: FellOut,
}

/// The number of candidates that are not in scope, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FellOut {
    /// Users that are in none of the groups of the scope.
    pub users_not_members: u64,
    pub users_over_limit: u64,
    /// Groups without a user in scope.
    pub groups_without_users: u64,
    pub groups_over_limit: u64,
}

/// Applies scope and limits. `root_groups` are the identifiers of `scope.group_ids`.
pub fn resolve<N: Id>(
    scope: &Scope,
    limits: Limits,
    root_groups: &[N],
    candidates: Candidates<N>,
    memberships: &Memberships<N>,
) -> InScope<N> {
    let mut fell_out = FellOut::default();
    let (mut users, mut groups) = (sorted(candidates.users), sorted(candidates.groups));
    let members = match scope.users {
        ScopeUsers::All => None,
        ScopeUsers::MembersOf => Some(memberships.members_of(root_groups, scope.transitive)),
        ScopeUsers::MembersOfFilteredGroups => Some(memberships.members_of(&groups, scope.transitive)),
    };
    if let Some(members) = members {
        fell_out.users_not_members = keep(&mut users, &members);
    }
    let over_limit = cut(&mut users, limits.max_users);
    fell_out.users_over_limit = over_limit.len() as u64;
    match scope.groups {
        ScopeGroups::All => {}
        ScopeGroups::ContainingFilteredUsers => {
            let containing = memberships.containing(&users, scope.transitive);
            fell_out.groups_without_users = keep(&mut groups, &containing);
        }
    }
    fell_out.groups_over_limit = cut(&mut groups, limits.max_groups).len() as u64;
    InScope { users, groups, over_limit, fell_out }
}

/// Keeps what is also in `others` (sorted), and returns how many were removed.
fn keep<N: Id>(list: &mut Vec<N>, others: &[N]) -> u64 {
    let before = list.len();
    list.retain(|id| others.binary_search(id).is_ok());
    (before - list.len()) as u64
}

/// Keeps the smallest identifiers, and returns the others.
fn cut<N>(list: &mut Vec<N>, limit: Option<u64>) -> Vec<N> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    list.split_off(limit.min(list.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(users: ScopeUsers, transitive: bool, groups: ScopeGroups) -> Scope {
        Scope { users, group_ids: Vec::new(), transitive, groups }
    }

    #[test]
    fn numbers_are_in_the_order_of_the_ids_in_whatever_order_they_came() {
        let id = Uuid::from_u128;
        let mut builder = MembershipsBuilder::default();
        builder.add(id(50), true, &[id(7), id(3)]);
        builder.number(id(1));
        builder.add(id(2), false, &[id(50)]);
        let (numbers, memberships) = builder.build();
        assert_eq!(numbers.of(&[id(1), id(2), id(3), id(7), id(50), id(99)]), [0, 1, 2, 3, 4]);
        assert_eq!(numbers.ids(&memberships.members_of(&numbers.of(&[id(2)]), true)), [id(3), id(7)]);
        assert_eq!(memberships.of_users(), [(4, 2), (4, 3)]);
    }

    /// 1 ⊃ 2 ⊃ 3 ⊃ 1, and 9 alone; users from 100.
    fn cyclic() -> Memberships<u32> {
        Memberships::new(vec![(1, 101), (2, 102), (3, 103), (9, 109)], vec![(1, 2), (2, 3), (3, 1)])
    }

    #[test]
    fn nested_and_cyclic_groups_count_once() {
        let memberships = cyclic();
        assert_eq!(memberships.members_of(&[2], true), [101, 102, 103]);
        assert_eq!(memberships.members_of(&[2], false), [102]);
        assert_eq!(memberships.members_of(&[], true), Vec::<u32>::new());
        assert_eq!(memberships.containing(&[102], true), [1, 2, 3]);
        assert_eq!(memberships.containing(&[102], false), [2]);
        assert_eq!(memberships.members_of(&[777], true), Vec::<u32>::new());
    }

    #[test]
    fn the_users_of_the_filtered_groups_and_the_groups_of_those_users() {
        let candidates = Candidates { users: vec![109, 101, 102, 105], groups: vec![9, 1, 7] };
        let rule = scope(ScopeUsers::MembersOfFilteredGroups, false, ScopeGroups::ContainingFilteredUsers);
        let result = resolve(&rule, Limits::default(), &[], candidates, &cyclic());
        assert_eq!((result.users.as_slice(), result.groups.as_slice()), (&[101, 109][..], &[1, 9][..]));
        assert_eq!((result.fell_out.users_not_members, result.fell_out.groups_without_users), (2, 1));
    }

    #[test]
    fn limits_cut_by_id_and_groups_look_at_the_users_that_are_left() {
        let candidates = Candidates { users: vec![109, 101, 102], groups: vec![1, 2, 9] };
        let limits = Limits { max_users: Some(2), max_groups: Some(1) };
        let rule = scope(ScopeUsers::All, false, ScopeGroups::ContainingFilteredUsers);
        let result = resolve(&rule, limits, &[], candidates, &cyclic());
        assert_eq!((result.users.as_slice(), result.groups.as_slice()), (&[101, 102][..], &[1][..]));
        assert_eq!(result.over_limit, [109]);
        let expected =
            FellOut { users_over_limit: 1, groups_without_users: 1, groups_over_limit: 1, ..FellOut::default() };
        assert_eq!(result.fell_out, expected);
    }

    fn edges(from: std::ops::Range<u8>, to: std::ops::Range<u8>) -> impl Strategy<Value = Vec<(u8, u8)>> {
        proptest::collection::vec((from, to), 0..40)
    }

    proptest! {
        #[test]
        fn membership_agrees_with_walking_every_path(
            users in edges(0..12, 100..120), groups in edges(0..12, 0..12),
            roots in proptest::collection::vec(0u8..12, 0..4), transitive: bool,
        ) {
            let memberships = Memberships::new(users.clone(), groups.clone());
            let mut reached: Vec<u8> = roots.clone();
            for _ in 0..if transitive { 12 } else { 0 } {
                let next: Vec<u8> =
                    groups.iter().filter(|(group, _)| reached.contains(group)).map(|(_, nested)| *nested).collect();
                reached.extend(next);
                reached.sort_unstable();
                reached.dedup();
            }
            let naive: std::collections::BTreeSet<u8> =
                users.iter().filter(|(group, _)| reached.contains(group)).map(|(_, user)| *user).collect();
            prop_assert_eq!(memberships.members_of(&roots, transitive), naive.into_iter().collect::<Vec<_>>());
            // A group contains a user exactly if the user is among its members.
            for user in 100..120 {
                let containing = memberships.containing(&[user], transitive);
                for group in 0..12 {
                    let is_member = memberships.members_of(&[group], transitive).contains(&user);
                    prop_assert_eq!(containing.contains(&group), is_member);
                }
            }
        }
    }
}
