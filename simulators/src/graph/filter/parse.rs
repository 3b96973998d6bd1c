//! A recursive descent over the tokens of a filter.

use super::expression::{Expr, Function, Literal, Op, Path};
use chrono::{DateTime, NaiveDate};
use std::iter::Peekable;
use std::vec::IntoIter;

/// Deeper than this is refused rather than followed.
const MAX_DEPTH: usize = 100;

#[derive(Clone, PartialEq, Debug)]
enum Token {
    /// A name, keyword, number, date or GUID.
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
    Colon,
    Slash,
}

pub fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser { tokens: tokens(text)?.into_iter().peekable(), depth: 0 };
    let expr = parser.or()?;
    match parser.tokens.next() {
        None => Ok(expr),
        Some(token) => Err(format!("Syntax error: unexpected {} in '{text}'.", show(&token))),
    }
}

fn show(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("'{word}'"),
        Token::Text(text) => format!("'{text}'"),
        Token::Open => "'('".into(),
        Token::Close => "')'".into(),
        Token::Comma => "','".into(),
        Token::Colon => "':'".into(),
        Token::Slash => "'/'".into(),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let token = match c {
            ' ' | '\t' | '\r' | '\n' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            ':' => Token::Colon,
            '/' => Token::Slash,
            '\'' => {
                let mut value = String::new();
                loop {
                    match rest.next() {
                        Some((_, '\'')) if rest.peek().is_some_and(|(_, c)| *c == '\'') => {
                            rest.next();
                            value.push('\'');
                        }
                        Some((_, '\'')) => break,
                        Some((_, c)) => value.push(c),
                        None => return Err(format!("There is an unterminated string literal at position {at}.")),
                    }
                }
                Token::Text(value)
            }
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some((_, c)) = rest.peek().copied() {
                    // A colon belongs to a word only within a time: 2026-01-01T00:00:00Z.
                    let in_time = (c == ':' || c == '+') && word.as_bytes().get(10) == Some(&b'T');
                    if !is_word(c) && !in_time {
                        break;
                    }
                    word.push(c);
                    rest.next();
                }
                Token::Word(word)
            }
            other => return Err(format!("Syntax error: character '{other}' is not valid at position {at}.")),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '$')
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.peek(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        if found {
            self.tokens.next();
        }
        found
    }

    fn expect(&mut self, token: &Token) -> Result<(), String> {
        match self.tokens.next() {
            Some(found) if found == *token => Ok(()),
            Some(found) => Err(format!("Syntax error: {} expected, {} found.", show(token), show(&found))),
            None => Err(format!("Syntax error: {} expected at the end.", show(token))),
        }
    }

    fn or(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("The node count limit has been exceeded.".into());
        }
        let mut parts = vec![self.and()?];
        while self.keyword("or") {
            parts.push(self.and()?);
        }
        self.depth -= 1;
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn and(&mut self) -> Result<Expr, String> {
        let mut parts = vec![self.not()?];
        while self.keyword("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn not(&mut self) -> Result<Expr, String> {
        if self.keyword("not") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("The node count limit has been exceeded.".into());
            }
            let inner = self.not()?;
            self.depth -= 1;
            return Ok(Expr::Not(Box::new(inner)));
        }
        if self.tokens.peek() == Some(&Token::Open) {
            self.tokens.next();
            let inner = self.or()?;
            self.expect(&Token::Close)?;
            return Ok(inner);
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Expr, String> {
        let first = self.word()?;
        let function = match first.to_ascii_lowercase().as_str() {
            "startswith" => Some(Function::StartsWith),
            "endswith" => Some(Function::EndsWith),
            "contains" => Some(Function::Contains),
            _ => None,
        };
        if let (Some(function), Some(Token::Open)) = (function, self.tokens.peek()) {
            return self.call(function);
        }
        let mut path = vec![first];
        while self.tokens.peek() == Some(&Token::Slash) {
            self.tokens.next();
            let part = self.word()?;
            let lower = part.to_ascii_lowercase();
            if matches!(lower.as_str(), "any" | "all") && self.tokens.peek() == Some(&Token::Open) {
                return self.lambda(path, lower == "any");
            }
            if part == "$count" {
                let op = self.op()?;
                return match self.literal()? {
                    Literal::Int(number) => Ok(Expr::Count(path, op, number)),
                    _ => Err("A number is expected after $count.".into()),
                };
            }
            path.push(part);
        }
        if self.keyword("in") {
            return Ok(Expr::In(path, self.list()?));
        }
        let op = self.op()?;
        Ok(Expr::Compare(path, op, self.literal()?))
    }

    fn call(&mut self, function: Function) -> Result<Expr, String> {
        self.expect(&Token::Open)?;
        let path = self.path()?;
        self.expect(&Token::Comma)?;
        let Literal::Str(text) = self.literal()? else {
            return Err("No function signature for the function matches the specified arguments.".into());
        };
        self.expect(&Token::Close)?;
        // `startsWith(x,'a') eq true` is the same thing.
        if self.keyword("eq") {
            return match self.literal()? {
                Literal::Bool(true) => Ok(Expr::Call(function, path, text)),
                Literal::Bool(false) => Ok(Expr::Not(Box::new(Expr::Call(function, path, text)))),
                _ => Err("A function gives true or false.".into()),
            };
        }
        Ok(Expr::Call(function, path, text))
    }

    fn lambda(&mut self, path: Path, any: bool) -> Result<Expr, String> {
        self.expect(&Token::Open)?;
        if any && self.tokens.peek() == Some(&Token::Close) {
            self.tokens.next();
            return Ok(Expr::Any(path, None));
        }
        let variable = self.word()?;
        self.expect(&Token::Colon)?;
        let body = Box::new(self.or()?);
        self.expect(&Token::Close)?;
        Ok(if any { Expr::Any(path, Some((variable, body))) } else { Expr::All(path, variable, body) })
    }

    fn path(&mut self) -> Result<Path, String> {
        let mut path = vec![self.word()?];
        while self.tokens.peek() == Some(&Token::Slash) {
            self.tokens.next();
            path.push(self.word()?);
        }
        Ok(path)
    }

    fn list(&mut self) -> Result<Vec<Literal>, String> {
        self.expect(&Token::Open)?;
        let mut values = vec![self.literal()?];
        while self.tokens.peek() == Some(&Token::Comma) {
            self.tokens.next();
            values.push(self.literal()?);
        }
        self.expect(&Token::Close)?;
        Ok(values)
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(found) => Err(format!("Syntax error: a name expected, {} found.", show(&found))),
            None => Err("Syntax error: a name expected at the end.".into()),
        }
    }

    fn op(&mut self) -> Result<Op, String> {
        let word = self.word()?;
        match word.to_ascii_lowercase().as_str() {
            "eq" => Ok(Op::Eq),
            "ne" => Ok(Op::Ne),
            "gt" => Ok(Op::Gt),
            "ge" => Ok(Op::Ge),
            "lt" => Ok(Op::Lt),
            "le" => Ok(Op::Le),
            _ => Err(format!("Syntax error: an operator expected, '{word}' found.")),
        }
    }

    fn literal(&mut self) -> Result<Literal, String> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(Literal::Str(text)),
            Some(Token::Word(word)) => literal(&word).ok_or_else(|| format!("Syntax error: '{word}' is not a value.")),
            Some(found) => Err(format!("Syntax error: a value expected, {} found.", show(&found))),
            None => Err("Syntax error: a value expected at the end.".into()),
        }
    }
}

fn literal(word: &str) -> Option<Literal> {
    match word.to_ascii_lowercase().as_str() {
        "null" => return Some(Literal::Null),
        "true" => return Some(Literal::Bool(true)),
        "false" => return Some(Literal::Bool(false)),
        _ => {}
    }
    if let Ok(number) = word.parse() {
        return Some(Literal::Int(number));
    }
    if let Some(millis) = time(word) {
        return Some(Literal::Time(millis));
    }
    (word.len() == 36).then(|| uuid::Uuid::parse_str(word).ok()).flatten().map(Literal::Guid)
}

/// Milliseconds since 1970 of an OData date or time.
pub fn time(word: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(word) {
        return Some(time.timestamp_millis());
    }
    // Seconds may be left out: 2026-01-01T00:00Z.
    if let Some(short) = word.strip_suffix('Z').filter(|short| short.len() == 16) {
        return DateTime::parse_from_rfc3339(&format!("{short}:00Z")).ok().map(|time| time.timestamp_millis());
    }
    let date = NaiveDate::parse_from_str(word, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
}
