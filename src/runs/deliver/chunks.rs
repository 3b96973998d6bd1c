//! Sends the outbox in chunks, one at a time. The last row and the id of a chunk are stored before it is sent, so that the same
//! chunk can be sent again.

use super::delivered::Repeated;
use super::delivery::{Delivery, failed};
use super::execution::Open;
use crate::assets::{AssetsError, AssetsErrorKind, ChunkBuilder, ChunkLimits, ExecutionState, import::Progress};
use crate::clock::Instant;
use crate::db::executions::Change;
use crate::db::mirror::delivered::{self, OutboxRow};
use crate::error::Error;
use crate::mapping::Mapping;
use crate::run_state::{ExecutionStep, RunStage};
use crate::runs::collect::collected::Collected;
use crate::runs::diff::diffed::Diffed;
use crate::runs::forge_token::target;
use crate::runs::progress::Work;
use crate::runs::stop::Stop;
use std::collections::VecDeque;
use std::time::Duration;

/// Rows fetched at once.
const FETCH: i64 = 500;
/// Chunks between two reports to Assets, which are for the eyes only.
const REPORT_EVERY: i32 = 10;
/// Pauses before the completing chunk is repeated, and how long it is.
const FIRST_REPEAT: Duration = Duration::from_secs(1);
const MAX_REPEAT: Duration = Duration::from_secs(30);
const MAX_REPEATING: Duration = Duration::from_secs(300);

/// Rows of the outbox that were fetched and not sent.
struct Ahead {
    rows: VecDeque<OutboxRow>,
    fetched_to: i64,
    at_end: bool,
}

impl Ahead {
    fn put_back(&mut self, rows: Vec<OutboxRow>) {
        for row in rows.into_iter().rev() {
            self.rows.push_front(row);
        }
    }
}

/// Since when the completing chunk does not arrive, and the pause before it is sent once more.
struct Patience {
    since: Instant,
    pause: Duration,
}

/// Whether Assets may have the completing chunk although the answer is an error: it was lost, or Assets refuses a chunk that
/// it has from an earlier attempt.
fn may_have_arrived(error: &AssetsError, was_sent: bool) -> bool {
    match error.kind {
        AssetsErrorKind::OutcomeUnknown => true,
        AssetsErrorKind::Validation { .. } | AssetsErrorKind::Conflict(_) => was_sent,
        _ => false,
    }
}

/// A chunk with the rows that are in it.
struct Planned {
    builder: ChunkBuilder,
    last_seq: i64,
    id: String,
    rows: Vec<OutboxRow>,
}

fn count_repeats(repeated: &mut Repeated, rows: &[OutboxRow], times: u64) {
    for row in rows.iter().filter(|_| times > 0) {
        *repeated.entry(row.object_type).or_default() += times;
    }
}

