//! Schema-and-mapping documents: what is taken, what GET gives back, and each refusal.

use super::*;

fn codes(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.0, 400, "{}", reply.1);
    let faults = reply.1["dataValidationErrors"].as_array().unwrap();
    faults.iter().map(|fault| fault["code"].as_str().unwrap().to_owned()).collect()
}

/// The document with the value set at the place, which may be new in its parent.
fn changed(pointer: &str, value: Value) -> Value {
    let mut document = document();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    document
}

const USER: &str = "/schema/objectSchema/objectTypes/0";

#[tokio::test]
async fn a_second_put_is_a_conflict_and_a_patch_is_not() {
    let bench = bench();
    assert_eq!(bench.patch_mapping(&document()).await.0, 400);
    assert_eq!(bench.put_mapping(&document()).await.0, 204);
    assert_eq!(bench.put_mapping(&document()).await.0, 409);
    assert_eq!(bench.patch_mapping(&document()).await.0, 204);
}

#[tokio::test]
async fn a_patch_can_be_followed_to_its_end() {
    let bench = mapped_bench().await;
    let url = bench.workspace(&bench.source("mapping?async=true"));
    let response = bench.request(Method::PATCH, &url).json(&document()).send().await.unwrap();
    assert_eq!(response.status(), 303);
    let location = response.headers()["Location"].to_str().unwrap().to_owned();
    let progress = async || reply(bench.request(Method::GET, &location)).await.1;
    assert_eq!(progress().await["progressStatus"], "IN_PROGRESS");
    let finished = progress().await;
    assert_eq!((finished["progressStatus"].as_str(), finished["result"].as_str()), (Some("FINISHED"), Some("OK")));
}

#[tokio::test]
async fn get_fills_in_defaults_and_its_empty_icons_are_refused() {
    let bench = mapped_bench().await;
    let (status, mut described) = reply(bench.call(Method::GET, &bench.source("schema-and-mapping"))).await;
    assert_eq!(status, 200);
    let attributes = described.pointer(&format!("{USER}/attributes")).unwrap().as_array().unwrap().clone();
    let named = |name: &str| attributes.iter().find(|a| a["name"] == name).unwrap();
    assert_eq!((named("Key")["type"].as_str(), named("Key")["label"].as_bool()), (Some("text"), Some(false)));
    assert_eq!(named("Department")["maximumCardinality"], 1);
    assert_eq!(named("Groups")["maximumCardinality"], -1);
    assert_eq!(named("Display Name")["minimumCardinality"], 1);
    assert_eq!(named("Manager")["referenceObjectTypeName"], "User");
    assert_eq!(described.pointer(&format!("{USER}/inheritance")), Some(&json!(false)));
    let parts = described.pointer("/mapping/objectTypeMappings/0/attributesMapping").unwrap();
    assert_eq!((&parts[0]["externalIdPart"], &parts[1]["externalIdPart"]), (&json!(true), &json!(false)));
    assert_eq!(described["schema"]["iconSchema"]["icons"], json!([]));
    assert_eq!(codes(&bench.patch_mapping(&described).await), ["TOO_FEW_ITEMS"]);
    described["schema"].as_object_mut().unwrap().remove("iconSchema");
    assert_eq!(bench.patch_mapping(&described).await.0, 204);
}

