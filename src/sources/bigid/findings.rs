//! Cases become findings (fact sheet §A6).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;

use super::case::Case;
use super::settings::Settings;
use super::walk::{self, Estate};
use crate::evidence::{Outcome, Part, Window};
use crate::finding::{Finding, Fingerprint, Rule, Subject};
use crate::sources::Run;
use crate::text;

/// Characters of a policy's description that are kept.
const MOST_HELP: usize = 1000;
/// Characters of a case's label that are kept.
const MOST_REASON: usize = 300;

/// Collects the evidence.
pub async fn collect(settings: &Settings, run: &Run) -> Outcome {
    let showing = |at: &str| run.progress.status(&run.name, "reading cases", at);
    let part = match walk::all(settings, &run.http, showing).await {
        Ok(estate) => part(estate),
        Err(trouble) => Part { troubles: vec![trouble], ..Part::default() },
    };
    run.outcome(vec![part], Vec::new(), Vec::new())
}

/// The evidence in all cases there are. It is a window without a beginning: cases are asked for
/// whenever they were made, so that the platform answered in full is the proof, and no case at all
/// is a pass.
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
    Part {
        evaluated: cases.len() as u64,
        window: Some(Window { from: DateTime::UNIX_EPOCH, to: as_of }),
        as_of: Some(as_of),
        findings: standing.iter().map(|case| finding(case, &rules)).collect(),
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
    Finding {
        subject: Subject {
            severity: case.severity,
            rule: rules.get(case.policy.as_str()).cloned(),
            controls: Arc::default(),
            resource_type: case.data_source_type.as_deref().map(Arc::from),
            account: None,
            region: None,
        },
        status: Some(case.status.as_str().into()),
        open: case.open,
        resource_id: case.data_source.as_deref().map(Box::from),
        resource_name: case.data_source_display.as_deref().map(Box::from),
        reason: Some(reason(case).into()),
        created_at: case.created_at,
        fingerprint: Fingerprint::of(&["bigid", &case.id]),
    }
}

/// What the case is called, how much it is about, who has it, and where it is.
fn reason(case: &Case) -> String {
    let mut parts = vec![text::shorten(&case.label, MOST_REASON).into_owned()];
    parts.extend(case.alias.as_ref().map(|alias| format!("case {alias}")));
    parts.extend(case.affected_objects.map(|count| text::count(count, "affected object")));
    parts.extend(case.assignee.as_ref().map(|assignee| format!("assigned to {assignee}")));
    if case.status != "open" {
        parts.push(format!("status {}", case.status));
    }
    parts.push(case.link.clone());
    parts.join("; ")
}
