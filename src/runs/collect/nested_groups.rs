//! The walk from groups to the groups nested in them, which decides who is a member of a scope.

use super::groups::{self, Visible};
use super::read_error::Result;
use super::reader::Reader;
use crate::db::mirror::scope::State;
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
    let mut unreadable = Vec::new();
    let nested = async |open: &[Uuid]| -> Result<Vec<Uuid>> {
        let unread = match members {
            Members::Staged => open.to_vec(),
            Members::Mirror(State::Before) => Vec::new(),
            Members::Mirror(State::After) => reader.mirror.scope_unknown(open).await?,
        };
        let read = if unread.is_empty() { Vec::new() } else { groups::read_roots(reader, &unread).await? };
        unreadable.extend(read.into_iter().filter(|(_, visible)| *visible != Visible::Yes));
        match members {
            Members::Staged => reader.staging.nested_groups(open.to_vec()).await,
            Members::Mirror(state) => {
                reader.staging.stored().await?;
                reader.mirror.scope_members(state, "group", open).await
            }
        }
    };
    let groups = each_level(roots, reader.run.job.filter.scope.transitive, nested).await?;
    Ok(Walked { groups, unreadable })
}

/// Looks at groups and at those nested in them, level by level. `nested` reads the groups of a level and returns the groups
/// that are members of them.
pub(super) async fn each_level(
    roots: Vec<Uuid>,
    transitive: bool,
    mut nested: impl AsyncFnMut(&[Uuid]) -> Result<Vec<Uuid>>,
) -> Result<HashSet<Uuid>> {
    let mut met = HashSet::new();
    let mut open = roots;
    loop {
        open.retain(|group| met.insert(*group));
        if open.is_empty() {
            return Ok(met);
        }
        let next = nested(&open).await?;
        if !transitive {
            return Ok(met);
        }
        open = next;
    }
}
