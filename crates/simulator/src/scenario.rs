//! What the platforms do: parameter files, and the names under which they come with the binary.

use axum::Router;
use serde::Deserialize;

use crate::clock::Clock;
use crate::fault::Fault;
use crate::opencomply::settings::Role;
use crate::{bigid, bigpanda, gravityzone, jira, opencomply, servicenow, sysdig};

/// What the simulated platforms do. The default is healthy platforms, OpenComply with the
/// documented figures.
///
/// As a file it is one JSON object with these keys, all optional; an unknown key is an error.
///
/// ```
/// # use compliance_gate_simulator::Scenario;
/// // Two runners fail, and the first status answer is lost in the proxy.
/// let scenario = Scenario::from_json(
///     r#"{
///         "opencomply": {"job": {"failed_runners": 2, "pace": {"runners": 500}}},
///         "faults": [{"path": "/main/schedule/api/v3/job/*", "status": 503, "retry_after": 1}]
///     }"#,
/// );
/// assert!(scenario.is_ok());
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    opencomply: opencomply::Settings,
    gravityzone: gravityzone::Settings,
    sysdig: sysdig::Settings,
    bigid: bigid::Settings,
    bigpanda: bigpanda::Settings,
    jira: jira::Settings,
    servicenow: servicenow::Settings,
    /// Error answers. The first one that is due is given.
    pub(crate) faults: Vec<Fault>,
    /// Puts hostile text into every text field of the compliance platforms. Ids stay as they are.
    hostile: bool,
}

/// A scenario that comes with the binary.
struct Entry {
    name: &'static str,
    about: &'static str,
    /// Platforms that are not simply healthy, and their parameters.
    files: &'static [(&'static str, &'static str)],
}

/// `entry!("name", "about", platform "file", …)`: the files are `fixtures/<platform>/<file>.json`.
macro_rules! entry {
    ($name:literal, $about:literal $(, $platform:ident $file:literal)* $(,)?) => {
        Entry {
            name: $name,
            about: $about,
            files: &[$((
                stringify!($platform),
                include_str!(concat!("../../../fixtures/", stringify!($platform), "/", $file, ".json")),
            )),*],
        }
    };
}

