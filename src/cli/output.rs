//! Commands print their result on standard output, and progress and errors on standard error.
//!
//! A reader that is gone (`entra-assets serve | head -1`, a closed terminal) is no reason to stop: `println!` would panic.
//!
//! What others wrote is among it: names of people, answers of servers. A terminal would obey control characters in it, so
//! everything is printed by [`printable`].

use std::io::Write as _;

pub fn say(text: &str) {
    say_as_it_is(&printable(text));
}

/// Only for text that is the program's own and has colours.
pub fn say_as_it_is(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub fn say_error(error: &anyhow::Error) {
    say_aside(&format!("entra-assets: {error:#}"));
}

/// Prints to standard error, so that standard output has only the result.
pub fn say_aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text));
}

/// Control characters are shown and not obeyed, but for the end of a line and the tab. They are written as JSON writes
/// them (`\u001b`), so that JSON stays what it is.
fn printable(text: &str) -> String {
    shown(text, &['\n', '\t'])
}

/// The same for what has to stay in one line.
pub fn in_one_line(text: &str) -> String {
    shown(text, &[])
}

fn shown(text: &str, kept: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && !kept.contains(&c) {
            true => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_character_is_shown_and_not_obeyed() {
        for (text, printed) in [
            ("Night\u{1b}[2Jly", "Night\\u001b[2Jly"),
            ("a\tb\nc", "a\tb\nc"),
            ("a\rb\u{7f}\u{9b}31m", "a\\u000db\\u007f\\u009b31m"),
            ("Nächtlich ✓", "Nächtlich ✓"),
        ] {
            assert_eq!(printable(text), printed, "{text:?}");
        }
        assert_eq!(in_one_line("Night\u{1b}[2Jly\n"), "Night\\u001b[2Jly\\u000a");
    }

    #[test]
    fn json_says_the_same_afterwards() {
        let value = serde_json::json!({"name": "a\u{1b}\u{7f}\u{9b}\n\tb"});
        let printed = printable(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!printed.contains(|c: char| c.is_control() && c != '\n'), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn yaml_says_the_same_afterwards() {
        for name in ["a\u{1b}[2J", "\u{7f}", "a\u{9b}31m", "a\u{85}b", "a\rb", "a\n\tb", "Nächtlich"] {
            let value = serde_json::json!({"name": name});
            let printed = printable(&yaml_serde::to_string(&value).unwrap());
            assert_eq!(yaml_serde::from_str::<serde_json::Value>(&printed).unwrap(), value, "{printed:?}");
        }
    }
}
