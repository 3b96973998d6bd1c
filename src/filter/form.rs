//! What a form needs to build conditions: the properties, and for each the operators that Graph supports, whether they
//! need an advanced query, the values that are known, and an example.

use crate::filter::EntityKind;
use crate::filter::property::{Level, Property, Returned, SIGN_IN_ACTIVITY, Shape, Type, known_values, numbered};
use crate::filter::where_tree::ConditionOperator;
use crate::permission::Capability;
use crate::text_enum::explained;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A property that a condition can use.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct FilterProperty {
    /// The kind of object that has the property.
    pub object_type: EntityKind,
    /// Its name in a condition.
    #[schema(example = "department")]
    pub name: String,
    pub shape: PropertyShape,
    /// The type of a value; null where the property has none of its own: a collection of objects, and related objects.
    #[schema(required = true)]
    pub value_type: Option<Type>,
    /// The operators that Graph supports. Those of a collection apply to its elements.
    pub operators: Vec<PropertyOperator>,
    /// Whether the property can be compared with null by `eq` and `ne`.
    pub null: NullComparison,
    /// The numbers with which the count of a collection can be compared by `eq` and `ne`, as the property
    /// `<name>/$count`. Such a condition needs an advanced query.
    pub counts: Vec<i64>,
    /// The properties of the elements of a collection of objects.
    pub elements: Vec<ElementProperty>,
    /// The values that Microsoft documents; empty if any value may occur.
    pub values: Vec<String>,
    /// A valid condition with this property, for `where`.
    #[schema(value_type = Object)]
    pub example: Value,
    /// The capability that reading it needs.
    pub capability: Capability,
    /// The least permissions that grant the capability.
    pub permissions: Vec<&'static str>,
    /// Whether changes of the property reach an incremental run. If not, a job with such a condition reads everything each
    /// time.
    pub incremental: bool,
}

/// A property of the elements of a collection.
#[derive(Serialize, ToSchema, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub struct ElementProperty {
    /// Its name within the condition on the elements.
    pub name: &'static str,
    pub value_type: Type,
    /// The operators that Graph supports.
    pub operators: Vec<PropertyOperator>,
    /// Whether the property can be compared with null by `eq` and `ne`.
    pub null: NullComparison,
    /// The values that Microsoft documents; empty if any value may occur.
    pub values: Vec<String>,
}

/// An operator that Graph supports on a property.
#[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
pub struct PropertyOperator {
    pub operator: ConditionOperator,
    /// Graph needs an advanced query for it, which is slower and shows changes some seconds later.
    pub advanced: bool,
}

explained! {
    /// What a condition on a property looks like.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    pub enum PropertyShape {
        /// One value: `{property, operator, value}`.
        Value,
        /// A collection of values: `{property, any: {operator, value}}`.
        Values,
        /// A collection of objects: `{property, any: {property, operator, value}}`.
        Objects,
        /// Related objects, which can only be counted: `{property: "<name>/$count", operator, value}`.
        Relation,
    }
}

explained! {
    /// Whether a property can be compared with null.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    pub enum NullComparison {
        /// Not at all.
        No,
        /// `eq null` in any query; `ne null` needs an advanced one.
        Default,
        /// Both need an advanced query.
        Advanced,
    }
}

/// Every property of a kind of object, by name.
pub fn properties(kind: EntityKind) -> Vec<FilterProperty> {
    let named = kind.properties().iter().map(|property| (property.name.to_owned(), property));
    let mut found: Vec<FilterProperty> =
        named.chain(numbered(kind)).map(|(name, property)| described(kind, name, property)).collect();
    found.sort_by_key(|property| property.name.to_lowercase());
    found
}

fn described(kind: EntityKind, name: String, property: &'static Property) -> FilterProperty {
    let elements = match property.shape {
        Shape::Objects(properties) => properties.iter().filter_map(|property| element(kind, property)).collect(),
        Shape::Single(_) | Shape::Values(_) | Shape::Relation => Vec::new(),
    };
    let counts = [0, 1].into_iter().zip(property.count).filter(|(_, level)| *level != Level::No);
    let capability = capability(kind, &name);
    FilterProperty {
        object_type: kind,
        shape: match property.shape {
            Shape::Single(_) => PropertyShape::Value,
            Shape::Values(_) => PropertyShape::Values,
            Shape::Objects(_) => PropertyShape::Objects,
            Shape::Relation => PropertyShape::Relation,
        },
        value_type: match property.shape {
            Shape::Single(of) | Shape::Values(of) => Some(of),
            Shape::Objects(_) | Shape::Relation => None,
        },
        operators: operators(kind, property),
        null: null(property.null),
        counts: counts.map(|(number, _)| number).collect(),
        elements,
        values: texts(known_values(kind, &name)),
        example: example(kind, &name, property),
        capability,
        permissions: capability.least().collect(),
        incremental: property.returned == Returned::ByDelta,
        name,
    }
}

