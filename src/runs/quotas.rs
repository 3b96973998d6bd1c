//! Shares the quotas of Graph with the other processes: one quota for each application in a tenant, whatever the number of
//! processes.

use super::outage::Outage;
use crate::app::App;
use crate::db::listen::Notice;
use crate::db::quotas;
use crate::error::Result;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Between two exchanges with the other processes.
const EVERY: Duration = Duration::from_secs(1);
/// Between two exchanges that something caused.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// Works until `stopping`; then gives the shares back.
pub async fn keep(app: App, stopping: CancellationToken) {
    let urgent = app.graph.share_limiters();
    let mut notices = app.notices.subscribe();
    let mut outage = Outage::default();
    loop {
        let shared = tick(&app).await;
        let what = "quotas of Graph cannot be shared, and this process goes on with its shares";
        outage.note(&app.clock, what, shared.as_ref().err().map(|error| error.detail.as_str()));
        app.clock.sleep(MIN_PAUSE).await;
        let concerned = async {
            loop {
                match notices.recv().await {
                    Ok(Notice::QuotaChanged) | Err(RecvError::Lagged(_)) => return,
                    Ok(_) => {}
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = stopping.cancelled() => break,
            () = app.clock.sleep(EVERY) => {}
            () = urgent.notified() => {}
            () = concerned => {}
        }
    }
    for (key, limiter) in app.graph.limiters() {
        let Some(report) = limiter.leave() else { continue };
        if quotas::exchange(&app.db, &key, &app.presence, &report, app.clock.now()).await.is_err() {
            // The others miss this process after some seconds.
            return;
        }
    }
}

/// One exchange for each quota that this process uses. Public for tests, which move the clock by hand.
///
/// # Errors
/// `database_unavailable`; the limiters then go on with what they have.
pub async fn tick(app: &App) -> Result<()> {
    for (key, limiter) in app.graph.limiters() {
        let Some(report) = limiter.report() else { continue };
        match quotas::exchange(&app.db, &key, &app.presence, &report, app.clock.now()).await {
            Ok(grant) => limiter.apply(&report, &grant),
            Err(error) => {
                limiter.take_back(&report);
                return Err(error);
            }
        }
    }
    Ok(())
}
