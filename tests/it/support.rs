//! What the integration tests share.

pub mod issuer;
pub mod postgres;
pub mod test_app;
pub mod world;
