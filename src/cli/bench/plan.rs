//! What a full read of a directory has to cost: the requests without which it cannot be had.

use super::target::Target;
use super::types::Types;
use crate::directory::{Item, ObjectType};
use crate::graph::{Service, cost};
use anyhow::{Context, Result};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::HashMap;
use url::Url;

/// Objects of one page at most.
const PAGE: u64 = 999;
/// A large tenant's bucket, and how fast it fills. Source: docs/graph.md, «Throttling».
const BUCKET: f64 = 8_000.0;
const UNITS_PER_SECOND: f64 = 800.0;
/// What a path is below, and what stands for the id of any object. Only the form of a path decides about its price.
const BASE: &str = "https://graph.microsoft.com/v1.0/";
const ID: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    pub(super) requests: u64,
    pub(super) units: u64,
}

/// What there is to read.
struct Directory<'a> {
    users: u64,
    groups: u64,
    /// One request for every started 999 members of each group.
    member_pages: u64,
    /// The objects of any other type.
    others: &'a dyn Fn(ObjectType) -> u64,
}

impl Plan {
    /// Users and groups 999 a page with their `$expand`, the members of each group, and the lists of all other types.
    fn new(types: Types, directory: &Directory<'_>) -> Result<Self> {
        let mut plan = Self::default();
        plan.add(pages(directory.users), "users?$select=id&$expand=manager")?;
        plan.add(pages(directory.groups), "groups?$select=id&$expand=owners")?;
        plan.add(directory.member_pages, &format!("groups/{ID}/members?$select=id"))?;
        for list in types.lists() {
            let objects = (directory.others)(items(list.object_type));
            plan.add(if list.has_pages { pages(objects) } else { 1 }, &list.path)?;
            for each in &list.each {
                plan.add(objects, &each.path.replace("{id}", ID))?;
            }
        }
        Ok(plan)
    }

    /// Requests of the same price. Those that another service than the directory answers cost no units.
    fn add(&mut self, requests: u64, path: &str) -> Result<()> {
        let url = Url::parse(BASE)?.join(path)?;
        self.requests += requests;
        if Service::of(&url) == Service::Directory {
            self.units += requests * cost::kind_of(&url).estimate as u64;
        }
        Ok(())
    }

    /// How long a large tenant's quota takes for it, in seconds, with a bucket that starts full.
    pub(super) fn floor(self) -> f64 {
        (self.units as f64 - BUCKET).max(0.0) / UNITS_PER_SECOND
    }

    /// Of the directory behind the target. Simulators say how large the groups are; otherwise the job's mirror does. How
    /// many objects there are of the other types is what the run read.
    pub(super) async fn of(target: &Target, service: &super::service::Service, job: &str, run: &Value) -> Result<Self> {
        let read = |name: &str| run["counts"][name]["read"].as_u64().unwrap_or(0);
        let others = |object_type: ObjectType| read(object_type.as_str());
        let directory = |users, groups, member_pages| Directory { users, groups, member_pages, others: &others };
        if let Some(simulators) = &target.simulators {
            let truth = simulators.truth().await?;
            let number = |name: &str| truth[name].as_u64().with_context(|| format!("the truth has no {name}"));
            return Self::new(target.types, &directory(number("users")?, number("groups")?, number("memberPages")?));
        }
        let (users, groups) = (read("users"), read("groups"));
        let sizes = group_sizes(service, job).await?;
        // A group without members takes a request too.
        let pages: u64 = sizes.values().map(|size| size.div_ceil(PAGE)).sum();
        Self::new(target.types, &directory(users, groups, pages + groups.saturating_sub(sizes.len() as u64)))
    }
}

fn pages(objects: u64) -> u64 {
    objects.div_ceil(PAGE).max(1)
}

/// The type whose objects are the items of the list of a type: that of credentials has applications.
fn items(object_type: ObjectType) -> ObjectType {
    let is_whole = |of: &ObjectType| !matches!(of.spec().collection.item, Item::Parts { .. } | Item::Values);
    let path = object_type.spec().collection.path;
    let mut listed = ObjectType::ALL.into_iter().filter(is_whole);
    listed.find(|of| of.spec().collection.path == path).unwrap_or(object_type)
}

/// Members by group, as the job's mirror has them.
async fn group_sizes(service: &super::service::Service, job: &str) -> Result<HashMap<String, u64>> {
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

    fn plan(types: Types, users: u64, groups: u64, member_pages: u64, others: u64) -> Plan {
        Plan::new(types, &Directory { users, groups, member_pages, others: &|_| others }).unwrap()
    }

    #[test]
    fn the_plan_of_a_large_directory_is_mostly_its_groups() {
        let plan = plan(Types::Usual, 50_000, 10_000, 10_500, 7);
        assert_eq!(plan.units, 51 * 2 + 11 + 21_000 + 2);
        assert_eq!(plan.requests, 51 + 11 + 10_500 + 1);
        assert!((plan.floor() - 16.39).abs() < 0.01);
        assert_eq!(self::plan(Types::Usual, 10, 1, 1, 7).floor(), 0.0);
    }

    #[test]
    fn every_type_adds_its_list_and_what_is_asked_for_of_each_object() {
        let (usual, all) = (plan(Types::Usual, 10, 1, 1, 1_998), plan(Types::All, 10, 1, 1, 1_998));
        // Two pages: devices with their owners, applications, credentials, service principals, units, Intune's devices.
        // One: roles, service plans, the tenant.
        let lists = [(2, 1), (2, 2), (2, 2), (2, 1), (2, 1), (2, 0), (1, 1), (1, 2), (1, 1)];
        let each = [(1_998, 1), (1_998, 1)];
        let all_of = |of: fn((u64, u64)) -> u64| lists.iter().chain(&each).map(|part| of(*part)).sum::<u64>();
        assert_eq!(all.requests - usual.requests, all_of(|(requests, _)| requests));
        assert_eq!(all.units - usual.units, all_of(|(requests, units)| requests * units));
    }

    #[test]
    fn the_items_of_the_list_of_credentials_are_applications() {
        assert_eq!(items(ObjectType::AppCredentials), ObjectType::Applications);
        assert_eq!(items(ObjectType::ServicePlans), ObjectType::Licenses);
        assert_eq!(items(ObjectType::Roles), ObjectType::Roles);
    }
}
