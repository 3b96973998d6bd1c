//! What a full read of a directory has to cost: the requests without which it cannot be had.

use super::service::Service;
use super::target::Target;
use anyhow::{Context, Result};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::HashMap;

/// Objects of one page at most.
const PAGE: u64 = 999;
/// Units of one page with `$select`. Users with `$expand`, groups with `$expand`. Source: docs/graph.md, «Throttling».
const USERS_UNITS: u64 = 2;
const GROUPS_UNITS: u64 = 1;
const MEMBERS_UNITS: u64 = 2;
const LICENSES_UNITS: u64 = 2;
/// A large tenant's bucket, and how fast it fills. Source: docs/graph.md, «Throttling».
const BUCKET: f64 = 8_000.0;
const UNITS_PER_SECOND: f64 = 800.0;

#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) units: u64,
}

impl Plan {
    /// Users and groups 999 a page, one request for every started 999 members of each group, the SKUs.
    fn new(users: u64, groups: u64, member_pages: u64) -> Self {
        let units = users.div_ceil(PAGE) * USERS_UNITS
            + groups.div_ceil(PAGE) * GROUPS_UNITS
            + member_pages * MEMBERS_UNITS
            + LICENSES_UNITS;
        Self { units }
    }

    /// How long a large tenant's quota takes for it, in seconds, with a bucket that starts full.
    pub(super) fn floor(self) -> f64 {
        (self.units as f64 - BUCKET).max(0.0) / UNITS_PER_SECOND
    }

    /// Of the directory behind the target. Simulators say how large the groups are; otherwise the job's mirror does.
    pub(super) async fn of(target: &Target, service: &Service, job: &str, run: &Value) -> Result<Self> {
        if let Some(simulators) = &target.simulators {
            let truth = simulators.truth().await?;
            let number = |name: &str| truth[name].as_u64().with_context(|| format!("the truth has no {name}"));
            return Ok(Self::new(number("users")?, number("groups")?, number("memberPages")?));
        }
        let read = |name: &str| run["counts"][name]["read"].as_u64().unwrap_or(0);
        let (users, groups) = (read("users"), read("groups"));
        let sizes = group_sizes(service, job).await?;
        // A group without members takes a request too.
        let pages: u64 = sizes.values().map(|size| size.div_ceil(PAGE)).sum();
        Ok(Self::new(users, groups, pages + groups.saturating_sub(sizes.len() as u64)))
    }
}

/// Members by group, as the job's mirror has them.
async fn group_sizes(service: &Service, job: &str) -> Result<HashMap<String, u64>> {
    let client = crate::http::client(&crate::config::HttpSettings::default())?;
    let url = format!("{}/v1/jobs/{job}/objects?type=memberships", service.address);
    let request = client.get(url).bearer_auth(service.key.expose_secret()).header("accept", "application/x-ndjson");
    let mut body = request.send().await?.error_for_status()?.bytes_stream();
    let mut sizes: HashMap<String, u64> = HashMap::new();
    let mut rest: Vec<u8> = Vec::new();
    while let Some(part) = body.next().await {
        rest.extend_from_slice(&part?);
        let end = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |position| position + 1);
        for line in rest[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let membership: Value = serde_json::from_slice(line)?;
            let group = membership["groupId"].as_str().unwrap_or_default();
            *sizes.entry(group.to_owned()).or_default() += 1;
        }
        rest.drain(..end);
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_a_large_directory_is_mostly_its_groups() {
        let plan = Plan::new(50_000, 10_000, 10_500);
        assert_eq!(plan.units, 51 * 2 + 11 + 21_000 + 2);
        assert!((plan.floor() - 16.39).abs() < 0.01);
        assert_eq!(Plan::new(10, 1, 1).floor(), 0.0);
    }
}
