//! The walk from groups to the groups nested in them. It decides who is a member of a scope.

use super::groups::{self, Visible};
use super::read_error::Result;
use super::reader::Reader;
use crate::db::mirror::scope::State;
use crate::directory::MemberType;
use std::collections::HashSet;
use uuid::Uuid;

/// Where the members of the groups are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Members {
    /// Everything is read: a group whose members were not staged yet is read.
    Staged,
    /// Changes are read: in the mirror, with what the run staged. After the changes, groups with unknown members are read.
    Mirror(State),
}

/// The groups that a walk met.
#[derive(Default)]
pub(super) struct Walked {
    pub groups: HashSet<Uuid>,
    /// Those whose members cannot be read, and why.
    pub unreadable: Vec<(Uuid, Visible)>,
}

/// Walks from `roots` to the groups nested in them, if the scope is transitive. Cycles end: each group is met once.
pub(super) async fn walk(reader: &Reader<'_>, roots: Vec<Uuid>, members: Members) -> Result<Walked> {
    let mut levels = Levels::new(reader.run.job.filter.scope.transitive);
    let mut unreadable = Vec::new();
    let mut open = levels.next(roots);
    while !open.is_empty() {
        let unread = match members {
            Members::Staged => open.clone(),
            Members::Mirror(State::Before) => Vec::new(),
            Members::Mirror(State::After) => reader.mirror.scope_unknown(&open).await?,
        };
        let read = if unread.is_empty() { Vec::new() } else { groups::read_roots(reader, &unread).await? };
        unreadable.extend(read.into_iter().filter(|(_, visible)| *visible != Visible::Yes));
        let nested = match (levels.transitive, members) {
            (false, _) => Vec::new(),
            (true, Members::Staged) => reader.staging.nested_groups(open).await?,
            (true, Members::Mirror(state)) => {
                reader.staging.stored().await?;
                reader.mirror.scope_members(state, MemberType::Group, &open).await?
            }
        };
        open = levels.next(nested);
    }
    Ok(Walked { groups: levels.met, unreadable })
}

/// Groups and those nested in them, level by level.
pub(super) struct Levels {
    transitive: bool,
    met: HashSet<Uuid>,
}

impl Levels {
    pub fn new(transitive: bool) -> Self {
        Self { transitive, met: HashSet::new() }
    }

    /// The groups of the next level, of those that are named or nested in the last one: each is met once. Empty: the walk
    /// is over.
    pub fn next(&mut self, groups: Vec<Uuid>) -> Vec<Uuid> {
        let is_over = !self.transitive && !self.met.is_empty();
        groups.into_iter().filter(|group| !is_over && self.met.insert(*group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_met_once_and_nested_ones_only_if_the_scope_is_transitive() {
        let id = Uuid::from_u128;
        let mut levels = Levels::new(true);
        assert_eq!(levels.next(vec![id(1), id(2), id(1)]), [id(1), id(2)]);
        assert_eq!(levels.next(vec![id(2), id(3)]), [id(3)]);
        assert!(levels.next(vec![id(1)]).is_empty(), "a circle ends");
        let mut levels = Levels::new(false);
        assert_eq!(levels.next(vec![id(1), id(2)]), [id(1), id(2)]);
        assert!(levels.next(vec![id(3)]).is_empty());
    }
}
