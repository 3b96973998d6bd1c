//! The mapping and the client of Assets against the simulated Assets: a small directory arrives whole.

use chrono::{DateTime, Utc};
use entra_assets::assets::objects::{ObjectScope, SiteAccess};
use entra_assets::assets::{
    AssetsErrorKind, ChunkBuilder, ChunkLimits, Client, ConfigState, Execution, ExecutionState, ExecutionStatus, Links,
    MappingOutcome, Target,
};
use entra_assets::clock::Clock;
use entra_assets::config::{HostSettings, HttpSettings};
use entra_assets::directory::{Link, ObjectType, Properties};
use entra_assets::mapping::{ImportSource, Mapping, Memberships, ReferenceTemplate, References, Selection};
use entra_assets::sim::assets::{
    self as sim, AssetsFault, AssetsOptions, AssetsSim, Behaviour, EmptyValues, ReferenceBehaviour,
};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

const USERS: u128 = 700;
const GROUPS: u128 = 500;

struct Bench {
    sim: AssetsSim,
    client: Client,
    mapping: Mapping,
}

fn bench(behaviour: Behaviour, template: ReferenceTemplate) -> Bench {
    let clock = Clock::manual_sleepless(DateTime::<Utc>::from_timestamp(1_750_000_000, 0).unwrap());
    let sim = sim::start(AssetsOptions { clock: clock.clone(), behaviour, ..AssetsOptions::default() }).unwrap();
    let hosts = HostSettings { assets_url: Some(Url::parse(sim.origin()).unwrap()), ..HostSettings::default() };
    let http = entra_assets::http::client(&HttpSettings::default()).unwrap();
    let selection: Selection = serde_json::from_value(json!({"devices": {"enabled": true}})).unwrap();
    let mapping = Mapping::new(&selection, Memberships::Both, template);
    Bench { client: Client::new(http, clock, &hosts), sim, mapping }
}

fn user(n: u128) -> Uuid {
    Uuid::from_u128(0x1000_0000 + n)
}

fn group(n: u128) -> Uuid {
    Uuid::from_u128(0x2000_0000 + n)
}

const SKU: Uuid = Uuid::from_u128(0x3000_0000);

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

impl Bench {
    fn target(&self) -> Target {
        Target::ImportToken { token: self.sim.token().into() }
    }

    async fn build(&self, target: &Target) -> (Links, MappingOutcome) {
        let links = self.client.links(target).await.unwrap();
        let id = links.import_source_id().unwrap();
        let source = ImportSource { id: &id, schema_name: "Entra ID" };
        let document = self.mapping.document(source);
        let patch = |current: &Value| self.mapping.patch(source, current);
        let outcome = self.client.put_mapping(target, &links, &document, patch).await.unwrap();
        (links, outcome)
    }

    /// A directory with a user in every group, a cycle of all groups, managers in a row.
    fn payloads(&self) -> Vec<(&'static str, String)> {
        let all: Vec<Uuid> = (0..GROUPS).map(group).collect();
        let mut payloads = Vec::new();
        let mut push = |object_type, id, properties: Properties, references: &References| {
            payloads.push((
                Mapping::selector(object_type),
                self.mapping.payload(object_type, id, &properties, references, None),
            ));
        };
        for n in 0..USERS {
            let groups = if n == 0 { all.clone() } else { vec![group(n % GROUPS)] };
            let manager = (n > 0).then(|| user(n - 1)).into_iter().collect();
            let references =
                References(vec![(Link::MANAGER, manager), (Link::Groups, groups), (Link::LICENSES, vec![SKU])]);
            let person = json!({"displayName": format!("Persön {n}"), "userPrincipalName": format!("p{n}@contoso.example"),
                                "accountEnabled": n % 7 != 0, "createdDateTime": "2024-05-06T07:08:09.123Z"});
            push(ObjectType::Users, user(n), properties(person), &references);
        }
        for n in 0..GROUPS {
            let members = vec![user(n)];
            let references = References(vec![
                (Link::ParentGroups, vec![group((n + 1) % GROUPS)]),
                (Link::Members, members.clone()),
                (Link::OWNERS, members),
            ]);
            push(ObjectType::Groups, group(n), properties(json!({"displayName": format!("Group {n}")})), &references);
        }
        let sku = json!({"skuPartNumber": "SPE_E3", "prepaidUnits": {"enabled": 900}, "consumedUnits": USERS as u64});
        push(ObjectType::Licenses, SKU, properties(sku), &References::default());
        payloads
    }

