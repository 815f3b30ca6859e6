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
use crate::http::Credentials;
use crate::progress::Progress;
use crate::secret::Token;
use crate::selection::Field;
use crate::sources::{Connection, Later, Ready, Run, Source, System};
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
    unit: "case",
};

/// Every case that the token can see, whatever its status.
///
/// # Errors
/// If not all of them arrived, or one cannot be used.
pub async fn cases(settings: &Settings, run: &Run) -> Result<Vec<Case>, Problem> {
    let showing = |at: &str| run.progress.status(&run.name, "reading cases", at);
    Ok(walk::all(settings, &run.http, showing).await?.cases)
}

/// One case as it is now; `None` if there is none with this id.
///
/// # Errors
/// If the platform cannot be asked, or its answer cannot be used.
pub async fn case(
    settings: &Settings,
    http: &crate::http::Http,
    id: &str,
) -> Result<Option<Case>, Problem> {
    walk::one(settings, http, id).await
}

impl Source for Settings {
    fn system(&self) -> &'static System {
        &SYSTEM
    }

    fn connection(&self) -> &Connection {
        &self.connection
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

    fn preflight<'a>(
        &'a self,
        run: &'a Run,
    ) -> Later<'a, Result<Box<dyn Ready + 'a>, Vec<Problem>>> {
        Box::pin(async move {
            match api::visible(self, &run.http).await {
                Ok(visible) => {
                    Ok(Box::new(Reachable { settings: self, run, visible }) as Box<dyn Ready>)
                }
                Err(problem) => Err(vec![token::advised(problem, self)]),
            }
        })
    }
}

/// The platform answers and takes the token.
struct Reachable<'a> {
    settings: &'a Settings,
    run: &'a Run,
    /// Cases that the token can see, where the platform says.
    visible: Option<u64>,
}

impl Ready for Reachable<'_> {
    fn findings(&self) -> Vec<String> {
        let visible = self.visible.map_or_else(
            || "cases are visible to this token; the platform does not say how many".to_owned(),
            |visible| format!("{} visible to this token", text::count(visible, "case")),
        );
        vec![visible]
    }

    fn collect<'a>(self: Box<Self>) -> Later<'a, Outcome>
    where
        Self: 'a,
    {
        Box::pin(async move { findings::collect(self.settings, self.run).await })
    }
}
