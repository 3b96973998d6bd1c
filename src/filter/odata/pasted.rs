//! A text that was pasted with other parts of its URL: `$filter=accountEnabled eq true`, `…&$select=id`.

use super::error::{ParseError, place};
use super::lexer::{Token, TokenKind};

/// The error about the first part that does not belong to the expression; `None`: there is none.
pub(super) fn from_a_url(text: &str, tokens: &[Token<'_>]) -> Option<ParseError> {
    let before = before_the_expression(tokens).map(|end| 0..end);
    let start = before.as_ref().map_or(0, |before| before.end);
    let after = after_the_expression(tokens, start).map(|start| start..text.len());
    let expression = start..after.as_ref().map_or(text.len(), |after| after.start);
    let (offset, length) = place(text, before.or(after)?);
    let expression = text.get(expression).unwrap_or_default().trim();
    Some(ParseError {
        offset,
        length,
        found: text.chars().skip(offset).take(length).collect(),
        expected: vec!["the expression of `$filter`".to_owned()],
        suggestion: Some(expression.to_owned()).filter(|expression| !expression.is_empty()),
        message: "Only the expression of `$filter` belongs here, without the other parts of a URL.".to_owned(),
    })
}

fn is_option(token: Option<&Token<'_>>) -> bool {
    let names = ["filter", "select", "count", "top", "expand", "orderby", "search", "format", "skip", "skiptoken"];
    token.is_some_and(|token| {
        names.iter().any(|name| token.is_word(name))
            || matches!(token.kind, TokenKind::Word(word) if word.starts_with('$') && word.len() > 1)
    })
}

fn is_symbol(token: Option<&Token<'_>>, symbols: &[&str]) -> bool {
    token.is_some_and(|token| matches!(token.kind, TokenKind::Symbol(symbol) if symbols.contains(&symbol)))
}

/// Where the expression begins, if `$filter=` stands before it.
fn before_the_expression(tokens: &[Token<'_>]) -> Option<usize> {
    let at = tokens.iter().position(|token| token.is_word("$filter") || token.is_word("filter"))?;
    let equals = tokens.get(at + 1).filter(|token| is_symbol(Some(token), &["="]))?;
    let is_option_before = tokens[..at].is_empty() || is_symbol(tokens[..at].last(), &["?", "&"]);
    is_option_before.then_some(equals.span.end)
}

/// Where another option begins, after `start`: `&$select=id`.
fn after_the_expression(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let is_option_at = |three: &&[Token<'_>]| {
        is_symbol(three.first(), &["&"])
            && is_option(three.get(1))
            && is_symbol(three.get(2), &["="])
            && three.first().is_some_and(|token| token.span.start > start)
    };
    tokens.windows(3).find(is_option_at)?.first().map(|token| token.span.start)
}
