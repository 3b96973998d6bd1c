//! Graph's `$filter` text: parsed, checked against what Graph supports, and printed in a normalised form.

use crate::filter::expression::Expression;
use crate::filter::property::{self, EntityKind, Returned};

pub(crate) mod check;
mod error;
pub(crate) mod grammar;
mod lexer;
mod pasted;
mod split;

use check::{Check, Problem};
use error::place;
use lexer::{Token, TokenKind};

pub use error::ParseError;
pub(crate) use lexer::parse_date_time;
pub use split::MAX_REQUESTS;

/// The longest text, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// The most levels of nested parentheses, `not`, `any` and `all`.
pub const MAX_NESTING: usize = 64;
/// A filter text that Graph supports, according to its documentation.
#[derive(Clone, PartialEq, Debug)]
pub struct Parsed {
    pub kind: EntityKind,
    pub expression: Expression,
    /// Whether Graph needs `ConsistencyLevel: eventual` and `$count=true`, on every page.
    pub advanced: bool,
    text: String,
    requests: Vec<String>,
}

impl Parsed {
    /// Checks the limits of the whole filter.
    pub(crate) fn new(kind: EntityKind, expression: Expression, advanced: bool) -> Result<Self, String> {
        let text = expression.to_string();
        if advanced && !kind.has_advanced_queries() {
            let kind = kind.as_str();
            return Err(format!(
                "Graph takes no advanced queries of {kind}, so there is no `not`, and a text has at most 120 characters."
            ));
        }
        let requests = split::requests(&expression)?;
        Ok(Self { kind, expression, advanced, text, requests })
    }

    /// The normalised text: operators in lower case, names as Graph spells them, GUIDs and dates in one form.
    /// Not percent-encoded.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The `$filter` texts to send to Graph, usually one. A list of more than 15 values is spread over several requests;
    /// the result is the union of their objects by id.
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    /// The properties it reads, as Graph spells them: unique, in alphabetical order.
    pub fn properties(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.expression.visit_paths(&mut |path| names.push(path));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The `$select` of a list that [`crate::filter::eval`] needs.
    pub fn select(&self) -> Vec<&str> {
        self.select_of(&[Returned::ByDelta, Returned::ByLists])
    }

    /// The same of a delta query.
    pub fn select_in_delta(&self) -> Vec<&str> {
        self.select_of(&[Returned::ByDelta])
    }

    fn select_of(&self, returned: &[Returned]) -> Vec<&str> {
        let wanted = self.properties().into_iter().filter(|path| returned.contains(&self.returned(path)));
        let mut names: Vec<&str> = wanted.map(|path| path.split('/').next().unwrap_or(path)).collect();
        names.dedup();
        names
    }

    fn returned(&self, path: &str) -> Returned {
        property::find(self.kind, path).map_or(Returned::ByDelta, |found| found.property.returned)
    }

    /// The properties whose changes a delta query does not report. If there are any, an incremental run cannot
    /// decide by this filter what entered or left the scope.
    pub fn not_in_delta(&self) -> Vec<&str> {
        self.properties().into_iter().filter(|path| self.returned(path) != Returned::ByDelta).collect()
    }

    /// Whether only a list with this filter tells which objects fulfil it.
    pub fn needs_a_list(&self) -> bool {
        !self.not_in_delta().is_empty()
    }

    /// Whether it is about what Graph returns nowhere, so that only Graph can decide, whatever was read of an object.
    pub fn only_graph_decides(&self) -> bool {
        self.properties().into_iter().any(|path| self.returned(path) == Returned::Nowhere)
    }

    /// Whether it decides by sign-ins: then Graph takes no condition on another property beside it.
    pub fn is_about_sign_ins(&self) -> bool {
        self.select().contains(&property::SIGN_IN_ACTIVITY)
    }

    /// A sentence about changes that an incremental run cannot see, if there are any.
    pub fn local_only_problem(&self) -> Option<String> {
        let names = self.not_in_delta();
        (!names.is_empty()).then(|| {
            format!(
                "The filter of {} uses {}. Delta queries of Graph do not report its changes, so an incremental run reads \
                 everything.",
                self.kind.as_str(),
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )
        })
    }
}

/// Parses a filter text. The error is the first one; [`parse_all`] returns all.
pub fn parse(kind: EntityKind, text: &str) -> Result<Parsed, ParseError> {
    parse_all(kind, text).map_err(|mut errors| errors.swap_remove(0))
}

/// Parses a filter text. The list of errors is in the order of the text and never empty.
pub fn parse_all(kind: EntityKind, text: &str) -> Result<Parsed, Vec<ParseError>> {
    check_length(text).map_err(|error| vec![error])?;
    let tokens = lexer::tokens(text).map_err(|error| vec![error])?;
    check_nesting(text, &tokens).map_err(|error| vec![error])?;
    let syntax = grammar::parse(&tokens).map_err(|failure| {
        let pasted = pasted::from_a_url(text, &tokens);
        vec![pasted.unwrap_or_else(|| syntax_error(kind, text, &tokens, failure))]
    })?;
    let mut check = Check::new(kind);
    let whole = |message| Problem {
        span: 0..text.len(),
        found: String::new(),
        expected: Vec::new(),
        suggestion: None,
        message,
    };
    let expression = check.run(&syntax);
    let parsed = expression.map(|expression| Parsed::new(kind, expression, check.advanced).map_err(whole));
    match parsed {
        Some(Ok(parsed)) => return Ok(parsed),
        Some(Err(problem)) => check.problems.push(problem),
        None => {}
    }
    check.problems.sort_by_key(|problem| problem.span.start);
    Err(check.problems.into_iter().map(|problem| at_place(text, problem)).collect())
}

fn at_place(text: &str, problem: Problem) -> ParseError {
    let (offset, length) = place(text, problem.span);
    let Problem { found, expected, suggestion, message, .. } = problem;
    ParseError { offset, length, found, expected, suggestion, message }
}

fn check_length(text: &str) -> Result<(), ParseError> {
    if text.len() <= MAX_LENGTH {
        return Ok(());
    }
    let end = (0..=MAX_LENGTH).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (offset, length) = place(text, end..text.len());
    Err(ParseError {
        offset,
        length,
        found: format!("{} bytes", text.len()),
        expected: vec![format!("at most {MAX_LENGTH} bytes")],
        suggestion: None,
        message: format!("The text has {} bytes; a filter may have at most {MAX_LENGTH} bytes.", text.len()),
    })
}

/// Rejects deep nesting before anything recurses.
fn check_nesting(text: &str, tokens: &[Token<'_>]) -> Result<(), ParseError> {
    // The levels that each open parenthesis added; calls and lists of values add none.
    let mut open: Vec<usize> = Vec::new();
    let (mut depth, mut negations) = (0, 0);
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => {
                let before = index.checked_sub(1).and_then(|before| tokens.get(before));
                let is_list = before.is_some_and(|token| {
                    matches!(token.kind, TokenKind::Word(_))
                        && !["and", "or", "not", "any", "all"].iter().any(|word| token.is_word(word))
                });
                // `not (` is one level, as it is printed.
                let levels = negations.max(usize::from(!is_list));
                open.push(levels);
                depth += levels;
                negations = 0;
            }
            TokenKind::Close => depth -= open.pop().unwrap_or(0),
            TokenKind::Word(_) if token.is_word("not") => negations += 1,
            _ => negations = 0,
        }
        if depth + negations > MAX_NESTING {
            let (offset, length) = place(text, token.span.clone());
            return Err(ParseError {
                offset,
                length,
                found: token.source.to_owned(),
                expected: Vec::new(),
                suggestion: None,
                message: format!(
                    "Parentheses, `not`, `any` and `all` may be nested at most {MAX_NESTING} levels deep."
                ),
            });
        }
    }
    Ok(())
}

