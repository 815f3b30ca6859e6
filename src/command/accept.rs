//! `compliance-gate accept`: the entry of `accept` for a finding, to be reviewed.

use chrono::{Days, NaiveDate, Utc};

use crate::acceptance::{Conditions, Required};
use crate::cli::AcceptArguments;
use crate::command::{Context, Usage, evaluate, print};
use crate::config::Config;
use crate::evaluate::Ruling;
use crate::finding::{Finding, Fingerprint, Identity, Severity};
use crate::pipeline;
use crate::policy::Whose;
use crate::selection::UNKNOWN;
use crate::text;
use crate::verdict::Verdict;

/// How long a new entry lives, until a reviewer decides otherwise.
const LIFE: Days = Days::new(90);

pub(super) fn accept(arguments: &AcceptArguments, context: &Context) -> Result<u8, Usage> {
    let now = Utc::now();
    let saved = match evaluate::load(&arguments.evidence, context) {
        Ok(saved) => saved,
        Err(code) => return Ok(code),
    };
    let config = evaluate::policies_for(&saved, &arguments.config, context)?
        .resolve(evaluate::environment_for(&saved, &arguments.config))?;
    let evidence = &arguments.evidence;
    let collected = evaluate::collected(&config, saved.evidence, &saved.decided, evidence, now)?;
    let decision = pipeline::decide(&config, &collected, now);
    let mut findings: Vec<&Finding> = match (&arguments.fingerprint, &arguments.gate) {
        (Some(print), _) => {
            let wanted = Fingerprint::parse(&print.to_lowercase())
                .ok_or_else(|| format!("`{print}` is not a fingerprint of 32 hex digits"))?;
            let parts = collected.evidence.outcomes.iter().flat_map(|outcome| &outcome.parts);
            let all = parts.flat_map(|part| part.findings.listed());
            let found: Vec<_> = all.filter(|finding| finding.fingerprint == wanted).collect();
            if found.is_empty() {
                return Err(format!("the evidence has no finding with fingerprint {print}").into());
            }
            found
        }
        (None, gate) => {
            let gate = gate.as_deref().unwrap_or_default();
            let known = decision.rulings.iter().map(|ruling| ruling.gate.id.as_str());
            let hint = text::did_you_mean(gate, known);
            let ruling = decision.rulings.iter().find(|ruling| ruling.gate.id == gate);
            let ruling = ruling.ok_or_else(|| format!("the policy has no gate `{gate}`{hint}"))?;
            ruling.findings.clone()
        }
    };
    // The most severe of those that one entry would cover.
    findings.sort_by(|a, b| {
        (a.fingerprint, b.subject.severity).cmp(&(b.fingerprint, a.subject.severity))
    });
    findings.dedup_by_key(|finding| finding.fingerprint);
    findings.sort_by(|a, b| Finding::by_urgency(a, b));
    if findings.is_empty() {
        context.progress().note("the gate counts no finding, so there is nothing to accept");
        return Ok(Verdict::Passed.exit_code());
    }
    let proposal =
        Proposal { config: &config, gate: arguments.gate.as_deref(), today: now.date_naive() };
    let mut said = String::new();
    for finding in &findings {
        let is_counted = |ruling: &&Ruling<'_>| {
            ruling.gate.whose() == Whose::Organisation
                && arguments.gate.as_ref().is_none_or(|gate| *gate == ruling.gate.id)
                && ruling.findings.iter().any(|own| std::ptr::eq(*own, *finding))
        };
        let counted = decision.rulings.iter().find(is_counted);
        let refused = counted.and_then(|ruling| Some((ruling, proposal.refused(finding)?)));
        if let Some((ruling, why)) = &refused {
            context.progress().note(&format!(
                "gate `{}` counts {}, and {why}; ask the organisation",
                ruling.gate.id, finding.fingerprint
            ));
        }
        // An entry for the gate of the organisation alone would cover nothing.
        if refused.is_none() || arguments.gate.is_none() {
            said.push_str(&proposal.entry(finding, counted.is_some() && refused.is_none()));
        }
    }
    if said.is_empty() {
        return Ok(Verdict::Passed.exit_code());
    }
    print(&format!("accept:\n{said}"))?;
    Ok(Verdict::Passed.exit_code())
}

