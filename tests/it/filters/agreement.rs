//! A thousand random filters over random directories: what the simulated Graph answers, what is decided here over its
//! objects, and what is decided here after a replay of changes, is the same.

use crate::support::raw::{DEVICES, GROUPS, Raw, USERS, id};
use chrono::DateTime;
use entra_assets::clock::Clock;
use entra_assets::filter::{EntityKind, Parsed, eval, odata};
use entra_assets::sim::graph::{GraphOptions, GraphSim, start};
use entra_assets::sim::seed::{GroupKind, SeedOptions};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const DIRECTORIES: u64 = 10;
const FILTERS: usize = 100;

type Objects = BTreeMap<String, Map<String, Value>>;

fn select(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::Users => USERS,
        EntityKind::Groups => GROUPS,
        EntityKind::Devices => DEVICES,
        _ => unreachable!("only these are compared"),
    }
}

/// Texts of conditions that Graph documents for a kind of object, over values that its objects have.
fn condition(kind: EntityKind, objects: &Objects) -> BoxedStrategy<String> {
    let (texts, booleans, dates, others): (&[&str], &[&str], &[&str], Vec<String>) = match kind {
        EntityKind::Users => (
            &["city", "country", "department", "jobTitle", "companyName", "employeeId", "officeLocation", "mail"],
            &["accountEnabled"],
            &["createdDateTime"],
            vec![
                "userType eq 'Guest'".into(),
                "userType ne 'guest'".into(),
                "endsWith(mail,'@PARTNER.example')".into(),
                "mail ne null".into(),
                "assignedLicenses/$count eq 0".into(),
                "assignedLicenses/$count ne 0".into(),
                "companyName in (null,'contoso')".into(),
                "userType in (null,'guest')".into(),
                "assignedLicenses/any(x:x/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965)".into(),
                "proxyAddresses/any(p:startsWith(p,'SMTP:a'))".into(),
                "proxyAddresses/any(p:not startsWith(p,'smtp:b'))".into(),
            ],
        ),
        EntityKind::Groups => (
            &["displayName", "description", "mail"],
            &["mailEnabled", "securityEnabled"],
            &["renewedDateTime"],
            vec![
                "groupTypes/any(c:c eq 'Unified')".into(),
                "groupTypes/any(c:c eq 'dynamicmembership')".into(),
                "resourceProvisioningOptions/any(x:x eq 'Team')".into(),
                "mail eq null".into(),
            ],
        ),
        EntityKind::Devices => (
            &["displayName", "operatingSystem", "operatingSystemVersion"],
            &["accountEnabled", "isCompliant", "isManaged"],
            &["approximateLastSignInDateTime"],
            vec!["trustType eq 'AzureAd'".into(), "trustType ne 'workplace'".into(), "isCompliant ne true".into()],
        ),
        _ => unreachable!("only these are compared"),
    };
    let values = |name: &str| {
        let found = objects.values().filter_map(|object| object.get(name)).filter_map(Value::as_str);
        found.map(|text| text.replace('\'', "''")).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let mut choices: Vec<BoxedStrategy<String>> = vec![prop::sample::select(others).boxed()];
    for name in texts.iter().copied() {
        let mut known = values(name);
        known.push("nobody".to_owned());
        let value = prop::sample::select(known);
        let operator = prop::sample::select(vec!["eq", "ne", "ge", "le", "gt", "lt"]);
        let case = prop_oneof![
            Just(str::to_owned as fn(&str) -> String),
            Just(str::to_uppercase as fn(&str) -> String),
            Just(str::to_lowercase as fn(&str) -> String),
        ];
        let compared = (operator, value.clone(), case.clone())
            .prop_map(move |(operator, value, case)| format!("{name} {operator} '{}'", case(&value)));
        let listed = prop::collection::vec(value.clone(), 1..5)
            .prop_map(move |values| format!("{name} in ('{}')", values.join("','")));
        let begun = (value, 1usize..4, case).prop_map(move |(value, length, case)| {
            let start: String = value.chars().filter(|c| *c != '\'').take(length).collect();
            format!("startsWith({name},'{}')", case(&start))
        });
        let null = prop::sample::select(vec!["eq", "ne"]).prop_map(move |operator| format!("{name} {operator} null"));
        choices.push(prop_oneof![compared, listed, begun, null].boxed());
    }
    for name in booleans {
        choices.push((any::<bool>()).prop_map(move |value| format!("{name} eq {value}")).boxed());
    }
    for name in dates.iter().copied() {
        let operator = prop::sample::select(vec!["ge", "le", "gt", "lt"]);
        let date = prop::sample::select(values(name));
        choices.push((operator, date).prop_map(move |(operator, date)| format!("{name} {operator} {date}")).boxed());
    }
    let leaf = prop::strategy::Union::new(choices).boxed();
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|inner| format!("not ({inner})")),
        ]
    })
    .boxed()
}

