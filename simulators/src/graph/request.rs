//! One request as the routes see it, the same for an HTTP request and for an item of a batch.

use super::answer::{Answer, Problem};
use super::property::{Val, write_member, write_str};
use super::query::{PageToken, Query};
use super::token::Token;
use crate::seed::ObjectKind;
use serde_json::Value;
use std::sync::Arc;

pub struct Request<'a> {
    pub method: &'a str,
    /// Without the version, without a slash at the start, decoded: `groups/{id}/members`.
    pub path: String,
    pub beta: bool,
    pub query: Query,
    /// `ConsistencyLevel: eventual` was sent.
    pub eventual: bool,
    /// `Prefer` as it came.
    pub prefer: &'a str,
    pub body: &'a [u8],
    /// `http://127.0.0.1:1234`, for links.
    pub origin: &'a str,
    pub token: Arc<Token>,
    /// The answer to this very request failed before: the next link of its repetition is not good.
    pub repeated: bool,
    /// The most items of a page, whatever `$top` says.
    pub max_page_size: usize,
}

impl Request<'_> {
    /// Both halves of an advanced query.
    pub fn advanced(&self) -> bool {
        self.eventual && self.query.count()
    }

    pub fn version(&self) -> &'static str {
        if self.beta { "beta" } else { "v1.0" }
    }

    fn fingerprint(&self) -> u64 {
        self.query.fingerprint(&self.path, self.token.tenant)
    }

    /// Where to go on, from `$skiptoken`; zeros at the start.
    pub fn position(&self) -> Result<[u64; 4], Problem> {
        match self.query.get("$skiptoken") {
            Some(text) => Ok(PageToken::parse(text, self.fingerprint())?.position),
            None => Ok([0; 4]),
        }
    }

    /// A link that goes on at the position.
    pub fn next_link(&self, position: [u64; 4]) -> String {
        let token = PageToken { fingerprint: self.fingerprint(), position, poisoned: self.repeated };
        let query = self.query.with_token("$skiptoken", &token.print());
        format!("{}/{}/{}?{query}", self.origin, self.version(), self.path)
    }

    /// Begins a page: `{"@odata.context":…` and, on the first page of an advanced query, the count.
    pub fn begin(&self, context: &str, count: Option<u64>) -> Vec<u8> {
        let mut body = Vec::with_capacity(4_096);
        body.extend_from_slice(b"{\"@odata.context\":");
        write_str(&mut body, &format!("{}/{}/$metadata#{context}", self.origin, self.version()));
        if let Some(count) = count {
            body.extend_from_slice(format!(",\"@odata.count\":{count}").as_bytes());
        }
        body
    }

    /// A page of `size` of the items, which are positions; the next one after them gives the next link.
    pub fn page(
        &self,
        context: &str,
        size: usize,
        count: Option<u64>,
        items: impl Iterator<Item = u64>,
        write: impl Fn(&mut Vec<u8>, u64),
    ) -> Answer {
        let mut body = self.begin(context, count);
        let link_at = body.len();
        body.extend_from_slice(b",\"value\":[");
        let mut items = items.enumerate();
        let mut next = None;
        for (n, item) in items.by_ref() {
            if n == size {
                next = Some(item);
                break;
            }
            if n > 0 {
                body.push(b',');
            }
            write(&mut body, item);
        }
        body.extend_from_slice(b"]}");
        if let Some(position) = next {
            // Real pages have their link before the items.
            let mut link = b",\"@odata.nextLink\":".to_vec();
            write_str(&mut link, &self.next_link([position, 0, 0, 0]));
            body.splice(link_at..link_at, link);
        }
        Answer::json(200, body)
    }

    /// How many items a page has: 100 unless `$top` says otherwise.
    pub fn page_size(&self, most: usize) -> Result<usize, Problem> {
        Ok(self.query.page_size(100, most)?.min(self.max_page_size))
    }

    /// An answer with one JSON list.
    pub fn value_list(&self, context: &str, items: Vec<Value>) -> Answer {
        let mut body = self.begin(context, None);
        body.extend_from_slice(b",\"value\":");
        body.extend_from_slice(Value::from(items).to_string().as_bytes());
        body.push(b'}');
        Answer::json(200, body)
    }

    /// A page of a list of JSON values, with a next link if there are more. A page has 100 unless `$top` says otherwise.
    pub fn value_page(&self, context: &str, items: &[Value]) -> Result<Answer, Problem> {
        self.counted_page(context, items.len(), None, |n| items.get(n).cloned().unwrap_or_default())
    }

    /// The same with the count of an advanced query, of so many items, each made when it is written.
    pub fn counted_page(
        &self,
        context: &str,
        items: usize,
        count: Option<u64>,
        item: impl Fn(usize) -> Value,
    ) -> Result<Answer, Problem> {
        let size = self.page_size(999)?;
        let [start, ..] = self.position()?;
        let write = |out: &mut Vec<u8>, n: u64| {
            out.extend_from_slice(item(n as usize).to_string().as_bytes());
        };
        Ok(self.page(context, size, count, start..items as u64, write))
    }

    /// Leaves only the members that `$select` names in each object.
    pub fn select_members(&self, items: Vec<Value>) -> Vec<Value> {
        let Some(names) = self.query.select() else { return items };
        let select = |item: Value| match item {
            Value::Object(members) => {
                Value::Object(members.into_iter().filter(|(name, _)| names.contains(name)).collect())
            }
            other => other,
        };
        items.into_iter().map(select).collect()
    }
}

/// `"@odata.type":"…"` as the first member.
pub fn write_type(out: &mut Vec<u8>, kind: ObjectKind) {
    write_member(out, "@odata.type", &Val::str(kind.odata_type()));
}
