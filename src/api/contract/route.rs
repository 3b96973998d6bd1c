//! Which operation of the document a request is for.

use super::operation::{Access, Operation};
use crate::error::{Code, Error};
use actix_web::http::{Method, header};
use actix_web::{HttpResponse, ResponseError};

/// Why a request is for no operation.
pub(super) enum NoOperation {
    UnknownPath,
    /// The path is known; it has these methods, separated by commas.
    OtherMethods(String),
}

/// The operation of `method` and `path`. The error says whether the path or only the method is unknown.
pub(super) fn find<'o>(operations: &'o [Operation], method: &Method, path: &str) -> Result<&'o Operation, NoOperation> {
    let matching = || operations.iter().filter(|operation| matches(&operation.template, path));
    // `/v1/filters/validate` also matches `/v1/filters/{id}`.
    let closest = matching().min_by_key(|operation| operation.template.matches('{').count());
    let Some(Operation { template, .. }) = closest else { return Err(NoOperation::UnknownPath) };
    let of_path: Vec<&Operation> = matching().filter(|operation| operation.template == *template).collect();
    of_path.iter().find(|operation| operation.method == *method).copied().ok_or_else(|| {
        let mut allowed: Vec<&str> = of_path.iter().map(|operation| operation.method.as_str()).collect();
        if of_path.iter().any(|operation| operation.method == Method::GET && operation.access == Access::Open) {
            allowed.push("HEAD");
        }
        allowed.sort_unstable();
        NoOperation::OtherMethods(allowed.join(", "))
    })
}

/// Whether GET of `path` is open to everybody: health, the document, and the pages of `/docs`, which are not in the
/// document.
pub(super) fn is_open(operations: &[Operation], path: &str) -> bool {
    match find(operations, &Method::GET, path) {
        Ok(operation) => operation.access == Access::Open,
        Err(NoOperation::UnknownPath) => is_page(path),
        Err(NoOperation::OtherMethods(_)) => false,
    }
}

/// Whether `path` is the first page, the document as YAML, or one of the pages of `/docs` or of the console, which are not
/// in the document.
pub(super) fn is_page(path: &str) -> bool {
    path == "/"
        || ["/docs", "/console", "/openapi.yaml"]
            .iter()
            .any(|page| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Whether `path` fits `template`, in which `{name}` stands for one segment.
fn matches(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let mut wanted = template.split('/');
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if wanted.starts_with('{') && !part.is_empty() || wanted == part => {}
            _ => return false,
        }
    }
}

pub fn unknown_path(path: &str) -> Error {
    Error::new(Code::NotFound, format!("The path {path} does not exist."))
}

pub(super) fn method_not_allowed(method: &Method, allowed: &str) -> HttpResponse {
    let error =
        Error::new(Code::MethodNotAllowed, format!("This path does not support {method}; it supports {allowed}."));
    let mut response = error.error_response();
    if let Ok(value) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_segment_by_segment() {
        assert!(matches("/v1/filters/{id}", "/v1/filters/7"));
        assert!(!matches("/v1/filters/{id}", "/v1/filters/"));
        assert!(!matches("/v1/filters/{id}", "/v1/filters/7/preview"));
        assert!(!matches("/v1/filters", "/v1/filter"));
    }
}
