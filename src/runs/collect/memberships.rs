//! The memberships by which a scope decides.

use super::read_error::Result;
use super::reader::Reader;
use crate::db::mirror::{StoredAs, read, scope};
use crate::directory::{MemberType, ObjectType};
use crate::filter::scope::{Memberships, MembershipsBuilder, Numbers};
use std::collections::HashSet;
use uuid::Uuid;

/// Which memberships decide.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
    /// Everything was read: those that were staged.
    Staged,
    /// Changes were read: those of the mirror with what was staged, of these groups or of all.
    Changed(Option<&'a [Uuid]>),
}

/// Memberships as numbers instead of ids, at eight bytes each.
pub(super) struct MembershipGraph {
    pub numbers: Numbers,
    pub memberships: Memberships<u32>,
    /// Groups whose members are unknown: everybody who was in scope counts as a member.
    pub assumed: HashSet<u32>,
}

fn add(edges: &mut MembershipsBuilder, row: &read::MembersRow) {
    edges.add(row.group_id, row.member_type == MemberType::User, &row.member_ids);
}

/// The memberships that are known. Groups whose members are `unknown` now have their last known members. Where there are
/// none, because the group is not imported, everybody who was in scope counts as a member and stays: unknown is not
/// empty. `others`: ids that need a number even without a membership.
pub(super) async fn load_memberships(
    reader: &Reader<'_>,
    which: Known<'_>,
    unknown: &[Uuid],
    others: &[&[Uuid]],
) -> Result<MembershipGraph> {
    reader.staging.stored().await?;
    let organization = reader.run.job.organization;
    let (staged, mirror) = (read::Source::Staged(reader.run.lease.run), read::Source::Mirror(reader.run.job.id));
    let mut edges = MembershipsBuilder::default();
    others.iter().copied().flatten().for_each(|id| {
        edges.number(*id);
    });
    let mut assumed: HashSet<Uuid> = unknown.iter().copied().collect();
    let (lease, job) = (reader.run.lease, reader.run.job.id);
    let edges = reader.run.tx("memberships", async |tx| {
        match which {
            Known::Staged => read::memberships(tx, organization, staged, |row| add(&mut edges, &row)).await?,
            Known::Changed(groups) => scope::memberships(tx, &lease, job, groups, |row| add(&mut edges, &row)).await?,
        }
        if unknown.is_empty() {
            return Ok(edges);
        }
        read::memberships_of(tx, organization, mirror, unknown, |row| {
            assumed.remove(&row.group_id);
            add(&mut edges, &row);
        })
        .await?;
        let in_scope = read::ids(tx, organization, mirror, StoredAs::Object(ObjectType::Users)).await?;
        for group in &assumed {
            edges.add(*group, true, &in_scope);
        }
        Ok(edges)
    });
    let (numbers, memberships) = edges.await?.build();
    let assumed = numbers.of(&assumed.into_iter().collect::<Vec<_>>()).into_iter().collect();
    Ok(MembershipGraph { numbers, memberships, assumed })
}