/// What entries are made for.
struct Proposal<'a> {
    config: &'a Config,
    gate: Option<&'a str>,
    today: NaiveDate,
}

impl Proposal<'_> {
    /// What the organisation demands of entries, if it takes any.
    fn conditions(&self) -> Option<&Conditions> {
        self.config.organisation.as_ref()?.terms.matching.as_ref()
    }

    /// Why the organisation would not take an entry for a finding.
    fn refused(&self, finding: &Finding) -> Option<String> {
        let Some(conditions) = self.conditions() else {
            return Some("the organisation takes no `match` of a repository".to_owned());
        };
        let severity = finding.subject.severity;
        let (most, unknown) = conditions.severity?;
        let is_allowed = match severity {
            Severity::Unknown => unknown,
            severity => severity <= most,
        };
        (!is_allowed).then(|| format!("the organisation accepts at most {most}"))
    }

    /// An entry as a reviewer completes it; one that the organisation takes, where it counts the
    /// finding.
    fn entry(&self, finding: &Finding, for_organisation: bool) -> String {
        let Self { gate, today, .. } = *self;
        let conditions = self.conditions().filter(|_| for_organisation);
        let rule = finding.subject.rule.as_ref().map_or(UNKNOWN, |rule| &rule.id);
        let resource = match &finding.identity {
            Identity::Image(part) => &part.repository,
            Identity::Check | Identity::Event(_) => {
                finding.resource_id.as_deref().unwrap_or(UNKNOWN)
            }
        };
        let severity = match (finding.subject.severity, conditions.and_then(|c| c.severity)) {
            (Severity::Unknown, Some((most, _))) => format!("[\"<= {most}\", unknown]"),
            (Severity::Unknown, None) => "[\"<= critical\", unknown]".to_owned(),
            (severity, _) => format!("\"<= {severity}\""),
        };
        let print = finding.fingerprint.to_string();
        let life = conditions.and_then(|conditions| conditions.max_life);
        let life = life.map_or(LIFE, |life| LIFE.min(Days::new(life.as_secs() / (24 * 3600))));
        let expires = today.checked_add_days(life).unwrap_or(today);
        let mut lines = vec![
            format!("  # {}", text::one_line(finding.title(), 200)),
            format!("  - id: accept-{}", print.get(..8).unwrap_or(&print)),
            "    match:".to_owned(),
        ];
        // A source of the organisation alone is none of the file that the entry goes into.
        if self.config.policy.uses(&finding.source) {
            lines.push(format!("      source: {}", quoted(&finding.source)));
        }
        lines.extend([
            format!("      rule: {}", quoted(rule)),
            format!("      resource: {}", quoted(resource)),
            format!("      severity: {severity}"),
        ]);
        // A wildcard in an id cannot be written otherwise, and makes the entry a wide one.
        if [rule, resource].iter().any(|text| text.contains(['*', '?'])) {
            lines.push("    max_findings: 1".to_owned());
        }
        lines.extend(gate.map(|gate| format!("    gates: [{}]", quoted(gate))));
        lines.extend([
            "    reason: \"TO REVIEW: why this is acceptable\"".to_owned(),
            "    owner: \"TO REVIEW: who answers for it\"".to_owned(),
        ]);
        let required = conditions.map(|conditions| &conditions.require).into_iter().flatten();
        lines.extend(required.map(|required| match required {
            Required::Ticket => "    ticket: \"TO REVIEW: where it was decided\"".to_owned(),
            Required::ApprovedBy => "    approved_by: \"TO REVIEW: who approved it\"".to_owned(),
        }));
        lines.extend([format!("    from: {today}"), format!("    expires: {expires}")]);
        lines.join("\n") + "\n"
    }
}

/// A text in double quotes, as YAML reads it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
