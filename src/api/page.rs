//! Lists in pages: `?limit=` and an opaque `cursor` that holds the place of the last item of the previous page: its id,
//! and its name in a list that is sorted by name. So rows that are added or deleted between two pages neither shift nor
//! repeat others. A cursor is valid only for its own list, with the same conditions and the same order.

use crate::db::list::{Order, Part, Place};
use crate::db::runs::Cut;
use crate::error::{Code, Error, Result};
use crate::text_enum::explained;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Debug;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

const LIMIT_DEFAULT: u16 = 50;
const LIST_BYTES: usize = 8;

#[derive(Deserialize, IntoParams, Clone, Debug, Default)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct PageQuery {
    /// The maximum number of items in the response.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `nextCursor` of the previous page.
    #[param(min_length = 1, max_length = 1200, pattern = "^[A-Za-z0-9_-]+$")]
    pub cursor: Option<String>,
}

/// As [`PageQuery`], for a short list that is the same for every caller: whole unless the caller asks for pages.
#[derive(Deserialize, IntoParams, Clone, Debug, Default)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct WholeListQuery {
    /// The maximum number of items in the response. Absent: all items, because the list is short and does not grow
    /// with use.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u16>,
    /// `nextCursor` of the previous page.
    #[param(min_length = 1, max_length = 1200, pattern = "^[A-Za-z0-9_-]+$")]
    pub cursor: Option<String>,
}

impl WholeListQuery {
    /// The page of `items`, which is the whole list. `list`: as of [`PageQuery::window`].
    pub fn page<T>(self, list: &str, items: impl IntoIterator<Item = T>) -> Result<Page<T>> {
        let window = PageQuery { limit: self.limit.or(Some(u16::MAX)), cursor: self.cursor }.window(list)?;
        // Such items have no ids, so their number in the list stands for one.
        let numbered = (1..).map(Uuid::from_u128).zip(items);
        let rows = numbered.filter(|(number, _)| window.after.is_none_or(|after| *number > after)).collect();
        Ok(window.page(rows, |(number, _)| *number, |(_, item)| item))
    }
}

/// The order of a list whose items have names.
#[derive(Deserialize, IntoParams, Clone, Copy, Debug, Default)]
#[into_params(parameter_in = Query)]
pub struct NameSortQuery {
    /// The order: by creation or by name, with `-` from the last to the first. Absent: `createdAt`.
    #[param(inline)]
    pub sort: Option<NameSort>,
}

explained! {
    /// The order of a list.
    #[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    pub enum NameSort {
        /// The oldest first.
        #[serde(rename = "createdAt")]
        CreatedAt,
        /// The newest first.
        #[serde(rename = "-createdAt")]
        CreatedAtDescending,
        /// From A to Z, whatever the case.
        #[serde(rename = "name")]
        Name,
        /// From Z to A, whatever the case.
        #[serde(rename = "-name")]
        NameDescending,
    }
}

impl NameSortQuery {
    pub fn order(self) -> Order {
        let (by_name, descending) = match self.sort.unwrap_or(NameSort::CreatedAt) {
            NameSort::CreatedAt => (false, false),
            NameSort::CreatedAtDescending => (false, true),
            NameSort::Name => (true, false),
            NameSort::NameDescending => (true, true),
        };
        Order { by_name, descending }
    }
}

/// The order of a list of what happened.
#[derive(Deserialize, IntoParams, Clone, Copy, Debug, Default)]
#[into_params(parameter_in = Query)]
pub struct TimeSortQuery {
    /// The order: `createdAt` from the oldest, `-createdAt` from the newest. Absent: `-createdAt`.
    #[param(inline)]
    pub sort: Option<TimeSort>,
}

explained! {
    /// The order of a list.
    #[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq, Debug)]
    pub enum TimeSort {
        /// The oldest first.
        #[serde(rename = "createdAt")]
        CreatedAt,
        /// The newest first.
        #[serde(rename = "-createdAt")]
        CreatedAtDescending,
    }
}

