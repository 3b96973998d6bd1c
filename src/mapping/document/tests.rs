//! The rules of the document that are relied on, and the JSON schema that Atlassian publishes.

use super::super::{Memberships, ObjectSelection, Selection, difference::RefusedKind};
use super::*;
use std::collections::HashSet;

const SOURCE: ImportSource<'static> =
    ImportSource { id: "3e9f17a6-0000-4000-8000-000000000001", schema_name: "Entra ID" };

fn everything(template: ReferenceTemplate) -> Mapping {
    let all = |object_type| {
        let mut keys: Vec<String> =
            crate::directory::attributes::attributes(object_type).iter().map(|a| a.key.clone().into_owned()).collect();
        if object_type.spec().has_extensions {
            keys.push("extension_0123456789abcdef0123456789abcdef_code".to_owned());
        }
        ObjectSelection { attributes: Some(keys), ..ObjectSelection::default() }
    };
    let mut selection = Selection::default();
    ObjectType::ALL.into_iter().for_each(|object_type| *selection.of_mut(object_type) = all(object_type));
    Mapping::new(&selection, Memberships::Both, template)
}

fn default() -> Mapping {
    Mapping::new(&Selection::default(), Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder)
}

fn types(document: &Value) -> &Vec<Value> {
    document["schema"]["objectSchema"]["objectTypes"].as_array().unwrap()
}

fn attributes(document: &Value) -> impl Iterator<Item = &Value> {
    types(document).iter().flat_map(|object_type| object_type["attributes"].as_array().unwrap())
}

fn attribute_named<'d>(document: &'d Value, object_type: &str, name: &str) -> &'d Value {
    let found = types(document).iter().find(|t| t["name"] == object_type).unwrap();
    found["attributes"].as_array().unwrap().iter().find(|a| a["name"] == name).unwrap()
}

fn mapping_of<'d>(document: &'d Value, object_type: &str, attribute: &str) -> &'d Value {
    let mappings = document["mapping"]["objectTypeMappings"].as_array().unwrap();
    let found = mappings.iter().find(|m| m["objectTypeName"] == object_type).unwrap();
    found["attributesMapping"].as_array().unwrap().iter().find(|m| m["attributeName"] == attribute).unwrap()
}

/// Atlassian publishes the schema at <https://api.atlassian.com/jsm/insight/imports/external/schema/versions/2023_10_19>.
#[test]
#[ignore = "ASSETS_MAPPING_SCHEMA must name a file with the schema: its terms do not allow a copy here"]
fn the_document_is_valid_by_the_published_schema() {
    let path = std::env::var("ASSETS_MAPPING_SCHEMA").expect("ASSETS_MAPPING_SCHEMA names the file");
    let schema = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for mapping in
        [everything(ReferenceTemplate::ArrayPlaceholder), everything(ReferenceTemplate::JoinedString), default()]
    {
        let document = mapping.document(SOURCE);
        let faults: Vec<String> = validator.iter_errors(&document).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
    assert!(!validator.is_valid(&json!({"schema": {}})), "the validator can fail");
}

#[test]
fn everything_has_an_external_id_of_its_own_and_it_is_short() {
    let document = everything(ReferenceTemplate::ArrayPlaceholder).document(SOURCE);
    let mut seen = HashSet::new();
    for value in types(&document).iter().chain(attributes(&document)) {
        let id = value["externalId"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()), "{id} twice");
        assert!(id.len() <= 64, "{id}");
        assert!(!id.contains("extension_"), "{id}");
    }
    let other = everything(ReferenceTemplate::ArrayPlaceholder).document(ImportSource { id: "another", ..SOURCE });
    assert!(attributes(&other).all(|a| !seen.contains(a["externalId"].as_str().unwrap())), "unique across schemas");
}

#[test]
fn external_ids_stay_as_they_are() {
    let document = default().document(SOURCE);
    let id = &attribute_named(&document, "Entra User", "Department")["externalId"];
    // Changing this would make every object type and attribute of every customer again.
    assert_eq!(id, "entra-8bd86eab/user/department");
}

