//! What the rows of staging and of the mirror are: the names that they have in their column `object_type`, and the SQL that
//! makes such a name of another or takes it apart.

use crate::directory::ObjectType;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use serde::{Serialize, Serializer};
use std::fmt;
use std::io::Write;
use std::str::FromStr;

const GONE: &str = "gone:";
const STUB: &str = "stub:";

/// What a row is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub enum StoredAs {
    /// An object.
    Object(ObjectType),
    /// The stub of an object outside the scope to which objects in scope refer. See [`StoredAs::stub`].
    Stub(ObjectType),
    /// The marker of an object that is gone; the row's data is the reason. Markers stay until the run ends, for the diff.
    Gone(ObjectType),
    /// The marker of a stub that is gone: nothing refers to the object any more, or it is in scope.
    GoneStub(ObjectType),
    /// No object: what a pass or a round of changes stages, under the name of its collection.
    Apart(&'static str),
}

impl StoredAs {
    /// The stubs of a type; `None` for a type without.
    pub fn stub(object_type: ObjectType) -> Option<Self> {
        object_type.spec().has_stubs.then_some(Self::Stub(object_type))
    }

    /// What there can be of a type: its objects, and their stubs.
    pub fn all_of(object_type: ObjectType) -> impl Iterator<Item = Self> {
        [Self::Object(object_type)].into_iter().chain(Self::stub(object_type))
    }

    pub fn is_stub(self) -> bool {
        matches!(self, Self::Stub(_))
    }
}

impl fmt::Display for StoredAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(of) => write!(f, "{of}"),
            Self::Stub(of) => write!(f, "{STUB}{of}"),
            Self::Gone(of) => write!(f, "{GONE}{of}"),
            Self::GoneStub(of) => write!(f, "{GONE}{STUB}{of}"),
            Self::Apart(name) => f.write_str(name),
        }
    }
}

/// Reads every name but those of [`StoredAs::Apart`].
impl FromStr for StoredAs {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let (is_gone, name) = name.strip_prefix(GONE).map_or((false, name), |rest| (true, rest));
        let (is_stub, name) = name.strip_prefix(STUB).map_or((false, name), |rest| (true, rest));
        let of: ObjectType = name.parse()?;
        Ok(match (is_gone, is_stub) {
            (false, false) => Self::Object(of),
            (false, true) => Self::Stub(of),
            (true, false) => Self::Gone(of),
            (true, true) => Self::GoneStub(of),
        })
    }
}

impl Serialize for StoredAs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToSql<Text, Pg> for StoredAs {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        write!(out, "{self}")?;
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Pg> for StoredAs {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(std::str::from_utf8(value.as_bytes())?.parse()?)
    }
}

/// In SQL: names, separated by commas.
pub(super) fn names(all: impl IntoIterator<Item = StoredAs>) -> String {
    let all: Vec<String> = all.into_iter().map(|name| format!("'{name}'")).collect();
    all.join(", ")
}

/// In SQL: the name of the stubs of a type.
pub(super) fn stub_of(object_type: &str) -> String {
    format!("'{STUB}' || {object_type}")
}

/// In SQL: the type of an object or of a stub by its name.
pub(super) fn type_of(name: &str) -> String {
    format!("replace({name}, '{STUB}', '')")
}

/// In SQL: the name of the markers of what is gone and was stored under a name.
pub(super) fn gone_of(name: &str) -> String {
    format!("'{GONE}' || {name}")
}

/// In SQL: the name under which was stored what a marker is about.
pub(super) fn of_marker(marker: &str) -> String {
    format!("substr({marker}, {})", GONE.len() + 1)
}

/// In SQL: whether a name is one of markers.
pub(super) fn is_marker(name: &str) -> String {
    format!("{name} LIKE '{GONE}%'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for of in ObjectType::ALL {
            let all = [StoredAs::Object(of), StoredAs::Stub(of), StoredAs::Gone(of), StoredAs::GoneStub(of)];
            for stored_as in all {
                assert_eq!(stored_as.to_string().parse(), Ok(stored_as));
            }
            let names = all.map(|stored_as| stored_as.to_string());
            assert_eq!(names, [format!("{of}"), format!("stub:{of}"), format!("gone:{of}"), format!("gone:stub:{of}")]);
        }
        assert!("changes:users".parse::<StoredAs>().is_err());
    }

    #[test]
    fn users_and_groups_have_stubs() {
        let with_stubs: Vec<StoredAs> = ObjectType::ALL.into_iter().filter_map(StoredAs::stub).collect();
        assert_eq!(with_stubs, [StoredAs::Stub(ObjectType::Users), StoredAs::Stub(ObjectType::Groups)]);
    }
}
