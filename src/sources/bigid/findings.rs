//! Cases become findings (fact sheet §A6).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::case::Case;
use super::settings::Settings;
use super::walk::{self, Estate};
use crate::evidence::{Findings, Outcome, Part, Proof, Unit};
use crate::finding::{Cause, Finding, Fingerprint, Problem, Rule, Subject};
use crate::selection::{Field, Pattern};
use crate::sources::Session;
use crate::text;

/// Characters of a policy's description that are kept.
const MOST_HELP: usize = 1000;
/// Characters of a case's label that are kept.
const MOST_REASON: usize = 300;

/// Words of the platform that are named.
const NAMED: usize = 5;

/// Collects the evidence.
pub async fn collect(settings: &Settings, session: &Session) -> Outcome {
    let showing = |at: &str| session.progress.status(&session.name, "reading cases", at);
    match walk::all(settings, &session.http, showing).await {
        Ok(estate) => {
            let (doubts, strangers) = words(&estate.cases, session);
            let mut part = part(estate);
            part.notes.extend(strangers);
            session.outcome(vec![part], doubts, Vec::new())
        }
        Err(problem) => {
            let part = Part { problems: vec![problem], ..Part::default() };
            session.outcome(vec![part], Vec::new(), Vec::new())
        }
    }
}

/// What is to be said of the words that gates select by: a case that lacks such a word may be one
/// of theirs; and a word that no case has may be a typo, or what everyone hopes for.
fn words(cases: &[Case], session: &Session) -> (Vec<Problem>, Vec<String>) {
    let (mut doubts, mut strangers) = (Vec::new(), Vec::new());
    for field in [Field::Rule, Field::ResourceType] {
        let demands = session.wanted.demands.iter();
        let patterns: BTreeSet<_> =
            demands.filter_map(|demand| demand.selection.words.get(&field)).flatten().collect();
        let silent = |case: &&Case| !case.is_resolved() && word(case, field).is_none();
        let silent = cases.iter().filter(silent).count() as u64;
        if silent > 0 && !patterns.is_empty() {
            let cases = text::count(silent, "unresolved case");
            let what =
                format!("{}: {cases} without the {field} that a gate selects by", session.name);
            doubts.push(Problem::new(Cause::Incomplete, what).help(
                "look at these cases in BigID, or let the gate select by severity and status",
            ));
        }
        let known: BTreeSet<_> = cases.iter().filter_map(|case| word(case, field)).collect();
        let strange = |pattern: &&Pattern| !known.iter().any(|word| pattern.matches(word));
        strangers.extend(patterns.into_iter().filter(strange).filter(|_| !known.is_empty()).map(
            |pattern| {
                let some: Vec<_> =
                    known.iter().take(NAMED).map(|word| text::one_line(word, 60)).collect();
                let more = if known.len() > NAMED { ", …" } else { "" };
                let pattern = text::one_line(pattern.as_str(), 60);
                format!("no case has the {field} `{pattern}`; there are {}{more}", some.join(", "))
            },
        ));
    }
    (doubts, strangers)
}

fn word(case: &Case, field: Field) -> Option<&str> {
    match field {
        Field::Rule => case.has_policy.then_some(&*case.policy),
        _ => case.data_source_type.as_deref(),
    }
}

/// The evidence in all cases there are. Cases are asked for whenever they were made, so it is a
/// window that begins with the oldest: that the platform answered in full is the proof, and no
/// case at all is a pass.
fn part(estate: Estate) -> Part {
    let Estate { cases, as_of, notes } = estate;
    let standing: Vec<_> = cases.iter().filter(|case| !case.is_resolved()).collect();
    let rules = rules(&standing);
    let mut notes = notes;
    let stale = standing.iter().filter(|case| case.affected_objects == Some(0)).count() as u64;
    if stale > 0 {
        notes.push(format!(
            "{} without any affected object: BigID may not have looked again yet; counted",
            text::count(stale, "unresolved case")
        ));
    }
    let homeless = standing.iter().filter(|case| case.data_source.is_none()).count() as u64;
    if homeless > 0 {
        notes.push(format!(
            "{} without a data source, which no `resource` meets",
            text::count(homeless, "unresolved case")
        ));
    }
    Part {
        unit: Unit::Case,
        proof: Proof::Answered { entries: cases.len() as u64, window: None },
        as_of: Some(as_of),
        findings: Findings::Listed(standing.iter().map(|case| finding(case, &rules)).collect()),
        notes,
        ..Part::default()
    }
}

