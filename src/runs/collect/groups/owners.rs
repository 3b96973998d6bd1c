//! The owners of one group, where the list did not show them all.

use crate::db::mirror::{Batch, Cursor, StagedObject};
use crate::directory::{ObjectType, Properties};
use crate::error::Error;
use crate::graph::error::GraphErrorKind;
use crate::graph::wire::Members;
use crate::runs::collect::pages::whole;
use crate::runs::collect::read_error::{ReadError, Result};
use crate::runs::collect::reader::Reader;
use serde_json::json;
use uuid::Uuid;

/// The collection name of groups' owners in `run_cursors`; its part is the group's id.
pub const OWNERS: &str = "owners";

/// Reads all owners of a group of which the list showed only the first twenty, or none.
pub async fn read(reader: &Reader<'_>, group: Uuid) -> Result<()> {
    let request = reader.dialect.links(format!("groups/{group}/owners"));
    let each = |page: &Members, owners: &mut Vec<Uuid>| {
        owners.extend(page.0.iter().map(|owner| owner.id));
        Ok(())
    };
    let (mut owners, held) = match whole(reader, request, "owners", each).await {
        Err(ReadError::Graph(error)) if matches!(error.kind, GraphErrorKind::NotFound) => return Ok(()),
        owners => owners?,
    };
    owners.sort_unstable();
    owners.dedup();
    let objects = with_owners(reader, group, owners).await?.into_iter().collect();
    let cursor = Cursor { collection: OWNERS.into(), part: group.to_string(), next_link: None, done: true, pages: 1 };
    reader.staging.write_page(Batch { objects, cursors: vec![cursor], ..Batch::default() }, held).await
}

async fn with_owners(reader: &Reader<'_>, group: Uuid, owners: Vec<Uuid>) -> Result<Option<StagedObject>> {
    // The page that has the group may still be in the writer; reading waits for it.
    let data = reader.staging.objects(ObjectType::Groups, vec![group]).await?.pop().map(|row| row.data);
    let Some(data) = data else { return Ok(None) };
    let mut map: Properties = serde_json::from_str(&data).map_err(Error::internal)?;
    map.insert("ownerIds".to_owned(), json!(owners));
    Ok(Some(StagedObject::new(ObjectType::Groups, group, map)))
}
