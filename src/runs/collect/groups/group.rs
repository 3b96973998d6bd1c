//! A group as the list found it, on its way to the reading of its owners and members.

use crate::db::mirror::StagedObject;
use crate::directory::{Link, ObjectType};
use crate::runs::collect::read_error::Result;
use crate::runs::collect::reader::Reader;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::mpsc;
use uuid::Uuid;

/// `$expand` gives so many at most, and no link to the rest. Source: docs/graph.md, «Expand».
const MAX_EXPANDED: usize = 20;

/// What reading the members of groups with `visibility: HiddenMembership` needs.
/// Source: docs/graph.md, «Unreadable objects».
pub const HIDDEN_ROLE: &str = "Member.Read.Hidden";

/// A group as far as the reading of its owners and members goes.
pub struct Group {
    pub id: Uuid,
    pub hidden: bool,
    pub owners_incomplete: bool,
    pub owners_unknown: bool,
}

impl Group {
    pub fn without_owners(id: Uuid, hidden: bool) -> Self {
        Self { id, hidden, owners_incomplete: false, owners_unknown: false }
    }

    /// From the data that is staged of it.
    pub fn of(reader: &Reader<'_>, id: Uuid, data: &str) -> crate::error::Result<Self> {
        #[derive(Deserialize)]
        struct Shown<'a> {
            #[serde(rename = "ownerIds")]
            owners: Option<Vec<IgnoredAny>>,
            #[serde(borrow)]
            visibility: Option<std::borrow::Cow<'a, str>>,
        }
        let shown: Shown<'_> = serde_json::from_str(data).map_err(crate::error::Error::internal)?;
        let wants_owners = reader.run.job.mapping.carries(ObjectType::Groups, Link::OWNERS);
        Ok(Self {
            id,
            hidden: shown.visibility.as_deref() == Some("HiddenMembership") && !may_see_hidden(reader),
            owners_unknown: wants_owners && shown.owners.is_none(),
            owners_incomplete: wants_owners && shown.owners.is_none_or(|owners| owners.len() >= MAX_EXPANDED),
        })
    }
}

/// Where the list of groups sends the groups that it found.
pub struct Found(pub mpsc::UnboundedSender<Group>);

impl Found {
    pub fn send(&self, reader: &Reader<'_>, objects: &[StagedObject]) -> Result<()> {
        for object in objects {
            let data = object.data.as_deref().unwrap_or("{}");
            // Sending fails only after the receiver failed, which reports its own error.
            let _ = self.0.send(Group::of(reader, object.id, data)?);
        }
        Ok(())
    }
}

pub fn may_see_hidden(reader: &Reader<'_>) -> bool {
    reader.roles.iter().any(|role| role == HIDDEN_ROLE)
}
