//! Parses tokens into a tree with places. `check` looks up the properties.
//!
//! ```text
//! or       = and *( "or" and )
//! and      = unary *( "and" unary )
//! unary    = "not" unary / "(" or ")" / call / lambda / compare / in
//! call     = name "(" path "," value ")" [ "eq" boolean ]
//! lambda   = path "/" ("any" / "all") "(" name ":" or ")"
//! compare  = path operator value
//! in       = path "in" "(" value *( "," value ) ")"
//! ```

use super::lexer::{Token, TokenKind};
use crate::filter::expression::{Literal, Operator};
use std::ops::Range;
use winnow::combinator::{alt, cut_err, delimited, opt, preceded, repeat, terminated};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{Stream, TokenSlice};
use winnow::token::any;

/// A place: bytes of the text, or for a filter as JSON the number of its node.
pub(crate) type Span = Range<usize>;

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Name {
    /// Parts joined by `/`.
    pub text: String,
    pub span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Written {
    Literal(Literal),
    /// Text without its quotes.
    Bare(String),
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Value {
    pub written: Written,
    pub source: String,
    pub span: Span,
}

/// The tree as written, before names and types are checked.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Syntax {
    All(Vec<Syntax>),
    Any(Vec<Syntax>),
    Not(Box<Syntax>),
    Compare { name: Name, operator: Operator, operator_span: Span, value: Value },
    In { name: Name, values: Vec<Value>, span: Span },
    Call { function: Name, name: Name, value: Value, negated: bool },
    Lambda { name: Name, quantifier: Quantifier, variable: Name, body: Box<Syntax> },
}

/// How a condition on the elements of a collection is meant. Graph supports `any` only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quantifier {
    Any,
    All,
}

impl Quantifier {
    pub fn as_str(self) -> &'static str {
        match self {
            Quantifier::Any => "any",
            Quantifier::All => "all",
        }
    }
}

/// Where parsing stopped: the number of tokens left, and what would have been valid.
#[derive(Debug)]
pub(super) struct Failure {
    pub remaining: usize,
    pub expected: Vec<&'static str>,
}

type Tokens<'s, 't> = TokenSlice<'s, Token<'t>>;
type Parsed<T> = Result<T, ErrMode<Failure>>;

impl<'s, 't> ParserError<Tokens<'s, 't>> for Failure {
    type Inner = Self;

    fn from_input(input: &Tokens<'s, 't>) -> Self {
        Failure { remaining: input.eof_offset(), expected: Vec::new() }
    }

    /// The failure that got further; if both got equally far, both.
    fn or(mut self, other: Self) -> Self {
        match self.remaining.cmp(&other.remaining) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => {
                self.expected.extend(other.expected);
                self
            }
        }
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}

pub(super) fn parse(tokens: &[Token<'_>]) -> Result<Syntax, Failure> {
    let mut input = TokenSlice::new(tokens);
    let result = any_of_them.parse_next(&mut input);
    let failure = match result {
        Ok(syntax) if input.is_empty() => return Ok(syntax),
        Ok(_) => Failure { remaining: input.len(), expected: vec!["and", "or", "the end of the text"] },
        Err(ErrMode::Backtrack(failure) | ErrMode::Cut(failure)) => failure,
        Err(ErrMode::Incomplete(_)) => Failure { remaining: input.len(), expected: Vec::new() },
    };
    Err(failure)
}

/// Says what would have been valid if `parser` fails at its first token.
fn labelled<'s, 't: 's, O>(
    labels: &'static [&'static str],
    mut parser: impl Parser<Tokens<'s, 't>, O, ErrMode<Failure>>,
) -> impl Parser<Tokens<'s, 't>, O, ErrMode<Failure>> {
    move |input: &mut Tokens<'s, 't>| {
        let remaining = input.eof_offset();
        parser.parse_next(input).map_err(|error| {
            error.map(|mut failure: Failure| {
                if failure.remaining == remaining {
                    failure.expected = labels.to_vec();
                }
                failure
            })
        })
    }
}

fn exactly<'s, 't: 's>(kind: TokenKind<'static>) -> impl Parser<Tokens<'s, 't>, &'s Token<'t>, ErrMode<Failure>> {
    any.verify(move |token: &&'s Token<'t>| token.kind == kind)
}

fn keyword<'s, 't: 's>(word: &'static str) -> impl Parser<Tokens<'s, 't>, &'s Token<'t>, ErrMode<Failure>> {
    any.verify(move |token: &&'s Token<'t>| token.is_word(word))
}

fn is_keyword(token: &Token<'_>) -> bool {
    ["and", "or", "not", "in"].iter().any(|word| token.is_word(word))
        || Operator::ALL.iter().any(|operator| token.is_word(operator.as_str()))
}

fn any_of_them<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Syntax> {
    chain(input, "or", all_of_them, Syntax::Any)
}

fn all_of_them<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Syntax> {
    chain(input, "and", unary, Syntax::All)
}

fn chain<'s, 't: 's>(
    input: &mut Tokens<'s, 't>,
    word: &'static str,
    mut part: fn(&mut Tokens<'s, 't>) -> Parsed<Syntax>,
    join: fn(Vec<Syntax>) -> Syntax,
) -> Parsed<Syntax> {
    let first = part.parse_next(input)?;
    let mut parts: Vec<Syntax> = repeat(0.., preceded(keyword(word), cut_err(part))).parse_next(input)?;
    if parts.is_empty() {
        return Ok(first);
    }
    parts.insert(0, first);
    Ok(join(parts))
}

