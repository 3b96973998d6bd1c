//! The bodies of Graph's responses, parsed as little as possible: a page of items is split and not parsed, a page of
//! members takes 18 bytes for each member, and text is not copied.

mod member;
mod object;
mod page;
mod text;

pub use member::{Member, Members};
pub use object::{Manager, Properties, Removed, properties};
pub(super) use page::first_json;
pub use page::{Content, Items, Links};
pub(super) use text::text_of;
