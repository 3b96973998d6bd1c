//! Judges each condition of a filter about one object, with the value that was found: why an object fulfils a filter or not.

use crate::filter::eval;
use crate::filter::expression::Expression;
use crate::filter::property::{self, EntityKind, Returned};
use crate::text_enum::explained;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One condition, and whether an object fulfils it.
#[derive(Serialize, ToSchema, Clone, PartialEq, Debug)]
#[serde(rename_all = "camelCase")]
pub struct JudgedCondition {
    /// The condition as a filter text.
    #[schema(example = "department eq 'Engineering'")]
    pub condition: String,
    /// How the filter joins it with the conditions beside it.
    pub within: Joined,
    /// The value of the property; null if the object has none, or if it is not known.
    pub value: Value,
    /// Whether the object fulfils the condition. Null: Graph alone can tell, and says so only of the whole filter.
    #[schema(required = true)]
    pub holds: Option<bool>,
}

explained! {
    /// How conditions are joined.
    #[derive(Serialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    #[serde(rename_all = "camelCase")]
    pub enum Joined {
        /// All of them have to hold.
        All,
        /// One of them has to hold.
        Any,
        /// They have to fail together, because the filter negates them.
        Not,
    }
}

/// Every condition of the filter about this object, in the order of the text.
pub fn judge(kind: EntityKind, expression: &Expression, object: &Map<String, Value>) -> Vec<JudgedCondition> {
    let mut judged = Vec::new();
    walk(kind, expression, object, Joined::All, &mut judged);
    judged
}

fn walk(
    kind: EntityKind,
    expression: &Expression,
    object: &Map<String, Value>,
    within: Joined,
    judged: &mut Vec<JudgedCondition>,
) {
    match expression {
        Expression::And(parts) => {
            let within = if within == Joined::Not { Joined::Not } else { Joined::All };
            parts.iter().for_each(|part| walk(kind, part, object, within, judged));
        }
        Expression::Or(parts) => {
            let within = if within == Joined::Not { Joined::Not } else { Joined::Any };
            parts.iter().for_each(|part| walk(kind, part, object, within, judged));
        }
        Expression::Not(inner) if matches!(**inner, Expression::And(_) | Expression::Or(_)) => {
            walk(kind, inner, object, Joined::Not, judged);
        }
        condition => judged.push(judge_one(kind, condition, object, within)),
    }
}

fn judge_one(kind: EntityKind, condition: &Expression, object: &Map<String, Value>, within: Joined) -> JudgedCondition {
    let mut path = "";
    condition.visit_paths(&mut |found| path = found);
    let is_known = property::find(kind, path).map_or(true, |found| found.property.returned != Returned::Nowhere);
    JudgedCondition {
        condition: condition.to_string(),
        within,
        value: if is_known { eval::value(object, path).clone() } else { Value::Null },
        holds: is_known.then(|| eval::matches(condition, object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::odata;
    use serde_json::json;

    fn judged(text: &str) -> Vec<(String, Joined, Value, Option<bool>)> {
        let object = json!({"accountEnabled": true, "department": "Sales", "onPremisesExtensionAttributes":
            {"extensionAttribute1": "x"}, "assignedLicenses": [{"skuId": "05e9a617-0261-4cee-bb44-138d3ef5d965"}]});
        let parsed = odata::parse(EntityKind::Users, text).unwrap();
        let found = judge(EntityKind::Users, &parsed.expression, object.as_object().unwrap());
        found.into_iter().map(|one| (one.condition, one.within, one.value, one.holds)).collect()
    }

    #[test]
    fn each_condition_has_its_value_and_whether_it_holds() {
        let text =
            "accountEnabled eq true and (department eq 'IT' or city eq 'Berlin') and not (department eq 'Sales')";
        assert_eq!(
            judged(text),
            [
                ("accountEnabled eq true".to_owned(), Joined::All, json!(true), Some(true)),
                ("department eq 'IT'".to_owned(), Joined::Any, json!("Sales"), Some(false)),
                ("city eq 'Berlin'".to_owned(), Joined::Any, Value::Null, Some(false)),
                ("not (department eq 'Sales')".to_owned(), Joined::All, json!("Sales"), Some(false)),
            ]
        );
        let deep = judged("onPremisesExtensionAttributes/extensionAttribute1 eq 'x'");
        assert_eq!((&deep[0].2, deep[0].3), (&json!("x"), Some(true)));
        let negated = judged("not (department eq 'IT' or department eq 'HR')");
        assert!(negated.iter().all(|one| one.1 == Joined::Not && one.3 == Some(false)), "{negated:?}");
    }

    #[test]
    fn what_graph_returns_nowhere_is_not_known() {
        let found = judged("manager/id eq '05e9a617-0261-4cee-bb44-138d3ef5d965'");
        assert_eq!((&found[0].2, found[0].3), (&Value::Null, None));
    }
}
