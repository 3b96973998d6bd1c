//! Lists: which rows, in which order, and from which place on. What narrows a list is declared once, as `Which` in the
//! file of its noun: the struct is the parameters of the list in the document, and its conditions are SQL.
//!
//! A text is searched without an index. Row-level security lets an index serve only conditions that cannot leak what
//! they see, and PostgreSQL does not count LIKE among these. So the rows of the organization are read, by its key.

use diesel::expression::BoxableExpression;
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use uuid::Uuid;

diesel::define_sql_function! {
    /// Small letters, so that names are sorted whatever their case.
    fn lower(text: Text) -> Text;
}

/// A condition on the rows of the table `T`.
pub(super) type Condition<T> = Box<dyn BoxableExpression<T, Pg, SqlType = Bool>>;

pub(super) fn is<T, E>(expression: E) -> Condition<T>
where
    E: BoxableExpression<T, Pg, SqlType = Bool> + 'static,
{
    Box::new(expression)
}

/// The pattern of LIKE for texts that contain `text`.
pub(super) fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// The order of a list. Rows without a name are sorted by their creation.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Order {
    pub by_name: bool,
    pub descending: bool,
}

impl Order {
    pub const OLDEST_FIRST: Self = Self { by_name: false, descending: false };
    pub const NEWEST_FIRST: Self = Self { by_name: false, descending: true };
}

/// The row that a page ended with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub id: Uuid,
    pub name: String,
}

/// A part of a list: at most `limit` rows after a place.
#[derive(Clone, Debug)]
pub struct Part {
    pub order: Order,
    pub after: Option<Place>,
    pub limit: i64,
}

impl Part {
    /// The oldest rows.
    pub fn first(limit: i64) -> Self {
        Self { order: Order::OLDEST_FIRST, after: None, limit }
    }
}

/// Defines `list` for a table with `organization_id` and `id`. `Which` of the file has the conditions.
macro_rules! list {
    ($table:ident, $row:ident, by time) => {
        /// The rows that `which` names, by their creation.
        pub async fn list(
            tx: &mut $crate::db::Transaction,
            organization: $crate::ids::OrganizationId,
            which: &Which,
            part: &$crate::db::list::Part,
        ) -> $crate::error::Result<Vec<$row>> {
            let mut query = $table::table.filter($table::organization_id.eq(organization.0)).into_boxed();
            for condition in which.conditions() {
                query = query.filter(condition);
            }
            let after = part.after.as_ref().map(|place| place.id);
            query = match (part.order.descending, after) {
                (false, Some(id)) => query.filter($table::id.gt(id)),
                (true, Some(id)) => query.filter($table::id.lt(id)),
                (_, None) => query,
            };
            query = match part.order.descending {
                false => query.order($table::id.asc()),
                true => query.order($table::id.desc()),
            };
            Ok(query.limit(part.limit).select($row::as_select()).load(tx).await?)
        }
    };
    ($table:ident, $row:ident, by name or time) => {
        /// The rows that `which` names, by name or by their creation.
        pub async fn list(
            tx: &mut $crate::db::Transaction,
            organization: $crate::ids::OrganizationId,
            which: &Which,
            part: &$crate::db::list::Part,
        ) -> $crate::error::Result<Vec<$row>> {
            use $crate::db::list::lower;
            let mut query = $table::table.filter($table::organization_id.eq(organization.0)).into_boxed();
            for condition in which.conditions() {
                query = query.filter(condition);
            }
            let (order, after) = (part.order, part.after.clone());
            if let Some(place) = after {
                let name = || lower(place.name.clone());
                query = match (order.by_name, order.descending) {
                    (false, false) => query.filter($table::id.gt(place.id)),
                    (false, true) => query.filter($table::id.lt(place.id)),
                    (true, false) => query.filter(
                        lower($table::name).gt(name()).or(lower($table::name).eq(name()).and($table::id.gt(place.id))),
                    ),
                    (true, true) => query.filter(
                        lower($table::name).lt(name()).or(lower($table::name).eq(name()).and($table::id.lt(place.id))),
                    ),
                };
            }
            query = match (order.by_name, order.descending) {
                (false, false) => query.order($table::id.asc()),
                (false, true) => query.order($table::id.desc()),
                (true, false) => query.order((lower($table::name).asc(), $table::id.asc())),
                (true, true) => query.order((lower($table::name).desc(), $table::id.desc())),
            };
            Ok(query.limit(part.limit).select($row::as_select()).load(tx).await?)
        }
    };
}
pub(super) use list;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_the_signs_of_like_for_themselves() {
        assert_eq!(containing(r"50%_a\b"), r"%50\%\_a\\b%");
    }
}
