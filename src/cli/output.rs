//! What a command prints: its answer on standard output, the rest on standard error.

#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub fn say(text: &str) {
    println!("{text}");
}

pub fn say_error(error: &anyhow::Error) {
    say_aside(&format!("entra-assets: {error:#}"));
}

/// For those who watch, apart from the answer.
#[expect(clippy::print_stderr, reason = "progress, and the last word of a command that failed")]
pub fn say_aside(text: &str) {
    eprintln!("{text}");
}
