//! The report for programs: everything that the decision rests on, in one versioned shape.
//!
//! The same shape is the decision record and an attestation's predicate. It is published as
//! `schemas/report.schema.json`, which a test keeps true.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::digest;
use super::view::{AcceptanceView, Entry, View};
use super::{Format, Report, TOOL, write};
use crate::acceptance::{Acceptance, Forgives, Validity};
use crate::evaluate::{Breach, Group, Missed, OfPolicy, Ruling, State};
use crate::evidence::{Job, Outcome, Part};
use crate::finding::{NOT_APPLICABLE, Problem, Severity};
use crate::policy::{self, Mode, Percent, Whose};
use crate::selection::{Exclusion, Field, Pattern, Selection};
use crate::text::safe;

mod v1;

pub(super) use v1::SCHEMA;

pub(super) const FORMAT: Format = Format { name: "json", title: "JSON", extension: "json", render };

fn render(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write::pretty(&document(view), out)
}

fn document<'a>(view: &'a View<'a>) -> v1::Report<'a> {
    let report: &Report<'a> = view;
    let decision = report.decision;
    let would_exit = decision.mode == Mode::Observe || decision.overridden.is_some();
    v1::Report {
        schema: v1::SCHEMA,
        version: 1,
        tool: v1::Tool { name: TOOL, version: env!("CARGO_PKG_VERSION") },
        verdict: decision.verdict,
        exit_code: report.exit_code,
        mode: decision.mode,
        would_exit: would_exit.then(|| decision.verdict.exit_code()),
        overridden: decision
            .overridden
            .as_ref()
            .map(|by| v1::Overridden { until: digest::time(by.until), reason: safe(&by.reason) }),
        summary: digest::headline(report),
        purpose: report.purpose,
        decided: digest::time(report.now),
        policy: safe(report.policy),
        policy_sha256: report.sha256(Whose::Repository),
        policies: decision.policies.iter().map(|one| of_policy(report, one)).collect(),
        environment: report.environment.map(safe),
        may_deploy: report.may_deploy(),
        simulated: report.is_simulated(),
        started: digest::time(report.evidence.started),
        finished: digest::time(report.evidence.finished),
        changes: report.changes.map(safe),
        evidence_complete: decision.evidence_complete(),
        warnings: all_safe(&decision.warnings),
        gates: decision.rulings.iter().map(gate).collect(),
        acceptances: view.acceptances.iter().map(acceptance).collect(),
        sources: report.evidence.outcomes.iter().map(source).collect(),
        findings: v1::Findings(view),
    }
}

fn of_policy<'a>(report: &Report<'a>, one: &OfPolicy<'a>) -> v1::Policy<'a> {
    let whose = one.policy.whose;
    v1::Policy {
        whose,
        file: safe(report.policy_file(whose)),
        sha256: report.sha256(whose),
        mode: one.policy.mode,
        verdict: one.verdict,
        from_repository: report.taken(whose),
    }
}

fn gate<'a>(ruling: &'a Ruling<'a>) -> v1::Gate<'a> {
    let gate = ruling.gate;
    v1::Gate {
        id: safe(&gate.id),
        level: gate.level,
        description: gate.description.as_deref().map(safe),
        owner: gate.owner.as_deref().map(safe),
        link: gate.link.as_deref().map(safe),
        sources: all_safe(&gate.sources),
        selection: selection(&gate.selection),
        except: gate.selection.except.iter().map(exclusion).collect(),
        limits: v1::Limits {
            max: gate.limits.max,
            min_pass_rate: gate.limits.min_pass_rate.map(|rate| rate.to_string()),
            min_pass_percent: gate.limits.min_pass_rate.map(Percent::as_number),
            min_evaluated: gate.limits.min_evaluated,
        },
        file: safe(&gate.place.file),
        line: gate.place.line,
        state: match ruling.state {
            State::Held => v1::State::Held,
            State::Breached => v1::State::Breached,
            State::Undecided => v1::State::Inconclusive,
        },
        blocks: ruling.blocks(),
        observed: (ruling.state != State::Undecided || ruling.failed > 0).then(|| v1::Observed {
            failed: ruling.failed,
            passed: ruling.passed,
            failed_by_severity: by_severity(ruling.by_severity.iter().map(|(s, n)| (*s, *n))),
            out_of_scope: ruling.out_of_scope.iter().map(|(a, n)| (safe(a), *n)).collect(),
        }),
        each: gate.each.map(Field::word),
        groups: ruling.groups.iter().map(group).collect(),
        blocks_from: gate.blocks_from,
        breaches: ruling.breaches.iter().map(|one| breach(one, ruling.noun())).collect(),
        troubles: ruling.problems.iter().map(problem).collect(),
        forgiven: ruling.forgiven.first().and_then(|entry| exception(entry)),
        off: ruling.off.map(|entry| safe(&entry.grounds.id)),
        evidence: all_safe(&ruling.summed),
        findings_listed: !ruling.only_counted,
        findings: v1::Fingerprints(&ruling.findings),
        baseline: (!ruling.known.is_empty() || ruling.fixed.is_some()).then_some(
            v1::SinceBaseline {
                new: ruling.findings.len() as u64,
                known: ruling.known.len() as u64,
                fixed: ruling.fixed,
            },
        ),
        accepted: v1::Accepted(ruling),
    }
}

