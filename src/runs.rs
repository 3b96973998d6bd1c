//! The engine: what a run does from its claim to its end.
//!
//! [`worker`] claims runs from the queue and keeps their leases; [`pipeline`] leads one run through its
//! stages: [`collect`] reads the directory from Graph into the mirror, [`diff`] compares what was seen with
//! what was delivered, [`deliver`] sends it to Assets, [`settle`] writes down what was delivered.
//! [`scheduler`] queues what is due, [`webhooks`] tells others of the end. Each stage ends with a checkpoint, so any process goes on from there.

pub mod checkpoint;
pub mod collect;
pub mod context;
pub mod deliver;
pub mod diff;
pub mod forge_token;
pub mod pipeline;
pub mod progress;
pub mod run;
pub mod scheduler;
pub mod settle;
pub mod stop;
pub mod webhooks;
pub mod worker;