fn decided_here(parsed: &Parsed, objects: &Objects) -> BTreeSet<String> {
    let matching = objects.iter().filter(|(_, object)| eval::matches(&parsed.expression, object));
    matching.map(|(id, _)| id.clone()).collect()
}

/// What Graph answers, asked as the product asks.
async fn asked(raw: &Raw, parsed: &Parsed) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in parsed.requests() {
        let count = if parsed.advanced { "&$count=true" } else { "" };
        let filter = urlencoding::encode(text);
        let path = format!("/v1.0/{}?$top=999&$select=id&$filter={filter}{count}", parsed.kind.as_str());
        let answer = raw.rows(&path, parsed.advanced).await;
        let (rows, _) = answer.unwrap_or_else(|error| panic!("Graph refuses {text}: {error}"));
        found.extend(rows.iter().map(id));
    }
    found
}

fn by_id(rows: Vec<Map<String, Value>>) -> Objects {
    rows.into_iter().map(|row| (id(&row), row)).collect()
}

/// The objects as a delta query gives them, and where it goes on.
async fn first_round(raw: &Raw, kind: EntityKind) -> (Objects, String) {
    let path = format!("/v1.0/{}/delta?$select={}", kind.as_str(), select(kind));
    let (rows, link) = raw.rows(&path, false).await.unwrap();
    let live = rows.into_iter().filter(|row| !row.contains_key("@removed")).collect();
    (by_id(live), link)
}

/// What the changes since then make of them.
async fn replay(raw: &Raw, objects: &mut Objects, link: &str) {
    for row in raw.rows(link, false).await.unwrap().0 {
        if row.contains_key("@removed") {
            objects.remove(&id(&row));
        } else {
            objects.entry(id(&row)).or_default().extend(row);
        }
    }
}

fn change(sim: &GraphSim) {
    sim.change(|directory| {
        let users: Vec<_> = directory.live_users().map(|(_, user)| user.id).collect();
        let groups: Vec<_> = directory.live_groups().map(|(_, group)| group.id).collect();
        let map = |value: Value| value.as_object().unwrap().clone();
        for (number, user) in users.iter().enumerate() {
            match number % 5 {
                0 => directory.update(*user, map(json!({"department": "Legal", "city": null}))).unwrap(),
                1 => directory.update(*user, map(json!({"accountEnabled": false, "country": "India"}))).unwrap(),
                2 if number % 2 == 0 => directory.delete(*user).unwrap(),
                _ => {}
            }
        }
        directory.update(groups[0], map(json!({"displayName": "Team renamed"}))).unwrap();
        directory.delete(groups[1]).unwrap();
        directory.add_group("team new", GroupKind::Microsoft365);
        directory.add_user(map(json!({"city": "London"})));
    });
}

#[tokio::test]
async fn graph_and_this_service_decide_alike_before_and_after_changes() {
    let mut tried = 0;
    let (mut none, mut all) = (0, 0);
    for seed in 1..=DIRECTORIES {
        let clock = Clock::manual(DateTime::from_timestamp(1_780_300_000, 0).unwrap());
        let seeds = SeedOptions { seed, users: 60, groups: 24, devices: Some(30), ..SeedOptions::default() };
        let sim = start(GraphOptions { clock, seed: seeds, ..GraphOptions::default() }).unwrap();
        let raw = Raw::sign_in(&sim).await;
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed as u8; 32]);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        let mut filters = Vec::new();
        let mut replayed = BTreeMap::new();
        let mut links = BTreeMap::new();
        for (kind, share) in [(EntityKind::Users, 2), (EntityKind::Groups, 1), (EntityKind::Devices, 1)] {
            let listed = by_id(raw.all(kind.as_str(), select(kind)).await);
            let texts = condition(kind, &listed);
            for _ in 0..FILTERS * share / 4 {
                let text = texts.new_tree(&mut runner).unwrap().current();
                let parsed = odata::parse(kind, &text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
                assert_eq!(odata::parse(kind, parsed.text()).unwrap().expression, parsed.expression, "{text}");
                let (there, here) = (asked(&raw, &parsed).await, decided_here(&parsed, &listed));
                assert_eq!(there, here, "seed {seed}: {text}");
                none += u32::from(here.is_empty());
                all += u32::from(here.len() == listed.len());
                filters.push(parsed);
            }
            let (objects, link) = first_round(&raw, kind).await;
            assert_eq!(objects.len(), listed.len());
            replayed.insert(kind, objects);
            links.insert(kind, link);
        }
        change(&sim);
        for (kind, link) in &links {
            replay(&raw, replayed.get_mut(kind).unwrap(), link).await;
        }
        for parsed in &filters {
            let (there, here) = (asked(&raw, parsed).await, decided_here(parsed, &replayed[&parsed.kind]));
            assert_eq!(there, here, "seed {seed}, after changes: {}", parsed.text());
            tried += 1;
        }
        sim.stop().await;
    }
    assert_eq!(tried, DIRECTORIES as usize * FILTERS);
    // Filters that take nothing or everything show little.
    assert!(none + all < 600, "{none} took nothing, {all} took everything");
}
