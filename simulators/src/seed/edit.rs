//! Changes to a running directory, written to the log that delta queries replay.

use super::change::{Change, Refused, What};
use super::directory::{Device, Directory, Group, GroupKind, NEWEST, User};
use super::object::{ObjectKind, Ref, State};
use super::words::{self, SKUS};
use serde_json::{Map, Value};
use uuid::Uuid;

type Done<T = ()> = Result<T, Refused>;

impl Directory {
    fn log(&mut self, object: Ref, what: What) {
        self.log.push(Change { object, what });
    }

    fn live(&self, id: Uuid) -> Done<Ref> {
        self.find(id).filter(|found| self.is_live(*found)).ok_or(Refused::NotFound)
    }

    fn live_user(&self, id: Uuid) -> Done<u32> {
        self.user(id).map(|(slot, _)| slot).ok_or(Refused::NotFound)
    }

    fn live_group(&self, id: Uuid) -> Done<u32> {
        self.group(id).map(|(slot, _)| slot).ok_or(Refused::NotFound)
    }

    /// A new member account, enabled, without groups. `properties` are set over the generated ones.
    pub fn add_user(&mut self, properties: Map<String, Value>) -> Uuid {
        let slot = self.users.len() as u32;
        let mut id = self.random.uuid();
        while self.by_id.contains_key(&id) {
            id = self.random.uuid();
        }
        let names = (words::GIVEN.len() * words::SURNAMES.len()) as u64;
        let place = (u64::from(slot) * 1_009 + 17) % names;
        self.users.push(User {
            id,
            state: State::Live,
            number: slot + 1,
            given: (place % words::GIVEN.len() as u64) as u16,
            surname: (place / words::GIVEN.len() as u64) as u16,
            twin: (u64::from(slot) / names) as u32,
            department: (slot % words::DEPARTMENTS.len() as u32) as u8,
            office: (slot % words::OFFICES.len() as u32) as u8,
            title: (slot % words::TITLES.len() as u32) as u8,
            enabled: true,
            guest: false,
            on_premises: false,
            created: Some(NEWEST + i64::from(slot)),
            manager: None,
            skus: 0,
            member_of: Vec::new(),
            extra: (!properties.is_empty()).then(|| Box::new(properties)),
        });
        self.by_id.insert(id, Ref::user(slot));
        self.log(Ref::user(slot), What::Created);
        id
    }

    /// A new group without members.
    pub fn add_group(&mut self, name: &str, kind: GroupKind) -> Uuid {
        let slot = self.groups.len() as u32;
        let mut id = self.random.uuid();
        while self.by_id.contains_key(&id) {
            id = self.random.uuid();
        }
        self.groups.push(Group {
            id,
            state: State::Live,
            number: slot + 1,
            name: name.into(),
            kind,
            rule: None,
            hidden_membership: false,
            team: false,
            created: NEWEST + i64::from(slot),
            members: Vec::new(),
            owners: Vec::new(),
            skus: 0,
            member_of: Vec::new(),
            extra: None,
        });
        self.by_id.insert(id, Ref::group(slot));
        self.log(Ref::group(slot), What::Created);
        id
    }

    /// Sets properties of a user, group or device; a value of `null` is a value.
    pub fn update(&mut self, id: Uuid, properties: Map<String, Value>) -> Done {
        let object = self.live(id)?;
        let slot = object.slot() as usize;
        let extra = match object.kind() {
            ObjectKind::User => self.users.get_mut(slot).map(|u| &mut u.extra),
            ObjectKind::Group => self.groups.get_mut(slot).map(|g| &mut g.extra),
            ObjectKind::Device => self.devices.get_mut(slot).map(|d: &mut Device| &mut d.extra),
            ObjectKind::ServicePrincipal | ObjectKind::OrgContact => None,
        }
        .ok_or(Refused::NotFound)?;
        let names = properties.keys().cloned().collect();
        extra.get_or_insert_default().extend(properties);
        self.log(object, What::Properties(names));
        Ok(())
    }

    /// Hides the membership of a group, or shows it again.
    pub fn set_hidden_membership(&mut self, group: Uuid, hidden: bool) -> Done {
        let slot = self.live_group(group)?;
        self.groups[slot as usize].hidden_membership = hidden;
        self.log(Ref::group(slot), What::Properties(vec!["visibility".into()]));
        Ok(())
    }

    pub fn set_manager(&mut self, user: Uuid, manager: Option<Uuid>) -> Done {
        let slot = self.live_user(user)?;
        let manager = manager.map(|id| self.live_user(id)).transpose()?;
        let held = &mut self.users[slot as usize].manager;
        if *held == manager {
            return Err(Refused::NoChange);
        }
        let before = std::mem::replace(held, manager);
        self.log(Ref::user(slot), What::Manager(before));
        Ok(())
    }

