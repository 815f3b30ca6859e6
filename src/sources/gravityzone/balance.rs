//! Whether the checks of the scope add up: each of them failed or passed.
//!
//! A policy that only limits failed checks reads no passed ones. Without this comparison it would
//! miss checks whose result is null or undocumented.

use super::collect::{Collection, contradictory};
use crate::finding::{Cause, Problem};
use crate::text;

impl Collection<'_> {
    /// Adds up the totals; where they disagree, once more.
    ///
    /// # Errors
    /// If a total cannot be read, or there are more results than checks.
    pub(super) async fn add_up(&mut self) -> Result<(), Problem> {
        let mut failed = self.failures(self.all_failed).await?;
        if failed + self.passed != self.part.looked_at() {
            // A scan that ended meanwhile changes the totals.
            let evaluated = self.total(&self.scope).await?;
            self.part.set_looked_at(evaluated);
            failed = self.failures(None).await?;
            self.passed = self.passes().await?;
        }
        let (name, evaluated, passed) = (&self.session.name, self.part.looked_at(), self.passed);
        let read = self.all_failed.unwrap_or(failed);
        if read != failed {
            return Err(contradictory(format!(
                "{name}: {read} failed checks were read, but there are {failed} now"
            )));
        }
        match evaluated.checked_sub(failed + passed) {
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
    let message = format!("{source}: {checks} neither failed nor passed");
    Problem::new(Cause::Incomplete, message).help(
        "run the gate again, since a scan may be running; if this persists, look on the platform \
         for checks whose result is neither `pass` nor `fail`",
    )
}