#[tokio::test]
async fn each_rule_of_the_json_schema_is_kept() {
    let cases = [
        (changed("/schema", json!({})), "REQUIRED_KEY_MISSING"),
        (changed(&format!("{USER}/attributes/0/type"), json!("datetime")), "UNKNOWN_TYPE"),
        (changed(&format!("{USER}/attributes/0/type"), json!("user")), "UNKNOWN_TYPE"),
        (changed(&format!("{USER}/attributes/0/externalId"), Value::Null), "EXTERNAL_ID_MISSING"),
        (changed(&format!("{USER}/attributes/0/externalId"), json!("type/group")), "DUPLICATE_EXTERNAL_ID"),
        (changed(&format!("{USER}/attributes/8/type"), json!("text")), "INVALID_TYPE_VALUES"),
        (changed(&format!("{USER}/attributes/8/typeValues"), json!(["Gone"])), "UNKNOWN_STATUS"),
        (
            changed(&format!("{USER}/attributes/9/referenceObjectTypeExternalId"), json!("type/x")),
            "UNKNOWN_REFERENCED_TYPE",
        ),
        (changed(&format!("{USER}/attributes/0/label"), json!(true)), "SEVERAL_LABELS"),
        (changed(&format!("{USER}/attributes/0/label"), json!("yes")), "INVALID_TYPE"),
        (changed(&format!("{USER}/attributes/0/name"), json!("Notes")), "DUPLICATE_NAME"),
        (changed("/schema/statusSchema/statuses/0/category", json!("gone")), "INVALID_CATEGORY"),
        (changed("/schema/statusSchema/statuses/0/name", json!("In Überprüfung")), "INVALID_NAME"),
        (changed("/schema/statusSchema/statuses", json!([])), "TOO_FEW_ITEMS"),
        (changed("/schema/objectSchema/objectTypes", json!([])), "TOO_FEW_ITEMS"),
        (changed("/mapping/objectTypeMappings/0/attributesMapping/0/attributeLocators", json!([])), "TOO_FEW_ITEMS"),
        (changed("/mapping/objectTypeMappings/0", json!({"ObjectTypeName": "User"})), "UNKNOWN_KEY"),
        (
            changed("/mapping/objectTypeMappings/0/attributesMapping/10/objectMappingIQL", json!("x IN (")),
            "INVALID_IQL",
        ),
        (
            changed("/mapping/objectTypeMappings/0/attributesMapping/0/attributeExternalId", json!("attr/u/none")),
            "UNKNOWN_EXTERNAL_ID_MAPPING",
        ),
    ];
    let bench = bench();
    for (document, code) in cases {
        let reply = bench.put_mapping(&document).await;
        assert!(codes(&reply).iter().any(|found| found == code), "{code}: {}", reply.1);
    }
    let status = reply(bench.call(Method::GET, &bench.source("configstatus"))).await.1;
    assert_eq!(status["status"], "MISSING_MAPPING");
}

#[tokio::test]
async fn renaming_and_retyping_are_refused_and_adding_is_not() {
    let bench = mapped_bench().await;
    let cases = [
        (changed(&format!("{USER}/name"), json!("Person")), "RENAME_NOT_ALLOWED"),
        (changed(&format!("{USER}/attributes/2/name"), json!("Unit")), "RENAME_NOT_ALLOWED"),
        (changed(&format!("{USER}/attributes/2/type"), json!("textarea")), "TYPE_CHANGE_NOT_ALLOWED"),
        (
            changed(&format!("{USER}/attributes/9/referenceObjectTypeExternalId"), json!("type/group")),
            "TYPE_CHANGE_NOT_ALLOWED",
        ),
    ];
    for (document, code) in cases {
        assert!(codes(&bench.patch_mapping(&document).await).iter().any(|found| found == code), "{code}");
    }
    let mut more = document();
    more.pointer_mut(&format!("{USER}/attributes"))
        .unwrap()
        .as_array_mut()
        .unwrap()
        .push(attribute("u", "City", "text"));
    assert_eq!(bench.patch_mapping(&more).await.0, 204);
    let (_, described) = reply(bench.call(Method::GET, &bench.source("schema-and-mapping"))).await;
    assert!(described.pointer(&format!("{USER}/attributes")).unwrap().to_string().contains("City"));
}

#[tokio::test]
async fn external_ids_are_unique_across_schemas() {
    let bench = mapped_bench().await;
    let other = bench.sim.add_source("Another schema");
    let url = bench.workspace(&format!("importsource/{}/mapping", other.id));
    let reply = reply(bench.client.put(url).bearer_auth(&other.token).json(&document())).await;
    assert!(codes(&reply).iter().all(|code| code == "EXTERNAL_ID_NOT_UNIQUE"), "{}", reply.1);
}

#[tokio::test]
async fn a_document_without_external_ids_is_taken_by_the_older_schema() {
    let bench = bench();
    let attribute = |name: &str, kind: &str| json!({"name": name, "description": "", "type": kind});
    let mut document = json!({
        "schema": {"objectSchema": {"name": "S", "description": "", "objectTypes": [{"name": "Drive", "description": "",
            "attributes": [with(attribute("Name", "text"), json!({"label": true})), attribute("Backup", "referenced_object")]}]}},
        "mapping": {"objectTypeMappings": [{"objectTypeName": "Drive", "selector": "drives", "description": "",
            "attributesMapping": [{"attributeName": "Name", "attributeLocators": ["name"], "externalIdPart": true}]}]},
    });
    assert_eq!(codes(&bench.put_mapping(&document).await)[0], "REQUIRED_KEY_MISSING");
    let backup = with(attribute("Backup", "referenced_object"), json!({"referenceObjectTypeName": "Drive"}));
    *document.pointer_mut(&format!("{USER}/attributes/1")).unwrap() = backup;
    assert_eq!(bench.put_mapping(&document).await.0, 204);
    let (_, described) = reply(bench.call(Method::GET, &bench.source("schema-and-mapping"))).await;
    let made = described.pointer(&format!("{USER}/externalId")).unwrap().as_str().unwrap();
    assert!(made.starts_with("cmdb::externalId/"));
}

