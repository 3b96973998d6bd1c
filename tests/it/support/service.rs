//! The built program as a process of its own, which can be killed, and what is asked of it over HTTP.

use entra_assets::clock::{Clock, Instant};
use entra_assets::config::HttpSettings;
use entra_assets::sim::assets::AssetsSim;
use entra_assets::sim::graph::GraphSim;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Whatever is waited for comes within this, on a busy machine too.
const WITHIN: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);
const KEY: &str = "an-admin-key-of-more-than-thirty-two-characters";

/// How a service is started, each time alike.
pub struct Plan {
    environment: Vec<(String, String)>,
    port: u16,
    dir: TempDir,
    http: reqwest::Client,
}

/// A process that runs.
pub struct Service<'p> {
    plan: &'p Plan,
    child: Child,
}

impl Plan {
    /// `database`: settings that name one; empty: the embedded one, in a folder of this plan.
    pub fn new(graph: &GraphSim, assets: &AssetsSim, database: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let dir = TempDir::new().unwrap();
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut environment = vec![
            own("ENTRA_ASSETS_LISTEN", &format!("127.0.0.1:{port}")),
            own("ENTRA_ASSETS_ADMIN_KEY", KEY),
            own("ENTRA_ASSETS_LOGIN_URL", &graph.login_origin()),
            own("ENTRA_ASSETS_GRAPH_URL", &graph.graph_origin()),
            own("ENTRA_ASSETS_ASSETS_URL", assets.origin()),
            own("ENTRA_ASSETS_DATA_DIR", dir.path().join("data").to_str().unwrap()),
            own("ENTRA_ASSETS_LOG", "info"),
        ];
        environment.extend(database.iter().map(|(name, value)| own(name, value)));
        let http = entra_assets::http::client(&HttpSettings::default()).unwrap();
        Self { environment, port, dir, http }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where the API is served.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables of the service.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// Starts the service and waits until it is ready.
    pub async fn start(&self) -> Service<'_> {
        let log = File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_entra-assets"));
        command.arg("serve").env_remove("DATABASE_URL").envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut service = Service { plan: self, child: command.spawn().unwrap() };
        service.until("the service is ready", async |service| service.is_ready().await).await;
        service
    }

    /// What all its processes have said, the end of it.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Service<'_> {
    /// A request of the operator.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.plan.origin());
        self.plan.http.request(method.parse().unwrap(), url).bearer_auth(KEY)
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.json().await.unwrap_or_default()))
    }

    /// The most requests to Graph that the service had under way, with those whose answers were not stored yet.
    pub async fn in_flight_most(&self) -> Option<usize> {
        self.metric("entra_assets_graph_requests_in_flight_most ").await
    }

    /// How many of them it has now.
    pub async fn in_flight(&self) -> Option<usize> {
        self.metric("entra_assets_graph_requests_in_flight ").await
    }

    async fn metric(&self, name: &str) -> Option<usize> {
        let url = format!("{}/metrics", self.plan.origin());
        let text = self.plan.http.get(url).send().await.ok()?.text().await.ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    async fn is_ready(&mut self) -> bool {
        let exited = self.child.try_wait().unwrap();
        assert!(exited.is_none(), "the service ended: {exited:?}\n{}", self.plan.log());
        self.send("GET", "/readyz", None).await.is_some_and(|(status, _)| status == 200)
    }

    /// An object made; its id.
    pub async fn create(&self, path: &str, body: Value) -> String {
        let (status, made) = self.send("POST", path, Some(&body)).await.unwrap();
        assert!((200..300).contains(&status), "POST {path}: {status} {made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// An answer, if there is one now.
    pub async fn get(&self, path: &str) -> Option<Value> {
        self.send("GET", path, None).await.filter(|(status, _)| *status == 200).map(|(_, body)| body)
    }

    /// Connection, destination and a job with everything in it.
    pub async fn add_job(&self, graph: &GraphSim, assets: &AssetsSim) -> String {
        self.add_job_with(graph, assets, None).await
    }

    /// The same with a filter.
    pub async fn add_job_with(&self, graph: &GraphSim, assets: &AssetsSim, filter: Option<Value>) -> String {
        let entered = graph.default_credentials();
        let connection = json!({
            "name": "Contoso", "tenantId": entered.tenant_id, "clientId": entered.client_id, "cloud": "global",
            "credential": {"kind": "clientSecret", "secret": entered.client_secret},
        });
        let connection = self.create("/v1/connections", connection).await;
        let destination = json!({"name": "Assets", "kind": "assetsImport", "token": assets.token()});
        let destination = self.create("/v1/destinations", destination).await;
        let filter = match filter {
            Some(filter) => Some(self.create("/v1/filters", filter).await),
            None => None,
        };
        let job = json!({
            "name": "Nightly", "connectionId": connection, "destinationId": destination, "filterId": filter,
        });
        self.create("/v1/jobs", job).await
    }

    pub async fn start_run(&self, job: &str) -> String {
        self.start_run_as(job, "full").await
    }

    pub async fn start_run_as(&self, job: &str, mode: &str) -> String {
        self.create(&format!("/v1/jobs/{job}/runs"), json!({"mode": mode})).await
    }

    /// Approves a run that waits for it.
    pub async fn approve(&self, run: &str) {
        let answer = self.send("POST", &format!("/v1/runs/{run}/approve"), None).await;
        assert!(answer.as_ref().is_some_and(|(status, _)| *status == 200), "{answer:?}");
    }

    /// Waits until a run has ended by itself; what became of it.
    pub async fn ended(&mut self, run: &str) -> Value {
        let path = format!("/v1/runs/{run}");
        let what = format!("run {run} ends");
        self.until(&what, async |service| {
            let found = service.get(&path).await;
            found.is_some_and(|run| !run["finishedAt"].is_null())
        })
        .await;
        self.get(&path).await.unwrap()
    }

    /// Polls until something is so, for a bounded time.
    pub async fn until(&mut self, what: &str, mut is_so: impl AsyncFnMut(&mut Self) -> bool) {
        self.until_some(what, async |service| is_so(service).await.then_some(())).await;
    }

    /// Polls until there is something, for a bounded time.
    pub async fn until_some<T>(&mut self, what: &str, mut find: impl AsyncFnMut(&mut Self) -> Option<T>) -> T {
        let clock = Clock::system();
        let start: Instant = clock.instant();
        loop {
            if let Some(found) = find(self).await {
                return found;
            }
            assert!(clock.elapsed_since(start) < WITHIN, "not in time: {what}\n{}", self.plan.log());
            clock.sleep(POLL).await;
        }
    }

    /// The id of the process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its processor seconds, and the most memory that it had, in bytes: `/proc/<pid>/stat` and `status`.
    pub fn used(&self) -> (f64, u64) {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        // The name of the program, in brackets, may have blanks.
        let stat = of("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        let status = of("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        (ticks as f64 / rustix::param::clock_ticks_per_second() as f64, kilobytes * 1024)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// `kill -9`, and the end of it.
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Waits for the process to end by itself.
    pub async fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        self.until("the process ends", async |service| {
            status = service.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }
}

impl Drop for Service<'_> {
    /// With its embedded database, which a killed service would leave behind until the next start.
    fn drop(&mut self) {
        if std::thread::panicking() || self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}
