//! The part of AQL (formerly IQL) that imports and the object API need, with the placeholders of
//! `objectMappingIQL`. Source: docs/assets.md, «References», «Object API».

/// `"Object ID" IN (${groups${0}}) AND Key != X-1`.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Query {
    And(Vec<Query>),
    Or(Vec<Query>),
    Not(Box<Query>),
    Compare { field: String, op: Op, operands: Vec<Operand> },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    NotLike,
    StartsWith,
    In,
    NotIn,
    IsEmpty,
    IsNotEmpty,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Operand {
    Literal(String),
    /// `${name}`: one text, several values joined.
    Joined(String),
    /// `${name${n}}`: the n-th value; 0 for all.
    Nth(String, usize),
}

impl Query {
    /// The names in the placeholders, each once.
    pub(super) fn placeholders(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.each_operand(&mut |operand| {
            if let Operand::Joined(name) | Operand::Nth(name, _) = operand
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        });
        names
    }

    fn each_operand(&self, visit: &mut impl FnMut(&Operand)) {
        match self {
            Query::And(parts) | Query::Or(parts) => parts.iter().for_each(|part| part.each_operand(visit)),
            Query::Not(part) => part.each_operand(visit),
            Query::Compare { operands, .. } => operands.iter().for_each(visit),
        }
    }

    /// The same query with every placeholder replaced by the texts that `render` gives for it.
    pub(super) fn bind(&self, render: &impl Fn(Op, &Operand) -> Vec<String>) -> Query {
        let all = |parts: &[Query]| parts.iter().map(|part| part.bind(render)).collect();
        match self {
            Query::And(parts) => Query::And(all(parts)),
            Query::Or(parts) => Query::Or(all(parts)),
            Query::Not(part) => Query::Not(Box::new(part.bind(render))),
            Query::Compare { field, op, operands } => {
                let operands = operands.iter().flat_map(|operand| match operand {
                    Operand::Literal(text) => vec![text.clone()],
                    placeholder => render(*op, placeholder),
                });
                let operands = operands.map(Operand::Literal).collect();
                Query::Compare { field: field.clone(), op: *op, operands }
            }
        }
    }
}

