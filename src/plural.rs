//! Numbers with their nouns, in texts for people.

/// A number with its noun.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_is_singular() {
        let said: Vec<String> = [0, 1, 2].map(|number| counted(number, "entry", "entries")).into();
        assert_eq!(said, ["0 entries", "1 entry", "2 entries"]);
    }
}
