//! The members of some groups and of the groups nested in them, with a limit on the requests.

use super::asker::{About, Asker};
use crate::directory::MemberType;
use crate::error::Result;
use crate::filter::scope::Memberships;
use crate::graph::Pager;
use crate::graph::wire::Members;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

/// Requests for members that a preview sends at most.
const MAX_REQUESTS: usize = 150;
const AT_ONCE: usize = 16;

pub(super) struct Walked {
    pub memberships: Memberships<Uuid>,
    /// The groups that were read to their last member.
    pub groups: BTreeSet<Uuid>,
    /// Whether every group that was reached was read to its last member.
    pub complete: bool,
    /// Members of all kinds in the groups that were read.
    pub members: u64,
}

struct Group {
    id: Uuid,
    users: Vec<Uuid>,
    nested: Vec<Uuid>,
    members: u64,
    complete: bool,
}

/// Reads the members of these groups and, with `transitive`, of all groups nested in them.
pub(super) async fn walk(asker: &Asker, roots: &[Uuid], transitive: bool) -> Result<Walked> {
    let left = AtomicUsize::new(MAX_REQUESTS);
    let mut seen: BTreeSet<Uuid> = BTreeSet::new();
    let mut walked =
        Walked { memberships: Memberships::default(), groups: BTreeSet::new(), complete: true, members: 0 };
    let (mut users, mut groups) = (Vec::new(), Vec::new());
    let mut open: Vec<Uuid> = roots.to_vec();
    while !open.is_empty() {
        open.retain(|group| seen.insert(*group));
        let readings = stream::iter(open).map(|group| read(asker, group, &left)).buffer_unordered(AT_ONCE);
        let level: Vec<Group> = readings.try_collect().await?;
        open = Vec::new();
        for group in level {
            walked.complete &= group.complete;
            walked.members += group.members;
            if group.complete {
                walked.groups.insert(group.id);
            }
            users.extend(group.users.into_iter().map(|user| (group.id, user)));
            if transitive {
                open.extend(&group.nested);
            }
            groups.extend(group.nested.into_iter().map(|nested| (group.id, nested)));
        }
    }
    walked.memberships = Memberships::new(users, groups);
    Ok(walked)
}

async fn read(asker: &Asker, id: Uuid, left: &AtomicUsize) -> Result<Group> {
    let mut group = Group { id, users: Vec::new(), nested: Vec::new(), members: 0, complete: false };
    let first = asker.session().url(&format!("groups/{id}/members?$top=999&$select=id"));
    let mut pager: Pager<Members> = asker.session().pages(first, asker.options(false));
    loop {
        let has_left = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if !has_left {
            return Ok(group);
        }
        match asker.ask(About::Members, pager.next()).await? {
            Some(Some(page)) => {
                group.members += page.content.0.len() as u64;
                for member in &page.content.0 {
                    match member.kind {
                        MemberType::User => group.users.push(member.id),
                        MemberType::Group => group.nested.push(member.id),
                        MemberType::Device | MemberType::ServicePrincipal | MemberType::Contact | MemberType::Other => {
                        }
                    }
                }
                if pager.position().is_none() {
                    group.complete = true;
                    return Ok(group);
                }
            }
            Some(None) => {
                group.complete = true;
                return Ok(group);
            }
            None => return Ok(group),
        }
    }
}