fn unary<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Syntax> {
    let negation = preceded(keyword("not"), cut_err(unary)).map(|inner| Syntax::Not(Box::new(inner)));
    let group = delimited(
        exactly(TokenKind::Open),
        cut_err(any_of_them),
        cut_err(labelled(&["and", "or", ")"], exactly(TokenKind::Close))),
    );
    let expected = &["a property", "a function", "not", "("];
    labelled(expected, alt((negation, group, call, condition))).parse_next(input)
}

/// A name followed by an opening parenthesis. `check` decides whether it is a function.
fn call<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Syntax> {
    let function = terminated(one_word, exactly(TokenKind::Open)).parse_next(input)?;
    let name = cut_err(labelled(&["a property"], path)).parse_next(input)?;
    cut_err(labelled(&[","], exactly(TokenKind::Comma))).parse_next(input)?;
    let value = cut_err(value).parse_next(input)?;
    cut_err(labelled(&[")"], exactly(TokenKind::Close))).parse_next(input)?;
    let negated = opt(preceded(
        keyword("eq"),
        cut_err(labelled(&["true", "false"], alt((keyword("true").value(false), keyword("false").value(true))))),
    ))
    .parse_next(input)?;
    Ok(Syntax::Call { function, name, value, negated: negated.unwrap_or(false) })
}

fn condition<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Syntax> {
    let mut name = path.parse_next(input)?;
    if let Some(quantifier) = split_quantifier(&mut name)
        && input.first().is_some_and(|token| token.kind == TokenKind::Open)
    {
        return cut_err(|input: &mut Tokens<'s, 't>| lambda(input, &name, quantifier)).parse_next(input);
    }
    let is_operator = |token: &&'s Token<'t>| operator_of(token).is_some() || token.is_word("in");
    let token =
        cut_err(labelled(&["eq", "ne", "gt", "ge", "lt", "le", "in"], any.verify(is_operator))).parse_next(input)?;
    if let Some(operator) = operator_of(token) {
        let value = cut_err(value).parse_next(input)?;
        return Ok(Syntax::Compare { name, operator, operator_span: token.span.clone(), value });
    }
    let (values, span) = cut_err(list).parse_next(input)?;
    Ok(Syntax::In { name, values, span })
}

fn operator_of(token: &Token<'_>) -> Option<Operator> {
    match token.kind {
        TokenKind::Word(word) => Operator::parse(word),
        _ => None,
    }
}

/// Removes `/any` or `/all` from the end of a path.
fn split_quantifier(name: &mut Name) -> Option<Quantifier> {
    let (head, tail) = name.text.rsplit_once('/')?;
    let quantifier =
        [Quantifier::Any, Quantifier::All].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(tail))?;
    *name = Name { text: head.to_owned(), span: name.span.start..name.span.start + head.len() };
    Some(quantifier)
}

fn lambda<'s, 't: 's>(input: &mut Tokens<'s, 't>, name: &Name, quantifier: Quantifier) -> Parsed<Syntax> {
    exactly(TokenKind::Open).parse_next(input)?;
    let variable = labelled(&["a variable, as in `x:x/skuId eq …`"], one_word).parse_next(input)?;
    labelled(&[":"], exactly(TokenKind::Colon)).parse_next(input)?;
    let body = any_of_them.parse_next(input)?;
    labelled(&["and", "or", ")"], exactly(TokenKind::Close)).parse_next(input)?;
    Ok(Syntax::Lambda { name: name.clone(), quantifier, variable, body: Box::new(body) })
}

fn one_word<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Name> {
    any.verify_map(|token: &'s Token<'t>| match token.kind {
        TokenKind::Word(text) if !is_keyword(token) => Some(Name { text: text.to_owned(), span: token.span.clone() }),
        _ => None,
    })
    .parse_next(input)
}

fn path<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Name> {
    let mut name = one_word.parse_next(input)?;
    let part = labelled(&["a property"], any.verify(|token: &&'s Token<'t>| matches!(token.kind, TokenKind::Word(_))));
    let rest: Vec<&Token<'_>> = repeat(0.., preceded(exactly(TokenKind::Slash), cut_err(part))).parse_next(input)?;
    for token in rest {
        name.text.push('/');
        name.text.push_str(token.source);
        name.span.end = token.span.end;
    }
    Ok(name)
}

fn value<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<Value> {
    let known = any.verify_map(|token: &'s Token<'t>| {
        let written = match &token.kind {
            TokenKind::Text(text) => Written::Literal(Literal::String(text.clone())),
            TokenKind::Guid(id) => Written::Literal(Literal::Guid(*id)),
            TokenKind::DateTime(instant) => Written::Literal(Literal::DateTime(*instant)),
            TokenKind::Integer(number) => Written::Literal(Literal::Integer(*number)),
            TokenKind::Word(_) if token.is_word("null") => Written::Literal(Literal::Null),
            TokenKind::Word(_) if token.is_word("true") => Written::Literal(Literal::Boolean(true)),
            TokenKind::Word(_) if token.is_word("false") => Written::Literal(Literal::Boolean(false)),
            TokenKind::Word(word) if !is_keyword(token) => Written::Bare((*word).to_owned()),
            _ => return None,
        };
        Some(Value { written, source: token.source.to_owned(), span: token.span.clone() })
    });
    labelled(&["a value"], known).parse_next(input)
}

/// The values of `in`, and the place of the list.
fn list<'s, 't: 's>(input: &mut Tokens<'s, 't>) -> Parsed<(Vec<Value>, Span)> {
    let open = labelled(&["("], exactly(TokenKind::Open)).parse_next(input)?;
    let first = value.parse_next(input)?;
    let mut values: Vec<Value> = repeat(0.., preceded(exactly(TokenKind::Comma), cut_err(value))).parse_next(input)?;
    values.insert(0, first);
    let close = labelled(&[",", ")"], exactly(TokenKind::Close)).parse_next(input)?;
    Ok((values, open.span.start..close.span.end))
}
