//! Words that the database stores, and that JSON and the API spell alike, as enums.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Declares an enum whose values are words: in Rust, in JSON, in the OpenAPI document and in the database.
///
/// `in "table.column"` names the columns that store it. A word in one of them that the enum does not have is an error
/// that names the column and the word.
macro_rules! text_enum {
    ($(#[$attribute:meta])* $name:ident in $columns:literal {
        $($(#[$variant_attribute:meta])* $variant:ident = $text:tt),* $(,)?
    }) => {
        #[derive(
            Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
            diesel::expression::AsExpression, diesel::deserialize::FromSqlRow,
        )]
        #[diesel(sql_type = diesel::sql_types::Text)]
        $(#[$attribute])*
        pub enum $name { $($(#[$variant_attribute])* #[serde(rename = $text)] $variant),* }

        impl $name {
            pub const ALL: [Self; [$($text),*].len()] = [$(Self::$variant),*];

            /// The word in the API and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl $crate::text_enum::Explained for $name {
            fn meanings() -> Vec<String> {
                vec![$($crate::text_enum::meaning(&[$(stringify!($variant_attribute)),*])),*]
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let found = Self::ALL.into_iter().find(|value| value.as_str() == text);
                found.ok_or_else(|| format!("`{text}` is not one of {}", [$($text),*].join(", ")))
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
            ) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<diesel::sql_types::Text, diesel::pg::Pg>::to_sql(self.as_str(), out)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for $name {
            fn from_sql(value: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                let text = std::str::from_utf8(value.as_bytes())?;
                text.parse().map_err(|error: String| format!("{} holds a word that is not known: {error}", $columns).into())
            }
        }
    };
}
pub(crate) use text_enum;

/// Adds to an enum without data what its words mean: by the comments of its variants.
macro_rules! explained {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident {
        $($(#[$variant_attribute:meta])* $variant:ident),* $(,)?
    }) => {
        $(#[$attribute])*
        $visibility enum $name { $($(#[$variant_attribute])* $variant),* }

        impl $crate::text_enum::Explained for $name {
            fn meanings() -> Vec<String> {
                vec![$($crate::text_enum::meaning(&[$(stringify!($variant_attribute)),*])),*]
            }
        }
    };
}
pub(crate) use explained;

/// An enum whose words are explained: by the comments of its variants.
pub trait Explained {
    /// What each word means, in their order; empty if its variant has no comment.
    fn meanings() -> Vec<String>;
}

/// The text of the comments among the attributes of a variant.
pub(crate) fn meaning(attributes: &[&str]) -> String {
    let text = |attribute: &&str| {
        let (name, value) = attribute.split_once('=')?;
        let (start, end) = (value.find('"')? + 1, value.rfind('"')?);
        let text = value.get(start..end).filter(|_| name.trim() == "doc")?;
        // A comment is a raw text to some versions of the compiler, and an escaped one to others.
        let is_raw = value.trim_start().starts_with('r');
        Some(if is_raw { text.to_owned() } else { text.replace("\\\"", "\"").replace("\\\\", "\\") })
    };
    let lines: Vec<String> = attributes.iter().filter_map(text).map(|line| line.trim().to_owned()).collect();
    lines.join(" ")
}

/// Words of a query parameter, separated by commas. The document lists those that are allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words<T>(pub Vec<T>);

impl<T> Default for Words<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: std::str::FromStr<Err: std::fmt::Display>> Deserialize<'de> for Words<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(|word| word.parse().map_err(serde::de::Error::custom)).collect::<Result<_, _>>().map(Self)
    }
}

/// A map by words, without those that this version does not know: another version may have written it.
pub fn known_words<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: serde::Deserializer<'de>,
    K: std::str::FromStr + Ord,
    V: Deserialize<'de>,
{
    let all = BTreeMap::<String, V>::deserialize(deserializer)?;
    Ok(all.into_iter().filter_map(|(word, value)| Some((word.parse().ok()?, value))).collect())
}

#[cfg(test)]
mod tests {
    use diesel::deserialize::FromSql;
    use diesel::pg::{Pg, PgValue};
    use diesel::sql_types::Text;

    text_enum! {
        #[derive(PartialOrd, Ord)]
        Light in "lights.state" {
            On = "on",
            /// Two words in Rust are one in the database.
            SwitchedOff = "switchedOff",
        }
    }

    fn read(bytes: &[u8]) -> Result<Light, String> {
        // 25 is the number of the type `text`.
        let oid = std::num::NonZeroU32::new(25).unwrap();
        <Light as FromSql<Text, Pg>>::from_sql(PgValue::new(bytes, &oid)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_word_reads_back_everywhere() {
        for light in Light::ALL {
            assert_eq!(light.as_str().parse(), Ok(light));
            assert_eq!(serde_json::to_value(light).unwrap(), light.as_str());
            assert_eq!(read(light.as_str().as_bytes()), Ok(light));
        }
    }

    #[test]
    fn the_comments_of_variants_explain_their_words() {
        let meanings = <Light as super::Explained>::meanings();
        assert_eq!(meanings, ["", "Two words in Rust are one in the database."]);
        assert_eq!(super::meaning(&["doc = \" a \\\"b\\\"\"", "default", "doc = r\" c\""]), "a \"b\" c");
    }

    #[test]
    fn words_are_separated_by_commas() {
        let read = |text: &str| serde_json::from_value::<super::Words<Light>>(serde_json::json!(text));
        assert_eq!(read("on, switchedOff").unwrap().0, [Light::On, Light::SwitchedOff]);
        assert_eq!(read("").unwrap().0, []);
        assert!(read("on,dim").unwrap_err().to_string().contains("`dim` is not one of on, switchedOff"));
    }

    #[test]
    fn a_map_by_words_leaves_out_those_that_are_not_known() {
        let read = |value: serde_json::Value| super::known_words::<_, Light, u64>(value).map(Vec::from_iter);
        assert_eq!(read(serde_json::json!({"on": 1, "dim": 2})).unwrap(), [(Light::On, 1)]);
        assert!(read(serde_json::json!({"on": "bright"})).is_err());
    }

    #[test]
    fn an_unknown_word_in_the_database_is_named_with_its_column() {
        let error = read(b"dim").unwrap_err();
        assert_eq!(error, "lights.state holds a word that is not known: `dim` is not one of on, switchedOff");
        assert!(read(b"\xff").is_err());
    }
}
