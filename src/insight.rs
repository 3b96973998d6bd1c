//! Questions about a directory that its mirror can answer: what is paid and not used, and what nobody is responsible for.

use crate::directory::{Link, ObjectType};
use crate::mapping::Mapping;
use crate::text_enum::text_enum;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

text_enum! {
    /// A question about the directory.
    Insight in "no column" {
        /// Licences that are bought and assigned to nobody.
        UnusedLicenses = "unusedLicenses",
        /// Users who are disabled and have licences.
        LicensedDisabledUsers = "licensedDisabledUsers",
        /// Users with licences who have not signed in for 90 days.
        LicensedInactiveUsers = "licensedInactiveUsers",
        /// Users with two licences of which one contains the other.
        OverlappingLicenses = "overlappingLicenses",
        /// Members who are enabled and have no manager.
        UsersWithoutManager = "usersWithoutManager",
        /// Users who are, through others, their own manager.
        ManagerLoops = "managerLoops",
        /// Groups without an owner.
        GroupsWithoutOwner = "groupsWithoutOwner",
        /// Groups without a member.
        GroupsWithoutMembers = "groupsWithoutMembers",
        /// Guests who have not signed in for 90 days.
        InactiveGuests = "inactiveGuests",
        /// The credential of the connection, if it expires within 30 days.
        ExpiringCredentials = "expiringCredentials",
    }
}

/// How long without a sign-in counts as inactive.
const INACTIVE: TimeDelta = TimeDelta::days(90);
/// How soon an expiry is reported.
pub const EXPIRES_WITHIN: TimeDelta = TimeDelta::days(30);

/// Part numbers of licences of which the first contains what the second gives.
/// Source: learn.microsoft.com/entra/identity/users/licensing-service-plan-reference, the service plans of both.
const CONTAINS: &[(&str, &str)] = &[
    ("SPE_E5", "SPE_E3"),
    ("SPE_E5", "ENTERPRISEPREMIUM"),
    ("SPE_E5", "ENTERPRISEPACK"),
    ("SPE_E5", "EMSPREMIUM"),
    ("SPE_E5", "EMS"),
    ("SPE_E3", "ENTERPRISEPACK"),
    ("SPE_E3", "EMS"),
    ("ENTERPRISEPREMIUM", "ENTERPRISEPACK"),
    ("ENTERPRISEPACK", "STANDARDPACK"),
    ("ENTERPRISEPREMIUM", "STANDARDPACK"),
    ("EMSPREMIUM", "EMS"),
    ("EMSPREMIUM", "AAD_PREMIUM_P2"),
    ("EMS", "AAD_PREMIUM"),
    ("AAD_PREMIUM_P2", "AAD_PREMIUM"),
    ("ENTERPRISEPACK", "EXCHANGEENTERPRISE"),
    ("STANDARDPACK", "EXCHANGESTANDARD"),
    ("EXCHANGEENTERPRISE", "EXCHANGESTANDARD"),
    ("SPB", "O365_BUSINESS_PREMIUM"),
    ("SPB", "O365_BUSINESS"),
];

impl Insight {
    /// In a few words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UnusedLicenses => "Licences that nobody uses",
            Self::LicensedDisabledUsers => "Disabled users with licences",
            Self::LicensedInactiveUsers => "Inactive users with licences",
            Self::OverlappingLicenses => "Users with overlapping licences",
            Self::UsersWithoutManager => "Users without a manager",
            Self::ManagerLoops => "Managers in a circle",
            Self::GroupsWithoutOwner => "Groups without an owner",
            Self::GroupsWithoutMembers => "Groups without members",
            Self::InactiveGuests => "Inactive guests",
            Self::ExpiringCredentials => "Credentials that expire soon",
        }
    }

    /// The rule, in words.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::UnusedLicenses => "Licences with more units than are assigned. The number counts units.",
            Self::LicensedDisabledUsers => "Users whose account is disabled and who have at least one licence.",
            Self::LicensedInactiveUsers => {
                "Users whose account is enabled, who have at least one licence, and whose last known sign-in is more than 90 \
                 days ago. Users without a known sign-in are not counted."
            }
            Self::OverlappingLicenses => {
                "Users with two licences of which the larger contains the smaller, such as Microsoft 365 E5 and Office 365 E3."
            }
            Self::UsersWithoutManager => "Users whose account is enabled, who are no guests and have no manager.",
            Self::ManagerLoops => "Users who are among the managers of their own manager.",
            Self::GroupsWithoutOwner => {
                "Groups without an owner. Groups that are synchronized from Active Directory have none."
            }
            Self::GroupsWithoutMembers => {
                "Groups without a direct member. Groups that hide their members are not counted."
            }
            Self::InactiveGuests => {
                "Guests whose last known sign-in is more than 90 days ago. Guests without a known sign-in are not counted."
            }
            Self::ExpiringCredentials => {
                "The credential of the job's connection, if it expires within 30 days or has expired."
            }
        }
    }

    /// The type of the objects that it finds; `None`: the connection.
    pub const fn object_type(self) -> Option<ObjectType> {
        match self {
            Self::UnusedLicenses => Some(ObjectType::Licenses),
            Self::LicensedDisabledUsers
            | Self::LicensedInactiveUsers
            | Self::OverlappingLicenses
            | Self::UsersWithoutManager
            | Self::ManagerLoops
            | Self::InactiveGuests => Some(ObjectType::Users),
            Self::GroupsWithoutOwner | Self::GroupsWithoutMembers => Some(ObjectType::Groups),
            Self::ExpiringCredentials => None,
        }
    }

    /// Why the mirror cannot answer it; `None`: it can.
    pub fn unknown_because(self, mapping: &Mapping) -> Option<String> {
        let object_type = self.object_type()?;
        if !mapping.is_enabled(object_type) {
            return Some(format!("The job does not import {object_type}."));
        }
        let has = |name: &str| mapping.select(object_type).contains(&name);
        let missing = match self {
            Self::LicensedDisabledUsers => ["accountEnabled", "assignedLicenses"].into_iter().find(|name| !has(name)),
            Self::LicensedInactiveUsers => {
                ["accountEnabled", "assignedLicenses", "signInActivity"].into_iter().find(|name| !has(name))
            }
            Self::OverlappingLicenses => Some("assignedLicenses").filter(|name| !has(name)),
            Self::InactiveGuests => ["userType", "signInActivity"].into_iter().find(|name| !has(name)),
            Self::UsersWithoutManager | Self::ManagerLoops => {
                Some("manager").filter(|_| !mapping.carries(ObjectType::Users, Link::MANAGER))
            }
            Self::GroupsWithoutOwner => Some("owners").filter(|_| !mapping.carries(ObjectType::Groups, Link::OWNERS)),
            Self::UnusedLicenses | Self::GroupsWithoutMembers | Self::ExpiringCredentials => None,
        };
        let needs_licences = self == Self::OverlappingLicenses && !mapping.is_enabled(ObjectType::Licenses);
        match missing {
            Some("signInActivity") => Some(
                "The job does not import sign-ins: add `lastSignInDateTime` to `objects.users.attributes`.".to_owned(),
            ),
            Some(name) => Some(format!("The job does not import `{name}` of {object_type}.")),
            None if needs_licences => Some("The job does not import licenses.".to_owned()),
            None => None,
        }
    }
}

