//! Memberships turned around: of each member the groups it is in. Graph and the mirror have them by group; turned
//! around by the database they would be sorted there one by one, which took longer than all the rest of a
//! comparison. Here a membership is four bytes, and five million are twenty megabytes.

use super::targets::Targets;
use crate::db::mirror::read::{self, Source};
use crate::directory::{MemberType, ObjectType};
use crate::error::Result;
use crate::runs::run::Run;
use futures_util::StreamExt;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The groups of members.
pub(super) enum Groups<'a> {
    /// Of all members.
    All(GroupsOf<'a>),
    /// Of those that are compared.
    Some(HashMap<Uuid, Vec<Uuid>>),
}

impl Groups<'_> {
    /// Ascending, with the number of those that are not delivered.
    pub(super) fn of(&self, member: Uuid) -> (Vec<Uuid>, usize) {
        match self {
            Self::All(groups) => groups.of(member),
            Self::Some(groups) => (groups.get(&member).cloned().unwrap_or_default(), 0),
        }
    }
}

/// The groups of each member, all in one list.
pub(super) struct GroupsOf<'a> {
    targets: &'a Targets,
    members: ObjectType,
    /// Where the groups of each member begin, by the member's place among its type; one more at the end.
    starts: Vec<u32>,
    /// Places of groups; those of one member ascend.
    groups: Vec<u32>,
    /// How many groups of each member are not delivered.
    dropped: Vec<u32>,
}

impl<'a> GroupsOf<'a> {
    /// The groups of the users, or of the groups. Only delivered groups count.
    pub(super) async fn load(run: &Run, targets: &'a Targets, members: ObjectType) -> Result<Self> {
        let organization = run.job.organization;
        let source = if targets.groups_lost { Source::Mirror(run.job.id) } else { run.source() };
        let member_type = if members == ObjectType::Groups { MemberType::Group } else { MemberType::User };
        run.tx("members by group", async |tx| {
            let mut by_group = ByGroup::new(targets, members);
            let mut rows = std::pin::pin!(read::members_by_group(tx, organization, source, member_type).await?);
            while let Some(row) = rows.next().await {
                let (group, members) = row?;
                by_group.add(group, &members);
            }
            Ok(by_group.turn_around())
        })
        .await
    }

    /// Ascending, with the number of those that are not delivered.
    pub(super) fn of(&self, member: Uuid) -> (Vec<Uuid>, usize) {
        let Some(place) = self.targets.of(self.members).place(member) else { return Default::default() };
        let range = self.starts[place as usize] as usize..self.starts[place as usize + 1] as usize;
        let groups = self.targets.of(ObjectType::Groups);
        let mut found: Vec<Uuid> = self.groups[range].iter().map(|group| groups.at(*group)).collect();
        // A member may have come on two pages of one group.
        found.dedup();
        (found, self.dropped[place as usize] as usize)
    }
}

impl GroupsOf<'_> {
    /// These groups, and those that they are in, at any depth. Ascending.
    pub(super) fn above(&self, groups: Vec<Uuid>) -> Vec<Uuid> {
        let mut all: BTreeSet<Uuid> = groups.iter().copied().collect();
        let mut open = groups;
        while let Some(group) = open.pop() {
            open.extend(self.of(group).0.into_iter().filter(|parent| all.insert(*parent)));
        }
        all.into_iter().collect()
    }
}

/// Memberships as they are stored: group by group.
struct ByGroup<'a> {
    targets: &'a Targets,
    members: ObjectType,
    /// A group's place, and where its members begin.
    groups: Vec<(u32, usize)>,
    places: Vec<u32>,
    dropped: Vec<u32>,
}

impl<'a> ByGroup<'a> {
    fn new(targets: &'a Targets, members: ObjectType) -> Self {
        let dropped = vec![0; targets.of(members).len()];
        Self { targets, members, groups: Vec::new(), places: Vec::new(), dropped }
    }

    /// Some of the members of a group; groups come in their order.
    fn add(&mut self, group: Uuid, members: &[Uuid]) {
        let known = self.targets.of(self.members);
        let places = members.iter().filter_map(|member| known.place(*member));
        match self.targets.of(ObjectType::Groups).place(group) {
            Some(group) => {
                self.groups.push((group, self.places.len()));
                self.places.extend(places);
            }
            None => places.for_each(|member| self.dropped[member as usize] += 1),
        }
    }

    /// Counts, then places: no comparison is needed.
    fn turn_around(self) -> GroupsOf<'a> {
        let mut starts = vec![0u32; self.targets.of(self.members).len() + 2];
        // Shifted by two, so that filling leaves the beginnings where they belong.
        self.places.iter().for_each(|member| starts[*member as usize + 2] += 1);
        (2..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
        let mut groups = vec![0u32; self.places.len()];
        let ends = self.groups.iter().skip(1).map(|(_, start)| *start).chain([self.places.len()]);
        for ((group, start), end) in self.groups.iter().zip(ends) {
            for member in &self.places[*start..end] {
                let next = &mut starts[*member as usize + 1];
                groups[*next as usize] = *group;
                *next += 1;
            }
        }
        GroupsOf { targets: self.targets, members: self.members, starts, groups, dropped: self.dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_a_member_ascend_and_come_once() {
        let id = Uuid::from_u128;
        let targets = Targets::for_tests([
            (ObjectType::Users, vec![id(1), id(2), id(3)]),
            (ObjectType::Groups, vec![id(10), id(11)]),
        ]);
        let mut by_group = ByGroup::new(&targets, ObjectType::Users);
        by_group.add(id(10), &[id(1), id(3)]);
        by_group.add(id(10), &[id(3), id(4)]);
        by_group.add(id(11), &[id(3)]);
        by_group.add(id(12), &[id(1)]);
        let groups_of = by_group.turn_around();
        assert_eq!(groups_of.of(id(1)), (vec![id(10)], 1));
        assert_eq!(groups_of.of(id(2)), (vec![], 0));
        assert_eq!(groups_of.of(id(3)), (vec![id(10), id(11)], 0));
        assert_eq!(groups_of.of(id(4)), (vec![], 0));
    }

    #[test]
    fn groups_above_are_found_at_any_depth_and_around_circles() {
        let id = Uuid::from_u128;
        let groups = (10..15).map(id).collect();
        let targets = Targets::for_tests([(ObjectType::Users, vec![]), (ObjectType::Groups, groups)]);
        let mut by_group = ByGroup::new(&targets, ObjectType::Groups);
        by_group.add(id(10), &[id(12)]);
        by_group.add(id(11), &[id(10)]);
        by_group.add(id(12), &[id(11)]);
        by_group.add(id(13), &[id(11)]);
        let parents = by_group.turn_around();
        assert_eq!(parents.above(vec![id(12)]), [10, 11, 12, 13].map(id));
        assert_eq!(parents.above(vec![id(14)]), [id(14)]);
        assert!(parents.above(vec![]).is_empty());
    }
}
