//! The query options of a request, and page tokens that are bound to them.

use super::answer::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Query options as they came: names decoded, values raw (for next links, which repeat them) and decoded.
#[derive(Clone, Debug, Default)]
pub struct Query {
    options: Vec<Option_>,
}

#[derive(Clone, Debug)]
struct Option_ {
    name: String,
    raw: String,
    value: String,
}

/// Options that Graph knows; without the dollar sign they mean the same in v1.0.
const SYSTEM: &[&str] =
    &["select", "expand", "filter", "top", "count", "orderby", "search", "skiptoken", "deltatoken", "skip", "format"];

impl Query {
    pub fn parse(text: &str) -> Self {
        let options = text.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let mut name = decode(name);
            let lower = name.trim_start_matches('$').to_ascii_lowercase();
            if SYSTEM.contains(&lower.as_str()) {
                name = format!("${lower}");
            }
            Option_ { name, raw: part.to_owned(), value: decode(value) }
        });
        Self { options: options.collect() }
    }

    /// The decoded value of an option, by its name with the dollar sign.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|o| o.name == name).map(|o| o.value.as_str())
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The property names of `$select`; `None` without the option.
    pub fn select(&self) -> Option<Vec<String>> {
        let text = self.get("$select")?;
        Some(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    pub fn count(&self) -> bool {
        self.get("$count").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The page size: `$top`, or `default`. More than `most` is refused as directory collections do.
    pub fn page_size(&self, default: usize, most: usize) -> Result<usize, Problem> {
        let Some(text) = self.get("$top") else { return Ok(default) };
        match text.trim().parse::<usize>() {
            Ok(top) if (1..=999).contains(&top) => Ok(top.min(most)),
            Ok(_) | Err(_) => Err(Problem::bad_request(format!(
                "Invalid page size specified: '{text}'. Must be between 1 and 999 inclusive."
            ))),
        }
    }

    /// The query of a link that goes on: every option as it came but the old token, then the new one.
    pub fn with_token(&self, name: &str, token: &str) -> String {
        let mut text = String::new();
        for option in self.options.iter().filter(|o| !matches!(o.name.as_str(), "$skiptoken" | "$deltatoken")) {
            text.push_str(&option.raw);
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(token);
        text
    }

    /// A number that stands for everything a page token is bound to.
    pub fn fingerprint(&self, path: &str, tenant: uuid::Uuid) -> u64 {
        let mut hasher = DefaultHasher::new();
        (path, tenant).hash(&mut hasher);
        for option in self.options.iter().filter(|o| !matches!(o.name.as_str(), "$skiptoken" | "$deltatoken")) {
            (&option.name, &option.value).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Percent-decoding, a plus sign being a space.
fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    urlencoding::decode(&spaced).map(std::borrow::Cow::into_owned).unwrap_or(spaced)
}

/// An opaque page token: numbers, and a fingerprint of the request that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageToken {
    pub fingerprint: u64,
    /// Where to go on; the list decides what the numbers mean.
    pub position: [u64; 4],
    /// From an answer to a retried request: Graph does not find it.
    pub poisoned: bool,
}

impl PageToken {
    pub fn print(&self) -> String {
        let [a, b, c, d] = self.position;
        let text = format!("{:x}.{a:x}.{b:x}.{c:x}.{d:x}.{}", self.fingerprint, u8::from(self.poisoned));
        URL_SAFE_NO_PAD.encode(text)
    }

    fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.split('.').map(|part| u64::from_str_radix(part, 16).ok());
        let mut next = || parts.next().flatten();
        let token =
            Self { fingerprint: next()?, position: [next()?, next()?, next()?, next()?], poisoned: next()? != 0 };
        Some(token)
    }

    /// The token of a request, checked against what it was made for.
    pub fn parse(text: &str, fingerprint: u64) -> Result<Self, Problem> {
        let token = Self::read(text)
            .filter(|token| token.fingerprint == fingerprint)
            .ok_or_else(|| Problem::bad_request("The page token is invalid or belongs to another request."))?;
        if token.poisoned {
            return Err(page_token_not_found());
        }
        Ok(token)
    }
}

/// docs/graph.md, «Paging»: a token from a retried answer, or of another replica.
pub fn page_token_not_found() -> Problem {
    let message = "Cannot find the specified page token. Please retry the request from the first page.";
    Problem::new(400, "DirectoryPageTokenNotFoundException", message)
}

/// docs/graph.md, «Paging»: the older code for a page token that has timed out.
pub fn expired_page_token() -> Problem {
    Problem::new(
        400,
        "Directory_ExpiredPageToken",
        "The specified page token value has expired and can no longer be included in your request.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_repeats_every_option_as_it_came() {
        let query = Query::parse("$select=id,mail&%24filter=startswith(displayName,%27a+b%27)&$skiptoken=old&top=5");
        assert_eq!(query.get("$filter"), Some("startswith(displayName,'a b')"));
        assert_eq!(query.get("$top"), Some("5"));
        assert_eq!(
            query.with_token("$skiptoken", "new"),
            "$select=id,mail&%24filter=startswith(displayName,%27a+b%27)&top=5&$skiptoken=new"
        );
    }

    #[test]
    fn a_token_is_bound_to_its_request() {
        let token = PageToken { fingerprint: 7, position: [1, 2, 3, 4], poisoned: false };
        assert_eq!(PageToken::parse(&token.print(), 7), Ok(token));
        assert!(PageToken::parse(&token.print(), 8).is_err());
        assert!(PageToken::parse("nonsense", 7).is_err());
        let poisoned = PageToken { poisoned: true, ..token };
        assert_eq!(PageToken::parse(&poisoned.print(), 7), Err(page_token_not_found()));
    }

    #[test]
    fn a_page_has_at_most_999() {
        let size = |text: &str| Query::parse(text).page_size(100, 999);
        assert_eq!(size("$select=id"), Ok(100));
        assert_eq!(size("$top=999"), Ok(999));
        assert!(size("$top=1000").is_err() && size("$top=0").is_err() && size("$top=x").is_err());
        assert_eq!(Query::parse("$top=999").page_size(100, 500), Ok(500));
    }
}
