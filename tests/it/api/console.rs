//! The paths of the console. `scripts/contract.sh console` tests its pages, in a browser.

use crate::support::test_app::TestApp;
use crate::support::world::World;
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
