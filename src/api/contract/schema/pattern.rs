//! The patterns of the document in words: somebody who pasted a token with a line break is told of the line break.

/// A pattern and its meaning. `allows`: the allowed characters, if the pattern is about single characters.
struct PatternWords {
    pattern: &'static str,
    words: &'static str,
    allows: Option<fn(char) -> bool>,
}

const KNOWN: &[PatternWords] = &[
    PatternWords {
        pattern: "^[!-~]+$",
        words: "must have visible ASCII characters only, no spaces and no line breaks",
        allows: Some(|c| c.is_ascii_graphic()),
    },
    PatternWords {
        pattern: "^/v1/[!-~]+$",
        words: "must be a path that begins with /v1/, in visible ASCII characters",
        allows: Some(|c| c.is_ascii_graphic()),
    },
    PatternWords {
        pattern: "^[A-Za-z0-9:_-][A-Za-z0-9:._-]*$",
        words: "must have only letters, digits and the characters : . _ -, and must not begin with a dot",
        allows: Some(|c| c.is_ascii_alphanumeric() || ":._-".contains(c)),
    },
    PatternWords {
        pattern: "^[A-Za-z0-9_-]+$",
        words: "must have only letters, digits and the characters _ -",
        allows: Some(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
    },
    PatternWords { pattern: "^[0-9]{1,18}$", words: "must be a whole number of at most 18 digits", allows: None },
    PatternWords {
        pattern: "^https?://[A-Za-z0-9.:\\[\\]-]+/?$",
        words: "must be the address of a site without a path, like https://example.atlassian.net",
        allows: None,
    },
    PatternWords {
        pattern: "^[^\\s@]+@[^\\s@]+$",
        words: "must be an e-mail address like importer@example.com",
        allows: None,
    },
];

pub(super) fn has_words(pattern: &str) -> bool {
    KNOWN.iter().any(|known| known.pattern == pattern)
}

/// What is wrong with `text`, which does not match `pattern`. The text may be a secret, so nothing of it is quoted.
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
        _ => "not allowed",
    };
    let is_at_the_end = text.chars().skip(index).all(char::is_whitespace);
    let hint = if is_at_the_end { ", at the end: remove it" } else { "" };
    format!("{}; character {} is {what}{hint}", known.words, index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_along_is_named_and_the_rest_is_not_repeated() {
        assert!(words("^[!-~]+$", "ATCTT3secret\n").ends_with("; character 13 is a line break, at the end: remove it"));
        assert!(words("^[!-~]+$", "two words").ends_with("; character 4 is a space"));
        assert!(words("^[!-~]+$", "sécret").ends_with("; character 2 is not ASCII"));
        assert!(words("^[A-Za-z0-9_-]+$", "a/b").ends_with("; character 2 is not allowed"));
    }
}
