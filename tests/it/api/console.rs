//! The paths of the console. `scripts/contract.sh console` tests its pages, in a browser.

use crate::support::test_app::TestApp;
use crate::support::world::World;
use entra_assets::api::console;
use entra_assets::config::Switch;
use entra_assets::sim::assets::AssetsOptions;
use entra_assets::sim::seed::SeedOptions;
use reqwest::Method;
use std::sync::Arc;

#[tokio::test]
async fn a_console_that_is_switched_off_is_an_unknown_path() {
    let seed = SeedOptions { users: 10, groups: 2, ..SeedOptions::default() };
    let mut world = World::bare(seed, AssetsOptions::default()).await;
    let mut settings = (*world.app.settings).clone();
    settings.console = Switch::Off;
    world.app.settings = Arc::new(settings);
    let app = TestApp::over(world);
    for path in ["/console", "/console/", "/console/index.html"] {
        app.call_without_key(Method::GET, path).send_unrecorded().await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn only_files_of_the_console_are_served() {
    let app = TestApp::start().await;
    for path in ["/console/..%2f..%2fCargo.toml", "/console/.gitkeep", "/console/nothing.js", "/consoles"] {
        app.call_without_key(Method::GET, path).send_unrecorded().await.problem(404, "not_found");
    }
}

/// Somebody who only has the address finds the way on, without a key.
#[tokio::test]
async fn the_first_page_leads_on() {
    let app = TestApp::start().await;
    let first = app.call_without_key(Method::GET, "/").send_unrecorded().await;
    match console::is_offered(Switch::On) {
        true => assert_eq!(first.status, 302, "{}", first.text),
        false => assert_eq!(first.status, 200, "{}", first.text),
    }
    let mut world =
        World::bare(SeedOptions { users: 10, groups: 2, ..SeedOptions::default() }, Default::default()).await;
    let mut settings = (*world.app.settings).clone();
    settings.console = Switch::Off;
    world.app.settings = Arc::new(settings);
    let app = TestApp::over(world);
    let links = app.call_without_key(Method::GET, "/").send_unrecorded().await.expect(200);
    for name in ["document", "documentation", "live", "ready"] {
        let path = format!("/{}", links[name].as_str().unwrap());
        let answer = app.call_without_key(Method::GET, &path).send_unrecorded().await;
        assert_eq!(answer.status, 200, "{path}");
    }
    app.call_without_key(Method::POST, "/").send_unrecorded().await.problem(404, "not_found");
}

/// What a page loads and runs is ours: a text of the document that were a script would not run.
#[tokio::test]
async fn the_documentation_runs_no_script_but_its_own() {
    let app = TestApp::start().await;
    let page = app.call_without_key(Method::GET, "/docs/").send_unrecorded().await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    for script in page.text.split("<script").skip(1) {
        assert!(script.trim_start().starts_with("src="), "an inline script: {script}");
    }
    assert!(page.text.contains("<script"), "{}", page.text);
}
