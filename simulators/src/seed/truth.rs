//! The counts and relations of the directory, which tests compare with a delivery.

use super::directory::{Device, Directory, Group, User};
use super::object::{ObjectKind, State};
use super::words::SKUS;
use serde::Serialize;
use uuid::Uuid;

/// Counts of live objects and their relations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Truth {
    pub users: u64,
    pub groups: u64,
    pub devices: u64,
    pub licenses: u64,
    /// Users that have a manager.
    pub managers: u64,
    /// Direct memberships of users in groups.
    pub user_memberships: u64,
    /// Direct memberships of groups in groups.
    pub group_memberships: u64,
    /// Direct memberships of devices in groups.
    pub device_memberships: u64,
    /// Direct memberships of service principals, which v1.0 `/members` does not list, and of contacts.
    pub other_memberships: u64,
    /// Owners of groups that are users.
    pub owners: u64,
    /// Pairs of user and SKU, however often assigned.
    pub user_licenses: u64,
    /// Pairs of group and SKU.
    pub group_licenses: u64,
    pub device_owners: u64,
    /// Requests for the members of all groups, 999 a page; one for a group without any.
    pub member_pages: u64,
}

/// docs/graph.md, «Paging».
const MEMBERS_OF_A_PAGE: u64 = 999;

/// Pairs of ids `(from, to)`.
pub type Edges = Vec<(Uuid, Uuid)>;

impl Directory {
    pub fn live_users(&self) -> impl Iterator<Item = (u32, &User)> {
        self.users.iter().enumerate().filter(|(_, u)| u.state == State::Live).map(|(n, u)| (n as u32, u))
    }

    pub fn live_groups(&self) -> impl Iterator<Item = (u32, &Group)> {
        self.groups.iter().enumerate().filter(|(_, g)| g.state == State::Live).map(|(n, g)| (n as u32, g))
    }

    pub fn truth(&self) -> Truth {
        let mut truth = Truth { licenses: SKUS.len() as u64, ..Truth::default() };
        for (_, user) in self.live_users() {
            truth.users += 1;
            truth.managers += u64::from(self.manager_of(user).is_some());
            truth.user_licenses += u64::from(self.all_skus_of(user).count_ones());
        }
        for (_, group) in self.live_groups() {
            truth.groups += 1;
            truth.group_licenses += u64::from(group.skus.count_ones());
            truth.owners +=
                group.owners.iter().filter(|o| o.kind() == ObjectKind::User && self.is_live(**o)).count() as u64;
            let mut listed = 0u64;
            for member in group.members.iter().filter(|m| self.is_live(**m)) {
                listed += u64::from(member.kind() != ObjectKind::ServicePrincipal);
                match member.kind() {
                    ObjectKind::User => truth.user_memberships += 1,
                    ObjectKind::Group => truth.group_memberships += 1,
                    ObjectKind::Device => truth.device_memberships += 1,
                    ObjectKind::ServicePrincipal | ObjectKind::OrgContact => truth.other_memberships += 1,
                }
            }
            truth.member_pages += listed.div_ceil(MEMBERS_OF_A_PAGE).max(1);
        }
        for device in self.devices.iter().filter(|d| d.state == State::Live) {
            truth.devices += 1;
            truth.device_owners += u64::from(self.device_owner(device).is_some());
        }
        truth
    }

    /// The live user that owns a device.
    pub fn device_owner(&self, device: &Device) -> Option<&User> {
        self.users.get(device.owner? as usize).filter(|u| u.state == State::Live)
    }

    /// `(user, manager)`.
    pub fn manager_edges(&self) -> Edges {
        self.live_users().filter_map(|(_, user)| Some((user.id, self.manager_of(user)?.id))).collect()
    }

    /// `(group, member)` for the direct members of one kind.
    pub fn member_edges(&self, kind: ObjectKind) -> Edges {
        self.live_groups()
            .flat_map(|(_, group)| {
                let members = group.members.iter().filter(move |m| m.kind() == kind && self.is_live(**m));
                members.map(move |m| (group.id, self.id_of(*m)))
            })
            .collect()
    }

    /// `(group, owner)` for owners that are users.
    pub fn owner_edges(&self) -> Edges {
        self.live_groups()
            .flat_map(|(_, group)| {
                let owners = group.owners.iter().filter(|o| o.kind() == ObjectKind::User && self.is_live(**o));
                owners.map(move |o| (group.id, self.id_of(*o)))
            })
            .collect()
    }

