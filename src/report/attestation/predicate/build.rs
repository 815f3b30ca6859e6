//! A report as a predicate.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{
    Accepted, Collected, DecidedPolicy, Gate, GroupCount, NamedFile, ORGANISATION_POLICY, Observed,
    Overridden, PolicyFile, Predicate, Run, SCHEMA, Sha256, Source, Tool, WrittenLimits,
};
use crate::baseline;
use crate::evaluate::{Group, OfPolicy, Ruling, State, Usage};
use crate::evidence::Outcome;
use crate::finding::Cause;
use crate::policy::{Document, Limits, Whose, system_of};
use crate::report::{Report, digest, facts};
use crate::selection::{Field, Pattern};
use crate::text::one_line;

/// The most characters of a name that is shown.
const NAME: usize = 200;

pub(in crate::report) fn of<'a>(report: &Report<'a>) -> Predicate<'a> {
    let decision = report.decision;
    let used = decision.acceptances.iter().filter(|usage| usage.is_used());
    let (accept_files, baseline) = named_files(report);
    Predicate {
        schema: SCHEMA,
        verdict: decision.verdict,
        exit_code: report.exit_code,
        mode: decision.mode,
        purpose: report.purpose,
        environment: report.environment.map(|name| one_line(name, NAME)),
        decided_at: digest::time(report.now),
        simulated: report.is_simulated(),
        policies: decision
            .policies
            .iter()
            .filter_map(|OfPolicy { policy, verdict }| {
                let file = policy_file(report, policy.whose)?;
                Some(DecidedPolicy { file, mode: policy.mode, verdict: *verdict })
            })
            .collect(),
        accept_files,
        baseline,
        evidence: evidence(report),
        gates: decision.rulings.iter().map(gate).collect(),
        gates_omitted: 0,
        accepted: used.map(accepted).collect(),
        accepted_omitted: 0,
        overridden: decision.overridden.as_ref().map(|overridden| Overridden {
            until: digest::time(overridden.until),
            reason: one_line(&overridden.reason, NAME),
            actor: report.run.actor.as_deref().map(|actor| one_line(actor, NAME)),
        }),
        run: run(report),
        tool: match report.tool {
            Some(tool) => Tool {
                name: crate::report::TOOL,
                version: (&*tool.version).into(),
                sha256: tool.sha256.as_deref().map(Cow::from),
            },
            None => Tool {
                name: crate::report::TOOL,
                version: env!("CARGO_PKG_VERSION").into(),
                sha256: facts::own_sha256().map(Cow::from),
            },
        },
    }
}

/// The policies that were decided, each by its file.
pub(in crate::report) fn policy_files<'a>(report: &Report<'a>) -> Vec<PolicyFile<'a>> {
    let policies = report.decision.policies.iter();
    policies.filter_map(|one| policy_file(report, one.policy.whose)).collect()
}

fn policy_file<'a>(report: &Report<'a>, whose: Whose) -> Option<PolicyFile<'a>> {
    let digest = Sha256 { sha256: report.sha256(whose)?.into() };
    Some(match whose {
        Whose::Organisation => {
            PolicyFile { name: ORGANISATION_POLICY.to_owned(), uri: None, digest }
        }
        Whose::Repository => {
            // A repository's file must not be taken for that of the organisation.
            let path = one_line(report.policy, NAME);
            let name = if path == ORGANISATION_POLICY { format!("./{path}") } else { path };
            PolicyFile { name, uri: facts::uri(report.run, report.policy), digest }
        }
    })
}

/// The files beside those of the policies, and the first baseline among them.
fn named_files(report: &Report<'_>) -> (Vec<NamedFile>, Option<NamedFile>) {
    let is_policy = |document: &&Document| {
        report.sha256(document.whose) == Some(&document.sha256)
            && report.policy_file(document.whose) == document.path
    };
    let others = report.documents.iter().filter(|document| !is_policy(document));
    let named = |document: &Document| NamedFile {
        name: one_line(&document.path, NAME),
        digest: Sha256 { sha256: document.sha256.clone().into() },
    };
    let (baselines, files): (Vec<_>, Vec<_>) = others.partition(|one| is_baseline(one));
    let mut baselines = baselines.into_iter();
    let first = baselines.next().map(named);
    (files.into_iter().chain(baselines).map(named).collect(), first)
}

