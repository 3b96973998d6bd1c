//! Generates a directory from a seed.

use super::directory::{Device, Directory, Group, GroupKind, NEWEST, Other, User};
use super::object::{ObjectKind, Ref, State};
use super::random::Random;
use super::record::Records;
use super::records;
use super::words::{DEPARTMENTS, GIVEN, GROUP_FLAVOURS, GROUP_SUBJECTS, OFFICES, SURNAMES, TITLES};

use std::collections::HashMap;
use std::sync::Arc;

const DAY: i64 = 86_400;
/// Reports of one manager.
const SPAN: u32 = 8;
/// The user that is in more than 200 groups, when there are so many.
const BUSY_USER: u32 = 3;
const BUSY_GROUPS: u32 = 250;
/// Bits of [`super::words::SKUS`].
const E3: u8 = 1;
const E5: u8 = 1 << 1;
const F1: u8 = 1 << 2;
const POWER_BI: u8 = 1 << 3;
const VISIO: u8 = 1 << 4;

/// What to generate.
#[derive(Clone, Debug)]
pub struct SeedOptions {
    pub seed: u64,
    pub users: u32,
    pub groups: u32,
    /// About how many direct memberships of users in groups; `None`: five a user.
    pub memberships: Option<u64>,
    /// `None`: one device for every four users.
    pub devices: Option<u32>,
}

impl Default for SeedOptions {
    fn default() -> Self {
        Self { seed: 1, users: 2_000, groups: 150, memberships: None, devices: None }
    }
}

impl Directory {
    /// A directory that depends on nothing but the options.
    pub fn generate(options: SeedOptions) -> Self {
        generate(&options)
    }
}

fn generate(options: &SeedOptions) -> Directory {
    let mut random = Random::new(options.seed);
    let users = (0..options.users).map(|slot| user(slot, options.users, &mut random)).collect();
    let mut directory = Directory {
        users,
        groups: Vec::with_capacity(options.groups as usize),
        devices: Vec::new(),
        service_principals: Vec::new(),
        contacts: Vec::new(),
        records: Records::new(),
        by_id: HashMap::new(),
        log: Vec::new(),
        random: Random::new(options.seed.wrapping_add(1)),
    };
    for slot in 0..options.groups {
        let group = group(slot, options, &mut random);
        directory.groups.push(group);
    }
    others(&mut directory, options, &mut random);
    let target = options.memberships.unwrap_or(u64::from(options.users) * 5);
    memberships(&mut directory, target, &mut random);
    nesting(&mut directory);
    owners(&mut directory, &mut random);
    directory.devices = devices(options, &mut random);
    device_members(&mut directory);
    index(&mut directory);
    directory.records = records::generate(&directory, options.seed);
    directory
}

fn user(slot: u32, count: u32, random: &mut Random) -> User {
    let combinations = (GIVEN.len() * SURNAMES.len()) as u64;
    // A step without a common factor visits every combination once before any comes again.
    let place = (u64::from(slot) * 1_009 + 17) % combinations;
    let guest = slot > 10 && random.chance(6, 100);
    let direct = match random.below(100) {
        _ if guest => 0,
        0..40 => E3,
        40..55 => E5,
        55..72 => F1,
        72..76 => E3 | VISIO,
        _ => 0,
    };
    // Older accounts come first; the day spreads them for partitions by createdDateTime.
    let age = i64::from(count - slot) * 8 * 365 * DAY / i64::from(count.max(1));
    let created = NEWEST - age - random.below(DAY as u64) as i64;
    User {
        id: random.uuid(),
        state: State::Live,
        number: slot + 1,
        given: (place % GIVEN.len() as u64) as u16,
        surname: (place / GIVEN.len() as u64) as u16,
        twin: (u64::from(slot) / combinations) as u32,
        department: random.below(DEPARTMENTS.len() as u64) as u8,
        office: random.below(OFFICES.len() as u64) as u8,
        title: random.below(TITLES.len() as u64) as u8,
        enabled: slot <= 10 || !random.chance(7, 100),
        guest,
        on_premises: !guest && random.chance(35, 100),
        created: (slot % 500 != 499).then_some(created),
        manager: (slot > 0 && !guest && !random.chance(1, 50)).then(|| (slot - 1) / SPAN),
        skus: direct,
        member_of: Vec::new(),
        extra: None,
    }
}

