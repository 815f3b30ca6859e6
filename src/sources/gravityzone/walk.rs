//! Walks over the pages of `GET /cspm/checks` and looks at every record on the way.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::query::{Fault, Query};
use super::wire::{Page, Record, Row};
use crate::finding::{Cause, Problem};
use crate::http::{Answer, HttpError};
use crate::page::Walk;
use crate::sources::Session;
use crate::text;

/// What is done with each check; what it refuses is problem.
pub trait Look: FnMut(&Row<'_>) -> Result<(), Fault> {}
impl<F: FnMut(&Row<'_>) -> Result<(), Fault>> Look for F {}

/// How many checks a query has, from a page of one.
///
/// # Errors
/// If it cannot be asked, or the answer is not one to this query. `look` sees the one check.
pub async fn total(session: &Session, query: &Query, look: impl Look) -> Result<u64, Problem> {
    let answer = query.request(&session.http, 1).send().await.map_err(problem)?;
    let mut reader = Reader::new(&session.name, query, 1);
    let page = answer.json().map_err(problem)?;
    reader.page(&page, look)?;
    if page.links.next.is_none() {
        reader.walk.end()?;
    }
    if page.data.is_empty() && reader.total > 0 {
        let what = format!("{}: {} checks, and a page without any", reader.what, reader.total);
        return Err(Problem::new(Cause::Contradictory, what));
    }
    Ok(reader.total)
}

/// Reads all checks of a query, page after page, and keeps none of them.
///
/// # Errors
/// If a page does not arrive, the pages do not add up, or a record cannot be used. What `look`
/// saw until then is not all there is.
pub async fn rows(
    session: &Session,
    query: &Query,
    page_limit: u64,
    doing: &str,
    mut look: impl Look,
) -> Result<u64, Problem> {
    let mut reader = Reader::new(&session.name, query, page_limit);
    session.progress.status(&session.name, doing, "");
    let mut answer = query.request(&session.http, page_limit).send().await.map_err(problem)?;
    while let Some(next) = reader.answer(&answer, &mut look)? {
        if let Some(promised) = reader.walk.pages_promised() {
            let at = format!("page {} of {promised}", reader.walk.pages());
            session.progress.status(&session.name, doing, &at);
        }
        // As given: the cursor holds the filters, and is ignored beside others (fact sheet §2.2).
        answer = session.http.follow(&next).map_err(problem)?.send().await.map_err(problem)?;
    }
    reader.walk.end()?;
    Ok(reader.total)
}

fn problem(error: HttpError) -> Problem {
    error.problem()
}

/// Reads the pages of one walk.
pub struct Reader<'a> {
    what: String,
    query: &'a Query,
    walk: Walk,
    total: u64,
    /// Hashes of the ids seen: eight bytes a check, also where nothing else of it is kept. Two
    /// ids of a million collide once in ten million runs, and the run is then red, not green.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl<'a> Reader<'a> {
    pub fn new(source: &str, query: &'a Query, page_limit: u64) -> Self {
        let what = format!("{source}: /cspm/checks");
        Self {
            walk: Walk::new(what.clone(), page_limit),
            what,
            query,
            total: 0,
            seen: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    fn answer(&mut self, answer: &Answer, look: impl Look) -> Result<Option<String>, Problem> {
        let page = answer.json().map_err(problem)?;
        self.page(&page, look)?;
        Ok(page.links.next.map(|next| next.0.into_owned()))
    }

    /// Reads one page.
    ///
    /// # Errors
    /// If it does not fit the pages before it, or holds a record that cannot be used.
    pub fn page(&mut self, page: &Page<'_>, mut look: impl Look) -> Result<(), Problem> {
        // Records first: a placeholder also spoils the sums, and says more about what is wrong.
        for (at, record) in page.data.iter().enumerate() {
            self.record(record, &mut look).map_err(|fault| self.located(&fault, at, record))?;
        }
        self.total = page.meta.total;
        let next = page.links.next.as_ref().map(|next| &*next.0);
        if next.is_some_and(str::is_empty) {
            let what = "`links.next` is empty, where it should lead on or be null";
            return Err(Problem::new(Cause::Protocol, format!("{}: {what}", self.what)));
        }
        self.walk.page(page.data.len() as u64, page.meta.total, next)?;
        self.elapsed(page)
    }

    /// `meta.elapsed` counts the checks shown so far, and on the last page all (fact sheet §2.2).
    /// The rows are counted anyway, so it may be missing on the way, but not at the end, where
    /// the API offers it as the proof of completeness.
    fn elapsed(&self, page: &Page<'_>) -> Result<(), Problem> {
        match (page.meta.elapsed, &page.links.next) {
            (Some(elapsed), _) => self.walk.shown(elapsed),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Problem::new(
                Cause::Protocol,
                format!("{}: the last page has no `meta.elapsed`", self.what),
            )),
        }
    }

    fn record(&mut self, record: &Record<'_>, look: &mut impl Look) -> Result<(), Fault> {
        let row = record.row()?;
        if !self.seen.insert(self.hasher.hash_one(row.id)) {
            return Err(Fault::new(Cause::Contradictory, "came before: it would count twice"));
        }
        self.query.admits(&row)?;
        look(&row)
    }

    fn located(&self, fault: &Fault, at: usize, record: &Record<'_>) -> Problem {
        let id = record
            .id()
            .map_or_else(String::new, |id| format!(" (check {})", text::one_line(id, 60)));
        let Fault { cause, what } = fault;
        let page = self.walk.pages() + 1;
        Problem::new(*cause, format!("{}: page {page}, data[{at}]{id} {what}", self.what))
            .help("run the gate again; if it stays, report it to the platform's support")
    }
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

    /// Reads the pages as one walk of failures, and tells what came of it.
    fn read(query: &Query, pages: &[String]) -> Result<u64, Problem> {
        let query = query.clone().results(false);
        let mut reader = Reader::new("gravityzone", &query, 2);
        for text in pages {
            reader.page(&serde_json::from_str(text).unwrap(), |_| Ok(()))?;
        }
        reader.walk.end()?;
        Ok(reader.total)
    }

    #[test]
    fn whole_walks_are_fine() {
        let first = page(&[check("1"), check("2")], 3, Some(2), Some("?page_cursor=b"));
        let walk = [first, page(&[check("3")], 3, Some(3), None)];
        assert_eq!(read(&Query::default(), &walk), Ok(3));
        assert_eq!(read(&Query::default(), &[page(&[], 0, Some(0), None)]), Ok(0));

        // What is counted anyway may be missing on the way.
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
            (&all, check("1"), Cause::Contradictory, "data[0] (check 1) came before"),
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
    fn a_link_that_is_empty_leads_nowhere() {
        let problem = read(&Query::default(), &[page(&[check("1")], 1, Some(1), Some(""))]);
        let problem = problem.unwrap_err();
        assert_eq!(problem.cause, Cause::Protocol);
        assert!(problem.message.contains("`links.next` is empty"), "{}", problem.message);
    }

    #[test]
    fn elapsed_must_be_right_and_on_the_last_page_there() {
        for (elapsed, cause) in [(Some(2), Cause::Contradictory), (None, Cause::Protocol)] {
            let problem = read(&Query::default(), &[page(&[check("1")], 1, elapsed, None)]);
            assert_eq!(problem.unwrap_err().cause, cause);
        }
    }
}
