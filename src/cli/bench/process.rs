//! The processes of a measurement, and what the system says that they used.

use super::Target;
use crate::cli::simulate::{DirectoryArgs, QuotaArg};
use crate::config::HttpSettings;
use crate::http;
use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use url::Url;

/// A directory of two million memberships takes seconds to make, a database less.
const START_MOST: Duration = Duration::from_secs(120);
const STOP_MOST: Duration = Duration::from_secs(30);

/// A folder that is removed at the end.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = parent.join(format!("entra-assets-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the folder for temporary files does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child of this program, with its messages in a file.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    fn start(scratch: &Scratch, name: &str, arguments: &[String], settings: &[(&str, String)]) -> Result<Self> {
        let log = scratch.0.join(format!("{name}.log"));
        let mut child = Command::new(std::env::current_exe()?)
            .arg(name)
            .args(arguments)
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdout = child.stdout.take().context("a child without output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), log })
    }

    /// The rest of the first line that has `mark`.
    async fn wait_for(&mut self, mark: &str) -> Result<String> {
        let look = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some((_, rest)) = line.split_once(mark) {
                    return Ok(rest.to_owned());
                }
            }
            bail!("it ended: {}", std::fs::read_to_string(&self.log).unwrap_or_default())
        };
        tokio::time::timeout(START_MOST, look).await.with_context(|| format!("no «{mark}» in time"))?
    }

    fn id(&self) -> Result<u32> {
        self.child.id().context("the process has ended")
    }

    async fn stop(&mut self) -> Result<()> {
        let id = i32::try_from(self.id()?)?;
        let id = rustix::process::Pid::from_raw(id).context("a process without an id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        tokio::time::timeout(STOP_MOST, self.child.wait()).await.context("it does not stop")??;
        Ok(())
    }
}

/// Both simulators in a process of their own.
pub(super) struct Simulators {
    graph: Url,
    client: reqwest::Client,
    _process: Process,
}

impl Simulators {
    pub(super) async fn start(directory: &DirectoryArgs, scratch: &Scratch) -> Result<Target> {
        let quota = match directory.quota {
            QuotaArg::None => "none",
            QuotaArg::S => "s",
            QuotaArg::M => "m",
            QuotaArg::L => "l",
        };
        let mut arguments = vec![
            format!("--users={}", directory.users),
            format!("--groups={}", directory.groups),
            format!("--seed={}", directory.seed),
            format!("--latency-ms={}", directory.latency_ms),
            format!("--quota={quota}"),
        ];
        arguments.extend(directory.memberships.map(|number| format!("--memberships={number}")));
        arguments.extend(["login", "graph", "assets"].map(|name| format!("--{name}-port=0")));
        let mut process = Process::start(scratch, "simulate", &arguments, &[])?;
        let login: Url = process.wait_for("ENTRA_ASSETS_LOGIN_URL=").await?.parse()?;
        let graph: Url = process.wait_for("ENTRA_ASSETS_GRAPH_URL=").await?.parse()?;
        let assets: Url = process.wait_for("ENTRA_ASSETS_ASSETS_URL=").await?.parse()?;
        let client = http::client(&HttpSettings::default())?;
        let simulators = Self { graph: graph.clone(), client, _process: process };
        let tenants = simulators.get(&graph, "_sim/tenants").await?;
        let healthy = tenants["tenants"].as_array().into_iter().flatten().find(|tenant| tenant["name"] == "healthy");
        let entered = |name: &str| {
            let text = healthy.and_then(|tenant| tenant[name].as_str());
            Ok::<_, anyhow::Error>(text.with_context(|| format!("the simulator names no {name}"))?.to_owned())
        };
        let access = simulators.get(&assets, "_sim").await?;
        let token = access["sources"][0]["token"].as_str().context("the simulator names no token")?;
        Ok(Target {
            login,
            graph,
            assets,
            tenant_id: entered("tenantId")?,
            client_id: entered("clientId")?,
            client_secret: entered("clientSecret")?.into(),
            assets_token: token.to_owned().into(),
            simulators: Some(simulators),
        })
    }

    async fn get(&self, origin: &Url, path: &str) -> Result<Value> {
        Ok(self.client.get(origin.join(path)?).send().await?.error_for_status()?.json().await?)
    }

    /// What is in the directory.
    pub(super) async fn truth(&self) -> Result<Value> {
        self.get(&self.graph, "_sim/truth").await
    }

    /// What was asked of Graph so far.
    pub(super) async fn counters(&self) -> Result<Value> {
        Ok(self.get(&self.graph, "_sim/requests?top=0").await?["counters"].take())
    }

    /// Changes a part of the directory.
    pub(super) async fn change(&self, share: f64) -> Result<()> {
        let changes = self.client.post(self.graph.join("_sim/changes")?).json(&json!({"share": share}));
        changes.send().await?.error_for_status()?;
        Ok(())
    }
}

/// The service with its embedded PostgreSQL, which is its child.
pub(super) struct Service {
    pub(super) address: String,
    pub(super) key: SecretString,
    process: Process,
}

impl Service {
    pub(super) async fn start(scratch: &Scratch, target: &Target) -> Result<Self> {
        let key = crate::seal::KeyRing::generate();
        let settings = [
            ("ENTRA_ASSETS_DATA_DIR", scratch.0.join("data").display().to_string()),
            ("ENTRA_ASSETS_LISTEN", "127.0.0.1:0".to_owned()),
            ("ENTRA_ASSETS_ADMIN_KEY", key.expose_secret().to_owned()),
            ("ENTRA_ASSETS_LOGIN_URL", target.login.to_string()),
            ("ENTRA_ASSETS_GRAPH_URL", target.graph.to_string()),
            ("ENTRA_ASSETS_ASSETS_URL", target.assets.to_string()),
        ];
        let mut process = Process::start(scratch, "serve", &[], &settings)?;
        let rest = process.wait_for("answers at ").await?;
        let address = rest.split(',').next().unwrap_or_default().to_owned();
        Ok(Self { address, key, process })
    }

    /// Processor time of the service and of everything it started.
    pub(super) fn cpu(&self) -> Result<Duration> {
        cpu_of_tree(self.process.id()?)
    }

    /// The most memory that the service itself ever held, in bytes.
    pub(super) fn peak_memory(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.process.id()?);
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }

    pub(super) async fn stop(mut self) -> Result<()> {
        self.process.stop().await.context("stopping the service")
    }
}

/// What `/proc/<pid>/stat` says, in clock ticks.
struct Stat {
    parent: u32,
    own: u64,
    /// Of children that have ended.
    of_ended: u64,
}

fn stat(process: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may have blanks and parentheses: fields are counted after the last one (proc_pid_stat(5)).
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |place: usize| fields.get(place - 3).and_then(|field| field.parse::<u64>().ok());
    let parent = u32::try_from(number(4)?).ok()?;
    Some(Stat { parent, own: number(14)? + number(15)?, of_ended: number(16)? + number(17)? })
}

fn cpu_of_tree(root: u32) -> Result<Duration> {
    let ids = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let all: HashMap<u32, Stat> = ids.filter_map(|id| Some((id, stat(id)?))).collect();
    let is_below = |mut id: u32| loop {
        match all.get(&id) {
            _ if id == root => return true,
            Some(stat) if stat.parent != 0 => id = stat.parent,
            _ => return false,
        }
    };
    let ticks: u64 = all.iter().filter(|(id, _)| is_below(**id)).map(|(_, stat)| stat.own + stat.of_ended).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}
