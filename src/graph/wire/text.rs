//! The text of a response. Graph stores names that are no Unicode, and sends them as they are.
//! Source: docs/graph.md, «Properties».

use serde::Deserialize;
use serde_json::value::RawValue;

const ESCAPE: usize = 6;
/// U+FFFD, which takes as many bytes as the escape that it replaces.
const REPLACEMENT: &[u8; ESCAPE] = b"\\ufffd";

/// The text of a body, without a byte order mark, and the objects in which something is replaced by U+FFFD because it is
/// no Unicode: their ids, or an empty text for one without an id.
pub fn text_of(mut body: Vec<u8>) -> (String, Vec<String>) {
    let mut places = replace_lone_surrogates(&mut body);
    let mut text = match String::from_utf8(body) {
        Ok(text) => text,
        Err(wrong) => {
            let text = String::from_utf8_lossy(wrong.as_bytes()).into_owned();
            places = text.match_indices('\u{fffd}').map(|(at, _)| at).collect();
            text
        }
    };
    let objects = if places.is_empty() { Vec::new() } else { objects_at(&text, &places) };
    if text.starts_with('\u{feff}') {
        text = text.split_off('\u{feff}'.len_utf8());
    }
    (text, objects)
}

/// Replaces the escapes of surrogates that have no partner. Returns their places. In JSON a backslash stands only inside a
/// text, so nothing else has to be parsed.
fn replace_lone_surrogates(body: &mut [u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(found) = body[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        at += match (surrogate(&body[at..]), surrogate(body.get(at + ESCAPE..).unwrap_or_default())) {
            (Some(Surrogate::High), Some(Surrogate::Low)) => 2 * ESCAPE,
            (Some(_), _) => {
                body[at..at + ESCAPE].copy_from_slice(REPLACEMENT);
                places.push(at);
                ESCAPE
            }
            (None, _) => 2,
        };
        at = at.min(body.len());
    }
    places
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Surrogate {
    High,
    Low,
}

/// The surrogate whose escape the text begins with.
fn surrogate(text: &[u8]) -> Option<Surrogate> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    match u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()? {
        0xd800..=0xdbff => Some(Surrogate::High),
        0xdc00..=0xdfff => Some(Surrogate::Low),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Identified {
    #[serde(default)]
    id: String,
}

/// The ids of the objects of a page, or of the one object, in which these places are.
fn objects_at(text: &str, places: &[usize]) -> Vec<String> {
    let id = |object: &str| serde_json::from_str::<Identified>(object).map(|found| found.id).unwrap_or_default();
    let body = text.trim_start_matches('\u{feff}');
    let Ok(page) = serde_json::from_str::<Page<'_>>(body) else { return vec![id(body)] };
    let start = text.as_ptr() as usize;
    let is_hit = |object: &&&RawValue| {
        let from = object.get().as_ptr() as usize - start;
        places.iter().any(|at| (from..from + object.get().len()).contains(at))
    };
    page.value.iter().filter(is_hit).map(|object| id(object.get())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (String, usize) {
        let (text, objects) = text_of(body.as_bytes().to_vec());
        (text, objects.len())
    }

    #[test]
    fn a_surrogate_without_a_partner_is_replaced_and_everything_else_stays() {
        for (body, wanted) in [
            (r#""Bad \ud83d name""#, r#""Bad \ufffd name""#),
            (r#""\uDC00\uD800""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\n""#, r#""\ufffd\n""#),
            (r#"{"\ud83d":{"x":["\udead"]}}"#, r#"{"\ufffd":{"x":["\ufffd"]}}"#),
        ] {
            assert_eq!(read(body), (wanted.to_owned(), 1), "{body}");
            assert!(serde_json::from_str::<serde_json::Value>(wanted).is_ok());
        }
        for body in [
            r#""\ud83d\ude00""#,
            r#""C:\\ud83d""#,
            r#""\\\\ud83d \u00e9""#,
            "\"\u{fffd} as it is stored\"",
            "\"\\",
            r"\u",
            r"\ud8",
        ] {
            assert_eq!(read(body), (body.to_owned(), 0), "{body}");
        }
    }

    #[test]
    fn the_objects_with_a_replaced_character_are_named() {
        let body = br#"{"value":[{"id":"a","displayName":"x"},{"displayName":"\ud83d","id":"b"},{"id":"c","n":{"k\udc00":1}}]}"#;
        assert_eq!(text_of(body.to_vec()).1, ["b", "c"]);
        let bytes = b"\xef\xbb\xbf{\"value\":[{\"id\":\"a\",\"displayName\":\"\xff\"},{\"id\":\"b\"}]}";
        let (text, objects) = text_of(bytes.to_vec());
        assert_eq!(objects, ["a"]);
        assert!(text.starts_with('{') && text.contains('\u{fffd}'));
        assert_eq!(text_of(br#"{"id":"d","n":"\ud83d"}"#.to_vec()).1, ["d"]);
    }
}
