//! Compares the counts of the directory, the run and Assets.

use crate::sim::assets::Counts;
use crate::sim::seed::Truth;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Color, Table};
use serde_json::Value;

pub(super) struct Row {
    what: &'static str,
    truth: u64,
    /// Objects only: the number that the run read and delivered.
    read: Option<u64>,
    delivered: Option<u64>,
    in_assets: u64,
}

impl Row {
    /// Whether the counts of Assets, the directory and the run are equal.
    pub(super) fn is_whole(&self) -> bool {
        self.in_assets == self.truth && [self.read, self.delivered].iter().flatten().all(|count| *count == self.truth)
    }
}

pub(super) fn rows(truth: &Truth, assets: &Counts, run: &Value) -> Vec<Row> {
    let objects = |what, name: &str, key: &str, truth| {
        let count = |field: &str| run["counts"][key][field].as_u64().unwrap_or(0);
        Row {
            what,
            truth,
            read: Some(count("read")),
            delivered: Some(count("created") + count("updated") + count("unchanged")),
            in_assets: assets.objects.get(name).copied().unwrap_or(0) as u64,
        }
    };
    let references = |what, name: &str, attribute: &str, truth| {
        let of_type = assets.references.get(name);
        let in_assets = of_type.and_then(|of| of.get(attribute)).copied().unwrap_or(0) as u64;
        Row { what, truth, read: None, delivered: None, in_assets }
    };
    vec![
        objects("Users", "Entra User", "users", truth.users),
        objects("Groups", "Entra Group", "groups", truth.groups),
        objects("Licences", "Entra License", "licenses", truth.licenses),
        references("User → Manager", "Entra User", "Manager", truth.managers),
        references("User → Groups", "Entra User", "Groups", truth.user_memberships),
        references("User → Licenses", "Entra User", "Licenses", truth.user_licenses),
        references("Group → Parent Groups", "Entra Group", "Parent Groups", truth.group_memberships),
        references("Group → Owners", "Entra Group", "Owners", truth.owners),
        references("Group → Licenses", "Entra Group", "Licenses", truth.group_licenses),
    ]
}

pub(super) fn render(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["", "in the directory", "read from Graph", "delivered", "in Assets", ""]);
    for row in rows {
        let number = |count: Option<u64>| {
            Cell::new(count.map(|count| count.to_string()).unwrap_or_default()).set_alignment(CellAlignment::Right)
        };
        let verdict =
            if row.is_whole() { Cell::new("✓").fg(Color::Green) } else { Cell::new("✗ differs").fg(Color::Red) };
        table.add_row([
            Cell::new(row.what),
            number(Some(row.truth)),
            number(row.read),
            number(row.delivered),
            number(Some(row.in_assets)),
            verdict,
        ]);
    }
    table.to_string()
}

/// `2000 users, 150 groups, 5 licences`, and what became of them.
pub(super) fn counts_in_words(run: &Value) -> String {
    let of = |key: &str| {
        let count = |field: &str| run["counts"][key][field].as_u64().unwrap_or(0);
        (count("read"), count("created"), count("updated"), count("unchanged"))
    };
    let [users, groups, licenses] = ["users", "groups", "licenses"].map(of);
    format!(
        "{}; read {} users, {} groups, {} licences; created {}, updated {}, unchanged {}",
        run["state"].as_str().unwrap_or("?"),
        users.0,
        groups.0,
        licenses.0,
        users.1 + groups.1 + licenses.1,
        users.2 + groups.2 + licenses.2,
        users.3 + groups.3 + licenses.3,
    )
}
