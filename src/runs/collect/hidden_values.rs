//! Properties that no object of a type shows, because a permission besides that of the type is missing. Graph sends them
//! as null, which looks like a value that is not set.

use super::read_error::Result;
use super::reader::Reader;
use crate::codes::WarningCode;
use crate::db::mirror::read::ObjectRow;
use crate::directory::{Hidden, ObjectType, Properties as Map};
use crate::error::Error;
use crate::permission::{Standing, list, standing};
use crate::run_state::RunWarning;

/// Warns if the job imports such properties, none of the staged objects has them, and the permission is missing.
pub(super) async fn warn(reader: &Reader<'_>, object_type: ObjectType) -> Result<()> {
    let Some(Hidden { properties, without }) = &object_type.spec().hidden else { return Ok(()) };
    let selected = reader.run.job.mapping.select(object_type);
    let wanted: Vec<&str> = properties.iter().copied().filter(|name| selected.contains(name)).collect();
    let Standing::Missing(permissions) = standing(*without, &reader.roles) else { return Ok(()) };
    // A token without roles says nothing: a directory role may allow the reading.
    if wanted.is_empty() || reader.roles.is_empty() || reader.staging.count(object_type).await? == 0 {
        return Ok(());
    }
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
        let detail = format!("None of the {plural} shows {}, which may need a further permission.", list(&wanted));
        let advice = format!(
            "Grant the Application permission {} with admin consent, or leave these attributes out of the job.",
            list(&permissions)
        );
        reader.run.progress.warn(RunWarning::new(WarningCode::ValuesHidden, detail).with_advice(advice));
    }
    Ok(())
}
