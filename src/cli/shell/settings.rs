//! `export` and `apply`: connections, filters, destinations and jobs as a file, for people who keep settings in git.

pub mod apply;
mod changes;
mod existing;
pub mod export;
mod file;
mod kind;
mod plan;
mod secret;
mod stored;

use serde_json::{Map, Value};

type Object = Map<String, Value>;
