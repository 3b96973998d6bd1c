//! The simulators of the two outside systems: real HTTP servers on the loopback interface, started in-process by tests
//! and by `entra-assets simulate` and `demo`. They write their own JSON and share no types with the clients, so that
//! client and simulator cannot agree on a mistake.

pub mod assets;
pub mod graph;
mod ids;
pub mod seed;
