//! The body of a filter: its fields, their defaults, and the parsing of its conditions and name patterns.

use crate::error::{Error, Fault, Faults, Result, TextPlace};
use crate::filter::kinds::ByKind;
use crate::filter::odata::{self, ParseError};
use crate::filter::pattern::Pattern;
use crate::filter::where_tree::{self, Where};
use crate::filter::{EntityKind, Exclude, Filter, Limits, Outside, Rule, Scope, ScopeUsers, Written};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// What is never imported: it wins over every condition.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExcludeBody {
    /// The object ids of users.
    #[schema(max_items = 10_000)]
    pub user_ids: Vec<Uuid>,
    /// The object ids of groups.
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
    /// The condition as a tree.
    // A value: `where_tree` reads it and points to each fault in the tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Where>)]
    pub r#where: Option<Value>,
}

impl Filter {
    /// Parses the body without `name`. The error has all faults, with pointers into the body.
    pub fn from_json(body: &Value) -> Result<Filter> {
        let mut faults = Faults::default();
        let filter = Body::whole(body)?.parse("", &mut faults);
        faults.into_result()?;
        Ok(filter)
    }

    /// Like [`Filter::from_json`], for a caller that checks the form of the body and collects faults: `pointer` is the
    /// place of the body. The result is complete only if there is no fault. Stricter than the reading of a stored filter.
    pub fn collect(body: &Value, pointer: &str, faults: &mut Faults) -> Filter {
        let body = Body::parts(body);
        body.check_groups(pointer, faults);
        body.parse(pointer, faults)
    }
}

/// The body of a filter without its name. Its form is checked in one place, by the document: this only reads it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    /// Every field that is not one of the others, so that a field that no filter has is an error.
    #[serde(flatten)]
    rules: ByKind<Option<RuleBody>>,
    scope: Option<Scope>,
    outside: Option<Outside>,
    exclude: Option<ExcludeBody>,
    limits: Option<Limits>,
}

impl Body {
    /// Reads a body that must be whole, such as a stored one.
    fn whole(body: &Value) -> Result<Self> {
        let invalid = |why: String| {
            Error::validation(vec![Fault::new("", "invalid", format!("This is not the body of a filter: {why}"))])
        };
        // Serde would read a list as the fields in their order.
        if !body.is_object() {
            return Err(invalid("it must be a JSON object".to_owned()));
        }
        serde_json::from_value(body.clone()).map_err(|e| invalid(e.to_string()))
    }

    /// Reads the parts of a body that can be read, so that a fault of form in one does not hide what is wrong in another.
    fn parts(body: &Value) -> Self {
        fn part<T: DeserializeOwned>(body: &Value, name: &str) -> Option<T> {
            body.get(name).and_then(|part| serde_json::from_value(part.clone()).ok())
        }
        Self {
            rules: EntityKind::ALL.into_iter().map(|kind| (kind, part(body, kind.as_str()))).collect(),
            scope: part(body, "scope"),
            outside: part(body, "outside"),
            exclude: part(body, "exclude"),
            limits: part(body, "limits"),
        }
    }

    /// What no filter should say, although one that was stored long ago may: groups without `membersOf` restrict
    /// nothing, and everybody would be imported.
    fn check_groups(&self, pointer: &str, faults: &mut Faults) {
        if self.scope.as_ref().is_some_and(|scope| !scope.group_ids.is_empty() && scope.users == ScopeUsers::All) {
            let detail = "`groupIds` takes effect only with `users: membersOf`; as it is, everybody would be imported. \
                          Set `users` to `membersOf`, or leave out `groupIds`.";
            faults.push(format!("{pointer}/scope/groupIds"), "conflict", detail);
        }
    }

    /// Parses the conditions and the name patterns. Every fault is added to `faults`.
    fn parse(self, pointer: &str, faults: &mut Faults) -> Filter {
        let rules = self.rules.into_iter().filter_map(|(kind, rule)| {
            let parsed = rule?.parse(kind, &format!("{pointer}/{}", kind.as_str()), faults)?;
            Some((kind, parsed))
        });
        let rules = rules.collect();
        let mut scope = self.scope.unwrap_or_default();
        if scope.users == ScopeUsers::MembersOf && scope.group_ids.is_empty() {
            let detail = "`membersOf` needs the id of at least one group.";
            faults.push(format!("{pointer}/scope/groupIds"), "required", detail);
        }
        sort(&mut scope.group_ids);
        Filter {
            rules,
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
                        let ParseError { offset, length, found, expected, suggestion, message: _ } = error;
                        let place = TextPlace { offset, length, found, expected, suggestion };
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
