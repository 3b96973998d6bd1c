//! The Graph client against the simulator: what it reads is compared with the directory's truth.

use chrono::{DateTime, Utc};
use entra_assets::clock::Clock;
use entra_assets::cloud::Cloud;
use entra_assets::config::{HostSettings, HttpSettings};
use entra_assets::directory::MemberType;
use entra_assets::graph::delta::{Collection, changes, end_of_round};
use entra_assets::graph::page::halve_top;
use entra_assets::graph::token::{Credential, Federated, Identity, Tokens};
use entra_assets::graph::wire::{Items, Members, Properties, properties};
use entra_assets::graph::{Client, GraphError, GraphErrorKind, Next, Pager, RequestOptions, Session};
use entra_assets::ids::{ConnectionId, OrganizationId};
use entra_assets::sim::graph::{
    Action, Fault, Feature, GraphOptions, GraphSim, Quota, RetryAfterForm, Scenario, start,
};
use entra_assets::sim::seed::{ObjectKind, SeedOptions};
use std::collections::{BTreeMap, BTreeSet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const USERS: &str = "users?$top=100&$select=id,displayName,department&$expand=manager($select=id)";

struct World {
    sim: GraphSim,
    clock: Clock,
    session: Session,
}

fn epoch() -> DateTime<Utc> {
    "2026-11-01T08:00:00Z".parse().unwrap()
}

/// A directory of 500 users and 60 groups, with a client; nobody waits, waits move the clock.
fn world() -> World {
    let seed = SeedOptions { users: 500, groups: 60, ..SeedOptions::default() };
    world_with(GraphOptions { seed, ..GraphOptions::default() })
}

fn world_with(options: GraphOptions) -> World {
    let clock = Clock::manual_sleepless(epoch());
    let sim = start(GraphOptions { clock: clock.clone(), ..options }).unwrap();
    let hosts = HostSettings {
        login_url: Some(sim.login_origin().parse().unwrap()),
        graph_url: Some(sim.graph_origin().parse().unwrap()),
        ..HostSettings::default()
    };
    let http = entra_assets::http::client(&HttpSettings::default()).unwrap();
    let tokens = Tokens::new(http.clone(), clock.clone(), hosts.clone(), Federated::default());
    let credentials = Scenario::Healthy.credentials();
    let identity = Identity {
        organization: OrganizationId::DEFAULT,
        connection: ConnectionId::new(&clock),
        credential_version: 1,
        tenant_id: credentials.tenant_id,
        client_id: credentials.client_id,
        cloud: Cloud::Global,
        credential: Credential::ClientSecret(credentials.client_secret.into()),
    };
    let session = Client::new(http, clock.clone(), &hosts, tokens, 8_000).session(identity, CancellationToken::new());
    World { sim, clock, session }
}

impl World {
    async fn read(&self, path: &str) -> Result<Vec<Properties>, GraphError> {
        let mut pager: Pager<Items> = self.session.pages(self.session.url(path), RequestOptions::default());
        let mut found = Vec::new();
        while let Some(page) = pager.next().await? {
            found.extend(page.content.iter().map(|item| properties(item).unwrap()));
        }
        Ok(found)
    }

    async fn members(&self, group: Uuid) -> Vec<(Uuid, MemberType)> {
        let first = self.session.url(&format!("groups/{group}/members?$top=50&$select=id"));
        let mut pager: Pager<Members> = self.session.pages(first, RequestOptions::default());
        let mut found = Vec::new();
        while let Some(page) = pager.next().await.unwrap() {
            found.extend(page.content.0.iter().map(|member| (member.id, member.kind)));
        }
        found
    }

    /// User and manager of everybody that has one, and how many users there are.
    fn assert_users(&self, found: &[Properties], why: &str) {
        let ids: BTreeSet<_> = found.iter().filter_map(Properties::uuid).collect();
        let truth: BTreeSet<_> = self.sim.read(|directory| directory.live_users().map(|(_, user)| user.id).collect());
        assert!(ids == truth, "{why}: {} users, not {}", ids.len(), truth.len());
        let managers: BTreeSet<_> =
            found.iter().filter_map(|user| Some((user.uuid()?, user.manager.member()?.id))).collect();
        let truth: BTreeSet<_> = self.sim.read(|directory| directory.manager_edges().into_iter().collect());
        assert!(managers == truth, "{why}: {} managers, not {}", managers.len(), truth.len());
    }
}

#[tokio::test]
async fn users_groups_owners_members_and_skus_are_read_to_the_last_page() {
    let world = world();
    world.assert_users(&world.read(USERS).await.unwrap(), "undisturbed");
    let groups = world.read("groups?$top=20&$select=id,displayName&$expand=owners($select=id)").await.unwrap();
    let mut owners = BTreeSet::new();
    for group in &groups {
        let (id, mut found) = (group.uuid().unwrap(), group.owners.clone().unwrap());
        // Graph expands 20 at most and does not say that there are more.
        if found.len() >= 20 {
            let url = world.session.url(&format!("groups/{id}/owners?$top=999&$select=id"));
            found = world.session.page::<Members>(&url, &RequestOptions::default()).await.unwrap().content.0;
        }
        let users = found.iter().filter(|owner| owner.kind == MemberType::User);
        owners.extend(users.map(|owner| (id, owner.id)));
    }
    let truth: BTreeSet<_> = world.sim.read(|directory| directory.owner_edges().into_iter().collect());
    assert!(owners == truth, "{} owners, not {}", owners.len(), truth.len());
    let mut found: BTreeMap<MemberType, BTreeSet<(Uuid, Uuid)>> = BTreeMap::new();
    for group in &groups {
        let id = group.uuid().unwrap();
        for (member, kind) in world.members(id).await {
            found.entry(kind).or_default().insert((id, member));
        }
    }
    for (kind, of) in [
        (MemberType::User, ObjectKind::User),
        (MemberType::Group, ObjectKind::Group),
        (MemberType::Device, ObjectKind::Device),
    ] {
        let truth: BTreeSet<_> = world.sim.read(|directory| directory.member_edges(of).into_iter().collect());
        let found = found.remove(&kind).unwrap_or_default();
        assert!(found == truth, "{kind:?}: {} not {}", found.len(), truth.len());
    }
    assert_eq!(world.read("subscribedSkus").await.unwrap().len() as u64, world.sim.truth().licenses);
    assert_eq!(world.session.count("users", None).await.unwrap(), Some(world.sim.truth().users));
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_changes_nothing_of_what_is_read() {
    let on = |action: Action| Fault::on("/v1.0/users", action).containing("$skiptoken");
    let passing = [
        Action::status(500),
        Action::status(502),
        Action::status(503),
        Action::throttled(None),
        Action::throttled(Some("3")),
        Action::throttled(Some("2.128")),
        Action::throttled(Some("date+5")),
        Action::HalfPage,
        Action::Cut,
        Action::EmptyPage,
        Action::DuplicateRow,
        Action::TokenRefused,
        Action::Html { status: 502 },
        Action::Html { status: 200 },
    ];
    for action in passing {
        let world = world();
        // Tokens of repeated answers are bad here, as Graph documents.
        world.sim.poison_repeated_pages(true);
        world.sim.add_fault(on(action.clone()).nth(2));
        let why = format!("{action:?}");
        match world.read(USERS).await {
            Ok(found) => world.assert_users(&found, &why),
            Err(error) => panic!("{why}: {error}"),
        }
    }
}

#[tokio::test]
async fn what_does_not_pass_is_an_error_with_a_kind_and_an_id() {
    let lasting = [
        (Action::status(403), "graph_forbidden"),
        (Action::status(400), "graph_bad_request"),
        (Action::status(503), "graph_server_error"),
        (Action::throttled(None), "graph_throttled"),
        (Action::Html { status: 200 }, "graph_malformed_answer"),
        (Action::HalfPage, "graph_malformed_answer"),
        (Action::EndlessNextLink, "graph_endless_paging"),
        (Action::ForeignNextLink { origin: "https://graph.example".into() }, "graph_foreign_link"),
        (Action::ExpiredPageToken, "graph_page_token_expired"),
        (Action::PageTokenNotFound, "graph_page_token_expired"),
        (Action::TokenRefused, "graph_unauthorized"),
        (Action::status(504), "graph_gateway_timeout"),
    ];
    for (action, kind) in lasting {
        let world = world();
        let has_status = !matches!(
            action,
            Action::Html { .. } | Action::HalfPage | Action::EndlessNextLink | Action::ForeignNextLink { .. }
        );
        world.sim.add_fault(Fault::on("/v1.0/users", action).containing("$skiptoken").times(0));
        let error = world.read(USERS).await.unwrap_err();
        assert_eq!(error.run_error_code().as_str(), kind);
        assert!(!has_status || error.request_id.is_some(), "{kind}");
    }
}

#[tokio::test]
async fn a_page_that_is_too_heavy_is_read_in_halves() {
    let world = world();
    world.sim.add_fault(Fault::on("/v1.0/users", Action::status(504)).containing("$top=999").times(0));
    let first = world.session.url("users?$top=999&$select=id");
    let mut pager: Pager<Items> = world.session.pages(first.clone(), RequestOptions::default());
    assert!(matches!(pager.next().await.unwrap_err().kind, GraphErrorKind::GatewayTimeout));
    let mut pager: Pager<Items> = world.session.pages(halve_top(&first).unwrap(), RequestOptions::default());
    assert!(matches!(pager.next().await.unwrap().unwrap().next, Next::More(_)));
}

#[tokio::test]
async fn a_small_quota_slows_the_reading_and_loses_nothing() {
    for form in [
        RetryAfterForm::Seconds,
        RetryAfterForm::Decimal,
        RetryAfterForm::Date,
        RetryAfterForm::Absent,
        RetryAfterForm::One,
    ] {
        let seed = SeedOptions { users: 300, groups: 40, ..SeedOptions::default() };
        let options =
            GraphOptions { seed, quota: Some(Quota::Units(60)), retry_after: form, ..GraphOptions::default() };
        let world = world_with(options);
        world.assert_users(&world.read(USERS).await.unwrap(), "with a quota");
        let groups = world.read("groups?$top=20&$select=id").await.unwrap();
        let reads = groups.iter().map(|group| world.members(group.uuid().unwrap()));
        let found: usize = futures_util::future::join_all(reads).await.iter().map(Vec::len).sum();
        let truth = world.sim.truth();
        let listed = truth.user_memberships + truth.group_memberships + truth.device_memberships;
        assert!(found as u64 >= listed, "{form:?}");
        let usage = world.session.usage();
        assert!(usage.throttled_requests > 0 && usage.throttled_ms > 0, "{form:?}");
        assert!(world.clock.now() > epoch());
    }
}

#[tokio::test]
async fn a_batch_reads_the_groups_of_many_users() {
    let world = world();
    let users: Vec<Uuid> =
        world.sim.read(|directory| directory.live_users().take(45).map(|(_, user)| user.id).collect());
    let urls: Vec<_> =
        users.iter().map(|user| world.session.url(&format!("users/{user}/memberOf?$top=999&$select=id"))).collect();
    world.sim.add_fault(Fault::on("/v1.0/users/", Action::throttled(Some("0.249"))).nth(3).times(2));
    let answers = world.session.batch(&urls, &RequestOptions::default()).await.unwrap();
    let mut found = BTreeSet::new();
    for (user, answer) in users.iter().zip(answers) {
        let page = world.session.page_of::<Members>(answer.unwrap()).unwrap();
        found.extend(page.content.0.iter().filter(|m| m.kind == MemberType::Group).map(|group| (group.id, *user)));
    }
    let edges = world.sim.read(|directory| directory.member_edges(ObjectKind::User));
    let truth: BTreeSet<_> = edges.into_iter().filter(|(_, user)| users.contains(user)).collect();
    assert_eq!(found, truth);
    assert!(world.session.usage().requests <= 6);
    world.sim.refuse(Feature::Batch, Some(501));
    let error = world.session.batch(&urls, &RequestOptions::default()).await.unwrap_err();
    assert!(error.refuses_optional());
}

#[tokio::test]
async fn a_delta_round_tells_what_changed_since_its_link() {
    let world = world();
    let link = world.session.delta_from_now(Collection::Users, "id,displayName,department").await.unwrap();
    let (changed, gone, binned) = world.sim.change(|directory| {
        let ids: Vec<_> = directory.live_users().skip(300).take(3).map(|(_, user)| user.id).collect();
        let department = serde_json::json!({"department": "Harbour"});
        directory.update(ids[0], department.as_object().unwrap().clone()).unwrap();
        directory.purge(ids[1]).unwrap();
        directory.delete(ids[2]).unwrap();
        (ids[0], ids[1], ids[2])
    });
    let mut pager = world.session.delta(link.as_str()).unwrap();
    let (mut found, mut next) = (BTreeMap::new(), None);
    while let Some(page) = pager.next().await.unwrap() {
        found.extend(changes(page.content.iter()).unwrap().into_iter().map(|change| (change.uuid().unwrap(), change)));
        next = end_of_round(page.next).unwrap();
    }
    assert!(found[&changed].json.contains("Harbour") && found[&changed].removed.is_none());
    assert!(found[&gone].removed.is_some() && found[&binned].removed.is_some());
    assert_ne!(found[&gone].removed, found[&binned].removed);
    assert_eq!(found.len(), 3);
    assert!(next.is_some());
    for action in [Action::Resync, Action::SyncStateNotFound] {
        world.sim.add_fault(Fault::on("/v1.0/users/delta", action));
        let error = world.session.delta(link.as_str()).unwrap().next().await.unwrap_err();
        assert!(matches!(error.kind, GraphErrorKind::DeltaExpired { .. }));
    }
}
