//! Which objects a query finds.

use super::aql::{Op, Operand, Query};
use super::store::{AttributeKind, ObjectIx, Store, TypeIx};

/// The objects that the query finds, in the order of their ids; only of one type if `within` is given.
pub(super) fn find(store: &Store, query: &Query, within: Option<TypeIx>) -> Vec<ObjectIx> {
    let mut found = Vec::new();
    for (ix, of) in store.types.iter().enumerate() {
        if within.is_none_or(|only| only == ix) && may_hold(store, ix, query) {
            found.extend(of.objects.iter().copied().filter(|object| matches(store, *object, query)));
        }
    }
    found.sort_unstable();
    found
}

/// Whether a condition on the type leaves this type in: spares looking at the objects of the others.
fn may_hold(store: &Store, of: TypeIx, query: &Query) -> bool {
    match query {
        Query::And(parts) => parts.iter().all(|part| may_hold(store, of, part)),
        Query::Compare { field, op, operands } => {
            type_field(store, of, field).is_none_or(|is| holds(&[is], *op, operands))
        }
        Query::Or(_) | Query::Not(_) => true,
    }
}

fn type_field(store: &Store, of: TypeIx, field: &str) -> Option<String> {
    let found = &store.types[of];
    let schema = &store.schemas[found.schema];
    let is = |name: &str| field.eq_ignore_ascii_case(name);
    match () {
        () if is("objectType") => Some(found.name.clone()),
        () if is("objectTypeId") => Some(found.id.to_string()),
        () if is("objectSchema") => Some(schema.name.clone()),
        () if is("objectSchemaId") => Some(schema.id.to_string()),
        () => None,
    }
}

fn matches(store: &Store, object: ObjectIx, query: &Query) -> bool {
    match query {
        Query::And(parts) => parts.iter().all(|part| matches(store, object, part)),
        Query::Or(parts) => parts.iter().any(|part| matches(store, object, part)),
        Query::Not(part) => !matches(store, object, part),
        Query::Compare { field, op, operands } => compares(store, object, field, *op, operands),
    }
}

fn compares(store: &Store, ix: ObjectIx, field: &str, op: Op, operands: &[Operand]) -> bool {
    let Some(object) = store.get(ix) else { return false };
    if let Some(text) = type_field(store, object.of, field) {
        return holds(&[text], op, operands);
    }
    let is = |name: &str| field.eq_ignore_ascii_case(name);
    match () {
        () if is("Key") => return holds(&[store.key(ix)], op, operands),
        () if is("objectId") => return holds(&[Store::id(ix)], op, operands),
        () if is("label") => return holds(&[store.label(ix)], op, operands),
        () => {}
    }
    let of = &store.types[object.of];
    let Some(at) = of.attributes.iter().position(|a| a.name.eq_ignore_ascii_case(field)) else { return false };
    if of.attributes[at].kind == AttributeKind::Reference {
        let labels: Vec<&str> = store.values(ix, at as u16).map(|target| store.label(target)).collect();
        let keys: Vec<String> = store.values(ix, at as u16).map(|target| store.key(target)).collect();
        return match op {
            Op::NotEqual | Op::NotIn | Op::NotLike | Op::IsEmpty => {
                holds(&labels, op, operands) && holds(&keys, op, operands)
            }
            _ => holds(&labels, op, operands) || holds(&keys, op, operands),
        };
    }
    let mut values = store.values(ix, at as u16).map(|sym| store.strings.get(sym));
    // Most attributes have one value: no list is built for those.
    match (values.next(), values.next()) {
        (None, _) => holds::<&str>(&[], op, operands),
        (Some(only), None) => holds(&[only], op, operands),
        (Some(first), Some(second)) => {
            let all: Vec<&str> = [first, second].into_iter().chain(values).collect();
            holds(&all, op, operands)
        }
    }
}

fn holds<T: AsRef<str>>(values: &[T], op: Op, operands: &[Operand]) -> bool {
    let any = |test: &dyn Fn(&str, &str) -> bool| {
        values.iter().any(|value| {
            operands.iter().any(|operand| match operand {
                Operand::Literal(wanted) => test(value.as_ref(), wanted),
                Operand::Joined(_) | Operand::Nth(..) => false,
            })
        })
    };
    let contains = |value: &str, part: &str| value.to_lowercase().contains(&part.trim_matches('%').to_lowercase());
    match op {
        Op::Equal | Op::In => any(&equal),
        Op::NotEqual | Op::NotIn => !any(&equal),
        Op::Less => any(&|a, b| order(a, b).is_lt()),
        Op::LessOrEqual => any(&|a, b| order(a, b).is_le()),
        Op::Greater => any(&|a, b| order(a, b).is_gt()),
        Op::GreaterOrEqual => any(&|a, b| order(a, b).is_ge()),
        Op::Like => any(&contains),
        Op::NotLike => !any(&contains),
        Op::StartsWith => any(&|value, part| value.to_lowercase().starts_with(&part.to_lowercase())),
        Op::IsEmpty => values.is_empty(),
        Op::IsNotEmpty => !values.is_empty(),
    }
}

fn equal(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { a.to_lowercase() == b.to_lowercase() }
}

fn order(a: &str, b: &str) -> std::cmp::Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}
