//! What the body of a refusal says, whatever its form: the forms are not documented. Source: docs/assets.md, «Mapping».

use serde_json::Value;

/// Messages from Assets are cut to this length, because they end up in logs, events and run records.
pub(super) const MAX_MESSAGE_CHARACTERS: usize = 500;
/// Further messages of one response are only counted.
const MAX_DETAILS: usize = 20;

/// The code of a 400 that refuses external ids because the names belong to others. Source: docs/assets.md, «Mapping».
const NAME_TAKEN: &str = "EXTERNAL_ID_MISMATCH";

/// Whether the response refuses external ids. Where in it the code is, is not documented.
pub(super) fn is_name_taken(answer: &Value) -> bool {
    has_code(answer, NAME_TAKEN)
}

fn has_code(answer: &Value, code: &str) -> bool {
    match answer {
        Value::String(text) => text == code,
        Value::Array(values) => values.iter().any(|value| has_code(value, code)),
        Value::Object(fields) => fields.values().any(|value| has_code(value, code)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The first `errorCode` or `code` that is a text.
pub(super) fn code(answer: &Value) -> Option<&str> {
    match answer {
        Value::Object(fields) => {
            let own = ["errorCode", "code"].iter().find_map(|field| fields.get(*field)?.as_str());
            own.or_else(|| fields.values().find_map(code))
        }
        Value::Array(values) => values.iter().find_map(code),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The messages of a response. Fields of which Assets is known to use them come first and without their names; any
/// other field that can say something follows with its name.
pub(super) fn messages(answer: &Value) -> Vec<String> {
    const KNOWN: [&str; 8] = [
        "errorMessages",
        "errors",
        "dataValidationErrors",
        "error",
        "errorCode",
        "message",
        "errorMessage",
        "resultMessage",
    ];
    const SAY_NOTHING: [&str; 6] = ["result", "timestamp", "status", "statusCode", "code", "path"];
    let mut found = Vec::new();
    let Some(fields) = answer.as_object() else {
        describe(answer, &mut found);
        return bounded(found);
    };
    for field in KNOWN {
        match (field, fields.get(field)) {
            ("errors", Some(Value::Object(errors))) => {
                found.extend(errors.iter().map(|(field, text)| format!("{field}: {}", plain(text))));
            }
            (_, Some(value)) => describe(value, &mut found),
            (_, None) => {}
        }
    }
    let is_code = |field: &str, value: &Value| field == "code" && value.is_string();
    let others = fields.iter().filter(|(field, value)| {
        !KNOWN.contains(&field.as_str()) && (!SAY_NOTHING.contains(&field.as_str()) || is_code(field, value))
    });
    for (field, value) in others {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            value if plain(value).trim_matches(['{', '}', '[', ']', ' ']).is_empty() => {}
            value => found.push(format!("{field}: {}", plain(value))),
        }
    }
    bounded(found)
}

/// A text as it is, the fields of an object in one line, each value of a list.
fn describe(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Array(values) => values.iter().for_each(|value| describe(value, found)),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect();
            found.push(fields.join(", "));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(plain(value)),
    }
}

fn bounded(mut found: Vec<String>) -> Vec<String> {
    found.retain(|message| !message.trim().is_empty());
    if found.len() > MAX_DETAILS {
        let rest = found.len() - MAX_DETAILS;
        found.truncate(MAX_DETAILS);
        found.push(format!("and {rest} more"));
    }
    found.iter().map(|message| printable(message)).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The text without what looks like a token, because a response can repeat the request, and without URLs.
pub(super) fn without_secrets(text: &str) -> String {
    const PREFIXES: [&str; 3] = ["ATCTT", "ATATT", "eyJ"];
    const MIN_TOKEN: usize = 12;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.=+/~".contains(c);
    let mut follows_scheme = false;
    let mut cleaned = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c| !is_part(c)) {
        let word = piece.trim_end_matches(|c| !is_part(c));
        let has_prefix = |part: &str| PREFIXES.iter().any(|prefix| part.starts_with(prefix));
        let is_token = word.split(['/', '=']).any(has_prefix) || follows_scheme;
        let is_hidden = (is_token && word.len() >= MIN_TOKEN) || word.starts_with("//");
        cleaned.push_str(if is_hidden { "…" } else { word });
        cleaned.push_str(&piece[word.len()..]);
        if !word.is_empty() {
            follows_scheme = ["bearer", "basic"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
        }
    }
    cleaned
}

/// One line of bounded length.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_MESSAGE_CHARACTERS).collect()
}
