//! connection_check