fn group(slot: u32, options: &SeedOptions, random: &mut Random) -> Group {
    let departments = DEPARTMENTS.len() as u32;
    let (name, kind, rule): (String, _, Option<String>) = match slot {
        0 => ("All employees".into(), GroupKind::Security, Some("(user.userType -eq \"Member\")".into())),
        n if n <= departments => {
            let department = DEPARTMENTS[(n - 1) as usize];
            let rule = format!("(user.department -eq \"{department}\")");
            (format!("Department {department}"), GroupKind::Microsoft365, n.is_multiple_of(2).then_some(rule))
        }
        n => {
            let flavour = GROUP_FLAVOURS[random.below(GROUP_FLAVOURS.len() as u64) as usize];
            let subject = GROUP_SUBJECTS[(n as usize) % GROUP_SUBJECTS.len()];
            let kind = match n % 10 {
                1 | 4 | 7 => GroupKind::Microsoft365,
                8 => GroupKind::MailSecurity,
                9 => GroupKind::Distribution,
                _ => GroupKind::Security,
            };
            (format!("{flavour} {subject} {n}"), kind, None)
        }
    };
    let skus = match slot {
        2 => POWER_BI,
        5 => POWER_BI | VISIO,
        13 => E5,
        _ => 0,
    };
    let hidden_membership = kind == GroupKind::Microsoft365 && slot > departments && slot % 200 == 21;
    Group {
        id: random.uuid(),
        state: State::Live,
        number: slot + 1,
        name: name.into(),
        kind,
        rule: rule.map(Arc::from),
        hidden_membership,
        team: kind == GroupKind::Microsoft365 && random.chance(1, 2),
        created: NEWEST - i64::from(options.groups - slot) * 5 * 365 * DAY / i64::from(options.groups.max(1)),
        members: Vec::new(),
        owners: Vec::new(),
        skus,
        member_of: Vec::new(),
        extra: None,
    }
}

/// Users into groups: everybody, departments, then a long tail of groups that get smaller and smaller.
fn memberships(directory: &mut Directory, target: u64, random: &mut Random) {
    let users = directory.users.len() as u64;
    let groups = directory.groups.len();
    if users == 0 || groups == 0 {
        return;
    }
    let everybody = users.min((target / 4).max(users.min(1_500)));
    for slot in 0..everybody as u32 {
        if !directory.users[slot as usize].guest {
            directory.groups[0].members.push(Ref::user(slot));
        }
    }
    let departments = DEPARTMENTS.len();
    if groups > departments && target >= users * 2 {
        for (slot, user) in directory.users.iter().enumerate() {
            directory.groups[1 + user.department as usize].members.push(Ref::user(slot as u32));
        }
    }
    let placed: usize = directory.groups.iter().map(|g| g.members.len()).sum();
    let first = if groups > departments { departments + 1 } else { 1 };
    let tail = groups.saturating_sub(first);
    if tail == 0 {
        return;
    }
    let weights: f64 = (0..tail).map(weight).sum();
    let mut owed = target.saturating_sub(placed as u64) as f64;
    let share = owed / weights;
    for n in 0..tail {
        // Members that do not fit into one group go to the next ones.
        let wanted = (share * weight(n)).min(owed).round().min(users as f64 * 0.9);
        owed -= wanted;
        // The biggest groups are spread over the slots.
        let slot = first + (n * 7 + 3) % tail.max(1);
        let slot = if tail.is_multiple_of(7) { first + n } else { slot };
        fill(&mut directory.groups[slot].members, wanted as u64, users, random);
    }
    if groups >= (BUSY_GROUPS as usize) + first && users > u64::from(BUSY_USER) {
        let busy = Ref::user(BUSY_USER);
        for slot in first..first + BUSY_GROUPS as usize {
            if !directory.groups[slot].members.contains(&busy) {
                directory.groups[slot].members.push(busy);
            }
        }
    }
}

fn weight(n: usize) -> f64 {
    1.0 / (n as f64 + 6.0).powf(0.85)
}

