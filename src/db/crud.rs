//! The queries of every table with `organization_id, id, version, created_at, updated_at`.

use crate::error::{Code, Error};
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Callers check for references before they delete, so this one was added in between.
pub(super) fn from_delete(error: DieselError) -> Error {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
            Error::new(Code::InUse, "A job started to use this. See which one, and try again.")
        }
        other => other.into(),
    }
}

/// Defines `insert find lock update delete` for a table. `$row` has the stored columns, `$new` those that a caller
/// sets.
macro_rules! crud {
    ($table:ident, $row:ident, $new:ident, $id:ident) => {
        pub async fn insert(
            tx: &mut $crate::db::Transaction,
            organization: $crate::ids::OrganizationId,
            id: $crate::ids::$id,
            new: &$new,
            now: chrono::DateTime<chrono::Utc>,
        ) -> $crate::error::Result<$row> {
            let meta = (
                $table::organization_id.eq(organization.0),
                $table::id.eq(id.0),
                $table::created_at.eq(now),
                $table::updated_at.eq(now),
            );
            let insert = diesel::insert_into($table::table).values((new, meta)).returning($row::as_returning());
            Ok(insert.get_result(tx).await?)
        }

        pub async fn find(
            tx: &mut $crate::db::Transaction,
            organization: $crate::ids::OrganizationId,
            id: $crate::ids::$id,
        ) -> $crate::error::Result<Option<$row>> {
            Ok($table::table.find((organization.0, id.0)).select($row::as_select()).first(tx).await.optional()?)
        }

        /// As [`find`], with a lock on the row until the transaction ends.
        pub async fn lock(
            tx: &mut $crate::db::Transaction,
            organization: $crate::ids::OrganizationId,
            id: $crate::ids::$id,
        ) -> $crate::error::Result<Option<$row>> {
            let query = $table::table.find((organization.0, id.0)).select($row::as_select()).for_update();
            Ok(query.first(tx).await.optional()?)
        }

        pub async fn update(
            tx: &mut $crate::db::Transaction,
            organization: $crate::ids::OrganizationId,
            id: $crate::ids::$id,
            new: &$new,
            now: chrono::DateTime<chrono::Utc>,
        ) -> $crate::error::Result<$row> {
            let change = (new, $table::version.eq($table::version + 1), $table::updated_at.eq(now));
            let update = diesel::update($table::table.find((organization.0, id.0))).set(change);
            Ok(update.returning($row::as_returning()).get_result(tx).await?)
        }

        pub async fn delete(
            tx: &mut $crate::db::Transaction,
            organization: $crate::ids::OrganizationId,
            id: $crate::ids::$id,
        ) -> $crate::error::Result<()> {
            let delete = diesel::delete($table::table.find((organization.0, id.0)));
            delete.execute(tx).await.map(|_| ()).map_err($crate::db::crud::from_delete)
        }
    };
}
pub(super) use crud;
