//! What records are made of: days, and objects of the directory.

use crate::seed::directory::{Directory, NEWEST, time};
use crate::seed::object::{ObjectKind, Ref};
use chrono::SecondsFormat;
use uuid::Uuid;

const DAY: i64 = 86_400;

/// So many days after the newest object of the directory was created, as text.
pub fn day(days: i64) -> String {
    time(NEWEST + days * DAY).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `count` users, from one on.
pub fn users(directory: &Directory, from: usize, count: usize) -> Vec<(&'static str, Uuid)> {
    let all = directory.users.len();
    let some = (0..count.min(all)).map(|n| directory.users[(from + n) % all].id);
    some.map(|id| (ObjectKind::User.odata_type(), id)).collect()
}

pub fn object(directory: &Directory, object: Ref) -> (&'static str, Uuid) {
    (object.kind().odata_type(), directory.id_of(object))
}
