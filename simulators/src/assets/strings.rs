//! Every text of the store, kept once. Two million references among 220,000 objects are then four bytes each.

use std::collections::HashMap;
use std::sync::Arc;

/// A text in [`Strings`].
pub(super) type Sym = u32;

#[derive(Default)]
pub(super) struct Strings {
    known: HashMap<Arc<str>, Sym>,
    texts: Vec<Arc<str>>,
}

impl Strings {
    pub(super) fn add(&mut self, text: &str) -> Sym {
        if let Some(sym) = self.known.get(text) {
            return *sym;
        }
        let sym = self.texts.len() as Sym;
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.known.insert(text, sym);
        sym
    }

    pub(super) fn get(&self, sym: Sym) -> &str {
        &self.texts[sym as usize]
    }

    /// The text in lower case: AQL compares without regard to case.
    pub(super) fn fold(&mut self, sym: Sym) -> Sym {
        let text = &self.texts[sym as usize];
        if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
            return sym;
        }
        let folded = text.to_lowercase();
        self.add(&folded)
    }
}
