//! Shares the quotas of Graph with the other processes: one quota for each application in a tenant, whatever the number of
//! processes.

use super::outage::Outage;
use crate::app::App;
use crate::db::listen::Notice;
use crate::db::quotas;
use crate::error::Result;
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

/// Between two looks at all quotas that this process uses.
const EVERY: Duration = Duration::from_secs(1);
/// Between two exchanges that something caused.
const MIN_PAUSE: Duration = Duration::from_millis(20);

/// The quotas that should be looked at now, by their marks, beside those that call for it. `None`: all of them.
type Concerned = Option<HashSet<u64>>;

/// Works until `stopping`; then gives the shares back.
pub async fn keep(app: App, stopping: CancellationToken) {
    let urgent = app.graph.share_limiters();
    let mut notices = app.notices.subscribe();
    let (mut outage, mut concerned, mut looked_at) = (Outage::default(), None, app.clock.instant());
    loop {
        if concerned.is_none() {
            looked_at = app.clock.instant();
        }
        let shared = look(&app, concerned.as_ref()).await;
        let what = "quotas of Graph cannot be shared, and this process goes on with its shares";
        outage.note(&app.clock, what, shared.as_ref().err().map(|error| error.detail.as_str()));
        app.clock.sleep(MIN_PAUSE).await;
        let rest = EVERY.saturating_sub(app.clock.elapsed_since(looked_at));
        concerned = tokio::select! {
            () = stopping.cancelled() => break,
            () = app.clock.sleep(rest) => None,
            () = urgent.notified() => Some(HashSet::new()),
            first = told(&mut notices) => all_of(first, &mut notices),
        };
    }
    for (key, limiter) in app.graph.limiters() {
        let Some(report) = limiter.leave() else { continue };
        if quotas::exchange(&app.db, &key, &app.presence, &report, app.clock.now()).await.is_err() {
            // The others miss this process after some seconds.
            return;
        }
    }
}

/// Until another process has something that concerns this one: the mark of the quota, or `None` if it may be any.
async fn told(notices: &mut broadcast::Receiver<Notice>) -> Option<u64> {
    loop {
        match notices.recv().await {
            Ok(Notice::QuotaChanged(mark)) => return mark,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return None,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// With what was told after the first.
fn all_of(first: Option<u64>, notices: &mut broadcast::Receiver<Notice>) -> Concerned {
    let mut marks = HashSet::from([first?]);
    loop {
        match notices.try_recv() {
            Ok(Notice::QuotaChanged(mark)) => _ = marks.insert(mark?),
            Ok(_) => {}
            Err(TryRecvError::Lagged(_)) => return None,
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(marks),
        }
    }
}

/// One exchange for each quota that this process uses. Public for tests, which move the clock by hand.
///
/// # Errors
/// `database_unavailable`; the limiters then go on with what they have.
pub async fn tick(app: &App) -> Result<()> {
    look(app, None).await
}

/// The same for the quotas that `concerned` names, and for those that call for it: with many tenants, most have nothing to
/// say.
///
/// # Errors
/// As of [`tick`].
pub async fn look(app: &App, concerned: Option<&HashSet<u64>>) -> Result<()> {
    for (key, limiter) in app.graph.limiters() {
        let is_concerned = concerned.is_none_or(|marks| limiter.is_calling() || marks.contains(&key.mark()));
        let Some(report) = is_concerned.then(|| limiter.report()).flatten() else { continue };
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
