//! Name patterns: `svc-*`. A `*` matches any text, including none. Case is ignored.

use crate::filter::eval::fold;

/// The longest pattern, in characters.
pub const MAX_LENGTH: usize = 256;

/// A pattern for names. Matching takes time linear in the name for each piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// As written.
    text: String,
    /// The folded pieces between the stars. One piece means that there is no star.
    pieces: Vec<String>,
}

impl Pattern {
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        if text.chars().all(|c| c == '*') {
            return Err("would exclude every name; add at least one character besides `*`".to_owned());
        }
        if text.chars().count() > MAX_LENGTH {
            return Err(format!("must have at most {MAX_LENGTH} characters"));
        }
        Ok(Self { text: text.to_owned(), pieces: fold(text).split('*').map(str::to_owned).collect() })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn matches(&self, name: &str) -> bool {
        let name = fold(name);
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| *only == name);
        };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else { return false };
        for piece in middle {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("svc-*", "SVC-backup", true),
            ("svc-*", "svc-", true),
            ("svc-*", "a-svc-backup", false),
            ("*@contoso.com", "x@Contoso.com", true),
            ("*test*", "The Testers", true),
            ("a*b*c", "aXbXc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("exact", "EXACT", true),
            ("exact", "exactly", false),
            ("*ß*", "Straße", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_takes_everything_is_refused() {
        for pattern in ["", "  ", "*", "***"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
        }
        assert!(Pattern::parse(&"a".repeat(257)).is_err());
        assert!(Pattern::parse(&"a".repeat(256)).is_ok());
    }

    #[test]
    fn many_stars_cost_little() {
        let pattern = Pattern::parse(&"a*".repeat(128)).unwrap();
        assert!(!pattern.matches(&"a".repeat(127)));
        assert!(pattern.matches(&"a".repeat(128)));
    }
}