    /// `(user, SKU)`, each once.
    pub fn user_license_edges(&self) -> Edges {
        self.live_users().flat_map(|(_, user)| pairs(user.id, self.all_skus_of(user))).collect()
    }

    /// `(group, SKU)`.
    pub fn group_license_edges(&self) -> Edges {
        self.live_groups().flat_map(|(_, group)| pairs(group.id, group.skus)).collect()
    }

    /// `(device, owner)`.
    pub fn device_owner_edges(&self) -> Edges {
        let live = self.devices.iter().filter(|d| d.state == State::Live);
        live.filter_map(|device| Some((device.id, self.device_owner(device)?.id))).collect()
    }
}

fn pairs(id: Uuid, skus: u8) -> impl Iterator<Item = (Uuid, Uuid)> {
    let held = SKUS.iter().enumerate().filter(move |(n, _)| skus & (1 << n) != 0);
    held.map(move |(_, sku)| (id, sku.id))
}

#[cfg(test)]
mod tests {
    use super::super::generate::SeedOptions;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_seed_gives_the_same_directory() {
        let (a, b) = (Directory::generate(SeedOptions::default()), Directory::generate(SeedOptions::default()));
        assert_eq!(a.truth(), b.truth());
        assert_eq!(a.member_edges(ObjectKind::User), b.member_edges(ObjectKind::User));
        let other = Directory::generate(SeedOptions { seed: 2, ..SeedOptions::default() });
        assert_ne!(a.users[0].id, other.users[0].id);
    }

    #[test]
    fn the_default_directory_has_every_difficulty() {
        let directory = Directory::generate(SeedOptions::default());
        let truth = directory.truth();
        assert_eq!((truth.users, truth.groups, truth.licenses), (2_000, 150, 5));
        assert!(truth.user_memberships.abs_diff(10_000) < 1_000, "{truth:?}");
        assert!(truth.managers > 1_500 && truth.group_memberships > 20 && truth.user_licenses > 1_000, "{truth:?}");
        assert!(truth.device_memberships > 0 && truth.other_memberships > 0 && truth.group_licenses > 2);
        let users = || directory.users.iter();
        assert!(users().any(|u| u.guest) && users().any(|u| !u.enabled) && users().any(|u| u.created.is_none()));
        let groups = || directory.groups.iter();
        assert!(groups().any(|g| g.members.len() > 999) && groups().any(|g| g.owners.len() > 20));
        assert!(groups().any(|g| g.rule.is_some()) && groups().any(|g| g.hidden_membership));
        assert!(groups().any(|g| g.owners.is_empty()));
        assert!(has_cycle(&directory));
    }

    #[test]
    fn with_enough_groups_one_user_is_in_more_than_two_hundred() {
        let directory = Directory::generate(SeedOptions { users: 3_000, groups: 400, ..SeedOptions::default() });
        assert!(directory.users.iter().any(|u| u.member_of.len() > 200));
    }

    #[test]
    fn no_membership_is_there_twice_and_memberships_can_be_asked_for() {
        for (users, groups, memberships) in [(0, 0, None), (5, 3, None), (700, 40, Some(9_000)), (2_000, 150, None)] {
            let options = SeedOptions { users, groups, memberships, ..SeedOptions::default() };
            let directory = Directory::generate(options);
            for kind in [ObjectKind::User, ObjectKind::Group, ObjectKind::Device] {
                let edges = directory.member_edges(kind);
                assert_eq!(edges.iter().collect::<HashSet<_>>().len(), edges.len(), "{users} {groups} {kind:?}");
            }
        }
        let options = SeedOptions { users: 700, groups: 40, memberships: Some(9_000), ..SeedOptions::default() };
        let truth = Directory::generate(options).truth();
        assert!(truth.user_memberships.abs_diff(9_000) < 500, "{truth:?}");
    }

    fn has_cycle(directory: &Directory) -> bool {
        (0..directory.groups.len() as u32).any(|start| {
            let mut seen = HashSet::new();
            let mut open = vec![start];
            while let Some(slot) = open.pop() {
                for member in directory.groups[slot as usize].members.iter().filter(|m| m.kind() == ObjectKind::Group) {
                    if member.slot() == start {
                        return true;
                    }
                    if seen.insert(member.slot()) {
                        open.push(member.slot());
                    }
                }
            }
            false
        })
    }
}
