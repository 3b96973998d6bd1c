//! What a change did to an object, in words: `Job Title: Astronomer; Groups: Sales, Board`. Attributes and objects are
//! called by their names.

use crate::change::{REMOVED, ValueChange, changes};
use crate::db::runs::ChangeRow;
use crate::directory::attributes::attribute;
use crate::directory::{AttributeSource, Link, ObjectType};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Values of a list that are named at most; the report in JSON has them all.
const MAX_LISTED: usize = 50;
/// A value that is not there.
const EMPTY: &str = "(empty)";
/// An object that Assets has no longer.
const GONE: &str = "(removed)";

/// What the cells of a change say of its values.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Words {
    /// The names of the attributes whose values differ.
    pub changed: String,
    pub before: String,
    pub after: String,
}

/// One attribute of an object before and after.
struct Line {
    name: String,
    /// The type of the objects that the values are ids of.
    target: Option<ObjectType>,
    before: Shown,
    after: Shown,
}

/// Some values of an attribute.
struct Shown {
    listed: Vec<String>,
    /// How many there are beside those that are listed.
    more: usize,
}

impl Shown {
    fn of(values: Vec<String>) -> Self {
        let more = values.len().saturating_sub(MAX_LISTED);
        Self { listed: values.into_iter().take(MAX_LISTED).collect(), more }
    }

    fn text(&self, names: &HashMap<Uuid, String>) -> String {
        let name = |value: &String| Uuid::parse_str(value).ok().and_then(|id| names.get(&id)).unwrap_or(value).clone();
        let mut text = self.listed.iter().map(name).collect::<Vec<_>>().join(", ");
        if self.more > 0 {
            text.push_str(&format!(" and {} more", self.more));
        }
        text
    }
}

/// The objects that these changes name by their ids.
pub(super) fn referred(rows: &[ChangeRow]) -> Vec<(ObjectType, Uuid)> {
    let mut all = HashSet::new();
    for line in rows.iter().flat_map(lines) {
        let Some(target) = line.target else { continue };
        let values = line.before.listed.iter().chain(&line.after.listed);
        all.extend(values.filter_map(|value| Uuid::parse_str(value).ok()).map(|id| (target, id)));
    }
    all.into_iter().collect()
}

/// The words of a change, with the names of the objects that it refers to.
pub(super) fn words(row: &ChangeRow, names: &HashMap<Uuid, String>) -> Words {
    let (is_update, lines) = (is_update(row), lines(row));
    let join = |side: fn(&Line) -> &Shown| {
        let text = |line: &Line| (line.name.clone(), side(line).text(names));
        let named = lines.iter().map(text).filter(|(_, text)| !text.is_empty());
        named.map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>().join("; ")
    };
    let changed: Vec<&str> = lines.iter().filter(|_| is_update).map(|line| line.name.as_str()).collect();
    let after = if is_removed(row) { GONE.to_owned() } else { join(|line| &line.after) };
    Words { changed: changed.join(", "), before: join(|line| &line.before), after }
}

fn is_removed(row: &ChangeRow) -> bool {
    row.after.as_deref() == Some(REMOVED)
}

/// The object was there and stays.
fn is_update(row: &ChangeRow) -> bool {
    row.before.is_some() && row.after.is_some() && !is_removed(row)
}

/// The values of an object that came or went; of one that stays, those that differ.
fn lines(row: &ChangeRow) -> Vec<Line> {
    let line = |change: ValueChange| line(row.object_type, change, is_update(row));
    match (&row.before, row.after.as_ref().filter(|_| !is_removed(row))) {
        (before, Some(after)) => changes(before.as_deref(), Some(after)).into_iter().map(line).collect(),
        (Some(before), None) => {
            let values: Map<String, Value> = serde_json::from_str(before).unwrap_or_default();
            let gone = |(name, before)| ValueChange { name, before, after: Value::Null };
            values.into_iter().map(gone).map(line).collect()
        }
        (None, None) => Vec::new(),
    }
}

fn line(object_type: ObjectType, change: ValueChange, is_update: bool) -> Line {
    let attribute = attribute(object_type, &change.name);
    let link = attribute.as_ref().and_then(|attribute| match attribute.source {
        AttributeSource::Link(link) => Some(link),
        _ => None,
    });
    let target = link.map(Link::target);
    let name = attribute.map_or_else(|| change.name.clone(), |attribute| attribute.name.into_owned());
    let (before, after) = (values(&change.before, target), values(&change.after, target));
    let is_list = link.map_or(change.before.is_array() || change.after.is_array(), Link::is_many);
    let (before, after) = match (is_update, is_list) {
        (true, true) => (without(&before, &after), without(&after, &before)),
        (true, false) => (or_empty(before), or_empty(after)),
        (false, _) => (before, after),
    };
    Line { name, target, before: Shown::of(before), after: Shown::of(after) }
}