fn is_baseline(document: &Document) -> bool {
    document.text.lines().next().is_some_and(|header| header.contains(baseline::SCHEMA))
}

fn evidence<'a>(report: &Report<'a>) -> Collected<'a> {
    let outcomes = &report.evidence.outcomes;
    let mut as_of: Vec<_> =
        outcomes.iter().flat_map(|outcome| &outcome.parts).filter_map(|part| part.as_of).collect();
    as_of.sort_unstable();
    as_of.dedup();
    Collected {
        complete: report.decision.evidence_complete(),
        as_of: as_of.into_iter().map(digest::time).collect(),
        digest: report.evidence_sha256().map(|sha256| Sha256 { sha256: sha256.into() }),
        sources: outcomes.iter().map(|outcome| source(report, outcome)).collect(),
    }
}

fn source<'a>(report: &Report<'a>, outcome: &Outcome) -> Source<'a> {
    let taken = report.taken(Whose::Organisation).and_then(|taken| taken.get(&outcome.source));
    let of_parts = outcome.parts.iter().flat_map(|part| &part.problems);
    let mut problems: BTreeMap<Cause, u64> = BTreeMap::new();
    for problem in outcome.problems.iter().chain(of_parts) {
        *problems.entry(problem.cause).or_default() += 1;
    }
    let jobs = outcome.parts.iter().flat_map(|part| &part.jobs);
    Source {
        name: one_line(&outcome.source, NAME),
        system: system_of(&outcome.source).to_owned(),
        origin: one_line(&outcome.origin, NAME),
        simulated: outcome.simulated,
        from_repository: taken.map(Vec::as_slice).unwrap_or_default(),
        jobs: jobs.map(|job| one_line(&job.id, NAME)).collect(),
        problems,
    }
}

fn gate(ruling: &Ruling<'_>) -> Gate {
    let Limits { max, min_pass_rate, min_evaluated } = ruling.gate.limits;
    let controls = ruling.gate.selection.words.get(&Field::Control);
    let controls = controls.into_iter().flatten().map(Pattern::as_str);
    Gate {
        id: one_line(&ruling.gate.id, NAME),
        level: ruling.gate.level,
        state: ruling.state.word(),
        blocks: ruling.blocks(),
        limits: WrittenLimits {
            max,
            min_pass_rate: min_pass_rate.map(|rate| rate.to_string()),
            min_evaluated,
        },
        observed: (ruling.state != State::Undecided).then(|| Observed {
            failed: ruling.failed,
            passed: ruling.passed,
            accepted: ruling.accepted.len() as u64,
            known: ruling.known.len() as u64,
            out_of_scope: ruling.out_of_scope.values().sum(),
        }),
        controls: controls.map(|control| one_line(control, NAME)).collect(),
        groups: ruling.groups.iter().map(group).collect(),
        groups_omitted: 0,
    }
}

fn group(group: &Group) -> GroupCount {
    GroupCount {
        name: one_line(&group.name, NAME),
        failed: group.failed,
        passed: group.passed,
        breached: group.is_breached,
    }
}

fn accepted(usage: &Usage<'_>) -> Accepted {
    let grounds = &usage.entry.grounds;
    let line = |text: &String| one_line(text, NAME);
    Accepted {
        id: line(&grounds.id),
        kind: usage.entry.forgives.word(),
        reason: line(&grounds.reason),
        owner: line(&grounds.owner),
        approved_by: grounds.approved_by.as_ref().map(line),
        ticket: grounds.ticket.as_ref().map(line),
        expires: grounds.expires.to_string(),
        findings: usage.covers,
        gates: usage.gates.iter().map(|id| one_line(id, NAME)).collect(),
    }
}

fn run(report: &Report<'_>) -> Run {
    let run = report.run;
    let line = |text: &Option<String>| text.as_deref().map(|text| one_line(text, 500));
    Run {
        host: one_line(&run.host, NAME),
        url: line(&run.url),
        id: line(&run.id),
        repository: line(&run.repository),
        commit: line(&run.commit),
        actor: line(&run.actor),
    }
}