/// The latest sign-in that counts as inactive, as Graph writes times: they can be compared as texts.
pub fn inactive_since(now: DateTime<Utc>) -> String {
    (now - INACTIVE).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Of these licences, by SKU id and part number, the pairs of which the first contains the second.
pub fn overlapping(licenses: &HashMap<String, Uuid>) -> Vec<(Uuid, Uuid)> {
    let id = |name: &str| licenses.get(name).copied();
    CONTAINS.iter().filter_map(|(larger, smaller)| id(larger).zip(id(smaller))).collect()
}

/// Units of a licence that are assigned to nobody.
pub fn unused_units(license: &Map<String, Value>) -> i64 {
    let enabled = license.get("prepaidUnits").and_then(|units| units.get("enabled")).and_then(Value::as_i64);
    let consumed = license.get("consumedUnits").and_then(Value::as_i64).unwrap_or(0);
    enabled.map_or(0, |enabled| (enabled - consumed).max(0))
}

/// The users who are their own manager through others, each with the chain back to them. `managers`: user → manager.
pub fn loops(managers: &HashMap<Uuid, Uuid>) -> Vec<(Uuid, Vec<Uuid>)> {
    let mut done: BTreeSet<Uuid> = BTreeSet::new();
    let mut found = Vec::new();
    for start in managers.keys() {
        let (mut chain, mut at) = (Vec::new(), *start);
        let mut places: HashMap<Uuid, usize> = HashMap::new();
        while done.insert(at) {
            places.insert(at, chain.len());
            chain.push(at);
            match managers.get(&at) {
                Some(manager) => at = *manager,
                None => break,
            }
        }
        if let Some(place) = places.get(&at).filter(|_| managers.contains_key(&at)) {
            let circle = &chain[*place..];
            for (turn, user) in circle.iter().enumerate() {
                found.push((*user, [&circle[turn + 1..], &circle[..=turn]].concat()));
            }
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn circles_are_found_and_chains_into_them_are_none() {
        let id = Uuid::from_u128;
        // 1 → 2 → 3 → 1, 4 → 1, 5 → 5, 6 → 7.
        let managers: HashMap<Uuid, Uuid> =
            [(1, 2), (2, 3), (3, 1), (4, 1), (5, 5), (6, 7)].map(|(a, b)| (id(a), id(b))).into();
        let found = loops(&managers);
        let users: Vec<Uuid> = found.iter().map(|(user, _)| *user).collect();
        assert_eq!(users, [1, 2, 3, 5].map(id));
        assert_eq!(found[0].1, [2, 3, 1].map(id));
        assert_eq!(found[3].1, [id(5)]);
    }

    #[test]
    fn units_and_overlaps_are_those_of_the_tenant() {
        let license = |enabled: i64, consumed: i64| {
            json!({"prepaidUnits": {"enabled": enabled}, "consumedUnits": consumed}).as_object().unwrap().clone()
        };
        assert_eq!(
            (unused_units(&license(10, 4)), unused_units(&license(4, 10)), unused_units(&Map::new())),
            (6, 0, 0)
        );
        let id = Uuid::from_u128;
        let licenses =
            HashMap::from([("SPE_E5".to_owned(), id(5)), ("SPE_E3".to_owned(), id(3)), ("X".to_owned(), id(9))]);
        assert_eq!(overlapping(&licenses), [(id(5), id(3))]);
    }

    #[test]
    fn no_licence_contains_itself_or_what_contains_it() {
        for (larger, smaller) in CONTAINS {
            assert!(larger != smaller && !CONTAINS.contains(&(smaller, larger)), "{larger} {smaller}");
        }
    }
}