/// What one list has and another has not.
fn without(list: &[String], other: &[String]) -> Vec<String> {
    let other: HashSet<&String> = other.iter().collect();
    list.iter().filter(|value| !other.contains(value)).cloned().collect()
}

fn or_empty(values: Vec<String>) -> Vec<String> {
    if values.is_empty() { vec![EMPTY.to_owned()] } else { values }
}

/// The values of an attribute as texts; none, if it is empty. A list of references may be one text.
fn values(value: &Value, target: Option<ObjectType>) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) if target.is_some() => text.split(',').map(|part| part.trim().to_owned()).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(items) => items.iter().flat_map(|item| values(item, target)).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{name} {}", values(value, target).join(" "));
            vec![fields.iter().map(field).collect::<Vec<_>>().join(", ")]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_state::{ChangeAction, ChangeReason};
    use serde_json::json;

    fn row(before: Option<Value>, after: Option<Value>) -> ChangeRow {
        ChangeRow {
            seq: 1,
            object_type: ObjectType::Users,
            object_id: Uuid::nil(),
            label: Some("Ada".to_owned()),
            action: ChangeAction::Update,
            reason: Some(ChangeReason::Changed),
            before: before.map(|value| value.to_string()),
            after: after.map(|value| value.to_string()),
            assets_keys: None,
        }
    }

    fn names() -> HashMap<Uuid, String> {
        HashMap::from([(Uuid::from_u128(1), "Sales".to_owned()), (Uuid::from_u128(2), "Board".to_owned())])
    }

    fn in_words(before: Option<Value>, after: Option<Value>) -> (String, String, String) {
        let Words { changed, before, after } = words(&row(before, after), &names());
        (changed, before, after)
    }

    #[test]
    fn an_update_shows_what_differs_by_names() {
        let before = json!({"id": "1", "city": "Ulm", "state": "BW", "mail": null, "accountEnabled": "true"});
        let after = json!({"id": "1", "city": "Bonn", "state": null, "mail": "a@x.example", "accountEnabled": "true"});
        let expected = (
            "City, Mail, State",
            "City: Ulm; Mail: (empty); State: BW",
            "City: Bonn; Mail: a@x.example; State: (empty)",
        );
        let (changed, before, after) = in_words(Some(before), Some(after));
        assert_eq!((changed.as_str(), before.as_str(), after.as_str()), expected);
    }

    #[test]
    fn of_lists_an_update_shows_what_went_and_what_came() {
        let [sales, board, unknown] = [1, 2, 3].map(Uuid::from_u128);
        let (changed, before, after) =
            in_words(Some(json!({"groups": [sales, board]})), Some(json!({"groups": [board, unknown]})));
        assert_eq!((changed.as_str(), before.as_str()), ("Groups", "Groups: Sales"));
        assert_eq!(after, format!("Groups: {unknown}"));
        // As one text, where several references are joined.
        let joined = |ids: &[Uuid]| json!({"groups": ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")});
        let (_, before, after) = in_words(Some(joined(&[sales])), Some(joined(&[sales, board])));
        assert_eq!((before.as_str(), after.as_str()), ("", "Groups: Board"));
    }

    #[test]
    fn what_comes_and_what_goes_is_shown_whole_and_long_lists_are_cut() {
        let object = json!({"displayName": "Ada", "city": null, "manager": Uuid::from_u128(2), "groups": []});
        let shown = "Display Name: Ada; Manager: Board";
        assert_eq!(in_words(None, Some(object.clone())), (String::new(), String::new(), shown.to_owned()));
        assert_eq!(in_words(Some(object.clone()), None), (String::new(), shown.to_owned(), String::new()));
        let removed = ChangeRow { after: Some(REMOVED.to_owned()), ..row(Some(object), None) };
        let expected = Words { changed: String::new(), before: shown.to_owned(), after: "(removed)".to_owned() };
        assert_eq!(words(&removed, &names()), expected);
        let many: Vec<Uuid> = (100..352).map(Uuid::from_u128).collect();
        let (_, _, after) = in_words(None, Some(json!({"groups": many})));
        assert!(after.ends_with(" and 202 more"), "{after}");
        assert_eq!(after.matches("00000000-").count(), MAX_LISTED);
    }

    #[test]
    fn what_is_named_by_its_id_is_asked_for_by_type() {
        let [manager, group] = [1, 2].map(Uuid::from_u128);
        let rows = [row(None, Some(json!({"manager": manager, "groups": [group], "employeeId": manager})))];
        let mut found = referred(&rows);
        found.sort_by_key(|(_, id)| *id);
        assert_eq!(found, [(ObjectType::Users, manager), (ObjectType::Groups, group)]);
        assert_eq!(values(&json!({"a": 1, "b": ["x", null]}), None), ["a 1, b x"]);
    }
}
