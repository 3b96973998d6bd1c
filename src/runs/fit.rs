//! Whether what a job would import fits into Assets, before its first run. The number of objects is compared with what Atlassian
//! includes, the numbers of attributes and references with what Atlassian recommends. Only numbers and a small sample are read.
//! Source: docs/assets.md, «Limits».

use super::context::JobContext;
use super::transaction::transaction;
use crate::app::App;
use crate::assets_limits::{INCLUDED_OBJECTS, RECOMMENDED_ATTRIBUTES, RECOMMENDED_REFERENCES, RECOMMENDED_VALUES};
use crate::connection_check::lacking::{Lacking, lacking};
use crate::directory::{Item, Link, ObjectType};
use crate::error::Result;
use crate::filter::EntityKind;
use crate::filter_preview::{self, FilterPreview};
use crate::graph::Session;
use crate::mapping::Memberships;
use crate::permission;
use crate::text_enum::explained;
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// All of it, and the least that is worth asking for a sample.
const DEADLINE: Duration = Duration::from_secs(18);
const LEAST: Duration = Duration::from_secs(2);

/// Whether what a job would import fits into Assets.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobFit {
    /// A part could not be counted in time, or a permission is missing.
    pub partial: bool,
    pub objects: ObjectsFit,
    /// The object types that the job imports.
    pub types: Vec<TypeFit>,
    /// What does not fit, with ways to change it.
    pub findings: Vec<FitFinding>,
}

/// The objects of all types whose number is known.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectsFit {
    /// Null if no type could be counted.
    #[schema(required = true)]
    pub planned: Option<u64>,
    /// False: a part is an estimate, or a type was not counted. Types that Graph lists whole in one answer, such as
    /// licences, are not counted: there are few of them.
    pub exact: bool,
    /// Objects that Jira Service Management Premium and Enterprise include, for the whole site.
    pub included: u64,
}

/// One object type.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeFit {
    pub object_type: ObjectType,
    /// Null if they were not counted: users, groups and devices are, and a type on which the job's filter has a condition.
    #[schema(required = true)]
    pub objects: Option<u64>,
    /// Whether `objects` was counted exactly and is no estimate.
    pub exact: bool,
    /// Attributes that the job writes, with the one for Jira accounts. An object type of others can have more.
    pub attributes: u64,
    /// How many attributes Atlassian recommends at most.
    pub recommended_attributes: u64,
    /// Its attributes that refer to other objects.
    pub references: Vec<ReferenceFit>,
    /// How many such attributes Atlassian recommends at most.
    pub recommended_references: u64,
}

/// One attribute that refers to other objects.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceFit {
    /// The key of the attribute: `groups`.
    pub attribute: String,
    /// The most values that an object of a small sample has. Null where no sample was taken.
    #[schema(required = true)]
    pub most_values: Option<u64>,
    /// The average of the sample.
    #[schema(required = true)]
    pub average_values: Option<f64>,
    /// How many values Atlassian recommends at most.
    pub recommended_values: u64,
}

/// Something that does not fit.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FitFinding {
    pub code: FitFindingCode,
    /// The object type that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub object_type: Option<ObjectType>,
    pub detail: String,
    /// Requests to this service that change it, each as it is.
    pub proposals: Vec<FitProposal>,
}

explained! {
    /// What does not fit.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum FitFindingCode {
        /// More objects than the site's plan includes.
        TooManyObjects,
        /// More attributes of an object type than Atlassian recommends.
        ManyAttributes,
        /// More attributes that refer to other objects than Atlassian recommends.
        ManyReferences,
        /// More values of such an attribute than Atlassian recommends.
        ManyValues,
        /// The newest check of the connection found that a type or an attribute of the job may not be read.
        PermissionMissing,
    }
}

/// A request to this service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FitProposal {
    pub title: String,
    /// `PATCH` or `POST`.
    pub method: String,
    /// The path to send it to.
    pub path: String,
    /// The body to send.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// Counts what a job would import, and compares it.
pub async fn fit(app: &App, job: &JobContext) -> Result<JobFit> {
    let started = app.clock.instant();
    let preview = filter_preview::preview(app, &job.identity, &job.filter).await?;
    let left = DEADLINE.saturating_sub(app.clock.elapsed_since(started));
    let samples = match left > LEAST {
        true => {
            let (session, _) = app.graph.interactive_session(&job.identity, left).await?;
            Samples::take(&session, job, &preview).await
        }
        false => Samples::default(),
    };
    let (organization, needs) = (job.organization, job.mapping.needs());
    let lacking = transaction(app, organization, "what a job lacks", async move |tx| {
        lacking(tx, organization, (job.identity.connection, job.identity.credential_version), needs).await
    });
    let mut fit = judge(job, &preview, &samples);
    fit.findings.extend(lacking.await?.iter().map(|lacking| missing_permission(job, lacking)));
    Ok(fit)
}

