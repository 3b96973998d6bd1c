//! Stops servers whose parent process ended without stopping them.
//!
//! A stale `postmaster.pid` can contain the id of any process. A process gets a signal only if its current folder is that of
//! the cluster (PostgreSQL never leaves it) and its name is postgres.

use crate::clock::Clock;
use crate::error::{Code, Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(10);
/// The signals, each with the wait before the next, stronger one.
const SIGNALS: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(10)),
];

/// Ends all server processes that still run in `cluster`, then removes a `postmaster.pid` that would prevent a new server
/// from starting.
pub(super) async fn clear(cluster: &Path, clock: &Clock) -> Result<()> {
    let pid_file = cluster.join("postmaster.pid");
    let postmaster = fs::read_to_string(&pid_file).ok().and_then(|text| text.lines().next()?.trim().parse().ok());
    if !servers_in(cluster, postmaster).is_empty() {
        tracing::warn!(cluster = %cluster.display(), "stopping the PostgreSQL that an earlier process left running");
        end(cluster, postmaster, clock).await?;
    }
    match fs::remove_file(&pid_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::new(
            Code::DatabaseUnavailable,
            format!("Cannot remove the stale file {}: {error}.", pid_file.display()),
        )),
        _ => Ok(()),
    }
}

async fn end(cluster: &Path, postmaster: Option<i32>, clock: &Clock) -> Result<()> {
    for (signal, patience) in SIGNALS {
        let servers = servers_in(cluster, postmaster);
        // The postmaster ends its children; children without a postmaster get the signal themselves.
        let asked: Vec<i32> = match postmaster {
            Some(pid) if servers.contains(&pid) && signal != Signal::KILL => vec![pid],
            _ => servers,
        };
        for pid in asked.into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
        let start = clock.instant();
        while clock.elapsed_since(start) < patience {
            if servers_in(cluster, postmaster).is_empty() {
                return Ok(());
            }
            clock.sleep(POLL).await;
        }
    }
    Err(Error::new(
        Code::DatabaseUnavailable,
        format!(
            "An earlier PostgreSQL still runs in {} and does not stop (processes {:?}). Stop it manually.",
            cluster.display(),
            servers_in(cluster, postmaster)
        ),
    ))
}

/// The server processes that run in `cluster`. Without `/proc`, only the process of `postmaster.pid` can be checked.
fn servers_in(cluster: &Path, postmaster: Option<i32>) -> Vec<i32> {
    if !Path::new("/proc/self/cwd").exists() {
        return postmaster.filter(|pid| ps_names(*pid, cluster)).into_iter().collect();
    }
    let Ok(ours) = fs::metadata(cluster) else { return Vec::new() };
    let works_here = |pid: &i32| {
        fs::metadata(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| (cwd.dev(), cwd.ino()) == (ours.dev(), ours.ino()))
            && fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_server(&line))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(works_here).collect()
}

/// Whether a command line (arguments separated by NUL) is that of a postmaster or of one of its children, whose name is
/// `postgres: …`.
fn is_server(cmdline: &str) -> bool {
    let first = cmdline.split('\0').next().unwrap_or("");
    first.starts_with("postgres:") || first.rsplit('/').next().is_some_and(|name| name == "postgres")
}

fn ps_names(pid: i32, cluster: &Path) -> bool {
    let output = std::process::Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output();
    output.is_ok_and(|output| {
        let line = String::from_utf8_lossy(&output.stdout);
        line.contains("postgres") && line.contains(&*cluster.to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn server_command_lines_are_recognised() {
        assert!(is_server("/usr/lib/postgresql/15/bin/postgres\0-D\0/data\0"));
        assert!(is_server("postgres: checkpointer \0"));
        assert!(!is_server("/usr/bin/vim\0/data/postgres/postgresql.conf\0"));
        assert!(!is_server("bash\0-c\0postgres\0"));
    }

    #[tokio::test]
    async fn an_innocent_process_with_the_stale_pid_lives_on() {
        let cluster = tempfile::tempdir().unwrap();
        let mut innocent = Command::new("sleep").arg("60").current_dir(cluster.path()).spawn().unwrap();
        let pid_file = cluster.path().join("postmaster.pid");
        fs::write(&pid_file, format!("{}\n{}\n", innocent.id(), cluster.path().display())).unwrap();
        clear(cluster.path(), &Clock::system()).await.unwrap();
        assert!(!pid_file.exists());
        assert!(innocent.try_wait().unwrap().is_none(), "it was ended");
        innocent.kill().unwrap();
        innocent.wait().unwrap();
    }
}
