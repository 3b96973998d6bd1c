//! Object schemas that others filled before: by hand, by a file, by another importer.

use entra_assets::sim::assets::{AssetsSim, AttributeByHand, SOURCE_ID};
use entra_assets::sim::graph::GraphSim;
use serde_json::{Value, json};
use uuid::Uuid;

/// What an organization knows of a person in its own structure.
#[derive(Clone)]
pub struct Person {
    pub id: Uuid,
    pub mail: String,
}

/// The people of a directory, by their ids.
pub fn people(graph: &GraphSim) -> Vec<Person> {
    let mut people: Vec<Person> =
        graph.texts("userPrincipalName").into_iter().map(|(id, mail)| Person { id, mail }).collect();
    people.sort_by_key(|person| person.id);
    people
}

/// `Employee`, made by hand: a name, an id, addresses, a desk that only people know, and a Jira account.
pub fn make_employees(assets: &AssetsSim) {
    let attributes = [
        AttributeByHand::new("Name", "text"),
        AttributeByHand::new("Entra ID", "text"),
        AttributeByHand::new("UPN", "text"),
        AttributeByHand::new("Job", "text"),
        AttributeByHand::new("Desk", "text"),
        AttributeByHand::new("Jira Account", "user"),
    ];
    assets.add_object_type(SOURCE_ID, "Employee", None, &attributes).unwrap();
}

/// How a job fills `Employee`.
pub fn into_employees() -> Value {
    json!({"users": {"existing": {"objectType": "Employee", "identity": "objectId", "attributes":
        {"objectId": "Entra ID", "displayName": "Name", "userPrincipalName": "UPN", "jobTitle": "Job"}}},
        "groups": {"enabled": false}, "licenses": {"enabled": false}})
}

/// The people of the directory as objects of `Employee`, and `strangers` that it does not know. Their ids.
pub fn hire(assets: &AssetsSim, people: &[Person], strangers: usize) -> Vec<String> {
    let known = people.iter().enumerate().map(|(n, person)| {
        let (id, desk, name) = (person.id.to_string(), format!("D-{n}"), format!("Old name {n}"));
        let values = [
            ("Name", name.as_str()),
            ("Entra ID", id.as_str()),
            ("UPN", person.mail.as_str()),
            ("Desk", desk.as_str()),
            ("Jira Account", "712020:account"),
        ];
        assets.add_manual_object("Employee", &values).unwrap()
    });
    let known: Vec<String> = known.collect();
    let strangers = (0..strangers).map(|n| {
        let (id, name) = (Uuid::from_u128(0xffff_0000 + n as u128).to_string(), format!("Stranger {n}"));
        assets.add_manual_object("Employee", &[("Name", &name), ("Entra ID", &id), ("Desk", "X")]).unwrap()
    });
    known.into_iter().chain(strangers.collect::<Vec<_>>()).collect()
}
