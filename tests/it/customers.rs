//! A service with many customers: organizations with jobs on schedules, each over a small tenant of its own.
//!
//! docs/SCALE.md has what was measured.

mod cost;
mod simulation;
mod watch;
mod world;