/// Reads a query. The error is a sentence for the caller.
pub(super) fn parse(text: &str) -> Result<Query, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0 };
    if tokens.is_empty() {
        return Ok(Query::And(Vec::new()));
    }
    let query = parser.or()?;
    parser.skip_order();
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(format!("unexpected {token:?} after the condition")),
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Quoted(String),
    Placeholder(Operand),
    Sign(&'static str),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    const SIGNS: [&str; 10] = ["<=", ">=", "!=", "==", "(", ")", ",", "=", "<", ">"];
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if rest.starts_with("${") {
            let (operand, after) = placeholder(rest)?;
            found.push(Token::Placeholder(operand));
            rest = after;
        } else if rest.starts_with(['"', '\'']) {
            let (inner, after) = quoted(rest)?;
            match placeholder(&inner) {
                Ok((operand, "")) => found.push(Token::Placeholder(operand)),
                _ => found.push(Token::Quoted(inner)),
            }
            rest = after;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "(),=<>!\"'".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("unexpected character at: {rest}"));
            }
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// `${name}` or `${name${2}}` at the start of the text, and what follows.
fn placeholder(text: &str) -> Result<(Operand, &str), String> {
    let wrong = || format!("the placeholder at `{text}` is not complete");
    let inner = text.strip_prefix("${").ok_or_else(wrong)?;
    let end = inner.find(['$', '}']).ok_or_else(wrong)?;
    let name = inner[..end].to_owned();
    let after = &inner[end..];
    if let Some(after) = after.strip_prefix('}') {
        return Ok((Operand::Joined(name), after));
    }
    let (number, after) = after.strip_prefix("${").and_then(|t| t.split_once("}}")).ok_or_else(wrong)?;
    Ok((Operand::Nth(name, number.parse().map_err(|_| wrong())?), after))
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, c)| c);
    let mut inner = String::new();
    let mut escaped = false;
    for (at, c) in chars {
        if escaped {
            inner.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if Some(c) == quote {
            return Ok((inner, &text[at + c.len_utf8()..]));
        } else {
            inner.push(c);
        }
    }
    Err("a quotation mark is not closed".to_owned())
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(is);
        is
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Result<Query, String> {
        let mut parts = vec![self.and()?];
        while self.word("OR") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Query::Or(parts) })
    }

    fn and(&mut self) -> Result<Query, String> {
        let mut parts = vec![self.term()?];
        while self.word("AND") {
            parts.push(self.term()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Query::And(parts) })
    }

    fn term(&mut self) -> Result<Query, String> {
        if self.word("NOT") {
            return Ok(Query::Not(Box::new(self.term()?)));
        }
        if self.sign("(") {
            let inner = self.or()?;
            return if self.sign(")") { Ok(inner) } else { Err("a bracket is not closed".to_owned()) };
        }
        self.compare()
    }

    fn compare(&mut self) -> Result<Query, String> {
        let mut field = match self.next() {
            Some(Token::Word(text) | Token::Quoted(text)) => text,
            other => return Err(format!("an attribute is expected, not {other:?}")),
        };
        // An attribute of several words need not be quoted on the left side.
        while let Some(Token::Word(word)) = self.peek() {
            if ["IN", "LIKE", "NOT", "IS", "STARTSWITH"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
                break;
            }
            field = format!("{field} {word}");
            self.at += 1;
        }
        let op = self.op()?;
        let operands = match op {
            Op::IsEmpty | Op::IsNotEmpty => Vec::new(),
            Op::In | Op::NotIn => self.list()?,
            _ => vec![self.operand()?],
        };
        Ok(Query::Compare { field, op, operands })
    }

    fn op(&mut self) -> Result<Op, String> {
        const SIGNS: [(&str, Op); 7] = [
            ("=", Op::Equal),
            ("==", Op::Equal),
            ("!=", Op::NotEqual),
            ("<=", Op::LessOrEqual),
            ("<", Op::Less),
            (">=", Op::GreaterOrEqual),
            (">", Op::Greater),
        ];
        if let Some((_, op)) = SIGNS.iter().find(|(sign, _)| self.sign(sign)) {
            return Ok(*op);
        }
        if self.word("IS") {
            let not = self.word("NOT");
            return match self.word("EMPTY") {
                true if not => Ok(Op::IsNotEmpty),
                true => Ok(Op::IsEmpty),
                false => Err("EMPTY is expected after IS".to_owned()),
            };
        }
        let not = self.word("NOT");
        match () {
            () if self.word("IN") => Ok(if not { Op::NotIn } else { Op::In }),
            () if self.word("LIKE") => Ok(if not { Op::NotLike } else { Op::Like }),
            () if self.word("STARTSWITH") => Ok(Op::StartsWith),
            () => Err(format!("an operator is expected, not {:?}", self.peek())),
        }
    }

    fn list(&mut self) -> Result<Vec<Operand>, String> {
        if !self.sign("(") {
            return Err("a list in brackets is expected after IN".to_owned());
        }
        let mut operands = Vec::new();
        while !self.sign(")") {
            operands.push(self.operand()?);
            if !self.sign(",") && !matches!(self.peek(), Some(Token::Sign(")"))) {
                return Err("the list after IN is not closed".to_owned());
            }
        }
        Ok(operands)
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.next() {
            Some(Token::Placeholder(operand)) => Ok(operand),
            Some(Token::Quoted(text)) => Ok(Operand::Literal(text)),
            Some(Token::Word(mut text)) => {
                while let Some(Token::Word(word)) = self.peek() {
                    if ["AND", "OR", "ORDER"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
                        break;
                    }
                    text = format!("{text} {word}");
                    self.at += 1;
                }
                Ok(Operand::Literal(text))
            }
            other => Err(format!("a value is expected, not {other:?}")),
        }
    }

    /// `ORDER BY …` changes nothing here: objects come in the order of their ids.
    fn skip_order(&mut self) {
        if self.word("ORDER") {
            self.at = self.tokens.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(field: &str, op: Op, operands: Vec<Operand>) -> Query {
        Query::Compare { field: field.to_owned(), op, operands }
    }

    fn text(text: &str) -> Operand {
        Operand::Literal(text.to_owned())
    }

    #[test]
    fn a_type_and_a_list_of_ids_are_read() {
        let query = parse(r#"objectType = "Entra User" AND "Object ID" IN ("a", b)"#).unwrap();
        let wanted = Query::And(vec![
            compare("objectType", Op::Equal, vec![text("Entra User")]),
            compare("Object ID", Op::In, vec![text("a"), text("b")]),
        ]);
        assert_eq!(query, wanted);
    }

    #[test]
    fn placeholders_are_read_in_every_form() {
        let read = |q: &str| match parse(q).unwrap() {
            Query::Compare { operands, .. } => operands,
            other => panic!("{other:?}"),
        };
        assert_eq!(read("Name LIKE ${os}"), [Operand::Joined("os".to_owned())]);
        assert_eq!(read(r#"Name = "${os}""#), [Operand::Joined("os".to_owned())]);
        assert_eq!(read(r#""Object ID" IN (${groups${0}})"#), [Operand::Nth("groups".to_owned(), 0)]);
        assert_eq!(read("x IN (${g${1}}, ${g${2}})").len(), 2);
    }

    #[test]
    fn brackets_or_not_and_empty_are_read() {
        assert!(
            matches!(parse("(a = 1 OR b != 2) AND NOT c IS EMPTY").unwrap(), Query::And(parts) if parts.len() == 2)
        );
        assert!(parse(r#"a NOT IN (1) AND b NOT LIKE x ORDER BY Key"#).is_ok());
    }

    #[test]
    fn what_is_not_aql_is_refused() {
        for wrong in ["a =", "a IN b", "a IN (b", "a ~ b", r#"a = "b"#, "(a = 1", "x = ${y"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