/// `count` different users, in steps that have no common factor with the number of users.
fn fill(members: &mut Vec<Ref>, count: u64, users: u64, random: &mut Random) {
    let mut step = 1 + random.below(users);
    while greatest_common_divisor(step, users) != 1 {
        step += 1;
    }
    let start = random.below(users);
    members.reserve_exact(count as usize);
    members.extend((0..count).map(|n| Ref::user(((start + n * step) % users) as u32)));
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Groups within security groups: a tree, and cycles of three.
fn nesting(directory: &mut Directory) {
    let security: Vec<u32> = (1..directory.groups.len() as u32)
        .filter(|&slot| directory.groups[slot as usize].kind == GroupKind::Security)
        .collect();
    for (n, pair) in security.chunks(4).enumerate() {
        // The first of every four holds the second, and is held by the first of an earlier four.
        if let [parent, child, ..] = *pair {
            add_group(directory, parent, child);
            if n > 0 {
                add_group(directory, security[(n - 1) / 3 * 4], parent);
            }
        }
        if let [a, _, b, c] = *pair
            && n % 10 == 1
        {
            add_group(directory, a, b);
            add_group(directory, b, c);
            add_group(directory, c, a);
        }
    }
}

fn add_group(directory: &mut Directory, parent: u32, child: u32) {
    let child = Ref::group(child);
    let members = &mut directory.groups[parent as usize].members;
    if !members.contains(&child) {
        members.push(child);
    }
}

fn owners(directory: &mut Directory, random: &mut Random) {
    let users = directory.users.len() as u64;
    if users == 0 {
        return;
    }
    for slot in 0..directory.groups.len() {
        let count = match slot {
            4 => 25,
            n if n % 97 == 96 => 23,
            n if n % 11 == 10 => 0,
            _ => 1 + random.below(3),
        };
        let owners = &mut directory.groups[slot].owners;
        fill(owners, count.min(users), users, random);
    }
}

fn devices(options: &SeedOptions, random: &mut Random) -> Vec<Device> {
    let count = options.devices.unwrap_or(options.users / 4);
    (0..count)
        .map(|slot| Device {
            id: random.uuid(),
            state: State::Live,
            number: slot + 1,
            owner: (options.users > 0 && slot % 12 != 11).then(|| random.below(u64::from(options.users)) as u32),
            created: NEWEST - i64::from(count - slot) * 3 * 365 * DAY / i64::from(count.max(1)),
            member_of: Vec::new(),
            extra: None,
        })
        .collect()
}

/// A few members that are neither users nor groups, in the groups that may hold them.
fn others(directory: &mut Directory, options: &SeedOptions, random: &mut Random) {
    if options.groups < 20 {
        return;
    }
    for n in 1..=5 {
        let name = format!("Automation {n}");
        directory.service_principals.push(Other { id: random.uuid(), name, member_of: Vec::new() });
    }
    for n in 1..=3 {
        let name = format!("Supplier desk {n}");
        directory.contacts.push(Other { id: random.uuid(), name, member_of: Vec::new() });
    }
    let first = |kind: GroupKind| (13..directory.groups.len()).find(|&slot| directory.groups[slot].kind == kind);
    let (security, distribution) = (first(GroupKind::Security), first(GroupKind::Distribution));
    if let Some(slot) = security {
        directory.groups[slot].members.extend((0..5).map(|n| Ref::new(ObjectKind::ServicePrincipal, n)));
    }
    if let Some(slot) = distribution {
        directory.groups[slot].members.extend((0..3).map(|n| Ref::new(ObjectKind::OrgContact, n)));
    }
}

fn device_members(directory: &mut Directory) {
    let devices = directory.devices.len() as u32;
    let security = (13..directory.groups.len()).filter(|&s| directory.groups[s].kind == GroupKind::Security).nth(2);
    if let Some(slot) = security {
        directory.groups[slot].members.extend((0..devices.min(40)).map(|n| Ref::new(ObjectKind::Device, n)));
    }
}

/// Fills the reverse indexes: from an id to its object, from a member to its groups.
fn index(directory: &mut Directory) {
    let mut by_id = HashMap::with_capacity(directory.users.len() + directory.groups.len() + directory.devices.len());
    by_id.extend(directory.users.iter().enumerate().map(|(slot, u)| (u.id, Ref::user(slot as u32))));
    by_id.extend(directory.groups.iter().enumerate().map(|(slot, g)| (g.id, Ref::group(slot as u32))));
    by_id.extend(directory.devices.iter().enumerate().map(|(n, d)| (d.id, Ref::new(ObjectKind::Device, n as u32))));
    let principals = directory.service_principals.iter().enumerate();
    by_id.extend(principals.map(|(n, o)| (o.id, Ref::new(ObjectKind::ServicePrincipal, n as u32))));
    by_id
        .extend(directory.contacts.iter().enumerate().map(|(n, o)| (o.id, Ref::new(ObjectKind::OrgContact, n as u32))));
    directory.by_id = by_id;
    let groups = std::mem::take(&mut directory.groups);
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for (parent, group) in groups.iter().enumerate() {
        for member in &group.members {
            let slot = member.slot() as usize;
            match member.kind() {
                ObjectKind::User => directory.users[slot].member_of.push(parent as u32),
                ObjectKind::Group => parents.push((member.slot(), parent as u32)),
                ObjectKind::Device => directory.devices[slot].member_of.push(parent as u32),
                ObjectKind::ServicePrincipal => directory.service_principals[slot].member_of.push(parent as u32),
                ObjectKind::OrgContact => directory.contacts[slot].member_of.push(parent as u32),
            }
        }
    }
    directory.groups = groups;
    for (child, parent) in parents {
        directory.groups[child as usize].member_of.push(parent);
    }
}
