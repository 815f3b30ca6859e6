//! The cases of one BigID source, for the export.

use std::collections::BTreeSet;

use crate::finding::{Cause, Problem};
use crate::sources::Session;
use crate::sources::bigid::{self, Case, Changed};

/// Reads and changes the cases of one source.
pub(crate) struct Cases<'a> {
    settings: &'a bigid::Settings,
    session: &'a Session,
    /// Whether the tickets go to a real system, which must not get simulated cases.
    real_tickets: bool,
}

impl<'a> Cases<'a> {
    pub(crate) const fn new(
        settings: &'a bigid::Settings,
        session: &'a Session,
        real_tickets: bool,
    ) -> Self {
        Self { settings, session, real_tickets }
    }

    /// All cases, whatever their status.
    pub(super) async fn all(&self) -> Result<Vec<Case>, Problem> {
        let cases = bigid::cases(self.settings, self.session).await?;
        if self.real_tickets && self.session.http.simulated() {
            return Err(Problem::new(
                Cause::Invalid,
                "the cases are simulated and the tickets would be real; nothing was exported",
            ));
        }
        Ok(cases)
    }

    /// One case as it is now; `None` if there is none with this id.
    pub(super) async fn one(&self, id: &str) -> Result<Option<Case>, Problem> {
        bigid::case(self.settings, &self.session.http, id).await
    }

    /// Sets the status of one case.
    pub(super) async fn set_status(
        &self,
        id: &str,
        status: &str,
        reason: &str,
    ) -> Result<(), Problem> {
        bigid::set_status(self.settings, &self.session.http, id, status, reason).await
    }

    /// Whether the settings allow changing many cases with one request.
    pub(super) fn allows_bulk(&self) -> bool {
        self.settings.allows_bulk()
    }

    /// Sets the status of all cases of a policy, which must be exactly the planned ones. With the
    /// cause `Invalid` it was refused before anything was sent.
    pub(super) async fn set_status_of_policy(
        &self,
        policy: &str,
        planned: &BTreeSet<String>,
        status: &str,
        reason: &str,
    ) -> Result<Changed, Problem> {
        let http = &self.session.http;
        bigid::set_status_of_policy(self.settings, http, policy, planned, status, reason).await
    }
}
