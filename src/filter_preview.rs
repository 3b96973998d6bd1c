//! What a filter would import, asked of Graph before anything is imported: counts, samples, what it would cost, and
//! what is worth knowing. Bounded in requests and in time; what was not looked at to its end is estimated, and said.
//!
//! The same rules decide as in a run: Graph's `$filter`, [`Exclude`](crate::filter::Exclude), and
//! [`scope::resolve`](crate::filter::scope::resolve) over the memberships.

mod asker;
mod cost;
mod decide;
mod look;
mod members;

pub use cost::{CostPart, PreviewCost};

use crate::app::App;
use crate::connection_check::{self, Deadline};
use crate::error::{Code, Error, Result};
use crate::filter::validation::hints;
use crate::filter::{EntityKind, Filter};
use crate::graph::token::Identity;
use asker::Asker;
use look::Looked;
use serde::Serialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

/// A preview answers within this time, with what it has: Forge gives a call 25 seconds.
const DEADLINE: Duration = Duration::from_secs(18);
/// How much of it repeating the request for a token may take.
const SIGN_IN_BUDGET: Duration = Duration::from_secs(6);
/// Objects of each kind that are shown.
const SAMPLE: usize = 10;

/// What a filter would import.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterPreview {
    /// Time ran out, or Graph did not answer: the rest is what is known.
    pub partial: bool,
    pub counts: PreviewCounts,
    pub sample: PreviewSample,
    pub cost: PreviewCost,
    pub warnings: Vec<PreviewWarning>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewCounts {
    pub users: PreviewCount,
    pub groups: PreviewCount,
    pub devices: PreviewCount,
}

/// How many objects of a kind would be imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewCount {
    /// In scope, after exclusions and limits. Null if it could not be found out.
    #[schema(required = true)]
    pub count: Option<u64>,
    /// False: estimated from a part, because Graph does not count it or it would take too many requests.
    pub exact: bool,
    /// That fulfil the condition and are outside the scope, excluded, or over a limit.
    #[schema(required = true)]
    pub out_of_scope: Option<u64>,
    /// In the directory.
    #[schema(required = true)]
    pub total: Option<u64>,
}

#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewSample {
    #[schema(max_items = 10)]
    pub users: Vec<SampleObject>,
    #[schema(max_items = 10)]
    pub groups: Vec<SampleObject>,
    #[schema(max_items = 10)]
    pub devices: Vec<SampleObject>,
}

/// One object that would be imported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SampleObject {
    pub id: Uuid,
    #[schema(required = true)]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub user_principal_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub mail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub operating_system: Option<String>,
}

/// Something worth knowing before the filter is used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewWarning {
    /// Stable: `no_match`, `everything_matches`, `estimated`, `hidden_membership`, `scope_group_not_found`,
    /// `permission_missing`, `not_in_delta`, `filter_hint`, `graph_failed`.
    pub code: String,
    /// What it is about.
    #[schema(required = true)]
    pub kind: Option<EntityKind>,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub advice: Option<String>,
}

impl PreviewWarning {
    fn new(code: &str, kind: Option<EntityKind>, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), kind, detail: detail.into(), advice: None }
    }

    fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// Asks Graph what the filter would import. Fails if the connection does not work at all, or if Graph refuses a
/// condition, which the error then points to.
pub async fn preview(app: &App, identity: &Identity, filter: &Filter) -> Result<FilterPreview> {
    let deadline = Deadline::new(app.clock.clone(), DEADLINE);
    let sign_in = app.graph.tokens().fresh_within(identity, SIGN_IN_BUDGET);
    let token = match tokio::time::timeout(deadline.remaining(), sign_in).await {
        Ok(token) => token?,
        Err(_) => {
            return Err(Error::new(Code::GraphUnreachable, "The sign-in service did not answer in the time allowed."));
        }
    };
    let graph_url = app.settings.hosts.graph_url.as_ref();
    if let Some(finding) = connection_check::refusal(&token.claims, identity, graph_url) {
        let detail = format!("{} Run the connection check: its remedies mend it.", finding.message);
        return Err(Error::new(Code::ConnectionUnusable, detail));
    }
    let session = app.graph.session(identity.clone(), CancellationToken::new());
    let asker = Asker::new(session, deadline, token.claims.clone());
    let looked = look::look(&asker, filter).await?;
    let decided = decide::decide(filter, &looked);
    let cost = cost::cost(asker.session(), filter, &looked);
    let (partial, mut warnings) = asker.finish();
    warnings.extend(judge(filter, &looked, &decided.counts));
    Ok(FilterPreview { partial, counts: decided.counts, sample: decided.sample, cost, warnings })
}

impl PreviewCounts {
    fn of(&self, kind: EntityKind) -> &PreviewCount {
        match kind {
            EntityKind::Users => &self.users,
            EntityKind::Groups => &self.groups,
            EntityKind::Devices => &self.devices,
        }
    }
}

/// What the numbers and the filter itself say.
fn judge(filter: &Filter, looked: &Looked, counts: &PreviewCounts) -> Vec<PreviewWarning> {
    let mut warnings = Vec::new();
    for kind in EntityKind::ALL {
        let (count, name) = (counts.of(kind), kind.as_str());
        let is_asked = filter.rule(kind).is_some();
        if count.count == Some(0) && count.total.is_some_and(|total| total > 0) {
            let detail = format!("None of the {} {name} would be imported.", count.total.unwrap_or(0));
            warnings.push(PreviewWarning::new("no_match", Some(kind), detail));
        }
        let matching = looked.of(kind).matching;
        if is_asked && matching.is_some_and(|matching| matching > 0 && Some(matching) == count.total) {
            let detail =
                format!("The condition holds for all {} {name}: it leaves nothing out.", matching.unwrap_or(0));
            warnings.push(PreviewWarning::new("everything_matches", Some(kind), detail));
        }
        if count.count.is_some() && !count.exact {
            let detail = format!("The number of {name} is estimated from the part that was read.");
            warnings.push(PreviewWarning::new("estimated", Some(kind), detail));
        }
        if let Some(problem) = filter.rule(kind).and_then(|rule| rule.parsed.local_only_problem()) {
            warnings.push(PreviewWarning::new("not_in_delta", Some(kind), problem));
        }
    }
    warnings.extend(hints(filter).into_iter().map(|hint| PreviewWarning::new("filter_hint", None, hint)));
    warnings
}
