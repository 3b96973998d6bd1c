//! Administrative units: one with members of every type, one with restricted management, one by a rule, one that is empty.
//! A large directory has more, one for some thousands of users.

use super::parts::{object, users};
use crate::seed::directory::Directory;
use crate::seed::object::{ObjectKind, Ref};
use crate::seed::random::Random;
use crate::seed::record::Record;
use serde_json::json;

/// Users for each further unit, and its members.
const USERS_PER_UNIT: usize = 4_000;
const MEMBERS: usize = 900;

pub fn generate(directory: &Directory, random: &mut Random) -> Vec<Record> {
    let mut units = Vec::new();
    let mut unit = |name: &str, restricted: bool, rule: Option<&str>, members| {
        let id = random.uuid();
        let properties = json!({
            "id": id, "displayName": name, "description": format!("{name} and its people"), "deletedDateTime": null,
            "isMemberManagementRestricted": restricted, "visibility": null,
            "membershipType": if rule.is_some() { "Dynamic" } else { "Assigned" }, "membershipRule": rule,
            "membershipRuleProcessingState": rule.map(|_| "On"),
        });
        units.push(Record::new(id, properties).related("members", members));
    };
    let mut mixed = users(directory, 0, 250);
    let groups = 0..directory.groups.len().min(3) as u32;
    mixed.extend(groups.map(|slot| object(directory, Ref::group(slot))));
    let devices = 0..directory.devices.len().min(4) as u32;
    mixed.extend(devices.map(|slot| object(directory, Ref::new(ObjectKind::Device, slot))));
    unit("Lisbon branch", false, None, mixed);
    unit("Board", true, None, users(directory, 0, 3));
    unit("Engineering", false, Some("(user.department -eq \"Engineering\")"), users(directory, 7, 5));
    unit("Planned branch", false, None, Vec::new());
    for n in 0..directory.users.len() / USERS_PER_UNIT {
        unit(&format!("Site {}", n + 1), false, None, users(directory, n * USERS_PER_UNIT, MEMBERS));
    }
    units
}
