//! run_state
