//! Collections, page by page. Links are followed verbatim and on the Graph origin only. Only a page without a next link
//! proves that a collection is complete; the proof is a type, [`Complete`].
//!
//! Source: <https://learn.microsoft.com/en-us/graph/paging>; docs/graph.md, «Paging».

use super::cost;
use super::error::{GraphError, GraphErrorKind, Result};
use super::limiter::Permit;
use super::options::RequestOptions;
use super::request::{self, Body, Request};
use super::retry::Read;
use super::session::{Session, own_link};
use super::wire::{Content, Links};
use url::Url;

/// So many pages in a row without an item count as endless paging.
const MAX_EMPTY_PAGES: u32 = 1_000;
/// The same items on so many pages in a row count as endless paging too.
const MAX_SAME_PAGES: u32 = 5;
/// 504 responses that are waited out before they are reported: on a first page, which can be requested again with a
/// smaller size at once, and on later ones, for which the collection would have to be read again.
const MAX_GATEWAY_TIMEOUTS_FIRST: u32 = 1;
const MAX_GATEWAY_TIMEOUTS_LATER: u32 = 3;
/// So many times a page without items may link to itself, because the server asks to try again.
const MAX_EMPTY_REPEATS: u32 = 2;
/// How often a page is read again to get a link from a response that is not that of a retry.
const MAX_REREADS: u32 = 3;
/// `$top` is not halved below this.
const MIN_TOP: u32 = 10;

/// Proof that a collection was read to its end. Only a page without a next link yields it.
#[derive(Debug)]
pub struct Complete {
    delta_link: Option<Url>,
}

impl Complete {
    /// The start of the next delta round. Only delta responses have it.
    pub fn delta_link(&self) -> Option<&Url> {
        self.delta_link.as_ref()
    }

    pub fn into_delta_link(self) -> Option<Url> {
        self.delta_link
    }
}

/// What comes after a page.
#[derive(Debug)]
pub enum Next {
    More(Url),
    Complete(Complete),
}

#[derive(Debug)]
pub struct Page<C> {
    pub content: C,
    pub next: Next,
    /// `@odata.count`: only on the first page of a query with `$count=true`.
    pub count: Option<u64>,
    /// The response came after an attempt that was throttled, failed or broke off. Its next link must not be followed:
    /// Graph may not find its token. A [`Pager`] reads such a page again.
    pub was_retried: bool,
    pub request_id: Option<String>,
    /// Its place among the requests in flight, if it came from [`Pager::next_held`].
    pub permit: Option<Permit>,
}

impl<C> Page<C> {
    pub(super) fn new(links: Links, content: C, request_id: Option<String>, origin: &Url) -> Result<Self> {
        let own = |link: String| own_link(&link, origin);
        let delta_link = links.delta.map(own).transpose()?;
        let next = match (links.next.map(own).transpose()?, delta_link) {
            (Some(next), None) => Next::More(next),
            (None, delta_link) => Next::Complete(Complete { delta_link }),
            (Some(_), Some(_)) => {
                return Err(GraphError::new(GraphErrorKind::Malformed, "a page has both a next link and a delta link"));
            }
        };
        Ok(Self { content, next, count: links.count, was_retried: false, request_id, permit: None })
    }
}

/// The same first page with half the `$top`; `None` if there is none to halve. The rest of the URL stays unchanged.
pub fn halve_top(first: &Url) -> Option<Url> {
    let mut halved = None;
    let parts: Vec<String> = first
        .query()?
        .split('&')
        .map(|part| match part.split_once('=') {
            Some((name @ ("$top" | "%24top"), value)) => {
                halved = value.parse::<u32>().ok().map(|top| top / 2).filter(|top| *top >= MIN_TOP);
                halved.map_or_else(|| part.to_owned(), |top| format!("{name}={top}"))
            }
            _ => part.to_owned(),
        })
        .collect();
    halved?;
    let mut url = first.clone();
    url.set_query(Some(&parts.join("&")));
    Some(url)
}

impl Session {
    /// One page, on the Graph origin. To follow links, use a [`Pager`].
    pub async fn page<C: Content>(&self, url: &Url, options: &RequestOptions) -> Result<Page<C>> {
        Ok(Page { permit: None, ..self.page_held(url, options).await? })
    }

    /// One page with its place among the requests in flight.
    async fn page_held<C: Content>(&self, url: &Url, options: &RequestOptions) -> Result<Page<C>> {
        let request = Request::get(url, options);
        let read = |body: Body| {
            let is_html = body.is_html();
            let (links, content) = C::read(body.text).map_err(|error| request::malformed(is_html, &error))?;
            let value = Page::new(links, content, body.request_id, &self.0.origin)?;
            Ok(Read { value, units: None })
        };
        let answered = self.exchange(&request, read).await?;
        Ok(Page { was_retried: answered.was_retried, permit: Some(answered.permit), ..answered.value })
    }