impl TimeSortQuery {
    pub fn order(self) -> Order {
        match self.sort.unwrap_or(TimeSort::CreatedAtDescending) {
            TimeSort::CreatedAt => Order::OLDEST_FIRST,
            TimeSort::CreatedAtDescending => Order::NEWEST_FIRST,
        }
    }
}

/// The rows of a page: at most `limit` after the row with the id `after`.
#[derive(Clone, Debug)]
pub struct Window {
    list: [u8; LIST_BYTES],
    pub after: Option<Uuid>,
    /// The name of the row `after`, in a list that is sorted by name.
    after_name: String,
    order: Order,
    limit: u16,
}

/// A page of a list.
#[derive(Serialize, ToSchema, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last page.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

impl PageQuery {
    /// `list`: a name of the list, including everything that selects its rows.
    pub fn window(&self, list: &str) -> Result<Window> {
        let mut name = [0; LIST_BYTES];
        name.copy_from_slice(&Sha256::digest(list)[..LIST_BYTES]);
        let after = self.cursor.as_deref().map(|cursor| parse(cursor, name)).transpose()?;
        let (after, after_name) = after.unzip();
        Ok(Window {
            list: name,
            after,
            after_name: after_name.unwrap_or_default(),
            order: Order::default(),
            limit: self.limit.unwrap_or(LIMIT_DEFAULT),
        })
    }

    /// As [`PageQuery::window`], for those rows of a list that `which` names, in an order.
    pub fn sorted(&self, list: &str, which: &impl Debug, order: Order) -> Result<Window> {
        let window = self.window(&format!("{list}?{which:?}&{order:?}"))?;
        Ok(Window { order, ..window })
    }
}

/// The place in a cursor: id and name.
fn parse(cursor: &str, list: [u8; LIST_BYTES]) -> Result<(Uuid, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let place = |rest: &[u8]| {
        let (id, name) = rest.split_first_chunk::<16>()?;
        Some((Uuid::from_bytes(*id), String::from_utf8(name.to_vec()).ok()?))
    };
    match bytes.split_first_chunk::<LIST_BYTES>() {
        Some((of, rest)) if *of == list => place(rest),
        _ => None,
    }
    .ok_or_else(|| {
        Error::new(Code::InvalidCursor, "This cursor is not valid for this list. Start again without `cursor`.")
    })
}

impl Window {
    /// How many rows to ask the database for: one more than fits shows whether there is a next page.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// What to ask the database for.
    pub fn part(&self) -> Part {
        let after = self.after.map(|id| Place { id, name: self.after_name.clone() });
        Part { order: self.order, after, limit: self.rows() }
    }

    /// The page of up to [`Window::rows`] rows.
    pub fn page<R, T>(&self, rows: Vec<R>, id: impl Fn(&R) -> Uuid, item: impl FnMut(R) -> T) -> Page<T> {
        let Page { items, next_cursor } = self.cut(rows, |row| (id(row), ""));
        Page { items: items.into_iter().map(item).collect(), next_cursor }
    }

    /// As [`Window::page`], for rows of which there may be more than the database gave at once.
    pub fn page_of<R, T>(&self, cut: Cut<R>, id: impl Fn(&R) -> Uuid, item: impl FnMut(R) -> T) -> Page<T> {
        self.cut_at(cut.rows, cut.is_cut, |row| (id(row), "")).map(item)
    }

    /// As [`Window::page`], if making an item can fail.
    pub fn try_page<R, T>(
        &self,
        rows: Vec<R>,
        id: impl Fn(&R) -> Uuid,
        item: impl FnMut(R) -> Result<T>,
    ) -> Result<Page<T>> {
        let Page { items, next_cursor } = self.cut(rows, |row| (id(row), ""));
        Ok(Page { items: items.into_iter().map(item).collect::<Result<_>>()?, next_cursor })
    }

    /// The rows of the page, for a list that may be sorted by name. `place`: id and name of a row.
    pub fn cut<R>(&self, rows: Vec<R>, place: impl Fn(&R) -> (Uuid, &str)) -> Page<R> {
        self.cut_at(rows, false, place)
    }

