//! Runs from their queue to Assets, against both simulators.

mod bad_days;
mod brake;
mod cancel;
mod capability;
mod cases;
mod complete;
mod crash;
mod delta;
mod dry_run;
mod filters;
mod forge;
mod incremental;
mod kill;
mod large;
mod missing_objects;
mod other_assets;
mod plain_server;
mod progress;
mod random_changes;
mod references;
mod removal;
mod scope;
mod settling;
mod stubs;
mod traps;
mod two_workers;
