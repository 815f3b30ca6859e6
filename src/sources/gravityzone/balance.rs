//! Whether the checks of the scope add up: each of them either failed or passed.
//!
//! A policy that only limits failures reads no passes, so nothing else would tell that some checks
//! did neither: their result is null, or a word that nobody documented (fact sheet §2.2).

use super::collect::{Collection, contradictory};
use crate::finding::{Cause, Problem};
use crate::text;

impl Collection<'_> {
    /// Adds up the totals; where they disagree, once more.
    ///
    /// # Errors
    /// If a total cannot be asked, or there are more results than checks.
    pub(super) async fn add_up(&mut self) -> Result<(), Problem> {
        let mut failed = self.failures(self.all_failed).await?;
        if failed.checked_add(self.passed) != Some(self.part.looked_at()) {
            // A scan that ended meanwhile has moved them.
            let evaluated = self.total(&self.scope).await?;
            self.part.set_looked_at(evaluated);
            failed = self.failures(None).await?;
            self.passed = self.passes().await?;
        }
        let (name, evaluated, passed) = (&self.session.name, self.part.looked_at(), self.passed);
        let read = self.all_failed.unwrap_or(failed);
        if read != failed {
            return Err(contradictory(format!(
                "{name}: there were {read} failed checks, and now there are {failed}"
            )));
        }
        match failed.checked_add(passed).and_then(|known| evaluated.checked_sub(known)) {
            Some(0) => {}
            Some(neither) => self.missing.push(neither_failed_nor_passed(name, neither)),
            None => {
                return Err(contradictory(format!(
                    "{name}: {failed} checks failed and {passed} passed, but there are {evaluated}"
                )));
            }
        }
        Ok(())
    }

    async fn failures(&self, known: Option<u64>) -> Result<u64, Problem> {
        match known {
            Some(known) => Ok(known),
            None => self.total(&self.scope.clone().results(false)).await,
        }
    }

    pub(super) async fn passes(&self) -> Result<u64, Problem> {
        self.total(&self.scope.clone().results(true)).await
    }
}

fn neither_failed_nor_passed(source: &str, count: u64) -> Problem {
    let checks = text::count(count, "check");
    let message = format!("{source}: {checks} neither failed nor passed; the result is another");
    Problem::new(Cause::Incomplete, message).help(
        "run the gate again, for a scan may be under way; if it stays, look for checks on the \
         platform whose result is neither `pass` nor `fail`",
    )
}
