//! BigID Data Posture: security cases, and what the export writes back to them (fact sheet §A).
//!
//! ```text
//! settings.rs   the keys of a policy, validated      token.rs    which token, and its exchange
//! api.rs        one page, asked for and understood   wire.rs     the JSON of a case
//! walk.rs       all pages, or an error               words.rs    statuses and severities
//! case.rs       a case, for the gate and the export  findings.rs cases become findings
//! write.rs      how cases are changed; a run never does
//! ```
//!
//! All cases are read, whatever their status, and told apart here: a filter that the platform
//! ignores, or understands differently, could hide the worst (fact sheet §A2).

use std::rc::Rc;

use crate::evidence::Outcome;
use crate::finding::Problem;
use crate::http::{Credentials, Http};
use crate::progress::Progress;
use crate::secret::Token;
use crate::selection::Field;
use crate::sources::{
    Connection, Describe, Listing, Platform, Prepared, Session, System, Table, no_list,
};
use crate::stop::Stop;
use crate::text;

mod api;
mod case;
mod findings;
mod settings;
mod token;
mod walk;
mod wire;
mod words;
mod write;

pub use case::{Case, Ticket};
pub use settings::Settings;
pub use write::{Changed, set_status, set_status_of_policy};

pub const SYSTEM: System = System {
    name: "bigid",
    title: "BigID",
    token_variables: &["BIGID_TOKEN"],
    token_prefixes: &["BIGID_"],
    selectors: &[
        Field::Rule,
        Field::Severity,
        Field::Status,
        Field::Resource,
        Field::ResourceType,
        Field::OlderThan,
    ],
    // Cases are asked for as they are now.
    states_time: true,
};

/// Every case that the token can see, whatever its status.
///
/// # Errors
/// If not all of them arrived, or one cannot be used.
pub async fn cases(settings: &Settings, session: &Session) -> Result<Vec<Case>, Problem> {
    let showing = |at: &str| session.progress.status(&session.name, "reading cases", at);
    Ok(walk::all(settings, &session.http, showing).await?.cases)
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

    fn passes_unknown(&self) -> Option<String> {
        Some("BigID reports cases, and nothing about what it found in order".to_owned())
    }
}

impl Platform for Settings {
    type Ready<'a> = Reachable<'a>;

    async fn preflight<'a>(
        &'a self,
        session: &'a Session,
    ) -> Result<Self::Ready<'a>, Vec<Problem>> {
        match api::visible(self, &session.http).await {
            Ok(visible) => Ok(Reachable { settings: self, session, visible }),
            Err(problem) => Err(vec![token::advised(problem, self)]),
        }
    }

    async fn list(&self, _http: &Http, what: Listing) -> Result<Table, Problem> {
        Err(no_list(&SYSTEM, what))
    }
}

/// The platform answers and takes the token.
pub(super) struct Reachable<'a> {
    settings: &'a Settings,
    session: &'a Session,
    /// Cases that the token can see, where the platform says.
    visible: Option<u64>,
}

impl Prepared for Reachable<'_> {
    fn summary(&self) -> Vec<String> {
        let visible = self.visible.map_or_else(
            || "cases are visible to this token; the platform does not say how many".to_owned(),
            |visible| format!("{} visible to this token", text::count(visible, "case")),
        );
        vec![visible]
    }

    async fn collect(self) -> Outcome {
        findings::collect(self.settings, self.session).await
    }
}