fn syntax_error(kind: EntityKind, text: &str, tokens: &[Token<'_>], failure: grammar::Failure) -> ParseError {
    let index = tokens.len().saturating_sub(failure.remaining);
    let mut expected: Vec<String> = Vec::new();
    for label in failure.expected {
        if !expected.iter().any(|known| known == label) {
            expected.push(label.to_owned());
        }
    }
    let fits = expected.iter().map(|label| quote_token(label)).collect::<Vec<_>>().join(", ");
    let Some(token) = tokens.get(index) else {
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        let message = match tokens.is_empty() {
            true => "The filter is empty. Omit it to import everything.".to_owned(),
            false => format!("Found the end of the text; expected {fits}."),
        };
        return ParseError {
            offset: text.chars().count(),
            length: 0,
            found: "the end of the text".to_owned(),
            suggestion: before.and_then(|token| completion(kind, token, &expected)),
            expected,
            message,
        };
    };
    let (offset, length) = place(text, token.span.clone());
    let suggestion = replacement(token, &expected);
    let hint = match (&token.kind, &suggestion) {
        (TokenKind::Symbol(symbol), _) if symbol.starts_with('%') => {
            " The text is percent-encoded; write it without percent-encoding.".to_owned()
        }
        (_, Some(suggestion)) => format!(" Did you mean `{suggestion}`?"),
        (_, None) => String::new(),
    };
    let message = format!("Found `{}`; expected {fits}.{hint}", token.source);
    ParseError { offset, length, found: token.source.to_owned(), expected, suggestion, message }
}

/// Shows tokens as code and leaves labels of several words as they are.
fn quote_token(label: &str) -> String {
    if label.contains(' ') { label.to_owned() } else { format!("`{label}`") }
}

/// What a Boolean property without an operator lacks.
fn completion(kind: EntityKind, last: &Token<'_>, expected: &[String]) -> Option<String> {
    let is_operator_missing = expected.iter().any(|label| label == "eq");
    let TokenKind::Word(word) = last.kind else { return None };
    let found = property::find(kind, word).ok().filter(|_| is_operator_missing)?;
    matches!(found.property.shape, property::Shape::Single(property::Type::Boolean))
        .then(|| format!("{} eq true", found.name))
}

/// The OData word for an operator of another language.
fn replacement(token: &Token<'_>, expected: &[String]) -> Option<String> {
    let fixed = match token.source {
        "=" | "==" | "===" => "eq",
        "!=" | "<>" | "~=" => "ne",
        ">" => "gt",
        ">=" => "ge",
        "<" => "lt",
        "<=" => "le",
        "&&" | "&" => "and",
        "||" | "|" => "or",
        "!" => "not",
        "%27" | "%22" | "\"" | "‘" | "’" | "“" | "”" | "`" => "'",
        "%20" => " ",
        "%28" => "(",
        "%29" => ")",
        "%2C" | "%2c" | ";" => ",",
        source if token.is_word("is") || token.is_word("equals") => {
            return Some("eq".to_owned()).filter(|_| !source.is_empty());
        }
        source => {
            let words =
                expected.iter().map(String::as_str).filter(|label| label.bytes().all(|b| b.is_ascii_lowercase()));
            return property::nearest(source, words);
        }
    };
    Some(fixed.to_owned())
}

#[cfg(test)]
pub(crate) mod tests;