#[rustfmt::skip]
const CATALOGUE: &[Entry] = &[
    entry!("healthy", "the documented figures: 409 ok, 152 alarm with 119 high, 27 medium, 6 low"),
    entry!("clean", "everything passes",
        opencomply "clean", gravityzone "clean", sysdig "clean", bigid "clean", bigpanda "clean"),
    entry!("blocked", "three critical alarms on top of the documented figures",
        opencomply "blocked", gravityzone "blocked", sysdig "blocked", bigid "blocked", bigpanda "blocked"),
    entry!("inconclusive", "the job succeeds although two of its runners failed",
        opencomply "inconclusive"),
    entry!("timed-out-runners", "the job succeeds without a message although three of its runners timed out",
        opencomply "timed-out-runners"),
    entry!("missing-report", "the job succeeds and its report was never written: all counts are zero",
        opencomply "missing-report"),
    entry!("superseded", "another user starts the same run while ours is running, which deletes its runners",
        opencomply "superseded"),
    entry!("superseded-by-others", "another user starts a run with another integration while ours is running",
        opencomply "superseded-by-others"),
    entry!("superseded-before-results", "another user starts the same run before ours has stored any result",
        opencomply "superseded-before-results"),
    entry!("failed", "the summarizer fails", opencomply "failed"),
    entry!("timeout", "the platform ends the job after its time limit", opencomply "timeout"),
    entry!("canceled", "another user cancels the job", opencomply "canceled"),
    entry!("stuck", "the job never leaves CREATED", opencomply "stuck"),
    entry!("disabled", "the compliance service is not enabled", opencomply "disabled"),
    entry!("busy", "another user's run of the framework with other integrations is not finished yet",
        opencomply "busy"),
    entry!("joinable", "another user's run of the framework with the same integrations is not finished yet",
        opencomply "joinable"),
    entry!("contradictory", "the breakdown of the alarms explains more than there are",
        opencomply "contradictory"),
    entry!("unknown-severity", "undocumented severities",
        opencomply "unknown-severity", gravityzone "unknown-severity", sysdig "unknown-severity",
        bigid "unknown-severity", bigpanda "unknown-severity"),
    entry!("inactive", "the Azure subscription is connected but not active", opencomply "inactive"),
    entry!("sink-limit", "the platform gives up waiting for its results to be stored",
        opencomply "sink-limit"),
    entry!("results-lost", "OpenComply's index refuses twelve alarms, and the job succeeds",
        opencomply "results-lost"),
    entry!("results-awaited", "another user's run deletes our runners, and OpenComply waits ten minutes for results",
        opencomply "results-awaited"),
    entry!("shared-policy", "two critical controls share a policy with another one, and are not evaluated",
        opencomply "shared-policy"),
    entry!("removed-control", "a critical control left the framework, and its old results still count",
        opencomply "removed-control"),
    entry!("account-without-results", "nothing was discovered in the Azure subscription",
        opencomply "account-without-results"),
    entry!("no-type-allowed", "the framework allows no integration type", opencomply "no-type-allowed"),
    entry!("hanging-worker", "cancelling a run hangs a worker of OpenComply", opencomply "hanging-worker"),
    entry!("down-scheduler", "OpenComply's scheduler is down for 15 seconds", opencomply "down-scheduler"),
    entry!("down-auth", "OpenComply's auth service is down for 15 seconds", opencomply "down-auth"),
    entry!("down-search", "OpenComply's search is down for 15 seconds", opencomply "down-search"),
    entry!("down-integration", "OpenComply's integration service is down for 24 seconds",
        opencomply "down-integration"),
    entry!("stands-still", "a job of the framework is in its last step for ten hours", opencomply "stands-still"),
    entry!("never-starts", "another user's job was created five minutes ago and does not start",
        opencomply "never-starts"),
    entry!("old-run-moves", "another user's run with other integrations is three hours old and goes on",
        opencomply "old-run-moves"),
    entry!("integration-deleted", "the newest run was also over an OpenComply integration that was deleted since",
        opencomply "integration-deleted"),
    entry!("estate", "a large estate: 30,817 checks on GravityZone, 1,206 changes on BigPanda",
        gravityzone "estate", bigid "estate", bigpanda "estate"),
    entry!("sysdig-stale", "Sysdig evaluated nothing for nine days", sysdig "sysdig-stale"),
    entry!("sysdig-not-analysed", "an image on Sysdig was not analysed yet", sysdig "sysdig-not-analysed"),
    entry!("sysdig-manual", "every control on Sysdig has to be checked by hand", sysdig "sysdig-manual"),
    entry!("sysdig-old-feed", "Sysdig's scanner knows no vulnerability of Alpine of the last two weeks", sysdig "sysdig-old-feed"),
    entry!("sysdig-unwatched", "no event on Sysdig, and no agent is connected", sysdig "sysdig-unwatched"),
    entry!("sysdig-disconnected", "a cloud account is not connected to Sysdig, another is not evaluated",
        sysdig "sysdig-disconnected"),
    entry!("sysdig-unfiltered", "Sysdig's inventory ignores every filter", sysdig "sysdig-unfiltered"),
    entry!("sysdig-accepted", "accepted risks on Sysdig, some of them expired", sysdig "sysdig-accepted"),
    entry!("bigid-offset", "BigID pages with `offset` and ignores `skip`", bigid "offset"),
    entry!("bigid-growing", "one BigID case comes in while the cases are read", bigid "growing"),
    entry!("bigid-moving", "BigID cases come in all the time", bigid "moving"),
    entry!("bigid-uncounted", "BigID states no number of cases", bigid "uncounted"),
    entry!("bigid-filter-ignored", "BigID ignores the filter by status, and has more than 1,200 cases", bigid "filter-ignored"),
    entry!("bigid-refused", "BigID refuses the token with status 200", bigid "refused"),
    entry!("bigid-gateway", "BigID's gateway gives its page of 502 with status 200, twice", bigid "gateway"),
    entry!("bigid-throttled", "BigID answers 429 without saying how long to wait, twice", bigid "throttled"),
    entry!("bigid-lost-write", "a change of a BigID case ends in 500 and was carried out", bigid "lost-write"),
    entry!("hostile", "workflow commands, markup, escapes and control characters in every text",
        bigpanda "blocked"),
];

