//! The exact text that is sent for an object, and its hash.

use super::memberships::{Groups, GroupsOf};
use super::same::SameValues;
use super::targets::Targets;
use crate::db::mirror;
use crate::db::mirror::read::SeenRow;
use crate::directory::{Attribute, Link, ObjectType, Properties};
use crate::mapping::References;
use crate::runs::run::Run;
use uuid::Uuid;

/// The hash of the exact text that is sent, with the mapping that gives it its meaning.
pub(super) fn hash(run: &Run, payload: &str) -> Vec<u8> {
    mirror::hash(&[payload.as_bytes(), &run.job.mapping.version().to_le_bytes()])
}

/// What the references of a type's objects are made of.
pub(super) struct Referring<'a> {
    pub targets: &'a Targets,
    /// `None` when the type does not carry them.
    pub groups_of: Option<Groups<'a>>,
    /// The groups that groups are in, when users carry groups at any depth.
    pub parents: Option<GroupsOf<'a>>,
    pub same: SameValues,
}

/// The exact text for one object.
pub(super) struct Built {
    pub text: String,
    /// The most values that one of its reference attributes has.
    pub references: usize,
    /// References to what is not delivered.
    pub dropped: usize,
}

/// References to what is not delivered are left out, so that the object is sent again when its target arrives.
/// `kept_groups`: those that were delivered with a user, where groups cannot be read now.
pub(super) fn payload(
    run: &Run,
    object_type: ObjectType,
    Referring { targets, groups_of, parents, same }: &Referring<'_>,
    row: &SeenRow,
    properties: &Properties,
    kept_groups: Option<Vec<Uuid>>,
) -> Built {
    let (mut all, mut dropped, mut kept_groups) = (Vec::new(), 0, kept_groups);
    for link in run.job.mapping.links(object_type) {
        let ids = match link {
            Link::Groups | Link::ParentGroups => match (kept_groups.take(), groups_of) {
                (Some(groups), _) => groups,
                (None, Some(groups_of)) => {
                    let (groups, left_out) = groups_of.of(row.id);
                    dropped += left_out;
                    groups
                }
                (None, None) => Vec::new(),
            },
            Link::AllGroups => match (groups_of, parents) {
                (Some(groups_of), Some(parents)) => parents.above(groups_of.of(row.id).0),
                _ => Vec::new(),
            },
            Link::Members => delivered(targets, link, row.members.clone().unwrap_or_default(), &mut dropped),
            Link::Ids { .. } if link.is_mixed() => targets.only(link.target(), link.ids(properties)),
            Link::Ids { .. } => delivered(targets, link, link.ids(properties), &mut dropped),
            Link::Value { .. } => targets.only(link.target(), link.ids(properties)),
            Link::Same { .. } => same.of(link, properties, targets),
        };
        all.push((link, ids));
    }
    dropped += nowhere(object_type, properties, &all);
    let most = all.iter().map(|(_, ids)| ids.len()).max().unwrap_or(0);
    let text = run.job.mapping.payload(object_type, row.id, properties, &References(all), None);
    Built { text, references: most, dropped }
}

/// Those of the ids that are delivered. The others are counted.
fn delivered(targets: &Targets, link: Link, ids: Vec<Uuid>, dropped: &mut usize) -> Vec<Uuid> {
    let all = ids.len();
    let ids = targets.only(link.target(), ids);
    *dropped += all - ids.len();
    ids
}

/// How many ids of a list of objects of several types no link found. An id says nothing where one of the types is not
/// imported: the object may be of that type.
fn nowhere(object_type: ObjectType, properties: &Properties, found: &[(Link, Vec<Uuid>)]) -> usize {
    let declared = object_type.spec().attributes.iter().filter_map(Attribute::link).filter(|link| link.is_mixed());
    let found: Vec<_> = found.iter().filter(|(link, _)| link.is_mixed()).collect();
    let Some((link, _)) = found.first().filter(|_| found.len() >= declared.count()) else { return 0 };
    link.ids(properties).len().saturating_sub(found.iter().map(|(_, ids)| ids.len()).sum())
}
