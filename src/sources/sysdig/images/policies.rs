//! The evaluation of an image by its policies, as a part of the evidence.

use std::sync::Arc;

use super::super::demands::{Counted, Tally};
use super::super::units::given;
use super::image::AnalysedImage;
use super::wire::{PolicyResult, RuleResult};
use crate::evidence::Part;
use crate::finding::{Cause, Control, Facets, NOT_APPLICABLE, Problem, Rule, Severity, Subject};
use crate::selection::Field;
use crate::sources::Session;
use crate::text::{self, Undocumented};

/// The rule of a verdict without rules.
const VERDICT: &str = "policy-evaluation";

/// The reading of one evaluation.
struct EvaluationReading<'a> {
    found: &'a AnalysedImage,
    /// What selectors find the image by, made once for all of its rules.
    facets: Facets,
    demands: Vec<Counted<'a>>,
    exclusions: Vec<Counted<'a>>,
    tally: Tally,
    stops: u64,
    warns: u64,
    /// Whether a finding explains why the image failed.
    blamed: bool,
    actions: Undocumented,
    part: Part,
}

pub(super) fn part(session: &Session, found: &AnalysedImage) -> Part {
    let mut reading = EvaluationReading {
        found,
        facets: found.facets(),
        demands: Counted::all(&session.wanted.demands),
        exclusions: Counted::all(&session.wanted.exclusions),
        tally: Tally::new(&session.wanted),
        stops: 0,
        warns: 0,
        blamed: false,
        actions: Undocumented::default(),
        part: Part::default(),
    };
    reading.read(&session.name);
    let EvaluationReading { mut part, demands, exclusions, tally, .. } = reading;
    part.counts.answers = demands.iter().chain(&exclusions).map(Counted::answer).collect();
    part.counts.table = tally.table();
    part
}

/// Whether no policy evaluated anything of the image, although nothing is wrong with the answer.
pub(super) fn is_without_policy(part: &Part) -> bool {
    part.looked_at() == 0 && part.problems.is_empty()
}

/// The problem of an image without a policy: `pass` is then no evidence.
pub(super) fn no_policy(session: &Session, found: &AnalysedImage) -> Problem {
    let message = format!("{}: no policy evaluated image {}", session.name, found.name);
    Problem::new(Cause::Empty, message)
        .help("assign a policy to it on the platform, or read its `vulnerabilities`")
}

