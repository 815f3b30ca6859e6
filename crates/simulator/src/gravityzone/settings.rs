//! The parameters of GravityZone. Every default is that of a healthy platform.

use serde::Deserialize;

use crate::data;

use super::rules::TABLE;

/// What the simulated GravityZone has and does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The header with the key, in lower case; `authorization` expects `Bearer ` before it
    /// (docs/platforms/gravityzone.md, access and errors).
    pub auth_header: String,
    /// Keys that are not valid; any other one is.
    pub revoked_keys: Vec<String>,
    /// How many checks there are.
    pub checks: u64,
    /// How many of them fail, by severity; the others pass.
    pub fails: Fails,
    /// The severity of the checks behind `fails.unknown`: an undocumented one.
    pub unknown_severity: String,
    /// The original severity of every failed check, where it was changed.
    pub original_severity: Option<String>,
    /// The statuses of failed checks, in turn: any text, also an undocumented one, or null.
    pub statuses: Vec<Option<String>>,
    /// The accounts that are scanned.
    pub scans: Vec<Scan>,
    /// Whether the filter `severities` also gives passes of that severity: the documentation speaks
    /// of findings only, although passes carry a severity (docs/platforms/gravityzone.md, gaps in
    /// the documentation).
    pub severities_match_passes: bool,
    /// Added to `meta.total`: a total that disagrees with the rows.
    pub total_offset: i64,
    /// Added to `meta.elapsed`.
    pub elapsed_offset: i64,
    /// Whether `links.next` stops moving after the first page.
    pub repeat_cursor: bool,
    /// The origin that `links.next` points to instead of its own, such as `http://127.0.0.1:9`.
    pub foreign_next: Option<String>,
    /// Whether every page ends with a record `{"...": "..."}`, as the documentation prints it.
    pub placeholder: bool,
    /// The attributes that are null in every check, such as `severity`.
    pub null_attributes: Vec<String>,
}

/// How many checks fail, by severity.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Fails {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub informational: u64,
    /// Of the severity `unknown_severity`.
    pub unknown: u64,
}

impl Fails {
    pub(crate) fn by_severity(&self) -> [(Option<&'static str>, u64); 6] {
        [
            (Some("critical"), self.critical),
            (Some("high"), self.high),
            (Some("medium"), self.medium),
            (Some("low"), self.low),
            (Some("informational"), self.informational),
            (None, self.unknown),
        ]
    }

    pub(crate) fn total(&self) -> u64 {
        self.by_severity().iter().map(|(_, count)| count).sum()
    }
}

/// An account that is scanned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scan {
    /// The name that people gave the scan.
    pub name: String,
    /// The name of the group it is in.
    pub group: String,
    /// `aws`, `azure` or `gcp`: which rules look at it.
    pub provider: String,
    /// The account's id; it shows in the ids of its resources.
    pub account: String,
}

impl Default for Settings {
    fn default() -> Self {
        let statuses = [
            "open",
            "risk_accepted",
            "needs_review",
            "open",
            "false_positive",
            "open",
            "remediated",
        ];
        Self {
            auth_header: "x-api-key".to_owned(),
            revoked_keys: vec!["revoked".to_owned()],
            checks: 1240,
            fails: Fails { high: 6, medium: 31, low: 22, informational: 5, ..Fails::default() },
            unknown_severity: "severe".to_owned(),
            original_severity: None,
            statuses: statuses.map(|word| Some(word.to_owned())).into(),
            scans: data::table(include_str!("../../data/gravityzone/scans.json")),
            severities_match_passes: false,
            total_offset: 0,
            elapsed_offset: 0,
            repeat_cursor: false,
            foreign_next: None,
            placeholder: false,
            null_attributes: Vec::new(),
        }
    }
}

impl Settings {
    /// Whether the parameters make sense together; the error is a sentence for the scenario's
    /// author.
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.fails.total() > self.checks {
            return Err(format!(
                "gravityzone: {} of {} checks cannot fail",
                self.fails.total(),
                self.checks
            ));
        }
        // Ids carry the number of the check in 32 bits.
        if self.checks > 10_000_000 {
            return Err("gravityzone: checks: at most 10000000".to_owned());
        }
        if self.statuses.is_empty() {
            return Err("gravityzone: statuses: at least one".to_owned());
        }
        for scan in &self.scans {
            if !TABLE.regions.contains_key(&scan.provider) {
                let known: Vec<&str> = TABLE.regions.keys().map(String::as_str).collect();
                return Err(format!(
                    "gravityzone: scan {:?}: provider {:?} is not one of {}",
                    scan.name,
                    scan.provider,
                    known.join(", ")
                ));
            }
        }
        if !self.scans.iter().any(|scan| scan.provider == "aws") {
            return Err("gravityzone: scans: at least one with the provider aws".to_owned());
        }
        if self.auth_header != self.auth_header.to_lowercase() {
            return Err("gravityzone: auth_header: in lower case".to_owned());
        }
        Ok(())
    }
}