    /// The pages of a collection from its first.
    pub fn pages<C: Content>(&self, first: Url, options: RequestOptions) -> Pager<C> {
        Pager::new(self.clone(), first, options)
    }
}

/// Reads a collection page by page. After an error the pager stays at its page: [`Pager::next`] requests it again.
/// [`Pager::position`] can be stored and resumed.
pub struct Pager<C> {
    session: Session,
    options: RequestOptions,
    next: Option<Url>,
    is_first: bool,
    watch: LoopWatch,
    _content: std::marker::PhantomData<fn() -> C>,
}

impl<C: Content> Pager<C> {
    /// From the first page. Later pages have the price of the first URL.
    pub fn new(session: Session, first: Url, options: RequestOptions) -> Self {
        let cost = options.cost.or_else(|| Some(cost::kind_of(&first)));
        let may_halve = options.may_halve && halve_top(&first).is_some();
        Self {
            session,
            options: RequestOptions { cost, may_halve, ..options },
            next: Some(first),
            is_first: true,
            watch: LoopWatch::default(),
            _content: std::marker::PhantomData,
        }
    }

    /// From a stored link. `first` is the URL that the collection began with.
    pub fn resume(session: Session, first: &Url, link: &str, options: RequestOptions) -> Result<Self> {
        let next = session.link(link)?;
        let mut pager = Self::new(session, first.clone(), options);
        pager.is_first = next == *first;
        pager.next = Some(next);
        Ok(pager)
    }

    /// The next page; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Page<C>>> {
        Ok(self.next_held().await?.map(|page| Page { permit: None, ..page }))
    }

    /// The next page with its place among the requests in flight. The caller drops it when the page is stored. Until then
    /// it must send no other request, because this could be the last place.
    pub async fn next_held(&mut self) -> Result<Option<Page<C>>> {
        let Some(url) = self.next.clone() else { return Ok(None) };
        let page = self.read(&url).await?;
        self.watch.see(&url, &page).map_err(|error| error.at(&url).of_request(page.request_id.as_deref()))?;
        self.next = match &page.next {
            Next::More(next) => Some(next.clone()),
            Next::Complete(_) => None,
        };
        self.is_first = false;
        Ok(Some(page))
    }

    /// The page to be read next; `None` after the last.
    pub fn position(&self) -> Option<&Url> {
        self.next.as_ref()
    }

    async fn read(&self, url: &Url) -> Result<Page<C>> {
        let most = if self.is_first { MAX_GATEWAY_TIMEOUTS_FIRST } else { MAX_GATEWAY_TIMEOUTS_LATER };
        let gateway_timeouts = self.options.may_halve.then_some(most);
        let options = RequestOptions { gateway_timeouts, goes_on: !self.is_first, ..self.options.clone() };
        let mut rereads = 0;
        loop {
            let page = self.session.page_held::<C>(url, &options).await?;
            let is_followed = matches!(page.next, Next::More(_));
            if !(page.was_retried && is_followed) || rereads == MAX_REREADS {
                return Ok(page);
            }
            // Microsoft: «Keep the token of the last successful response that was not a retry». That is this URL.
            rereads += 1;
        }
    }
}

/// Finds endless paging in constant memory: Brent's algorithm for links, and a counter for pages without new items. One
/// link is remembered, and replaced at page 1, 2, 4, 8 and so on, so a circle of n pages is found within about 3 n.
#[derive(Default)]
struct LoopWatch {
    remembered: Option<Url>,
    pages: u64,
    remember_at: u64,
    empty_pages: u32,
    empty_repeats: u32,
    same_pages: u32,
    last_mark: u64,
}

