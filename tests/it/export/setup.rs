//! A folder with a policy, a BigID, and a target to export to.

use std::process::Command;

use serde_json::{Value, json};

use super::bigid::BigId;
use super::web;
use crate::common::{Ended, Folder, Platform};

pub const LEDGER: &str = "tickets.jsonl";

/// Everything that an export needs.
pub struct Office {
    pub folder: Folder,
    pub bigid: BigId,
    pub platform: Platform,
}

impl Office {
    /// One with open cases, beside a platform like this.
    pub fn of(cases: usize, scenario: Value) -> Self {
        let office = Self {
            folder: Folder::new(),
            bigid: BigId::with(cases),
            platform: Platform::of(&scenario.to_string()),
        };
        office.configure("", "", "");
        office
    }

    pub fn new(cases: usize) -> Self {
        Self::of(cases, json!({}))
    }

    /// Keys of `export`, of `export.jira` and of `export.servicenow`.
    pub fn configure(&self, export: &str, jira: &str, servicenow: &str) {
        self.configure_at(&self.platform.origin, export, jira, servicenow);
    }

    /// The same with the targets somewhere else, such as behind a proxy.
    pub fn configure_at(&self, target: &str, export: &str, jira: &str, servicenow: &str) {
        let bigid = &self.bigid.origin;
        // Tests do not wait for minutes.
        let soon = |keys: &str| match keys.contains("settle:") {
            true => String::new(),
            false => "    settle: 1s\n".to_owned(),
        };
        let (jira, servicenow) = (soon(jira) + jira, soon(servicenow) + servicenow);
        self.folder.write(
            "compliance-gate.yaml",
            &format!(
                "version: 1\n\
                 sources: {{bigid: {{url: {bigid}}}}}\n\
                 gates: [{{id: cases, source: bigid, max: 0}}]\n\
                 export:\n  ledger: {LEDGER}\n{export}\
                 \x20 jira:\n    url: {target}\n    project: SEC\n{jira}\
                 \x20 servicenow:\n    url: {target}\n{servicenow}"
            ),
        );
    }

    /// Shortens the time for everything together.
    pub fn hurry(&self, deadline: &str) {
        let text = self.folder.read("compliance-gate.yaml");
        let deadline = format!("version: 1\ndeadline: {deadline}\n");
        self.folder.write("compliance-gate.yaml", &text.replace("version: 1\n", &deadline));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(&[&["export"], arguments].concat());
        command
            .env("BIGID_TOKEN", "test-token-of-bigid")
            .env("BIGID_TOKEN_KIND", "system")
            .env("JIRA_API_TOKEN", "test-token-of-jira")
            .env("JIRA_EMAIL", "robot@example.com")
            .env("SERVICENOW_USER", "robot")
            .env("SERVICENOW_PASSWORD", "test-password-of-servicenow")
            .env("COMPLIANCE_GATE_RUN_ID", "pipeline-7");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::wait(self.command(arguments))
    }

    /// All issues, as Jira has them now.
    pub fn issues(&self) -> Vec<Value> {
        let query = json!({
            "jql": "project = SEC",
            "fields": ["*all"],
            "maxResults": 5000,
            "reconcileIssues": (10_001..10_051).collect::<Vec<_>>(),
        });
        let origin = &self.platform.origin;
        let (status, answer) = web::ask("POST", origin, "/rest/api/3/search/jql", Some(&query));
        assert_eq!(status, 200, "{answer}");
        let mut issues = answer["issues"].as_array().unwrap().clone();
        issues.reverse();
        issues
    }

    /// All incidents, as ServiceNow has them now.
    pub fn incidents(&self) -> Vec<Value> {
        let (_, answer) = web::ask("GET", &self.platform.origin, "/api/now/table/incident", None);
        answer["result"].as_array().cloned().unwrap_or_default()
    }

    /// Asserts that as many issues exist, and that no two are for the same case.
    #[track_caller]
    pub fn has_issues(&self, count: usize) {
        let issues = self.issues();
        let marks = issues.iter().map(|issue| {
            let labels = issue["fields"]["labels"].as_array().unwrap();
            let marks = labels.iter().filter_map(Value::as_str);
            marks.filter(|label| label.starts_with("gate-")).collect::<String>()
        });
        assert_distinct(marks.collect());
        assert_eq!(issues.len(), count, "{issues:#?}");
    }

    /// The same for incidents.
    #[track_caller]
    pub fn has_incidents(&self, count: usize) {
        let incidents = self.incidents();
        let marks = incidents.iter().map(|row| row["correlation_id"].as_str().unwrap().to_owned());
        assert_distinct(marks.collect());
        assert_eq!(incidents.len(), count, "{incidents:#?}");
    }
}

#[track_caller]
fn assert_distinct(mut marks: Vec<String>) {
    let count = marks.len();
    marks.sort();
    marks.dedup();
    assert_eq!(marks.len(), count, "a case has two tickets");
}
