//! Data chunks: JSON texts of objects joined to one request body, without parsing them again.

use bytes::Bytes;
use std::ops::Range;

/// The limits of a chunk. Atlassian publishes none (docs/assets.md, «Chunks»); a chunk that Assets
/// rejects with 413 is split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChunkLimits {
    pub bytes: usize,
    pub objects: usize,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self { bytes: 1 << 20, objects: 1000 }
    }
}

impl ChunkLimits {
    /// Half of these limits, at least one object.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { bytes: (self.bytes / 2).max(1), objects: (self.objects / 2).max(1) }
    }
}

/// One request body, ready to send.
#[derive(Clone, Debug)]
pub struct Chunk {
    pub body: Bytes,
    /// The objects in it.
    pub objects: usize,
    /// The last chunk: Assets starts processing after it.
    pub completed: bool,
}

/// Collects objects up to the limits.
#[derive(Clone, Debug, Default)]
pub struct ChunkBuilder {
    limits: ChunkLimits,
    text: String,
    entries: Vec<(&'static str, Range<usize>)>,
}

impl ChunkBuilder {
    pub fn new(limits: ChunkLimits) -> Self {
        Self { limits, text: String::new(), entries: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Objects in the chunk.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether one more object fits. An empty chunk takes any object.
    pub fn fits(&self, payload: &str) -> bool {
        self.is_empty()
            || (self.entries.len() < self.limits.objects && self.text.len() + payload.len() <= self.limits.bytes)
    }

    /// Adds an object: `payload` is its JSON text, `selector` the key of its type under `data`.
    pub fn push(&mut self, selector: &'static str, payload: &str) {
        let start = self.text.len();
        self.text.push_str(payload);
        self.entries.push((selector, start..self.text.len()));
    }

    /// Empties the builder for the next chunk; its memory stays allocated.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }

    /// The chunk. `id` is its `clientGeneratedId`, which stays the same when the chunk is sent again.
    pub fn build(&self, id: &str, completed: bool) -> Chunk {
        let mut body = String::with_capacity(self.text.len() + self.entries.len() + id.len() + 128);
        body.push('{');
        if !self.is_empty() {
            body.push_str("\"data\":{");
            let mut selectors: Vec<&str> = Vec::new();
            for (selector, _) in &self.entries {
                if !selectors.contains(selector) {
                    selectors.push(selector);
                }
            }
            for (position, selector) in selectors.iter().enumerate() {
                body.push_str(if position == 0 { "\"" } else { ",\"" });
                body.push_str(selector);
                body.push_str("\":[");
                let of_type = self.entries.iter().filter(|(of, _)| of == selector);
                for (position, (_, range)) in of_type.enumerate() {
                    if position > 0 {
                        body.push(',');
                    }
                    body.push_str(&self.text[range.clone()]);
                }
                body.push(']');
            }
            body.push_str("},");
        }
        body.push_str("\"clientGeneratedId\":");
        body.push_str(&serde_json::Value::from(id).to_string());
        body.push_str(if completed { ",\"completed\":true}" } else { ",\"completed\":false}" });
        Chunk { body: Bytes::from(body), objects: self.entries.len(), completed }
    }

    /// The two halves of a chunk that Assets rejected because of its size; `None` for a single object.
    pub fn split(&self) -> Option<(Self, Self)> {
        if self.entries.len() < 2 {
            return None;
        }
        let part = |entries: &[(&'static str, Range<usize>)]| {
            let mut half = Self::new(self.limits.halved());
            for (selector, range) in entries {
                half.push(selector, &self.text[range.clone()]);
            }
            half
        };
        let (first, second) = self.entries.split_at(self.entries.len() / 2);
        Some((part(first), part(second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body(chunk: &Chunk) -> Value {
        serde_json::from_slice(&chunk.body).unwrap()
    }

    #[test]
    fn objects_are_grouped_by_their_type() {
        let mut builder = ChunkBuilder::new(ChunkLimits::default());
        builder.push("users", r#"{"a":1}"#);
        builder.push("groups", r#"{"b":2}"#);
        builder.push("users", r#"{"a":3}"#);
        let chunk = builder.build("run-1", false);
        assert_eq!(
            body(&chunk),
            json!({"data": {"users": [{"a": 1}, {"a": 3}], "groups": [{"b": 2}]}, "clientGeneratedId": "run-1", "completed": false})
        );
        assert_eq!(chunk.objects, 3);
    }

    #[test]
    fn a_last_chunk_may_be_empty() {
        let chunk = ChunkBuilder::new(ChunkLimits::default()).build("x\"y", true);
        assert_eq!(body(&chunk), json!({"clientGeneratedId": "x\"y", "completed": true}));
    }

    #[test]
    fn a_chunk_is_full_by_bytes_and_by_count() {
        let mut builder = ChunkBuilder::new(ChunkLimits { bytes: 10, objects: 2 });
        assert!(builder.fits("a much too long object"), "an empty chunk takes any");
        builder.push("users", "1234");
        assert!(builder.fits("123456") && !builder.fits("1234567"));
        builder.push("users", "1");
        assert!(!builder.fits("1"));
        builder.clear();
        assert!(builder.is_empty() && builder.fits("1"));
    }

    #[test]
    fn a_refused_chunk_splits_into_halves_until_one_object_is_left() {
        let mut builder = ChunkBuilder::new(ChunkLimits { bytes: 100, objects: 8 });
        for payload in ["1", "2", "3"] {
            builder.push("users", payload);
        }
        let (first, second) = builder.split().unwrap();
        assert_eq!(body(&first.build("a", false))["data"]["users"], json!([1]));
        assert_eq!(body(&second.build("b", false))["data"]["users"], json!([2, 3]));
        assert!(first.split().is_none());
        assert_eq!(ChunkLimits { bytes: 1, objects: 1 }.halved(), ChunkLimits { bytes: 1, objects: 1 });
    }
}
