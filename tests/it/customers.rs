//! A service with many customers: organizations with jobs on schedules.

mod cost;
