//! Cargo compiles the service again when the console that it embeds was built again. A debug build embeds nothing.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=console/dist");
    }
}
