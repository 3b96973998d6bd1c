//! The patterns of the document in words: who pasted a token with a line break has to read of the line break.

/// A pattern, what it wants, and, where that is about single characters, which are allowed.
struct Known {
    pattern: &'static str,
    words: &'static str,
    allows: Option<fn(char) -> bool>,
}

const KNOWN: &[Known] = &[
    Known {
        pattern: "^[!-~]+$",
        words: "may have visible ASCII characters only, no spaces and no line breaks",
        allows: Some(|c| c.is_ascii_graphic()),
    },
    Known {
        pattern: "^/v1/[!-~]+$",
        words: "must be a path that begins with /v1/, in visible ASCII characters",
        allows: Some(|c| c.is_ascii_graphic()),
    },
    Known {
        pattern: "^[A-Za-z0-9:._-]+$",
        words: "may have letters, digits and the characters : . _ - only",
        allows: Some(|c| c.is_ascii_alphanumeric() || ":._-".contains(c)),
    },
    Known {
        pattern: "^[A-Za-z0-9_-]+$",
        words: "may have letters, digits and the characters _ - only",
        allows: Some(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
    },
    Known { pattern: "^[0-9]{1,18}$", words: "must be a whole number of at most 18 digits", allows: None },
    Known {
        pattern: "^https?://[A-Za-z0-9.:\\[\\]-]+/?$",
        words: "must be the address of a site without a path, like https://example.atlassian.net",
        allows: None,
    },
    Known {
        pattern: "^[^\\s@]+@[^\\s@]+$",
        words: "must be an e-mail address like importer@example.com",
        allows: None,
    },
];

/// What is wrong with `text`, which does not match `pattern`. The text may be a secret, so nothing of it is repeated
/// but white space.
pub(super) fn words(pattern: &str, text: &str) -> String {
    let Some(known) = KNOWN.iter().find(|known| known.pattern == pattern) else {
        return format!("must match the pattern {pattern}");
    };
    let wrong = known.allows.and_then(|allows| text.chars().enumerate().find(|(_, c)| !allows(*c)));
    let Some((index, wrong)) = wrong else { return known.words.to_owned() };
    let what = match wrong {
        '\n' | '\r' => "a line break",
        '\t' => "a tab",
        c if c.is_whitespace() => "a space",
        c if c.is_control() => "a control character",
        c if !c.is_ascii() => "not ASCII",
        _ => "not one of them",
    };
    let is_at_the_end = text.chars().skip(index).all(char::is_whitespace);
    let hint = if is_at_the_end { ", at the end: it was copied along" } else { "" };
    format!("{}; character {} is {what}{hint}", known.words, index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_was_pasted_along_is_named_and_the_rest_is_not_repeated() {
        assert!(
            words("^[!-~]+$", "ATCTT3secret\n")
                .ends_with("; character 13 is a line break, at the end: it was copied along")
        );
        assert!(words("^[!-~]+$", "two words").ends_with("; character 4 is a space"));
        assert!(words("^[!-~]+$", "sécret").ends_with("; character 2 is not ASCII"));
        assert!(words("^[A-Za-z0-9_-]+$", "a/b").ends_with("; character 2 is not one of them"));
    }

    #[test]
    fn every_pattern_of_the_document_has_words() {
        fn patterns<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
            match value {
                Value::Object(fields) => {
                    found.extend(fields.get("pattern").and_then(Value::as_str));
                    fields.values().for_each(|field| patterns(field, found));
                }
                Value::Array(items) => items.iter().for_each(|item| patterns(item, found)),
                _ => {}
            }
        }
        let contract = crate::api::contract();
        let document = contract.document();
        let mut found = Vec::new();
        patterns(&document["paths"], &mut found);
        patterns(&document["components"]["schemas"], &mut found);
        assert!(found.len() > 5);
        for pattern in found {
            assert!(KNOWN.iter().any(|known| known.pattern == pattern), "{pattern} has no words");
        }
    }
}
