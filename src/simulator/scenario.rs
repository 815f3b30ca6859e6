//! What the platforms do: parameter files, and the names under which they come with the binary.

use serde::Deserialize;

use crate::simulator::fault::Fault;
use crate::simulator::{bigid, gravityzone, jira, opencomply, servicenow};

/// What the simulated platforms do. The default is a healthy platform with the documented figures.
///
/// As a file it is one JSON object with these keys, all optional; an unknown key is an error.
///
/// ```
/// # use compliance_gate::simulator::Scenario;
/// // Two runners fail, and the first status answer is lost behind the proxy.
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
    /// The parameters of OpenComply.
    pub opencomply: opencomply::Settings,
    /// The parameters of GravityZone.
    pub gravityzone: gravityzone::Settings,
    /// The parameters of BigID.
    pub bigid: bigid::Settings,
    /// The parameters of Jira.
    pub jira: jira::Settings,
    /// The parameters of ServiceNow.
    pub servicenow: servicenow::Settings,
    /// Error answers, the first that is due wins.
    pub faults: Vec<Fault>,
    /// Puts hostile text into every text field of all platforms. Ids stay as they are.
    pub hostile: bool,
}

struct Entry {
    name: &'static str,
    about: &'static str,
    opencomply: &'static str,
    gravityzone: &'static str,
    bigid: &'static str,
    hostile: bool,
}

macro_rules! opencomply {
    ($file:literal) => {
        include_str!(concat!("../../fixtures/opencomply/", $file, ".json"))
    };
}

macro_rules! gravityzone {
    ($file:literal) => {
        include_str!(concat!("../../fixtures/gravityzone/", $file, ".json"))
    };
}

macro_rules! bigid {
    ($file:literal) => {
        include_str!(concat!("../../fixtures/bigid/", $file, ".json"))
    };
}

/// An entry whose OpenComply file has its own name, beside other platforms that are healthy.
macro_rules! entry {
    ($name:literal, $about:literal) => {
        Entry {
            name: $name,
            about: $about,
            opencomply: opencomply!($name),
            gravityzone: gravityzone!("healthy"),
            bigid: bigid!("healthy"),
            hostile: false,
        }
    };
}

/// An entry of BigID alone: its file has its own name behind `bigid-`.
macro_rules! of_bigid {
    ($file:literal, $about:literal) => {
        Entry {
            name: concat!("bigid-", $file),
            about: $about,
            opencomply: opencomply!("healthy"),
            gravityzone: gravityzone!("healthy"),
            bigid: bigid!($file),
            hostile: false,
        }
    };
}

const CATALOGUE: &[Entry] = &[
    entry!("healthy", "the documented figures: 409 ok, 152 alarm with 119 high, 27 medium, 6 low"),
    Entry {
        gravityzone: gravityzone!("clean"),
        bigid: bigid!("clean"),
        ..entry!("clean", "everything passes")
    },
    Entry {
        gravityzone: gravityzone!("blocked"),
        bigid: bigid!("blocked"),
        ..entry!("blocked", "three critical alarms on top of the documented figures")
    },
    entry!("inconclusive", "the job succeeds although two of its runners failed"),
    entry!(
        "timed-out-runners",
        "the job succeeds although three of its runners timed out, and says nothing"
    ),
    entry!(
        "missing-report",
        "the job succeeds and its report was never written: all counts are zero"
    ),
    entry!(
        "superseded",
        "somebody starts the same run while ours is running, which deletes its runners"
    ),
    entry!(
        "superseded-by-others",
        "somebody starts a run with another integration while ours is running"
    ),
    entry!("failed", "the summarizer fails"),
    entry!("timeout", "the platform gives the job up"),
    entry!("canceled", "somebody cancels the job"),
    entry!("stuck", "the job never leaves CREATED"),
    entry!("disabled", "the compliance service is not enabled"),
    entry!("busy", "somebody's run of the framework with other integrations is not finished yet"),
    entry!(
        "joinable",
        "somebody's run of the framework with the same integrations is not finished yet"
    ),
    entry!("contradictory", "the breakdown of the alarms explains more than there are"),
    Entry {
        gravityzone: gravityzone!("unknown-severity"),
        bigid: bigid!("unknown-severity"),
        ..entry!("unknown-severity", "severities that no documentation names")
    },
    entry!("inactive", "the Azure subscription is connected but not active"),
    entry!("sink-limit", "the platform gives up waiting for its results to be stored"),
    Entry {
        name: "estate",
        about: "a large estate: 30,817 checks on GravityZone",
        opencomply: opencomply!("healthy"),
        gravityzone: gravityzone!("estate"),
        bigid: bigid!("estate"),
        hostile: false,
    },
    Entry {
        name: "hostile",
        about: "workflow commands, markup, escapes and control characters in every text",
        opencomply: opencomply!("healthy"),
        gravityzone: gravityzone!("healthy"),
        bigid: bigid!("healthy"),
        hostile: true,
    },
    of_bigid!("offset", "BigID pages with `offset` and ignores `skip`"),
    of_bigid!("growing", "one BigID case comes in while the cases are read"),
    of_bigid!("moving", "BigID cases come in all the time"),
    of_bigid!("uncounted", "BigID promises no number of cases"),
    of_bigid!("refused", "BigID refuses the token with status 200"),
    of_bigid!("gateway", "BigID's gateway gives its page of 502 with status 200, twice"),
    of_bigid!("throttled", "BigID answers 429 without saying how long to wait, twice"),
    of_bigid!("lost-write", "a change of a BigID case ends in 500 and was carried out"),
];

impl Scenario {
    /// The scenarios that come with the binary: their names, each with a description of a line.
    pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        CATALOGUE.iter().map(|entry| (entry.name, entry.about))
    }

    /// A scenario that comes with the binary; `default` is `healthy`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = if name == "default" { "healthy" } else { name };
        let entry = CATALOGUE.iter().find(|entry| entry.name == name)?;
        Self {
            opencomply: serde_json::from_str(entry.opencomply).ok()?,
            gravityzone: serde_json::from_str(entry.gravityzone).ok()?,
            bigid: serde_json::from_str(entry.bigid).ok()?,
            hostile: entry.hostile,
            ..Self::default()
        }
        .validated()
        .ok()
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

    fn validated(self) -> Result<Self, String> {
        self.opencomply.validate()?;
        self.gravityzone.validate()?;
        self.bigid.validate()?;
        self.jira.validate()?;
        for fault in &self.faults {
            fault.validate()?;
        }
        Ok(self)
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
            r#"{"faults": [{"path": "/", "colour": 1}]}"#,
        ] {
            let error = Scenario::from_json(text).unwrap_err();
            assert!(error.contains("colour"), "{text}: {error}");
        }
    }
}
