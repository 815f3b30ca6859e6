//! Which controls of a framework a run evaluated, and which counts are theirs. Pure.
//!
//! The platform's report shows neither that a control shares its policy with another one and was
//! not evaluated by itself (docs/platforms/opencomply.md#shared-policies), nor that a control left
//! the framework and its results are of an earlier run
//! (docs/platforms/opencomply.md#controls-that-left-a-framework).

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Cause, Problem, Severity};
use crate::sources::opencomply::controls::{ControlPolicy, Controls};
use crate::sources::opencomply::examine::SoundJob;
use crate::sources::opencomply::wire::Runner;
use crate::text;

/// Controls that are named in a sentence.
const NAMED: usize = 5;

/// What the run evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Evaluated {
    /// Controls with a runner in this run; `None` where the runners were deleted meanwhile.
    runners: Option<BTreeSet<String>>,
    /// Controls with results.
    results: BTreeSet<String>,
}

/// For which controls the results of a control count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Attribution {
    /// Controls whose results are not of this run.
    left_out: BTreeSet<String>,
    /// The controls that share the policy of an evaluated one.
    also: BTreeMap<String, Vec<(String, Severity)>>,
    pub notes: Vec<String>,
}

impl Evaluated {
    /// `runners` are the runners of each job.
    pub(crate) fn of(jobs: &[SoundJob], runners: &[Vec<Runner>]) -> Self {
        let counts = jobs.iter().flat_map(|job| &job.counts.controls);
        let results = counts.map(|count| count.control.clone()).collect();
        let known = jobs.iter().zip(runners).all(|(job, rows)| rows.len() as u64 == job.runners);
        let ids: Option<BTreeSet<_>> =
            runners.iter().flatten().map(|runner| runner.control_id.clone()).collect();
        Self { runners: ids.filter(|_| known), results }
    }

    /// The controls that were evaluated.
    pub(crate) fn ids(&self) -> &BTreeSet<String> {
        self.runners.as_ref().unwrap_or(&self.results)
    }

    /// The controls of the framework that were not evaluated by themselves.
    pub(crate) fn silent(&self, members: &BTreeSet<String>) -> BTreeSet<String> {
        members.difference(self.ids()).cloned().collect()
    }
}

impl Attribution {
    /// The controls for which a result of this one counts, each with its severity; none if it is
    /// not of this run.
    pub(crate) fn targets<'a>(
        &'a self,
        control: &'a str,
        severity: Severity,
    ) -> impl Iterator<Item = (&'a str, Severity)> {
        let itself = (!self.left_out.contains(control)).then_some((control, severity));
        let others = self.also.get(control).filter(|_| itself.is_some()).into_iter().flatten();
        itself.into_iter().chain(others.map(|(id, severity)| (&**id, *severity)))
    }
}

/// Decides which counts are whose.
///
/// # Errors
/// The controls that should have been evaluated and were not.
pub(in super::super) fn attribute(
    place: &str,
    members: &BTreeSet<String>,
    evaluated: &Evaluated,
    controls: &Controls,
    types: &BTreeSet<&str>,
) -> Result<Attribution, Vec<Problem>> {
    let mut attribution = Attribution::default();
    let mut problems: Vec<_> = list_is_short(place, members, evaluated).into_iter().collect();
    let by_policy: BTreeMap<&str, &String> =
        evaluated.ids().iter().filter_map(|id| Some((controls.policy(id)?.id()?, id))).collect();
    let (mut manual, mut unread, mut missed, mut shared) = (0, Vec::new(), Vec::new(), Vec::new());
    for silent in evaluated.silent(members) {
        match controls.policy(&silent) {
            Some(ControlPolicy::None) => manual += 1,
            Some(policy) => match policy.id().and_then(|id| by_policy.get(id)) {
                Some(first) => {
                    let severity = controls.severity(&silent);
                    shared.push(format!("{silent} ({severity}, with {first})"));
                    attribution.also.entry((*first).clone()).or_default().push((silent, severity));
                }
                None if !policy.applies_to(types) => {}
                // Without runners it is not known whether there was anything to evaluate.
                None if evaluated.runners.is_some() => missed.push(silent),
                None => {}
            },
            None => unread.push(silent),
        }
    }
    if !missed.is_empty() {
        let what = "the run did not evaluate";
        problems.push(not_evaluated(place, what, &missed));
    }
    if !unread.is_empty() {
        let what = "it cannot be determined whether the run should have evaluated";
        problems.push(not_evaluated(place, what, &unread));
    }
    let gone = |id: &&String| match &evaluated.runners {
        Some(runners) => !runners.contains(*id),
        None => !members.contains(*id),
    };
    attribution.left_out = evaluated.results.iter().filter(gone).cloned().collect();
    if !attribution.left_out.is_empty() {
        if evaluated.runners.is_none() {
            problems.push(unproven(place, &attribution.left_out));
        }
        attribution.notes.push(format!(
            "left out the results of {} that this run did not evaluate, so that they are of an \
             earlier one: {}",
            text::count(attribution.left_out.len() as u64, "control"),
            named(&attribution.left_out)
        ));
    }
    if !shared.is_empty() {
        attribution.notes.push(format!(
            "{} with the policy of another control and counted as that one was: {}",
            text::count(shared.len() as u64, "control"),
            text::listed(shared, ", ", NAMED)
        ));
    }
    if manual > 0 {
        attribution.notes.push(format!(
            "{} without a policy, which nothing evaluates",
            text::count(manual, "manual control")
        ));
    }
    if problems.is_empty() { Ok(attribution) } else { Err(problems) }
}

