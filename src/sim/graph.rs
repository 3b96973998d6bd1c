//! The Entra and Graph simulator.
