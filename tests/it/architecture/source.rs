//! Reads what a source file takes from other files: its `use` lines and the paths in its code. Enough of Rust for
//! this crate, without a compiler: comments and literals are left out, macros are read like other code.

use std::collections::HashSet;
use std::iter::Peekable;
use std::str::Chars;

/// A module by the words of its path from the crate's root.
pub type Module = Vec<String>;

/// What one file says about other files.
#[derive(Default, Debug)]
pub struct Source {
    pub uses: Vec<Use>,
    /// The paths in the code, each with the module that it stands in.
    pub paths: Vec<(Module, Vec<String>)>,
    /// Every word of the code outside of `use`.
    pub words: HashSet<String>,
    /// The children that are compiled for tests only.
    pub test_children: Vec<String>,
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub struct Use {
    pub from: Module,
    pub path: Vec<String>,
    pub name: String,
    pub is_public: bool,
}

impl Source {
    /// Without the code that is compiled for tests only.
    pub fn read(module: &[String], text: &str) -> Self {
        let (tokens, test_children) = without_tests(tokens(text));
        Self { test_children, ..Self::parse(module, &tokens) }
    }

    /// With the code of its tests.
    pub fn read_all(module: &[String], text: &str) -> Self {
        Self::parse(module, &tokens(text))
    }

    fn parse(module: &[String], tokens: &[String]) -> Self {
        let mut source = Self::default();
        // The inline modules around the place, each with the number of open braces outside of it.
        let mut inside: Vec<(String, usize)> = Vec::new();
        let (mut depth, mut at, mut is_public) = (0, 0, false);
        while at < tokens.len() {
            let token = tokens[at].as_str();
            let next = tokens.get(at + 1).map_or("", String::as_str);
            match token {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    inside.retain(|(_, outside)| *outside < depth);
                }
                "mod" if tokens.get(at + 2).is_some_and(|t| t == "{") => {
                    inside.push((next.to_owned(), depth));
                    at += 1;
                }
                "use" if next != "<" => {
                    let from: Module =
                        module.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect();
                    let end = at + tokens[at..].iter().position(|t| t == ";").unwrap_or(tokens.len() - at);
                    for path in use_paths(&tokens[at + 1..end]) {
                        source.uses.push(Use::new(from.clone(), path, is_public));
                    }
                    at = end;
                }
                _ if is_word(token) => {
                    let path = path_at(tokens, at);
                    at += 2 * (path.len() - 1);
                    source.words.extend(path.iter().cloned());
                    if path.len() > 1 {
                        let from = module.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone()));
                        source.paths.push((from.collect(), path));
                    }
                }
                _ => {}
            }
            is_public = token == "pub" || is_public && matches!(token, "(" | ")" | "crate" | "super" | "in" | "self");
            at += 1;
        }
        source
    }
}

