//! Two ways to read objects: by their ids, or as pages of the whole collection.

use uuid::Uuid;

/// Ids in one `$filter=id in (…)` at most. Source: docs/graph.md, «Filters».
pub const IDS_IN_A_QUERY: usize = 15;

/// The `$filter` for the objects with these ids, at most [`IDS_IN_A_QUERY`].
pub fn ids_filter(ids: &[Uuid]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("id in ({})", quoted.join(","))
}

/// Objects on one page at most. Source: docs/graph.md, «Paging».
pub const MAX_PAGE_SIZE: usize = 999;

/// Fewer users than this are read in one chain of pages.
const RANGES_FROM: u64 = 8_000;
/// Users in a range, about: eight pages.
const USERS_PER_RANGE: u64 = 8_000;
/// Each range holds a page of a megabyte while it is read.
const MAX_RANGES: u64 = 8;
/// How often users are counted to find the border between two ranges.
pub const COUNTS_PER_BORDER: u32 = 6;

/// In how many ranges so many users are read at once; `None`: one chain of pages is as fast.
pub fn ranges_of_users(users: u64) -> Option<u64> {
    (users >= RANGES_FROM).then(|| (users / USERS_PER_RANGE).clamp(2, MAX_RANGES))
}

/// Whether reading `ids` objects by their ids takes fewer requests than reading the list of `all` objects.
pub fn is_cheaper_by_id(ids: usize, all: Option<u64>) -> bool {
    let pages = all.map_or(usize::MAX, |all| usize::try_from(all).unwrap_or(usize::MAX).div_ceil(MAX_PAGE_SIZE).max(1));
    ids.div_ceil(IDS_IN_A_QUERY) <= pages
}
