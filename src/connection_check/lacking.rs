//! What a job imports and its connection may not read, as far as the connection's checks tell: it is said before the run.

use super::report::CheckReport;
use crate::db::Transaction;
use crate::db::connection_checks;
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, OrganizationId};
use crate::mapping::needs::Need;
use crate::permission::report::{CapabilityVerdict, Verdict};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// Something that a job imports, and the newest verdict on the capability that it needs: it does not work.
#[derive(Clone, Debug)]
pub struct Lacking {
    pub need: Need,
    pub verdict: CapabilityVerdict,
    pub checked_at: DateTime<Utc>,
}

/// Those of the needs that the newest check that covered each found not to work. Only checks of the connection's present
/// credential count. What no check covered is not known, and nothing is said of it.
pub async fn lacking(
    tx: &mut Transaction,
    organization: OrganizationId,
    (connection, credential_version): (ConnectionId, i64),
    needs: Vec<Need>,
) -> Result<Vec<Lacking>> {
    let rows = connection_checks::recent(tx, organization, connection).await?;
    let reports: Vec<CheckReport> = rows
        .into_iter()
        .filter(|row| row.is_of(credential_version))
        .map(|row| serde_json::from_value::<CheckReport>(row.report))
        .collect::<std::result::Result<_, _>>()
        .map_err(Error::internal)?;
    Ok(judge(needs, &reports))
}

/// `reports`: the newest first.
fn judge(needs: Vec<Need>, reports: &[CheckReport]) -> Vec<Lacking> {
    let newest = |need: &Need| {
        reports.iter().find_map(|report| {
            let is_about = |verdict: &&CapabilityVerdict| {
                verdict.capability == need.capability && verdict.verdict != Verdict::Unknown
            };
            report.capabilities.iter().find(is_about).map(|verdict| (verdict, report.checked_at))
        })
    };
    let mut lacking: Vec<Lacking> = Vec::new();
    for need in needs {
        let Some((verdict, checked_at)) = newest(&need).filter(|(verdict, _)| !verdict.verdict.works()) else {
            continue;
        };
        // An attribute of a type that cannot be read lacks nothing more.
        let is_said = |known: &Lacking| {
            known.need.object_type == need.object_type && (known.need.attribute.is_none() || known.need == need)
        };
        if !lacking.iter().any(is_said) {
            lacking.push(Lacking { verdict: verdict.clone(), checked_at, need });
        }
    }
    lacking
}

impl Lacking {
    /// What is lacking, and what follows.
    pub fn detail(&self) -> String {
        let Need { object_type, attribute, capability } = &self.need;
        let what = match attribute {
            Some(attribute) => format!("The attribute `{attribute}` of {object_type}"),
            None => format!("The type {object_type}"),
        };
        format!(
            "{what} needs «{}», which the last check of the connection found not to work: {} {}",
            capability.row().title,
            self.verdict.message,
            capability.row().without
        )
    }

    /// The place in the job's body.
    pub fn pointer(&self) -> String {
        let Need { object_type, attribute, .. } = &self.need;
        format!("/objects/{object_type}{}", if attribute.is_some() { "/attributes" } else { "" })
    }

    /// A change of the job that does without it.
    pub fn without(&self) -> Option<Value> {
        let of = self.need.object_type;
        self.need.attribute.is_none().then(|| serde_json::json!({"objects": {of.as_str(): {"enabled": false}}}))
    }
}
