//! Cases become findings (docs/platforms/bigid.md#cases).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::api::{self, Filter, FirstPage};
use super::case::Case;
use super::settings::Settings;
use super::totals;
use super::walk::{self, Estate, Scope};
use crate::evidence::{Findings, Outcome, Part, Proof, Unit};
use crate::finding::{Cause, Finding, Identity, Problem, Rule, Subject};
use crate::selection::{Field, Pattern};
use crate::sources::Session;
use crate::text;

/// Characters of a policy's description that are kept.
const MOST_HELP: usize = 1000;
/// Characters of a case's label that are kept.
const MOST_REASON: usize = 300;

/// The number of words that a note names.
const MOST_NAMED: usize = 5;

/// Collects the evidence. `first` is what the preflight saw.
pub(super) async fn collect(settings: &Settings, session: &Session, first: FirstPage) -> Outcome {
    match read(settings, session, first).await {
        Ok((estate, problems)) => {
            let notes = unmatched_words(&estate.cases, session);
            let mut part = part(estate);
            part.notes.extend(notes);
            session.outcome(vec![part], problems, Vec::new())
        }
        Err(problem) => {
            let part = Part { unit: Unit::Case, problems: vec![problem], ..Part::default() };
            session.outcome(vec![part], Vec::new(), Vec::new())
        }
    }
}

/// Reads the cases, and compares them with the platform's own numbers; once more where those
/// disagree, since cases may have been opened meanwhile.
async fn read(
    settings: &Settings,
    session: &Session,
    first: FirstPage,
) -> Result<(Estate, Vec<Problem>), Problem> {
    let http = &session.http;
    let mut estate = cases(settings, session, first).await?;
    for again in [true, false] {
        let counted = match totals::open_by_severity(http).await? {
            Ok(counted) => counted,
            Err(why) => {
                let why = why.trim_start_matches(&format!("{}: ", session.name));
                let what = "the open cases were not compared with cases-by-severity";
                let note = format!("{what}: {why}");
                estate.notes.push(session.noted(note));
                break;
            }
        };
        let Some(problem) = totals::missing(&session.name, &counted, &estate.cases) else { break };
        if !again {
            return Ok((estate, vec![problem]));
        }
        let look =
            api::look(settings, http, Filter::None).await.map_err(|error| error.problem())?;
        estate = cases(settings, session, look).await?;
    }
    Ok((estate, Vec::new()))
}

/// The unresolved cases, and perhaps the others.
async fn cases(
    settings: &Settings,
    session: &Session,
    first: FirstPage,
) -> Result<Estate, Problem> {
    let http = &session.http;
    let showing = |at: &str| session.progress.status(&session.name, "reading cases", at);
    let (scope, look) = totals::scope(settings, http, first).await;
    if let Scope::Unresolved { .. } = scope {
        match walk::all(settings, http, scope, Some(look), showing).await {
            Err(Problem {
                cause: Cause::Protocol | Cause::Contradictory | Cause::Incomplete,
                message,
                ..
            }) => {
                session.progress.note(&format!("{message}; all cases are read"));
            }
            walked => return walked,
        }
    }
    walk::all(settings, http, Scope::All, Some(first), showing).await
}

/// Notes about the words that gates select by and no case has: it may be a typo, or the policy is
/// clean.
fn unmatched_words(cases: &[Case], session: &Session) -> Vec<String> {
    let mut notes = Vec::new();
    for field in [Field::Rule, Field::ResourceType] {
        let demands = session.wanted.demands.iter();
        let patterns: BTreeSet<_> =
            demands.filter_map(|demand| demand.selection.words.get(&field)).flatten().collect();
        let known: BTreeSet<_> = cases.iter().filter_map(|case| word(case, field)).collect();
        let is_unknown = |pattern: &&Pattern| !known.iter().any(|word| pattern.matches(word));
        let unknown = patterns.into_iter().filter(is_unknown).filter(|_| !known.is_empty());
        notes.extend(unknown.map(|pattern| {
            let pattern = text::one_line(pattern.as_str(), 60);
            let known = known.iter().map(|word| text::one_line(word, 60));
            let known = text::listed(known, ", ", MOST_NAMED);
            format!("no case has the {field} `{pattern}`; the cases have {known}")
        }));
    }
    notes
}