/// Atlassian's own example: nested files, a reference by name, a reference to its own type.
#[tokio::test]
async fn the_hard_drives_of_the_official_guide_arrive() {
    let attribute = |id: &str, name: &str, kind: &str, more: Value| {
        with(json!({"externalId": id, "name": name, "description": name, "type": kind}), more)
    };
    let mapped = |id: &str, name: &str, locators: Value, more: Value| {
        let part = json!({"attributeExternalId": id, "attributeName": name, "attributeLocators": locators});
        with(part, more)
    };
    let label = || json!({"label": true});
    let to = |target: &str, most: i64| json!({"referenceObjectTypeExternalId": target, "maximumCardinality": most});
    let file = json!({"externalId": "type/file", "name": "File", "description": "", "attributes": [
        attribute("file/path", "Path", "text", label()), attribute("file/size", "Size", "integer", json!({}))]});
    let drive = json!({"externalId": "type/drive", "name": "Hard Drive", "description": "", "children": [file], "attributes": [
        attribute("drive/name", "Name", "text", label()),
        attribute("drive/os", "Operating System", "referenced_object", to("type/os", 1)),
        attribute("drive/backups", "Backups", "referenced_object", to("type/drive", -1)),
        attribute("drive/spec", "Specification", "text", json!({}))]});
    let os = json!({"externalId": "type/os", "name": "Operating System", "description": "", "attributes": [
        attribute("os/name", "Name", "text", label())]});
    let mapping = |id: &str, name: &str, selector: &str, attributes: Value| json!({"objectTypeExternalId": id, "objectTypeName": name, "selector": selector, "description": "", "attributesMapping": attributes});
    let identity = || json!({"externalIdPart": true});
    let by = |iql: &str| json!({"objectMappingIQL": iql});
    let document = json!({
        "schema": {"objectSchema": {"name": "Drives", "description": "", "objectTypes": [drive, os]}},
        "mapping": {"objectTypeMappings": [
            mapping("type/drive", "Hard Drive", "hardDrives", json!([
                mapped("drive/name", "Name", json!(["label"]), identity()),
                mapped("drive/os", "Operating System", json!(["os"]), by("Name Like ${os}")),
                mapped("drive/backups", "Backups", json!(["backups"]), by("Name IN (${backups${0}}) AND Name != none")),
                mapped("drive/spec", "Specification", json!(["maker", "model"]), json!({}))])),
            mapping("type/file", "File", "hardDrives.files", json!([
                mapped("file/path", "Path", json!(["path"]), identity()),
                mapped("file/size", "Size", json!(["size"]), identity())])),
            mapping("type/os", "Operating System", "systems", json!([mapped("os/name", "Name", json!(["name"]), identity())])),
        ]},
    });
    let bench = bench();
    let reply = bench.put_mapping(&document).await;
    assert_eq!(reply.0, 204, "{}", reply.1);
    let drives = json!([
        {"label": "One", "os": "macOS Big Sur", "backups": ["Two"], "maker": "Contoso", "model": "X1",
         "files": [{"path": "/a", "size": 1}, {"path": "/a", "size": 2}]},
        {"label": "Two", "backups": ["One", "none"], "files": [{"path": "/b", "size": 1}]},
    ]);
    let data = json!({"hardDrives": drives, "systems": [{"name": "macOS Big Sur"}]});
    let result = bench.import(data.clone()).await;
    assert_eq!(
        (&result["File"]["objectsCreated"], &result["Hard Drive"]["objectsWithUpdatedReferences"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(bench.import(data).await["File"]["objectsIdentical"], 3);
    let one = &bench.sim.objects("Hard Drive")[0].values;
    assert_eq!((&one["Operating System"][0], &one["Backups"][0]), (&"macOS Big Sur".to_owned(), &"Two".to_owned()));
    assert_eq!(one["Specification"], ["Contoso,X1"]);
    assert_eq!(bench.sim.counts().references["Hard Drive"]["Backups"], 2);
}

/// docs/assets.md, «Mapping».
#[tokio::test]
async fn an_import_source_made_anew_sees_the_types_and_may_not_give_them_other_external_ids() {
    let bench = mapped_bench().await;
    let anew = bench.sim.replace_source(assets::SOURCE_ID).unwrap();
    assert_eq!(reply(bench.call(Method::GET, &bench.source("configstatus"))).await.0, 401, "the old token is dead");
    let of_anew = |method: Method, name: &str| {
        let url = bench.workspace(&format!("importsource/{}/{name}", anew.id));
        bench.client.request(method, url).bearer_auth(&anew.token)
    };
    assert_eq!(reply(of_anew(Method::GET, "configstatus")).await.1["status"], "MISSING_MAPPING");
    let (status, described) = reply(of_anew(Method::GET, "schema-and-mapping")).await;
    assert_eq!((status.as_u16(), &described["mapping"]["objectTypeMappings"]), (200, &json!([])));
    assert_eq!(described["schema"]["objectSchema"]["objectTypes"][0]["name"], "User");
    let other: Value = serde_json::from_str(&document().to_string().replace("type/user", "type/other")).unwrap();
    let refused = reply(of_anew(Method::PUT, "mapping").json(&other)).await;
    assert!(codes(&refused).contains(&"EXTERNAL_ID_MISMATCH".to_owned()), "{}", refused.1);
    assert_eq!(reply(of_anew(Method::PUT, "mapping").json(&document())).await.0, 204);
}

/// docs/assets.md, «Existing object types».
#[tokio::test]
async fn types_that_people_made_have_external_ids_and_are_mapped_as_they_are() {
    let bench = bench();
    let made = [
        assets::AttributeByHand::new("Name", "text"),
        assets::AttributeByHand::new("Jira User", "user"),
        assets::AttributeByHand { without_external_id: true, ..assets::AttributeByHand::new("Old", "text") },
    ];
    bench.sim.add_object_type(assets::SOURCE_ID, "Person", None, &made).unwrap();
    let (_, described) = reply(bench.call(Method::GET, &bench.source("schema-and-mapping"))).await;
    let mut person = described.pointer(USER).unwrap().clone();
    let names: Vec<&str> =
        person["attributes"].as_array().unwrap().iter().map(|attribute| attribute["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Key", "Name", "Old"], "attributes for accounts are not shown");
    let name = person["attributes"][1].clone();
    assert!(name["externalId"].as_str().unwrap().starts_with("cmdb::externalId/"), "{name}");
    assert_eq!(person["attributes"][2].get("externalId"), None);

    for field in ["inheritance", "children"] {
        person.as_object_mut().unwrap().remove(field);
    }
    person["attributes"] = json!([name]);
    let mapping = |attribute: &Value, id: &str| {
        json!({"schema": {"objectSchema": {"name": "Entra ID", "description": "", "objectTypes": [person]}},
            "mapping": {"objectTypeMappings": [{"objectTypeExternalId": person["externalId"], "objectTypeName": "Person",
                "selector": "people", "description": "", "attributesMapping": [
                    {"attributeName": attribute, "attributeExternalId": id, "attributeLocators": ["name"],
                     "externalIdPart": true}]}]}})
    };
    let (_, types) = bench.object_api(Method::GET, "objectschema/1/objecttypes/flat", None).await;
    let path = format!("objecttype/{}/attributes", types[0]["id"].as_str().unwrap());
    let (_, attributes) = bench.object_api(Method::GET, &path, None).await;
    let account = attributes.as_array().unwrap().iter().find(|attribute| attribute["name"] == "Jira User").unwrap();
    assert_eq!(account["type"], 2);
    let account = mapping(&account["name"], account["externalId"].as_str().unwrap());
    let account = bench.put_mapping(&account).await;
    assert_eq!(codes(&account), ["UNKNOWN_EXTERNAL_ID_MAPPING"]);
    let right = mapping(&name["name"], name["externalId"].as_str().unwrap());
    let taken = bench.put_mapping(&right).await;
    assert_eq!(taken.0, 204, "{}", taken.1);
    let id = bench.sim.add_manual_object("Person", &[("Name", "Ada"), ("Jira User", "account-1")]).unwrap();
    let result = bench.import(json!({"people": [{"name": "Ada"}, {"name": "Bob"}]})).await;
    assert_eq!((&result["Person"]["objectsIdentical"], &result["Person"]["objectsCreated"]), (&json!(1), &json!(1)));
    let ada = bench.sim.objects("Person").into_iter().find(|object| object.id == id).unwrap();
    assert_eq!(ada.values["Jira User"], ["account-1"]);
}
