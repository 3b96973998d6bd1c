//! Takes over the runs of processes that died, before their leases run out.

use super::outage::Outage;
use crate::app::App;
use crate::db::runs;
use crate::error::Result;
use crate::ids::LeaseToken;
use std::collections::HashSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks. A process that reconnects within this time keeps its runs.
const EVERY: Duration = Duration::from_secs(1);

/// Works until `stopping`.
pub async fn keep(app: App, stopping: CancellationToken) {
    let (mut missing, mut outage) = (HashSet::new(), Outage::default());
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = app.clock.sleep(EVERY) => {}
        }
        let looked = tick(&app, &missing).await;
        outage.note(
            &app.clock,
            "the runs of other processes cannot be looked at",
            looked.as_ref().err().map(|error| error.detail.as_str()),
        );
        missing = looked.unwrap_or_default();
    }
}

/// One look: ends the leases whose process was `missing` at the look before and still is. Returns the leases whose process
/// is missing now. Public for tests, which move the clock by hand.
///
/// # Errors
/// `database_unavailable`.
pub async fn tick(app: &App, missing: &HashSet<LeaseToken>) -> Result<HashSet<LeaseToken>> {
    let abandoned = runs::abandoned(&app.db, app.presence.key(), app.clock.now()).await?;
    let (dead, missing): (Vec<LeaseToken>, Vec<LeaseToken>) =
        abandoned.into_iter().partition(|token| missing.contains(token));
    if !dead.is_empty() {
        let ended = runs::end_leases(&app.db, &dead, app.clock.now()).await?;
        tracing::warn!(runs = ended, "a worker process died; its runs are taken over");
    }
    Ok(missing.into_iter().collect())
}
