//! The keys under `export.servicenow`, validated.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::finding::Severity;
use crate::http::Auth;
use crate::secret::{Token, Variables};
use crate::sources::{Connection, Endpoint, Period, System, settings, written_as};

const PASSWORD: &str = "SERVICENOW_PASSWORD";

/// Where its token comes from. No gate reads it, so it has no selectors.
pub(crate) const SYSTEM: System = System {
    name: "servicenow",
    title: "ServiceNow",
    token_variables: &["SERVICENOW_TOKEN", PASSWORD],
    token_prefixes: &["SERVICENOW_"],
    of_estate: &[],
    selectors: &[],
    renew: None,
};

/// The search does not lag behind; a request whose answer was lost may still be in progress.
const SETTLE: Duration = Duration::from_secs(60);

/// Fields that only the export sets.
const OWN: [&str; 4] =
    ["short_description", "description", "correlation_id", "correlation_display"];

settings! {
    /// Where and how tickets are created in ServiceNow.
    #[cfg_attr(test, schemars(rename = "ServiceNow"))]
    pub(crate) struct Keys {
        /// The table that gets the tickets. Default: incident.
        #[serde(default)]
        table: Option<String>,
        /// The address of the instance in a browser, for links to tickets, where it is not `url`.
        #[serde(default)]
        site_url: Option<Endpoint>,
        /// The user of SERVICENOW_PASSWORD, unless SERVICENOW_USER is set.
        #[serde(default)]
        user: Option<String>,
        /// The category of every ticket. Default: the case's policy.
        #[serde(default)]
        category: Option<String>,
        /// Impact and urgency by severity, where they are not 1/1, 1/2, 2/2, 3/3.
        #[serde(default)]
        levels: BTreeMap<Severity, Level>,
        /// `sys_id`s of users by BigID's name of the assignee; others are looked up.
        #[serde(default)]
        assignees: BTreeMap<String, String>,
        /// Further fields of every ticket, such as `caller_id` where a data policy requires it.
        #[serde(default)]
        fields: BTreeMap<String, String>,
        /// How long after a lost answer a search without a result does not prove that there is no
        /// ticket. Default: 1m.
        #[serde(default)]
        settle: Option<Period>,
    }
}

/// ServiceNow computes a priority from both: 1 (high) to 3 (low).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "ServiceNowLevel"))]
#[serde(deny_unknown_fields)]
pub(crate) struct Level {
    pub impact: u8,
    pub urgency: u8,
}

/// Where the tickets go, and their content.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Keys")]
pub(crate) struct Settings {
    pub connection: Connection,
    site_url: Option<Endpoint>,
    pub(super) table: String,
    user: Option<String>,
    pub(super) category: Option<String>,
    levels: BTreeMap<Severity, Level>,
    pub(super) assignees: BTreeMap<String, String>,
    pub(super) fields: BTreeMap<String, String>,
    pub(super) settle: Duration,
}

written_as!(Settings => Keys);

impl TryFrom<Keys> for Settings {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let connection = keys.connection(&SYSTEM)?;
        let table = keys.table.unwrap_or_else(|| "incident".to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if table.is_empty() || !table.chars().all(plain) {
            return Err(format!("`table: {table}` is not the name of a table, such as `incident`"));
        }
        let range = 1..=3;
        let fits = |level: &Level| range.contains(&level.impact) && range.contains(&level.urgency);
        if let Some(severity) = keys.levels.iter().find(|(_, level)| !fits(level)).map(|(s, _)| s) {
            return Err(format!("`levels.{severity}`: impact and urgency are 1, 2 or 3"));
        }
        if let Some(field) = keys.fields.keys().find(|field| OWN.contains(&field.as_str())) {
            return Err(format!("`fields` sets `{field}`, which the export fills in itself"));
        }
        Ok(Self {
            connection,
            site_url: keys.site_url,
            table,
            user: keys.user,
            category: keys.category,
            levels: keys.levels,
            assignees: keys.assignees,
            fields: keys.fields,
            settle: keys.settle.map_or(SETTLE, |period| period.0),
        })
    }
}

impl Settings {
    /// The instance in a browser.
    pub(super) fn site(&self) -> &Url {
        self.site_url.as_ref().map_or(&self.connection.url, |site| &site.0)
    }

    /// How the token is sent: a password with its user, anything else as a bearer token.
    ///
    /// # Errors
    /// A sentence, if the user of the password is not known.
    pub(crate) fn auth(&self, token: Token, variables: &Variables) -> Result<Auth, String> {
        if token.variable != PASSWORD {
            return Ok(Auth::Bearer(token.secret));
        }
        let variable = variables.get("SERVICENOW_USER").filter(|user| !user.is_empty());
        let user = variable
            .or(self.user.as_ref())
            .ok_or("the user of the password is unknown: set SERVICENOW_USER or `user`")?;
        Auth::basic(user, token.secret)
    }

    /// Impact and urgency of a severity (docs/platforms/servicenow.md#fields). An undocumented
    /// severity counts as high.
    pub(super) fn level(&self, severity: Severity) -> Level {
        let (impact, urgency) = match severity {
            Severity::Critical => (1, 1),
            Severity::High | Severity::Unknown => (1, 2),
            Severity::Medium => (2, 2),
            Severity::Low | Severity::Informational | Severity::None => (3, 3),
        };
        self.levels.get(&severity).copied().unwrap_or(Level { impact, urgency })
    }
}
