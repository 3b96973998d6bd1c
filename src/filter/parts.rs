//! The parts of a filter besides its conditions: scope, references to the outside, exclusions, limits.

use crate::filter::EntityKind;
use crate::filter::pattern::Pattern;
use crate::text_enum::explained;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Which users and groups are in scope, beyond their conditions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scope {
    pub users: ScopeUsers,
    /// The groups of `membersOf`, sorted and without duplicates.
    #[schema(max_items = 1000)]
    pub group_ids: Vec<Uuid>,
    /// Whether members of nested groups count as members too.
    pub transitive: bool,
    pub groups: ScopeGroups,
}

impl Default for Scope {
    fn default() -> Self {
        Self { users: ScopeUsers::All, group_ids: Vec::new(), transitive: true, groups: ScopeGroups::All }
    }
}

impl Scope {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "users": self.users.as_str(),
            "groupIds": self.group_ids,
            "transitive": self.transitive,
            "groups": self.groups.as_str(),
        })
    }
}

explained! {
    /// Which of the selected users are imported.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum ScopeUsers {
        /// All users that the filter selects.
        #[default]
        All,
        /// Members of the groups in `groupIds`.
        MembersOf,
        /// Members of the groups that the filter selects.
        MembersOfFilteredGroups,
    }
}

impl ScopeUsers {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::MembersOf => "membersOf",
            Self::MembersOfFilteredGroups => "membersOfFilteredGroups",
        }
    }
}

explained! {
    /// Which of the selected groups are imported.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum ScopeGroups {
        /// All groups that the filter selects.
        #[default]
        All,
        /// Groups that have a user in scope as a member.
        ContainingFilteredUsers,
    }
}

impl ScopeGroups {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ContainingFilteredUsers => "containingFilteredUsers",
        }
    }
}

explained! {
    /// What happens to references to objects outside the scope.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum Outside {
        /// They are left out and counted.
        #[default]
        Drop,
        /// Their targets are imported with their id and name only.
        Stub,
    }
}

impl Outside {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Stub => "stub",
        }
    }
}

/// What is never imported: it wins over every condition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exclude {
    /// Sorted, each once; likewise `group_ids`.
    pub user_ids: Vec<Uuid>,
    pub group_ids: Vec<Uuid>,
    /// Compared with `userPrincipalName` and `displayName`.
    pub user_names: Vec<Pattern>,
    /// Compared with `displayName`.
    pub group_names: Vec<Pattern>,
}

impl Exclude {
    /// Whether it excludes nothing.
    pub fn is_empty(&self) -> bool {
        self.user_ids.is_empty()
            && self.group_ids.is_empty()
            && self.user_names.is_empty()
            && self.group_names.is_empty()
    }

    pub(super) fn to_json(&self) -> Value {
        fn names(patterns: &[Pattern]) -> Vec<&str> {
            patterns.iter().map(Pattern::as_str).collect()
        }
        json!({
            "userIds": self.user_ids,
            "groupIds": self.group_ids,
            "userNames": names(&self.user_names),
            "groupNames": names(&self.group_names),
        })
    }

    /// Whether an object, in Graph's own JSON, is excluded by id or name. Only users and groups ever are.
    pub fn excludes(&self, kind: EntityKind, object: &Map<String, Value>) -> bool {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let id = text("id").and_then(|id| Uuid::parse_str(id).ok());
        match kind {
            EntityKind::Users => self.excludes_user(id, [text("userPrincipalName"), text("displayName")]),
            EntityKind::Groups => self.excludes_group(id, text("displayName")),
            _ => false,
        }
    }

    /// By id, or by the names given: user principal name and display name.
    pub fn excludes_user<'n>(&self, id: Option<Uuid>, names: impl IntoIterator<Item = Option<&'n str>>) -> bool {
        id.is_some_and(|id| self.user_ids.binary_search(&id).is_ok())
            || (!self.user_names.is_empty() && names.into_iter().flatten().any(|name| any(&self.user_names, name)))
    }

    /// By id or display name.
    pub fn excludes_group(&self, id: Option<Uuid>, name: Option<&str>) -> bool {
        id.is_some_and(|id| self.group_ids.binary_search(&id).is_ok())
            || name.is_some_and(|name| any(&self.group_names, name))
    }
}

fn any(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// The maximum number of objects to import. Those with the smallest ids are taken, so that every run takes the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// How many users are imported at most; null: all.
    #[schema(minimum = 1)]
    pub max_users: Option<u64>,
    /// How many groups are imported at most; null: all.
    #[schema(minimum = 1)]
    pub max_groups: Option<u64>,
}

impl Limits {
    pub(super) fn to_json(self) -> Value {
        json!({ "maxUsers": self.max_users, "maxGroups": self.max_groups })
    }
}
