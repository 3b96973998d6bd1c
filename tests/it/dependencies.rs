//! The bans of `deny.toml` hold, also where cargo-deny is not installed.

use std::fs;

fn read(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn no_banned_crate_is_in_the_lock_file() {
    let deny = read("deny.toml");
    let banned: Vec<&str> =
        deny.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next()).collect();
    assert!(banned.contains(&"sqlx"), "the bans of deny.toml were not found");
    let lock = read("Cargo.lock");
    let present: Vec<&&str> = banned.iter().filter(|name| lock.contains(&format!("name = \"{name}\"\n"))).collect();
    assert!(present.is_empty(), "banned crates: {present:?}; `cargo tree -i NAME` shows who brings them");
}
