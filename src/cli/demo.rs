//! `demo`: starts the service and the simulators, and imports a directory over the API as any caller would.
//! It ends with a table that compares Assets with the directory.

mod stages;
mod table;

use super::calls::Calls;
use super::output;
use super::runs::{has_succeeded, state_of};
use super::simulate::{self, DirectoryArgs, Places, Simulators};
use crate::api::console;
use crate::clock::Clock;
use crate::config::{Role, Settings, Switch};
use crate::connection_check::{self, CheckReport, Overall};
use crate::run_state::RunState;
use crate::serve::{self, Service};
use crate::shutdown::Shutdown;
use crate::sim::graph::Scenario;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use stages::Stages;

#[derive(Args)]
pub struct DemoArgs {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    directory: DirectoryArgs,
    /// Exit after the import, with an error if a count differs. With --tenant: exit with an error if the check failed.
    #[arg(long)]
    exit: bool,
    /// Import nothing; check the connection of a faulty tenant: delegated, pending, expired-secret, secret-id,
    /// wrong-tenant, no-licences, …
    #[arg(long)]
    tenant: Option<String>,
}

/// A running demonstration.
struct Demo {
    calls: Calls,
    simulators: Simulators,
    key: SecretString,
    address: String,
}

pub async fn run(arguments: DemoArgs) -> Result<()> {
    let simulators = simulate::start(&arguments.directory, Places::local([0, 0, 0]))?;
    let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
    let service = start_service(&arguments, &simulators, &shutdown).await?;
    let key = match (&service.admin_key, &arguments.settings.security.admin_key) {
        (Some(stored), _) => stored.key.clone(),
        (None, Some(key)) => key.clone(),
        (None, None) => bail!("set ENTRA_ASSETS_ADMIN_KEY together with DATABASE_URL"),
    };
    let address = format!("http://{}", service.address);
    let demo = Demo { calls: Calls::new(&address, &key)?, simulators, key, address };
    let outcome = tokio::select! {
        outcome = demo.show(&arguments) => outcome,
        () = async { shutdown.begun().cancelled().await } => match arguments.exit {
            // A script must be able to tell an interruption from success.
            true => Err(anyhow!("interrupted before the import was complete")),
            false => Ok(()),
        },
    };
    if outcome.is_ok() && !arguments.exit && !shutdown.begun().is_cancelled() {
        output::say("\nThe service and the simulators keep running until Ctrl-C.");
        service.run().await?;
    } else {
        shutdown.begin();
        service.run().await?;
    }
    outcome
}

/// Starts the service against the simulators, with an embedded database in a directory of its own.
async fn start_service(arguments: &DemoArgs, simulators: &Simulators, shutdown: &Shutdown) -> Result<Service> {
    let mut settings = arguments.settings.clone();
    if settings.database.database_url.is_none() {
        settings.database.data_dir = Some(settings.database.data_dir()?.join("demo"));
    }
    settings.hosts.login_url = Some(simulators.graph.login_origin().parse()?);
    settings.hosts.graph_url = Some(simulators.graph.graph_origin().parse()?);
    settings.hosts.assets_url = Some(simulators.assets.origin().parse()?);
    if std::net::TcpListener::bind(settings.listen).is_err() {
        // The port is in use; the demonstration works on any port.
        settings.listen.set_port(0);
    }
    // The key is printed later, in `say_where_to_look`.
    Ok(serve::start(settings, Role::All, Clock::system(), shutdown.clone(), |_| {}).await?)
}

impl Demo {
    async fn show(&self, arguments: &DemoArgs) -> Result<()> {
        if let Some(tenant) = &arguments.tenant {
            return self.show_check(tenant, arguments.exit).await;
        }
        let truth = self.simulators.graph.truth();
        say_step(&format!(
            "A simulated Entra directory: {} users, {} groups, {} memberships, {} licences",
            truth.users,
            truth.groups,
            truth.user_memberships + truth.group_memberships,
            truth.licenses
        ));
        let job = self.set_up().await?;
        self.calls.post(&format!("/v1/jobs/{job}/schema"), &json!({})).await.context("building the schema")?;
        say_step("Object types and attributes created in Assets");
        let test = self.follow(&job, json!({"mode": "test", "limit": 50})).await?;
        say_step(&format!("Test run: {}", table::counts_in_words(&test)));
        // The full run uses the destination of the test run: Assets updates the objects that exist.
        let full = self.follow(&job, json!({"mode": "full"})).await?;
        say_step(&format!("Full run: {}", table::counts_in_words(&full)));
        let rows = table::rows(&truth, &self.simulators.assets.counts(), &full);
        output::say_as_it_is(&format!("\n{}\n", table::render(&rows)));
        if !arguments.exit {
            self.say_where_to_look(&job, &full, arguments.settings.console);
        }
        match rows.iter().filter(|row| !row.is_whole()).count() {
            0 if state_of(&full) == Some(RunState::Succeeded) => Ok(()),
            0 => bail!("the full run ended {}: {}", full["state"], full["warnings"]),
            wrong => bail!("counts in Assets that differ from the directory: {wrong}"),
        }
    }

