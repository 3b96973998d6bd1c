//! A code in a record that is stored and read back.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

/// The code of a stored error, warning or finding, or the word of an audit event. It is typed where it is made. A row may be read by another version
/// of the service than the one that wrote it, so a text that is in no table is not an error: it is shown as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
#[serde(untagged)]
pub enum RecordedCode<C> {
    Typed(C),
    Unknown(String),
}

impl<C> From<C> for RecordedCode<C> {
    fn from(code: C) -> Self {
        Self::Typed(code)
    }
}

impl<C: PartialEq> PartialEq<C> for RecordedCode<C> {
    fn eq(&self, other: &C) -> bool {
        matches!(self, Self::Typed(code) if code == other)
    }
}

impl<C: fmt::Display> fmt::Display for RecordedCode<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(code) => code.fmt(f),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

impl<C: fmt::Display + fmt::Debug> ToSql<Text, Pg> for RecordedCode<C> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        write!(out, "{self}")?;
        Ok(IsNull::No)
    }
}

impl<C: FromStr> FromSql<Text, Pg> for RecordedCode<C> {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let text = std::str::from_utf8(value.as_bytes())?;
        Ok(text.parse().map_or_else(|_| Self::Unknown(text.to_owned()), Self::Typed))
    }
}
