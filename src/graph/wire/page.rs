//! A page of a collection: its links, and its items as JSON text.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::ops::Range;

/// The links and the count of a page.
#[derive(Debug, Default, PartialEq)]
pub struct Links {
    /// `@odata.nextLink`, verbatim.
    pub next: Option<String>,
    /// `@odata.deltaLink`, verbatim.
    pub delta: Option<String>,
    /// `@odata.count`: only on the first page of a request with `$count=true`.
    pub count: Option<u64>,
}

/// The items of a page, in the form that the caller needs.
pub trait Content: Sized + Send {
    /// Reads a whole page. A body that is cut, or has no `value`, is an error.
    fn read(body: String) -> Result<(Links, Self), serde_json::Error>;
    fn len(&self) -> usize;
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// A hash of the page, to detect that the same page comes again.
    fn mark(&self) -> u64;
}

/// The JSON that a text begins with. Text behind it is ignored: it is no part of the response, and an error there is
/// looked for before.
pub(in crate::graph) fn first_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    values.next().unwrap_or_else(|| serde_json::from_str(text))
}

#[derive(Deserialize)]
pub(super) struct Envelope<V> {
    #[serde(rename = "@odata.nextLink", default)]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    delta: Option<String>,
    #[serde(rename = "@odata.count", default)]
    count: Option<u64>,
    value: V,
}

impl<V> Envelope<V> {
    pub fn split(self) -> (Links, V) {
        (Links { next: self.next, delta: self.delta, count: self.count }, self.value)
    }
}

/// Items of any kind, each as its JSON text.
#[derive(Debug, Default)]
pub struct Items {
    body: String,
    ranges: Vec<Range<usize>>,
}

impl Items {
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.ranges.iter().map(|range| &self.body[range.clone()])
    }
}

impl Content for Items {
    fn read(body: String) -> Result<(Links, Self), serde_json::Error> {
        let (links, ranges) = {
            let envelope: Envelope<Vec<&RawValue>> = first_json(&body)?;
            let (links, items) = envelope.split();
            let start = body.as_ptr() as usize;
            // The items are slices of the body, so their addresses give their places in it.
            let place = |item: &RawValue| {
                let from = item.get().as_ptr() as usize - start;
                from..from + item.get().len()
            };
            (links, items.into_iter().map(place).collect())
        };
        Ok((links, Self { body, ranges }))
    }

    fn len(&self) -> usize {
        self.ranges.len()
    }

    fn mark(&self) -> u64 {
        mark(self.len(), self.iter().next(), self.iter().last())
    }
}

pub(super) fn mark(len: usize, first: impl std::hash::Hash, last: impl std::hash::Hash) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (len, first, last).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_items_is_split_and_its_links_are_kept_as_they_came() {
        let body = r#"{"@odata.context":"x","@odata.count":7,"value":[ {"id":"1","b":[{"value":[]}]} , {"id":"2\u00e9"}],"@odata.nextLink":"https://h/v1.0/users?$skiptoken=a%2Bb+c'd\u0026x"}"#;
        let (links, items) = Items::read(body.to_owned()).unwrap();
        assert_eq!(items.iter().collect::<Vec<_>>(), [r#"{"id":"1","b":[{"value":[]}]}"#, r#"{"id":"2\u00e9"}"#]);
        assert_eq!(links.next.as_deref(), Some("https://h/v1.0/users?$skiptoken=a%2Bb+c'd&x"));
        assert_eq!((links.delta, links.count), (None, Some(7)));
    }

    #[test]
    fn the_same_page_has_the_same_mark() {
        let read = |text: &str| Items::read(format!(r#"{{"value":[{text}]}}"#)).unwrap().1.mark();
        assert_eq!(read("1,2,3"), read("1, 2, 3"));
        assert_ne!(read("1,2,3"), read("1,2,4"));
    }
}
