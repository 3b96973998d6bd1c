//! Whether Microsoft and Atlassian can be reached, and whether the clock agrees with theirs.

use super::findings::Findings;
use crate::clock::Clock;
use crate::config::Settings;
use crate::graph::cloud::Cloud;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::DATE;
use std::time::Duration;
use url::Url;

const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
/// Entra takes an assertion whose times are up to five minutes off.
const SKEW_MOST: TimeDelta = TimeDelta::minutes(5);
/// Worth saying before it hurts.
const SKEW_NOTED: TimeDelta = TimeDelta::seconds(30);
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
        // Any answer will do: nothing is asked for.
        match client.get(origin.clone()).timeout(ANSWERS_WITHIN).send().await {
            Ok(response) => {
                findings.ok(what, &format!("{origin} answers"));
                let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
                let theirs = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
                skew = skew.or(theirs.map(|theirs| (what, clock.now() - theirs.with_timezone(&Utc))));
            }
            Err(error) => findings.fail(what, &format!("{origin} cannot be reached: {}. Look at DNS and firewall, ENTRA_ASSETS_PROXY and ENTRA_ASSETS_CA_FILE.", causes(error))),
        }
    }
    match skew {
        None => findings.note("clock", "could not be compared: nobody answered with a Date"),
        Some((who, skew)) if skew.abs() > SKEW_MOST => {
            let detail = format!(
                "is {} s off that of the {who}; signing in with a certificate and checking tokens fail. Synchronize it (NTP).",
                skew.num_seconds()
            );
            findings.fail("clock", &detail);
        }
        Some((who, skew)) if skew.abs() > SKEW_NOTED => {
            findings.note("clock", &format!("is {} s off that of the {who}; synchronize it (NTP)", skew.num_seconds()));
        }
        Some((who, _)) => findings.ok("clock", &format!("agrees with that of the {who}")),
    }
}

fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
