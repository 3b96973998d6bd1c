//! What Microsoft's table says of each property: «Support for filter by properties of directory objects». The table is
//! a file of the product, because both follow the same page; nothing else is shared.

use crate::seed::ObjectKind;
use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../src/filter/property/graph-filter-support.csv"));

/// A column of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    Equal,
    StartsWith,
    Range,
    Null,
    Count0,
    Count1,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Default,
    Advanced,
    No,
}

/// Object and property.
type Place = (&'static str, String);
/// One for each operator.
type Levels = [Option<Level>; 6];
type Rows = HashMap<Place, Levels>;

static ROWS: LazyLock<Rows> = LazyLock::new(|| TABLE.lines().skip(1).filter_map(row).collect());

fn row(line: &'static str) -> Option<(Place, Levels)> {
    let mut cells = line.split(',');
    let (object, property) = (cells.next()?, cells.next()?);
    let level = |cell: &str| match cell {
        "default" => Some(Level::Default),
        "advanced" => Some(Level::Advanced),
        "no" => Some(Level::No),
        _ => None,
    };
    let mut levels = [None; 6];
    for (place, cell) in levels.iter_mut().zip(cells) {
        *place = level(cell);
    }
    Some(((object, name(property)), levels))
}

/// Without the variable of a lambda: `proxyAddresses/any(p:p)` is `proxyAddresses/any()`, `…/any(a:a/skuId)` is
/// `…/any(skuId)`. The rows of directory extensions and of the first extension attribute stand for all of them.
fn name(property: &str) -> String {
    let short = match property.split_once('(') {
        Some((collection, body)) => {
            let body = body.trim_end_matches(')');
            let field =
                body.split_once(':').map_or(body, |(_, path)| path.split_once('/').map_or("", |(_, field)| field));
            format!("{collection}({field})")
        }
        None => property.to_owned(),
    };
    let short = short
        .strip_prefix("certificateUserIds")
        .map_or(short.clone(), |rest| format!("authorizationInfo/certificateUserIds{rest}"));
    match (short.starts_with("extension_"), short.ends_with("/any()"), short.rsplit_once("/extensionAttribute")) {
        (true, true, _) => "extension_/any()".to_owned(),
        (true, false, _) => "extension_".to_owned(),
        (false, _, Some((holder, _))) => format!("{holder}/extensionAttribute"),
        (false, _, None) => short,
    }
}

fn object(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::User => "users",
        ObjectKind::Group => "groups",
        ObjectKind::Device => "devices",
        ObjectKind::ServicePrincipal | ObjectKind::OrgContact => "",
    }
}

/// What the table says; `None`: nothing.
pub fn level(kind: ObjectKind, path: &str, column: Column) -> Option<Level> {
    // The row of users stands for directory extensions of every object.
    let name = name(path);
    let object = if name.starts_with("extension_") { "users" } else { object(kind) };
    ROWS.get(&(object, name)).and_then(|levels| levels[column as usize])
}

/// Whether the elements of a collection are objects.
pub fn has_objects(kind: ObjectKind, collection: &str) -> bool {
    let start = format!("{collection}/any(");
    let of_table =
        ROWS.keys().any(|(of, name)| *of == object(kind) && name.starts_with(&start) && !name.ends_with("any()"));
    of_table || matches!(collection, "identities" | "assignedPlans")
}
