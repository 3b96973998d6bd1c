//! The stable codes that clients compare, one table each: of problems, of errors and warnings of runs, of findings
//! of checks, and of warnings of previews. A row has the code's text, what it means and what to do; `docs/errors.md` is made from these tables.

mod assets_error;
mod finding;
mod preview_warning;
mod problem;
mod recorded;
mod run_error;
mod warning;

pub use assets_error::AssetsErrorCode;
pub use finding::FindingCode;
pub use preview_warning::PreviewWarningCode;
pub use problem::Code;
pub use recorded::RecordedCode;
pub use run_error::RunErrorCode;
pub use warning::WarningCode;

/// Text, meaning and advice of a code.
pub type Row = (&'static str, &'static str, &'static str);

/// An enum of codes from a table. `..Part(Table);` at its end takes over the codes of another table.
macro_rules! code_table {
    (
        $(#[$doc:meta])*
        $enum:ident {
            $($(#[$row_doc:meta])* $name:ident = $text:literal, $meaning:literal, $advice:literal;)*
            $(..$part:ident($table:ty);)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $enum { $($(#[$row_doc])* $name,)* $($part($table),)* }

        impl $enum {
            /// The rows of this table, without those that it takes over.
            pub const ALL: &'static [$enum] = &[$($enum::$name),*];

            pub fn rows() -> impl Iterator<Item = $crate::codes::Row> + Clone {
                Self::ALL.iter().map(|code| (code.as_str(), code.meaning(), code.advice()))
            }

            /// The stable text that clients compare.
            pub fn as_str(self) -> &'static str {
                match self { $($enum::$name => $text,)* $($enum::$part(code) => code.as_str(),)* }
            }

            /// What happened, in one or a few sentences.
            pub fn meaning(self) -> &'static str {
                match self { $($enum::$name => $meaning,)* $($enum::$part(code) => code.meaning(),)* }
            }

            /// What to do next.
            pub fn advice(self) -> &'static str {
                match self { $($enum::$name => $advice,)* $($enum::$part(code) => code.advice(),)* }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $enum {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok($enum::$name),)*
                    other => Err(format!("`{other}` is not a code"))
                        $(.or_else(|_: String| other.parse::<$table>().map($enum::$part)))*,
                }
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        $(impl From<$table> for $enum {
            fn from(code: $table) -> Self {
                Self::$part(code)
            }
        })*
    };
}
use code_table;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_snake_case_and_say_what_to_do() {
        // `cancelled` is in both tables that a run may have its code from.
        let of_runs = RunErrorCode::rows().filter(|row| row.0 != AssetsErrorCode::Cancelled.as_str());
        for rows in [
            Code::rows().collect::<Vec<_>>(),
            WarningCode::rows().collect(),
            PreviewWarningCode::rows().collect(),
            FindingCode::rows().chain(AssetsErrorCode::rows()).collect(),
            of_runs.chain(AssetsErrorCode::rows()).collect(),
        ] {
            let mut seen = HashSet::new();
            for (text, meaning, advice) in rows {
                assert!(seen.insert(text), "{text} twice");
                assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{text}");
                assert!(meaning.ends_with('.') && advice.ends_with('.'), "{text}");
            }
        }
    }

    #[test]
    fn a_text_is_read_back_as_its_code_and_an_unknown_one_as_it_is() {
        for code in WarningCode::ALL {
            assert_eq!(code.as_str().parse::<WarningCode>().as_ref(), Ok(code));
        }
        let of = |text: &str| serde_json::from_value::<RecordedCode<RunErrorCode>>(text.into()).unwrap();
        assert_eq!(of("superseded"), RunErrorCode::Superseded);
        assert_eq!(of("assets_forbidden"), RunErrorCode::Assets(AssetsErrorCode::Forbidden));
        assert_eq!(of("token_wrong_tenant"), RunErrorCode::Finding(FindingCode::TokenWrongTenant));
        assert_eq!(of("of_another_version"), RecordedCode::Unknown("of_another_version".to_owned()));
        assert_eq!(serde_json::to_value(of("of_another_version")).unwrap(), "of_another_version");
        assert_eq!(serde_json::to_value(of("superseded")).unwrap(), "superseded");
    }
}
