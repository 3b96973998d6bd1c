//! A directory made from a seed: the same options give the same people, groups, memberships and licences, byte for
//! byte. It is the truth that tests and the demonstration compare a delivery with.
//!
//! Compact: 200,000 users with 2 million memberships take well under 100 MB; JSON is computed when asked for. Slots of
//! the lists are stable and never used again, so that a page token can be a position.

mod change;
mod churn;
mod directory;
mod edit;
mod generate;
mod object;
mod random;
mod record;
mod records;
mod truth;
pub mod words;

pub use change::{Change, Refused, What};
pub use churn::Churn;
pub use directory::{DOMAIN, Device, Directory, Group, GroupKind, NEWEST, Other, User, time};
pub use generate::SeedOptions;
pub use object::{ObjectKind, Ref, State};
pub use record::{Record, Records};
pub use truth::{Edges, Truth};
