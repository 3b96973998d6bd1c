//! Commands print their result on standard output, and progress and errors on standard error.

#[expect(clippy::print_stdout, reason = "the result of a command")]
pub fn say(text: &str) {
    println!("{text}");
}

pub fn say_error(error: &anyhow::Error) {
    say_aside(&format!("entra-assets: {error:#}"));
}

/// Prints to standard error, so that standard output has only the result.
#[expect(clippy::print_stderr, reason = "progress and errors")]
pub fn say_aside(text: &str) {
    eprintln!("{text}");
}