impl Delivery<'_> {
    /// Sends what was not acknowledged. The last chunk completes the execution, which takes the proof that
    /// the read behind it is complete.
    pub(super) async fn send_all(&self, open: &Open, _complete: &Collected, diffed: &Diffed) -> Result<(), Stop> {
        let mut limits = ChunkLimits::default();
        let mut ahead = Ahead { rows: VecDeque::new(), fetched_to: open.acknowledged_seq, at_end: false };
        let mut repeat = open.sending.clone();
        let mut chunks = open.chunks;
        let mut repeated = open.repeated.clone();
        let mut patience = None;
        let total: u64 = diffed.sends.values().sum();
        loop {
            if self.run.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            // An earlier attempt of the run sent it, and did not store whether Assets took it.
            let was_sent = repeat.is_some();
            let planned = self.plan(open, &mut ahead, limits, repeat.take()).await?;
            let completes = ahead.at_end && ahead.rows.is_empty();
            count_repeats(&mut repeated, &planned.rows, u64::from(was_sent));
            let change = Change {
                sending_seq: Some(planned.last_seq),
                sending_id: Some(planned.id.clone()),
                repeated: Some(serde_json::to_value(&repeated).map_err(Error::internal)?),
                ..Change::default()
            };
            self.note(open.id, change).await?;
            let target = target(self.run).await?;
            let chunk = planned.builder.build(&planned.id, completes);
            let objects = chunk.objects as u64;
            match self.client.submit(&target, &open.links, &chunk).await {
                Ok(submitted) => count_repeats(&mut repeated, &planned.rows, submitted.repeats),
                Err(error) if error.kind == AssetsErrorKind::TooLarge && planned.rows.len() > 1 => {
                    limits = ChunkLimits { objects: planned.rows.len(), ..limits }.halved();
                    ahead.put_back(planned.rows);
                    continue;
                }
                // What became of the completing chunk is seen by its effect.
                Err(error) if completes && may_have_arrived(&error, was_sent) => {
                    if !self.is_carried_out(open).await? {
                        self.pause_before_repeat(&mut patience, &error).await?;
                        repeat = Some((planned.last_seq, planned.id));
                        ahead.put_back(planned.rows);
                        continue;
                    }
                }
                Err(error) => return Err(failed(&error)),
            }
            chunks += 1;
            let change = Change {
                state: completes.then_some(ExecutionStep::Completed),
                acknowledged_seq: Some(planned.last_seq),
                chunks: Some(chunks),
                repeated: Some(serde_json::to_value(&repeated).map_err(Error::internal)?),
                ..Change::default()
            };
            self.note(open.id, change).await?;
            self.run.progress.advance(Work::Objects, objects);
            if completes {
                return Ok(());
            }
            if chunks % REPORT_EVERY == 0 {
                self.report(open, planned.last_seq.unsigned_abs(), total).await?;
            }
        }
    }

    /// The next chunk: the rows up to the limits; or, after a crash, exactly those that were under way.
    async fn plan(
        &self,
        open: &Open,
        ahead: &mut Ahead,
        limits: ChunkLimits,
        repeat: Option<(i64, String)>,
    ) -> Result<Planned, Stop> {
        let mut builder = match repeat {
            Some(_) => ChunkBuilder::new(ChunkLimits { bytes: usize::MAX, objects: usize::MAX }),
            None => ChunkBuilder::new(limits),
        };
        let mut rows = Vec::new();
        loop {
            self.fetch(ahead).await?;
            let Some(row) = ahead.rows.front() else { break };
            let is_in = match &repeat {
                Some((last_seq, _)) => row.seq <= *last_seq,
                None => builder.fits(&row.payload),
            };
            if !is_in {
                break;
            }
            builder.push(Mapping::selector(row.object_type), &row.payload);
            rows.extend(ahead.rows.pop_front());
        }
        let last_seq = rows.last().map_or(open.acknowledged_seq, |row| row.seq);
        let id = match repeat {
            Some((_, id)) => id,
            // A part of a chunk that was too large ends where the whole did, and has other entries.
            None => format!("{}-{}-{last_seq}", open.id, rows.first().map_or(last_seq, |row| row.seq)),
        };
        // To know whether this chunk is the last.
        self.fetch(ahead).await?;
        Ok(Planned { builder, last_seq, id, rows })
    }

    async fn fetch(&self, ahead: &mut Ahead) -> Result<(), Stop> {
        if !ahead.rows.is_empty() || ahead.at_end {
            return Ok(());
        }
        let (organization, run, job, after) =
            (self.run.job.organization, self.run.lease.run, self.run.job.id, ahead.fetched_to);
        let rows = self
            .run
            .tx("fetch the outbox", async move |tx| delivered::outbox(tx, organization, run, job, after, FETCH).await)
            .await?;
        ahead.at_end = rows.len() < FETCH as usize;
        if let Some(last) = rows.last() {
            ahead.fetched_to = last.seq;
        }
        ahead.rows.extend(rows);
        Ok(())
    }

    /// Whether Assets has the completing chunk, of which an answer was lost. Not cancellable: perhaps nothing can be
    /// cancelled any more.
    async fn is_carried_out(&self, open: &Open) -> Result<bool, Stop> {
        let target = target(self.run).await?;
        let status = self.run.app.assets.status(&target, &open.links).await.map_err(|e| failed(&e))?;
        Ok(status.status != ExecutionState::Ingesting)
    }

    /// A moment before the completing chunk is sent once more, as it was. Where Assets refused it, and where it did not
    /// arrive for too long, the run fails with what Assets said.
    async fn pause_before_repeat(&self, patience: &mut Option<Patience>, error: &AssetsError) -> Result<(), Stop> {
        let clock = &self.run.app.clock;
        let patience = patience.get_or_insert_with(|| Patience { since: clock.instant(), pause: FIRST_REPEAT });
        let is_over = clock.elapsed_since(patience.since) + patience.pause > MAX_REPEATING;
        if is_over || error.kind != AssetsErrorKind::OutcomeUnknown {
            return Err(failed(error));
        }
        tokio::select! {
            () = self.run.cancel.cancelled() => return Err(Stop::Cancelled),
            () = clock.sleep(patience.pause) => {}
        }
        patience.pause = (patience.pause * 2).min(MAX_REPEAT);
        Ok(())
    }

    async fn report(&self, open: &Open, sent: u64, total: u64) -> Result<(), Stop> {
        let target = target(self.run).await?;
        let progress = Progress {
            step: 1,
            steps: 1,
            description: "Sending the directory",
            objects: sent.min(total),
            objects_total: total,
        };
        if let Err(error) = self.client.progress(&target, &open.links, &progress).await {
            tracing::debug!(run.id = %self.run.lease.run, %error, stage = %RunStage::Deliver, "progress was not taken");
        }
        Ok(())
    }
}
