//! The nodes of a condition tree, as the API describes them.

use crate::text_enum::explained;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A node of the tree.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Where {
    ElementsAny(ElementsAny),
    ElementsAll(ElementsAll),
    All(All),
    Any(Any),
    Not(Not),
    Condition(Condition),
}

/// Described by hand: `anyOf` in this order, each with its required fields, is what both generators of Python clients
/// read and write without loss. With `oneOf`, a condition matches several variants for them.
impl PartialSchema for Where {
    fn schema() -> RefOr<Schema> {
        let example = json!({"all": [
            {"property": "department", "operator": "eq", "value": "Engineering"},
            {"not": {"property": "userType", "operator": "eq", "value": "Guest"}},
        ]});
        AnyOfBuilder::new()
            .description(Some("A node of the tree."))
            .examples([example])
            .item(Ref::from_schema_name(ElementsAny::name()))
            .item(Ref::from_schema_name(ElementsAll::name()))
            .item(Ref::from_schema_name(All::name()))
            .item(Ref::from_schema_name(Any::name()))
            .item(Ref::from_schema_name(Not::name()))
            .item(Ref::from_schema_name(Condition::name()))
            .into()
    }
}

impl ToSchema for Where {}

/// All of these conditions hold.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion, as = WhereAll)]
pub struct All {
    /// The conditions.
    pub all: Vec<Where>,
}

/// At least one of these conditions holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion, as = WhereAny)]
pub struct Any {
    /// The conditions.
    pub any: Vec<Where>,
}

/// The condition does not hold.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion, as = WhereNot)]
pub struct Not {
    /// The condition that must not hold.
    pub not: Box<Where>,
}

/// At least one element of a collection fulfils a condition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion, as = WhereElementsAny)]
pub struct ElementsAny {
    /// The name of the collection in Microsoft Graph: `assignedLicenses`.
    pub property: String,
    /// The condition on an element.
    pub any: Box<Where>,
}

/// Each element of a collection fulfils a condition. Graph supports this for no property, so such a filter is not valid.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(no_recursion, as = WhereElementsAll)]
pub struct ElementsAll {
    /// The name of the collection in Microsoft Graph: `assignedLicenses`.
    pub property: String,
    /// The condition on an element.
    pub all: Box<Where>,
}

/// A comparison. Omit `property` only for the elements of a collection of strings.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WhereCondition)]
pub struct Condition {
    /// The name of the property in Microsoft Graph: `city`, `assignedLicenses/$count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub property: Option<String>,
    pub operator: ConditionOperator,
    /// A string, a number, true, false or null; for `in` a list of them.
    pub value: Value,
}

explained! {
    /// How a property is compared.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "camelCase")]
    pub enum ConditionOperator {
        /// The value of the property is this one.
        Eq,
        /// The value of the property is another one.
        Ne,
        /// It is greater, or later.
        Gt,
        /// It is greater or later, or the same.
        Ge,
        /// It is less, or earlier.
        Lt,
        /// It is less or earlier, or the same.
        Le,
        /// It is one of a list.
        In,
        /// The text begins so.
        StartsWith,
        /// The text ends so.
        EndsWith,
        /// The text has this in it.
        Contains,
    }
}

impl ConditionOperator {
    pub(in crate::filter) const ALL: [ConditionOperator; 10] = [
        Self::Eq,
        Self::Ne,
        Self::Gt,
        Self::Ge,
        Self::Lt,
        Self::Le,
        Self::In,
        Self::StartsWith,
        Self::EndsWith,
        Self::Contains,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::In => "in",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Contains => "contains",
        }
    }
}
