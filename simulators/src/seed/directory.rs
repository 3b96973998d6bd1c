//! What a directory holds, and reading from it.

use super::change::Change;
use super::object::{ObjectKind, Ref, State};
use super::random::Random;
use super::record::Records;
use super::words;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// One user. What is not stored follows from the numbers: see `graph::property`.
#[derive(Clone, Debug)]
pub struct User {
    pub id: Uuid,
    pub state: State,
    /// Rises from 1; the employee id and the telephone number come from it.
    pub number: u32,
    /// Place in [`words::GIVEN`] and [`words::SURNAMES`].
    pub given: u16,
    pub surname: u16,
    /// 0, or the number that keeps the user principal name unique.
    pub twin: u32,
    pub department: u8,
    pub office: u8,
    pub title: u8,
    pub enabled: bool,
    pub guest: bool,
    pub on_premises: bool,
    /// Seconds since 1970; `None` for the few that came from an old on-premises directory.
    pub created: Option<i64>,
    pub manager: Option<u32>,
    /// Bit n: SKU n is assigned directly.
    pub skus: u8,
    /// The groups that the user is a direct member of.
    pub member_of: Vec<u32>,
    /// Properties set by a test, over what follows from the numbers.
    pub extra: Option<Box<Map<String, Value>>>,
}

/// What a group is: decides `groupTypes`, `mailEnabled`, `securityEnabled`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupKind {
    Microsoft365,
    Security,
    MailSecurity,
    Distribution,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub id: Uuid,
    pub state: State,
    pub number: u32,
    pub name: Arc<str>,
    pub kind: GroupKind,
    /// `Some(rule)`: a dynamic group.
    pub rule: Option<Arc<str>>,
    pub hidden_membership: bool,
    pub team: bool,
    pub created: i64,
    pub members: Vec<Ref>,
    pub owners: Vec<Ref>,
    pub skus: u8,
    /// The groups that this group is a direct member of.
    pub member_of: Vec<u32>,
    pub extra: Option<Box<Map<String, Value>>>,
}

#[derive(Clone, Debug)]
pub struct Device {
    pub id: Uuid,
    pub state: State,
    pub number: u32,
    pub owner: Option<u32>,
    pub created: i64,
    pub member_of: Vec<u32>,
    pub extra: Option<Box<Map<String, Value>>>,
}

/// A service principal or a contact: only ever met as a member of a group.
#[derive(Clone, Debug)]
pub struct Other {
    pub id: Uuid,
    pub name: String,
    pub member_of: Vec<u32>,
}

/// The whole directory of one tenant. Guard it with a lock; every method is synchronous.
#[derive(Clone, Debug)]
pub struct Directory {
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub devices: Vec<Device>,
    pub service_principals: Vec<Other>,
    pub contacts: Vec<Other>,
    pub(super) records: Records,
    pub(crate) by_id: HashMap<Uuid, Ref>,
    /// Everything that happened after the generation, oldest first: what delta queries replay.
    pub(crate) log: Vec<Change>,
    pub(super) random: Random,
}

/// The mail domain of every user and group.
pub const DOMAIN: &str = "contoso.example";
/// The newest `createdDateTime` of generated objects: 2026-06-01T00:00:00Z.
pub const NEWEST: i64 = 1_780_272_000;

impl Directory {
    pub fn find(&self, id: Uuid) -> Option<Ref> {
        self.by_id.get(&id).copied()
    }

    /// A live user.
    pub fn user(&self, id: Uuid) -> Option<(u32, &User)> {
        let found = self.find(id).filter(|r| r.kind() == ObjectKind::User)?;
        let user = self.users.get(found.slot() as usize)?;
        (user.state == State::Live).then_some((found.slot(), user))
    }

    /// A live group.
    pub fn group(&self, id: Uuid) -> Option<(u32, &Group)> {
        let found = self.find(id).filter(|r| r.kind() == ObjectKind::Group)?;
        let group = self.groups.get(found.slot() as usize)?;
        (group.state == State::Live).then_some((found.slot(), group))
    }

    pub fn device(&self, id: Uuid) -> Option<(u32, &Device)> {
        let found = self.find(id).filter(|r| r.kind() == ObjectKind::Device)?;
        let device = self.devices.get(found.slot() as usize)?;
        (device.state == State::Live).then_some((found.slot(), device))
    }

    pub fn id_of(&self, object: Ref) -> Uuid {
        let slot = object.slot() as usize;
        match object.kind() {
            ObjectKind::User => self.users.get(slot).map(|u| u.id),
            ObjectKind::Group => self.groups.get(slot).map(|g| g.id),
            ObjectKind::Device => self.devices.get(slot).map(|d| d.id),
            ObjectKind::ServicePrincipal => self.service_principals.get(slot).map(|o| o.id),
            ObjectKind::OrgContact => self.contacts.get(slot).map(|o| o.id),
        }
        .unwrap_or_default()
    }

    pub fn is_live(&self, object: Ref) -> bool {
        let slot = object.slot() as usize;
        match object.kind() {
            ObjectKind::User => self.users.get(slot).is_some_and(|u| u.state == State::Live),
            ObjectKind::Group => self.groups.get(slot).is_some_and(|g| g.state == State::Live),
            ObjectKind::Device => self.devices.get(slot).is_some_and(|d| d.state == State::Live),
            ObjectKind::ServicePrincipal => slot < self.service_principals.len(),
            ObjectKind::OrgContact => slot < self.contacts.len(),
        }
    }

    /// The groups that an object is a direct member of.
    pub fn member_of(&self, object: Ref) -> &[u32] {
        let slot = object.slot() as usize;
        match object.kind() {
            ObjectKind::User => self.users.get(slot).map(|u| u.member_of.as_slice()),
            ObjectKind::Group => self.groups.get(slot).map(|g| g.member_of.as_slice()),
            ObjectKind::Device => self.devices.get(slot).map(|d| d.member_of.as_slice()),
            ObjectKind::ServicePrincipal => self.service_principals.get(slot).map(|o| o.member_of.as_slice()),
            ObjectKind::OrgContact => self.contacts.get(slot).map(|o| o.member_of.as_slice()),
        }
        .unwrap_or_default()
    }

    /// The live manager of a user.
    pub fn manager_of(&self, user: &User) -> Option<&User> {
        self.users.get(user.manager? as usize).filter(|m| m.state == State::Live)
    }

    /// Every licence of a user: `(SKU, the group that assigns it or None)`, direct ones first.
    pub fn licenses_of(&self, user: &User) -> Vec<(usize, Option<u32>)> {
        let direct = (0..words::SKUS.len()).filter(|n| user.skus & (1 << n) != 0).map(|n| (n, None));
        let inherited = user.member_of.iter().flat_map(|&slot| {
            let skus = self.groups.get(slot as usize).filter(|g| g.state == State::Live).map_or(0, |g| g.skus);
            (0..words::SKUS.len()).filter(move |n| skus & (1 << n) != 0).map(move |n| (n, Some(slot)))
        });
        direct.chain(inherited).collect()
    }

    /// Bit n: the user holds SKU n, directly or through a group.
    pub fn all_skus_of(&self, user: &User) -> u8 {
        user.member_of.iter().fold(user.skus, |skus, &slot| {
            skus | self.groups.get(slot as usize).filter(|g| g.state == State::Live).map_or(0, |g| g.skus)
        })
    }
}

/// Seconds since 1970 as a time.
pub fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}
