//! The keys under `export.jira`, validated.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::finding::Severity;
use crate::http::Auth;
use crate::secret::{Token, Variables};
use crate::sources::{Connection, Period, System, settings};

/// Where its token comes from. It is asked for nothing, so it has no selectors.
pub const SYSTEM: System = System {
    name: "jira",
    title: "Jira",
    token_variables: &["JIRA_API_TOKEN"],
    token_prefixes: &["JIRA_"],
    selectors: &[],
    states_time: false,
    unit: "ticket",
};

/// Seconds to minutes is what the search lags behind (fact sheet BigID §C1).
const SETTLE: Duration = Duration::from_secs(5 * 60);

/// Fields that are the export's own.
const OWN: [&str; 6] = ["project", "issuetype", "summary", "description", "labels", "assignee"];

settings! {
    /// The keys as written.
    pub struct Keys {
        /// The key of the project that gets the tickets, such as `SEC`.
        project: String,
        /// The type of the issues. Default: Task.
        #[serde(default)]
        issue_type: Option<String>,
        /// `basic` (default) sends e-mail and API token, `bearer` the token alone.
        #[serde(default)]
        auth: Scheme,
        /// Whose token it is, for `basic`; else the variable JIRA_EMAIL says so.
        #[serde(default)]
        email: Option<String>,
        /// Labels that every ticket gets, besides `compliance-gate`, its mark and its policy.
        #[serde(default)]
        labels: Vec<String>,
        /// Priorities by severity, where they are not Highest, High, Medium, Low, Lowest.
        #[serde(default)]
        priorities: BTreeMap<Severity, String>,
        /// Account ids by what BigID calls an assignee; others are looked up by e-mail address.
        #[serde(default)]
        assignees: BTreeMap<String, String>,
        /// Further fields of every ticket, as Jira's API takes them.
        #[serde(default)]
        fields: BTreeMap<String, Value>,
        /// How long after a lost answer a search that finds no ticket is not believed yet.
        /// Default: 5m.
        #[serde(default)]
        settle: Option<Period>,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "JiraAuth"))]
#[serde(rename_all = "lowercase")]
enum Scheme {
    #[default]
    Basic,
    Bearer,
}

/// Where the tickets go, and what stands in them.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Keys")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Settings {
    #[cfg_attr(test, schemars(skip))]
    pub connection: Connection,
    #[cfg_attr(test, schemars(skip))]
    pub(super) project: String,
    #[cfg_attr(test, schemars(skip))]
    pub(super) issue_type: String,
    #[cfg_attr(test, schemars(skip))]
    scheme: Scheme,
    #[cfg_attr(test, schemars(skip))]
    email: Option<String>,
    #[cfg_attr(test, schemars(skip))]
    pub(super) labels: Vec<String>,
    #[cfg_attr(test, schemars(skip))]
    priorities: BTreeMap<Severity, String>,
    #[cfg_attr(test, schemars(skip))]
    pub(super) assignees: BTreeMap<String, String>,
    #[cfg_attr(test, schemars(skip))]
    pub(super) fields: BTreeMap<String, Value>,
    #[cfg_attr(test, schemars(skip))]
    pub(super) settle: Duration,
}

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let connection = keys.connection(&SYSTEM)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if keys.project.is_empty() || !keys.project.chars().all(plain) {
            return Err(format!(
                "`project: {}` is not the key of a project, such as `SEC`",
                keys.project
            ));
        }
        let odd = |label: &&String| {
            label.is_empty() || label.len() > 255 || label.contains(char::is_whitespace)
        };
        if let Some(label) = keys.labels.iter().find(odd) {
            return Err(format!("label `{label}`: a label is one word of at most 255 characters"));
        }
        if let Some(field) = keys.fields.keys().find(|field| OWN.contains(&field.as_str())) {
            return Err(format!("`fields` sets `{field}`, which the export fills in itself"));
        }
        Ok(Self {
            connection,
            project: keys.project,
            issue_type: keys.issue_type.unwrap_or_else(|| "Task".to_owned()),
            scheme: keys.auth,
            email: keys.email,
            labels: keys.labels,
            priorities: keys.priorities,
            assignees: keys.assignees,
            fields: keys.fields,
            settle: keys.settle.map_or(SETTLE, |period| period.0),
        })
    }
}

impl Settings {
    /// How the token is shown.
    ///
    /// # Errors
    /// A sentence, if it is not said whose token it is.
    pub fn auth(&self, token: Token, variables: &Variables) -> Result<Auth, String> {
        if self.scheme == Scheme::Bearer {
            return Ok(Auth::Bearer(token.secret));
        }
        let variable = variables.get("JIRA_EMAIL").filter(|email| !email.is_empty());
        let email = variable.or(self.email.as_ref()).ok_or(
            "whose token it is is not said: set JIRA_EMAIL or `email` to the account's address, or \
             `auth: bearer` if the token is one for that",
        )?;
        Auth::basic(email, token.secret)
    }

    /// What a severity is called in Jira (fact sheet §C2, field map). One that nobody documented
    /// counts as high.
    pub(super) fn priority(&self, severity: Severity) -> Option<&str> {
        let usual = match severity {
            Severity::Critical => "Highest",
            Severity::High | Severity::Unknown => "High",
            Severity::Medium => "Medium",
            Severity::Low => "Low",
            Severity::Informational | Severity::None => "Lowest",
        };
        // Whoever sets the field for all tickets means it.
        if self.fields.contains_key("priority") {
            return None;
        }
        Some(self.priorities.get(&severity).map_or(usual, String::as_str))
    }
}
