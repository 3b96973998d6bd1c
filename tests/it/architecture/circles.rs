//! Files that need each other in a circle: none can be understood, moved or tested without all others.
//!
//! A file needs another where its code names an item that is defined there. A `mod` line alone is no need, and
//! neither is a `pub use` of a name that the file itself does not use.

use super::source::{Module, Source, Use};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

/// The names that one file takes from another.
type Needs = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// The files of the crate by their modules.
pub struct House {
    files: HashMap<Module, (String, Source)>,
}

impl House {
    /// `texts`: each file's path from `src` on, and its text.
    pub fn new(texts: &[(String, String)]) -> Self {
        let mut files = HashMap::new();
        for (path, text) in texts {
            let module = module_of(path);
            let source = Source::read(&module, text);
            files.insert(module, (path.clone(), source));
        }
        let tests: Vec<Module> = files
            .iter()
            .flat_map(|(module, (_, source))| {
                source.test_children.iter().map(|child| [module.as_slice(), std::slice::from_ref(child)].concat())
            })
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self { files }
    }

    /// Each circle as a text: its files, and for each arrow the names that tie it.
    pub fn circles(&self) -> Vec<Circle> {
        let needs = self.needs();
        let reach: BTreeMap<&String, BTreeSet<&String>> =
            needs.keys().map(|file| (file, reachable(&needs, file))).collect();
        let mut circles = Vec::new();
        let mut seen = BTreeSet::new();
        for (file, reached) in &reach {
            if !reached.contains(*file) || seen.contains(*file) {
                continue;
            }
            let files: BTreeSet<&String> =
                reached.iter().copied().filter(|other| reach.get(other).is_some_and(|r| r.contains(*file))).collect();
            seen.extend(files.iter().copied());
            circles.push(Circle::new(&files, &needs));
        }
        circles
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::new();
        for (module, (file, source)) in &self.files {
            let from_uses = source.uses.iter().filter(|u| !u.is_public || source.words.contains(&u.name));
            let from_uses = from_uses.map(|u| (&u.from, &u.path));
            for (from, path) in from_uses.chain(source.paths.iter().map(|(from, path)| (from, path))) {
                let Some((target, Some(name))) = self.resolve(module, from, path, 0) else { continue };
                if target != *module {
                    let target = self.files[&target].0.clone();
                    needs.entry(file.clone()).or_default().entry(target).or_default().insert(name);
                }
            }
        }
        needs
    }

    /// The file that defines what `path` names in `from`, a module of the file `file`, and the item's name; no name
    /// where the path leads to a module as a whole. `None`: not of this crate.
    fn resolve(
        &self,
        file: &[String],
        from: &[String],
        path: &[String],
        hops: usize,
    ) -> Option<(Module, Option<String>)> {
        if hops > 20 {
            return None;
        }
        let (mut at, rest) = self.start(file, from, path, hops)?;
        let mut rest = rest.into_iter();
        while let Some(word) = rest.next() {
            let child: Module = at.iter().cloned().chain([word.clone()]).collect();
            if self.files.contains_key(&child) {
                at = child;
                continue;
            }
            if let Some(found) = self.used(&at, &word) {
                let path: Vec<String> = found.path.iter().cloned().chain(rest).collect();
                return self.resolve(&at, &found.from, &path, hops + 1);
            }
            return self.files.contains_key(&at).then_some((at, Some(word)));
        }
        self.files.contains_key(&at).then_some((at, None))
    }

