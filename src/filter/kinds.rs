//! Something of each kind of object, as the fields of a body: `users`, `groups` and so on.

use super::EntityKind;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

pub type ByKind<T> = BTreeMap<EntityKind, T>;

/// What an answer has: the usual kinds always, the others where there is something of them.
pub fn shown<T>(of: impl Fn(EntityKind) -> Option<T>) -> ByKind<Option<T>> {
    let all = EntityKind::ALL.into_iter().map(|kind| (kind, of(kind)));
    all.filter(|(kind, found)| found.is_some() || EntityKind::USUAL.contains(kind)).collect()
}

/// The fields of a request: each may be absent or null, and there are no others.
pub fn requested<T: ToSchema>() -> Object {
    let fields = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let add = |fields: ObjectBuilder, kind: EntityKind| fields.property(kind.as_str(), or_null::<T>());
    EntityKind::ALL.into_iter().fold(fields, add).build()
}

/// The fields of what [`shown`] makes.
pub fn nullable<T: ToSchema>() -> Object {
    answered(or_null::<T>(), reference::<T>())
}

/// The fields of an answer that has something of every usual kind.
pub fn always<T: ToSchema>() -> Object {
    answered(reference::<T>(), reference::<T>())
}

/// The fields of an answer: the usual kinds are always there.
pub fn answered(usual: RefOr<Schema>, other: RefOr<Schema>) -> Object {
    let add = |fields: ObjectBuilder, kind: EntityKind| match EntityKind::USUAL.contains(&kind) {
        true => fields.property(kind.as_str(), usual.clone()).required(kind.as_str()),
        false => fields.property(kind.as_str(), other.clone()),
    };
    EntityKind::ALL.into_iter().fold(ObjectBuilder::new(), add).build()
}

/// The document names each of these types among its components.
pub fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

fn or_null<T: ToSchema>() -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    Schema::from(OneOfBuilder::new().item(reference::<T>()).item(null)).into()
}
