//! What an import does to the objects: values, identity, references, missing objects.

use super::*;
use entra_assets::sim::assets::{EmptyValues, ExtraValues, Missing, ReferenceBehaviour};

fn user(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name})
}

#[tokio::test]
async fn objects_are_created_updated_or_identical() {
    let bench = mapped_bench().await;
    let ann =
        json!({"id": "u1", "name": "Ann", "department": "Sales", "enabled": true, "floor": 3, "phones": ["2", "1"]});
    assert_eq!(bench.import(json!({"users": [ann.clone()]})).await["User"]["objectsCreated"], 1);
    assert_eq!(bench.import(json!({"users": [ann]})).await["User"]["objectsIdentical"], 1);
    let moved = bench.import(json!({"users": [{"id": "u1", "name": "Ann", "department": "Law"}]})).await;
    assert_eq!(moved["User"]["objectsUpdated"], 1);
    let values = bench.values("User", "u1");
    assert_eq!(
        (&values["Department"], &values["Phones"]),
        (&vec!["Law".to_owned()], &vec!["1".to_owned(), "2".to_owned()])
    );
    assert_eq!((&values["Enabled"], &values["Floor"]), (&vec!["true".to_owned()], &vec!["3".to_owned()]));
}

#[tokio::test]
async fn entries_without_identity_or_label_and_duplicates_are_counted() {
    let bench = mapped_bench().await;
    let users = json!([user("u1", "Ann"), user("u1", "Ann B"), user("", "No id"), {"name": "No id"}, user("u2", " "), {"id": "u3"}]);
    let result = bench.import(json!({"users": users})).await["User"].clone();
    for (counter, value) in [
        ("entriesInSource", 6),
        ("objectsCreated", 1),
        ("duplicateEnries", 1),
        ("emptyExternalIdEntries", 2),
        ("emptyLabelEntries", 2),
        ("errorCount", 0),
    ] {
        assert_eq!(result[counter], value, "{counter}");
    }
    assert_eq!(bench.values("User", "u1")["Display Name"], ["Ann B"]);
}

#[tokio::test]
async fn values_of_the_wrong_type_make_their_entry_an_error() {
    let bench = mapped_bench().await;
    let wrong = [
        ("department", json!("x".repeat(256))),
        ("floor", json!("first")),
        ("createdAt", json!("yesterday")),
        ("enabled", json!({})),
    ];
    for (n, (field, value)) in wrong.into_iter().enumerate() {
        let mut entry = user(&n.to_string(), "Ann");
        entry[field] = value;
        let result = bench.import(json!({"users": [entry]})).await["User"].clone();
        assert_eq!((result["errorCount"].as_u64(), result["objectsCreated"].as_u64()), (Some(1), Some(0)), "{field}");
        assert!(result["errorMessages"].as_str().unwrap().starts_with("Attribute "));
    }
    let fine = json!({"id": "u", "name": "Ann", "notes": "x".repeat(5000), "createdAt": "2024-01-01T00:00:00Z"});
    assert_eq!(bench.import(json!({"users": [fine]})).await["User"]["objectsCreated"], 1);
}

#[tokio::test]
async fn values_beyond_the_cardinality_are_dropped_or_an_error() {
    let bench = mapped_bench().await;
    bench.import(json!({"users": [{"id": "u1", "name": "Ann", "department": ["A", "B"]}]})).await;
    assert_eq!(bench.values("User", "u1")["Department"], ["A"]);
    bench.sim.configure(|behaviour| behaviour.extra_values = ExtraValues::Error);
    let result = bench.import(json!({"users": [{"id": "u2", "name": "Ann", "department": ["A", "B"]}]})).await;
    assert_eq!(result["User"]["errorCount"], 1);
}

#[tokio::test]
async fn an_unknown_status_is_left_out() {
    let bench = mapped_bench().await;
    let users =
        json!([{"id": "u1", "name": "Ann", "lifecycle": "Active"}, {"id": "u2", "name": "Bea", "lifecycle": "Gone"}]);
    bench.import(json!({"users": users})).await;
    assert_eq!(bench.values("User", "u1")["Lifecycle"], ["Active"]);
    assert!(!bench.values("User", "u2").contains_key("Lifecycle"));
}