    /// `has_rest`: there may be rows after these, however few they are.
    fn cut_at<R>(&self, mut rows: Vec<R>, has_rest: bool, place: impl Fn(&R) -> (Uuid, &str)) -> Page<R> {
        let has_more = has_rest || rows.len() > usize::from(self.limit);
        rows.truncate(usize::from(self.limit));
        let next_cursor = rows.last().filter(|_| has_more).map(|row| {
            let (id, name) = place(row);
            let name = if self.order.by_name { name } else { "" };
            URL_SAFE_NO_PAD.encode([self.list.as_slice(), id.as_bytes(), name.as_bytes()].concat())
        });
        Page { items: rows, next_cursor }
    }
}

impl<R> Page<R> {
    /// The page of what `item` makes of each row.
    pub fn map<T>(self, item: impl FnMut(R) -> T) -> Page<T> {
        Page { items: self.items.into_iter().map(item).collect(), next_cursor: self.next_cursor }
    }

    /// As [`Page::map`], if making an item can fail.
    pub fn try_map<T>(self, item: impl FnMut(R) -> Result<T>) -> Result<Page<T>> {
        Ok(Page { items: self.items.into_iter().map(item).collect::<Result<_>>()?, next_cursor: self.next_cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(list: &str, limit: u16, cursor: Option<String>) -> Result<Window> {
        PageQuery { limit: Some(limit), cursor }.window(list)
    }

    #[test]
    fn a_cursor_continues_after_the_last_item_of_its_own_list() {
        let first = window("filters", 2, None).unwrap();
        let page = first.page(vec![1, 2, 3], |n| Uuid::from_u128(*n), |n| n);
        assert_eq!(page.items, [1, 2]);
        let next = window("filters", 2, page.next_cursor.clone()).unwrap();
        assert_eq!(next.after, Some(Uuid::from_u128(2)));
        assert_eq!(window("jobs", 2, page.next_cursor).unwrap_err().code, Code::InvalidCursor);
        assert_eq!(window("filters", 2, Some("?".into())).unwrap_err().code, Code::InvalidCursor);
    }

    #[test]
    fn a_cursor_of_a_list_by_name_holds_the_longest_name() {
        let order = Order { by_name: true, descending: false };
        let part = |cursor| PageQuery { limit: Some(1), cursor }.sorted("filters", &"all", order);
        let name = "😀".repeat(200);
        let rows = vec![(1, name.clone()), (2, name.clone())];
        let page = part(None).unwrap().cut(rows, |(n, name)| (Uuid::from_u128(*n), name));
        let cursor = page.next_cursor.unwrap();
        assert!(cursor.len() <= 1200, "{}", cursor.len());
        let after = part(Some(cursor.clone())).unwrap().part().after.unwrap();
        assert_eq!(after, Place { id: Uuid::from_u128(1), name });
        let other = PageQuery { limit: Some(1), cursor: Some(cursor) }.sorted("filters", &"some", order);
        assert_eq!(other.unwrap_err().code, Code::InvalidCursor, "another condition is another list");
    }

    #[test]
    fn a_short_list_is_whole_unless_pages_are_asked_for() {
        let page = |limit, cursor| WholeListQuery { limit, cursor }.page("letters", ["a", "b", "c"]).unwrap();
        let whole = page(None, None);
        assert_eq!((whole.items, whole.next_cursor), (vec!["a", "b", "c"], None));
        let first = page(Some(2), None);
        assert_eq!(first.items, ["a", "b"]);
        let last = page(Some(2), first.next_cursor);
        assert_eq!((last.items, last.next_cursor), (vec!["c"], None));
    }

    #[test]
    fn a_page_that_was_cut_continues_after_its_last_row() {
        let cut = Cut { rows: vec![1, 2], is_cut: true };
        let page = window("changes", 5, None).unwrap().page_of(cut, |n| Uuid::from_u128(*n), |n| n);
        assert_eq!(page.items, [1, 2]);
        let next = window("changes", 5, page.next_cursor).unwrap();
        assert_eq!(next.after, Some(Uuid::from_u128(2)));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = window("filters", 2, None).unwrap().page(vec![1, 2], |n| Uuid::from_u128(*n), |n| n);
        assert_eq!(page.next_cursor, None);
    }
}