    async fn deliver(&self, target: &Target, links: &Links, payloads: &[(&'static str, String)]) -> ExecutionStatus {
        let execution = self.client.start(target, links, false).await.unwrap();
        self.send(target, &execution, payloads).await;
        self.wait(target, &execution).await
    }

    async fn send(&self, target: &Target, execution: &Execution, payloads: &[(&'static str, String)]) {
        let mut waiting: Vec<ChunkBuilder> = Vec::new();
        let mut builder = ChunkBuilder::new(ChunkLimits { bytes: 256 << 10, objects: 300 });
        for (selector, payload) in payloads {
            if !builder.fits(payload) {
                waiting.push(builder.clone());
                builder.clear();
            }
            builder.push(selector, payload);
        }
        waiting.push(builder);
        waiting.reverse();
        let mut number = 0;
        while let Some(builder) = waiting.pop() {
            number += 1;
            let chunk = builder.build(&format!("{}-{number}", execution.execution_id), waiting.is_empty());
            match self.client.submit(target, &execution.links, &chunk).await {
                Ok(_) => {}
                Err(error) if error.kind == AssetsErrorKind::TooLarge => {
                    let (first, second) = builder.split().unwrap();
                    waiting.extend([second, first]);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn wait(&self, target: &Target, execution: &Execution) -> ExecutionStatus {
        loop {
            let status = self.client.status(target, &execution.links).await.unwrap();
            if status.is_over() {
                return status;
            }
        }
    }

    fn assert_whole(&self, status: &ExecutionStatus) {
        assert_eq!(status.status, ExecutionState::Done);
        for object_type in [ObjectType::Users, ObjectType::Groups, ObjectType::Licenses] {
            let result = status.object_type(self.mapping.type_name(object_type)).unwrap();
            assert_eq!((result.rejected(), result.duplicates()), (0, 0), "{result:#?}");
        }
        let counts = self.sim.counts();
        assert_eq!(counts.objects["Entra User"], USERS as usize);
        assert_eq!(counts.objects["Entra Group"], GROUPS as usize);
        assert_eq!(counts.objects["Entra License"], 1);
        let users = &counts.references["Entra User"];
        assert_eq!(users["Manager"], USERS as usize - 1);
        assert_eq!(users["Groups"], (USERS - 1 + GROUPS) as usize);
        assert_eq!(users["Licenses"], USERS as usize);
        let groups = &counts.references["Entra Group"];
        for attribute in ["Parent Groups", "Members", "Owners"] {
            assert_eq!(groups[attribute], GROUPS as usize, "{attribute}");
        }
        let first = &self.sim.objects("Entra User")[0];
        assert_eq!(first.label, "Persön 0");
        assert_eq!(first.values["Lifecycle"], ["Disabled"]);
        assert_eq!(first.values["Created"], ["2024-05-06T07:08:09Z"]);
    }
}

#[tokio::test]
async fn a_directory_arrives_whole_by_array_references() {
    let bench = bench(Behaviour::default(), ReferenceTemplate::ArrayPlaceholder);
    let target = bench.target();
    let (links, outcome) = bench.build(&target).await;
    assert_eq!(outcome, MappingOutcome::Created);
    let status = bench.deliver(&target, &links, &bench.payloads()).await;
    bench.assert_whole(&status);
    let again = bench.deliver(&target, &links, &bench.payloads()).await;
    let users = again.object_type("Entra User").unwrap();
    assert_eq!((users.objects_created, users.objects_identical), (0, USERS as i64));
}

#[tokio::test]
async fn a_directory_arrives_whole_by_joined_references() {
    let behaviour = Behaviour { references: ReferenceBehaviour::JoinedStrings, ..Behaviour::default() };
    let bench = bench(behaviour, ReferenceTemplate::JoinedString);
    let target = bench.target();
    let (links, _) = bench.build(&target).await;
    let status = bench.deliver(&target, &links, &bench.payloads()).await;
    bench.assert_whole(&status);
}

#[tokio::test]
async fn a_forge_app_delivers_through_its_own_base_url() {
    let bench = bench(Behaviour::default(), ReferenceTemplate::ArrayPlaceholder);
    let target = Target::Forge {
        token: sim::FORGE_TOKEN.to_owned().into(),
        api_base_url: Url::parse(&format!("https://api.atlassian.com/ex/jira/{}", sim::CLOUD_ID)).unwrap(),
        workspace_id: sim::WORKSPACE_ID.to_owned(),
        import_id: sim::SOURCE_ID.to_string(),
    };
    let (links, _) = bench.build(&target).await;
    let status = bench.deliver(&target, &links, &bench.payloads()).await;
    bench.assert_whole(&status);
    assert!(bench.sim.requests().iter().all(|request| request.path.starts_with("/ex/jira/")));
}

#[tokio::test]
async fn chunks_that_are_too_large_are_halved_until_they_fit() {
    let behaviour = Behaviour { max_chunk_entries: Some(100), ..Behaviour::default() };
    let bench = bench(behaviour, ReferenceTemplate::ArrayPlaceholder);
    let target = bench.target();
    let (links, _) = bench.build(&target).await;
    let status = bench.deliver(&target, &links, &bench.payloads()).await;
    bench.assert_whole(&status);
}

#[tokio::test]
async fn a_mapping_is_patched_and_foreign_attributes_stay() {
    let behaviour = Behaviour { patch_mapping_is_always_async: true, ..Behaviour::default() };
    let bench = bench(behaviour, ReferenceTemplate::ArrayPlaceholder);
    let target = bench.target();
    let (links, _) = bench.build(&target).await;
    bench.sim.add_attribute("Entra User", "Desk", "text").unwrap();
    let (_, outcome) = bench.build(&target).await;
    assert_eq!(outcome, MappingOutcome::Updated);
    let current = bench.client.schema_and_mapping(&target, &links).await.unwrap().unwrap();
    let id = links.import_source_id().unwrap();
    let difference = bench.mapping.difference(ImportSource { id: &id, schema_name: "Entra ID" }, Some(&current));
    assert!(difference.in_sync, "{difference:#?}");
    assert_eq!(difference.refused, []);
    let foreign: Vec<_> = difference.foreign.iter().filter_map(|found| found.attribute.as_deref()).collect();
    assert_eq!(foreign, ["Desk"]);
}

#[tokio::test]
async fn states_of_the_import_source_are_told_apart() {
    let bench = bench(Behaviour::default(), ReferenceTemplate::ArrayPlaceholder);
    let target = bench.target();
    let links = bench.client.links(&target).await.unwrap();
    let state = || async { bench.client.config_status(&target, &links).await.unwrap() };
    assert_eq!(state().await.state, ConfigState::MissingMapping);
    assert!(bench.client.schema_and_mapping(&target, &links).await.unwrap().is_none());
    let error = bench.client.start(&target, &links, false).await.unwrap_err();
    assert_eq!(error.code().as_str(), "assets_mapping_missing");
    bench.build(&target).await;
    assert_eq!(state().await.state, ConfigState::Idle);
    let execution = bench.client.start(&target, &links, false).await.unwrap();
    assert_eq!(state().await.state, ConfigState::Running);
    assert_eq!(bench.client.start(&target, &links, false).await.unwrap_err().code().as_str(), "execution_in_progress");
    bench.client.failed_history(&target, &execution.links, "a test").await.unwrap();
    bench.client.cancel(&target, &execution.links.cancel).await.unwrap();
    assert_eq!(state().await.state, ConfigState::Idle);
    let latest = bench.client.latest_status(&target, &links).await.unwrap().unwrap();
    assert_eq!(latest.status, ExecutionState::Cancelled);
    bench.sim.set_disabled(sim::SOURCE_ID, true);
    assert_eq!(bench.client.start(&target, &links, false).await.unwrap_err().code().as_str(), "assets_import_disabled");
    bench.sim.rotate_token(sim::SOURCE_ID);
    assert_eq!(bench.client.links(&target).await.unwrap_err().kind, AssetsErrorKind::Unauthorized);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_running() {
    let bench = bench(Behaviour::default(), ReferenceTemplate::ArrayPlaceholder);
    let target = bench.target();
    let (links, _) = bench.build(&target).await;
    bench.sim.inject(AssetsFault { applied: true, ..AssetsFault::cut("POST", "/executions") });
    let error = bench.client.start(&target, &links, false).await.unwrap_err();
    assert_eq!(error.kind, AssetsErrorKind::OutcomeUnknown, "{error}");
    let status = bench.client.config_status(&target, &links).await.unwrap();
    assert_eq!(status.state, ConfigState::Running);
    bench.client.cancel(&target, &status.cancel.unwrap()).await.unwrap();
    bench.client.start(&target, &links, false).await.unwrap();
}

#[tokio::test]
async fn values_that_assets_keeps_are_cleared_and_objects_removed_by_the_object_api() {
    let bench = bench(
        Behaviour { empty_values: EmptyValues::Ignore, ..Behaviour::default() },
        ReferenceTemplate::ArrayPlaceholder,
    );
    let target = bench.target();
    let (links, _) = bench.build(&target).await;
    let before = bench.payloads();
    bench.deliver(&target, &links, &before).await;
    let mut after = before.clone();
    let person = properties(
        json!({"displayName": "Persön 5", "userPrincipalName": "p5@contoso.example", "accountEnabled": true}),
    );
    after[5].1 = bench.mapping.payload(ObjectType::Users, user(5), &person, &References::default(), None);
    let status = bench.deliver(&target, &links, &after).await;
    let cleared = bench.mapping.cleared(ObjectType::Users, &before[5].1, &after[5].1);
    let names: Vec<_> = cleared.iter().map(|cleared| cleared.name.as_str()).collect();
    assert_eq!(names, ["Created", "Groups", "Licenses", "Manager"]);
    assert!(bench.sim.objects("Entra User")[5].values.contains_key("Manager"), "Assets kept it");

    let users = status.object_type("Entra User").unwrap();
    let scope = ObjectScope {
        object_schema_id: status.progress_result.as_ref().unwrap().object_schema_id.unwrap(),
        object_type_id: users.object_type_id,
        object_type: "Entra User",
        identity: bench.mapping.identity_name(ObjectType::Users),
    };
    let access = SiteAccess {
        site_url: Url::parse("https://contoso.atlassian.net").unwrap(),
        email: sim::API_EMAIL.to_owned(),
        api_token: sim::API_TOKEN.to_owned().into(),
    };
    let workspace = bench.client.workspace_id(&access).await.unwrap();
    let ids: Vec<Uuid> = (0..120).map(user).chain([Uuid::nil()]).collect();
    let found = bench.client.find_by_external_id(&access, &workspace, &scope, &ids).await.unwrap();
    assert_eq!(found.objects.len(), 120);
    let fifth = found.objects.iter().find(|object| object.external_id == user(5)).unwrap();
    let attributes: Vec<&str> = names.iter().map(|name| found.attribute_ids[*name].as_str()).collect();
    bench.client.clear_attributes(&access, &workspace, &scope, &fifth.id, &attributes).await.unwrap();
    let values = &bench.sim.objects("Entra User")[5].values;
    assert!(names.iter().all(|name| !values.contains_key(*name)), "{values:?}");
    assert!(values.contains_key("User Principal Name"));
    bench.client.delete_object(&access, &workspace, &fifth.id).await.unwrap();
    assert_eq!(bench.sim.counts().objects["Entra User"], USERS as usize - 1);
}
