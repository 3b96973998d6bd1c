//! What the integration tests share.

pub mod exact;
pub mod gateway;
pub mod issuer;
pub mod log;
pub mod others;
pub mod postgres;
pub mod raw;
pub mod recorder;
pub mod service;
pub mod test_app;
pub mod world;