impl Scenario {
    /// The scenarios that come with the binary: their names, each with a description of a line.
    pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        CATALOGUE.iter().map(|entry| (entry.name, entry.about))
    }

    /// A line for each scenario that comes with the binary.
    pub fn list() -> String {
        let width = Self::names().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
        let lines = Self::names().map(|(name, about)| format!("  {name:width$}{about}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A scenario that comes with the binary; `default` is `healthy`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "default" { "healthy" } else { name };
        let entry = CATALOGUE.iter().find(|entry| entry.name == name)?;
        let mut scenario = serde_json::Map::new();
        for (platform, file) in entry.files {
            scenario.insert((*platform).to_owned(), serde_json::from_str(file).ok()?);
        }
        scenario.insert("hostile".to_owned(), (name == "hostile").into());
        serde_json::from_value::<Self>(scenario.into()).ok()?.validated().ok()
    }

    /// The routes of all platforms.
    pub(crate) fn routes(self, clock: &Clock) -> Router {
        Router::new()
            .merge(opencomply::router(self.opencomply, clock, self.hostile))
            .merge(gravityzone::router(self.gravityzone, clock, self.hostile))
            .merge(sysdig::router(self.sysdig, clock, self.hostile))
            .merge(bigid::router(self.bigid, clock, self.hostile))
            .merge(bigpanda::router(self.bigpanda, clock, self.hostile))
            .merge(jira::router(self.jira, clock))
            .merge(servicenow::router(self.servicenow))
    }

    fn validated(self) -> Result<Self, String> {
        self.opencomply.validate()?;
        self.gravityzone.validate()?;
        self.sysdig.validate()?;
        self.bigid.validate()?;
        self.bigpanda.validate()?;
        self.jira.validate()?;
        self.faults.iter().try_for_each(Fault::validate)?;
        Ok(self)
    }

    /// Gives the user behind a token of OpenComply a role.
    #[must_use]
    pub fn token(mut self, token: &str, role: Role) -> Self {
        self.opencomply.tokens.insert(token.to_owned(), role);
        self
    }

    /// A scenario of the user's own.
    ///
    /// # Errors
    /// A sentence that names the key and the place, if the text is not a valid scenario.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str::<Self>(text)
            .map_err(|error| format!("failed to read the scenario: {error}"))?
            .validated()
            .map_err(|error| format!("failed to use the scenario: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_catalogue_is_a_valid_scenario() {
        for (name, _) in Scenario::names() {
            assert!(Scenario::named(name).is_some(), "{name}");
        }
        assert!(Scenario::named("default").is_some());
        assert!(Scenario::named("no-such-scenario").is_none());
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        for text in [
            r#"{"colour": 1}"#,
            r#"{"opencomply": {"colour": 1}}"#,
            r#"{"opencomply": {"job": {"pace": {"colour": 1}}}}"#,
            r#"{"gravityzone": {"colour": 1}}"#,
            r#"{"bigid": {"colour": 1}}"#,
            r#"{"bigpanda": {"colour": 1}}"#,
            r#"{"sysdig": {"posture": {"colour": 1}}}"#,
            r#"{"faults": [{"path": "/", "colour": 1}]}"#,
        ] {
            let error = Scenario::from_json(text).unwrap_err();
            assert!(error.contains("colour"), "{text}: {error}");
        }
    }
}
