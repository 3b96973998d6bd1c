//! Incremental runs: what changed, and no more.

use crate::support::world::World;
use entra_assets::run_state::RunMode;
use entra_assets::sim::seed::{Change, What};
use serde_json::json;
