//! Reads the pages of `GET /cspm/checks` (docs/platforms/gravityzone.md#pages).

use super::query::{Query, RecordFault};
use super::wire::{CheckRecord, CheckRow, Page};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, Failure, HttpError};
use crate::json;
use crate::page::{self, At, List, Next, PageBy, ReadError, Walk};
use crate::sources::Session;
use crate::text;

/// Is called with every check. What it refuses makes the walk fail.
pub trait RowVisitor: FnMut(&CheckRow<'_>) -> Result<(), RecordFault> {}
impl<F: FnMut(&CheckRow<'_>) -> Result<(), RecordFault>> RowVisitor for F {}

/// How many checks match a query, from a page of one. `visit` is called with that check.
///
/// # Errors
/// If the page does not arrive, or does not answer the query.
pub(super) async fn total(
    session: &Session,
    query: &Query,
    visit: impl RowVisitor,
) -> Result<u64, Problem> {
    let answer = query.request(&session.http, 1).send().await.map_err(problem)?;
    let mut reader = Reader::new(&session.name, query, 1);
    let page: Page<'_> = answer.json().map_err(problem)?;
    reader.page(&page, visit)?;
    let total = page.meta.total.0;
    if page.data.is_empty() && total > 0 {
        let what = format!("{total} checks were announced, but the page has none");
        return Err(reader.walk.problem(Cause::Contradictory, what));
    }
    Ok(total)
}

/// How many checks match a query; `None` where the platform refuses its values.
///
/// # Errors
/// If the page does not arrive for another reason, or is none.
pub(super) async fn total_unless_refused(
    session: &Session,
    query: &Query,
) -> Result<Option<u64>, Problem> {
    match query.request(&session.http, 1).send().await {
        Ok(answer) => {
            let page: Page<'_> = answer.json().map_err(problem)?;
            Ok(Some(page.meta.total.0))
        }
        Err(HttpError { failure: Failure::Refused { .. }, .. }) => Ok(None),
        Err(error) => Err(problem(error)),
    }
}

/// Reads all checks of a query, keeps none of them, and returns their number.
///
/// # Errors
/// If a page does not arrive, the pages do not add up, or a record cannot be used. `visit` was then
/// called with a part of the checks only.
pub(super) async fn rows(
    session: &Session,
    query: &Query,
    page_limit: u64,
    doing: &str,
    visit: impl RowVisitor,
) -> Result<u64, ReadError> {
    let showing = |at: &str| session.progress.status(&session.name, doing, at);
    part(session, query, page_limit, |_| Ok(()), visit, showing).await
}

/// The same where it is a part of a larger list: `stated` is called with the number of its checks,
/// as its first page states it, and ends the walk if that cannot be right.
///
/// # Errors
/// As for `rows`.
pub(super) async fn part(
    session: &Session,
    query: &Query,
    page_limit: u64,
    mut stated: impl FnMut(u64) -> Result<(), Problem>,
    mut visit: impl RowVisitor,
    showing: impl Fn(&str),
) -> Result<u64, ReadError> {
    let Reader { mut walk, .. } = Reader::new(&session.name, query, page_limit);
    showing("");
    let ask = async |at: At| {
        let call = match at {
            // The link is followed as given. The cursor has the filters in it, and is ignored next
            // to other parameters.
            At::Link(next) => session.http.follow(&next),
            _ => Ok(query.request(&session.http, page_limit)),
        };
        call.map_err(problem)?.send().await.map_err(problem)
    };
    let read = |walk: &mut Walk, answer: Answer| {
        let page: Page<'_> = answer.json().map_err(problem)?;
        if walk.pages() == 0 {
            stated(page.meta.total.0)?;
        }
        read_page(query, walk, &page, &mut visit)
    };
    page::read(&mut walk, ask, read, showing).await?;
    Ok(walk.rows())
}

fn problem(error: HttpError) -> Problem {
    error.problem()
}

/// Reads pages that arrived already.
pub struct Reader<'a> {
    query: &'a Query,
    walk: Walk,
}

impl<'a> Reader<'a> {
    pub fn new(source: &str, query: &'a Query, page_limit: u64) -> Self {
        let list = List::new(format!("{source}: /cspm/checks"), PageBy::Link, page_limit);
        Self { query, walk: Walk::new(list) }
    }

    /// Reads one page.
    ///
    /// # Errors
    /// If it does not fit the pages before it, or holds a record that cannot be used.
    pub fn page(&mut self, page: &Page<'_>, visit: impl RowVisitor) -> Result<(), Problem> {
        read_page(self.query, &mut self.walk, page, visit)
            .and_then(|stated| self.walk.page(stated))
            .map_err(ReadError::problem)
            .map(|_| ())
    }
}

/// Reads the checks of one page.
///
/// # Errors
/// If a record cannot be used, or the page does not state how the list goes on.
fn read_page(
    query: &Query,
    walk: &mut Walk,
    page: &Page<'_>,
    mut visit: impl RowVisitor,
) -> Result<page::Page, ReadError> {
    if let Some(complaint) = json::complaint(|name| (name == "errors").then(|| page.errors.clone()))
    {
        let what = format!("the answer is an error despite its status: {complaint}");
        return Err(walk.problem(Cause::Protocol, what).into());
    }
    for (at, record) in page.data.iter().enumerate() {
        read_record(query, walk, record, &mut visit)
            .map_err(|fault| located(walk, &fault, at, record))?;
    }
    let next = match &page.links.next {
        Some(next) if next.0.is_empty() => {
            let what = "`links.next` is empty; it should be a link or null";
            return Err(walk.problem(Cause::Protocol, what).into());
        }
        Some(next) => Next::Link(next.0.clone().into_owned()),
        // `meta.elapsed` is the number of checks sent so far. Rows are counted in any case, so it
        // may be missing except on the last page, where it proves that the list is complete.
        None if page.meta.elapsed.is_none() => {
            let what = "the last page has no `meta.elapsed`";
            return Err(walk.problem(Cause::Protocol, what).into());
        }
        None => Next::End,
    };
    let sent = page.meta.elapsed.map(|elapsed| elapsed.0);
    Ok(page::Page { total: Some(page.meta.total.0), sent, next })
}

fn read_record(
    query: &Query,
    walk: &mut Walk,
    record: &CheckRecord<'_>,
    visit: &mut impl RowVisitor,
) -> Result<(), RecordFault> {
    let row = record.row()?;
    if !walk.is_new(row.id) {
        let what = "is repeated, so it would count twice";
        return Err(RecordFault::new(Cause::Contradictory, what));
    }
    query.admits(&row)?;
    visit(&row)
}

fn located(walk: &Walk, fault: &RecordFault, at: usize, record: &CheckRecord<'_>) -> Problem {
    let id =
        record.id().map_or_else(String::new, |id| format!(" (check {})", text::one_line(id, 60)));
    let RecordFault { cause, what } = fault;
    let page = walk.next_page();
    walk.problem(*cause, format!("page {page}, data[{at}]{id} {what}"))
        .help("run the gate again; if this persists, report it to the platform's support")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::wire::tests::{check, check_with};
    use super::*;
    use crate::finding::Severity;

    fn page(data: &[Value], total: u64, elapsed: Option<u64>, next: Option<&str>) -> String {
        let meta = json!({"total": total, "elapsed": elapsed});
        json!({"data": data, "links": {"self": "", "next": next}, "meta": meta}).to_string()
    }

    /// Reads the pages as one walk over failed checks.
    fn read(query: &Query, pages: &[String]) -> Result<u64, Problem> {
        let query = query.clone().results(false);
        let mut reader = Reader::new("gravityzone", &query, 2);
        for text in pages {
            reader.page(&serde_json::from_str(text).unwrap(), |_| Ok(()))?;
        }
        Ok(reader.walk.rows())
    }

    #[test]
    fn complete_walks_are_accepted() {
        let first = page(&[check("1"), check("2")], 3, Some(2), Some("?page_cursor=b"));
        let walk = [first, page(&[check("3")], 3, Some(3), None)];
        assert_eq!(read(&Query::default(), &walk), Ok(3));
        assert_eq!(read(&Query::default(), &[page(&[], 0, Some(0), None)]), Ok(0));

        // `meta.elapsed` may be missing except on the last page.
        let first = page(&[check("1"), check("2")], 3, None, Some("?page_cursor=b"));
        let walk = [first, page(&[check("3")], 3, Some(3), None)];
        assert_eq!(read(&Query::default(), &walk), Ok(3));
    }

    #[test]
    fn faults_are_named_with_page_and_record() {
        let with = |pointer: &str, value: Value| check_with("9", pointer, value);
        let medium = Query::default().severities(Some([Severity::Medium].into()));
        let open = Query::default().statuses(Some([super::super::words::Status::Open].into()));
        let all = Query::default();
        let cases = [
            (&all, json!({"...": "..."}), Cause::Protocol, "page 2, data[0] has no `id`"),
            (&all, check("1"), Cause::Contradictory, "data[0] (check 1) is repeated"),
            (
                &all,
                with("/attributes/result", json!("pass")),
                Cause::Contradictory,
                "result `pass`",
            ),
            (&all, with("/attributes/result", json!("?")), Cause::Protocol, "result `?`"),
            (&medium, with("/attributes/severity", json!("low")), Cause::Contradictory, "`low`"),
            (&medium, with("/attributes/severity", json!(null)), Cause::Contradictory, "`null`"),
            (&open, with("/attributes/status", json!(null)), Cause::Contradictory, "`null`"),
            (&open, with("/attributes/status", json!("x")), Cause::Contradictory, "status `x`"),
        ];
        for (query, record, cause, has) in cases {
            let first = page(&[check("1"), check("2")], 3, Some(2), Some("?page_cursor=b"));
            let walk = [first, page(&[record], 3, Some(3), None)];
            let problem = read(query, &walk).unwrap_err();
            assert_eq!(problem.cause, cause, "{}", problem.message);
            assert!(problem.message.contains(has), "{}", problem.message);
        }
    }

    #[test]
    fn an_empty_link_is_refused() {
        let problem = read(&Query::default(), &[page(&[check("1")], 1, Some(1), Some(""))]);
        let problem = problem.unwrap_err();
        assert_eq!(problem.cause, Cause::Protocol);
        assert!(problem.message.contains("`links.next` is empty"), "{}", problem.message);
    }

    #[test]
    fn elapsed_must_agree_and_be_on_the_last_page() {
        for (elapsed, cause) in [(Some(2), Cause::Contradictory), (None, Cause::Protocol)] {
            let problem = read(&Query::default(), &[page(&[check("1")], 1, elapsed, None)]);
            assert_eq!(problem.unwrap_err().cause, cause);
        }
    }
}
