//! Starts and stops the processes of a measurement, and reads the resources that they used.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Generating two million memberships takes seconds, starting a database less.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A directory that is removed at the end.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = parent.join(format!("entra-assets-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create the directory {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover in the temporary directory does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child process of this program; its standard error goes to a file.
pub(super) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Process {
    pub(super) fn start(
        scratch: &Scratch,
        name: &str,
        arguments: &[String],
        settings: &[(&str, String)],
    ) -> Result<Self> {
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
        let stdout = child.stdout.take().context("the child process has no standard output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines(), log })
    }

    /// The rest of the first line that has `mark`.
    pub(super) async fn wait_for(&mut self, mark: &str) -> Result<String> {
        let look = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some((_, rest)) = line.split_once(mark) {
                    return Ok(rest.to_owned());
                }
            }
            bail!("the process ended: {}", std::fs::read_to_string(&self.log).unwrap_or_default())
        };
        tokio::time::timeout(START_TIMEOUT, look)
            .await
            .with_context(|| format!("the process did not print «{mark}» in time"))?
    }

    pub(super) fn id(&self) -> Result<u32> {
        self.child.id().context("the process has ended")
    }

    pub(super) async fn stop(&mut self) -> Result<()> {
        let id = i32::try_from(self.id()?)?;
        let id = rustix::process::Pid::from_raw(id).context("the process has no id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await.context("the process does not stop")??;
        Ok(())
    }
}

/// The values of `/proc/<pid>/stat`, in clock ticks.
struct Stat {
    parent: u32,
    own: u64,
    /// CPU time of children that have ended.
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

/// CPU time of a process and its child processes.
pub(super) fn cpu_of_tree(root: u32) -> Result<Duration> {
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