impl LoopWatch {
    /// `url` gave `page`.
    fn see<C: Content>(&mut self, url: &Url, page: &Page<C>) -> Result<()> {
        let Next::More(next) = &page.next else { return Ok(()) };
        if next == url || self.remembered.as_ref() == Some(next) {
            self.empty_repeats += 1;
            if !page.content.is_empty() || self.empty_repeats > MAX_EMPTY_REPEATS {
                return Err(GraphError::new(GraphErrorKind::LinkLoop, "Graph returned the same next link again"));
            }
            return Ok(());
        }
        self.pages += 1;
        if self.pages >= self.remember_at {
            self.remembered = Some(next.clone());
            self.remember_at = self.pages * 2;
        }
        let (is_empty, mark) = (page.content.is_empty(), page.content.mark());
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        self.same_pages = if !is_empty && mark == self.last_mark { self.same_pages + 1 } else { 0 };
        self.last_mark = mark;
        if self.empty_pages >= MAX_EMPTY_PAGES {
            return Err(GraphError::new(
                GraphErrorKind::LinkLoop,
                format!("{MAX_EMPTY_PAGES} pages in a row were empty"),
            ));
        }
        if self.same_pages >= MAX_SAME_PAGES {
            let message = format!("{} pages in a row had the same items", MAX_SAME_PAGES + 1);
            return Err(GraphError::new(GraphErrorKind::LinkLoop, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::wire::Items;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn origin() -> Url {
        url("https://graph.microsoft.com")
    }

    fn page(value: &str, next: Option<String>) -> Page<Items> {
        let (_, items) = Items::read(format!(r#"{{"value":{value}}}"#)).unwrap();
        Page::new(Links { next, ..Links::default() }, items, None, &origin()).unwrap()
    }

    fn link(number: u64) -> String {
        format!("https://graph.microsoft.com/v1.0/users?$skiptoken={number}")
    }

    /// The page at which a chain of links is refused.
    fn refused_at(value: impl Fn(u64) -> String, next_of: impl Fn(u64) -> u64) -> Option<u64> {
        let (mut watch, mut at) = (LoopWatch::default(), 0);
        for pages in 1..=5_000 {
            let next = next_of(at);
            if let Err(error) = watch.see(&url(&link(at)), &page(&value(at), Some(link(next)))) {
                assert!(matches!(error.kind, GraphErrorKind::LinkLoop));
                return Some(pages);
            }
            at = next;
        }
        None
    }

    #[test]
    fn a_link_to_itself_is_refused_at_once_and_a_circle_soon() {
        let items = |at: u64| format!("[{at}]");
        assert_eq!(refused_at(items, |at| at), Some(1));
        assert_eq!(refused_at(|_| "[]".into(), |at| at), Some(3), "a page without items may ask to come again");
        assert!(refused_at(items, |at| (at + 1) % 2).unwrap() <= 6);
        assert!(refused_at(items, |at| (at + 1) % 100).unwrap() <= 300);
        assert!(refused_at(items, |at| if at == 50 { 20 } else { at + 1 }).unwrap() <= 200);
        assert_eq!(refused_at(items, |at| at + 1), None, "5,000 different pages are fine");
    }

    #[test]
    fn new_links_that_bring_nothing_are_refused_too() {
        assert_eq!(refused_at(|_| "[]".into(), |at| at + 1), Some(u64::from(MAX_EMPTY_PAGES)));
        assert_eq!(refused_at(|_| "[1,2]".into(), |at| at + 1), Some(u64::from(MAX_SAME_PAGES) + 1));
        assert_eq!(refused_at(|at| if at % 900 == 0 { "[1]".into() } else { "[]".into() }, |at| at + 1), None);
    }

    #[test]
    fn links_lead_to_the_graph_origin_only() {
        let foreign = [
            "http://graph.microsoft.com/v1.0/users",
            "https://evil.example/v1.0/users",
            "https://graph.microsoft.com:444/",
        ];
        for foreign in foreign {
            let error = own_link(foreign, &origin()).unwrap_err();
            assert!(matches!(error.kind, GraphErrorKind::ForeignLink), "{foreign}");
        }
        assert!(matches!(own_link("/v1.0/users", &origin()).unwrap_err().kind, GraphErrorKind::Malformed));
    }

    #[test]
    fn a_link_is_kept_as_it_came() {
        for odd in [
            "https://graph.microsoft.com/v1.0/users?$skiptoken=RFNwdAIA%2bAAAA+%2F==&$top=999",
            "https://graph.microsoft.com/v1.0/users?%24select=id%2CdisplayName&%24filter=startswith(displayName%2C%27a%20b%27)",
            "https://graph.microsoft.com/v1.0/groups('x')/members?$skiptoken=a|b~c!d*e;f:g@h,i[j]k{l}m^n`o%00%zz",
            "https://graph.microsoft.com/v1.0/users?$skipToken=%E2%82%AC&&x=&=y&$top=1?2/3",
        ] {
            assert_eq!(own_link(odd, &origin()).unwrap().as_str(), odd);
        }
    }

    #[test]
    fn only_a_page_without_a_next_link_is_complete() {
        assert!(matches!(page("[]", Some(link(1))).next, Next::More(_)));
        assert!(matches!(page("[]", None).next, Next::Complete(_)));
        let links = Links { next: Some(link(1)), delta: Some(link(2)), count: None };
        assert!(Page::new(links, (), None, &origin()).is_err());
    }

    #[test]
    fn half_the_top_changes_nothing_else() {
        let first = url("https://graph.microsoft.com/v1.0/users?$select=id,a%20b&$top=999&$filter=x%20eq%20'+'");
        let half = halve_top(&first).unwrap();
        assert_eq!(half.as_str(), first.as_str().replace("999", "499"));
        let mut times = 0;
        let mut smaller = Some(first);
        while let Some(url) = smaller {
            (smaller, times) = (halve_top(&url), times + 1);
        }
        assert_eq!(times, 7, "999 499 249 124 62 31 15");
        assert!(halve_top(&url("https://graph.microsoft.com/v1.0/users?$select=id")).is_none());
    }
}
