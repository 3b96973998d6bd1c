//! Errors in the bodies of responses: in Graph's form, in older forms, and inside responses with a good status.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a body says about an error.
#[derive(Debug, Default, PartialEq)]
pub struct ErrorBody {
    pub code: Option<String>,
    pub message: String,
    pub inner_code: Option<String>,
    pub request_id: Option<String>,
}

impl ErrorBody {
    /// The body of a response with an error status: `{"error":{"code","message","innerError":{…}}}`, the `odata.error`
    /// of older services, or the `Message` of a gateway in front of them. Source: docs/graph.md, «Refusals».
    pub fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        match body.get("error").or_else(|| body.get("odata.error")) {
            // The form of OAuth.
            Some(Value::String(code)) => {
                let message = text(&body, &["error_description"]).unwrap_or_default();
                Some(Self { code: Some(code.clone()), message, ..Self::default() })
            }
            Some(error) => Some(Self::of(error)),
            None => Some(Self::of(&body)).filter(|found| !found.message.is_empty()),
        }
    }

    fn of(error: &Value) -> Self {
        let inner = ["innerError", "innererror"].iter().find_map(|name| error.get(name)).unwrap_or(&Value::Null);
        Self {
            code: text(error, &["code", "Code"]),
            message: text(error, &["message", "Message"]).unwrap_or_default(),
            inner_code: text(inner, &["code"]),
            request_id: text(inner, &["request-id"]),
        }
    }
}

/// The text of the first of these members; that of `odata.error` is in an object with its language.
fn text(object: &Value, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|name| object.get(name))?;
    value.as_str().or_else(|| value.get("value")?.as_str()).map(str::to_owned)
}

/// The error inside the body of a response with a good status. Graph begins its response before it knows that it will
/// fail, and then writes the error into it: in the middle of a page, behind it, or beside `value`.
/// Source: docs/graph.md, «Errors inside a response».
pub fn error_inside(body: &str) -> Option<ErrorBody> {
    let last = error_objects(body).last()?;
    let mut values = serde_json::Deserializer::from_str(body).into_iter::<Root<'_>>();
    match values.next() {
        Some(Ok(root)) => root.error().map(|error| ErrorBody::of(&error)).or_else(|| {
            let is_behind = last >= values.byte_offset();
            is_behind.then(|| error_at(body, last))
        }),
        Some(Err(_)) | None => Some(error_at(body, last)),
    }
}

/// Where the objects named `error` begin. A value that is a text is a property: users have `error` in
/// `licenseAssignmentStates`.
fn error_objects(body: &str) -> impl Iterator<Item = usize> + '_ {
    const NAME: &str = "\"error\"";
    body.match_indices(NAME).filter_map(|(at, _)| {
        let rest = body[at + NAME.len()..].trim_start().strip_prefix(':')?.trim_start();
        rest.starts_with('{').then(|| body.len() - rest.len())
    })
}

/// The error object that begins here. It may be cut.
fn error_at(body: &str, at: usize) -> ErrorBody {
    let mut values = serde_json::Deserializer::from_str(&body[at..]).into_iter::<Value>();
    values.next().and_then(Result::ok).map(|error| ErrorBody::of(&error)).unwrap_or_default()
}

/// A whole body, as far as an error can be in it.
#[derive(Deserialize)]
struct Root<'a> {
    #[serde(default)]
    error: Option<Value>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

/// An object of a page. A directory object has an id.
#[derive(Deserialize)]
struct Element {
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    id: Option<serde::de::IgnoredAny>,
}

impl Root<'_> {
    fn error(self) -> Option<Value> {
        let elements = self.value.and_then(|value| serde_json::from_str::<Vec<Element>>(value.get()).ok());
        let without_id = elements.into_iter().flatten().filter(|element| element.id.is_none());
        self.error.into_iter().chain(without_id.filter_map(|element| element.error)).find(Value::is_object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &str =
        r#"{"error":{"code":"InternalServerError","message":"Failed.","innerError":{"request-id":"r-9"}}}"#;

    fn code(body: &str) -> Option<String> {
        error_inside(body)?.code
    }

    #[test]
    fn an_error_object_is_found_wherever_it_stands_in_a_page() {
        let item = r#"{"id":"1","displayName":null"#;
        for body in [
            format!(r#"{{"value":[{item}{ERROR}"#),
            format!(r#"{{"value":[{item}}},{item}{ERROR}]}}"#),
            format!(r#"{{"value":[{item}}}]}}{ERROR}"#),
            format!("{{\"value\":[{item}}}]}}\r\n{ERROR}"),
            format!(r#"{{"value":[{item}}},{ERROR}]}}"#),
            format!(r#"{{"value":[{item}}}],{}"#, &ERROR[1..]),
            format!(r#"{},"value":[{item}}}]}}"#, &ERROR[..ERROR.len() - 1]),
            ERROR.to_owned(),
        ] {
            let found = error_inside(&body).unwrap_or_else(|| panic!("{body}"));
            assert_eq!(
                (found.code.as_deref(), found.message.as_str()),
                (Some("InternalServerError"), "Failed."),
                "{body}"
            );
            assert_eq!(found.request_id.as_deref(), Some("r-9"), "{body}");
        }
        let cut = format!(r#"{{"value":[{item}{}"#, &ERROR[..30]);
        assert_eq!(error_inside(&cut), Some(ErrorBody::default()), "it is an error even if it is cut");
    }

    #[test]
    fn properties_that_are_called_error_are_no_errors() {
        for body in [
            r#"{"value":[{"id":"1","licenseAssignmentStates":[{"error":"None"},{"error":"CountViolation"}]}]}"#,
            r#"{"value":[{"id":"1","displayName":"{\"error\":{\"code\":\"x\"}}"}]}"#,
            r#"{"value":[{"id":"1","extension":{"error":{"code":"x"}}}]}"#,
            r#"{"value":[],"error":null}"#,
            r#"{"value":[{"id":"1","error":{"code":"x"}}]}"#,
            "{}",
            "1234",
            r#"{"value":[{"id":"1""#,
        ] {
            assert_eq!(code(body), None, "{body}");
        }
    }

    #[test]
    fn the_text_of_an_error_is_kept_in_every_form() {
        let read = |body: &str| ErrorBody::read(body.as_bytes()).map(|found| (found.code, found.message));
        let both = |code: &str, message: &str| Some((Some(code.to_owned()), message.to_owned()));
        assert_eq!(read(r#"{"error":{"code":"c","message":"m"}}"#), both("c", "m"));
        let old = r#"{"odata.error":{"code":"Request_BadRequest","message":{"lang":"en","value":"Invalid object."}}}"#;
        assert_eq!(read(old), both("Request_BadRequest", "Invalid object."));
        assert_eq!(read(r#"{"Message":"An error has occurred."}"#), Some((None, "An error has occurred.".to_owned())));
        assert_eq!(read(r#"{"code":"x","message":"m"}"#), both("x", "m"));
        assert_eq!(read(r#"{"error":"invalid_request","error_description":"Why."}"#), both("invalid_request", "Why."));
        assert_eq!(read("{}"), None);
        assert_eq!(read("<html>"), None);
    }
}
