//! Commands print their result on standard output, and progress and errors on standard error.
//!
//! A reader that is gone (`entra-assets serve | head -1`, a closed terminal) is no reason to stop: `println!` would panic.

use std::io::Write as _;

pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub fn say_error(error: &anyhow::Error) {
    say_aside(&format!("entra-assets: {error:#}"));
}

/// Prints to standard error, so that standard output has only the result.
pub fn say_aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
