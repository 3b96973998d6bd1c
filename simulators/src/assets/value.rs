//! What an attribute takes from a JSON value, and what it refuses.

use super::json::Json;
use super::store::AttributeKind;
use std::borrow::Cow;
use std::net::IpAddr;

/// The longest `text`; longer texts are `textarea`. Source: docs/assets.md, «Schema and
/// mapping document».
const MAX_TEXT: usize = 255;

/// The text of one scalar; `None` for what counts as empty: `null`, or nothing but white space.
pub(super) fn scalar<'t>(json: &'t Json<'_>) -> Result<Option<Cow<'t, str>>, String> {
    Ok(match json {
        Json::Null => None,
        Json::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Json::Number(value) => Some(Cow::Owned(value.to_string())),
        Json::Text(text) if text.trim().is_empty() => None,
        Json::Text(text) => Some(Cow::Borrowed(text.as_ref())),
        Json::List(_) | Json::Object(_) => return Err("is not a plain value".to_owned()),
    })
}

/// The value as the attribute keeps it, or why it does not take it.
pub(super) fn convert<'t>(kind: AttributeKind, text: Cow<'t, str>) -> Result<Cow<'t, str>, String> {
    let fits = match kind {
        AttributeKind::Text if text.chars().count() > MAX_TEXT => {
            return Err(format!("has {} characters, a text has at most {MAX_TEXT}", text.chars().count()));
        }
        AttributeKind::Text
        | AttributeKind::Textarea
        | AttributeKind::Select
        | AttributeKind::Status
        | AttributeKind::User
        | AttributeKind::Group
        | AttributeKind::Reference => true,
        AttributeKind::Integer => text.parse::<i64>().is_ok(),
        AttributeKind::Double => text.parse::<f64>().is_ok_and(f64::is_finite),
        AttributeKind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" => return Ok(Cow::Borrowed("true")),
            "false" => return Ok(Cow::Borrowed("false")),
            _ => false,
        },
        AttributeKind::Date => chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").is_ok(),
        AttributeKind::Time => chrono::NaiveTime::parse_from_str(&text, "%H:%M:%S").is_ok(),
        AttributeKind::DateTime => chrono::DateTime::parse_from_rfc3339(&text).is_ok(),
        AttributeKind::Url => url::Url::parse(&text).is_ok(),
        AttributeKind::Email => {
            text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
        }
        AttributeKind::IpAddress => text.parse::<IpAddr>().is_ok(),
    };
    if fits { Ok(text) } else { Err(format!("`{}` is not of the type {}", shortened(&text), kind.name())) }
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_refuses_what_is_not_of_it() {
        let takes = |kind, text: &str| convert(kind, Cow::Borrowed(text)).is_ok();
        assert!(takes(AttributeKind::Text, &"é".repeat(255)) && !takes(AttributeKind::Text, &"é".repeat(256)));
        assert!(takes(AttributeKind::Textarea, &"x".repeat(256)));
        assert!(takes(AttributeKind::Integer, "-3") && !takes(AttributeKind::Integer, "3.5"));
        assert!(takes(AttributeKind::Boolean, "True") && !takes(AttributeKind::Boolean, "yes"));
        assert!(
            takes(AttributeKind::DateTime, "2024-01-31T10:00:00Z") && !takes(AttributeKind::DateTime, "31.01.2024")
        );
        assert!(takes(AttributeKind::Date, "2024-01-31") && !takes(AttributeKind::Date, "2024-01-31T10:00:00Z"));
        assert!(takes(AttributeKind::Email, "a@b.example") && !takes(AttributeKind::Email, "a"));
        assert!(takes(AttributeKind::IpAddress, "::1") && !takes(AttributeKind::IpAddress, "1.2.3"));
        assert!(takes(AttributeKind::Url, "https://a.example/") && !takes(AttributeKind::Url, "a"));
    }
}
