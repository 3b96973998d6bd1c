//! The entries of a round, one for each object.

use super::state::{State, Wanted, is_asked_for};
use crate::graph::permission;
use crate::graph::sim::ClearedManager;
use crate::graph::token::Token;
use crate::seed::{self, Directory, ObjectKind, Ref, What};
use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// In the recycle bin.
    Changed,
    /// Permanently deleted.
    Deleted,
}

/// A link that was added, or one that was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    pub to: Ref,
    pub removed: bool,
}

pub struct Entry {
    pub object: Ref,
    pub removed: Option<Reason>,
    /// The properties that changed; `None`: all properties are written.
    pub changed: Option<Vec<String>>,
    pub links: Vec<Link>,
    pub owners: Vec<Link>,
    pub manager: Option<Vec<Link>>,
    /// Even if there is nothing to say about it.
    pub is_reported: bool,
}

impl Entry {
    fn removed(object: Ref, reason: Reason) -> Self {
        Self { removed: Some(reason), ..Self::whole(object) }
    }

    fn whole(object: Ref) -> Self {
        Self {
            object,
            removed: None,
            changed: None,
            links: Vec::new(),
            owners: Vec::new(),
            manager: None,
            is_reported: false,
        }
    }
}

/// The entries from the state's position on, each with its number.
pub fn entries<'d>(
    directory: &'d Directory,
    kind: ObjectKind,
    state: &'d State,
    wanted: &'d Wanted,
    token: &'d Token,
) -> Box<dyn Iterator<Item = (usize, Entry)> + 'd> {
    let reader = Reader { directory, wanted, hidden: !token.has(permission::HIDDEN) };
    let start = state.position.0;
    match state.from {
        None => {
            let slots = match kind {
                ObjectKind::User => directory.users.len(),
                ObjectKind::Group => directory.groups.len(),
                ObjectKind::Device | ObjectKind::ServicePrincipal | ObjectKind::OrgContact => directory.devices.len(),
            };
            let objects = (start..slots).map(move |slot| (slot, Ref::new(kind, slot as u32)));
            let asked = objects.filter(|(_, object)| is_asked_for(state, directory, *object));
            Box::new(asked.filter_map(move |(slot, object)| Some((slot, reader.first(object)?))))
        }
        Some(from) => {
            let all = reader.since(kind, from, state);
            Box::new(all.into_iter().enumerate().skip(start))
        }
    }
}

struct Reader<'d> {
    directory: &'d Directory,
    wanted: &'d Wanted,
    /// Hidden memberships are left out.
    hidden: bool,
}

