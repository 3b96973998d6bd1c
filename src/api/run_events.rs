//! The events of a run, as a stream of server-sent events or by long poll.

use super::auth::Caller;
use super::bound::Bound;
use super::places::{Place, STREAMS};
use crate::app::App;
use crate::app::followers::RunFollower;
use crate::db::runs::{self, EventRow};
use crate::error::Result;
use crate::ids::{OrganizationId, RunId};
use crate::run_state::event::{LogData, ProgressData, StateData};
use crate::run_state::{EventKind, RunState};
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, Responder, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// The events in one response of the long poll, and in one step of the stream.
const MAX_EVENTS: i64 = 500;
/// How long a stream is silent before a comment is sent, so that proxies keep it open.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct EventsQuery {
    /// Only events after the one with this id; 0: all events.
    #[param(minimum = 0, default = 0)]
    pub after: Option<i64>,
    /// How many seconds to wait if there is no event yet. Only for JSON.
    #[param(minimum = 0, maximum = 20, default = 0)]
    pub wait: Option<u8>,
}

/// Describes the header of a resumed stream in the document.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes the header in the document")]
pub struct LastEventIdHeader {
    /// The stream continues after the event with this id. Browsers send this header on their own.
    #[serde(rename = "Last-Event-ID")]
    #[param(required = false, pattern = "^[0-9]{1,18}$")]
    last_event_id: Option<String>,
}

/// Something that happened to a run. [`RunEventForm`] describes it.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RunEventResponse {
    pub id: i64,
    pub event: EventKind,
    /// As it was stored: it may have been written by another version.
    pub data: Value,
    pub at: DateTime<Utc>,
}

/// Something that happened to a run: `event` says what.
#[derive(ToSchema)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[schema(as = RunEventResponse)]
pub enum RunEventForm {
    /// The run came to another state.
    #[schema(title = "RunStateEvent")]
    State {
        /// Rises by one with each event of the run.
        id: i64,
        data: StateData,
        at: DateTime<Utc>,
    },
    /// How far the run is.
    #[schema(title = "RunProgressEvent")]
    Progress {
        /// Rises by one with each event of the run.
        id: i64,
        data: ProgressData,
        at: DateTime<Utc>,
    },
    /// A message for people.
    #[schema(title = "RunLogEvent")]
    Log {
        /// Rises by one with each event of the run.
        id: i64,
        data: LogData,
        at: DateTime<Utc>,
    },
}

/// Events of a run, in their order.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct RunEventsResponse {
    #[schema(value_type = Vec<RunEventForm>)]
    pub items: Vec<RunEventResponse>,
    /// The `after` of the next request.
    pub next_after: i64,
    /// The run has ended and there are no more events.
    pub done: bool,
    /// The state of the run now. A run that is `awaitingApproval` goes on when somebody approves it; until then there are
    /// no events.
    pub state: RunState,
}

impl RunEventResponse {
    fn from_row(row: EventRow) -> Self {
        Self { id: row.id, event: row.event, data: row.data, at: row.at }
    }
}

/// Follow a run
///
/// With `Accept: text/event-stream`, a stream of server-sent events that ends with the run. Otherwise a long poll:
/// the response is sent as soon as there are events after `after`, or when `wait` is over. With a ticket, the
/// response is a stream unless `Accept` asks for JSON. An organization may have a quarter of the connections of a process as
/// streams, and at least 16 (`rate_limited`).
#[utoipa::path(
    tag = "Runs",
    params(("id" = RunId, Path, description = "The run's id"), EventsQuery, LastEventIdHeader),
    responses((
        status = 200,
        description = "The events in their order",
        content((RunEventsResponse = "application/json"), (String = "text/event-stream"))
    )),
    security(("bearer" = ["read"]), ("ticket" = []))
)]
#[get("/v1/runs/{id}/events")]
pub async fn list_run_events(
    app: Data<App>,
    caller: Caller,
    request: HttpRequest,
    id: Path<RunId>,
    query: Query<EventsQuery>,
) -> Result<HttpResponse> {
    let mut follower = Follower::new(&app, caller.organization, *id);
    let last_seen = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok()?.parse().ok());
    let after = last_seen.or(query.after).unwrap_or(0);
    if wants_stream(&request, caller.is_by_ticket()) {
        // An unknown run is a 404, not an empty stream.
        follower.look(after).await?;
        let bound = Bound::of(&app, caller.credential);
        return Ok(follower.stream(after, bound, STREAMS.take(caller.organization)?));
    }
    let wait = Duration::from_secs(u64::from(query.wait.unwrap_or(0)));
    let answer = follower.wait_for(after, wait).await?;
    Ok(Json(answer).respond_to(&request).map_into_boxed_body())
}

/// `by_default`: the answer if `Accept` names neither form.
fn wants_stream(request: &HttpRequest, by_default: bool) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let position = |media: &str| accept.find(media);
    match (position("text/event-stream"), position("application/json")) {
        (Some(stream), Some(json)) => stream < json,
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => by_default,
    }
}

