//! Microsoft's table of what Graph can filter by: the product and the simulator follow each of its rows.

use crate::support::raw::Raw;
use crate::support::world::World;
use entra_assets::filter::{EntityKind, odata};

/// Microsoft's table of what Graph can filter by; NOTICE names its source.
const SUPPORT: &str = include_str!("../../../src/filter/property/graph-filter-support.csv");

/// A filter text that compares a property of Microsoft's table by the operator of one of its columns.
fn condition(property: &str, column: &str) -> String {
    // `assignedLicenses/any(a:a/skuId)`: the condition is within the parentheses.
    let (before, path, after) = match property.split_once(':') {
        Some((before, rest)) => (format!("{before}:"), rest.trim_end_matches(')'), ")"),
        None => (String::new(), property, ""),
    };
    let literal = literal(property);
    let inner = match column {
        "eq" => format!("{path} eq {literal}"),
        "startsWith" => format!("startsWith({path},{literal})"),
        "geLe" => format!("{path} ge {literal}"),
        "eqNull" => format!("{path} eq null"),
        "count0" => format!("{path} eq 0"),
        "count1" => format!("{path} eq 1"),
        other => panic!("an unknown column: {other}"),
    };
    format!("{before}{inner}{after}")
}

fn literal(property: &str) -> &'static str {
    let last = property.trim_end_matches(')').rsplit(['/', ':']).next().unwrap();
    let starts = |heads: &[&str]| heads.iter().any(|head| last.starts_with(head));
    match last {
        "skuId" | "servicePlanId" => "05e9a617-0261-4cee-bb44-138d3ef5d965",
        "type" => "2",
        "issuer" => "'x'",
        _ if last.ends_with("DateTime") || last.ends_with("Date") => "2026-01-01T00:00:00Z",
        "accountEnabled" | "showInAddressList" | "onPremisesSyncEnabled" | "mailEnabled" | "securityEnabled" => "true",
        _ if starts(&["is", "has", "forceChange"]) => "true",
        _ => "'x'",
    }
}

/// What the simulated Graph makes of a filter.
async fn simulated(raw: &Raw, kind: EntityKind, text: &str, select: &str) -> &'static str {
    let filter = urlencoding::encode(text);
    let path = format!("/v1.0/{}?$top=1&$select=id,{select}&$filter={filter}", kind.as_str());
    match (raw.rows(&path, false).await, raw.rows(&format!("{path}&$count=true"), true).await) {
        (Ok(_), _) => "default",
        (Err(_), Ok(_)) => "advanced",
        (Err(_), Err(_)) => "no",
    }
}

#[tokio::test]
async fn each_combination_of_microsofts_table_is_supported_or_refused_as_it_says() {
    let world = World::new(10, 4).await;
    let raw = Raw::sign_in(&world.graph).await;
    let mut lines = SUPPORT.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let (mut compared, mut wrong) = (0, Vec::new());
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let kind = EntityKind::ALL.into_iter().find(|kind| kind.as_str() == cells[0]).unwrap();
        for (column, cell) in columns.iter().zip(&cells).skip(2).filter(|(_, cell)| !cell.is_empty()) {
            compared += 1;
            let text = condition(cells[1], column);
            let (here, sent, select) = match odata::parse(kind, &text) {
                Ok(parsed) => {
                    let here = if parsed.advanced { "advanced" } else { "default" };
                    (here, parsed.text().to_owned(), parsed.select().join(","))
                }
                Err(_) => ("no", text.clone(), String::new()),
            };
            let there = simulated(&raw, kind, &sent, &select).await;
            if (here, there) != (*cell, *cell) {
                wrong.push(format!("{} {text}: {cell} in the table, {here} here, {there} in the simulator", cells[0]));
            }
        }
    }
    assert_eq!(compared, 298);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
