//! The measured service, in a separate process.

use super::process::{Process, Scratch, cpu_of_tree};
use super::target::Target;
use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// The service with its embedded PostgreSQL, which is its child.
pub(super) struct Service {
    pub(super) address: String,
    pub(super) key: SecretString,
    process: Process,
}

impl Service {
    pub(super) async fn start(scratch: &Scratch, target: &Target) -> Result<Self> {
        Self::start_with(scratch, target, Vec::new()).await
    }

    /// With more settings: pairs of the variable's name and its value.
    pub(super) async fn start_with(
        scratch: &Scratch,
        target: &Target,
        more: Vec<(&'static str, String)>,
    ) -> Result<Self> {
        let key = crate::seal::KeyRing::generate();
        let mut settings = vec![
            ("ENTRA_ASSETS_DATA_DIR", scratch.0.join("data").display().to_string()),
            ("ENTRA_ASSETS_LISTEN", "127.0.0.1:0".to_owned()),
            ("ENTRA_ASSETS_ADMIN_KEY", key.expose_secret().to_owned()),
            ("ENTRA_ASSETS_LOGIN_URL", target.login.to_string()),
            ("ENTRA_ASSETS_GRAPH_URL", target.graph.to_string()),
            ("ENTRA_ASSETS_ASSETS_URL", target.assets.to_string()),
        ];
        settings.extend(more);
        let mut process = Process::start(scratch, "serve", &[], &settings)?;
        let rest = process.wait_for("answers at ").await?;
        let address = rest.split(',').next().unwrap_or_default().to_owned();
        Ok(Self { address, key, process })
    }

    /// CPU time of the service and its child processes.
    pub(super) fn cpu(&self) -> Result<Duration> {
        cpu_of_tree(self.process.id()?)
    }

    /// Peak resident memory of the service process, in bytes.
    pub(super) fn peak_memory(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// Resident memory of the service process, in bytes.
    pub(super) fn resident_memory(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// A line of `/proc/<pid>/status`, in bytes.
    fn memory(&self, field: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.process.id()?);
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let line = line.with_context(|| format!("{path} has no {field}"))?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }

    pub(super) async fn stop(mut self) -> Result<()> {
        self.process.stop().await.context("stopping the service")
    }
}
