//! Jira's accounts: the search for them, and what the caller may do. Basic authentication only.
//! Source: docs/assets.md, «Jira accounts».

use super::account::Account;
use super::answer::{Answer, Caller};
use super::state::State;
use serde_json::json;

/// Results of a search without `maxResults`.
const PAGE: usize = 50;
const MAX_PAGE: usize = 1000;

/// What is below `/rest/api/3/`.
pub(super) fn route(state: &mut State, method: &str, path: &[&str], query: &str, caller: Caller) -> Answer {
    if !matches!(caller, Caller::Basic) {
        return Answer::unauthorized();
    }
    let per_minute = state.behaviour.jira_calls_per_minute;
    if let Err(seconds) = state.traffic.jira_call(per_minute, state.clock.now()) {
        return Answer::refused(429, "Rate limit exceeded.").with_header("Retry-After", seconds.to_string());
    }
    let parameter = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    match (method, path) {
        ("GET", ["user", "search"]) => match parameter("query").filter(|text| !text.is_empty()) {
            Some(text) => {
                let most =
                    parameter("maxResults").and_then(|most| most.parse().ok()).unwrap_or(PAGE).clamp(1, MAX_PAGE);
                search(state, &text, most)
            }
            None => Answer::refused(400, "The query parameter 'query' is required."),
        },
        ("GET", ["mypermissions"]) => permissions(state, parameter("permissions").as_deref()),
        _ => Answer::not_found("The path"),
    }
}

/// Who may not see others finds nobody.
fn search(state: &State, text: &str, most: usize) -> Answer {
    let behaviour = &state.behaviour;
    let is_seen = |account: &&Account| {
        behaviour.may_browse_users && (account.active || behaviour.finds_inactive_accounts) && account.is_found_by(text)
    };
    let found = state.accounts.iter().filter(is_seen).take(most);
    Answer::json(200, found.map(|account| account.described(&state.origin)).collect())
}

fn permissions(state: &State, wanted: Option<&str>) -> Answer {
    let Some(wanted) = wanted else {
        return Answer::refused(400, "The 'permissions' query parameter is required.");
    };
    let mut permissions = serde_json::Map::new();
    for key in wanted.split(',') {
        if key != "USER_PICKER" {
            return Answer::refused(400, format!("The permission {key} is not valid."));
        }
        let described = json!({"id": "27", "key": key, "name": "Browse users and groups", "type": "GLOBAL",
            "havePermission": state.behaviour.may_browse_users});
        permissions.insert(key.to_owned(), described);
    }
    Answer::json(200, json!({ "permissions": permissions }))
}
