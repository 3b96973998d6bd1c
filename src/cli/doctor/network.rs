//! Checks that Microsoft and Atlassian can be reached, and that the local clock agrees with theirs.

use super::findings::Findings;
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::config::Settings;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::DATE;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(15);
/// Entra accepts an assertion whose times are up to five minutes off.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);
/// A smaller difference is not reported.
const NOTABLE_SKEW: TimeDelta = TimeDelta::seconds(30);
const ASSETS: &str = "https://api.atlassian.com";

pub(super) async fn check(findings: &mut Findings, client: &reqwest::Client, settings: &Settings, clock: &Clock) {
    let hosts = &settings.hosts;
    let cloud = Cloud::Global;
    let origins = [
        ("sign-in service", hosts.login_url.clone(), cloud.login_host()),
        ("Microsoft Graph", hosts.graph_url.clone(), cloud.graph_host()),
        ("Assets", hosts.assets_url.clone(), ASSETS),
    ];
    let mut skew = None;
    for (what, set, default) in origins {
        let Some(origin) = set.or_else(|| Url::parse(default).ok()) else { continue };
        // Any status shows that the host can be reached.
        match client.get(origin.clone()).timeout(TIMEOUT).send().await {
            Ok(response) => {
                findings.ok(what, &format!("{origin} can be reached"));
                let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
                let theirs = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
                skew = skew.or(theirs.map(|theirs| (what, clock.now() - theirs.with_timezone(&Utc))));
            }
            Err(error) => findings.fail(what, &format!("{origin} cannot be reached: {}. Check DNS, the firewall, ENTRA_ASSETS_PROXY and ENTRA_ASSETS_CA_FILE.", causes(error))),
        }
    }
    match skew {
        None => findings.note("clock", "could not be compared: no answer had a Date header"),
        Some((who, skew)) if skew.abs() > MAX_SKEW => {
            let detail = format!(
                "differs by {} s from the clock of the {who}: sign-in with a certificate and token checks fail. Synchronize the local clock (NTP).",
                skew.num_seconds()
            );
            findings.fail("clock", &detail);
        }
        Some((who, skew)) if skew.abs() > NOTABLE_SKEW => {
            findings.note(
                "clock",
                &format!(
                    "differs by {} s from the clock of the {who}; synchronize the local clock (NTP)",
                    skew.num_seconds()
                ),
            );
        }
        Some((who, _)) => findings.ok("clock", &format!("agrees with the clock of the {who}")),
    }
}

fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
