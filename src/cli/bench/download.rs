//! The bare download: the pages of a full run by the same HTTP client, thrown away. What is above it is ours.

use super::step::Step;
use super::table::Measured;
use super::target::Target;
use super::types::List;
use crate::clock::Clock;
use crate::config::HttpSettings;
use crate::directory::ObjectType;
use crate::http;
use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Lists of single objects, such as the members of a group, that are asked for at once.
const AT_ONCE: usize = 128;

struct Download {
    client: reqwest::Client,
    token: String,
    requests: AtomicU64,
}

/// Only what leads on: where the next page is, and how many objects this one has.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// Downloads everything once.
pub(super) async fn measure(target: &Target) -> Result<Measured> {
    let client = http::client(&HttpSettings::default())?;
    let token = token(&client, target).await?;
    let download = Download { client, token, requests: AtomicU64::new(0) };
    let clock = Clock::system();
    let started = clock.instant();
    let mapping = target.types.mapping();
    let select = |object_type: ObjectType| mapping.select(object_type).join(",");
    let base = target.graph.join("v1.0/")?;
    let users = format!("{base}users?$top=999&$select={}&$expand=manager($select=id)", select(ObjectType::Users));
    let groups = format!("{base}groups?$top=999&$select={}&$expand=owners($select=id)", select(ObjectType::Groups));
    let others = async {
        let mut number = 0;
        for list in target.types.lists() {
            number += download.list(base.as_str(), &list).await?;
        }
        Ok::<u64, anyhow::Error>(number)
    };
    let memberships = async {
        let groups = download.ids(&groups).await?;
        let number = groups.len() as u64;
        let members = groups.iter().map(|group| format!("{base}groups/{group}/members?$top=999&$select=id"));
        Ok::<u64, anyhow::Error>(number + download.count_all(members.collect()).await?)
    };
    let (users, memberships, others) = tokio::try_join!(download.count(&users), memberships, others)?;
    let wall = clock.elapsed_since(started);
    Ok(Measured {
        wall_seconds: Some(wall.as_secs_f64()),
        collect_seconds: Some(wall.as_secs_f64()),
        requests: Some(download.requests.into_inner() as f64),
        objects_collected: Some((users + memberships + others) as f64),
        ..Measured::new(Step::Download)
    })
}

async fn token(client: &reqwest::Client, target: &Target) -> Result<String> {
    let form = [
        ("client_id", target.client_id.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
        ("client_secret", target.client_secret.expose_secret()),
    ];
    let url = target.login.join(&format!("{}/oauth2/v2.0/token", target.tenant_id))?;
    let answer: serde_json::Value = client.post(url).form(&form).send().await?.error_for_status()?.json().await?;
    Ok(answer["access_token"].as_str().context("an answer without a token")?.to_owned())
}

impl Download {
    /// The number of objects of a collection.
    async fn count(&self, first: &str) -> Result<u64> {
        let mut number = 0;
        let mut next = Some(first.to_owned());
        while let Some(url) = next {
            let text = self.get(&url).await?;
            let page: Page<'_> = serde_json::from_str(&text)?;
            number += page.value.len() as u64;
            next = page.next;
        }
        Ok(number)
    }

    /// The number of objects of all these collections.
    async fn count_all(&self, firsts: Vec<String>) -> Result<u64> {
        let counts = firsts.into_iter().map(|first| async move { self.count(&first).await });
        let counts: Vec<u64> = stream::iter(counts).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(counts.iter().sum())
    }

    /// The number of objects of a list, with what is asked for of each of them.
    async fn list(&self, base: &str, list: &List) -> Result<u64> {
        let first = format!("{base}{}", list.path);
        if list.each.is_empty() {
            return self.count(&first).await;
        }
        let ids = self.ids(&first).await?;
        let each = list.each.iter().flat_map(|each| ids.iter().map(move |id| each.path.replace("{id}", id)));
        self.count_all(each.map(|path| format!("{base}{path}")).collect()).await?;
        Ok(ids.len() as u64)
    }

    /// The ids of a collection.
    async fn ids(&self, first: &str) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        let mut next = Some(first.to_owned());
        while let Some(url) = next {
            let text = self.get(&url).await?;
            let page: Page<'_> = serde_json::from_str(&text)?;
            for object in page.value {
                ids.push(serde_json::from_str::<Id>(object.get())?.id);
            }
            next = page.next;
        }
        Ok(ids)
    }

    /// Waits as long as a refusal asks for.
    async fn get(&self, url: &str) -> Result<String> {
        loop {
            self.requests.fetch_add(1, Ordering::Relaxed);
            let response = self.client.get(url).bearer_auth(&self.token).send().await?;
            if response.status().as_u16() != 429 {
                return Ok(response.error_for_status()?.text().await?);
            }
            let clock = Clock::system();
            let wait = http::retry_after(response.headers(), clock.now());
            clock.sleep(wait.unwrap_or(Duration::from_secs(1))).await;
        }
    }
}
