//! The one loop over the pages of a collection, and how a collection is read again after an error.

use super::read_error::{ReadError, Result};
use super::reader::Reader;
use super::request::Request;
use crate::codes::WarningCode;
use crate::graph::error::{GraphError, GraphErrorKind};
use crate::graph::limiter::Permit;
use crate::graph::wire::Content;
use crate::graph::{Next, Page, Pager, RequestOptions};
use crate::run_state::RunWarning;
use std::fmt::Display;
use std::ops::ControlFlow;

/// How often a collection is read again from its first page.
const MAX_RESTARTS: u32 = 8;

/// Why a collection is read again from its first page.
pub(super) enum Restart<'a> {
    /// A link stored by an earlier attempt of the run is refused.
    StoredLinkRefused(&'a GraphError),
    PageTokenExpired(&'a GraphError),
    /// Graph takes too long for a page; the next ones have half as many objects.
    PageTooLarge(&'a GraphError, Option<u32>),
    /// The server refuses a part of the request, which is left out, or the size of its pages.
    Plainer,
}

impl Restart<'_> {
    /// The warning that it deserves; a refusal was reported where it was remembered.
    pub fn warning(&self, what: impl Display) -> Option<RunWarning> {
        let (code, detail) = match self {
            Self::StoredLinkRefused(error) => {
                (WarningCode::PageTokenExpired, format!("{what} are read again from the first page: {error}"))
            }
            Self::PageTokenExpired(_) => {
                (WarningCode::PageTokenExpired, format!("A page token for {what} expired; they are read again."))
            }
            Self::PageTooLarge(_, top) => {
                let top = top.unwrap_or_default();
                (
                    WarningCode::PageHalved,
                    format!("Graph took too long for a page of {what}; pages are halved to {top}."),
                )
            }
            Self::Plainer => return None,
        };
        Some(RunWarning::new(code, detail))
    }

    pub fn error(&self) -> Option<&GraphError> {
        match self {
            Self::StoredLinkRefused(error) | Self::PageTokenExpired(error) | Self::PageTooLarge(error, _) => {
                Some(error)
            }
            Self::Plainer => None,
        }
    }
}

/// What the pages of a collection are for.
pub(super) trait Pages<C>: Send {
    /// Takes a page, which holds its place among the requests in flight until it is dropped. `Break`: no more are wanted.
    fn take(&mut self, page: Page<C>) -> impl Future<Output = Result<ControlFlow<()>>> + Send;
}

/// Pages that can be read again.
pub(super) trait Restartable: Send {
    /// Forgets what came: the collection is read again from its first page.
    fn restart(&mut self, why: Restart<'_>) -> impl Future<Output = Result<()>> + Send;
}

/// Why the pages ended before the last.
enum Failure {
    /// Taking a page failed.
    Take(ReadError),
    Graph {
        error: GraphError,
        /// It was the first page that was asked for.
        is_first: bool,
    },
}

/// Follows a collection to its last page, from its first or from a link stored before. Where Graph refuses or fails in a
/// way that asking again or asking differently may help, the collection is read again from its first page.
pub(super) async fn follow<C: Content + Send>(
    reader: &Reader<'_>,
    mut request: Request,
    mut link: Option<String>,
    pages: &mut (impl Pages<C> + Restartable),
) -> Result<()> {
    for restarts in 0.. {
        let is_resumed = link.is_some();
        let first = request.url(&reader.session);
        let pager = match link.take() {
            Some(link) => Pager::resume(reader.session.clone(), &first, &link, request.options())?,
            None => reader.session.pages(first, request.options()),
        };
        let (error, is_first) = match each_page(reader, pager, pages).await {
            Ok(()) => return Ok(()),
            Err(Failure::Take(error)) => return Err(error),
            Err(Failure::Graph { error, is_first }) => (error, is_first),
        };
        let again = match restarts < MAX_RESTARTS {
            true => again(reader, &request, &error, is_first, is_resumed).await?,
            false => None,
        };
        let Some((next, why)) = again else { return Err(error.into()) };
        pages.restart(why).await?;
        request = next;
    }
    Ok(())
}

/// The pages of a pager to the last, or for as long as they are wanted.
async fn each_page<C: Content + Send>(
    reader: &Reader<'_>,
    mut pager: Pager<C>,
    pages: &mut impl Pages<C>,
) -> Result<(), Failure> {
    let mut is_first = true;
    loop {
        let page = pager.next_held().await.map_err(|error| Failure::Graph { error, is_first })?;
        reader.report_usage();
        let Some(page) = page else { return Ok(()) };
        is_first = false;
        if pages.take(page).await.map_err(Failure::Take)?.is_break() {
            return Ok(());
        }
    }
}

/// The pages of a pager without reading any of them again.
pub(super) async fn once<C: Content + Send>(
    reader: &Reader<'_>,
    pager: Pager<C>,
    pages: &mut impl Pages<C>,
) -> Result<()> {
    each_page(reader, pager, pages).await.map_err(|failure| match failure {
        Failure::Take(error) => error,
        Failure::Graph { error, .. } => error.into(),
    })
}

/// How to ask again after an error, and why; `None`: nothing helps.
async fn again<'e>(
    reader: &Reader<'_>,
    request: &Request,
    error: &'e GraphError,
    is_first: bool,
    is_resumed: bool,
) -> Result<Option<(Request, Restart<'e>)>> {
    if is_resumed && error.refuses_optional() {
        return Ok(Some((request.clone(), Restart::StoredLinkRefused(error))));
    }
    match error.kind {
        GraphErrorKind::PageTokenExpired => return Ok(Some((request.clone(), Restart::PageTokenExpired(error)))),
        GraphErrorKind::GatewayTimeout => {
            let halved = request.halved();
            return Ok(halved.map(|request| {
                let why = Restart::PageTooLarge(error, request.top);
                (request, why)
            }));
        }
        _ => {}
    }
    // A later page that is refused says nothing about how the collection was asked for.
    if error.refuses_optional() && !is_first {
        return Ok(None);
    }
    if let Some(smaller) = reader.dialect.smaller_pages(&reader.session, &reader.run.progress, request, error).await? {
        return Ok(Some((smaller, Restart::Plainer)));
    }
    if request.is_fixed {
        return Ok(None);
    }
    let instead = reader.dialect.instead(&reader.session, &reader.run.progress, request, error).await?;
    Ok(instead.map(|request| (request, Restart::Plainer)))
}

/// Something of which nothing is kept before its last page.
struct Whole<'a, T, F> {
    reader: &'a Reader<'a>,
    what: &'a str,
    found: Vec<T>,
    /// The place of the last page among the requests in flight.
    last: Option<Permit>,
    each: F,
}