    /// Connection, check, filter, destination, job. Returns the job's id.
    async fn set_up(&self) -> Result<String> {
        let credentials = self.simulators.graph.default_credentials();
        let connection = json!({
            "name": "Contoso", "tenantId": credentials.tenant_id, "clientId": credentials.client_id, "cloud": "global",
            "credential": {"kind": "clientSecret", "secret": credentials.client_secret},
        });
        let connection = self.calls.create("/v1/connections", &connection).await.context("the connection")?;
        let report = self.calls.post(&format!("/v1/connections/{connection}/check"), &json!({})).await?;
        say_step(&format!("Connection saved and checked: {}", report["overall"].as_str().unwrap_or("?")));
        let filter = json!({"name": "Everybody", "users": {"odata": "userType in ('Member','Guest')"}});
        let filter = self.calls.create("/v1/filters", &filter).await.context("the filter")?;
        let destination = json!({
            "name": "Assets", "kind": "assetsImport", "token": self.simulators.assets.token(),
            "missingObjects": "ignore",
        });
        let destination = self.calls.create("/v1/destinations", &destination).await.context("the destination")?;
        let job = json!({
            "name": "Everything", "connectionId": connection, "filterId": filter, "destinationId": destination,
            "objects": {"users": {"enabled": true}, "groups": {"enabled": true}, "licenses": {"enabled": true}},
        });
        let job = self.calls.create("/v1/jobs", &job).await.context("the job")?;
        say_step("Filter, destination and job saved");
        Ok(job)
    }

    /// Starts a run and shows its progress until it ends.
    async fn follow(&self, job: &str, request: Value) -> Result<Value> {
        let run = self.calls.create(&format!("/v1/jobs/{job}/runs"), &request).await.context("the run")?;
        let mut stages = Stages::new();
        let mut after = 0;
        loop {
            let answer = self.calls.get(&format!("/v1/runs/{run}/events?after={after}&wait=10")).await?;
            for event in answer["items"].as_array().into_iter().flatten() {
                stages.show(event);
            }
            after = answer["nextAfter"].as_i64().unwrap_or(after);
            if answer["done"] == true {
                break;
            }
        }
        stages.end();
        let run = self.calls.get(&format!("/v1/runs/{run}")).await?;
        match has_succeeded(&run) {
            true => Ok(run),
            false => bail!("the run ended {}: {}", run["state"], run["error"]),
        }
    }

    /// Shows the report of the connection check for one tenant. With `strict` a failed check is an error, so that a
    /// script can detect it.
    async fn show_check(&self, tenant: &str, strict: bool) -> Result<()> {
        let scenario = Scenario::ALL.iter().find(|scenario| scenario.as_str() == tenant).with_context(|| {
            let known: Vec<&str> = Scenario::ALL.iter().map(|scenario| scenario.as_str()).collect();
            format!("unknown tenant «{tenant}»; expected one of {}", known.join(", "))
        })?;
        let credentials = scenario.credentials();
        let body = json!({
            "tenantId": credentials.tenant_id, "clientId": credentials.client_id, "cloud": "global",
            "credential": {"kind": "clientSecret", "secret": credentials.client_secret},
        });
        let works = match self.calls.try_post("/v1/connection-checks", &body).await? {
            (200..=299, report) => {
                let report: CheckReport = serde_json::from_value(report).context("the report")?;
                output::say(&connection_check::render_text(&report));
                report.overall != Overall::Failed
            }
            (_, problem) => {
                output::say(&problem_in_words(&problem));
                false
            }
        };
        if strict && !works {
            bail!("the check of the tenant «{tenant}» failed");
        }
        Ok(())
    }

    fn say_where_to_look(&self, job: &str, run: &Value, switch: Switch) {
        let (address, key, run) = (&self.address, self.key.expose_secret(), run["id"].as_str().unwrap_or_default());
        let console = match console::is_offered(switch) {
            true => format!("{address}/console/ (sign in with the key {key})"),
            false => "not built; `make console` builds it, with Node.js 20".to_owned(),
        };
        output::say(&format!(
            "Next steps:\n\
             \x20 curl -H 'Authorization: Bearer {key}' '{address}/v1/jobs/{job}/objects?type=users&limit=3'\n\
             \x20 curl -H 'Authorization: Bearer {key}' '{address}/v1/runs/{run}'\n\
             \x20 curl -H 'Authorization: Bearer {key}' '{address}/v1/runs/{run}/changes?limit=3'\n\
             \x20 curl -H 'Authorization: Bearer {key}' '{address}/v1/capabilities'\n\
             \x20 console: {console}\n\
             \x20 documentation of the API: {address}/docs/\n\
             \x20 content of the simulated Assets: {}/_sim/truth",
            self.simulators.assets.origin()
        ));
    }
}

/// A problem response of the API as text.
fn problem_in_words(problem: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut words = format!("✗ {}", text(&problem["title"]));
    for fault in problem["errors"].as_array().into_iter().flatten() {
        words.push_str(&format!("\n  {}: {}", text(&fault["pointer"]), text(&fault["detail"])));
    }
    words
}

fn say_step(text: &str) {
    output::say(&format!("✓ {text}"));
}