fn element(kind: EntityKind, property: &'static Property) -> Option<ElementProperty> {
    let Shape::Single(of) = property.shape else { return None };
    Some(ElementProperty {
        name: property.name,
        value_type: of,
        operators: operators(kind, property),
        null: null(property.null),
        values: Vec::new(),
    })
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn null(level: Level) -> NullComparison {
    match level {
        Level::No => NullComparison::No,
        Level::Default => NullComparison::Default,
        Level::Advanced => NullComparison::Advanced,
    }
}

/// The operators that Graph supports on a property, in the order in which a form offers them.
fn operators(kind: EntityKind, property: &Property) -> Vec<PropertyOperator> {
    use ConditionOperator as Of;
    let advanced = |level: Level| level.max(Level::Advanced);
    let ends_with = if property.ends_with { Level::Advanced } else { Level::No };
    let (equal, range) = (property.equal, property.range);
    [
        (Of::Eq, equal),
        (Of::Ne, advanced(equal)),
        (Of::In, equal),
        (Of::StartsWith, property.starts_with),
        (Of::EndsWith, ends_with),
        (Of::Gt, advanced(range)),
        (Of::Ge, range),
        (Of::Lt, advanced(range)),
        (Of::Le, range),
    ]
    .into_iter()
    .filter(|(_, level)| *level == Level::Default || *level == Level::Advanced && kind.has_advanced_queries())
    .map(|(operator, level)| PropertyOperator { operator, advanced: level == Level::Advanced })
    .collect()
}

fn capability(kind: EntityKind, name: &str) -> Capability {
    let head = name.split('/').next().unwrap_or(name);
    match kind {
        EntityKind::Users if head == SIGN_IN_ACTIVITY => Capability::SignInActivity,
        EntityKind::Users if head == "manager" => Capability::Managers,
        EntityKind::Users => Capability::Users,
        EntityKind::Groups if head == "owners" => Capability::Owners,
        EntityKind::Groups => Capability::Groups,
        _ => kind.object_type().spec().capability,
    }
}

/// A valid condition with the property.
fn example(kind: EntityKind, name: &str, property: &Property) -> Value {
    let known = known_values(kind, name).first().copied();
    match property.shape {
        Shape::Single(of) => condition(kind, Some(name), property, of, known),
        Shape::Values(of) => json!({"property": name, "any": condition(kind, None, property, of, known)}),
        Shape::Objects(properties) => {
            let inner = properties.first().and_then(|inner| match inner.shape {
                Shape::Single(of) => Some(condition(kind, Some(inner.name), inner, of, None)),
                Shape::Values(_) | Shape::Objects(_) | Shape::Relation => None,
            });
            json!({"property": name, "any": inner})
        }
        Shape::Relation => json!({"property": format!("{name}/$count"), "operator": "eq", "value": 0}),
    }
}

fn condition(kind: EntityKind, name: Option<&str>, property: &Property, of: Type, known: Option<&str>) -> Value {
    let (operator, value) = match operators(kind, property).first() {
        Some(first) => (first.operator.as_str(), known.map_or_else(|| sample(of), |known| json!(known))),
        None => ("eq", Value::Null),
    };
    match name {
        Some(name) => json!({"property": name, "operator": operator, "value": value}),
        None => json!({"operator": operator, "value": value}),
    }
}

/// A value of a type.
fn sample(of: Type) -> Value {
    match of {
        Type::Boolean => json!(true),
        Type::String | Type::Any => json!("Text"),
        Type::Guid => json!("05e9a617-0261-4cee-bb44-138d3ef5d965"),
        Type::DateTime => json!("2026-01-31T00:00:00Z"),
        Type::Integer => json!(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Faults;
    use crate::filter::Parsed;
    use crate::filter::where_tree;

    fn parse(kind: EntityKind, tree: &Value) -> Option<Parsed> {
        let mut faults = Faults::default();
        let parsed = where_tree::parse(kind, tree, "", &mut faults);
        parsed.filter(|_| faults.is_empty())
    }

    /// The tree of a condition, and the query that Graph needs for it.
    fn conditions(name: &str, of: Type, at: &dyn Fn(Value) -> Value) -> Vec<(ConditionOperator, Value)> {
        let list = |value: Value| json!([value]);
        ConditionOperator::ALL
            .into_iter()
            .map(|operator| {
                let value = if operator == ConditionOperator::In { list(sample(of)) } else { sample(of) };
                let mut condition = json!({"operator": operator, "value": value});
                if !name.is_empty() {
                    condition["property"] = json!(name);
                }
                (operator, at(condition))
            })
            .collect()
    }

    #[test]
    fn each_example_is_valid() {
        for property in EntityKind::ALL.into_iter().flat_map(properties) {
            assert!(parse(property.object_type, &property.example).is_some(), "{property:?}");
        }
    }

    /// A form that offers just these operators builds no condition that is refused, and leaves none out.
    #[test]
    fn the_operators_are_those_that_conditions_take() {
        let mut count = 0;
        for kind in EntityKind::ALL {
            let all = kind.properties().iter().map(|property| (property.name.to_owned(), property));
            for (name, property) in all.chain(numbered(kind)) {
                let cases = match property.shape {
                    Shape::Single(of) => vec![(property, conditions(&name, of, &|condition| condition))],
                    Shape::Values(of) => {
                        let within = |condition: Value| json!({"property": name, "any": condition});
                        vec![(property, conditions("", of, &within))]
                    }
                    Shape::Objects(inner) => {
                        let within = |condition: Value| json!({"property": name, "any": condition});
                        let of = |inner: &Property| match inner.shape {
                            Shape::Single(of) => of,
                            _ => unreachable!("elements have single values"),
                        };
                        inner.iter().map(|inner| (inner, conditions(inner.name, of(inner), &within))).collect()
                    }
                    Shape::Relation => Vec::new(),
                };
                for (property, conditions) in cases {
                    let offered = operators(kind, property);
                    for (operator, tree) in conditions {
                        let parsed = parse(kind, &tree);
                        let is_offered = offered.iter().find(|offered| offered.operator == operator);
                        assert_eq!(parsed.is_some(), is_offered.is_some(), "{tree}");
                        assert_eq!(
                            parsed.map(|parsed| parsed.advanced),
                            is_offered.map(|offered| offered.advanced),
                            "{tree}"
                        );
                        count += 1;
                    }
                }
            }
        }
        assert!(count > 1000, "only {count} conditions");
    }

    #[test]
    fn null_and_counts_are_as_conditions_take_them() {
        for property in EntityKind::ALL.into_iter().flat_map(properties) {
            let (kind, name) = (property.object_type, &property.name);
            if property.shape == PropertyShape::Value {
                let tree = json!({"property": name, "operator": "eq", "value": null});
                let taken = parse(kind, &tree).map(|parsed| parsed.advanced);
                let expected = match property.null {
                    NullComparison::No => None,
                    NullComparison::Default => Some(false),
                    NullComparison::Advanced => Some(true),
                };
                assert_eq!(taken, expected, "{tree}");
            }
            for number in [0, 1, 2] {
                let tree = json!({"property": format!("{name}/$count"), "operator": "eq", "value": number});
                assert_eq!(parse(kind, &tree).is_some(), property.counts.contains(&number), "{tree}");
            }
        }
    }

    #[test]
    fn known_values_belong_to_a_property() {
        let named = |kind, name| properties(kind).into_iter().find(|property| property.name == name).unwrap();
        assert_eq!(named(EntityKind::Users, "userType").values, ["Member", "Guest"]);
        assert_eq!(named(EntityKind::Groups, "groupTypes").values, ["Unified", "DynamicMembership"]);
        assert_eq!(named(EntityKind::Devices, "trustType").values.len(), 3);
        let sign_in = named(EntityKind::Users, "signInActivity/lastSignInDateTime");
        assert_eq!((sign_in.capability, sign_in.incremental), (Capability::SignInActivity, false));
        assert_eq!(sign_in.permissions, ["AuditLog.Read.All", "User.Read.All"]);
        assert_eq!(named(EntityKind::Users, "onPremisesExtensionAttributes/extensionAttribute15").values.len(), 0);
    }
}