    /// The file's module at which a path begins, and what is left of the path.
    fn start(&self, file: &[String], from: &[String], path: &[String], hops: usize) -> Option<(Module, Vec<String>)> {
        let mut place = from.to_vec();
        let supers = path.iter().take_while(|word| *word == "super").count();
        match path.first()?.as_str() {
            "crate" => return Some((Module::new(), path[1..].to_vec())),
            "self" => {
                let supers = path[1..].iter().take_while(|word| *word == "super").count();
                place.truncate(place.len().checked_sub(supers)?);
                return Some((self.file_of(place), path[1 + supers..].to_vec()));
            }
            "super" => {
                place.truncate(place.len().checked_sub(supers)?);
                return Some((self.file_of(place), path[supers..].to_vec()));
            }
            _ => {}
        }
        let child: Module = from.iter().cloned().chain([path[0].clone()]).collect();
        if self.files.contains_key(&child) {
            return Some((child, path[1..].to_vec()));
        }
        let found = self.used(file, &path[0]).filter(|found| found.path[0] != path[0])?;
        match self.resolve(file, &found.from, &found.path, hops + 1)? {
            (module, None) => Some((module, path[1..].to_vec())),
            (module, Some(item)) => Some((module, vec![item])),
        }
    }

    /// The module of the file that a module, perhaps an inline one, stands in.
    fn file_of(&self, mut module: Module) -> Module {
        while !module.is_empty() && !self.files.contains_key(&module) {
            module.pop();
        }
        module
    }

    fn used(&self, file: &[String], name: &str) -> Option<&Use> {
        self.files.get(file)?.1.uses.iter().find(|found| found.name == name)
    }
}

pub struct Circle {
    pub files: Vec<String>,
    pub text: String,
}

impl Circle {
    fn new(files: &BTreeSet<&String>, needs: &Needs) -> Self {
        let mut text = format!("a circle of {} files:\n", files.len());
        for file in files {
            for (target, names) in needs[*file].iter().filter(|(target, _)| files.contains(target)) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let _ = writeln!(text, "  {file} -> {target}: {}", names.join(", "));
            }
        }
        Self { files: files.iter().map(|file| (*file).clone()).collect(), text }
    }
}

fn reachable<'n>(needs: &'n Needs, from: &str) -> BTreeSet<&'n String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for target in needs.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(target) {
                open.push(target);
            }
        }
    }
    reached
}

/// `runs/collect.rs` is `runs::collect`.
fn module_of(path: &str) -> Module {
    match path {
        "lib.rs" => Module::new(),
        "main.rs" => vec!["main".to_owned()],
        _ => path.trim_end_matches(".rs").split('/').map(str::to_owned).collect(),
    }
}

#[cfg(test)]
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    House::new(&files).circles().into_iter().map(|circle| circle.files).collect()
}

#[test]
fn a_circle_is_found() {
    let files = [("lib.rs", "pub mod a;"), ("a.rs", "use crate::b::{f, g};"), ("b.rs", "fn f() { crate::a::h() }")];
    assert_eq!(circles_of(&files), [["a.rs", "b.rs"]]);
    let child = [("a.rs", "mod b; fn f() { b::g() } struct T;"), ("a/b.rs", "use super::T; fn g(_: T) {}")];
    assert_eq!(circles_of(&child), [["a.rs", "a/b.rs"]]);
    let three =
        [("a.rs", "use crate::b; fn f() { b::g() }"), ("b.rs", "use crate::c::h;"), ("c.rs", "use crate::a::f;")];
    assert_eq!(circles_of(&three), [["a.rs", "b.rs", "c.rs"]]);
}

#[test]
fn what_only_names_another_file_is_no_circle() {
    let handed_on = [("a.rs", "mod b; pub use b::f; struct T;"), ("a/b.rs", "use super::T; fn f(_: T) {}")];
    assert!(circles_of(&handed_on).is_empty());
    let through = [("a.rs", "mod b; mod c; pub use b::f;"), ("a/b.rs", "fn f() {}"), ("a/c.rs", "use super::f;")];
    assert!(circles_of(&through).is_empty());
    let tests = [("a.rs", "use crate::b::f; struct T;"), ("b.rs", "fn f() {} #[cfg(test)] mod t { use crate::a::T; }")];
    assert!(circles_of(&tests).is_empty());
}