impl<C: Content + Send, T: Send, F: Fn(&C, &mut Vec<T>) -> Result<()> + Send> Pages<C> for Whole<'_, T, F> {
    async fn take(&mut self, mut page: Page<C>) -> Result<ControlFlow<()>> {
        (self.each)(&page.content, &mut self.found)?;
        self.last = page.permit.take().filter(|_| matches!(page.next, Next::Complete(_)));
        Ok(ControlFlow::Continue(()))
    }
}

impl<T: Send, F: Send> Restartable for Whole<'_, T, F> {
    async fn restart(&mut self, why: Restart<'_>) -> Result<()> {
        self.found.clear();
        why.warning(self.what).into_iter().for_each(|warning| self.reader.run.progress.warn(warning));
        Ok(())
    }
}

/// What `each` finds on the pages of a collection, all in memory, with the place of the last page among the requests in
/// flight: who holds it until what was found is stored limits what a crash can lose.
pub(super) async fn whole<C: Content + Send, T: Send>(
    reader: &Reader<'_>,
    request: Request,
    what: &str,
    each: impl Fn(&C, &mut Vec<T>) -> Result<()> + Send,
) -> Result<(Vec<T>, Option<Permit>)> {
    let mut whole = Whole { reader, what, found: Vec::new(), last: None, each };
    follow::<C>(reader, request, None, &mut whole).await?;
    Ok((whole.found, whole.last))
}

/// The same of a collection whose first page came in another answer.
pub(super) async fn whole_of<C: Content + Send, T: Send>(
    reader: &Reader<'_>,
    body: String,
    what: &str,
    each: impl Fn(&C, &mut Vec<T>) -> Result<()> + Send,
) -> Result<Vec<T>> {
    let (links, content) = C::read(body).map_err(|error| {
        // The response around it is JSON, so it is Graph's.
        let message = format!("a list of {what} cannot be read: {error}");
        GraphError { status: Some(200), ..GraphError::new(GraphErrorKind::Malformed, message) }
    })?;
    let mut whole = Whole { reader, what, found: Vec::new(), last: None, each };
    (whole.each)(&content, &mut whole.found)?;
    if let Some(next) = links.next {
        let pager: Pager<C> = reader.session.pages(reader.session.link(&next)?, RequestOptions::default());
        once::<C>(reader, pager, &mut whole).await?;
    }
    Ok(whole.found)
}
