//! The parameters of Jira. Every default is that of a healthy platform.

use serde::Deserialize;

/// What the simulated Jira has and does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Tokens that are not valid; any other one is.
    pub revoked_tokens: Vec<String>,
    /// The keys of the projects.
    pub projects: Vec<String>,
    /// How long the search does not show a new issue, unless it is asked to reconcile its id.
    pub index_lag_ms: u64,
    /// Whether the search states that there is more, without an issue and without a next page.
    pub search_is_stuck: bool,
    /// Whether the field `priority` is on the screen of the projects.
    pub priority_on_screen: bool,
    /// Fields that the projects require in addition to summary and type.
    pub required_fields: Vec<String>,
    /// Whether labels are dropped without an error.
    pub drops_labels: bool,
    /// Positions in a bulk that are refused.
    pub refused_in_bulk: Vec<usize>,
    /// The accounts that issues can be assigned to.
    pub users: Vec<User>,
    /// Issues that exist from the start.
    pub issues: Vec<Preset>,
}

/// An account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    pub account_id: String,
    pub email: String,
    /// Whether the address is not shown, as most people's privacy settings have it.
    #[serde(default)]
    pub hidden: bool,
}

/// An issue that exists from the start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Preset {
    pub summary: String,
    pub labels: Vec<String>,
    /// Whether it is closed.
    pub done: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let user = User {
            account_id: "5b10ac8d82e05b22cc7d4ef5".to_owned(),
            email: "data-owner@example.com".to_owned(),
            hidden: false,
        };
        Self {
            revoked_tokens: vec!["revoked".to_owned()],
            projects: vec!["SEC".to_owned()],
            index_lag_ms: 0,
            search_is_stuck: false,
            priority_on_screen: true,
            required_fields: Vec::new(),
            drops_labels: false,
            refused_in_bulk: Vec::new(),
            users: vec![user],
            issues: Vec::new(),
        }
    }
}

impl Settings {
    pub(crate) fn validate(&self) -> Result<(), String> {
        match self.projects.is_empty() {
            true => Err("jira: there must be a project".to_owned()),
            false => Ok(()),
        }
    }
}