#[tokio::test]
async fn references_are_resolved_over_the_whole_execution() {
    let bench = mapped_bench().await;
    let users = json!([
        {"id": "u1", "name": "Ann", "manager": "u2", "groups": ["g1", "G2", "none"]},
        {"id": "u2", "name": "Bea", "manager": "u1"},
    ]);
    let groups = json!([{"id": "g1", "name": "One"}, {"id": "g2", "name": "Two"}]);
    let result = bench.import(json!({"users": users.clone(), "groups": groups.clone()})).await;
    assert_eq!(result["User"]["objectsWithUpdatedReferences"], 2);
    let ann = bench.values("User", "u1");
    assert_eq!((&ann["Manager"], &ann["Groups"]), (&vec!["u2".to_owned()], &vec!["g1".to_owned(), "g2".to_owned()]));
    assert_eq!(bench.sim.executions()[0].types["User"].references_not_found, 1);
    assert_eq!(bench.sim.counts().references["User"]["Groups"], 2);
    let again = bench.import(json!({"users": users, "groups": groups})).await;
    assert_eq!(
        (&again["User"]["objectsIdentical"], &again["User"]["objectsWithUpdatedReferences"]),
        (&json!(2), &json!(0))
    );
}

#[tokio::test]
async fn five_hundred_references_of_one_object_are_kept() {
    let bench = mapped_bench().await;
    let ids: Vec<String> = (0..500).map(|n| format!("g{n}")).collect();
    let groups: Vec<Value> = ids.iter().map(|id| user(id, id)).collect();
    bench.import(json!({"users": [{"id": "u1", "name": "Ann", "groups": ids}], "groups": groups})).await;
    assert_eq!(bench.values("User", "u1")["Groups"].len(), 500);
}

#[tokio::test]
async fn each_reference_behaviour_resolves_its_own_template() {
    let lists = |template: &str| {
        let mut document = document();
        document["mapping"]["objectTypeMappings"][0]["attributesMapping"][10]["objectMappingIQL"] = json!(template);
        document
    };
    let joined = r#""Object ID" IN (${groups})"#;
    let (array, text) = (json!(["g1", "g2"]), json!("g1,g2"));
    for (behaviour, template, value, found) in [
        (ReferenceBehaviour::Arrays, BY_ID, &array, 2),
        (ReferenceBehaviour::Arrays, joined, &text, 0),
        (ReferenceBehaviour::JoinedStrings, BY_ID, &array, 0),
        (ReferenceBehaviour::JoinedStrings, joined, &text, 2),
    ] {
        let bench = bench();
        bench.sim.configure(|b| b.references = behaviour);
        assert_eq!(bench.put_mapping(&lists(template)).await.0, 204);
        let users = json!([{"id": "u1", "name": "Ann", "manager": "u1", "groups": value}]);
        bench.import(json!({"users": users, "groups": [user("g1", "One"), user("g2", "Two")]})).await;
        let counts = bench.sim.counts();
        assert_eq!(counts.references["User"]["Groups"], found, "{behaviour:?} {template}");
        assert_eq!(counts.references["User"]["Manager"], 1);
    }
}

#[tokio::test]
async fn an_explicit_empty_value_clears_only_where_that_is_set() {
    let full =
        json!({"id": "u1", "name": "Ann", "department": "Sales", "manager": "u1", "groups": ["g1"], "phones": ["1"]});
    let empty = json!({"id": "u1", "name": "Ann", "department": null, "manager": "", "groups": [], "phones": []});
    for (behaviour, left) in [(EmptyValues::Ignore, true), (EmptyValues::Remove, false)] {
        let bench = mapped_bench().await;
        bench.sim.configure(|b| b.empty_values = behaviour);
        bench.import(json!({"users": [full.clone()], "groups": [user("g1", "One")]})).await;
        bench.import(json!({"users": [user("u1", "Ann")]})).await;
        assert!(bench.values("User", "u1").contains_key("Groups"), "an absent key changes nothing");
        let result = bench.import(json!({"users": [empty.clone()]})).await;
        let values = bench.values("User", "u1");
        for name in ["Department", "Manager", "Groups", "Phones"] {
            assert_eq!(values.contains_key(name), left, "{name} {behaviour:?}");
        }
        assert_eq!(result["User"]["objectsIdentical"], u64::from(left));
    }
}

#[tokio::test]
async fn missing_objects_are_ignored_by_default() {
    let bench = mapped_bench().await;
    bench.import(json!({"users": [user("u1", "Ann"), user("u2", "Bea")]})).await;
    let result = bench.import(json!({"users": [user("u1", "Ann")]})).await;
    assert_eq!(result["User"]["objectsMissingDeleted"], 0);
    assert_eq!(bench.sim.counts().objects["User"], 2);
}