#[test]
fn types_and_required_fields_are_those_of_the_format() {
    const TYPES: [&str; 14] = [
        "text",
        "integer",
        "boolean",
        "double",
        "date",
        "time",
        "date_time",
        "url",
        "email",
        "textarea",
        "select",
        "ipaddress",
        "referenced_object",
        "status",
    ];
    let document = everything(ReferenceTemplate::ArrayPlaceholder).document(SOURCE);
    for object_type in types(&document) {
        assert!(object_type["name"].is_string() && object_type["description"].is_string());
        let labels = object_type["attributes"].as_array().unwrap().iter().filter(|a| a["label"] == true).count();
        assert_eq!(labels, 1);
    }
    for attribute in attributes(&document) {
        assert!(attribute["name"].is_string() && attribute["description"].is_string());
        assert!(TYPES.contains(&attribute["type"].as_str().unwrap()), "{attribute}");
        assert_eq!(attribute.get("typeValues").is_some(), attribute["type"] == "status", "{attribute}");
        assert_eq!(attribute.get("referenceObjectTypeExternalId").is_some(), attribute["type"] == "referenced_object");
    }
    for status in document["schema"]["statusSchema"]["statuses"].as_array().unwrap() {
        let name = status["name"].as_str().unwrap();
        assert!(
            (2..=30).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b" -".contains(&b))
        );
        assert!(["active", "inactive", "pending"].contains(&status["category"].as_str().unwrap()));
    }
    assert!(document["schema"].get("iconSchema").is_none(), "an empty list of icons would be refused");
}

#[test]
fn lists_of_references_have_no_limit_and_single_ones_have() {
    let document = everything(ReferenceTemplate::ArrayPlaceholder).document(SOURCE);
    for (object_type, name, most) in [
        ("Entra User", "Groups", -1),
        ("Entra User", "Licenses", -1),
        ("Entra User", "Manager", 1),
        ("Entra Group", "Parent Groups", -1),
        ("Entra Group", "Members", -1),
        ("Entra Group", "Owners", -1),
        ("Entra Device", "Owners", -1),
        ("Entra User", "Mail", 1),
    ] {
        assert_eq!(attribute_named(&document, object_type, name)["maximumCardinality"], most, "{object_type} {name}");
    }
    let parents = attribute_named(&document, "Entra Group", "Parent Groups");
    let group = types(&document).iter().find(|t| t["name"] == "Entra Group").unwrap();
    assert_eq!(parents["referenceObjectTypeExternalId"], group["externalId"], "groups refer to groups");
}

#[test]
fn only_the_identity_is_unique_and_makes_the_external_id() {
    const IDENTITIES: [&str; 7] =
        ["Object ID", "SKU ID", "Credential ID", "Intune Device ID", "Service Plan ID", "Tenant ID", "Value ID"];
    let document = everything(ReferenceTemplate::ArrayPlaceholder).document(SOURCE);
    for attribute in attributes(&document) {
        let is_identity = IDENTITIES.contains(&attribute["name"].as_str().unwrap());
        // The id of the tenant identifies the tenant alone.
        let is_of_other = attribute["name"] == "Tenant ID"
            && !attribute["externalId"].as_str().unwrap().ends_with("/tenant/tenantId");
        let is_identity = is_identity && !is_of_other;
        assert_eq!(attribute["unique"], is_identity, "{attribute}");
    }
    for mapping in document["mapping"]["objectTypeMappings"].as_array().unwrap() {
        let parts = mapping["attributesMapping"].as_array().unwrap().iter().filter(|m| m["externalIdPart"] == true);
        assert_eq!(parts.count(), 1);
    }
}

#[test]
fn every_mapped_attribute_is_in_the_schema_and_in_the_payload() {
    let mapping = everything(ReferenceTemplate::ArrayPlaceholder);
    let document = mapping.document(SOURCE);
    let known: HashSet<&str> = attributes(&document).map(|a| a["externalId"].as_str().unwrap()).collect();
    for (object_type, mapped) in
        ObjectType::ALL.into_iter().zip(document["mapping"]["objectTypeMappings"].as_array().unwrap())
    {
        assert_eq!(mapped["selector"], object_type.as_str());
        let payload = mapping.payload(object_type, uuid::Uuid::nil(), &Map::new(), &Default::default(), None);
        let payload: Map<String, Value> = serde_json::from_str(&payload).unwrap();
        let mappings = mapped["attributesMapping"].as_array().unwrap();
        assert_eq!(payload.len(), mappings.len());
        for attribute in mappings {
            assert!(known.contains(attribute["attributeExternalId"].as_str().unwrap()));
            assert!(payload.contains_key(attribute["attributeLocators"][0].as_str().unwrap()));
        }
    }
}

