//! The mirror: what the last complete read *saw* (`mirror_objects`, `mirror_members`), and separately what was
//! *delivered* (`mirror_delivered`).
//!
//! A run stores each page that it reads in staging tables, together with the page's cursor: a crash loses at most the
//! pages that were not stored yet. Only a complete read becomes the mirror ([`promote()`]).
//!
//! Rows are inserted by UNNEST of arrays: one prepared statement for any number of rows. The members of a group are arrays
//! of up to a page, so five million memberships are thousands of rows.

pub mod browse;
mod counters;
mod cursor;
pub mod delivered;
pub mod dropped;
mod hash;
pub mod implausible;
pub mod insights;
pub mod left_out;
pub mod links;
pub mod lookup;
mod lost_writes;
mod moved;
mod patch;
mod promote;
pub mod read;
mod row;
pub mod scope;
mod source;
mod staging;
mod statement;
mod stored_as;
mod tenant_names;
pub mod touched;

pub use counters::{Counters, moved as moved_by};
pub use cursor::{Cursor, CursorRow, MEMBERS, QUESTION, SINGLE, answer, answers, cursors, stage_cursors};
pub use hash::{Hash, hash};
pub use lost_writes::number_staging;
pub use moved::{Moved, memberships_gained, moved};
pub use patch::{Patched, patch};
pub use promote::{Promotion, promote, replace_derived, restage_members};
pub use row::{MirrorRow, Receiver, TABLES, delivery_begins, find, resend_unsettled, reset, save};
pub use staging::{
    Batch, StagedMembers, StagedObject, clear_all_but_gone, clear_staging, keep_staged, keep_staged_members,
    mark_others, restart, restart_members, stage,
};
pub use stored_as::StoredAs;
