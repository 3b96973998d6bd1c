//! The value of a property, and how it is written as JSON.

use crate::seed::time;
use serde_json::Value;
use std::borrow::Cow;
use uuid::Uuid;

/// The value of one property.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// Not in the answer at all.
    Missing,
    Null,
    Bool(bool),
    Int(i64),
    Str(Cow<'a, str>),
    Guid(Uuid),
    /// Seconds since 1970.
    Time(i64),
    List(Vec<Val<'a>>),
    Object(Vec<(&'static str, Val<'a>)>),
    /// Set by a test.
    Json(&'a Value),
}

impl<'a> Val<'a> {
    pub fn str(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Str(text.into())
    }

    pub fn strings<const N: usize>(texts: [&'a str; N]) -> Self {
        Self::List(texts.into_iter().map(Val::str).collect())
    }
}

/// Appends `"name":value`, with a comma before it unless the object has just begun. Nothing for `Missing`.
pub fn write_member(out: &mut Vec<u8>, name: &str, value: &Val<'_>) {
    if matches!(value, Val::Missing) {
        return;
    }
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    write(out, value);
}

pub fn write(out: &mut Vec<u8>, value: &Val<'_>) {
    match value {
        Val::Missing | Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Val::Str(text) => write_str(out, text),
        Val::Guid(id) => write_guid(out, *id),
        Val::Time(seconds) => {
            out.push(b'"');
            out.extend_from_slice(print_time(*seconds).as_bytes());
            out.push(b'"');
        }
        Val::List(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(out, item);
            }
            out.push(b']');
        }
        Val::Object(members) => {
            out.push(b'{');
            for (name, value) in members {
                write_member(out, name, value);
            }
            out.push(b'}');
        }
        Val::Json(value) => out.extend_from_slice(value.to_string().as_bytes()),
    }
}

pub fn write_str(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

pub fn write_guid(out: &mut Vec<u8>, id: Uuid) {
    let mut text = [0; 36];
    out.push(b'"');
    out.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
    out.push(b'"');
}

/// RFC 3339 in whole seconds, UTC.
pub fn print_time(seconds: i64) -> String {
    time(seconds).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
