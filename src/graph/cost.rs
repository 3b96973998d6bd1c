//! The price of a request in resource units by the published table, for requests whose price Graph has not named yet.
//! Source: <https://learn.microsoft.com/en-us/graph/throttling-limits>; docs/graph.md, «Throttling».

use std::hash::{DefaultHasher, Hash, Hasher};
use url::Url;
use uuid::Uuid;

/// Requests with the same price: the path without its ids, and the options that change the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    pub key: u64,
    /// Resource units by the table.
    pub estimate: f64,
}

/// The table has no price for delta. Microsoft's own group sync service assumes this one.
const DELTA_UNITS: f64 = 5.0;
/// `$top` below this makes a request cheaper.
const SMALL_TOP: u32 = 20;

/// The kind of a request. Later pages carry only an opaque token, so give them the kind of their first page.
pub fn kind_of(url: &Url) -> Kind {
    let mut hasher = DefaultHasher::new();
    let mut shape: Vec<&str> = Vec::new();
    for segment in url.path_segments().into_iter().flatten().skip(1).filter(|segment| !segment.is_empty()) {
        let segment = segment.split_once('(').map_or(segment, |(name, _)| name);
        shape.push(if Uuid::try_parse(segment).is_ok() { "{id}" } else { segment });
    }
    let option = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let has_select = option("$select").is_some();
    let has_expand = option("$expand").is_some();
    let is_small = option("$top").and_then(|top| top.parse::<u32>().ok()).is_some_and(|top| top < SMALL_TOP);
    (&shape, has_select, has_expand, is_small).hash(&mut hasher);
    let mut estimate = base_units(&shape);
    if shape.last() != Some(&"delta") {
        estimate += f64::from(u8::from(has_expand)) - f64::from(u8::from(has_select)) - f64::from(u8::from(is_small));
    }
    Kind { key: hasher.finish(), estimate: estimate.max(1.0) }
}

fn base_units(shape: &[&str]) -> f64 {
    match shape {
        [.., "delta"] => DELTA_UNITS,
        ["groups", "{id}", "transitiveMembers"] => 5.0,
        ["groups", "{id}", "members"] | ["subscribedSkus"] => 3.0,
        ["users"] | ["users", "{id}"] => 2.0,
        ["users", "{id}", "memberOf" | "transitiveMemberOf" | "ownedObjects" | "licenseDetails"] => 2.0,
        ["applications" | "oauth2PermissionGrants", ..] | ["servicePrincipals", "{id}", ..] => 2.0,
        ["directoryObjects", "getByIds"] => 5.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(path: &str) -> Kind {
        kind_of(&Url::parse("https://graph.microsoft.com/v1.0/").unwrap().join(path).unwrap())
    }

    #[test]
    fn the_table_and_its_modifiers() {
        let members = "groups/11111111-1111-1111-1111-111111111111/members";
        assert_eq!(kind("users").estimate, 2.0);
        assert_eq!(kind("users?$top=999&$select=id").estimate, 1.0);
        assert_eq!(kind("users?$select=id&$expand=manager($select=id)").estimate, 2.0);
        assert_eq!(kind("groups?$top=999&$select=id").estimate, 1.0);
        assert_eq!(kind(members).estimate, 3.0);
        assert_eq!(kind(&format!("{members}?$top=999&$select=id")).estimate, 2.0);
        assert_eq!(kind(&format!("{members}?$top=19&$select=id")).estimate, 1.0);
        assert_eq!(kind("users/delta?$select=id").estimate, 5.0);
        assert_eq!(kind("subscribedSkus?$select=id").estimate, 2.0);
        // The table names the members of groups only.
        let members = "directory/administrativeUnits/11111111-1111-1111-1111-111111111111/members";
        assert_eq!(kind(&format!("{members}?$top=999&$select=id")).estimate, 1.0);
    }

    #[test]
    fn ids_do_not_make_another_kind_but_options_do() {
        let of = |id: u8, options: &str| kind(&format!("groups/{}/members{options}", Uuid::from_u128(id.into()))).key;
        assert_eq!(of(1, "?$select=id&$top=999"), of(2, "?$top=999&$select=id"));
        assert_ne!(of(1, ""), of(1, "?$select=id"));
        assert_eq!(kind("groups(uniqueName='x')").key, kind("groups(uniqueName='y')").key);
    }
}
