//! Asking again: how a collection begins anew after what asking differently, or once more, may help.

use super::Reader;
use super::query::{Query, SIGN_IN, TOP};
use super::refused::{Optional, plainer};
use crate::graph::error::{GraphError, Kind};
use crate::run_state::RunWarning;
use crate::runs::stop::Stop;

/// How often a collection whose page token expired is begun again.
pub(super) const RESTARTS_MOST: u32 = 8;
/// A page is not made smaller than this.
const LEAST_TOP: u32 = 10;

/// Why a query did not come to its last page.
pub(super) enum Failure {
    Stop(Stop),
    /// May be helped by asking differently.
    Graph(GraphError),
    /// A link stored by an earlier attempt of the run is refused.
    Resumed(GraphError),
    /// A later page is refused: that is not about how the collection was asked for.
    Later(GraphError),
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// How to ask again after a failure, so many restarts having been made; the failure when nothing helps.
pub(super) async fn after(reader: &Reader<'_>, query: Query, failure: Failure, restarts: u32) -> Result<Query, Stop> {
    match failure {
        Failure::Stop(stop) => Err(stop),
        Failure::Graph(error) if restarts < RESTARTS_MOST => again(reader, query, error).await,
        Failure::Resumed(error) if restarts < RESTARTS_MOST => {
            let detail = format!("The reading of {} begins anew: {error}", query.object_type);
            reader.run.journal.warn(RunWarning::new("page_token_expired", detail));
            Ok(query)
        }
        Failure::Graph(error) | Failure::Resumed(error) | Failure::Later(error) => Err(error.into()),
    }
}

/// How to ask again after a failure; the failure itself when nothing helps.
async fn again(reader: &Reader<'_>, query: Query, error: GraphError) -> Result<Query, Stop> {
    let journal = &reader.run.journal;
    if matches!(error.kind, Kind::PageTokenExpired) {
        let detail = format!("A page token for {} expired; the collection is read again.", query.object_type);
        journal.warn(RunWarning::new("page_token_expired", detail));
        return Ok(query);
    }
    if error.is_about_sign_in_activity() && query.select.iter().any(|name| name == SIGN_IN) {
        reader.refused.note(journal, Optional::SignInActivity, Some(&error));
        let select = query.select.into_iter().filter(|name| name != SIGN_IN).collect();
        return Ok(Query { select, top: Some(TOP), ..query });
    }
    if matches!(error.kind, Kind::GatewayTimeout)
        && let Some(top) = query.top.map(|top| top / 2).filter(|top| *top >= LEAST_TOP)
    {
        let detail = format!("Graph took too long for a page of {}; pages are halved to {top}.", query.object_type);
        journal.warn(RunWarning::new("page_halved", detail));
        return Ok(Query { top: Some(top), ..query });
    }
    if error.refuses_optional() { plainer(reader, query, error).await } else { Err(error.into()) }
}

/// Reads something of which nothing is kept before its last page: when a page token expires, from the first page.
pub(super) async fn whole<T, Reading: Future<Output = crate::graph::error::Result<T>> + Send>(
    reader: &Reader<'_>,
    what: &str,
    read: impl Fn() -> Reading,
) -> crate::graph::error::Result<T> {
    let mut restarts = 0;
    loop {
        let outcome = read().await;
        reader.run.journal.used(reader.session.usage());
        match outcome {
            Err(error) if matches!(error.kind, Kind::PageTokenExpired) && restarts < RESTARTS_MOST => {
                restarts += 1;
                let detail = format!("A page token for {what} expired; they are read again.");
                reader.run.journal.warn(RunWarning::new("page_token_expired", detail));
            }
            outcome => return outcome,
        }
    }
}
