//! NOTIFY and LISTEN: what processes announce to each other. NOTIFY only wakes
//! workers early; correctness rests on polling. So the connection is opened again when it breaks, and nothing is lost.

use super::Transaction;
use super::connect::Options;
use super::presence::Presence;
use crate::error::{Code, Error, Result};
use diesel::define_sql_function;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use futures_util::{StreamExt, stream};
use tokio::sync::broadcast;
use tokio_postgres::AsyncMessage;
use uuid::Uuid;

/// A run was queued or is due. With a run's id as payload: somebody asked to cancel that run.
pub const RUNS: &str = "entra_assets_runs";
/// A run has new events; the payload is its id.
pub const RUN_EVENTS: &str = "entra_assets_run_events";

/// A delivery to a webhook was queued.
pub const WEBHOOKS: &str = "entra_assets_webhooks";
/// The processes that share a quota of Graph should look at it; the payload is its mark. Without: at all they share.
pub const QUOTAS: &str = "entra_assets_quotas";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    WebhooksQueued,
    RunsQueued,
    CancelRequested(Uuid),
    RunChanged(Uuid),
    /// The mark of the quota; `None`: any.
    QuotaChanged(Option<u64>),
}

define_sql_function! {
    fn pg_notify(channel: Text, payload: Text);
}

/// Notifies the listeners of `channel` when the transaction commits.
pub(super) async fn notify(tx: &mut Transaction, channel: &str, payload: &str) -> Result<()> {
    diesel::select(pg_notify(channel, payload)).execute(tx).await?;
    Ok(())
}

/// Listens until the connection breaks, and forwards each notification. The session holds the lock of this process; it is
/// shown from the first notification on, which proves that the session is not one of a pooler.
pub async fn forward(options: &Options, presence: &Presence, notices: &broadcast::Sender<Notice>) -> Result<()> {
    let refused =
        |e: tokio_postgres::Error| Error::new(Code::DatabaseUnavailable, "LISTEN connection lost.").with_source(e);
    let (client, mut connection) = tokio_postgres::connect(&options.url(), options.tls()?).await.map_err(refused)?;
    let mut messages = Box::pin(stream::poll_fn(move |context| connection.poll_message(context)));
    let lock = presence.key();
    let listen = format!(
        "LISTEN {RUNS}; LISTEN {RUN_EVENTS}; LISTEN {WEBHOOKS}; LISTEN {QUOTAS}; SELECT pg_advisory_lock({lock});"
    );
    let listening = client.batch_execute(&listen);
    tokio::pin!(listening);
    let mut is_listening = false;
    let mut shown = None;
    loop {
        tokio::select! {
            result = &mut listening, if !is_listening => {
                result.map_err(refused)?;
                is_listening = true;
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    if is_listening {
                        shown.get_or_insert_with(|| presence.show());
                    }
                    if let Some(notice) = parse(notification.channel(), notification.payload()) {
                        // An error means that nobody waits just now.
                        let _ = notices.send(notice);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => return Err(refused(e)),
                None => return Err(Error::new(Code::DatabaseUnavailable, "LISTEN connection closed by the server.")),
            }
        }
    }
}

fn parse(channel: &str, payload: &str) -> Option<Notice> {
    match channel {
        RUNS if payload.is_empty() => Some(Notice::RunsQueued),
        RUNS => payload.parse().ok().map(Notice::CancelRequested),
        WEBHOOKS => Some(Notice::WebhooksQueued),
        QUOTAS => Some(Notice::QuotaChanged(payload.parse().ok())),
        RUN_EVENTS => payload.parse().ok().map(Notice::RunChanged),
        _ => None,
    }
}