impl Reader<'_> {
    fn state(&self, object: Ref) -> seed::State {
        let slot = object.slot() as usize;
        match object.kind() {
            ObjectKind::User => self.directory.users.get(slot).map(|user| user.state),
            ObjectKind::Group => self.directory.groups.get(slot).map(|group| group.state),
            ObjectKind::Device => self.directory.devices.get(slot).map(|device| device.state),
            ObjectKind::ServicePrincipal | ObjectKind::OrgContact => None,
        }
        .unwrap_or(seed::State::Gone)
    }

    /// An object in a first round; what is in the recycle bin shows there too.
    fn first(&self, object: Ref) -> Option<Entry> {
        match self.state(object) {
            seed::State::Live => Some(self.whole(object)),
            seed::State::SoftDeleted => Some(Entry::removed(object, Reason::Changed)),
            seed::State::Gone => None,
        }
    }

    fn whole(&self, object: Ref) -> Entry {
        let mut entry = Entry::whole(object);
        let there = |to: &Ref| Link { to: *to, removed: false };
        if let (ObjectKind::Group, Some(group)) = (object.kind(), self.directory.groups.get(object.slot() as usize)) {
            if self.wanted.members && !(group.hidden_membership && self.hidden) {
                entry.links = group.members.iter().filter(|to| self.is_told(**to)).map(there).collect();
            }
            if self.wanted.owners {
                entry.owners = group.owners.iter().filter(|to| self.is_told(**to)).map(there).collect();
            }
        }
        if self.wanted.manager {
            entry.manager = self.manager(object).map(|to| vec![there(&to)]);
        }
        entry
    }

    /// Service principals are not listed as members in v1.0.
    fn is_told(&self, to: Ref) -> bool {
        to.kind() != ObjectKind::ServicePrincipal && self.directory.is_live(to)
    }

    fn manager(&self, object: Ref) -> Option<Ref> {
        let manager = self.directory.users.get(object.slot() as usize)?.manager.map(Ref::user)?;
        self.directory.is_live(manager).then_some(manager)
    }

    /// The objects that changed, in the order of their first change.
    fn since(&self, kind: ObjectKind, from: usize, state: &State) -> Vec<Entry> {
        let log = &self.directory.log[from.min(state.to)..state.to.min(self.directory.log.len())];
        let mut order: Vec<Ref> = Vec::new();
        let mut changes: HashMap<Ref, Vec<&What>> = HashMap::new();
        for change in log.iter().filter(|change| change.object.kind() == kind) {
            let known = changes.entry(change.object).or_default();
            if known.is_empty() {
                order.push(change.object);
            }
            known.push(&change.what);
        }
        order.retain(|object| is_asked_for(state, self.directory, *object));
        order.into_iter().filter_map(|object| self.changed(object, changes.get(&object)?)).collect()
    }

    fn changed(&self, object: Ref, changes: &[&What]) -> Option<Entry> {
        match self.state(object) {
            seed::State::SoftDeleted => return Some(Entry::removed(object, Reason::Changed)),
            seed::State::Gone => return Some(Entry::removed(object, Reason::Deleted)),
            seed::State::Live => {}
        }
        if changes.iter().any(|what| matches!(what, What::Created | What::Restored)) {
            return Some(self.whole_but(object, changes));
        }
        let mut entry = Entry::whole(object);
        let mut names: Vec<String> = Vec::new();
        for what in changes {
            match what {
                What::Properties(changed) => {
                    names.extend(changed.iter().filter(|name| self.wanted.names.contains(name)).cloned());
                }
                What::Manager(before) if self.wanted.manager => self.manager_changed(object, *before, &mut entry),
                What::MemberAdded(to) if self.wanted.members => self.linked(*to, false, &mut entry.links),
                What::MemberRemoved(to) if self.wanted.members => self.linked(*to, true, &mut entry.links),
                What::OwnerAdded(to) if self.wanted.owners => self.linked(*to, false, &mut entry.owners),
                What::OwnerRemoved(to) if self.wanted.owners => self.linked(*to, true, &mut entry.owners),
                What::Manager(_)
                | What::MemberAdded(_)
                | What::MemberRemoved(_)
                | What::OwnerAdded(_)
                | What::OwnerRemoved(_)
                | What::Created
                | What::Restored
                | What::SoftDeleted
                | What::Purged => {}
            }
        }
        let hidden = self.directory.groups.get(object.slot() as usize).is_some_and(|group| group.hidden_membership);
        if object.kind() == ObjectKind::Group && hidden && self.hidden {
            entry.links.clear();
        }
        let is_changed = !names.is_empty() || !entry.links.is_empty() || !entry.owners.is_empty() || entry.is_reported;
        entry.changed = Some(names);
        is_changed.then_some(entry)
    }

    /// An object with all its links and with the links that it lost: a reader that did not see the object in the
    /// recycle bin still has them.
    fn whole_but(&self, object: Ref, changes: &[&What]) -> Entry {
        let mut entry = self.whole(object);
        let hidden = self.directory.groups.get(object.slot() as usize).is_some_and(|group| group.hidden_membership);
        let shows_members = self.wanted.members && !(object.kind() == ObjectKind::Group && hidden && self.hidden);
        let is_lost = |links: &[Link], to: &Ref| !links.iter().any(|link| link.to == *to);
        for what in changes {
            match what {
                What::MemberRemoved(to) if shows_members && is_lost(&entry.links, to) => {
                    self.linked(*to, true, &mut entry.links);
                }
                What::OwnerRemoved(to) if self.wanted.owners && is_lost(&entry.owners, to) => {
                    self.linked(*to, true, &mut entry.owners);
                }
                _ => {}
            }
        }
        entry
    }

    /// The last change of a link counts; links to deleted objects are left out.
    fn linked(&self, to: Ref, removed: bool, links: &mut Vec<Link>) {
        if to.kind() == ObjectKind::ServicePrincipal {
            return;
        }
        if self.wanted.silent && !self.directory.is_live(to) {
            return;
        }
        let removed = removed || !self.directory.is_live(to);
        links.retain(|link| link.to != to);
        links.push(Link { to, removed });
    }

    fn manager_changed(&self, object: Ref, before: Option<u32>, entry: &mut Entry) {
        let now = self.manager(object);
        let assigned = self.directory.users.get(object.slot() as usize).and_then(|user| user.manager);
        if self.wanted.silent && before == assigned {
            // Only the manager changed, by being deleted or restored.
            return;
        }
        let mut links: Vec<Link> = now.map(|to| Link { to, removed: false }).into_iter().collect();
        // The first «before» of the round is the manager that the reader knows.
        let known = entry.manager.as_ref().and_then(|links| links.iter().find(|link| link.removed).map(|link| link.to));
        let before = known.or(before.map(Ref::user));
        if let Some(to) = before.filter(|to| Some(*to) != now) {
            links.insert(0, Link { to, removed: true });
        }
        let is_cleared = links.iter().all(|link| link.removed);
        entry.manager = match self.wanted.cleared_manager {
            ClearedManager::RemovedEntry => Some(links),
            ClearedManager::EmptyList if is_cleared => Some(Vec::new()),
            // Shown as a user without properties that changed.
            ClearedManager::Nothing if is_cleared => None,
            ClearedManager::EmptyList | ClearedManager::Nothing => Some(links),
        };
        entry.is_reported = true;
    }
}
