//! BigID Data Posture: security cases, and their changes by the export. What is known of the API is in
//! docs/platforms/bigid.md.
//!
//! | module | its job |
//! |---|---|
//! | `settings` | the keys of a policy, validated |
//! | `token` | the kind of a token, and its exchange |
//! | `api`, `wire` | one page, and the JSON of a case |
//! | `walk` | all pages, or an error |
//! | `totals` | what the platform's totals prove |
//! | `words` | statuses and severities |
//! | `case`, `findings` | a case, and cases as findings |
//! | `write` | changes of cases, for the export only |
//!
//! A filter that the platform ignores or understands differently could hide the worst cases. A filter
//! is used only where the totals prove it, and all cases are filtered here again.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::evidence::{self, Outcome};
use crate::finding::Problem;
use crate::http::{Credentials, Http};
use crate::progress::Progress;
use crate::secret::Token;
use crate::selection::Field;
use crate::sources::{
    Connection, Describe, Listing, Platform, Prepared, Reads, Session, System, Table, counted,
};
use crate::stop::Stop;
use crate::text;

mod api;
mod case;
mod findings;
mod settings;
mod token;
mod totals;
mod walk;
mod wire;
mod words;
mod write;

use api::{Filter, FirstPage};
pub use case::{Case, Ticket};
pub use settings::Settings;
use walk::Scope;
pub use write::{Changed, set_status, set_status_of_policy};

pub const SYSTEM: System = System {
    name: "bigid",
    title: "BigID",
    token_variables: &["BIGID_TOKEN"],
    token_prefixes: &["BIGID_"],
    of_estate: &[],
    selectors: &[
        Field::Rule,
        Field::Severity,
        Field::Status,
        Field::Resource,
        Field::ResourceType,
        Field::Assignee,
        Field::OlderThan,
    ],
    // Cases are read as they are now.
    renew: None,
};

/// Every case that the token can see, whatever its status.
///
/// # Errors
/// If not all of them arrived, or one cannot be used.
pub async fn cases(settings: &Settings, session: &Session) -> Result<Vec<Case>, Problem> {
    let showing = |at: &str| session.progress.status(&session.name, "reading cases", at);
    Ok(walk::all(settings, &session.http, Scope::All, None, showing).await?.cases)
}

/// One case as it is now; `None` if there is none with this id.
///
/// # Errors
/// If the platform cannot be asked, or its answer cannot be used.
pub async fn case(settings: &Settings, http: &Http, id: &str) -> Result<Option<Case>, Problem> {
    walk::one(settings, http, id).await
}

impl Describe for Settings {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn filters(&self) -> Vec<evidence::Filter> {
        Vec::new()
    }

    fn selectors(&self) -> &'static [Field] {
        SYSTEM.selectors
    }

    fn credentials(
        &self,
        token: Token,
        stop: &Stop,
        progress: &Rc<Progress>,
    ) -> Result<Credentials, String> {
        token::credentials(self, token, stop, progress)
    }

    /// Only findings have a status, and resolved cases are none. An undocumented status counts as
    /// open.
    fn vocabulary(&self, field: Field) -> Option<Vec<String>> {
        (field == Field::Status).then(|| words::statuses(false).map(str::to_owned).collect())
    }

    fn reads(&self, field: Field) -> Option<Reads> {
        (field == Field::Severity).then(|| Reads::all(words::SEVERITIES))
    }

    /// No limit is published; public clients send up to twenty requests a second
    /// (docs/platforms/bigid.md#errors-and-limits).
    fn spacing(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn lists(&self) -> &'static [Listing] {
        &[Listing::Rules, Listing::Policies]
    }

    fn passes_unknown(&self) -> Option<String> {
        Some("BigID reports cases, and nothing about checks that passed".to_owned())
    }
}

impl Platform for Settings {
    type Ready<'a> = Reachable<'a>;

    async fn preflight<'a>(
        &'a self,
        session: &'a Session,
    ) -> Result<Self::Ready<'a>, Vec<Problem>> {
        match api::look(self, &session.http, Filter::None).await {
            Ok(first) => Ok(Reachable { settings: self, session, first }),
            Err(error) => Err(vec![token::advised(error.problem(), self)]),
        }
    }

    async fn list(&self, session: &Session, what: Listing) -> Result<Table, Problem> {
        let mut policies = BTreeMap::new();
        for case in cases(self, session).await? {
            let policy = if case.has_policy { case.policy.to_string() } else { String::new() };
            *policies.entry((policy, String::new())).or_default() += 1;
        }
        Ok(counted(what, "CASES", policies))
    }
}

/// The platform accepts the token and shows cases.
pub(super) struct Reachable<'a> {
    settings: &'a Settings,
    session: &'a Session,
    first: FirstPage,
}

impl Prepared for Reachable<'_> {
    fn summary(&self) -> Vec<String> {
        let visible = self.first.total.map_or_else(
            || "cases are visible to this token; the platform does not state how many".to_owned(),
            |total| format!("{} visible to this token", text::count(total, "case")),
        );
        vec![visible]
    }

    async fn collect(self) -> Outcome {
        findings::collect(self.settings, self.session, self.first).await
    }
}
