//! What the twins import.

use serde_json::{Value, json};
use uuid::Uuid;

/// The settings of two jobs.
pub struct Case {
    pub name: &'static str,
    pub objects: fn() -> Value,
    /// By a group that stays.
    pub rule: fn(Uuid) -> Value,
    /// Columns of both jobs.
    pub job: &'static str,
    /// Rounds in which something is compared alone; in the others everything is.
    pub follows: bool,
}

fn nothing(_: Uuid) -> Value {
    json!({})
}

fn some_types() -> Value {
    json!({"devices": {"enabled": true}, "servicePlans": {"enabled": true}})
}

fn all_types() -> Value {
    let types = [
        "devices",
        "servicePlans",
        "applications",
        "servicePrincipals",
        "appCredentials",
        "administrativeUnits",
        "roles",
        "intuneDevices",
        "departments",
        "jobTitles",
        "cities",
    ];
    types.iter().map(|name| ((*name).to_owned(), json!({"enabled": true}))).collect::<serde_json::Map<_, _>>().into()
}

pub const CASES: [Case; 12] = [
    Case {
        name: "everything, memberships on users",
        objects: some_types,
        rule: nothing,
        job: "memberships = 'onUser'",
        follows: true,
    },
    Case {
        name: "memberships on groups, marked after two runs",
        objects: some_types,
        rule: nothing,
        job: "memberships = 'onGroup', removal_policy = 'mark', removal_after_missing_runs = 2",
        follows: true,
    },
    Case {
        name: "memberships on both sides, conditions on users and groups",
        objects: || json!({}),
        rule: |_| json!({"users": {"odata": "department ne null"}, "groups": {"odata": "mailEnabled eq false"}}),
        job: "memberships = 'both', removal_policy = 'mark', removal_after_missing_runs = 1",
        follows: true,
    },
    Case {
        name: "the members of a group",
        objects: || json!({}),
        rule: |group| json!({"scope": {"users": "membersOf", "groupIds": [group]}}),
        job: "memberships = 'both'",
        follows: true,
    },
    Case {
        name: "the members of the groups that a condition takes",
        objects: || json!({}),
        rule: |_| {
            let groups = json!({"odata": "mailEnabled eq false"});
            json!({"groups": groups, "scope": {"users": "membersOfFilteredGroups"}})
        },
        job: "memberships = 'onUser', removal_policy = 'remove'",
        follows: true,
    },
    Case {
        name: "limits",
        objects: || json!({}),
        rule: |_| json!({"limits": {"maxUsers": 22, "maxGroups": 9}}),
        job: "memberships = 'both', removal_policy = 'mark', removal_after_missing_runs = 1",
        follows: true,
    },
    Case {
        name: "the groups that contain the members of a group",
        objects: || json!({}),
        rule: |group| {
            let scope = json!({"users": "membersOf", "groupIds": [group], "groups": "containingFilteredUsers"});
            json!({"scope": scope, "limits": {"maxUsers": 12, "maxGroups": 6}})
        },
        job: "memberships = 'both'",
        follows: true,
    },
    Case { name: "all types", objects: all_types, rule: nothing, job: "memberships = 'onUser'", follows: true },
    Case {
        name: "groups at any depth",
        objects: || json!({"users": {"references": ["groups", "allGroups", "manager"]}}),
        rule: nothing,
        job: "memberships = 'onUser'",
        follows: false,
    },
    Case {
        name: "limits and stubs",
        objects: || json!({}),
        rule: |group| json!({"scope": {"users": "membersOf", "groupIds": [group]}, "outside": "stub", "limits": {"maxGroups": 9}}),
        job: "memberships = 'onUser'",
        follows: true,
    },
    Case {
        name: "stubs of what conditions leave out",
        objects: some_types,
        rule: |_| {
            let groups = json!({"odata": "mailEnabled eq false"});
            json!({"users": {"odata": "department ne null"}, "groups": groups, "outside": "stub"})
        },
        job: "memberships = 'both', removal_policy = 'mark', removal_after_missing_runs = 1",
        follows: true,
    },
    Case {
        name: "without groups of some names",
        objects: || json!({}),
        rule: |_| json!({"exclude": {"groupNames": ["*0", "*2", "*4", "*7"]}}),
        job: "memberships = 'both', removal_policy = 'mark', removal_after_missing_runs = 1",
        follows: true,
    },
];