/// The policies as rules, one each. Their descriptions come with every case and need not agree;
/// the first in alphabetical order is taken, so that the order of the cases does not matter.
fn rules<'a>(cases: &[&'a Case]) -> BTreeMap<&'a str, Arc<Rule>> {
    let mut help: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for case in cases {
        let known = help.entry(&case.policy).or_default();
        let given = case.policy_description.as_deref();
        *known = known.map_or(given, |known| Some(given.map_or(known, |given| known.min(given))));
    }
    help.into_iter()
        .map(|(policy, help)| {
            let help = help.map(|help| text::shorten(help, MOST_HELP).into());
            (policy, Arc::new(Rule { id: policy.into(), title: None, help }))
        })
        .collect()
}

fn finding(case: &Case, rules: &BTreeMap<&str, Arc<Rule>>) -> Finding {
    let subject = Subject {
        rule: rules.get(case.policy.as_str()).cloned(),
        resource_type: case.data_source_type.as_deref().map(Arc::from),
        ..Subject::new(case.severity)
    };
    Finding {
        status: Some(case.status.as_str().into()),
        open: case.open,
        resource_id: case.data_source.as_deref().map(Box::from),
        resource_name: case.data_source_display.as_deref().map(Box::from),
        reason: Some(reason(case).into()),
        created_at: case.created_at,
        ..Finding::new(subject, Fingerprint::of(&["bigid", &case.id]))
    }
}

/// What the case is called, where it is, how much it is about, and who has it.
fn reason(case: &Case) -> String {
    let mut parts = vec![text::shorten(&case.label, MOST_REASON).into_owned()];
    parts.extend(case.alias.as_ref().map(|alias| format!("case {alias}")));
    parts.push(case.link.clone());
    parts.extend(case.affected_objects.map(|count| text::count(count, "affected object")));
    parts.extend(case.assignee.as_ref().map(|assignee| format!("assigned to {assignee}")));
    if case.status != "open" {
        parts.push(format!("status {}", case.status));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use serde_json::{Value, json};
    use url::Url;

    use super::super::wire::Row;
    use super::*;

    fn estate(rows: &[Value]) -> Estate {
        let web = Url::parse("https://tenant.example.com/").unwrap();
        let case = |row: &Value| {
            let row: Row = serde_json::from_value(row.clone()).unwrap();
            Case::of(row.id().unwrap(), &row, &web)
        };
        Estate { cases: rows.iter().map(case).collect(), as_of: Utc::now(), notes: Vec::new() }
    }

    #[test]
    fn what_is_over_is_evaluated_and_no_finding() {
        let part = part(estate(&[
            json!({"id": "a", "caseStatus": "open"}),
            json!({"id": "b", "caseStatus": "silenced"}),
            json!({"id": "c", "caseStatus": "closed", "created_at": "2023-11-14T22:13:20Z"}),
        ]));
        assert_eq!((part.looked_at(), part.findings.listed().len()), (3, 2));
        assert_eq!(part.proof, Proof::Answered { entries: 3, window: None });
    }

    #[test]
    fn a_case_without_an_object_left_counts_and_is_named() {
        let part = part(estate(&[
            json!({"id": "a", "caseStatus": "open", "numberOfAffectedObjects": 0}),
            json!({"id": "b", "caseStatus": "resolved", "numberOfAffectedObjects": 0}),
        ]));
        assert_eq!(part.findings.listed().len(), 1);
        assert!(part.notes[0].starts_with("1 unresolved case without any affected object"));
    }

    #[test]
    fn one_policy_is_one_rule_whatever_the_order_of_its_cases() {
        let mut rows = [
            json!({"id": "a", "caseStatus": "open", "policyName": "P", "policyDescription": "two"}),
            json!({"id": "b", "caseStatus": "open", "policyName": "P"}),
            json!({"id": "c", "caseStatus": "open", "policyName": "P", "policyDescription": "one"}),
        ];
        let rule = |rows: &[Value]| {
            let rules: Vec<_> = part(estate(rows))
                .findings
                .listed()
                .iter()
                .map(|f| f.subject.rule.clone())
                .collect();
            assert!(rules.windows(2).all(|pair| pair[0] == pair[1]), "{rules:?}");
            rules[0].clone().unwrap()
        };
        let forwards = rule(&rows);
        rows.reverse();
        assert_eq!(rule(&rows), forwards);
        assert_eq!((&*forwards.id, forwards.help.as_deref()), ("P", Some("one")));
    }
}