impl Use {
    /// `path` may end with `self` or have an `as` and a name at its end.
    fn new(from: Module, mut path: Vec<String>, is_public: bool) -> Self {
        let mut name = None;
        if let [.., before, last] = path.as_slice()
            && before == "as"
        {
            name = Some(last.clone());
            path.truncate(path.len() - 2);
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
        Self { from, path, name, is_public }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The words joined by `::` from here on.
fn path_at(tokens: &[String], start: usize) -> Vec<String> {
    let mut path = vec![tokens[start].clone()];
    let mut at = start;
    while tokens.get(at + 1).is_some_and(|t| t == "::") && tokens.get(at + 2).is_some_and(|t| is_word(t)) {
        path.push(tokens[at + 2].clone());
        at += 2;
    }
    path
}

/// `a::{b, c::{d, e as f}}` as `a b`, `a c d`, `a c e as f`.
fn use_paths(tokens: &[String]) -> Vec<Vec<String>> {
    let (mut paths, mut groups, mut path) = (Vec::new(), Vec::<usize>::new(), Vec::<String>::new());
    let mut add = |path: &Vec<String>, shared: usize| {
        if path.len() > shared {
            paths.push(path.clone());
        }
    };
    for token in tokens {
        let shared = groups.last().copied().unwrap_or(0);
        match token.as_str() {
            "{" => groups.push(path.len()),
            "}" => {
                add(&path, shared);
                groups.pop();
                // What ends with a group was added member by member.
                path.truncate(groups.last().copied().unwrap_or(0));
            }
            "," => {
                add(&path, shared);
                path.truncate(shared);
            }
            "::" => {}
            word => path.push(word.to_owned()),
        }
    }
    add(&path, 0);
    paths
}

/// Leaves out each item under `#[cfg(test)]`; the names of modules in other files among them come along.
fn without_tests(tokens: Vec<String>) -> (Vec<String>, Vec<String>) {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut rest, mut children, mut at) = (Vec::new(), Vec::new(), 0);
    while at < tokens.len() {
        if !tokens[at..].iter().map(String::as_str).take(ATTRIBUTE.len()).eq(ATTRIBUTE) {
            rest.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let start = at + ATTRIBUTE.len();
        at = end_of_item(&tokens, start);
        if let Some(place) = tokens[start..at].iter().position(|t| t == "mod")
            && tokens.get(start + place + 2).is_some_and(|t| t == ";")
        {
            children.push(tokens[start + place + 1].clone());
        }
    }
    (rest, children)
}

/// The place after the `;` or the outermost `}` that ends an item.
fn end_of_item(tokens: &[String], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        at += 1;
        let is_over = depth == 0 && matches!(tokens[at - 1].as_str(), ";" | "}");
        if is_over && tokens.get(at).is_none_or(|next| next != ";") {
            break;
        }
    }
    at
}

/// Words, `::` and every other character by itself; without comments and literals.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => skip_comment(&mut rest),
            '"' => skip_text(&mut rest),
            '\'' => skip_character(&mut rest),
            ':' if rest.next_if_eq(&':').is_some() => tokens.push("::".to_owned()),
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.push(c);
                }
                match (word.as_str(), rest.peek()) {
                    ("r" | "br", Some('"' | '#')) => skip_raw_text(&mut rest),
                    ("b", Some('"' | '\'')) => {}
                    _ => tokens.push(word),
                }
            }
            c if c.is_whitespace() => {}
            c => tokens.push(c.to_string()),
        }
    }
    tokens
}

fn skip_comment(rest: &mut Peekable<Chars<'_>>) {
    let (mut depth, mut before) = (1, ' ');
    rest.next();
    while depth > 0
        && let Some(c) = rest.next()
    {
        match (before, c) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {}
        }
        before = if matches!((before, c), ('/', '*') | ('*', '/')) { ' ' } else { c };
    }
}

fn skip_text(rest: &mut Peekable<Chars<'_>>) {
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '"' => break,
            _ => {}
        }
    }
}

fn skip_raw_text(rest: &mut Peekable<Chars<'_>>) {
    let mut hashes = 0;
    while rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    if rest.next_if_eq(&'"').is_none() {
        return; // a raw word such as `r#type`
    }
    let mut closing = None;
    for c in rest.by_ref() {
        closing = match (c, closing) {
            ('"', _) => Some(0),
            ('#', Some(seen)) => Some(seen + 1),
            _ => None,
        };
        if closing == Some(hashes) {
            break;
        }
    }
}

/// A character or a lifetime: only the former ends with another quote.
fn skip_character(rest: &mut Peekable<Chars<'_>>) {
    if rest.next_if_eq(&'\\').is_some() {
        rest.next();
        while rest.next_if(|c| *c != '\'').is_some() {}
        rest.next();
        return;
    }
    rest.next();
    if rest.next_if_eq(&'\'').is_none() {
        while rest.next_if(|c| c.is_alphanumeric() || *c == '_').is_some() {}
    }
}

#[test]
fn paths_are_read_from_code_and_not_from_text() {
    let text = r##"
        //! crate::no::comment
        pub use a::{b, c::{d as e, self}, f::g::{self, h}};
        use super::x;
        fn f<'a>(v: &'a str) { let c = '"'; crate::m::run::<u8>("crate::no", r#"super::no" "#, b'\''); /* crate::no */ }
        #[cfg(test)]
        mod tests { use super::nothing; fn t() { crate::nothing::at_all(); } }
        #[cfg(test)]
        mod elsewhere;
        mod inner { use super::y; }
    "##;
    let source = Source::read(&["m".to_owned()], text);
    let uses: Vec<String> = source.uses.iter().map(|u| format!("{}={}", u.name, u.path.join("."))).collect();
    assert_eq!(uses, ["b=a.b", "e=a.c.d", "c=a.c", "g=a.f.g", "h=a.f.g.h", "x=super.x", "y=super.y"]);
    assert!(source.uses[0].is_public && !source.uses[5].is_public);
    assert_eq!(source.uses[6].from, ["m", "inner"]);
    let paths: Vec<String> = source.paths.iter().map(|(_, path)| path.join(".")).collect();
    assert_eq!(paths, ["crate.m.run"]);
    assert_eq!(source.test_children, ["elsewhere"]);
}
