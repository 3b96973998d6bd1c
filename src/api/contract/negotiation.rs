//! Negotiation of media types: what the caller accepts, and what the body is.

use crate::error::{Code, Error, Result};
use actix_web::dev::ServiceRequest;
use actix_web::http::header;

/// Whether a media range of `Accept` covers `offer`.
fn accepts(range: &str, offer: &str) -> bool {
    let range = range.split(';').next().unwrap_or_default().trim();
    let offer = offer.split(';').next().unwrap_or_default().trim();
    match range.strip_suffix("/*") {
        Some("*") => true,
        Some(kind) => offer.split('/').next().is_some_and(|own| own.eq_ignore_ascii_case(kind)),
        None => range.eq_ignore_ascii_case(offer),
    }
}

/// Refuses a request that accepts none of `offers`.
pub(super) fn check_accept(request: &ServiceRequest, offers: &[String]) -> Result<()> {
    let Some(accept) = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()) else {
        return Ok(());
    };
    let is_taken = |range: &str| {
        let refused = range.split(';').skip(1).any(|p| matches!(p.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !refused && offers.iter().any(|offer| accepts(range, offer))
    };
    if offers.is_empty() || accept.trim().is_empty() || accept.split(',').any(is_taken) {
        return Ok(());
    }
    Err(Error::new(
        Code::NotAcceptable,
        format!("`{accept}` is not available here; this operation answers with {}.", offers.join(", ")),
    ))
}

/// Refuses a body whose `Content-Type` is none of `media_types`.
pub(super) fn check_content_type(request: &ServiceRequest, media_types: &[String]) -> Result<()> {
    let given = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !given.contains('*') && media_types.iter().any(|media_type| accepts(given, media_type)) {
        return Ok(());
    }
    let taken = media_types.join(" or ");
    let detail = match given {
        "" => format!("`Content-Type` is required: {taken}."),
        given => format!("A body of the type `{given}` is not supported; send {taken}."),
    };
    Err(Error::new(Code::UnsupportedMediaType, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_range_covers_what_it_says() {
        assert!(accepts("*/*", "application/json"));
        assert!(accepts("application/*;q=0.5", "application/json"));
        assert!(accepts("application/json; charset=utf-8", "application/json"));
        assert!(!accepts("text/*", "application/json"));
    }
}
