//! The schema and mapping document: sent when Assets does not have what this run needs.

use super::{Delivery, failed, target};
use crate::mapping::ImportSource;
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;

/// The name of the schema where Assets does not tell: it keeps its own.
pub(in crate::runs) const SCHEMA_NAME: &str = "Entra ID";

/// Makes sure that Assets has the types and attributes of this run.
pub(super) async fn ensure(delivery: &Delivery<'_>) -> Result<(), Stop> {
    let Delivery { run, client, links } = delivery;
    let target = target(run).await?;
    let current = client.schema_and_mapping(&target, links).await.map_err(|e| failed(&e))?;
    let id = links.import_source_id().unwrap_or_default();
    let name = current.as_ref().and_then(schema_name).unwrap_or(SCHEMA_NAME).to_owned();
    let source = ImportSource { id: &id, schema_name: &name };
    let mapping = &run.job.mapping;
    let difference = mapping.difference(source, current.as_ref());
    for refused in &difference.refused {
        let what = refused.attribute.as_deref().unwrap_or(&refused.object_type);
        let detail = format!("{what} stays «{}» in Assets instead of «{}».", refused.current, refused.wanted);
        run.journal.warn(RunWarning::new("schema_change_refused", detail).with_advice(&refused.advice));
    }
    if current.is_some() && difference.in_sync {
        return Ok(());
    }
    run.log("Building object types and attributes in Assets.").await?;
    let document = mapping.document(source);
    client
        .put_mapping(&target, links, &document, |current| mapping.patch(source, current))
        .await
        .map_err(|e| failed(&e))?;
    Ok(())
}

fn schema_name(document: &serde_json::Value) -> Option<&str> {
    document.pointer("/schema/objectSchema/name")?.as_str()
}
