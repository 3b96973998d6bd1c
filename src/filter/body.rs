//! The body of a filter: its fields, their defaults, and the reading that names every fault.

use crate::error::{Faults, TextPlace};
use crate::filter::pattern::Pattern;
use crate::filter::where_tree::{self, Where};
use crate::filter::{EntityKind, Filter, Rule, escape, odata};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The fields of a filter's body besides `name`.
pub const FIELDS: [&str; 7] = ["users", "groups", "devices", "scope", "outside", "exclude", "limits"];
/// The most excluded ids of one kind.
pub const MAX_IDS: usize = 10_000;
/// The most groups of `membersOf`: each is read apart.
pub const MAX_GROUPS: usize = 1000;
/// The most name patterns of one kind: each name is compared with all of them.
pub const MAX_PATTERNS: usize = 1000;

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
    /// The groups of `membersOf`; sorted, each once.
    #[schema(max_items = 1000)]
    pub group_ids: Vec<Uuid>,
    /// Whether members of nested groups count as members.
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
    /// Members of the groups that the filter takes.
    MembersOfFilteredGroups,
}

impl ScopeUsers {
    const ALL: [Self; 3] = [Self::All, Self::MembersOf, Self::MembersOfFilteredGroups];

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
    const ALL: [Self; 2] = [Self::All, Self::ContainingFilteredUsers];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::ContainingFilteredUsers => "containingFilteredUsers",
        }
    }
}

/// What becomes of references to objects outside the scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outside {
    /// They are left out, and counted.
    #[default]
    Drop,
    /// Their targets are imported with id and name only.
    Stub,
}

impl Outside {
    const ALL: [Self; 2] = [Self::Drop, Self::Stub];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Stub => "stub",
        }
    }
}

/// What is never imported; it wins over everything else.
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

/// [`Exclude`] in the API document.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExcludeBody {
    #[schema(max_items = 10_000)]
    pub user_ids: Vec<Uuid>,
    #[schema(max_items = 10_000)]
    pub group_ids: Vec<Uuid>,
    /// `*` stands for any text; compared with the user principal name and the display name. A pattern has at
    /// most 256 characters and names at least one.
    #[schema(max_items = 1000, example = json!(["svc-*"]))]
    pub user_names: Vec<String>,
    /// `*` stands for any text; compared with the display name.
    #[schema(max_items = 1000, example = json!(["test-*"]))]
    pub group_names: Vec<String>,
}

/// A condition in the API document: `odata` or `where`, not both.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RuleBody {
    /// Microsoft Graph's `$filter`, plain, not percent-encoded.
    #[schema(max_length = 8192, example = "accountEnabled eq true and userType eq 'Member'")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odata: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#where: Option<Where>,
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

/// The most objects to import; those with the smallest ids, so that every run takes the same.
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

/// Reads the whole body; what is wrong goes to `faults`.
pub(super) fn filter(body: &Value, pointer: &str, faults: &mut Faults) -> Filter {
    let mut reader = Reader { faults };
    let Some(body) = reader.object(body, pointer, &FIELDS) else { return Filter::default() };
    let rule = |reader: &mut Reader<'_>, kind: EntityKind| {
        let field = kind.as_str();
        present(body, field).and_then(|value| reader.rule(kind, value, &format!("{pointer}/{field}")))
    };
    Filter {
        users: rule(&mut reader, EntityKind::Users),
        groups: rule(&mut reader, EntityKind::Groups),
        devices: rule(&mut reader, EntityKind::Devices),
        scope: present(body, "scope").map(|value| reader.scope(value, &format!("{pointer}/scope"))).unwrap_or_default(),
        outside: present(body, "outside")
            .and_then(|value| reader.choice(value, &format!("{pointer}/outside"), &Outside::ALL, Outside::as_str))
            .unwrap_or_default(),
        exclude: present(body, "exclude")
            .map(|value| reader.exclude(value, &format!("{pointer}/exclude")))
            .unwrap_or_default(),
        limits: present(body, "limits")
            .map(|value| reader.limits(value, &format!("{pointer}/limits")))
            .unwrap_or_default(),
    }
}

