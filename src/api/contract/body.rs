//! The body of a request: read within its limit, and parsed as JSON.

use super::negotiation::check_content_type;
use super::operation::OperationBody;
use crate::error::{Code, Error, Result};
use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::web::BytesMut;
use futures_util::StreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The most bytes that a request body may have.
const MAX_BODY_BYTES: usize = 1 << 20;
/// How long the body may take to arrive. Otherwise a sender that never ends would hold the connection for ever.
const MAX_BODY_TIME: Duration = Duration::from_secs(30);
/// How many bytes of a body that is too large are read before the connection is closed: the sender sees the answer
/// only after it has sent its body.
const MAX_DRAINED_BYTES: usize = 16 << 20;
/// The largest integer up to which a floating-point number represents every integer exactly.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// A JSON body that fits the document, and the hash of the bytes that were sent.
#[derive(Clone)]
pub struct CheckedBody {
    pub value: Value,
    pub hash: [u8; 32],
}

/// Reads and parses the body. `None`: the body is empty and may be left out.
pub(super) async fn read(request: &mut ServiceRequest, expected: &OperationBody) -> Result<Option<CheckedBody>> {
    let bytes = within(MAX_BODY_TIME, collect(request)).await?;
    if bytes.is_empty() && !expected.required {
        return Ok(None);
    }
    check_content_type(request, &expected.media_types)?;
    let mut value = serde_json::from_slice(&bytes).map_err(|e| {
        let hint = hint(&bytes, &e);
        let (reason, line, column) = (reason(&e), e.line(), e.column());
        let detail = format!("The body is not valid JSON: {reason} at line {line}, column {column}.{hint}");
        Error::new(Code::MalformedJson, detail)
    })?;
    write_integers(&mut value);
    Ok(Some(CheckedBody { value, hash: Sha256::digest(&bytes).into() }))
}

/// Turns `5.0` into `5`: JSON Schema takes both for integers, serde does not.
pub fn write_integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(float) = float.filter(|float| float.fract() == 0.0 && float.abs() <= MAX_EXACT_INTEGER) {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
                let integer = float as i64;
                *value = Value::from(integer);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_integers),
        Value::Object(fields) => fields.values_mut().for_each(write_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// What to do about a byte order mark, or about a comment where the parser stopped.
fn hint(text: &[u8], error: &serde_json::Error) -> &'static str {
    if text.starts_with(b"\xef\xbb\xbf") {
        return " It begins with a byte order mark, which JSON does not allow: save it as UTF-8 without BOM.";
    }
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let rest = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    if rest.starts_with(b"//") || rest.starts_with(b"/*") { " JSON has no comments: remove them." } else { "" }
}

/// The text of a JSON error without its « at line … » tail.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// In real time, as the server measures the time of the head.
async fn within<T>(time: Duration, reading: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(time, reading).await.unwrap_or_else(|_| {
        let detail = format!("The body did not arrive within {} seconds. Send the request again.", time.as_secs());
        Err(Error::new(Code::BodyTimeout, detail))
    })
}

async fn collect(request: &mut ServiceRequest) -> Result<BytesMut> {
    let mut payload = request.take_payload();
    let mut bytes = BytesMut::new();
    let mut length = 0;
    while let Some(part) = payload.next().await {
        let part = part.map_err(|e| {
            Error::new(Code::MalformedJson, "The connection ended before the whole body was received.")
                .with_source(e.to_string())
        })?;
        length += part.len();
        if length > MAX_DRAINED_BYTES {
            break;
        }
        if length <= MAX_BODY_BYTES {
            bytes.extend_from_slice(&part);
        }
    }
    if length > MAX_BODY_BYTES {
        return Err(Error::new(
            Code::BodyTooLarge,
            format!("The body is too large: the limit is {MAX_BODY_BYTES} bytes."),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let error = within(Duration::from_millis(5), std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!(error.code, Code::BodyTimeout);
        assert!(within(MAX_BODY_TIME, async { Ok(()) }).await.is_ok());
    }

    #[test]
    fn a_whole_number_is_an_integer() {
        let mut value = serde_json::json!({"a": [5.0, 5.5, -1e3, 1e300], "b": 7});
        write_integers(&mut value);
        assert_eq!(value, serde_json::json!({"a": [5, 5.5, -1000, 1e300], "b": 7}));
    }
}