fn acceptance<'a>(one: &'a AcceptanceView<'a>) -> v1::Acceptance<'a> {
    let entry = one.usage.entry;
    let grounds = &entry.grounds;
    v1::Acceptance {
        whose: entry.whose,
        id: safe(&grounds.id),
        kind: entry.forgives.word(),
        forgives: safe(&one.forgives),
        reason: safe(&grounds.reason),
        owner: safe(&grounds.owner),
        approved_by: grounds.approved_by.as_deref().map(safe),
        ticket: grounds.ticket.as_deref().map(safe),
        from: grounds.from.map(|day| day.to_string()),
        expires: grounds.expires.to_string(),
        state: match one.usage.standing {
            Validity::NotYet => v1::Standing::NotYet,
            Validity::InForce => v1::Standing::InForce,
            Validity::Lapsed => v1::Standing::Lapsed,
        },
        covers: one.usage.covers,
        gates: one.usage.gates.iter().map(|id| safe(id)).collect(),
        file: safe(&grounds.place.file),
        line: grounds.place.line,
    }
}

/// Selectors as a policy has them.
type Selectors<'a> = BTreeMap<&'static str, Vec<Cow<'a, str>>>;

fn selection(selection: &Selection) -> Selectors<'_> {
    let mut selectors = written(&selection.words, selection.severity.as_ref());
    if let Some(age) = selection.older_than {
        let age = humantime::format_duration(age).to_string();
        selectors.insert(Field::OlderThan.word(), vec![age.into()]);
    }
    selectors
}

fn exclusion(except: &Exclusion) -> Selectors<'_> {
    written(&except.words, except.severity.as_ref())
}

fn written<'a>(
    words: &'a BTreeMap<Field, Vec<Pattern>>,
    severity: Option<&BTreeSet<Severity>>,
) -> Selectors<'a> {
    let mut selectors = Selectors::new();
    for (field, patterns) in words {
        let words = patterns.iter().map(Pattern::as_str).map(safe);
        selectors.insert(field.word(), words.collect());
    }
    if let Some(severities) = severity {
        let words = severities.iter().rev().map(|severity| severity.word().into());
        selectors.insert(Field::Severity.word(), words.collect());
    }
    selectors
}

fn breach<'a>(breach: &'a Breach, noun: &str) -> v1::Breach<'a> {
    let limit = match breach.missed {
        Missed::TooMany { .. } => v1::Limit::Max,
        Missed::TooFew { .. } => v1::Limit::MinPassRate,
    };
    v1::Breach { limit, group: breach.group.as_deref().map(safe), message: breach.sentence(noun) }
}

fn group(group: &Group) -> v1::Group<'_> {
    let Group { name, failed, passed, is_breached } = group;
    v1::Group { name: safe(name), failed: *failed, passed: *passed, breached: *is_breached }
}

fn problem(problem: &Problem) -> v1::Trouble<'_> {
    v1::Trouble {
        cause: problem.cause,
        message: safe(&problem.message),
        help: problem.help.as_deref().map(safe),
    }
}

