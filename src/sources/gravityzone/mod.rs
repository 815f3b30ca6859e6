//! Bitdefender GravityZone Cloud Security: `GET /cspm/checks` (docs/platforms/gravityzone.md).
//!
//! ```text
//! settings.rs   the keys of a policy, validated        words.rs     documented words
//! collect.rs    the order of requests                  passes.rs    counts of passed checks
//! query.rs      a request, and which checks match it   demand.rs    how a selection is counted
//! walk.rs       reads pages                            wire.rs      the JSON of a check
//! findings.rs   failed checks become findings          count.rs     checks become counts
//! shared.rs     rules, accounts, … kept once           balance.rs   whether the totals add up
//! parts.rs      passed checks by account, side by side
//! heeded.rs     whether the platform applied the filters
//! ```
//!
//! Failed checks are read as rows. Everything else is read as a total, which a page of one check
//! states. Rows of passed checks are read only for selectors that the platform cannot apply, and
//! are only counted.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::evidence::{Filter, Outcome};
use crate::finding::{Cause, Problem};
use crate::http::Credentials;
use crate::page::ReadError;
use crate::progress::Progress;
use crate::secret::Token;
use crate::selection::Field;
use crate::sources::{
    Connection, Describe, Listing, Platform, Prepared, Reads, Session, System, Table, counted,
};
use crate::stop::Stop;
use crate::text;

mod balance;
mod collect;
pub mod count;
mod demand;
pub mod findings;
mod heeded;
mod parts;
mod passes;
pub mod query;
mod settings;
pub mod shared;
pub mod walk;
mod wire;
mod words;

pub use settings::Settings;
use wire::CheckRow;
use words::Status;

pub const SYSTEM: System = System {
    name: "gravityzone",
    title: "Bitdefender GravityZone",
    token_variables: &["GRAVITYZONE_API_KEY"],
    token_prefixes: &["GRAVITYZONE_"],
    of_estate: &["filters.scans"],
    selectors: &[
        Field::Framework,
        Field::Control,
        Field::Rule,
        Field::Severity,
        Field::Status,
        Field::Resource,
        Field::ResourceType,
        Field::Account,
        Field::Region,
        Field::ScanGroup,
        Field::Section,
        Field::OlderThan,
    ],
    // `created_at` is the first appearance of a finding. No field states when a check last ran
    // (docs/platforms/gravityzone.md#age).
    renew: None,
};

impl Describe for Settings {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn filters(&self) -> Vec<Filter> {
        self.filters.of_evidence()
    }

    fn selectors(&self) -> &'static [Field] {
        SYSTEM.selectors
    }

    fn credentials(
        &self,
        token: Token,
        _stop: &Stop,
        _progress: &Rc<Progress>,
    ) -> Result<Credentials, String> {
        Ok(Credentials::Fixed(self.authentication(token.secret)))
    }

    fn passes_unknown(&self) -> Option<String> {
        self.filters.passes_unknown()
    }

    /// A word that no check can have would match nothing, and the gate would always pass.
    fn lists(&self) -> &'static [Listing] {
        &[Listing::Frameworks, Listing::Accounts, Listing::Rules]
    }

    fn vocabulary(&self, field: Field) -> Option<Vec<String>> {
        let statuses = Status::ALL.map(|status| status.word().to_owned());
        (field == Field::Status).then(|| statuses.into())
    }

    fn reads(&self, field: Field) -> Option<Reads> {
        match field {
            Field::Severity => Some(self.filters.severities_read()),
            Field::Status => Some(self.filters.statuses_read()),
            _ => None,
        }
    }
}

impl Platform for Settings {
    type Ready<'a> = Reachable<'a>;

    async fn preflight<'a>(
        &'a self,
        session: &'a Session,
    ) -> Result<Self::Ready<'a>, Vec<Problem>> {
        let everything = query::Query::default();
        match walk::total(session, &everything, |_| Ok(())).await {
            Ok(visible) => Ok(Reachable { settings: self, session, visible }),
            Err(problem) => Err(vec![with_example(problem)]),
        }
    }

    async fn list(&self, session: &Session, what: Listing) -> Result<Table, Problem> {
        let mut words = BTreeMap::new();
        let mut add = |word: &str, name: &str| {
            *words.entry((word.to_owned(), name.to_owned())).or_default() += 1;
        };
        let visit = |row: &CheckRow<'_>| {
            match what {
                Listing::Accounts => add(row.scan_id, row.scan_name.unwrap_or_default()),
                Listing::Rules => add(row.rule, row.title.unwrap_or_default()),
                _ => row.controls()?.iter().for_each(|control| add(&control.framework, "")),
            }
            Ok(())
        };
        let query = self.filters.scope();
        let read = walk::rows(session, &query, self.page_limit(), "reading checks", visit).await;
        read.map_err(ReadError::problem)?;
        Ok(counted(what, "CHECKS", words))
    }
}

/// What the address looks like, where it may be at fault.
fn with_example(problem: Problem) -> Problem {
    const EXAMPLE: &str = "it ends where `/cspm/checks` begins, as in `https://host/v1`";
    match &problem.help {
        Some(help) if help.contains("`url`") => {
            let help = format!("{help}; {EXAMPLE}");
            problem.help(help)
        }
        None if problem.cause == Cause::Protocol => problem.help(format!("check `url`: {EXAMPLE}")),
        _ => problem,
    }
}

/// The platform answers and takes the token.
pub(super) struct Reachable<'a> {
    settings: &'a Settings,
    session: &'a Session,
    /// Checks that the token can see, without any filter.
    visible: u64,
}

impl Prepared for Reachable<'_> {
    fn summary(&self) -> Vec<String> {
        vec![format!("{} visible to this token", text::count(self.visible, "check"))]
    }

    async fn collect(self) -> Outcome {
        collect::Collection::new(self.settings, self.session, self.visible).outcome().await
    }
}
