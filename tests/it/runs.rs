//! Runs from their queue to Assets, against both simulators.

mod bad_days;
mod cancel;
mod cases;
mod complete;
mod crash;
mod delta;
mod dry_run;
mod forge;
mod incremental;
mod kill;
mod large;
mod plain_server;
mod random_changes;
mod scope;
mod traps;
mod two_workers;