/// The framework's list of controls must hold what the run evaluated: what is missing in it cannot be
/// missed.
fn list_is_short(
    place: &str,
    members: &BTreeSet<String>,
    evaluated: &Evaluated,
) -> Option<Problem> {
    if members.is_empty() {
        let what = format!("{place}: the platform lists no control of the framework");
        return Some(Problem::new(Cause::Contradictory, what));
    }
    let missing: Vec<_> = evaluated.runners.as_ref()?.difference(members).collect();
    if missing.is_empty() {
        return None;
    }
    let what = format!(
        "{place}: the run evaluated {} that the framework does not list any more: {}",
        text::count(missing.len() as u64, "control"),
        named(missing)
    );
    Some(
        Problem::new(Cause::Contradictory, what).help(
            "if the framework was changed since the run, let a new run evaluate it as it is now",
        ),
    )
}

fn named<'a>(ids: impl IntoIterator<Item = &'a String>) -> String {
    text::one_line(&text::listed(ids, ", ", NAMED), 600)
}

fn not_evaluated(place: &str, what: &str, ids: &[String]) -> Problem {
    let what = format!(
        "{place}: {what} {} of the framework: {}",
        text::count(ids.len() as u64, "control"),
        named(ids)
    );
    Problem::new(Cause::Incomplete, what)
        .help("run the gate again; if this keeps happening, look at the controls on the platform")
}

/// Where the runners of a run were deleted by a later one, only the list of the framework's
/// controls speaks against a result.
fn unproven(place: &str, ids: &BTreeSet<String>) -> Problem {
    let what = format!(
        "{place}: results of {} may be of an earlier run: the framework does not list {}",
        text::count(ids.len() as u64, "control"),
        named(ids)
    );
    Problem::new(Cause::Incomplete, what)
        .help("let a new run evaluate the framework as it is now: `run: {when: always}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn controls() -> Controls {
        Controls::of(
            r#"[{"id":"aa","severity":"low","policy":{"id":"p"}},
                {"id":"zz","severity":"critical","policy":{"id":"p"}},
                {"id":"manual","severity":"high","policy":null},
                {"id":"azure","severity":"high","policy":{"id":"q"},"integration_type":["azure"]},
                {"id":"alone","severity":"high","policy":{"id":"r"}}]"#,
        )
    }

    fn attributed(
        members: &[&str],
        runners: Option<&[&str]>,
        results: &[&str],
    ) -> Result<Attribution, Vec<Problem>> {
        let evaluated = Evaluated { runners: runners.map(ids), results: ids(results) };
        attribute("here", &ids(members), &evaluated, &controls(), &["aws"].into())
    }

    fn targets(attribution: &Attribution, control: &str) -> Vec<(String, Severity)> {
        let targets = attribution.targets(control, Severity::Low);
        targets.map(|(id, severity)| (id.to_owned(), severity)).collect()
    }

    #[test]
    fn a_result_counts_for_every_control_of_its_policy() {
        for runners in [Some(&["aa"][..]), None] {
            let members = ["aa", "zz", "manual", "azure"];
            let attribution = attributed(&members, runners, &["aa"]).unwrap();
            assert_eq!(
                targets(&attribution, "aa"),
                [("aa".to_owned(), Severity::Low), ("zz".to_owned(), Severity::Critical)]
            );
            let notes = attribution.notes.join("\n");
            assert!(notes.contains("zz (critical, with aa)"), "{notes}");
            assert!(notes.contains("1 manual control"), "{notes}");
        }
    }

    #[test]
    fn results_without_a_runner_are_of_an_earlier_run() {
        let attribution = attributed(&["aa"], Some(&["aa"]), &["aa", "gone"]).unwrap();
        assert_eq!(targets(&attribution, "gone"), []);
        assert_eq!(targets(&attribution, "aa").len(), 1);
        assert!(attribution.notes[0].contains("1 control that this run did not evaluate"));
        // So are those of a control of the framework whose policy another one evaluates by now.
        let attribution = attributed(&["aa", "zz"], Some(&["aa"]), &["aa", "zz"]).unwrap();
        assert_eq!((targets(&attribution, "zz").len(), targets(&attribution, "aa").len()), (0, 2));
    }

    #[test]
    fn what_should_have_been_evaluated_and_was_not_is_named() {
        for (members, runners, results, words) in [
            (
                &["aa", "alone"][..],
                Some(&["aa"][..]),
                &["aa"][..],
                "the run did not evaluate 1 control",
            ),
            (&["aa", "what"], Some(&["aa"]), &["aa"], "cannot be determined"),
            (&["aa", "what"], None, &["aa"], "cannot be determined"),
            (&[], Some(&["aa"]), &["aa"], "lists no control"),
            (&["zz"], Some(&["aa"]), &["aa"], "does not list any more: aa"),
            (&["aa"], None, &["aa", "gone"], "may be of an earlier run"),
        ] {
            let problems = attributed(members, runners, results).unwrap_err();
            let found = problems.iter().any(|problem| problem.message.contains(words));
            assert!(found, "{words}: {problems:?}");
        }
        // Without runners it is not known whether there was anything to evaluate.
        assert!(attributed(&["aa", "alone"], None, &["aa"]).is_ok());
    }
}
