//! How the simulator starts.

use super::quota::{Quota, RetryAfterForm};
use crate::seed::{Directory, SeedOptions};
use entra_assets_kernel::clock::Clock;
use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone)]
pub struct GraphOptions {
    pub clock: Clock,
    pub seed: SeedOptions,
    /// A given directory instead of a generated one.
    pub directory: Option<Directory>,
    /// `None`: no throttling.
    pub quota: Option<Quota>,
    pub retry_after: RetryAfterForm,
    /// Minimum duration of each Graph response.
    pub latency: Duration,
    pub gzip: bool,
    /// 0: any free port.
    pub login_port: u16,
    pub graph_port: u16,
    pub address: IpAddr,
    /// Host name in the links of the responses. `None`: the address.
    pub host: Option<String>,
    /// Threads of each of the two servers.
    pub workers: usize,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            seed: SeedOptions::default(),
            directory: None,
            quota: None,
            retry_after: RetryAfterForm::default(),
            latency: Duration::ZERO,
            gzip: true,
            login_port: 0,
            graph_port: 0,
            address: IpAddr::from([127, 0, 0, 1]),
            host: None,
            workers: 1,
        }
    }
}