/// The first of the acceptances that forgive the problems.
fn exception(entry: &Acceptance) -> Option<v1::Exception<'_>> {
    let Forgives::Cause(excuse) = &entry.forgives else { return None };
    Some(v1::Exception {
        id: safe(&entry.grounds.id),
        cause: excuse.cause,
        reason: safe(&entry.grounds.reason),
        owner: safe(&entry.grounds.owner),
        expires: entry.grounds.expires.to_string(),
    })
}

fn source(outcome: &Outcome) -> v1::Source<'_> {
    v1::Source {
        name: safe(&outcome.source),
        system: safe(policy::system_of(&outcome.source)),
        origin: safe(&outcome.origin),
        simulated: outcome.simulated,
        requests: outcome.requests,
        troubles: outcome.problems.iter().map(problem).collect(),
        notes: all_safe(&outcome.notes),
        parts: outcome.parts.iter().map(part).collect(),
    }
}

fn part(part: &Part) -> v1::Part<'_> {
    v1::Part {
        framework: part.framework.as_deref().map(safe),
        evaluated: part.looked_at(),
        window: part.proof.window().map(|window| v1::Window {
            from: digest::time(window.from),
            to: digest::time(window.to),
        }),
        failed_by_severity: by_severity(part.failed_by_severity()),
        as_of: part.as_of.map(digest::time),
        jobs: part.jobs.iter().map(job).collect(),
        troubles: part.problems.iter().map(problem).collect(),
        findings_missing: part.findings.why_incomplete().map(problem),
        notes: all_safe(&part.notes),
    }
}

fn job(job: &Job) -> v1::Job<'_> {
    v1::Job {
        id: safe(&job.id),
        state: safe(&job.state),
        role: job.role.word(),
        ended_at: job.ended_at.map(digest::time),
    }
}

fn finding<'a>(view: &View<'a>, entry: &Entry<'a>) -> v1::Finding<'a> {
    let finding = entry.finding;
    let subject = &finding.subject;
    v1::Finding {
        fingerprint: finding.fingerprint.to_string(),
        source: safe(entry.source()),
        rule: v1::Rule {
            id: safe(finding.rule_id()),
            title: subject.rule.as_ref().and_then(|rule| rule.title.as_deref()).map(safe),
        },
        severity: subject.severity,
        status: finding.status.as_deref().map(safe),
        resource: v1::Resource {
            id: finding.resource_id.as_deref().map(safe),
            name: finding.resource_name.as_deref().map(safe),
            kind: subject.resource_type.as_deref().map(safe),
        },
        account: subject.account.as_deref().map(|account| v1::Account {
            id: safe(&account.id),
            name: account.name.as_deref().map(safe),
        }),
        region: subject.region.as_deref().filter(|region| *region != NOT_APPLICABLE).map(safe),
        controls: subject
            .controls
            .iter()
            .map(|control| v1::Control {
                framework: safe(&control.framework),
                id: safe(&control.id),
            })
            .collect(),
        reason: finding.reason.as_deref().map(safe),
        link: finding.link.as_deref().map(safe),
        actor: finding.actor.as_deref().map(safe),
        created_at: finding.created_at.map(digest::time),
        owner: entry.owner.map(safe),
        gates: view.gates_of(entry).map(|ruling| safe(&ruling.gate.id)).collect(),
        accepted_by: entry.accepted.map(|by| safe(&by.grounds.id)),
        platform_severity: finding.rerating.map(|rerating| v1::Rerating {
            original: rerating.original,
            current: rerating.current,
        }),
        platform_acceptance: finding.waiver.as_deref().map(|waiver| v1::Waiver {
            kind: waiver.kind.word(),
            until: waiver.until.map(digest::time),
            by: waiver.by.as_deref().map(safe),
            reason: waiver.reason.as_deref().map(safe),
            fault: waiver.fault.as_deref().map(safe),
        }),
    }
}

fn all_safe(texts: &[String]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| safe(text)).collect()
}

fn by_severity(counts: impl IntoIterator<Item = (Severity, u64)>) -> BTreeMap<&'static str, u64> {
    counts.into_iter().map(|(severity, count)| (severity.word(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn the_published_schema_is_that_of_the_report() {
        let schema = schemars::schema_for!(v1::Report<'_>);
        text::published::check_format(
            "report.schema.json",
            schema,
            v1::SCHEMA,
            "compliance-gate report",
        );
    }
}