#[test]
fn references_are_looked_up_by_the_template() {
    let array = everything(ReferenceTemplate::ArrayPlaceholder).document(SOURCE);
    let query = |document: &Value, object_type, name| {
        mapping_of(document, object_type, name)["objectMappingIQL"].as_str().unwrap().to_owned()
    };
    assert_eq!(query(&array, "Entra User", "Groups"), r#""Object ID" IN (${groups${0}})"#);
    assert_eq!(query(&array, "Entra User", "Licenses"), r#""SKU ID" IN (${licenses${0}})"#);
    assert_eq!(query(&array, "Entra User", "Manager"), r#""Object ID" = ${manager}"#);
    let joined = everything(ReferenceTemplate::JoinedString).document(SOURCE);
    assert_eq!(query(&joined, "Entra Group", "Parent Groups"), r#""Object ID" IN (${parentGroups})"#);
}

#[test]
fn a_type_that_is_off_is_nowhere_in_the_document() {
    let mut selection = Selection::default();
    selection.of_mut(ObjectType::Licenses).enabled = false;
    let mapping = Mapping::new(&selection, Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder);
    let text = mapping.document(SOURCE).to_string();
    assert!(!text.contains("license") && !text.contains("devices"), "{text}");
}

/// What Assets answers after a document was accepted: the same with a system attribute.
fn accepted(document: &Value) -> Value {
    let mut current = document.clone();
    for object_type in current["schema"]["objectSchema"]["objectTypes"].as_array_mut().unwrap() {
        let key = json!({"name": "Key", "type": "text", "externalId": "cmdb::externalId/1"});
        object_type["attributes"].as_array_mut().unwrap().push(key);
    }
    current["schema"]["iconSchema"] = json!({"icons": []});
    current
}

#[test]
fn an_accepted_document_does_not_differ() {
    let mapping = default();
    let difference = mapping.difference(SOURCE, Some(&accepted(&mapping.document(SOURCE))));
    assert!(difference.in_sync, "{difference:#?}");
    assert_eq!(difference.refused, []);
    assert_eq!(difference.foreign, []);
    let nothing = mapping.difference(SOURCE, None);
    assert_eq!(nothing.added_object_types, ["Entra User", "Entra Group", "Entra License"]);
    assert!(!nothing.in_sync);
}

#[test]
fn a_rename_is_refused_explained_and_never_sent() {
    let before = default().document(SOURCE);
    let mut selection = Selection::default();
    selection.of_mut(ObjectType::Users).names.insert("department".to_owned(), "Unit".to_owned());
    selection.of_mut(ObjectType::Groups).names.insert("objectId".to_owned(), "Entra ID".to_owned());
    let mapping = Mapping::new(&selection, Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder);
    let difference = mapping.difference(SOURCE, Some(&accepted(&before)));
    let refused: Vec<_> = difference.refused.iter().map(|r| (r.kind, r.current.as_str(), r.wanted.as_str())).collect();
    assert_eq!(
        refused,
        [(RefusedKind::RenameAttribute, "Department", "Unit"), (RefusedKind::RenameAttribute, "Object ID", "Entra ID")]
    );
    assert!(difference.in_sync, "{difference:#?}");
    let patch = mapping.patch(SOURCE, &accepted(&before));
    assert_eq!(attribute_named(&patch, "Entra User", "Department")["type"], "text");
    assert_eq!(mapping_of(&patch, "Entra User", "Groups")["objectMappingIQL"], r#""Object ID" IN (${groups${0}})"#);
}

#[test]
fn what_people_added_is_listed_and_left_alone() {
    let mapping = default();
    let mut current = accepted(&mapping.document(SOURCE));
    let own = json!({"name": "Cost", "type": "double", "externalId": "cmdb::externalId/9"});
    current["schema"]["objectSchema"]["objectTypes"][0]["attributes"].as_array_mut().unwrap().push(own);
    let server = json!({"name": "Server", "externalId": "cmdb::externalId/10", "attributes": []});
    current["schema"]["objectSchema"]["objectTypes"].as_array_mut().unwrap().push(server);
    let mapped =
        json!({"attributeName": "Cost", "attributeExternalId": "cmdb::externalId/9", "attributeLocators": ["cost"]});
    current["mapping"]["objectTypeMappings"][0]["attributesMapping"].as_array_mut().unwrap().push(mapped.clone());
    let difference = mapping.difference(SOURCE, Some(&current));
    let foreign: Vec<_> = difference.foreign.iter().map(|f| (f.object_type.as_str(), f.attribute.as_deref())).collect();
    assert_eq!(foreign, [("Entra User", Some("Cost")), ("Server", None)]);
    assert!(difference.in_sync);
    let patch = mapping.patch(SOURCE, &current);
    assert_eq!(mapping_of(&patch, "Entra User", "Cost"), &mapped);
    assert!(!patch["schema"].to_string().contains("Cost"));
}

#[test]
fn new_attributes_changed_queries_and_leftovers_are_told_apart() {
    let before = accepted(&default().document(SOURCE));
    let mut selection = Selection::default();
    selection.of_mut(ObjectType::Users).attributes = Some(vec!["department".to_owned(), "costCenter".to_owned()]);
    let mapping = Mapping::new(&selection, Memberships::OnUser, ReferenceTemplate::JoinedString);
    let difference = mapping.difference(SOURCE, Some(&before));
    let added: Vec<_> = difference.added_attributes.iter().map(|a| a.attribute.as_deref().unwrap()).collect();
    assert_eq!(added, ["Cost Center"]);
    assert!(difference.changed.iter().all(|change| change.field == "objectMappingIQL"), "{difference:#?}");
    assert_eq!(difference.changed.len(), 5);
    assert!(difference.unused.iter().any(|a| a.attribute.as_deref() == Some("Job Title")));
    assert!(!difference.in_sync);
}

#[test]
fn a_changed_type_or_cardinality_is_refused() {
    let mapping = default();
    let mut current = accepted(&mapping.document(SOURCE));
    let attributes = current["schema"]["objectSchema"]["objectTypes"][0]["attributes"].as_array_mut().unwrap();
    for attribute in attributes {
        match attribute["name"].as_str().unwrap() {
            "Department" => attribute["type"] = "select".into(),
            "Groups" => attribute["maximumCardinality"] = 1.into(),
            "Manager" => attribute["referenceObjectTypeExternalId"] = "cmdb::externalId/3".into(),
            _ => {}
        }
    }
    let kinds: Vec<_> = mapping.difference(SOURCE, Some(&current)).refused.into_iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [RefusedKind::ChangeType, RefusedKind::ChangeReferencedType, RefusedKind::ChangeConstraint]);
    let patch = mapping.patch(SOURCE, &current);
    assert_eq!(attribute_named(&patch, "Entra User", "Department")["type"], "select");
}

/// The same as [`accepted`], with the external ids of another import source and without its mapping.
fn of_an_earlier_source(mapping: &Mapping) -> Value {
    let mut current = accepted(&mapping.document(ImportSource { id: "an-earlier-one", ..SOURCE }));
    current["mapping"]["objectTypeMappings"] = json!([]);
    current
}

#[test]
fn what_an_earlier_import_source_built_is_recognised_by_name_and_keeps_its_external_ids() {
    let mapping = default();
    let current = of_an_earlier_source(&mapping);
    let patch = mapping.patch(SOURCE, &current);
    let ids = |document: &Value| -> HashSet<String> {
        let all = types(document).iter().chain(attributes(document));
        all.map(|value| value["externalId"].as_str().unwrap().to_owned()).collect()
    };
    assert!(ids(&patch).is_subset(&ids(&current)), "{:?}", ids(&patch).difference(&ids(&current)));
    let user = types(&current).iter().find(|of| of["name"] == "Entra User").unwrap();
    let manager = attribute_named(&patch, "Entra User", "Manager");
    assert_eq!(manager["referenceObjectTypeExternalId"], user["externalId"]);
    assert_eq!(mapping_of(&patch, "Entra User", "Manager")["attributeExternalId"], manager["externalId"]);
    let difference = mapping.difference(SOURCE, Some(&current));
    assert!(!difference.in_sync, "the mapping is missing");
    assert_eq!(difference.added_object_types, Vec::<String>::new());
    assert_eq!((difference.name_taken(), difference.refused, difference.foreign), (None, vec![], vec![]));
    let after = accepted(&patch);
    let difference = mapping.difference(SOURCE, Some(&after));
    assert!(difference.in_sync, "{difference:#?}");
}

#[test]
fn names_are_recognised_whatever_their_case_and_ids_of_people_are_kept() {
    let mapping = default();
    let mut current = of_an_earlier_source(&mapping);
    let user = &mut current["schema"]["objectSchema"]["objectTypes"][0];
    (user["name"], user["externalId"]) = ("ENTRA user".into(), "cmdb::externalId/7".into());
    let patch = mapping.patch(SOURCE, &current);
    let user = &types(&patch)[0];
    assert_eq!((&user["name"], &user["externalId"]), (&json!("ENTRA user"), &json!("cmdb::externalId/7")));
    let names = mapping.names_in(SOURCE, &current);
    assert_eq!(names[0], (ObjectType::Users, "ENTRA user".to_owned(), "Object ID".to_owned()));
}

#[test]
fn what_has_another_form_cannot_be_taken_over_and_one_sentence_says_so() {
    let mapping = default();
    for (field, value, said) in [
        ("type", json!("text"), "«Manager» of the object type «Entra User» is text"),
        (
            "referenceObjectTypeExternalId",
            json!("cmdb::externalId/3"),
            "is a reference to cmdb::externalId/3 where the job needs a reference to Entra User",
        ),
    ] {
        let mut current = of_an_earlier_source(&mapping);
        let attributes = current["schema"]["objectSchema"]["objectTypes"][0]["attributes"].as_array_mut().unwrap();
        attributes.iter_mut().find(|attribute| attribute["name"] == "Manager").unwrap()[field] = value;
        let taken = mapping.difference(SOURCE, Some(&current)).name_taken().unwrap();
        assert!(taken.contains(said), "{taken}");
    }
}

#[test]
fn a_person_can_change_what_is_mapped_already() {
    let mapping = default();
    let mut current = accepted(&mapping.patch(SOURCE, &of_an_earlier_source(&mapping)));
    let attributes = current["schema"]["objectSchema"]["objectTypes"][0]["attributes"].as_array_mut().unwrap();
    attributes.iter_mut().find(|attribute| attribute["name"] == "Department").unwrap()["type"] = "select".into();
    let difference = mapping.difference(SOURCE, Some(&current));
    let kinds: Vec<_> = difference.refused.iter().map(|refused| refused.kind).collect();
    assert_eq!((difference.name_taken(), kinds), (None, vec![RefusedKind::ChangeType]));
}

#[test]
fn what_was_taken_over_stays_when_the_job_has_another_name_for_it() {
    let current = accepted(&default().patch(SOURCE, &of_an_earlier_source(&default())));
    let mut selection = Selection::default();
    selection.of_mut(ObjectType::Users).type_name = Some("Person".to_owned());
    selection.of_mut(ObjectType::Users).names.insert("department".to_owned(), "Unit".to_owned());
    let mapping = Mapping::new(&selection, Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder);
    let difference = mapping.difference(SOURCE, Some(&current));
    let kinds: Vec<_> = difference.refused.iter().map(|refused| refused.kind).collect();
    assert_eq!(kinds, [RefusedKind::RenameObjectType, RefusedKind::RenameAttribute]);
    assert_eq!((difference.in_sync, difference.added_object_types), (true, Vec::<String>::new()));
}

/// The name of one of ours is not free for another of ours.
#[test]
fn no_two_attributes_get_one_external_id() {
    let current = accepted(&default().document(SOURCE));
    let mut selection = Selection::default();
    selection.of_mut(ObjectType::Users).attributes = Some(vec!["department".to_owned(), "costCenter".to_owned()]);
    selection.of_mut(ObjectType::Users).names.insert("department".to_owned(), "Unit".to_owned());
    selection.of_mut(ObjectType::Users).names.insert("costCenter".to_owned(), "Department".to_owned());
    let mapping = Mapping::new(&selection, Memberships::OnUser, ReferenceTemplate::ArrayPlaceholder);
    let patch = mapping.patch(SOURCE, &current);
    let ids: Vec<&str> = attributes(&patch).map(|attribute| attribute["externalId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
    let difference = mapping.difference(SOURCE, Some(&current));
    assert!(difference.name_taken().unwrap().contains("«Department»"), "{difference:?}");
}
