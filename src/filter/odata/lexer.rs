//! Splits text into tokens. A `+` between tokens is a space, as in a URL; within quotes and dates it is a plus.

use super::error::{ParseError, place};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use std::ops::Range;
use uuid::Uuid;
use winnow::ModalResult;
use winnow::combinator::{alt, delimited, opt, preceded, repeat};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{any, one_of, take_while};

#[derive(Clone, PartialEq, Debug)]
pub(super) enum TokenKind<'t> {
    Open,
    Close,
    Comma,
    Colon,
    Slash,
    /// A name, a keyword, or text without its quotes.
    Word(&'t str),
    /// The content of single quotes.
    Text(String),
    Guid(Uuid),
    DateTime(DateTime<Utc>),
    Integer(i64),
    /// A symbol that no filter contains: `=`, `&&`, `"`, `%27`.
    Symbol(&'t str),
}

/// A token, the bytes it takes, and those bytes.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Token<'t> {
    pub kind: TokenKind<'t>,
    pub span: Range<usize>,
    pub source: &'t str,
}

impl Token<'_> {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.kind, TokenKind::Word(text) if text.eq_ignore_ascii_case(word))
    }
}

type Input<'t> = LocatingSlice<&'t str>;

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut input = LocatingSlice::new(text);
    let mut found = Vec::with_capacity(text.len() / 4);
    loop {
        let _: ModalResult<&str> = space.parse_next(&mut input);
        if input.eof_offset() == 0 {
            return Ok(found);
        }
        let start = input.current_token_start();
        match kind.parse_next(&mut input) {
            Ok(kind) => {
                let span = start..input.current_token_start();
                found.push(Token { kind, source: &text[span.clone()], span });
            }
            // Any character begins a token; only a quote can be unclosed.
            Err(_) => return Err(unfinished_text(text, start)),
        }
    }
}

fn unfinished_text(text: &str, start: usize) -> ParseError {
    let (offset, length) = place(text, start..text.len());
    ParseError {
        offset,
        length,
        found: text[start..].to_owned(),
        expected: vec!["'".to_owned()],
        suggestion: None,
        message: "The text that starts here has no closing quote. Write a quote within a text twice.".to_owned(),
    }
}

fn space<'t>(input: &mut Input<'t>) -> ModalResult<&'t str> {
    take_while(0.., |c: char| c.is_whitespace() || c == '+').parse_next(input)
}

fn kind<'t>(input: &mut Input<'t>) -> ModalResult<TokenKind<'t>> {
    alt((
        quoted.map(TokenKind::Text),
        date_time.map(TokenKind::DateTime),
        guid.map(TokenKind::Guid),
        integer.map(TokenKind::Integer),
        word.map(TokenKind::Word),
        punctuation,
        symbol.map(TokenKind::Symbol),
    ))
    .parse_next(input)
}

fn punctuation<'t>(input: &mut Input<'t>) -> ModalResult<TokenKind<'t>> {
    alt((
        '('.value(TokenKind::Open),
        ')'.value(TokenKind::Close),
        ','.value(TokenKind::Comma),
        ':'.value(TokenKind::Colon),
        '/'.value(TokenKind::Slash),
    ))
    .parse_next(input)
}

fn quoted(input: &mut Input<'_>) -> ModalResult<String> {
    let piece = alt((take_while(1.., |c| c != '\''), "''".value("'")));
    let content = repeat(0.., piece).fold(String::new, |mut text: String, piece: &str| {
        text.push_str(piece);
        text
    });
    delimited('\'', content, '\'').parse_next(input)
}

fn is_word_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '@' | '-' | '#')
}

fn word<'t>(input: &mut Input<'t>) -> ModalResult<&'t str> {
    take_while(1.., is_word_part).parse_next(input)
}

fn guid(input: &mut Input<'_>) -> ModalResult<Uuid> {
    word.verify_map(|text: &str| Uuid::parse_str(text).ok().filter(|_| text.len() == 36)).parse_next(input)
}

fn integer(input: &mut Input<'_>) -> ModalResult<i64> {
    word.verify_map(|text: &str| text.parse().ok()).parse_next(input)
}

