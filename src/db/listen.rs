//! NOTIFY and LISTEN: what processes announce to each other. A lost notification only costs the time until the next
//! poll, so the connection is simply opened again when it breaks.

use super::Transaction;
use super::connect::Options;
use crate::error::{Code, Error, Result};
use diesel::define_sql_function;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use futures_util::{StreamExt, stream};
use tokio::sync::broadcast;
use tokio_postgres::AsyncMessage;
use uuid::Uuid;

/// A run was queued, or its time has come; with a run's id as payload: its cancellation was asked for.
pub const RUNS: &str = "entra_assets_runs";
/// A run got new events; the payload is its id.
pub const RUN_EVENTS: &str = "entra_assets_run_events";

/// A webhook is to be told something.
pub const WEBHOOKS: &str = "entra_assets_webhooks";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    WebhooksQueued,
    RunsQueued,
    CancelRequested(Uuid),
    RunChanged(Uuid),
}

define_sql_function! {
    fn pg_notify(channel: Text, payload: Text);
}

/// Tells those who listen on `channel`, once the transaction is committed.
pub(super) async fn notify(tx: &mut Transaction, channel: &str, payload: &str) -> Result<()> {
    diesel::select(pg_notify(channel, payload)).execute(tx).await?;
    Ok(())
}

/// Listens until the connection breaks, and passes on what comes. `Ok` when all receivers are gone.
pub async fn forward(options: &Options, notices: &broadcast::Sender<Notice>) -> Result<()> {
    let refused = |e: tokio_postgres::Error| {
        Error::new(Code::DatabaseUnavailable, "The connection that listens for notices was lost.").with_source(e)
    };
    let (client, mut connection) = tokio_postgres::connect(&options.url(), options.tls()?).await.map_err(refused)?;
    let mut messages = Box::pin(stream::poll_fn(move |context| connection.poll_message(context)));
    let listen = format!("LISTEN {RUNS}; LISTEN {RUN_EVENTS}; LISTEN {WEBHOOKS};");
    let listening = client.batch_execute(&listen);
    tokio::pin!(listening);
    let mut is_listening = false;
    loop {
        tokio::select! {
            result = &mut listening, if !is_listening => {
                result.map_err(refused)?;
                is_listening = true;
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(notification))) => {
                    if let Some(notice) = parse(notification.channel(), notification.payload()) {
                        // No receiver is fine: nobody waits just now.
                        let _ = notices.send(notice);
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => return Err(refused(e)),
                None => return Err(Error::new(Code::DatabaseUnavailable, "The connection that listens for notices was closed.")),
            }
        }
    }
}

fn parse(channel: &str, payload: &str) -> Option<Notice> {
    match channel {
        RUNS if payload.is_empty() => Some(Notice::RunsQueued),
        RUNS => payload.parse().ok().map(Notice::CancelRequested),
        WEBHOOKS => Some(Notice::WebhooksQueued),
        RUN_EVENTS => payload.parse().ok().map(Notice::RunChanged),
        _ => None,
    }
}
