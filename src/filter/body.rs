//! The body of a filter: its fields, their defaults, and the parsing of its conditions and name patterns.

use crate::error::{Error, Fault, Faults, Result, TextPlace};
use crate::filter::pattern::Pattern;
use crate::filter::where_tree::{self, Where};
use crate::filter::{EntityKind, Filter, Rule, odata};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A condition as it was written: `odata` or `where`.
#[derive(Clone, PartialEq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Written {
    Odata(String),
    #[schema(value_type = Where)]
    Where(Value),
}

impl Written {
    pub fn to_json(&self) -> Value {
        match self {
            Written::Odata(text) => json!({ "odata": text }),
            Written::Where(tree) => json!({ "where": tree }),
        }
    }
}

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

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ScopeUsers {
    #[default]
    All,
    /// Members of the groups in `groupIds`.
    MembersOf,
    /// Members of the groups that the filter selects.
    MembersOfFilteredGroups,
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

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ScopeGroups {
    #[default]
    All,
    /// Groups that have a user in scope as a member.
    ContainingFilteredUsers,
}

impl ScopeGroups {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ContainingFilteredUsers => "containingFilteredUsers",
        }
    }
}

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

/// What is never imported: it wins over every condition.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExcludeBody {
    #[schema(max_items = 10_000)]
    pub user_ids: Vec<Uuid>,
    #[schema(max_items = 10_000)]
    pub group_ids: Vec<Uuid>,
    /// Patterns, compared with the user principal name and the display name. `*` stands for any text. A pattern has at
    /// most 256 characters, at least one of them not `*`.
    #[schema(max_items = 1000, example = json!(["svc-*"]))]
    pub user_names: Vec<String>,
    /// Patterns, compared with the display name. `*` stands for any text.
    #[schema(max_items = 1000, example = json!(["test-*"]))]
    pub group_names: Vec<String>,
}

/// A condition: `odata` or `where`, not both.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RuleBody {
    /// Microsoft Graph's `$filter`, plain, not percent-encoded.
    #[schema(max_length = 8192, example = "accountEnabled eq true and userType eq 'Member'")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odata: Option<String>,
    /// Read by `where_tree`, which points to each fault in the tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Where>)]
    pub r#where: Option<Value>,
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

    /// Whether an object, in Graph's own JSON, is excluded by id or name. Devices never are.
    pub fn excludes(&self, kind: EntityKind, object: &Map<String, Value>) -> bool {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let id = text("id").and_then(|id| Uuid::parse_str(id).ok());
        match kind {
            EntityKind::Users => self.excludes_user(id, [text("userPrincipalName"), text("displayName")]),
            EntityKind::Groups => self.excludes_group(id, text("displayName")),
            EntityKind::Devices => false,
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
    #[schema(minimum = 1)]
    pub max_users: Option<u64>,
    #[schema(minimum = 1)]
    pub max_groups: Option<u64>,
}

impl Limits {
    pub(super) fn to_json(self) -> Value {
        json!({ "maxUsers": self.max_users, "maxGroups": self.max_groups })
    }
}

/// The body of a filter without its name. Its form is checked in one place, by the document: this only reads it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Body {
    users: Option<RuleBody>,
    groups: Option<RuleBody>,
    devices: Option<RuleBody>,
    scope: Option<Scope>,
    outside: Option<Outside>,
    exclude: Option<ExcludeBody>,
    limits: Option<Limits>,
}

impl Body {
    /// Reads a body that must be whole, such as a stored one.
    pub fn whole(body: &Value) -> Result<Self> {
        serde_json::from_value(body.clone()).map_err(|e| {
            Error::validation(vec![Fault::new("", "invalid", format!("This is not the body of a filter: {e}"))])
        })
    }

    /// Reads the parts of a body that can be read, so that a fault of form in one does not hide what is wrong in another.
    pub fn parts(body: &Value) -> Self {
        fn part<T: DeserializeOwned>(body: &Value, name: &str) -> Option<T> {
            body.get(name).and_then(|part| serde_json::from_value(part.clone()).ok())
        }
        Self {
            users: part(body, "users"),
            groups: part(body, "groups"),
            devices: part(body, "devices"),
            scope: part(body, "scope"),
            outside: part(body, "outside"),
            exclude: part(body, "exclude"),
            limits: part(body, "limits"),
        }
    }

