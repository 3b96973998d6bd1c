//! The collector of traces: its address, and what it asks of its senders.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// The address without the path for traces, as OpenTelemetry's specification has it.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    match matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain && url.query().is_none() {
        true => Ok(url),
        false => Err("must be an address without user name, password and query, for example http://127.0.0.1:4318. \
                      A key of the collector belongs into OTEL_EXPORTER_OTLP_HEADERS."
            .to_owned()),
    }
}

/// The address of traces below it.
pub fn below(address: &Url) -> Url {
    let mut url = address.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", "traces"]);
    }
    url
}

/// Only `true`, in any case, is true. Source: OpenTelemetry, «Environment Variable Specification», «Boolean value».
pub fn is_true(text: &str) -> Result<bool, String> {
    Ok(text.trim().eq_ignore_ascii_case("true"))
}

/// `name=value`, separated by commas; the values are percent-encoded. Source: OpenTelemetry, «OTLP Exporter».
pub fn headers(text: &str) -> Result<HeaderMap, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| header(part).ok_or_else(malformed)).collect()
}

fn header(part: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = part.split_once('=')?;
    let value = urlencoding::decode(value.trim()).ok()?;
    let mut value = HeaderValue::from_str(&value).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

fn malformed() -> String {
    "must be `name=value`, several separated by commas. Write a comma, a percent sign or what is not ASCII as % with two \
     hexadecimal digits."
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TraceSettings;

    #[test]
    fn a_collector_is_an_address_that_may_have_a_path() {
        for right in ["http://127.0.0.1:4318", "https://otlp.example.com/otlp/"] {
            assert!(address(right).is_ok(), "{right}");
        }
        for wrong in ["127.0.0.1:4318", "ftp://x", "http://user:password@x", "http://x/#y", "http://x/?key=y"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn traces_go_to_the_path_below_the_address_or_to_their_own_or_nowhere() {
        let settings = |address: Option<&str>, of_traces: Option<&str>, otel_sdk_disabled| TraceSettings {
            otlp_endpoint: address.map(|url| Url::parse(url).unwrap()),
            otlp_traces_endpoint: of_traces.map(|url| Url::parse(url).unwrap()),
            otlp_headers: None,
            otlp_service_name: String::new(),
            otel_sdk_disabled,
        };
        let sent_to = |address, of_traces, disabled| settings(address, of_traces, disabled).address().map(String::from);
        for (url, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example.com/", "https://otlp.example.com/v1/traces"),
            ("https://otlp.example.com/otlp", "https://otlp.example.com/otlp/v1/traces"),
            ("https://otlp.example.com/otlp/", "https://otlp.example.com/otlp/v1/traces"),
        ] {
            assert_eq!(sent_to(Some(url), None, false).unwrap(), expected);
            let own = "https://traces.example.com/a/";
            assert_eq!(sent_to(Some(url), Some(own), false).unwrap(), own);
            assert_eq!(sent_to(None, Some(own), false).unwrap(), own);
            assert_eq!(sent_to(Some(url), Some(own), true), None);
        }
        assert_eq!(sent_to(None, None, false), None);
    }

    #[test]
    fn only_the_word_true_turns_traces_off() {
        for (text, expected) in [("true", true), ("TRUE", true), ("false", false), ("1", false), ("", false)] {
            assert_eq!(is_true(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn headers_are_read_and_their_values_are_not_shown() {
        let found = headers("Authorization=Basic%20aHVudGVyMg==, x-scope = a=b,").unwrap();
        assert_eq!(found["authorization"], "Basic aHVudGVyMg==");
        assert_eq!(found["x-scope"], "a=b");
        assert_eq!(found.len(), 2);
        assert!(!format!("{found:?}").contains("aHVudGVyMg"), "{found:?}");
        for wrong in ["hunter2", "=hunter2", "a b=hunter2", "x=hunter2%0A", "x=hunter2%FF"] {
            let why = headers(wrong).unwrap_err();
            assert!(!why.contains("hunter2"), "{wrong}: {why}");
        }
    }
}
