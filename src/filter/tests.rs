use super::*;
use serde_json::json;

fn faults(body: Value) -> Vec<(String, &'static str)> {
    let error = Filter::from_json(&body).unwrap_err();
    error.faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

#[test]
fn an_empty_body_takes_everything() {
    let filter = Filter::from_json(&json!({})).unwrap();
    assert_eq!(filter, Filter::default());
    assert!(filter.scope.transitive);
    let nulls = json!({"users": null, "groups": {}, "devices": {"odata": null}, "scope": null, "outside": null, "exclude": null,
                       "limits": {"maxUsers": null}});
    assert_eq!(Filter::from_json(&nulls).unwrap(), filter);
}

#[test]
fn a_whole_body_comes_back() {
    let body = json!({
        "users": {"odata": "accountEnabled eq true"},
        "groups": {"where": {"property": "displayName", "operator": "startsWith", "value": "team"}},
        "devices": null,
        "scope": {"users": "membersOf", "groupIds": ["00000000-0000-4000-8000-000000000001"], "transitive": false,
                  "groups": "containingFilteredUsers"},
        "outside": "stub",
        "exclude": {"userIds": [], "groupIds": ["00000000-0000-4000-8000-000000000002"], "userNames": ["svc-*"],
                    "groupNames": []},
        "limits": {"maxUsers": 100, "maxGroups": null},
    });
    let filter = Filter::from_json(&body).unwrap();
    assert_eq!(filter.to_json(), body);
    assert_eq!(filter.groups.as_ref().unwrap().parsed.text(), "startswith(displayName,'team')");
    assert_eq!(Filter::from_json(&filter.to_json()).unwrap(), filter);
}

#[test]
fn every_fault_is_named() {
    let body = json!({
        "user": {},
        "users": {"odata": "ciyt eq 'a' and shoe eq 1", "text": ""},
        "groups": {"odata": "a", "where": {}},
        "devices": {"odata": 5},
        "scope": {"users": "membersOf", "groups": "some", "transitive": "yes", "groupIds": ["x"]},
        "outside": "keep",
        "exclude": {"userNames": ["*", 1], "userIds": "x"},
        "limits": {"maxUsers": 0, "maxGroups": -1, "maxDevices": 1},
    });
    let mut found = faults(body);
    found.sort();
    let expected = [
        ("/devices/odata", "invalid_type"),
        ("/exclude/userIds", "invalid_type"),
        ("/exclude/userNames/0", "invalid_value"),
        ("/exclude/userNames/1", "invalid_type"),
        ("/groups", "conflict"),
        ("/limits/maxDevices", "unknown_field"),
        ("/limits/maxGroups", "out_of_range"),
        ("/limits/maxUsers", "out_of_range"),
        ("/outside", "invalid_value"),
        ("/scope/groupIds/0", "invalid_value"),
        ("/scope/groups", "invalid_value"),
        ("/scope/transitive", "invalid_type"),
        ("/user", "unknown_field"),
        ("/users/odata", "invalid_filter"),
        ("/users/odata", "invalid_filter"),
        ("/users/text", "unknown_field"),
    ];
    assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    assert_eq!(faults(json!([])), [(String::new(), "invalid_type")]);
    assert_eq!(faults(json!({"scope": {"users": "membersOf"}})), [("/scope/groupIds".to_owned(), "required")]);
}

#[test]
fn exclusion_wins_over_the_condition() {
    let filter = Filter::from_json(&json!({
        "users": {"odata": "accountEnabled eq true"},
        "exclude": {"userNames": ["svc-*"], "userIds": ["00000000-0000-4000-8000-000000000001"], "groupNames": ["*test*"]},
    }))
    .unwrap();
    let admits = |kind, object: Value| filter.admits(kind, object.as_object().unwrap());
    let user = |id: u8, upn: &str, enabled: bool| json!({"id": format!("00000000-0000-4000-8000-0000000000{id:02}"), "userPrincipalName": upn, "accountEnabled": enabled});
    assert!(admits(EntityKind::Users, user(2, "ada@contoso.com", true)));
    assert!(!admits(EntityKind::Users, user(2, "ada@contoso.com", false)));
    assert!(!admits(EntityKind::Users, user(2, "SVC-backup@contoso.com", true)));
    assert!(!admits(EntityKind::Users, user(1, "ada@contoso.com", true)));
    assert!(!admits(EntityKind::Groups, json!({"displayName": "All Testers"})));
    assert!(admits(EntityKind::Groups, json!({"displayName": "Team"})));
}

#[test]
fn what_delta_cannot_see_is_told_for_each_kind() {
    let filter = Filter::from_json(&json!({
        "users": {"odata": "signInActivity/lastSignInDateTime ge 2026-01-01"},
        "groups": {"odata": "owners/$count eq 0"},
    }))
    .unwrap();
    assert_eq!(filter.local_only_problems().len(), 2);
}