    /// What no filter should say, although one that was stored long ago may: groups without `membersOf` restrict
    /// nothing, and everybody would be imported.
    pub fn check_groups(&self, pointer: &str, faults: &mut Faults) {
        if self.scope.as_ref().is_some_and(|scope| !scope.group_ids.is_empty() && scope.users == ScopeUsers::All) {
            let detail = "`groupIds` takes effect only with `users: membersOf`; as it is, everybody would be imported. \
                          Set `users` to `membersOf`, or leave out `groupIds`.";
            faults.push(format!("{pointer}/scope/groupIds"), "conflict", detail);
        }
    }

    /// Parses the conditions and the name patterns. Every fault is added to `faults`.
    pub fn parse(self, pointer: &str, faults: &mut Faults) -> Filter {
        let mut parse = |kind: EntityKind, rule: Option<RuleBody>| {
            rule.and_then(|rule| rule.parse(kind, &format!("{pointer}/{}", kind.as_str()), faults))
        };
        let users = parse(EntityKind::Users, self.users);
        let groups = parse(EntityKind::Groups, self.groups);
        let devices = parse(EntityKind::Devices, self.devices);
        let mut scope = self.scope.unwrap_or_default();
        if scope.users == ScopeUsers::MembersOf && scope.group_ids.is_empty() {
            let detail = "`membersOf` needs the id of at least one group.";
            faults.push(format!("{pointer}/scope/groupIds"), "required", detail);
        }
        sort(&mut scope.group_ids);
        Filter {
            users,
            groups,
            devices,
            scope,
            outside: self.outside.unwrap_or_default(),
            exclude: self.exclude.unwrap_or_default().parse(&format!("{pointer}/exclude"), faults),
            limits: self.limits.unwrap_or_default(),
        }
    }
}

impl RuleBody {
    /// `None`: there is no condition, or it has faults.
    fn parse(self, kind: EntityKind, pointer: &str, faults: &mut Faults) -> Option<Rule> {
        match (self.odata, self.r#where) {
            (Some(_), Some(_)) => {
                faults.push(pointer, "conflict", "Give `odata` or `where`, not both.");
                None
            }
            (None, None) => None,
            (Some(text), None) => match odata::parse_all(kind, &text) {
                Ok(parsed) => Some(Rule { written: Written::Odata(text.trim().to_owned()), parsed }),
                Err(errors) => {
                    for error in errors {
                        let detail = error.to_string();
                        let place =
                            TextPlace { offset: error.offset, length: error.length, suggestion: error.suggestion };
                        faults.push_in_text(&format!("{pointer}/odata"), "invalid_filter", detail, place);
                    }
                    None
                }
            },
            (None, Some(tree)) => {
                let parsed = where_tree::parse(kind, &tree, &format!("{pointer}/where"), faults)?;
                Some(Rule { written: Written::Where(tree), parsed })
            }
        }
    }
}

impl ExcludeBody {
    fn parse(self, pointer: &str, faults: &mut Faults) -> Exclude {
        let mut parse = |field: &str, names: Vec<String>| {
            let mut patterns = Vec::with_capacity(names.len());
            for (index, name) in names.iter().enumerate() {
                match Pattern::parse(name) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(detail) => faults.push(format!("{pointer}/{field}/{index}"), "invalid_value", detail),
                }
            }
            patterns
        };
        let (user_names, group_names) = (parse("userNames", self.user_names), parse("groupNames", self.group_names));
        let (mut user_ids, mut group_ids) = (self.user_ids, self.group_ids);
        sort(&mut user_ids);
        sort(&mut group_ids);
        Exclude { user_ids, group_ids, user_names, group_names }
    }
}

fn sort(ids: &mut Vec<Uuid>) {
    ids.sort_unstable();
    ids.dedup();
}
