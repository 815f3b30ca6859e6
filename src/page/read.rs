//! The loop over the pages of a list.

use futures_util::{StreamExt, stream};

use super::{At, Page, ReadError, Walk};
use crate::finding::Problem;

/// Pages requested at once, where their places are known. The client of a source limits further how
/// many requests are on their way.
const AT_ONCE: usize = 4;

/// Reads a list to its end. `ask` requests a page, `read` records its rows with [`Walk::is_new`] and
/// returns what the page states; `showing` is called with the progress.
///
/// # Errors
/// If a page does not arrive, cannot be read, or does not fit the others.
pub(crate) async fn read<A>(
    walk: &mut Walk,
    ask: impl AsyncFn(At) -> Result<A, Problem>,
    mut read: impl FnMut(&mut Walk, A) -> Result<Page, ReadError>,
    showing: impl Fn(&str),
) -> Result<(), ReadError> {
    let ask = &ask;
    let asked = |at: At| async move { (ask(at.clone()).await, at) };
    let requests = |walk: &Walk, at: At| stream::iter(walk.from(at)).map(asked).buffered(AT_ONCE);
    let mut at = walk.first();
    let mut pages = requests(walk, at.clone());
    loop {
        let answer = match pages.next().await {
            Some((answer, of)) if of == at => answer?,
            // The places are known only now, or pages had other sizes than the first.
            _ => {
                pages = requests(walk, at.clone());
                continue;
            }
        };
        let page = read(walk, answer)?;
        match walk.page(page)? {
            Some(next) => at = next,
            None => return Ok(()),
        }
        showing(&walk.progress());
    }
}

/// Reads a list, and once more if it moved meanwhile.
///
/// # Errors
/// Those of the second time, or of the first if the list did not move.
pub(crate) async fn settled<T>(
    mut read: impl AsyncFnMut() -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    match read().await {
        Err(ReadError::Moved(_)) => read().await,
        first => first,
    }
}
