//! The keys under `export.jira`, validated.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::finding::Severity;
use crate::http::Auth;
use crate::secret::{Token, Variables};
use crate::sources::{Connection, Endpoint, Period, System, Typed, settings, written_as};

/// Where its token comes from. No gate reads it, so it has no selectors.
pub(crate) const SYSTEM: System = System {
    name: "jira",
    title: "Jira",
    token_variables: &["JIRA_API_TOKEN"],
    token_prefixes: &["JIRA_"],
    of_estate: &[],
    selectors: &[],
    renew: None,
};

/// The search lags behind by seconds to minutes (docs/platforms/jira.md#search).
const SETTLE: Duration = Duration::from_secs(5 * 60);

/// The host that scoped API tokens are used with (docs/platforms/jira.md#access).
const GATEWAY: &str = "api.atlassian.com";

/// Fields that only the export sets.
const OWN: [&str; 6] = ["project", "issuetype", "summary", "description", "labels", "assignee"];

settings! {
    /// Where and how tickets are created in Jira.
    #[cfg_attr(test, schemars(rename = "Jira"))]
    pub(crate) struct Keys {
        /// The key of the project that gets the tickets, such as `SEC`.
        project: String,
        /// The address of the site in a browser, for links to tickets, where it is not `url`: with
        /// a scoped API token `url` is `https://api.atlassian.com/ex/jira/<cloud id>`.
        #[serde(default)]
        site_url: Option<Endpoint>,
        /// The type of the issues. Default: Task.
        #[serde(default)]
        issue_type: Option<String>,
        /// `basic` (default) sends the e-mail address and the API token, `bearer` only the token.
        #[serde(default)]
        auth: Scheme,
        /// The e-mail address of the token's account, for `basic`, unless JIRA_EMAIL is set.
        #[serde(default)]
        email: Option<String>,
        /// Labels of every ticket, besides `compliance-gate`, its mark and its policy.
        #[serde(default)]
        labels: Vec<String>,
        /// Priorities by severity, where they are not Highest, High, Medium, Low, Lowest.
        #[serde(default)]
        priorities: BTreeMap<Severity, String>,
        /// Account ids by BigID's name of the assignee; others are looked up by e-mail address.
        #[serde(default)]
        assignees: BTreeMap<String, String>,
        /// Further fields of every ticket, in the format of Jira's API.
        #[serde(default)]
        fields: BTreeMap<String, Typed>,
        /// How long after a lost answer a search without a result does not prove that there is no
        /// ticket. Default: 5m.
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

/// Where the tickets go, and their content.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Keys")]
pub(crate) struct Settings {
    pub connection: Connection,
    site_url: Option<Endpoint>,
    pub(super) project: String,
    pub(super) issue_type: String,
    scheme: Scheme,
    email: Option<String>,
    pub(super) labels: Vec<String>,
    priorities: BTreeMap<Severity, String>,
    pub(super) assignees: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, Value>,
    pub(super) settle: Duration,
}

written_as!(Settings => Keys);

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let connection = keys.connection(&SYSTEM)?;
        if connection.url.host_str() == Some(GATEWAY) && keys.site_url.is_none() {
            return Err(format!(
                "{GATEWAY} shows no tickets to people; add `site_url`, the address of the site in \
                 a browser, such as https://example.atlassian.net"
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if keys.project.is_empty() || !keys.project.chars().all(plain) {
            return Err(format!(
                "`project: {}` is not the key of a project, such as `SEC`",
                keys.project
            ));
        }
        let is_invalid = |label: &&String| {
            label.is_empty() || label.len() > 255 || label.contains(char::is_whitespace)
        };
        if let Some(label) = keys.labels.iter().find(is_invalid) {
            return Err(format!("label `{label}`: a label is one word of at most 255 characters"));
        }
        if let Some(field) = keys.fields.keys().find(|field| OWN.contains(&field.as_str())) {
            return Err(format!("`fields` sets `{field}`, which the export fills in itself"));
        }
        Ok(Self {
            connection,
            site_url: keys.site_url,
            project: keys.project,
            issue_type: keys.issue_type.unwrap_or_else(|| "Task".to_owned()),
            scheme: keys.auth,
            email: keys.email,
            labels: keys.labels,
            priorities: keys.priorities,
            assignees: keys.assignees,
            fields: keys.fields.into_iter().map(|(key, value)| (key, value.0)).collect(),
            settle: keys.settle.map_or(SETTLE, |period| period.0),
        })
    }
}

impl Settings {
    /// The site in a browser.
    pub(super) fn site(&self) -> &Url {
        self.site_url.as_ref().map_or(&self.connection.url, |site| &site.0)
    }

    /// How the token is sent.
    ///
    /// # Errors
    /// A sentence, if the account of the token is not known.
    pub(crate) fn auth(&self, token: Token, variables: &Variables) -> Result<Auth, String> {
        if self.scheme == Scheme::Bearer {
            return Ok(Auth::Bearer(token.secret));
        }
        let variable = variables.get("JIRA_EMAIL").filter(|email| !email.is_empty());
        let email = variable.or(self.email.as_ref()).ok_or(
            "the account of the token is unknown: set JIRA_EMAIL or `email` to its e-mail address, \
             or `auth: bearer` if the token is a bearer token",
        )?;
        Auth::basic(email, token.secret)
    }

    /// Jira's name of a severity (docs/platforms/jira.md#fields). An undocumented severity counts
    /// as high.
    pub(super) fn priority(&self, severity: Severity) -> Option<&str> {
        let default = match severity {
            Severity::Critical => "Highest",
            Severity::High | Severity::Unknown => "High",
            Severity::Medium => "Medium",
            Severity::Low => "Low",
            Severity::Informational | Severity::None => "Lowest",
        };
        // `fields` sets the priority of all tickets.
        if self.fields.contains_key("priority") {
            return None;
        }
        Some(self.priorities.get(&severity).map_or(default, String::as_str))
    }
}