/// The word of a case that a selector of this field is compared with.
fn word(case: &Case, field: Field) -> Option<&str> {
    match field {
        Field::Rule => case.has_policy.then_some(&*case.policy),
        _ => case.data_source_type.as_deref(),
    }
}

/// The evidence of all cases. The proof is that the platform answered in full, so no case at all is a
/// pass.
fn part(estate: Estate) -> Part {
    let Estate { cases, covered, as_of, mut notes } = estate;
    let unresolved: Vec<_> = cases.iter().filter(|case| !case.is_resolved()).collect();
    let rules = rules(&unresolved);
    let count =
        |is_counted: &dyn Fn(&&&Case) -> bool| unresolved.iter().filter(is_counted).count() as u64;
    let empty = count(&|case| case.affected_objects == Some(0));
    if empty > 0 {
        notes.push(format!(
            "{} without affected objects, counted: BigID may not have scanned again yet",
            text::count(empty, "unresolved case")
        ));
    }
    if let Some(left_out) = covered.checked_sub(cases.len() as u64).filter(|number| *number > 0) {
        notes.push(format!(
            "{} not read: the totals by status prove that they are resolved",
            text::count(left_out, "case")
        ));
    }
    Part {
        unit: Unit::Case,
        proof: Proof::Answered { entries: covered, window: None },
        as_of: Some(as_of),
        findings: Findings::Listed(unresolved.iter().map(|case| finding(case, &rules)).collect()),
        notes,
        ..Part::default()
    }
}

/// The policies as rules. Every case has a description of its policy, and they need not agree; the
/// first in alphabetical order is used, so that the order of the cases does not matter.
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
        rule: rules.get(case.policy.as_str()).filter(|_| case.has_policy).cloned(),
        resource_type: case.data_source_type.as_deref().map(Arc::from),
        ..Subject::new(case.severity)
    };
    Finding {
        // A case without a status may have any.
        status: case.has_status.then(|| case.status.as_str().into()),
        open: case.open,
        resource_id: case.data_source.as_deref().map(Box::from),
        resource_name: case.data_source_display.as_deref().map(Box::from),
        reason: Some(reason(case).into()),
        link: Some(case.link.as_str().into()),
        assignee: case.assignee.as_deref().map(Arc::from),
        created_at: case.created_at,
        ..Finding::new(subject, Identity::Check)
    }
}

/// The label of the case, its number, the number of its objects, and its assignee.
fn reason(case: &Case) -> String {
    let mut parts = vec![text::shorten(&case.label, MOST_REASON).into_owned()];
    parts.extend(case.alias.as_ref().map(|alias| format!("case {alias}")));
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

    use super::super::wire::CaseRow;
    use super::*;

    fn estate(rows: &[Value]) -> Estate {
        let web = Url::parse("https://tenant.example.com/").unwrap();
        let case = |row: &Value| {
            let row: CaseRow = serde_json::from_value(row.clone()).unwrap();
            Case::of(row.id().unwrap(), &row, &web)
        };
        let cases: Vec<_> = rows.iter().map(case).collect();
        Estate { covered: cases.len() as u64, cases, as_of: Utc::now(), notes: Vec::new() }
    }

    #[test]
    fn resolved_cases_are_evaluated_and_are_not_findings() {
        let part = part(estate(&[
            json!({"id": "a", "caseStatus": "open"}),
            json!({"id": "b", "caseStatus": "silenced"}),
            json!({"id": "c", "caseStatus": "closed", "created_at": "2023-11-14T22:13:20Z"}),
        ]));
        assert_eq!((part.looked_at(), part.findings.listed().len()), (3, 2));
        assert_eq!(part.proof, Proof::Answered { entries: 3, window: None });
    }

    #[test]
    fn a_case_without_affected_objects_counts_and_is_noted() {
        let part = part(estate(&[
            json!({"id": "a", "caseStatus": "open", "numberOfAffectedObjects": 0}),
            json!({"id": "b", "caseStatus": "resolved", "numberOfAffectedObjects": 0}),
        ]));
        assert_eq!(part.findings.listed().len(), 1);
        assert!(part.notes[0].starts_with("1 unresolved case without affected objects"));
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
