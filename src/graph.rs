//! Microsoft Graph and the Entra sign-in service.
//!
//! The process has one [`Client`]. Everything is read through a [`Session`] of it: one for each run, check or preview,
//! with its identity, its cancellation or end, and its own counters. All sessions of an application in a tenant share
//! one [`limiter`]. [`page`] reads collections, [`delta`] reads changes, [`batch`] sends many small requests; all of
//! them send through [`retry`].

pub mod batch;
mod client;
pub mod cost;
pub mod delta;
pub mod error;
pub mod limiter;
mod options;
pub mod page;
mod query;
mod request;
pub mod retry;
mod service;
mod session;
pub mod sign_in_error;
pub mod token;
pub mod wire;

pub use client::Client;
pub use error::{GraphError, GraphErrorKind};
pub use options::{BUDGET, RequestOptions};
pub use page::{Complete, Next, Page, Pager};
pub use query::{COUNTS_PER_BORDER, IDS_IN_A_QUERY, MAX_PAGE_SIZE, ids_filter, is_cheaper_by_id, ranges_of_users};
pub use request::Body;
pub use service::Service;
pub use session::{Session, Usage};

#[cfg(test)]
pub(crate) mod tests;
