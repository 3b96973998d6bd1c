//! Wakes callers that follow runs: when this process gets a notice, and after one regular query for all runs that are followed,
//! because a notice can be lost. So the cost for the database does not depend on the number of followers.

use super::outage::Outage;
use crate::app::App;
use crate::db::listen::Notice;
use crate::db::system;
use crate::error::Result;
use crate::ids::RunId;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// How often the runs are looked at while notices arrive.
const GUARD: Duration = Duration::from_secs(30);
/// How often they are looked at while it is not known that notices arrive.
const POLL: Duration = Duration::from_secs(2);
/// How soon a stream ends after its key.
const KEYS: Duration = Duration::from_secs(15);

/// Keeps all who follow something up to date, until `stopping`.
pub async fn keep(app: App, stopping: CancellationToken) {
    let all = async { tokio::join!(heed(&app), look(&app), check_keys(&app)) };
    stopping.run_until_cancelled(all).await;
}

/// Passes notices on.
async fn heed(app: &App) {
    let mut notices = app.notices.subscribe();
    loop {
        match notices.recv().await {
            Ok(Notice::RunChanged(run)) => app.followers.wake(RunId(run)),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => app.followers.runs().into_iter().for_each(|(_, run)| app.followers.wake(run)),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Looks at what is followed from time to time, and as soon as it shows or is unknown again that notices arrive.
async fn look(app: &App) {
    let (mut listening, mut outage) = (app.presence.watch(), Outage::default());
    loop {
        let wait = if app.presence.shown().is_some() { GUARD } else { POLL };
        tokio::select! {
            () = app.clock.sleep(wait) => {}
            _ = listening.changed() => {}
        }
        let looked = look_once(app).await;
        let failed = looked.as_ref().err().map(|error| error.detail.as_str());
        outage.note(&app.clock, "runs cannot be followed", failed);
    }
}

async fn look_once(app: &App) -> Result<()> {
    let runs = app.followers.runs();
    if runs.is_empty() {
        return Ok(());
    }
    let last_events = system::last_events(&app.db, &runs).await?;
    for (organization, run) in runs {
        app.followers.has_events_up_to(organization, run, last_events.get(&run).copied());
    }
    Ok(())
}

/// Ends the streams of keys that have ended. What cannot be checked goes on: without the database there is no news to send.
async fn check_keys(app: &App) {
    loop {
        app.clock.sleep(KEYS).await;
        let keys = app.followers.keys();
        if keys.is_empty() {
            continue;
        }
        let Ok(valid) = system::valid_api_keys(&app.db, &keys, app.clock.now()).await else { continue };
        keys.into_iter().filter(|key| !valid.contains(key)).for_each(|key| app.followers.end_key(key));
    }
}