/// `2026-01-31`, `2026-01-31T08:00Z`, `2026-01-31T08:00:00.5+02:00`; without a time it is midnight UTC.
fn date_time(input: &mut Input<'_>) -> ModalResult<DateTime<Utc>> {
    let digits = |count: usize| take_while(count, |c: char| c.is_ascii_digit());
    let date = (digits(4), '-', digits(2), '-', digits(2)).take();
    let clock = (
        digits(2),
        ':',
        digits(2),
        opt((':', digits(2), opt(('.', take_while(1..=12, |c: char| c.is_ascii_digit()))))),
    )
        .take();
    let zone = alt((one_of(['Z', 'z']).take(), (one_of(['+', '-']), digits(2), ':', digits(2)).take()));
    let end = winnow::combinator::not(any.verify(|c| is_word_part(*c)));
    (date, opt(preceded(one_of(['T', 't']), (clock, opt(zone)))), end)
        .verify_map(|(date, time, ()): (&str, Option<(&str, Option<&str>)>, ())| {
            let (clock, zone) = time.unwrap_or(("00:00", None));
            instant(date, clock, zone)
        })
        .parse_next(input)
}

fn instant(date: &str, clock: &str, zone: Option<&str>) -> Option<DateTime<Utc>> {
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let format = if clock.len() > 5 { "%H:%M:%S%.f" } else { "%H:%M" };
    let local = date.and_time(NaiveTime::parse_from_str(clock, format).ok()?);
    let minutes = match zone {
        None | Some("Z" | "z") => 0,
        Some(zone) => {
            let (sign, rest) = zone.split_at(1);
            let (hours, minutes) = rest.split_once(':')?;
            let total = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            if sign == "-" { -total } else { total }
        }
    };
    local.and_utc().checked_sub_signed(chrono::TimeDelta::try_minutes(minutes)?)
}

/// A date in any form that a filter, Graph or the mirror uses.
pub(crate) fn parse_date_time(text: &str) -> Option<DateTime<Utc>> {
    let mut input = LocatingSlice::new(text);
    date_time.parse_next(&mut input).ok().filter(|_| input.eof_offset() == 0)
}

/// An operator of another language, a percent-encoded character, or any one character.
fn symbol<'t>(input: &mut Input<'t>) -> ModalResult<&'t str> {
    let operator = take_while(1.., ['=', '!', '<', '>', '&', '|', '~']);
    let hexadecimal = |c: char| c.is_ascii_hexdigit();
    alt((operator, ('%', take_while(2, hexadecimal)).take(), any.verify(|c| *c != '\'').take())).parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind<'_>> {
        tokens(text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn a_plus_is_a_space_between_tokens_only() {
        assert_eq!(kinds("c+eq+'a+b'"), [TokenKind::Word("c"), TokenKind::Word("eq"), TokenKind::Text("a+b".into())]);
        let date = kinds("2021-01-01T02:00:00+02:00");
        assert_eq!(date, [TokenKind::DateTime("2021-01-01T00:00:00Z".parse().unwrap())]);
    }

    #[test]
    fn dates_have_several_forms() {
        for (text, same) in [
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T08:30Z", "2026-01-31T08:30:00Z"),
            ("2026-01-31T08:30:00.25Z", "2026-01-31T08:30:00.250Z"),
            ("2026-01-31T08:30:00-01:00", "2026-01-31T09:30:00Z"),
        ] {
            assert_eq!(parse_date_time(text), Some(same.parse().unwrap()), "{text}");
        }
        for text in ["2026-13-01", "2026-02-30", "2026-01-31T25:00:00Z", "2026-01-31x", "31.01.2026", ""] {
            assert_eq!(parse_date_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_guid_is_told_from_a_word_and_a_number() {
        assert_eq!(kinds("12 -3 abc"), [TokenKind::Integer(12), TokenKind::Integer(-3), TokenKind::Word("abc")]);
        assert!(matches!(kinds("C42B9CAE-ea4f-4ab7-9717-81576235ccac")[..], [TokenKind::Guid(_)]));
        assert!(matches!(kinds("c42b9cae-ea4f")[..], [TokenKind::Word(_)]));
    }

    #[test]
    fn a_quote_without_end_is_pointed_at() {
        let error = tokens("city eq 'London").unwrap_err();
        assert_eq!((error.offset, error.length), (8, 7));
    }
}
