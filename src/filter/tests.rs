use super::*;
use crate::error::Faults;
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
    assert_eq!(filter.rule(EntityKind::Groups).unwrap().parsed.text(), "startswith(displayName,'team')");
    assert_eq!(Filter::from_json(&filter.to_json()).unwrap(), filter);
}

#[test]
fn every_fault_of_meaning_is_named() {
    let body = json!({
        "users": {"odata": "ciyt eq 'a' and shoe eq 1"},
        "groups": {"odata": "a", "where": {}},
        "devices": {"where": {"all": [{"property": "displayName", "operator": "equals", "value": "x"}, 7]}},
        "scope": {"users": "membersOf"},
        "exclude": {"userNames": ["*", "svc-*"], "groupNames": [""]},
    });
    let mut found = faults(body);
    found.sort();
    let expected = [
        ("/devices/where/all/0/operator", "invalid_value"),
        ("/devices/where/all/1", "invalid_type"),
        ("/exclude/groupNames/0", "invalid_value"),
        ("/exclude/userNames/0", "invalid_value"),
        ("/groups", "conflict"),
        ("/scope/groupIds", "required"),
        ("/users/odata", "invalid_filter"),
        ("/users/odata", "invalid_filter"),
    ];
    assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
}

/// The form is the document's business; a stored filter that is not a whole one is still never read as a wider one.
#[test]
fn a_body_of_another_form_is_refused() {
    for body in [
        json!([]),
        json!({"user": {}}),
        json!({"users": {"odata": 5}}),
        json!({"users": {"text": ""}}),
        json!({"scope": {"groupIds": ["x"]}}),
        json!({"outside": "keep"}),
        json!({"limits": {"maxUsers": -1}}),
        json!({"exclude": {"userIds": "x"}}),
    ] {
        assert_eq!(faults(body.clone()), [(String::new(), "invalid")], "{body}");
    }
}

#[test]
fn a_fault_of_form_in_one_part_does_not_hide_what_is_wrong_in_another() {
    let mut found = Faults::default();
    let body = json!({"limits": 7, "scope": {"groupIds": ["x"]}, "users": {"odata": "ciyt eq 'a'"}});
    Filter::collect(&body, "/filter", &mut found);
    let found: Vec<String> = found.into_vec().into_iter().map(|fault| fault.pointer).collect();
    assert_eq!(found, ["/filter/users/odata"]);
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