    /// The directly assigned SKUs of a user; ids that the tenant does not have are left out.
    pub fn set_user_licenses(&mut self, user: Uuid, skus: &[Uuid]) -> Done {
        let slot = self.live_user(user)?;
        self.users[slot as usize].skus = bits(skus);
        self.log(Ref::user(slot), license_properties());
        Ok(())
    }

    /// The SKUs that a group assigns to its direct members.
    pub fn set_group_licenses(&mut self, group: Uuid, skus: &[Uuid]) -> Done {
        let slot = self.live_group(group)?;
        self.groups[slot as usize].skus = bits(skus);
        self.log(Ref::group(slot), What::Properties(vec!["assignedLicenses".into()]));
        let members = self.groups[slot as usize].members.iter().copied();
        let users: Vec<Ref> = members.filter(|m| m.kind() == ObjectKind::User && self.is_live(*m)).collect();
        for user in users {
            self.log(user, license_properties());
        }
        Ok(())
    }

    pub fn add_member(&mut self, group: Uuid, member: Uuid) -> Done {
        let (group, member) = (self.live_group(group)?, self.live(member)?);
        if self.groups[group as usize].members.contains(&member) {
            return Err(Refused::NoChange);
        }
        self.groups[group as usize].members.push(member);
        if let Some(groups) = self.member_of_mut(member) {
            groups.push(group);
        }
        self.log(Ref::group(group), What::MemberAdded(member));
        self.licenses_moved(group, member);
        Ok(())
    }

    pub fn remove_member(&mut self, group: Uuid, member: Uuid) -> Done {
        let (group, member) = (self.live_group(group)?, self.live(member)?);
        if !self.groups[group as usize].members.contains(&member) {
            return Err(Refused::NoChange);
        }
        self.groups[group as usize].members.retain(|m| *m != member);
        if let Some(groups) = self.member_of_mut(member) {
            groups.retain(|g| *g != group);
        }
        self.log(Ref::group(group), What::MemberRemoved(member));
        self.licenses_moved(group, member);
        Ok(())
    }

    pub fn add_owner(&mut self, group: Uuid, owner: Uuid) -> Done {
        let (group, owner) = (self.live_group(group)?, self.live(owner)?);
        if self.groups[group as usize].owners.contains(&owner) {
            return Err(Refused::NoChange);
        }
        self.groups[group as usize].owners.push(owner);
        self.log(Ref::group(group), What::OwnerAdded(owner));
        Ok(())
    }

    pub fn remove_owner(&mut self, group: Uuid, owner: Uuid) -> Done {
        let (group, owner) = (self.live_group(group)?, self.live(owner)?);
        let owners = &mut self.groups[group as usize].owners;
        let before = owners.len();
        owners.retain(|o| *o != owner);
        if owners.len() == before {
            return Err(Refused::NoChange);
        }
        self.log(Ref::group(group), What::OwnerRemoved(owner));
        Ok(())
    }

    /// Moves an object to the recycle bin, from which [`Directory::restore`] brings it back for 30 days. Its
    /// memberships and its place as a manager disappear with it.
    pub fn delete(&mut self, id: Uuid) -> Done {
        let object = self.live(id)?;
        self.vanish(object, State::SoftDeleted)?;
        self.log(object, What::SoftDeleted);
        Ok(())
    }

    /// Deletes an object permanently, live or in the recycle bin.
    pub fn purge(&mut self, id: Uuid) -> Done {
        let object = self.find(id).ok_or(Refused::NotFound)?;
        if self.is_live(object) {
            self.vanish(object, State::Gone)?;
        }
        if let Some(state) = self.state_mut(object) {
            *state = State::Gone;
        }
        self.by_id.remove(&id);
        self.log(object, What::Purged);
        Ok(())
    }

    /// Restores an object from the recycle bin with its memberships.
    pub fn restore(&mut self, id: Uuid) -> Done {
        let object = self.find(id).ok_or(Refused::NotFound)?;
        match self.state_mut(object) {
            Some(state) if *state == State::SoftDeleted => *state = State::Live,
            Some(_) | None => return Err(Refused::NotFound),
        }
        self.log(object, What::Restored);
        for group in self.member_of(object).to_vec() {
            self.groups[group as usize].members.push(object);
            self.log(Ref::group(group), What::MemberAdded(object));
        }
        match object.kind() {
            ObjectKind::User => self.manager_moved(object.slot()),
            ObjectKind::Group => self.licenses_of_members_moved(object.slot()),
            ObjectKind::Device | ObjectKind::ServicePrincipal | ObjectKind::OrgContact => {}
        }
        Ok(())
    }