/// Waits until the run ends or awaits approval, at most for `most`.
pub(super) async fn until_it_rests(app: &App, organization: OrganizationId, run: RunId, most: Duration) -> Result<()> {
    let mut follower = Follower::new(app, organization, run);
    let started = app.clock.instant();
    let mut after = 0;
    loop {
        let left = most.saturating_sub(app.clock.elapsed_since(started));
        let seen = follower.wait_for(after, left).await?;
        after = seen.next_after;
        let rests = seen.state.is_terminal() || seen.state == RunState::AwaitingApproval;
        if rests || app.clock.elapsed_since(started) >= most || app.stopping.is_cancelled() {
            return Ok(());
        }
    }
}

/// One caller who follows one run.
struct Follower {
    app: App,
    organization: OrganizationId,
    run: RunId,
    news: RunFollower,
}

/// What ends a quiet time.
enum Quiet {
    /// There may be events.
    News,
    /// Nothing happened for a while.
    Over,
}

impl Follower {
    fn new(app: &App, organization: OrganizationId, run: RunId) -> Self {
        Self { app: app.clone(), organization, run, news: app.followers.follow(organization, run) }
    }

    async fn look(&self, after: i64) -> Result<RunEventsResponse> {
        let (organization, run) = (self.organization, self.run);
        let (row, events) = self
            .app
            .db
            .scoped(organization, async move |tx| {
                let row = runs::find(tx, organization, run).await?;
                let events = runs::events(tx, organization, run, after, MAX_EVENTS).await?;
                // An event that came after the row was read may be the end of the run.
                let is_newer = events.last().is_some_and(|event| event.id > row.last_event_id);
                let row = if is_newer { runs::find(tx, organization, run).await? } else { row };
                Ok((row, events))
            })
            .await?;
        let items: Vec<_> = events.into_iter().map(RunEventResponse::from_row).collect();
        let next_after = items.last().map_or(after, |event| event.id);
        // Of a run that ended long ago there are none any more.
        let done = row.state.is_terminal() && (items.is_empty() || next_after >= row.last_event_id);
        Ok(RunEventsResponse { items, next_after, done, state: row.state })
    }

    /// The events after `after`. If there are none, waits up to `wait` for one.
    async fn wait_for(&mut self, after: i64, wait: Duration) -> Result<RunEventsResponse> {
        let started = self.app.clock.instant();
        loop {
            let seen = self.look(after).await?;
            let left = wait.saturating_sub(self.app.clock.elapsed_since(started));
            if !seen.items.is_empty() || seen.done || left.is_zero() || self.app.stopping.is_cancelled() {
                return Ok(seen);
            }
            if matches!(self.quiet(left).await, Quiet::Over) {
                return Ok(seen);
            }
        }
    }

    /// Waits for news of this run, at most for `most`.
    async fn quiet(&mut self, most: Duration) -> Quiet {
        tokio::select! {
            () = self.news.news() => Quiet::News,
            () = self.app.stopping.cancelled() => Quiet::News,
            () = self.app.clock.sleep(most) => Quiet::Over,
        }
    }

    /// A stream that ends with the run, or soon after the caller's key was revoked or their token expired.
    fn stream(mut self, mut after: i64, mut bound: Bound, place: Place) -> HttpResponse {
        let events = async_stream::stream! {
            // Until it ends, or its reader is gone.
            let _place = place;
            while !bound.is_over() {
                let seen = match self.look(after).await {
                    Ok(seen) => seen,
                    // The head is sent: all that is left is to end, and the client takes it up again.
                    Err(error) => {
                        tracing::warn!(run.id = %self.run, code = %error.code, "event stream aborted: {}", error.detail);
                        return;
                    }
                };
                after = seen.next_after;
                if !seen.items.is_empty() {
                    yield Ok::<Bytes, actix_web::Error>(Bytes::from(write(&seen.items)));
                }
                if seen.done || self.app.stopping.is_cancelled() {
                    return;
                }
                // There may be more than fitted into one look.
                let mut is_quiet = seen.items.is_empty();
                while is_quiet {
                    is_quiet = tokio::select! {
                        quiet = self.quiet(HEARTBEAT) => matches!(quiet, Quiet::Over),
                        () = bound.over() => false,
                    };
                    if is_quiet && bound.is_over() {
                        return;
                    }
                    if is_quiet {
                        yield Ok(Bytes::from_static(b": waiting\n\n"));
                    }
                }
            }
        };
        HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/event-stream"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header(("X-Accel-Buffering", "no"))
            .insert_header((header::CONTENT_ENCODING, "identity"))
            .streaming(events)
    }
}

fn write(events: &[RunEventResponse]) -> String {
    events.iter().fold(String::new(), |mut text, event| {
        // JSON text has no line breaks, so it is one line of data.
        text.push_str(&format!("id: {}\nevent: {}\ndata: {}\n\n", event.id, event.event, event.data));
        text
    })
}
