//! Answers the questions about a directory from the mirror of a job.

use super::body::{InsightItem, InsightResponse};
use crate::app::App;
use crate::db::mirror::insights::{self, Compared};
use crate::db::mirror::read::ObjectRow;
use crate::db::mirror::{self, MirrorRow, browse, lookup};
use crate::db::{Transaction, connections, job_settings};
use crate::directory::{self, LicenseNames, ObjectType};
use crate::error::{Error, Result};
use crate::ids::{ConnectionId, JobId, OrganizationId};
use crate::insight::{EXPIRES_WITHIN, Insight, inactive_since, loops, overlapping, unused_units};
use crate::mapping::{Mapping, Selection};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Licences of a tenant at most.
const MAX_LICENSES: i64 = 2000;
/// Managers of a circle that are named at most.
const MAX_NAMES: usize = 6;

/// A job that is asked.
pub(super) struct Asked {
    organization: OrganizationId,
    job: JobId,
    connection: ConnectionId,
    mapping: Mapping,
    mirror: MirrorRow,
    compared: Compared,
    licenses: Vec<(Uuid, Map<String, Value>)>,
    names: Arc<LicenseNames>,
    now: DateTime<Utc>,
}

/// A circle of managers, or another object with what was found.
type Found = (Uuid, String);

impl Asked {
    pub(super) fn organization(&self) -> OrganizationId {
        self.organization
    }

    pub async fn load(app: &App, organization: OrganizationId, job: JobId) -> Result<Self> {
        let now = app.clock.now();
        let names = app.license_names.clone();
        app.db
            .read(organization, async |tx| {
                let settings = job_settings::load(tx, organization, job).await?;
                let selection: Selection = serde_json::from_value(settings.job.objects).map_err(Error::internal)?;
                let mapping = Mapping::new(&selection, settings.job.memberships, Default::default());
                let licenses = licenses(tx, organization, job).await?;
                let by_part = licenses
                    .iter()
                    .filter_map(|(id, license)| Some((license.get("skuPartNumber")?.as_str()?.to_owned(), *id)));
                let overlapping = overlapping(&by_part.collect());
                let compared = Compared { inactive_since: inactive_since(now), overlapping };
                Ok(Self {
                    organization,
                    job,
                    connection: ConnectionId(settings.job.connection_id),
                    mapping,
                    mirror: mirror::find(tx, organization, job).await?,
                    compared,
                    licenses,
                    names,
                    now,
                })
            })
            .await
    }

    pub fn read_at(&self) -> Option<DateTime<Utc>> {
        self.mirror.read_at
    }

    fn unknown_because(&self, insight: Insight) -> Option<String> {
        let is_unread = insight.object_type().is_some() && self.mirror.read_at.is_none();
        let unread = is_unread.then(|| "The job has not read the directory yet.".to_owned());
        insight.unknown_because(&self.mapping).or(unread)
    }

    /// Every question with its number.
    pub async fn answers(&self, app: &App) -> Result<Vec<InsightResponse>> {
        let mut counts: HashMap<Insight, i64> = HashMap::new();
        for object_type in [ObjectType::Users, ObjectType::Groups] {
            let of_type = Insight::ALL.into_iter().filter(|insight| insight.object_type() == Some(object_type));
            let known: Vec<Insight> = of_type.filter(|insight| self.unknown_because(*insight).is_none()).collect();
            let (organization, job, compared) = (self.organization, self.job, &self.compared);
            let counted = app
                .db
                .read(organization, async |tx| {
                    insights::counts(tx, organization, job, object_type, &known, compared).await
                })
                .await?;
            counts.extend(counted);
        }
        let mut answers = Vec::new();
        for insight in Insight::ALL {
            let unknown_because = self.unknown_because(insight);
            let count = match (&unknown_because, insight) {
                (Some(_), _) => None,
                (None, Insight::UnusedLicenses) => {
                    Some(self.licenses.iter().map(|(_, license)| unused_units(license)).sum())
                }
                (None, Insight::ManagerLoops | Insight::ExpiringCredentials) => {
                    Some(i64::try_from(self.special(app, insight).await?.len()).unwrap_or(i64::MAX))
                }
                (None, _) => Some(counts.get(&insight).copied().unwrap_or(0)),
            };
            answers.push(InsightResponse {
                insight,
                title: insight.title(),
                rule: insight.rule(),
                object_type: insight.object_type(),
                count,
                unknown_because,
            });
        }
        Ok(answers)
    }

