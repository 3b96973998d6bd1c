//! The client of Atlassian Assets: the Imports REST API, and the object API where a job removes objects
//! or clears values. Source: docs/assets.md; developer.atlassian.com/cloud/assets/imports-rest-api-guide.
//!
//! Links are followed unchanged, and only on the Assets origin. For a Forge app they are cut to their path below
//! `/jsm/assets/` and joined to the installation's API base URL. Requests are retried on 429, 5xx and broken
//! connections until [`Client::with_patience`] is used up. A request that must not be executed twice is not retried: its
//! outcome is reported as unknown ([`AssetsErrorKind::OutcomeUnknown`]).

pub mod chunk;
mod client;
pub mod error;
pub mod import;
pub mod jira;
pub mod lookup;
pub mod mapping;
pub mod objects;
mod request;
#[cfg(test)]
mod tests;
pub mod wire;

pub use chunk::{Chunk, ChunkBuilder, ChunkLimits};
pub use client::{Client, Target};
pub use error::{AssetsError, AssetsErrorKind, Conflict};
pub use import::{Execution, Links};
pub use mapping::MappingOutcome;
pub use wire::{ConfigState, ConfigStatus, ExecutionLinks, ExecutionState, ExecutionStatus, ImportSourceInfo};