#[tokio::test]
async fn remove_deletes_everything_that_was_left_out_even_what_people_made() {
    let bench = mapped_bench().await;
    let groups = json!([user("g1", "One"), user("g2", "Two")]);
    bench.import(json!({"users": [{"id": "u1", "name": "Ann", "groups": ["g1", "g2"]}], "groups": groups})).await;
    bench.sim.add_manual_object("Group", &[("Object ID", "by-hand"), ("Display Name", "By hand")]).unwrap();
    bench.sim.configure(|b| {
        b.missing_by_type.insert("Group".to_owned(), Missing::remove());
    });
    let result = bench.import(json!({"users": [user("u1", "Ann")], "groups": [user("g1", "One")]})).await;
    assert_eq!(result["Group"]["objectsMissingDeleted"], 2);
    assert_eq!(bench.sim.counts().objects["Group"], 1);
    assert_eq!(bench.values("User", "u1")["Groups"], ["g1"], "references to deleted objects go with them");
}

#[tokio::test]
async fn a_type_left_out_of_an_execution_is_missing_as_a_whole() {
    for (absent_types_are_missing, left) in [(true, 0), (false, 1)] {
        let bench = mapped_bench().await;
        bench.import(json!({"groups": [user("g1", "One")]})).await;
        bench.sim.configure(|b| {
            b.missing = Missing::remove();
            b.absent_types_are_missing = absent_types_are_missing;
        });
        bench.import(json!({"users": [user("u1", "Ann")]})).await;
        assert_eq!(bench.sim.counts().objects["Group"], left);
    }
}

#[tokio::test]
async fn missing_objects_wait_for_their_threshold() {
    let bench = mapped_bench().await;
    bench.sim.configure(|b| b.missing = Missing::remove().after(2));
    let both = json!({"users": [user("u1", "Ann"), user("u2", "Bea")]});
    let one = json!({"users": [user("u1", "Ann")]});
    for (data, left) in [(&both, 2), (&one, 2), (&both, 2), (&one, 2), (&one, 1)] {
        bench.import(data.clone()).await;
        assert_eq!(bench.sim.counts().objects["User"], left);
    }
}

#[tokio::test]
async fn update_marks_what_is_missing() {
    let bench = mapped_bench().await;
    bench.import(json!({"users": [user("u1", "Ann"), user("u2", "Bea")]})).await;
    bench.sim.configure(|b| b.missing = Missing::update("Lifecycle", "Disabled"));
    let result = bench.import(json!({"users": [user("u1", "Ann")]})).await;
    assert_eq!(result["User"]["objectsMissingUpdated"], 1);
    assert_eq!(bench.values("User", "u2")["Lifecycle"], ["Disabled"]);
}

#[tokio::test]
async fn an_entry_with_an_error_is_not_missing() {
    let bench = mapped_bench().await;
    bench.import(json!({"users": [user("u1", "Ann")]})).await;
    bench.sim.configure(|b| b.missing = Missing::remove());
    let result = bench.import(json!({"users": [{"id": "u1", "name": "Ann", "floor": "x"}]})).await;
    assert_eq!((&result["User"]["errorCount"], &result["User"]["objectsMissingDeleted"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn attributes_that_administrators_added_survive() {
    let bench = mapped_bench().await;
    bench.import(json!({"users": [user("u1", "Ann")]})).await;
    bench.sim.add_attribute("User", "Desk", "text").unwrap();
    let id = bench.sim.objects("User")[0].id.clone();
    bench.sim.set_value(&id, "Desk", "12").unwrap();
    assert_eq!(bench.patch_mapping(&document()).await.0, 204);
    bench.import(json!({"users": [user("u1", "Ann B")]})).await;
    assert_eq!(bench.values("User", "u1")["Desk"], ["12"]);
}

#[tokio::test]
async fn the_usage_limit_stops_new_objects() {
    let bench = mapped_bench().await;
    bench.sim.configure(|b| b.max_objects = Some(1));
    let result = bench.import(json!({"users": [user("u1", "Ann"), user("u2", "Bea")]})).await;
    assert_eq!((&result["User"]["objectsCreated"], &result["User"]["errorCount"]), (&json!(1), &json!(1)));
}
