//! Graph's `$filter` text: parsed at the edge, checked against what Graph supports, printed in one form.

use crate::filter::expression::Expression;
use crate::filter::property::{self, EntityKind};
use serde::Serialize;
use std::fmt;

pub(crate) mod check;
pub(crate) mod grammar;
mod lexer;
mod split;

use check::{Check, Problem};
use lexer::{Kind, Token};

pub(crate) use lexer::parse_date_time;

/// The longest text, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// How deep parentheses, `not` and lambdas may stand in one another.
pub const MAX_NESTING: usize = 64;
/// The most requests that one filter may need.
pub const MAX_REQUESTS: usize = 200;

/// A filter text that Graph can be asked, as far as its documentation says.
#[derive(Clone, PartialEq, Debug)]
pub struct Parsed {
    pub kind: EntityKind,
    pub expression: Expression,
    /// Whether Graph needs `ConsistencyLevel: eventual` and `$count=true`, on every page.
    pub advanced: bool,
    text: String,
    requests: Vec<String>,
}

/// What is wrong with a filter text, and where. Places are counted in characters, from 0.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParseError {
    pub offset: usize,
    pub length: usize,
    pub found: String,
    /// What would fit there.
    pub expected: Vec<String>,
    /// What to write instead, if that can be guessed.
    pub suggestion: Option<String>,
    pub message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "At character {}: {}", self.offset + 1, self.message)
    }
}

impl std::error::Error for ParseError {}

impl Parsed {
    /// Checks the limits of a whole filter.
    pub(crate) fn new(kind: EntityKind, expression: Expression, advanced: bool) -> Result<Self, String> {
        let text = expression.to_string();
        let requests = split::requests(&expression)?;
        Ok(Self { kind, expression, advanced, text, requests })
    }

    /// The normalised text: operators in lower case, names as Graph spells them, GUIDs and dates in one form.
    /// Not percent-encoded.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The `$filter` texts to ask Graph, usually one. The answer is the union of theirs, by id: a list of more
    /// than 15 values is spread over several requests.
    pub fn requests(&self) -> &[String] {
        &self.requests
    }

    /// The properties it reads, as Graph spells them, each once, in the order of the alphabet.
    pub fn properties(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.expression.visit_paths(&mut |path| names.push(path));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What `$select` must name so that [`crate::filter::eval`] can decide by it.
    pub fn select(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.properties().into_iter().map(|path| path.split('/').next().unwrap_or(path)).collect();
        names.dedup();
        names
    }

    /// The properties whose changes a delta query does not report. If there are any, an incremental run cannot
    /// decide by this filter what entered or left the scope.
    pub fn not_in_delta(&self) -> Vec<&str> {
        let known = |path: &&str| property::find(self.kind, path).is_ok_and(|found| !found.property.in_delta);
        self.properties().into_iter().filter(known).collect()
    }

    /// What an incremental run cannot see, as a sentence; nothing if it sees everything.
    pub fn local_only_problem(&self) -> Option<String> {
        let names = self.not_in_delta();
        (!names.is_empty()).then(|| {
            format!(
                "The filter of {} uses {}, whose changes Graph's delta queries do not report: an incremental run keeps \
                 the last known value, and only a full run decides anew.",
                self.kind.as_str(),
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            )
        })
    }
}

/// Parses a filter text. The first thing that is wrong is the error; [`parse_all`] gives every one.
pub fn parse(kind: EntityKind, text: &str) -> Result<Parsed, ParseError> {
    parse_all(kind, text).map_err(|mut errors| errors.swap_remove(0))
}

/// Parses a filter text, and names everything that is wrong, in the order of the text; never an empty list.
pub fn parse_all(kind: EntityKind, text: &str) -> Result<Parsed, Vec<ParseError>> {
    check_length(text).map_err(|error| vec![error])?;
    let tokens = lexer::tokens(text).map_err(|error| vec![error])?;
    check_nesting(text, &tokens).map_err(|error| vec![error])?;
    let syntax = grammar::parse(&tokens).map_err(|failure| vec![syntax_error(kind, text, &tokens, failure)])?;
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

/// Bytes to characters: offset and length.
fn place(text: &str, span: std::ops::Range<usize>) -> (usize, usize) {
    let count = |part: Option<&str>| part.map_or(0, |part| part.chars().count());
    (count(text.get(..span.start)), count(text.get(span)))
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
        message: format!("The text has {} bytes; a filter may have at most {MAX_LENGTH}.", text.len()),
    })
}

/// Refuses what would need a deep stack, before anything recurses.
fn check_nesting(text: &str, tokens: &[Token<'_>]) -> Result<(), ParseError> {
    // Each open parenthesis with what its closing takes back; calls and lists of values do not nest.
    let mut open: Vec<usize> = Vec::new();
    let (mut depth, mut negations) = (0, 0);
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => {
                let before = index.checked_sub(1).and_then(|before| tokens.get(before));
                let is_list = before.is_some_and(|token| {
                    matches!(token.kind, Kind::Word(_))
                        && !["and", "or", "not", "any", "all"].iter().any(|word| token.is_word(word))
                });
                // `not (` is one level, as it is printed.
                let levels = negations.max(usize::from(!is_list));
                open.push(levels);
                depth += levels;
                negations = 0;
            }
            Kind::Close => depth -= open.pop().unwrap_or(0),
            Kind::Word(_) if token.is_word("not") => negations += 1,
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
                message: format!("Parentheses, `not` and lambdas may nest at most {MAX_NESTING} deep."),
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
            true => "The filter is empty; leave it out to take everything.".to_owned(),
            false => format!("The text ends where {fits} should follow."),
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
        (Kind::Symbol(symbol), _) if symbol.starts_with('%') => {
            " The text looks percent-encoded: write it plainly.".to_owned()
        }
        (_, Some(suggestion)) => format!(" Did you mean `{suggestion}`?"),
        (_, None) => String::new(),
    };
    let message = format!("Here stands `{}` where {fits} should.{hint}", token.source);
    ParseError { offset, length, found: token.source.to_owned(), expected, suggestion, message }
}

/// Labels in words stay as they are; tokens are shown as code.
fn quote_token(label: &str) -> String {
    if label.contains(' ') { label.to_owned() } else { format!("`{label}`") }
}

/// What a Boolean standing alone lacks.
fn completion(kind: EntityKind, last: &Token<'_>, expected: &[String]) -> Option<String> {
    let is_operator_missing = expected.iter().any(|label| label == "eq");
    let Kind::Word(word) = last.kind else { return None };
    let found = property::find(kind, word).ok().filter(|_| is_operator_missing)?;
    matches!(found.property.shape, property::Shape::Single(property::Type::Boolean))
        .then(|| format!("{} eq true", found.name))
}

/// The word of OData for what another language writes.
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
