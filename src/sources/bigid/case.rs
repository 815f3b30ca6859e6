//! A case, for the gate and the export (docs/platforms/bigid.md#cases).

use chrono::{DateTime, Utc};
use url::Url;

use super::wire::CaseRow;
use super::words::{self, CaseStanding};
use crate::finding::Severity;

/// What BigID writes instead of a link if it could not create its own ticket.
const NO_TICKET: &str = "Creation Failed";

/// One security case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The id that writes need (`_id`).
    pub id: String,
    /// The display name: `SPC-…`.
    pub alias: Option<String>,
    /// A title in one line.
    pub label: String,
    /// The policy's name, else the label.
    pub policy: String,
    pub has_policy: bool,
    pub policy_description: Option<String>,
    pub severity: Severity,
    /// The platform's status, a documented one in its usual spelling; `open` where there is none.
    pub status: String,
    pub has_status: bool,
    /// Whether `status: open` matches it: its status is open, absent or undocumented.
    pub open: bool,
    pub assignee: Option<String>,
    pub data_source: Option<String>,
    pub data_source_display: Option<String>,
    pub data_source_type: Option<String>,
    pub affected_objects: Option<u64>,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
    /// Its page in BigID's web interface.
    pub link: String,
    /// The ticket that BigID itself has for it.
    pub ticket: Option<Ticket>,
}

/// A ticket that BigID has for a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// `jira`, `service_now`.
    pub kind: Option<String>,
    pub url: Option<String>,
}

impl Case {
    /// The case of a row with this id.
    pub(super) fn of(id: &str, row: &CaseRow, web: &Url) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let policy = row.policy_name.word();
        let label = row.case_label.text();
        let given = row.case_status.word();
        let known = given.and_then(words::status);
        Self {
            id: id.to_owned(),
            alias: owned(row.case_id.text().filter(|alias| *alias != id)),
            label: label.or(policy).unwrap_or("(no label)").to_owned(),
            policy: policy.or(label).unwrap_or("(no policy)").to_owned(),
            has_policy: policy.is_some(),
            policy_description: owned(row.policy_description.text()),
            severity: row.severity_level.word().map_or(Severity::Unknown, words::severity),
            status: known.map_or(given.unwrap_or("open"), |(word, _)| word).to_owned(),
            has_status: given.is_some(),
            open: known.is_none_or(|(_, standing)| standing == CaseStanding::Open),
            assignee: owned(row.assignee.text().or(row.data_source_owner.text())),
            data_source: owned(row.data_source_name.word()),
            data_source_display: owned(row.data_source_display_name.text()),
            data_source_type: owned(row.data_source_type.word()),
            affected_objects: row.number_of_affected_objects.number(),
            created_at: row
                .created_at
                .time()
                .or_else(|| row.case_status_update_dates.field("open").time()),
            updated_at: row.updated_at.time(),
            link: link(web, id),
            ticket: ticket(row),
        }
    }

    /// Whether the platform reports it as finished.
    pub fn is_resolved(&self) -> bool {
        words::status(&self.status).is_some_and(|(_, standing)| standing == CaseStanding::Resolved)
    }

    /// Whether the platform itself reports the fix: a ticket is not a fix.
    pub fn is_verified_fixed(&self) -> bool {
        matches!(self.status.as_str(), "resolved" | "remediated")
            || self.affected_objects == Some(0)
    }
}

fn link(web: &Url, id: &str) -> String {
    let mut link = web.clone();
    link.set_fragment(Some(&format!("/actionable-insights/case/{id}")));
    link.into()
}

fn ticket(row: &CaseRow) -> Option<Ticket> {
    let kind = row.ticket_metadata.field("ticketType");
    let url = row.ticket_url.text();
    if url.is_some_and(|url| url.eq_ignore_ascii_case(NO_TICKET)) {
        return None;
    }
    let ticket = Ticket { kind: kind.text().map(str::to_owned), url: url.map(str::to_owned) };
    (ticket.kind.is_some() || ticket.url.is_some()).then_some(ticket)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn case(row: Value) -> Case {
        let row: CaseRow = serde_json::from_value(row).unwrap();
        let web = Url::parse("https://tenant.example.com/").unwrap();
        Case::of(row.id().unwrap(), &row, &web)
    }

    #[test]
    fn statuses_mean_what_the_documents_say() {
        for (given, status, open, resolved) in [
            (json!("open"), "open", true, false),
            (json!("OPEN"), "open", true, false),
            (json!("acknowledged"), "acknowledged", false, false),
            (json!("silenced"), "silenced", false, false),
            (json!("Ignored"), "ignored", false, false),
            (json!("resolved"), "resolved", false, true),
            (json!("remediated"), "remediated", false, true),
            (json!("closed"), "closed", false, true),
            (json!("inReview"), "inReview", true, false),
            (json!(null), "open", true, false),
            (json!(3), "3", true, false),
        ] {
            let case = case(json!({"_id": "a", "caseStatus": given}));
            assert_eq!((&*case.status, case.open, case.is_resolved()), (status, open, resolved));
        }
    }

    #[test]
    fn the_id_is_preferred_to_the_display_name() {
        let both = case(json!({"_id": "aa", "id": "bb", "caseId": "SPC-7"}));
        assert_eq!((&*both.id, both.alias.as_deref()), ("aa", Some("SPC-7")));
        assert_eq!(both.link, "https://tenant.example.com/#/actionable-insights/case/aa");
        let other = case(json!({"id": "bb", "_id": "", "caseId": "bb"}));
        assert_eq!((&*other.id, other.alias), ("bb", None));
    }

    #[test]
    fn a_ticket_that_could_not_be_created_does_not_count() {
        let ticket = |row: Value| case(row).ticket;
        let jira = json!({"ticketType": "jira"});
        assert_eq!(
            ticket(json!({"id": "a", "ticketUrl": "Creation Failed", "ticketMetadata": jira})),
            None
        );
        assert_eq!(ticket(json!({"id": "a", "ticketUrl": "", "ticketMetadata": {}})), None);
        let url = "https://jira.example.com/browse/DP-1";
        let made = ticket(json!({"id": "a", "ticketUrl": url, "ticketMetadata": jira})).unwrap();
        assert_eq!((made.kind.as_deref(), made.url.as_deref()), (Some("jira"), Some(url)));
    }

    #[test]
    fn fields_that_no_gate_needs_may_be_anything() {
        let lax = case(json!({
            "id": "a", "assignee": {"name": "x"}, "created_at": 1700000000, "caseLabel": ["x"],
            "numberOfAffectedObjects": 3.5, "ticketMetadata": "jira", "ticketUrl": 7
        }));
        assert_eq!((lax.assignee, lax.created_at, lax.affected_objects), (None, None, None));
        assert_eq!((&*lax.label, lax.ticket), ("(no label)", None));
    }

    #[test]
    fn only_the_platform_verifies_a_fix() {
        let fixed = |status: &str, objects: Value| {
            case(json!({"id": "a", "caseStatus": status, "numberOfAffectedObjects": objects}))
                .is_verified_fixed()
        };
        assert!(fixed("open", json!(0)) && fixed("remediated", json!(4)));
        assert!(!fixed("open", json!(1)) && !fixed("open", json!(null)));
        assert!(!fixed("closed", json!(1)) && !fixed("acknowledged", json!(2)));
    }
}