impl EvaluationReading<'_> {
    fn read(&mut self, source: &str) {
        let evaluation = &self.found.evaluation;
        self.part.as_of = evaluation.at.as_ref().and_then(|at| at.moment());
        self.part.notes.push(format!("image {}", self.found.name));
        for policy in evaluation.results.iter().flatten() {
            self.policy(source, policy);
        }
        let status = evaluation.status.as_deref().unwrap_or_default().to_lowercase();
        match status.as_str() {
            "fail" if !self.blamed => {
                let said = "the image failed; no rule is named";
                self.failed(Some(VERDICT), Severity::High, None, said);
            }
            "pass" | "fail" | "warn" => {}
            other => self.undecided(source, "", other),
        }
        self.compare(source);
        let counts =
            [("nStop", evaluation.n_stop, self.stops), ("nWarn", evaluation.n_warn, self.warns)];
        for (field, stated, listed) in counts {
            if let Some(stated) = stated.filter(|stated| stated.0 != listed) {
                let message = format!(
                    "{source}: the evaluation of image {} has `{field}` {}, but lists {listed}",
                    self.found.name, stated.0
                );
                self.part.problems.push(Problem::new(Cause::Contradictory, message));
            }
        }
        self.part.notes.extend(self.actions.note("rule", "action", "counted as unknown severity"));
    }

    /// The list of scans may say something else than the evaluation.
    fn compare(&mut self, source: &str) {
        let Some(verdict) = self.found.row.verdict() else { return };
        let (name, word) = (&self.found.name, text::one_line(verdict, 40));
        if self.found.row.fails() && !self.blamed {
            let message = format!(
                "{source}: the list of scans says `{word}` of image {name}, and its evaluation \
                 names nothing that failed"
            );
            let problem = Problem::new(Cause::Contradictory, message).help(
                "run the gate again, since one of the two may be older; if they still differ, \
                 have the image evaluated again on the platform",
            );
            self.part.problems.push(problem);
        } else if !["pass", "warn", "fail"].contains(&word.to_lowercase().as_str()) {
            let note = format!(
                "the list of scans says `{word}` of image {name}; its own evaluation counts"
            );
            self.part.notes.push(note);
        }
    }

    fn undecided(&mut self, source: &str, by: &str, status: &str) {
        let message = format!(
            "{source}: the evaluation of image {}{by} is `{}`, which is neither pass nor fail",
            self.found.name,
            text::one_line(status, 40)
        );
        self.part.problems.push(Problem::new(Cause::Incomplete, message));
    }

    fn policy(&mut self, source: &str, policy: &PolicyResult) {
        // Empty where the platform does not name it, which every selector matches.
        let name = given(&policy.policy_name).unwrap_or_default();
        let blamed = std::mem::take(&mut self.blamed);
        for gate in policy.gate_results.iter().flatten() {
            let id = given(&gate.gate);
            let rules = gate.rule_results.as_deref().unwrap_or_default();
            // A gate without rules was evaluated, and passed.
            if rules.is_empty() {
                self.passed(id, Some(name));
            }
            for rule in rules {
                self.rule(id, name, rule);
            }
        }
        let is_empty = policy.gate_results.iter().flatten().next().is_none();
        match policy.status.as_deref().unwrap_or_default().to_lowercase().as_str() {
            "fail" if !self.blamed => {
                let said = "the policy failed; no rule is named";
                self.failed(Some(VERDICT), Severity::High, Some(name), said);
            }
            // It was evaluated, and has no results.
            "pass" if is_empty => self.passed(Some(VERDICT), Some(name)),
            "" | "pass" | "fail" | "warn" => {}
            other => {
                self.undecided(
                    source,
                    &format!(" by policy `{}`", text::one_line(name, 60)),
                    other,
                );
            }
        }
        self.blamed |= blamed;
    }

    fn rule(&mut self, gate: Option<&str>, policy: &str, rule: &RuleResult) {
        let said = rule.check_output.as_deref().unwrap_or_default();
        match rule.gate_action.as_deref().unwrap_or_default().to_lowercase().as_str() {
            "go" => self.passed(gate, Some(policy)),
            "warn" => {
                self.warns += 1;
                self.failed(gate, Severity::Low, Some(policy), said);
            }
            "stop" => {
                self.stops += 1;
                self.failed(gate, Severity::High, Some(policy), said);
            }
            _ => {
                self.actions.add(rule.gate_action.as_deref());
                self.failed(gate, Severity::Unknown, Some(policy), said);
            }
        }
    }

    fn subject(rule: Option<&str>, policy: Option<&str>, severity: Severity) -> Subject {
        // What the platform does not name is left empty, which every selector matches.
        let control = Control {
            framework: policy.unwrap_or_default().into(),
            id: rule.unwrap_or_default().into(),
        };
        Subject {
            severity,
            rule: rule.map(|rule| Arc::new(Rule { id: rule.into(), title: None, help: None })),
            controls: Arc::new([control]),
            ..super::subject()
        }
    }

    fn passed(&mut self, rule: Option<&str>, policy: Option<&str>) {
        let subject = Self::subject(rule, policy, Severity::None);
        self.count(&subject, true);
    }

    fn failed(&mut self, rule: Option<&str>, severity: Severity, policy: Option<&str>, said: &str) {
        let subject = Self::subject(rule, policy, severity);
        self.blamed |= severity >= Severity::High;
        self.count(&subject, false);
        let mut finding = self.found.finding(subject, "", "");
        finding.facets.insert(Field::Fixable.word(), vec![NOT_APPLICABLE.into()]);
        finding.reason = Some(said).filter(|said| !said.is_empty()).map(Box::from);
        self.part.findings.push(finding);
    }

    fn count(&mut self, subject: &Subject, passed: bool) {
        self.part.set_looked_at(self.part.looked_at() + 1);
        self.tally.add(subject, passed);
        let (found, facets) = (self.found, &self.facets);
        for counted in self.demands.iter_mut().chain(&mut self.exclusions) {
            if found.names().any(|(id, name)| counted.matches(subject, [id, name], facets)) {
                counted.add(passed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::image::Address;
    use super::super::scans::Row;
    use super::*;

    fn read(evaluation: Value) -> Part {
        let found = AnalysedImage {
            name: "r/a:1".to_owned(),
            address: Address::Digest("sha256:a".to_owned()),
            tags: ["r/a:1".to_owned()].into(),
            evaluation: serde_json::from_value(evaluation).unwrap(),
            row: Row::default(),
            compare_to: None,
        };
        let mut reading = EvaluationReading {
            found: &found,
            facets: found.facets(),
            demands: Vec::new(),
            exclusions: Vec::new(),
            tally: Tally::default(),
            stops: 0,
            warns: 0,
            blamed: false,
            actions: Undocumented::default(),
            part: Part::default(),
        };
        reading.read("sysdig");
        reading.part
    }

    fn rules(actions: &[&str]) -> Value {
        let rules: Vec<_> = actions
            .iter()
            .map(|action| json!({"gateAction": action, "checkOutput": "x"}))
            .collect();
        json!([{"policyId": "p", "policyName": "P", "status": "pass",
                "gateResults": [{"gate": "vulnerabilities", "ruleResults": rules}]}])
    }

    #[test]
    fn stops_and_warnings_are_findings_and_go_is_a_pass() {
        let part = read(json!({"status": "fail", "nStop": 1, "nWarn": 2, "at": 1_700_000_000,
            "results": rules(&["stop", "warn", "go", "warn"])}));
        assert_eq!(part.problems, []);
        assert_eq!((part.looked_at(), part.findings.listed().len()), (4, 3));
        let severities: Vec<_> = part.failed_by_severity();
        assert_eq!(severities, [(Severity::High, 1), (Severity::Low, 2)]);
        assert_eq!(part.as_of.unwrap().timestamp(), 1_700_000_000);
    }

    #[test]
    fn a_failure_counts_also_where_no_rule_is_named_and_a_pass_does_not() {
        let part = read(json!({"status": "pass", "at": 1_700_000_000, "results": []}));
        assert!(is_without_policy(&part));
        let part = read(json!({"status": "fail", "results": null}));
        assert_eq!(
            (part.looked_at(), part.findings.listed().len(), part.problems.len()),
            (1, 1, 0)
        );
        assert_eq!(part.failed_by_severity(), [(Severity::High, 1)]);
    }

    /// A gate that names such a policy matches something.
    #[test]
    fn a_policy_that_passed_without_results_was_evaluated() {
        let silent = |status: Value, gates: Value| json!({"policyName": "NIST", "status": status, "gateResults": gates});
        let mut results = rules(&["go"]);
        results.as_array_mut().unwrap().push(silent(json!("PASS"), json!([])));
        let part = read(json!({"status": "pass", "results": results}));
        assert_eq!(
            (part.looked_at(), part.findings.listed().len(), part.problems.len()),
            (2, 0, 0)
        );

        // It states no result, as a policy that does not apply.
        let results = json!([silent(json!(null), json!(null))]);
        let part = read(json!({"status": "pass", "results": results}));
        assert!(is_without_policy(&part));

        let results = json!([silent(json!("error"), json!([]))]);
        let part = read(json!({"status": "pass", "results": results}));
        assert_eq!(part.problems[0].cause, Cause::Incomplete);
        assert!(part.problems[0].message.contains("by policy `NIST` is `error`"));
    }

    #[test]
    fn what_is_neither_pass_nor_fail_or_does_not_add_up_is_a_problem() {
        let cases = [
            (json!({"status": "notApplicable"}), Cause::Incomplete),
            (
                json!({"status": "fail", "nStop": 2, "results": rules(&["stop"])}),
                Cause::Contradictory,
            ),
            (json!({"status": "pass", "nWarn": 1, "results": []}), Cause::Contradictory),
        ];
        for (evaluation, cause) in cases {
            let part = read(evaluation.clone());
            let causes: Vec<_> = part.problems.iter().map(|problem| problem.cause).collect();
            assert_eq!(causes, [cause], "{evaluation}");
        }
    }

    #[test]
    fn an_unknown_action_could_be_the_worst() {
        let part = read(json!({"status": "pass", "results": rules(&["halt"])}));
        assert_eq!(part.failed_by_severity(), [(Severity::Unknown, 1)]);
    }
}