/// How many values objects of a sample have.
#[derive(Clone, Debug, Default)]
struct Samples {
    groups_of_users: Vec<u64>,
    members_of_groups: Vec<u64>,
}

impl Samples {
    async fn take(session: &Session, job: &JobContext, preview: &FilterPreview) -> Self {
        let count = async |path: String| session.count(&path, None).await.ok().flatten();
        let all =
            async |paths: Vec<String>| join_all(paths.into_iter().map(count)).await.into_iter().flatten().collect();
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        if job.mapping.is_enabled(ObjectType::Groups) && job.mapping.is_enabled(ObjectType::Users) {
            let ids = |kind: EntityKind| preview.sample.of(kind).iter().map(|object| object.id);
            users = ids(EntityKind::Users).map(|id| format!("users/{id}/memberOf")).collect();
            groups = ids(EntityKind::Groups).map(|id| format!("groups/{id}/members")).collect();
        }
        Self { groups_of_users: all(users).await, members_of_groups: all(groups).await }
    }

    fn of(&self, link: Link) -> &[u64] {
        match link {
            Link::Groups => &self.groups_of_users,
            Link::Members => &self.members_of_groups,
            _ => &[],
        }
    }
}

fn average(values: &[u64]) -> Option<f64> {
    let sum: u64 = values.iter().sum();
    (!values.is_empty()).then(|| (sum as f64 / values.len() as f64 * 10.0).round() / 10.0)
}

fn judge(job: &JobContext, preview: &FilterPreview, samples: &Samples) -> JobFit {
    let types: Vec<TypeFit> =
        job.enabled_types().map(|object_type| type_fit(job, object_type, preview, samples)).collect();
    let counted: Vec<u64> = types.iter().filter_map(|of| of.objects).collect();
    let objects = ObjectsFit {
        planned: (!counted.is_empty()).then(|| counted.iter().sum()),
        exact: types.iter().all(|of| of.exact || is_few(of.object_type)),
        included: INCLUDED_OBJECTS,
    };
    let mut findings = Vec::new();
    findings.extend(too_many_objects(job, objects, &types));
    for of in &types {
        findings.extend(many_attributes(job, of));
        findings.extend(many_references(job, of));
        findings.extend(of.references.iter().filter_map(|reference| many_values(job, of, reference, samples)));
    }
    JobFit { partial: preview.partial, objects, types, findings }
}

/// Whether Graph lists the type whole in one answer. Values are listed nowhere: users can have any number of them.
fn is_few(object_type: ObjectType) -> bool {
    let collection = &object_type.spec().collection;
    collection.page.is_none() && !matches!(collection.item, Item::Values)
}

fn type_fit(job: &JobContext, object_type: ObjectType, preview: &FilterPreview, samples: &Samples) -> TypeFit {
    let kind = EntityKind::ALL.into_iter().find(|kind| kind.object_type() == object_type);
    let counted = kind.and_then(|kind| preview.counts.of(kind));
    let references = job.mapping.attributes(object_type).filter_map(|attribute| {
        let values = samples.of(attribute.link()?);
        Some(ReferenceFit {
            attribute: attribute.key.clone().into_owned(),
            most_values: values.iter().copied().max(),
            average_values: average(values),
            recommended_values: RECOMMENDED_VALUES,
        })
    });
    let accounts = u64::from(object_type == ObjectType::Users && job.mapping.jira_user().is_some());
    TypeFit {
        object_type,
        objects: counted.and_then(|count| count.count),
        exact: counted.is_some_and(|count| count.exact && count.count.is_some()),
        attributes: job.mapping.attributes(object_type).count() as u64 + accounts,
        recommended_attributes: RECOMMENDED_ATTRIBUTES,
        references: references.collect(),
        recommended_references: RECOMMENDED_REFERENCES,
    }
}

fn patch(job: &JobContext, title: &str, body: Value) -> FitProposal {
    FitProposal { title: title.to_owned(), method: "PATCH".to_owned(), path: format!("/v1/jobs/{}", job.id), body }
}

fn missing_permission(job: &JobContext, lacking: &Lacking) -> FitFinding {
    let object_type = lacking.need.object_type;
    let permissions: Vec<&str> = lacking.need.capability.least().collect();
    let detail = format!(
        "{} Grant the Application permission {} with admin consent; the check of the connection has the steps.",
        lacking.detail(),
        permission::list(&permissions)
    );
    let leave_out = lacking.without().map(|body| patch(job, &format!("Leave out {}", object_type.spec().plural), body));
    let proposals = leave_out.into_iter().collect();
    FitFinding { code: FitFindingCode::PermissionMissing, object_type: Some(object_type), detail, proposals }
}

