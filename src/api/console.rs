//! The console: the pages of `console/`, built by Vite and embedded in the program. Without a built console, or with
//! `ENTRA_ASSETS_CONSOLE=off`, its paths are unknown paths. A debug build reads the files when they are asked for.

use super::edge;
use crate::app::App;
use crate::config::Switch;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, guard, web};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "console/dist"]
struct Files;

const INDEX: &str = "index.html";
/// Only what the service itself sends. No script or style inside the page, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether this program can show a console with these settings.
pub fn is_offered(console: Switch) -> bool {
    console == Switch::On && Files::get(INDEX).is_some()
}

pub(super) fn serve(config: &mut ServiceConfig) {
    let get = || guard::Any(guard::Get()).or(guard::Head());
    let page = |path: &str| Resource::new(path.to_owned()).guard(get());
    config.service(page("/console").to(redirect)).service(page("/console/{name:.*}").to(file));
}

/// To the address with the slash, from which the names of the page's files are relative. The address is relative too,
/// so that it is right behind a proxy that adds a path.
async fn redirect(app: Data<App>, request: HttpRequest) -> HttpResponse {
    if !is_offered(app.settings.console) {
        return edge::unknown_path(request).await;
    }
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "console/")).finish()
}

async fn file(app: Data<App>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    let name = if name.is_empty() { INDEX } else { name.as_str() };
    let found = if is_offered(app.settings.console) { Files::get(name) } else { None };
    let (Some(file), Some(media_type)) = (found, media_type(name)) else {
        return edge::unknown_path(request).await;
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
        .insert_header((header::CACHE_CONTROL, caching(name)))
        .body(web::Bytes::from(file.data.into_owned()))
}

/// Names in `assets/` contain a hash of the content; the other files keep their names when they change.
fn caching(name: &str) -> &'static str {
    match name.starts_with("assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    }
}

/// The types of the files that Vite writes; nothing else is served.
fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_a_hash_in_their_name_are_kept_for_long() {
        assert!(caching("assets/index-Co1YbkOf.js").contains("immutable"));
        assert_eq!((caching(INDEX), caching("icon.svg")), ("no-cache", "no-cache"));
    }

    #[test]
    fn only_what_a_page_consists_of_has_a_type() {
        assert!(
            ["index.html", "assets/a.js", "assets/a.css", "icon.svg"].iter().all(|name| media_type(name).is_some())
        );
        assert!([".gitkeep", "index", "key.pem"].iter().all(|name| media_type(name).is_none()));
    }

    #[test]
    fn the_switch_turns_it_off() {
        assert!(!is_offered(Switch::Off));
    }
}
