//! The memberships that a scope decides by.

use super::reader::Reader;
use crate::db::mirror::read;
use crate::directory::ObjectType;
use crate::filter::scope::{Memberships, MembershipsBuilder, Numbers};
use crate::runs::stop::Stop;
use std::collections::HashSet;
use uuid::Uuid;

/// Memberships by numbers in place of ids: eight bytes each, whatever there are.
pub(super) struct Known {
    pub numbers: Numbers,
    pub memberships: Memberships<u32>,
    /// Groups of which nothing is known: everybody who was in scope is taken for a member.
    pub assumed: HashSet<u32>,
}

fn add(edges: &mut MembershipsBuilder, row: &read::MembersRow) {
    edges.add(row.group_id, row.member_type == "user", &row.member_ids);
}

/// All memberships that were read. Those of groups whose members are `unknown` now are the last known ones; where there
/// are none, because the group itself is not imported, whoever was in scope is taken for a member, and stays: unknown
/// is not empty. `others`: ids that have to have numbers, whether or not they are in any membership.
pub(super) async fn known_memberships(
    reader: &Reader<'_>,
    unknown: &[Uuid],
    others: &[&[Uuid]],
) -> Result<Known, Stop> {
    reader.writer.flushed().await?;
    let (organization, source) = (reader.run.job.organization, read::Source::Staged(reader.run.lease.run));
    let mirror = read::Source::Mirror(reader.run.job.id);
    let mut edges = MembershipsBuilder::default();
    others.iter().copied().flatten().for_each(|id| {
        edges.number(*id);
    });
    let mut assumed: HashSet<Uuid> = unknown.iter().copied().collect();
    let db = &reader.run.app.db;
    let edges = db.scoped(organization, async |tx| {
        read::memberships(tx, organization, source, |row| add(&mut edges, &row)).await?;
        if unknown.is_empty() {
            return Ok(edges);
        }
        read::memberships_of(tx, organization, mirror, unknown, |row| {
            assumed.remove(&row.group_id);
            add(&mut edges, &row);
        })
        .await?;
        let in_scope = read::ids(tx, organization, mirror, ObjectType::Users.as_str()).await?;
        for group in &assumed {
            edges.add(*group, true, &in_scope);
        }
        Ok(edges)
    });
    let (numbers, memberships) = edges.await?.build();
    let assumed = numbers.of(&assumed.into_iter().collect::<Vec<_>>()).into_iter().collect();
    Ok(Known { numbers, memberships, assumed })
}