    fn vanish(&mut self, object: Ref, to: State) -> Done {
        *self.state_mut(object).ok_or(Refused::NotFound)? = to;
        for group in self.member_of(object).to_vec() {
            self.groups[group as usize].members.retain(|m| *m != object);
            self.log(Ref::group(group), What::MemberRemoved(object));
        }
        match object.kind() {
            ObjectKind::User => self.manager_moved(object.slot()),
            ObjectKind::Group => self.licenses_of_members_moved(object.slot()),
            ObjectKind::Device | ObjectKind::ServicePrincipal | ObjectKind::OrgContact => {}
        }
        Ok(())
    }

    fn manager_moved(&mut self, manager: u32) {
        let reports: Vec<u32> = self.live_users().filter(|(_, u)| u.manager == Some(manager)).map(|(s, _)| s).collect();
        for report in reports {
            self.log(Ref::user(report), What::Manager(Some(manager)));
        }
    }

    fn licenses_of_members_moved(&mut self, group: u32) {
        for member in self.groups[group as usize].members.clone() {
            self.licenses_moved(group, member);
        }
    }

    fn licenses_moved(&mut self, group: u32, member: Ref) {
        if member.kind() == ObjectKind::User && self.groups[group as usize].skus != 0 {
            self.log(member, license_properties());
        }
    }

    fn member_of_mut(&mut self, object: Ref) -> Option<&mut Vec<u32>> {
        let slot = object.slot() as usize;
        match object.kind() {
            ObjectKind::User => self.users.get_mut(slot).map(|u| &mut u.member_of),
            ObjectKind::Group => self.groups.get_mut(slot).map(|g| &mut g.member_of),
            ObjectKind::Device => self.devices.get_mut(slot).map(|d| &mut d.member_of),
            ObjectKind::ServicePrincipal => self.service_principals.get_mut(slot).map(|o| &mut o.member_of),
            ObjectKind::OrgContact => self.contacts.get_mut(slot).map(|o| &mut o.member_of),
        }
    }

    fn state_mut(&mut self, object: Ref) -> Option<&mut State> {
        let slot = object.slot() as usize;
        match object.kind() {
            ObjectKind::User => self.users.get_mut(slot).map(|u| &mut u.state),
            ObjectKind::Group => self.groups.get_mut(slot).map(|g| &mut g.state),
            ObjectKind::Device => self.devices.get_mut(slot).map(|d| &mut d.state),
            ObjectKind::ServicePrincipal | ObjectKind::OrgContact => None,
        }
    }
}

fn bits(skus: &[Uuid]) -> u8 {
    SKUS.iter().enumerate().filter(|(_, sku)| skus.contains(&sku.id)).fold(0, |bits, (n, _)| bits | (1 << n))
}

fn license_properties() -> What {
    What::Properties(vec!["assignedLicenses".into(), "licenseAssignmentStates".into()])
}

#[cfg(test)]
mod tests {
    use super::super::generate::SeedOptions;
    use super::*;

    #[test]
    fn a_deleted_user_leaves_its_groups_and_comes_back_to_them() {
        let mut directory = Directory::generate(SeedOptions::default());
        let before = directory.truth();
        let user = directory.users[0].id;
        let reports = directory.users.iter().filter(|u| u.manager == Some(0)).count() as u64;
        let groups = directory.users[0].member_of.len() as u64;
        directory.delete(user).unwrap();
        let without = directory.truth();
        assert_eq!(without.users, before.users - 1);
        assert_eq!(without.user_memberships, before.user_memberships - groups);
        assert_eq!(without.managers, before.managers - reports);
        assert_eq!(directory.delete(user), Err(Refused::NotFound));
        directory.restore(user).unwrap();
        assert_eq!(directory.truth(), before);
        directory.purge(user).unwrap();
        assert_eq!(directory.purge(user), Err(Refused::NotFound));
        assert_eq!(directory.restore(user), Err(Refused::NotFound));
    }

    #[test]
    fn a_membership_comes_and_goes_once() {
        let mut directory = Directory::generate(SeedOptions::default());
        let group = directory.add_group("new", GroupKind::Security);
        let user = directory.add_user(Map::new());
        directory.add_member(group, user).unwrap();
        assert_eq!(directory.add_member(group, user), Err(Refused::NoChange));
        directory.remove_member(group, user).unwrap();
        assert_eq!(directory.remove_member(group, user), Err(Refused::NoChange));
    }

    #[test]
    fn a_groups_licence_is_its_members_licence() {
        let mut directory = Directory::generate(SeedOptions::default());
        let group = directory.add_group("licensed", GroupKind::Security);
        let user = directory.add_user(Map::new());
        directory.add_member(group, user).unwrap();
        directory.set_group_licenses(group, &[SKUS[4].id]).unwrap();
        let (_, found) = directory.user(user).unwrap();
        assert_eq!(directory.all_skus_of(found), 1 << 4);
        directory.delete(group).unwrap();
        let (_, found) = directory.user(user).unwrap();
        assert_eq!(directory.all_skus_of(found), 0);
    }
}
