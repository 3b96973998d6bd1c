//! `run`: starts a run of a job, and follows it if asked.

use super::{ServiceArgs, find};
use crate::cli::calls::{Calls, Refused};
use crate::cli::output::{say, say_aside};
use crate::cli::runs::{has_succeeded, kind_of, state_of};
use crate::clock::Clock;
use crate::run_state::{EventKind, RunMode, RunState};
use crate::text_enum::Explained;
use anyhow::{Context, Error, Result, bail};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the service waits for the next event of a run.
const WAIT_SECONDS: u32 = 20;
/// How long the service may be away while a run is followed: it starts again, or a server in front of it does.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Args)]
pub struct Run {
    /// Name or id of the job.
    job: String,
    /// What the run reads.
    #[arg(long, value_enum, default_value_t = RunMode::Incremental)]
    mode: RunMode,
    /// How many users a test reads. Only with `--mode test`.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
    /// Show the progress, and wait until the run ends. The exit code is 0 if it succeeded, also with warnings.
    #[arg(long)]
    follow: bool,
    /// Print JSON: the run, with `--follow` as it ended.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

/// The modes of the API, written as options are.
impl ValueEnum for RunMode {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = match self {
            Self::DryRun => PossibleValue::new("dry-run"),
            Self::Test | Self::Full | Self::Incremental => PossibleValue::new(self.as_str()),
        };
        let meaning = Self::ALL.iter().zip(Self::meanings()).find(|(mode, _)| *mode == self);
        Some(value.help(meaning.map(|(_, meaning)| meaning).unwrap_or_default()))
    }
}

pub async fn run(arguments: &Run) -> Result<()> {
    let calls = arguments.service.calls()?;
    let job = find(&calls, "/v1/jobs", "job", &arguments.job).await?;
    let mut body = json!({"mode": arguments.mode});
    if let Some(limit) = arguments.limit {
        body["limit"] = json!(limit);
    }
    let started = calls.post(&format!("/v1/jobs/{job}/runs"), &body).await?;
    let id = started["id"].as_str().context("an answer without an id")?.to_owned();
    if !arguments.follow {
        match arguments.json {
            true => say(&serde_json::to_string_pretty(&started)?),
            false => say(&format!("run {id} is {}", started["state"].as_str().unwrap_or("queued"))),
        }
        return Ok(());
    }
    say_aside(&format!("run {id}"));
    let ended = follow(&calls, &Clock::system(), &id).await?;
    match arguments.json {
        true => say(&serde_json::to_string_pretty(&ended)?),
        false => say(&in_words(&ended)),
    }
    if has_succeeded(&ended) {
        return Ok(());
    }
    match state_of(&ended) {
        Some(RunState::AwaitingApproval) => {
            bail!("the run waits for an approval: POST /v1/runs/{id}/approve, or look at its changes first")
        }
        _ => bail!("the run ended {}", ended["state"].as_str().unwrap_or("in an unknown state")),
    }
}

/// Shows how a run goes on until it ends or waits for somebody. Returns the run.
async fn follow(calls: &Calls, clock: &Clock, id: &str) -> Result<Value> {
    show(calls, clock, id).await.with_context(|| {
        format!(
            "the end of the run was not seen. It goes on without this command; see GET /v1/runs/{id} or the console"
        )
    })
}

/// Shows each stage as it goes on, on standard error.
async fn show(calls: &Calls, clock: &Clock, id: &str) -> Result<Value> {
    let (mut after, mut shown) = (0, String::new());
    loop {
        let events = format!("/v1/runs/{id}/events?after={after}&wait={WAIT_SECONDS}");
        let answer = get_patiently(calls, clock, &events).await?;
        for line in answer["items"].as_array().into_iter().flatten().filter_map(line) {
            if line != shown {
                say_aside(&line);
                shown = line;
            }
        }
        after = answer["nextAfter"].as_i64().unwrap_or(after);
        if answer["done"] == true || state_of(&answer) == Some(RunState::AwaitingApproval) {
            return get_patiently(calls, clock, &format!("/v1/runs/{id}")).await;
        }
    }
}

/// Asks again while the service is away. A run goes on in the meantime, so whoever follows it should not give up.
async fn get_patiently(calls: &Calls, clock: &Clock, path: &str) -> Result<Value> {
    let mut away_since = None;
    loop {
        let error = match calls.get(path).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let is_first = away_since.is_none();
        let since = *away_since.get_or_insert_with(|| clock.instant());
        if !is_passing(&error) || clock.elapsed_since(since) >= PATIENCE {
            return Err(error);
        }
        if is_first {
            say_aside(&format!("  {error:#}; asking again for {} s", PATIENCE.as_secs()));
        }
        clock.sleep(PAUSE).await;
    }
}

/// Whether another try may succeed: there was no answer, or one that says so.
fn is_passing(error: &Error) -> bool {
    match error.downcast_ref::<Refused>() {
        Some(refused) => refused.status == 429 || refused.status >= 500,
        None => error.chain().any(|cause| cause.is::<reqwest::Error>()),
    }
}

