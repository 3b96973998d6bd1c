//! What a filter would import: counts, samples, costs and warnings. A preview is bounded in requests and in time. A
//! number that would take more is estimated and marked as such.
//!
//! A preview decides by the same rules as a run: Graph's `$filter`, [`Exclude`](crate::filter::Exclude), and
//! [`scope::resolve`](crate::filter::scope::resolve) over the memberships.

mod asker;
mod cost;
mod decide;
mod look;
mod members;
mod report;

pub use report::{FilterPreview, PreviewCount, SampleObject};

use crate::app::App;
use crate::codes::PreviewWarningCode;
use crate::connection_check;
use crate::error::{Code, Error, Result};
use crate::filter::validation::hints;
use crate::filter::{EntityKind, Filter};
use crate::graph::token::Identity;
use asker::Asker;
use look::Looked;
use report::{PreviewCounts, PreviewWarning};
use std::time::Duration;

/// The time of a preview. When it is over, the answer contains what was found so far. A Forge call lasts 25 seconds at
/// most.
const DEADLINE: Duration = Duration::from_secs(18);

/// Asks Graph what the filter would import. Fails if the connection does not work at all, or if Graph rejects a
/// condition: the error then points to it.
pub async fn preview(app: &App, identity: &Identity, filter: &Filter) -> Result<FilterPreview> {
    let (session, token) = app.graph.interactive_session(identity, DEADLINE).await?;
    let graph_url = app.settings.hosts.graph_url.as_ref();
    if let Some(finding) = connection_check::refusal(&token.claims, identity, graph_url) {
        let detail = format!("{} Run the connection check: its remedies fix it.", finding.message);
        return Err(Error::new(Code::ConnectionUnusable, detail));
    }
    let asker = Asker::new(session, token.claims.clone());
    let looked = look::look(&asker, filter).await?;
    let decided = decide::decide(filter, &looked);
    let cost = cost::cost(asker.session(), filter, &looked);
    let (partial, mut warnings) = asker.finish();
    warnings.extend(judge(filter, &looked, &decided.counts));
    Ok(FilterPreview { partial, counts: decided.counts, sample: decided.sample, cost, warnings })
}

/// Warnings that follow from the counts and the filter.
fn judge(filter: &Filter, looked: &Looked, counts: &PreviewCounts) -> Vec<PreviewWarning> {
    let mut warnings = Vec::new();
    for kind in EntityKind::ALL {
        let Some(count) = counts.of(kind) else { continue };
        let name = kind.as_str();
        let is_asked = filter.rule(kind).is_some();
        if count.count == Some(0) && count.total.is_some_and(|total| total > 0) {
            let detail = format!("None of the {} {name} would be imported.", count.total.unwrap_or(0));
            warnings.push(PreviewWarning::new(PreviewWarningCode::NoMatch, Some(kind), detail));
        }
        let matching = looked.of(kind).and_then(|looked| looked.matching);
        if is_asked && matching.is_some_and(|matching| matching > 0 && Some(matching) == count.total) {
            let detail = format!("The condition is true for all {} {name}: it excludes none.", matching.unwrap_or(0));
            warnings.push(PreviewWarning::new(PreviewWarningCode::EverythingMatches, Some(kind), detail));
        }
        if count.count.is_some() && !count.exact {
            let detail = format!("The number of {name} is an estimate from the part that was read.");
            warnings.push(PreviewWarning::new(PreviewWarningCode::Estimated, Some(kind), detail));
        }
        if let Some(problem) = filter.rule(kind).and_then(|rule| rule.parsed.local_only_problem()) {
            warnings.push(PreviewWarning::new(PreviewWarningCode::NotInDelta, Some(kind), problem));
        }
    }
    warnings
        .extend(hints(filter).into_iter().map(|hint| PreviewWarning::new(PreviewWarningCode::FilterHint, None, hint)));
    warnings
}
