//! Properties that no object of a type shows, because a permission besides that of the type is missing. Graph sends them
//! as null, which looks like a value that is not set. So what was known of them stays.

use super::read_error::Result;
use super::reader::{Read, Reader};
use crate::codes::WarningCode;
use crate::db::mirror::read::ObjectRow;
use crate::directory::{Hidden, ObjectType, Properties as Map};
use crate::error::Error;
use crate::permission::{Standing, list, standing};
use crate::run_state::RunWarning;

/// The properties of the types that were read that may be hidden: what was known of them stays. Warns of those that the job
/// imports and that no staged object has.
pub(super) async fn hidden(reader: &Reader<'_>, read: &Read) -> Result<Vec<(ObjectType, &'static str)>> {
    let mut all = Vec::new();
    for object_type in read.types.iter().copied() {
        let Some(Hidden { properties, without }) = &object_type.spec().hidden else { continue };
        let selected = reader.run.job.mapping.select(object_type);
        let wanted: Vec<&'static str> = properties.iter().copied().filter(|name| selected.contains(name)).collect();
        let Standing::Missing(permissions) = standing(*without, &reader.roles) else { continue };
        // A token without roles says nothing: a directory role may allow the reading.
        if wanted.is_empty() || reader.roles.is_empty() {
            continue;
        }
        // Changes are of some objects only.
        if !read.is_patch && reader.staging.count(object_type).await? > 0 {
            warn(reader, object_type, &wanted, &permissions).await?;
        }
        all.extend(wanted.into_iter().map(|name| (object_type, name)));
    }
    Ok(all)
}

/// Warns if no staged object has any of these properties.
async fn warn(reader: &Reader<'_>, object_type: ObjectType, wanted: &[&str], permissions: &[&str]) -> Result<()> {
    let mut is_shown = false;
    let each = |row: ObjectRow| -> crate::error::Result<Option<()>> {
        if !is_shown {
            let map: Map = serde_json::from_str(&row.data).map_err(Error::internal)?;
            is_shown = wanted.iter().any(|name| map.contains_key(*name));
        }
        Ok(None)
    };
    reader.staging.each_object(object_type, each).await?;
    if !is_shown {
        let plural = object_type.spec().plural;
        let detail = format!("None of the {plural} shows {}, which may need a further permission.", list(wanted));
        let advice = format!(
            "Grant the Application permission {} with admin consent, or leave these attributes out of the job.",
            list(permissions)
        );
        reader.run.progress.warn(RunWarning::new(WarningCode::ValuesHidden, detail).with_advice(advice));
    }
    Ok(())
}