    /// The objects behind a number, after `after`, by id. None where the answer is not known.
    pub async fn objects(
        &self,
        app: &App,
        insight: Insight,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<InsightItem>> {
        if self.unknown_because(insight).is_some() {
            return Ok(Vec::new());
        }
        let (organization, job, compared) = (self.organization, self.job, &self.compared);
        match (insight, insight.object_type()) {
            (Insight::UnusedLicenses | Insight::ManagerLoops | Insight::ExpiringCredentials, _) | (_, None) => {
                let mut found = self.special(app, insight).await?;
                found.sort_unstable();
                found.retain(|(id, _)| after.is_none_or(|after| *id > after));
                found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                self.named(app, insight, found).await
            }
            (_, Some(object_type)) => {
                let rows = app
                    .db
                    .read(organization, async |tx| {
                        insights::found(tx, organization, job, (insight, object_type), compared, (after, limit)).await
                    })
                    .await?;
                rows.iter().map(|row| self.item(insight, object_type, row)).collect()
            }
        }
    }

    /// What is not found row by row: ids, with what was found.
    async fn special(&self, app: &App, insight: Insight) -> Result<Vec<Found>> {
        let (organization, job, connection) = (self.organization, self.job, self.connection);
        Ok(match insight {
            Insight::UnusedLicenses => {
                let units = self.licenses.iter().map(|(id, license)| (*id, unused_units(license)));
                units
                    .filter(|(_, units)| *units > 0)
                    .map(|(id, units)| (id, format!("{units} units are not assigned.")))
                    .collect()
            }
            Insight::ManagerLoops => {
                let managers =
                    app.db.read(organization, async |tx| insights::managers(tx, organization, job).await).await?;
                let ids = |chain: &[Uuid]| chain.iter().map(Uuid::to_string).collect::<Vec<_>>().join(" ");
                loops(&managers).iter().map(|(user, chain)| (*user, ids(chain))).collect()
            }
            _ => {
                let row =
                    app.db.read(organization, async |tx| connections::find(tx, organization, connection).await).await?;
                let expires_at = row.and_then(|row| row.credential_expires_at);
                let soon = expires_at.filter(|at| *at <= self.now + EXPIRES_WITHIN);
                let detail = |at: DateTime<Utc>| {
                    let verb = if at <= self.now { "expired" } else { "expires" };
                    format!("The credential {verb} at {}.", at.to_rfc3339_opts(SecondsFormat::Secs, true))
                };
                soon.map(|at| (connection.0, detail(at))).into_iter().collect()
            }
        })
    }

    /// Gives names to what was found.
    async fn named(&self, app: &App, insight: Insight, found: Vec<Found>) -> Result<Vec<InsightItem>> {
        let (organization, job) = (self.organization, self.job);
        if insight == Insight::ExpiringCredentials {
            let connection = self.connection;
            let row =
                app.db.read(organization, async |tx| connections::find(tx, organization, connection).await).await?;
            let label = row.map(|row| row.name).unwrap_or_default();
            let item = |(id, detail)| InsightItem { id, label: label.clone(), user_principal_name: None, detail };
            return Ok(found.into_iter().map(item).collect());
        }
        let chains = |detail: &str| detail.split(' ').filter_map(|id| Uuid::parse_str(id).ok()).collect::<Vec<_>>();
        let ids: Vec<Uuid> = found
            .iter()
            .flat_map(|(id, detail)| std::iter::once(*id).chain(chains(detail).into_iter().take(MAX_NAMES)))
            .collect();
        let rows = app.db.read(organization, async |tx| lookup::some(tx, organization, job, &ids).await).await?;
        let mut objects: HashMap<Uuid, (ObjectType, Map<String, Value>)> = HashMap::new();
        for row in rows {
            if let Ok(object_type) = row.object_type.parse() {
                objects.insert(row.id, (object_type, serde_json::from_str(&row.data).map_err(Error::internal)?));
            }
        }
        let label = |id: Uuid| match objects.get(&id) {
            Some((object_type, object)) => directory::label(*object_type, id, object, &self.names),
            None => id.to_string(),
        };
        let item = |(id, detail): Found| {
            let detail = match insight {
                Insight::ManagerLoops => {
                    let chain = chains(&detail);
                    let more = if chain.len() > MAX_NAMES { " → …" } else { "" };
                    let named: Vec<String> = chain.into_iter().take(MAX_NAMES).map(label).collect();
                    format!("{} → {}{more}", label(id), named.join(" → "))
                }
                _ => detail,
            };
            let principal = objects.get(&id).and_then(|(_, object)| text(object, "userPrincipalName"));
            InsightItem { id, label: label(id), user_principal_name: principal, detail }
        };
        Ok(found.into_iter().map(item).collect())
    }

    fn item(&self, insight: Insight, object_type: ObjectType, row: &ObjectRow) -> Result<InsightItem> {
        let object: Map<String, Value> = serde_json::from_str(&row.data).map_err(Error::internal)?;
        Ok(InsightItem {
            id: row.id,
            label: directory::label(object_type, row.id, &object, &self.names),
            user_principal_name: text(&object, "userPrincipalName"),
            detail: self.detail(insight, &object),
        })
    }

    fn detail(&self, insight: Insight, object: &Map<String, Value>) -> String {
        match insight {
            Insight::LicensedDisabledUsers | Insight::OverlappingLicenses => {
                let licenses = object.get("assignedLicenses").and_then(Value::as_array).into_iter().flatten();
                let ids = licenses.filter_map(|one| Uuid::parse_str(one.get("skuId")?.as_str()?).ok());
                let names: Vec<String> = ids.map(|id| self.license(id)).collect();
                names.join(", ")
            }
            Insight::LicensedInactiveUsers | Insight::InactiveGuests => {
                let sign_ins = object.get("signInActivity").and_then(Value::as_object);
                let last = sign_ins.into_iter().flat_map(|times| times.values()).filter_map(Value::as_str).max();
                last.map(|at| format!("Last sign-in: {at}")).unwrap_or_default()
            }
            Insight::GroupsWithoutOwner | Insight::GroupsWithoutMembers => {
                text(object, "description").unwrap_or_default()
            }
            _ => String::new(),
        }
    }

    fn license(&self, id: Uuid) -> String {
        match self.licenses.iter().find(|(known, _)| *known == id) {
            Some((_, license)) => directory::label(ObjectType::Licenses, id, license, &self.names),
            None => self.names.name(id).map_or_else(|| id.to_string(), str::to_owned),
        }
    }
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

async fn licenses(
    tx: &mut Transaction,
    organization: OrganizationId,
    job: JobId,
) -> Result<Vec<(Uuid, Map<String, Value>)>> {
    let (kind, only) = (ObjectType::Licenses.as_str(), browse::Only::default());
    let rows = browse::page(tx, organization, job, kind, &only, None, MAX_LICENSES).await?;
    rows.iter().map(|row| Ok((row.id, serde_json::from_str(&row.data).map_err(Error::internal)?))).collect()
}
