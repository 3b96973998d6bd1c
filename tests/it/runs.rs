//! Runs from their queue to Assets, against both simulators.

mod complete;
mod incremental;
mod large;
mod scope;