/// An event in one line, if it is worth one.
fn line(event: &Value) -> Option<String> {
    let data = &event["data"];
    match kind_of(event)? {
        EventKind::State => Some(data["state"].as_str()?.to_owned()),
        EventKind::Log => Some(format!("  {}", data["message"].as_str()?)),
        EventKind::Progress => {
            let progress = &data["progress"];
            let of = progress["total"].as_u64().map(|total| format!(" of {total}")).unwrap_or_default();
            Some(format!("  {}: {}{of}", progress["stage"].as_str()?, progress["done"].as_u64()?))
        }
    }
}

/// How a run ended: its counts, its warnings and its error.
fn in_words(run: &Value) -> String {
    let mut lines = vec![run["state"].as_str().unwrap_or("unknown").to_owned()];
    for (kind, counts) in run["counts"].as_object().into_iter().flatten() {
        let counts = counts.as_object().into_iter().flatten().filter(|(_, count)| count.as_u64().unwrap_or(0) > 0);
        let counts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
        if !counts.is_empty() {
            lines.push(format!("  {kind}: {}", counts.join(", ")));
        }
    }
    for warning in run["warnings"].as_array().into_iter().flatten() {
        lines.push(format!("  ! {}", warning["detail"].as_str().unwrap_or_default()));
    }
    if let Some(detail) = run["error"]["detail"].as_str() {
        lines.push(format!("  ✗ {detail}"));
        lines.extend(run["error"]["advice"].as_str().map(|advice| format!("    {advice}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HttpSettings;
    use crate::http;
    use chrono::DateTime;
    use secrecy::SecretString;
    use std::net::TcpListener;
    use wiremock::matchers::{path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn calls(address: &str) -> Calls {
        let client = http::direct_client(&HttpSettings::default()).unwrap();
        Calls::with_client(client, address, &SecretString::from("a-key"))
    }

    /// Time passes only while the command waits.
    fn clock() -> Clock {
        Clock::manual_sleepless(DateTime::UNIX_EPOCH)
    }

    fn answer(body: Value) -> ResponseTemplate {
        ResponseTemplate::new(200).set_body_json(body)
    }

    #[tokio::test]
    async fn a_run_is_followed_while_a_gateway_fails_for_a_time() {
        let gateway = MockServer::start().await;
        let (events, clock) = ("/v1/runs/r/events", clock());
        let first = json!({"items": [], "nextAfter": 7, "done": false, "state": "running"});
        let once = |after: &str, answer: ResponseTemplate| {
            let mock = Mock::given(path(events)).and(query_param("after", after)).respond_with(answer);
            mock.up_to_n_times(1).expect(1)
        };
        once("0", answer(first)).mount(&gateway).await;
        for status in [502, 429, 503] {
            once("7", ResponseTemplate::new(status).set_body_string("a page of the gateway")).mount(&gateway).await;
        }
        once("7", answer(json!({"items": [], "nextAfter": 9, "done": true, "state": "succeeded"})))
            .mount(&gateway)
            .await;
        let run = Mock::given(path("/v1/runs/r"));
        run.respond_with(ResponseTemplate::new(500)).up_to_n_times(1).expect(1).mount(&gateway).await;
        let run = Mock::given(path("/v1/runs/r"));
        run.respond_with(answer(json!({"state": "succeeded"}))).expect(1).mount(&gateway).await;
        let ended = follow(&calls(&gateway.uri()), &clock, "r").await.unwrap();
        assert_eq!(ended, json!({"state": "succeeded"}));
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH + 4 * PAUSE);
    }

    #[tokio::test]
    async fn a_service_that_stays_away_is_asked_for_two_minutes() {
        let gateway = MockServer::start().await;
        Mock::given(path("/v1/runs/r/events")).respond_with(ResponseTemplate::new(503)).mount(&gateway).await;
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for (address, status) in [(gateway.uri(), Some(503)), (format!("http://{nobody}"), None)] {
            let clock = clock();
            let error = follow(&calls(&address), &clock, "r").await.unwrap_err();
            assert_eq!(error.downcast_ref::<Refused>().map(|refused| refused.status), status, "{error:#}");
            assert_eq!(clock.now(), DateTime::UNIX_EPOCH + PATIENCE, "{error:#}");
            assert!(error.to_string().contains("It goes on without this command; see GET /v1/runs/r "), "{error:#}");
        }
    }

    #[tokio::test]
    async fn what_another_try_cannot_change_is_told_at_once() {
        let (gateway, clock) = (MockServer::start().await, clock());
        Mock::given(path("/v1/runs/r/events")).respond_with(ResponseTemplate::new(401)).expect(1).mount(&gateway).await;
        let error = follow(&calls(&gateway.uri()), &clock, "r").await.unwrap_err();
        assert_eq!((error.downcast_ref::<Refused>().unwrap().status, clock.now()), (401, DateTime::UNIX_EPOCH));
    }
}
