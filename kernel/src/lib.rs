//! Time and random bytes: what the service and the simulators share.

pub mod clock;
pub mod random;
