//! Whether the lookups of an object type fit what Assets has.

use super::current::{Current, text};
use super::existing::attribute_of;
use super::fit::{FitCode, FitProblem};
use super::lookup::{Lookup, MappedLookup};
use super::names::breaks_queries;
use super::{MappedAttribute, TypeMapping};
use serde_json::Value;

/// How the lookups of an object type do not fit what Assets has.
pub(super) fn problems(mapped: &TypeMapping, current: &Current) -> Vec<FitProblem> {
    let lookups = mapped.attributes.iter().filter_map(|of| Some((of, of.lookup.as_ref()?)));
    let of_one = |(of, lookup): (&MappedAttribute, &MappedLookup)| {
        let mut found = Vec::new();
        let mut add = |code: FitCode, field: &str, detail: String| {
            let pointer = lookup.pointer(mapped.object_type, field);
            found.push(FitProblem { code, blocks: code.blocks(), pointer, detail });
        };
        match lookup.lookup.find(current) {
            None => {
                let name = lookup.lookup.object_type.trim();
                let is_there = current.types.iter().any(|of| text(of, "name").eq_ignore_ascii_case(name));
                let (code, why) = match is_there {
                    true => (FitCode::NoExternalId, "has no external id, so that an import cannot refer to it"),
                    false => (FitCode::NotFound, "is not in the object schema of the import source"),
                };
                add(code, "objectType", format!("The object type «{name}» {why}."));
            }
            Some(target) => {
                of_text(&lookup.lookup, target, &mut add);
                if let Some(existing) = &mapped.existing {
                    let theirs = existing.find(current).and_then(|theirs| attribute_of(theirs, &of.name));
                    of_attribute((&existing.object_type, &of.name), theirs, target, current, &mut add);
                }
            }
        }
        found
    };
    lookups.flat_map(of_one).collect()
}

/// The attribute by which objects are found.
fn of_text(lookup: &Lookup, target: &Value, add: &mut dyn FnMut(FitCode, &str, String)) {
    let type_name = text(target, "name");
    let Some(by) = lookup.by(target) else {
        let name = lookup.by.as_deref().unwrap_or("that is the label");
        return add(FitCode::NotFound, "by", format!("«{type_name}» has no attribute «{name}»."));
    };
    let (name, kind) = (text(by, "name"), text(by, "type"));
    if !matches!(kind, "text" | "textarea" | "select" | "email" | "url") {
        let detail = format!("«{name}» of «{type_name}» is {kind}; objects are found by a text.");
        add(FitCode::WrongType, "by", detail);
    } else if name.chars().any(breaks_queries) {
        let detail = format!("«{name}» of «{type_name}» has a character in its name that breaks queries of Assets.");
        add(FitCode::WrongType, "by", detail);
    }
}

/// The attribute of an object type of others that gets the reference.
fn of_attribute(
    (type_name, name): (&str, &str),
    theirs: Option<&Value>,
    target: &Value,
    current: &Current,
    add: &mut dyn FnMut(FitCode, &str, String),
) {
    let what = format!("«{name}» of «{type_name}»");
    let Some(theirs) = theirs else {
        let detail = format!("«{type_name}» has no attribute «{name}» that an import can fill.");
        return add(FitCode::NotFound, "name", detail);
    };
    let kind = text(theirs, "type");
    if kind != "referenced_object" {
        return add(FitCode::WrongType, "name", format!("{what} is {kind}, and no reference to other objects."));
    }
    if current.reference_target(theirs) != Some(text(target, "externalId")) {
        let detail = format!("{what} does not refer to «{}».", text(target, "name"));
        add(FitCode::OtherObjectType, "name", detail);
    }
}
