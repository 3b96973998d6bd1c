//! Goes by the clock of the database. Leases, schedules and expiries are times that several processes compare, so they
//! have one clock, whatever the clocks of their machines say.

use crate::app::App;
use crate::error::Result;
use chrono::TimeDelta;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two comparisons.
const EVERY: Duration = Duration::from_secs(30);
/// A clock that differs by less stays as it is.
const TOLERANCE: TimeDelta = TimeDelta::milliseconds(100);
/// A difference that somebody should know of.
const REMARKABLE: TimeDelta = TimeDelta::seconds(5);

/// Works until `stopping`.
pub async fn keep(app: App, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = app.clock.sleep(EVERY) => {}
        }
        if let Err(error) = follow(&app).await {
            tracing::debug!(code = %error.code, "the clock could not be compared with the database's: {}", error.detail);
        }
    }
}

/// Sets the clock of this process by the database's. Returns by how much.
///
/// # Errors
/// `database_unavailable`; the clock then stays as it is.
pub async fn follow(app: &App) -> Result<TimeDelta> {
    let (before, start) = (app.clock.now(), app.clock.instant());
    let there = app.db.time().await?;
    // The answer is from some time between the question and now.
    let took = TimeDelta::from_std(app.clock.elapsed_since(start)).unwrap_or_default();
    let difference = there - (before + took / 2);
    if difference.abs() <= TOLERANCE + took / 2 {
        return Ok(TimeDelta::zero());
    }
    app.clock.adjust(difference);
    if difference.abs() >= REMARKABLE {
        tracing::warn!(
            seconds = difference.num_seconds(),
            "the clock of this machine differs from that of the database's machine; this process goes by the database's. Set both by NTP"
        );
    }
    Ok(difference)
}