/// What no filter should say, although one that was stored long ago may: groups without `membersOf` restrict
/// nothing, and everybody would be imported.
pub(super) fn check_groups(body: &Value, pointer: &str, faults: &mut Faults) {
    let scope = body.get("scope");
    let has_groups = scope.and_then(|scope| scope.get("groupIds")?.as_array()).is_some_and(|ids| !ids.is_empty());
    let users = scope.and_then(|scope| scope.get("users")).filter(|users| !users.is_null());
    if has_groups && users.is_none_or(|users| users == ScopeUsers::All.as_str()) {
        let detail = "`groupIds` takes effect with `users: membersOf` only; as it is, everybody would be imported. Set \
                      `users` to `membersOf`, or leave `groupIds` out.";
        faults.push(format!("{pointer}/scope/groupIds"), "conflict", detail);
    }
}

/// A field that is given; null means the default.
fn present<'v>(body: &'v Map<String, Value>, field: &str) -> Option<&'v Value> {
    body.get(field).filter(|value| !value.is_null())
}

struct Reader<'f> {
    faults: &'f mut Faults,
}

impl Reader<'_> {
    fn object<'v>(&mut self, value: &'v Value, pointer: &str, fields: &[&str]) -> Option<&'v Map<String, Value>> {
        let Value::Object(object) = value else {
            self.faults.push(pointer, "invalid_type", format!("An object is expected, with {}.", fields.join(", ")));
            return None;
        };
        for key in object.keys().filter(|key| !fields.contains(&key.as_str())) {
            let detail = format!("There is no such field; there are {}.", fields.join(", "));
            self.faults.push(format!("{pointer}/{}", escape(key)), "unknown_field", detail);
        }
        Some(object)
    }

    fn rule(&mut self, kind: EntityKind, value: &Value, pointer: &str) -> Option<Rule> {
        let object = self.object(value, pointer, &["odata", "where"])?;
        match (present(object, "odata"), present(object, "where")) {
            (Some(_), Some(_)) => {
                self.faults.push(pointer, "conflict", "Give `odata` or `where`, not both.");
                None
            }
            (None, None) => {
                // An object without a condition takes everything; what is wrong with its fields is said above.
                None
            }
            (Some(Value::String(text)), None) => self.odata(kind, text, &format!("{pointer}/odata")),
            (Some(_), None) => {
                self.faults.push(format!("{pointer}/odata"), "invalid_type", "A filter text is expected.");
                None
            }
            (None, Some(tree)) => {
                let parsed = where_tree::parse(kind, tree, &format!("{pointer}/where"), self.faults)?;
                Some(Rule { written: Written::Where(tree.clone()), parsed })
            }
        }
    }

    fn odata(&mut self, kind: EntityKind, text: &str, pointer: &str) -> Option<Rule> {
        match odata::parse_all(kind, text) {
            Ok(parsed) => Some(Rule { written: Written::Odata(text.trim().to_owned()), parsed }),
            Err(errors) => {
                for error in errors {
                    let detail = error.to_string();
                    let place = TextPlace { offset: error.offset, length: error.length, suggestion: error.suggestion };
                    self.faults.push_in_text(pointer, "invalid_filter", detail, place);
                }
                None
            }
        }
    }

    fn scope(&mut self, value: &Value, pointer: &str) -> Scope {
        let mut scope = Scope::default();
        let fields = ["users", "groupIds", "transitive", "groups"];
        let Some(object) = self.object(value, pointer, &fields) else { return scope };
        if let Some(value) = present(object, "users") {
            let at = format!("{pointer}/users");
            scope.users = self.choice(value, &at, &ScopeUsers::ALL, ScopeUsers::as_str).unwrap_or_default();
        }
        if let Some(value) = present(object, "groups") {
            let at = format!("{pointer}/groups");
            scope.groups = self.choice(value, &at, &ScopeGroups::ALL, ScopeGroups::as_str).unwrap_or_default();
        }
        match present(object, "transitive") {
            None => {}
            Some(Value::Bool(value)) => scope.transitive = *value,
            Some(_) => self.faults.push(format!("{pointer}/transitive"), "invalid_type", "true or false is expected."),
        }
        let at = format!("{pointer}/groupIds");
        let given = present(object, "groupIds");
        scope.group_ids = given.map(|value| self.ids(value, &at, MAX_GROUPS)).unwrap_or_default();
        let is_empty = given.is_none_or(|value| value.as_array().is_some_and(Vec::is_empty));
        if scope.users == ScopeUsers::MembersOf && is_empty {
            self.faults.push(at, "required", "`membersOf` needs the id of at least one group.");
        }
        scope
    }

    fn exclude(&mut self, value: &Value, pointer: &str) -> Exclude {
        let mut exclude = Exclude::default();
        let fields = ["userIds", "groupIds", "userNames", "groupNames"];
        let Some(object) = self.object(value, pointer, &fields) else { return exclude };
        let at = |field: &str| format!("{pointer}/{field}");
        if let Some(value) = present(object, "userIds") {
            exclude.user_ids = self.ids(value, &at("userIds"), MAX_IDS);
        }
        if let Some(value) = present(object, "groupIds") {
            exclude.group_ids = self.ids(value, &at("groupIds"), MAX_IDS);
        }
        if let Some(value) = present(object, "userNames") {
            exclude.user_names = self.patterns(value, &at("userNames"));
        }
        if let Some(value) = present(object, "groupNames") {
            exclude.group_names = self.patterns(value, &at("groupNames"));
        }
        exclude
    }

    fn limits(&mut self, value: &Value, pointer: &str) -> Limits {
        let Some(object) = self.object(value, pointer, &["maxUsers", "maxGroups"]) else { return Limits::default() };
        let mut limit = |field: &str| {
            let value = present(object, field)?;
            let limit = value.as_u64().filter(|limit| *limit >= 1);
            if limit.is_none() {
                let code = if value.is_number() { "out_of_range" } else { "invalid_type" };
                let detail = "A whole number of at least 1 is expected, or null for no limit.";
                self.faults.push(format!("{pointer}/{field}"), code, detail);
            }
            limit
        };
        Limits { max_users: limit("maxUsers"), max_groups: limit("maxGroups") }
    }

    fn choice<T: Copy>(&mut self, value: &Value, pointer: &str, all: &[T], name: fn(T) -> &'static str) -> Option<T> {
        let found = value.as_str().and_then(|text| all.iter().copied().find(|known| name(*known) == text));
        if found.is_none() {
            let names = all.iter().map(|known| name(*known)).collect::<Vec<_>>().join(", ");
            let code = if value.is_string() { "invalid_value" } else { "invalid_type" };
            self.faults.push(pointer, code, format!("One of {names} is expected."));
        }
        found
    }

    /// The entries of a list of texts.
    fn list<T>(
        &mut self,
        value: &Value,
        pointer: &str,
        what: &str,
        most: usize,
        parse: impl Fn(&str) -> std::result::Result<T, String>,
    ) -> Vec<T> {
        let Value::Array(list) = value else {
            self.faults.push(pointer, "invalid_type", format!("A list of {what} is expected."));
            return Vec::new();
        };
        if list.len() > most {
            let detail = format!("The list has {} entries; at most {most} are possible.", list.len());
            self.faults.push(pointer, "out_of_range", detail);
            return Vec::new();
        }
        let mut found = Vec::with_capacity(list.len());
        for (index, entry) in list.iter().enumerate() {
            let at = format!("{pointer}/{index}");
            match entry.as_str().map(&parse) {
                Some(Ok(entry)) => found.push(entry),
                Some(Err(detail)) => self.faults.push(at, "invalid_value", detail),
                None => self.faults.push(at, "invalid_type", format!("One of {what} is expected, as a text.")),
            }
        }
        found
    }

    fn ids(&mut self, value: &Value, pointer: &str, most: usize) -> Vec<Uuid> {
        let parse =
            |text: &str| Uuid::parse_str(text.trim()).map_err(|_| format!("`{text}` is not an object id (a GUID)."));
        let mut ids = self.list(value, pointer, "object ids", most, parse);
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn patterns(&mut self, value: &Value, pointer: &str) -> Vec<Pattern> {
        self.list(value, pointer, "name patterns", MAX_PATTERNS, Pattern::parse)
    }
}
