//! Runs from their queue to Assets, against both simulators.

mod cancel;
mod complete;
mod crash;
mod forge;
mod incremental;
mod large;
mod scope;