fn too_many_objects(job: &JobContext, objects: ObjectsFit, types: &[TypeFit]) -> Option<FitFinding> {
    let planned = objects.planned.filter(|planned| *planned > INCLUDED_OBJECTS)?;
    let mut proposals = Vec::new();
    if !job.filter.narrows() {
        let body =
            json!({"name": "Active members", "users": {"odata": "accountEnabled eq true and userType eq 'Member'"}});
        proposals.push(FitProposal {
            title: "Make a filter: only members who may sign in".to_owned(),
            method: "POST".to_owned(),
            path: "/v1/filters".to_owned(),
            body,
        });
    }
    let mut others: Vec<&TypeFit> = types.iter().filter(|of| of.object_type != ObjectType::Users).collect();
    others.sort_by_key(|of| std::cmp::Reverse(of.objects));
    if let Some(most) = others.first().filter(|of| of.objects.is_some_and(|number| number > 0)) {
        let body = json!({"objects": {most.object_type.as_str(): {"enabled": false}}});
        proposals.push(patch(job, &format!("Leave out {}", most.object_type.spec().plural), body));
    }
    let detail = format!(
        "The job would bring about {planned} objects, and {INCLUDED_OBJECTS} are included for the whole site. What an import \
         does beyond the site's limit is not documented. Look at Assets → Configuration → Usage. A new filter counts once \
         the job uses it."
    );
    Some(FitFinding { code: FitFindingCode::TooManyObjects, object_type: None, detail, proposals })
}

fn many_attributes(job: &JobContext, of: &TypeFit) -> Option<FitFinding> {
    let object_type = of.object_type;
    if of.attributes <= RECOMMENDED_ATTRIBUTES {
        return None;
    }
    let proposals = match job.mapping.existing(object_type) {
        Some(_) => Vec::new(),
        None => {
            let body = json!({"objects": {object_type.as_str(): {"attributes": null}}});
            vec![patch(job, "Import the default attributes", body)]
        }
    };
    let detail = format!(
        "{} attributes of {} are imported, and {RECOMMENDED_ATTRIBUTES} are recommended.",
        of.attributes,
        object_type.spec().plural
    );
    Some(FitFinding { code: FitFindingCode::ManyAttributes, object_type: Some(object_type), detail, proposals })
}

fn many_references(job: &JobContext, of: &TypeFit) -> Option<FitFinding> {
    let (object_type, number) = (of.object_type, of.references.len() as u64);
    if number <= RECOMMENDED_REFERENCES {
        return None;
    }
    let proposals = match job.mapping.existing(object_type) {
        Some(_) => Vec::new(),
        None => {
            let kept: Vec<&str> = match object_type {
                ObjectType::Users => vec!["manager"],
                ObjectType::Groups | ObjectType::Devices => vec!["owners"],
                _ => vec![],
            };
            let body = json!({"objects": {object_type.as_str(): {"references": kept}}});
            vec![patch(job, "Import fewer references", body)]
        }
    };
    let detail = format!(
        "{number} attributes of {} refer to other objects, and {RECOMMENDED_REFERENCES} are recommended.",
        object_type.spec().plural
    );
    Some(FitFinding { code: FitFindingCode::ManyReferences, object_type: Some(object_type), detail, proposals })
}

fn many_values(job: &JobContext, of: &TypeFit, reference: &ReferenceFit, samples: &Samples) -> Option<FitFinding> {
    let values = reference.average_values.filter(|values| *values > RECOMMENDED_VALUES as f64)?;
    let (other, memberships) = match reference.attribute.as_str() {
        "groups" => (average(samples.of(Link::Members)), Memberships::OnGroup),
        _ => (average(samples.of(Link::Groups)), Memberships::OnUser),
    };
    let is_free = ObjectType::ALL.into_iter().all(|of| job.mapping.existing(of).is_none());
    let body = json!({"memberships": memberships});
    let proposals = match other.is_some_and(|other| other < values) && is_free {
        true => vec![patch(job, "Show memberships on the side with fewer values", body)],
        false => Vec::new(),
    };
    let detail = format!(
        "In a sample, an object of {} has {values} values of `{}` on average, and {RECOMMENDED_VALUES} are recommended. All \
         are sent in any case.",
        of.object_type.spec().plural,
        reference.attribute
    );
    Some(FitFinding { code: FitFindingCode::ManyValues, object_type: Some(of.object_type), detail, proposals })
}
