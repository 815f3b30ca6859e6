//! `compliance-gate accept`: the entry of `accept` for a finding, to be reviewed.

use chrono::{Days, NaiveDate, Utc};

use crate::cli::AcceptArguments;
use crate::command::{Context, Usage, evaluate, print, read};
use crate::finding::{Finding, Fingerprint, Identity, Severity};
use crate::pipeline;
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
    let environment = arguments.config.environment.as_deref();
    let environment = environment.or(saved.decided.environment.as_deref());
    let config = read(&arguments.config)?.resolve(environment)?;
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
    let gate = arguments.gate.as_deref();
    let entries = findings.iter().map(|finding| entry(finding, gate, now.date_naive()));
    print(&format!("accept:\n{}", entries.collect::<String>()))?;
    Ok(Verdict::Passed.exit_code())
}

/// An entry as a reviewer completes it.
fn entry(finding: &Finding, gate: Option<&str>, today: NaiveDate) -> String {
    let rule = finding.subject.rule.as_ref().map_or(UNKNOWN, |rule| &rule.id);
    let resource = match &finding.identity {
        Identity::Image(part) => &part.repository,
        Identity::Check | Identity::Event(_) => finding.resource_id.as_deref().unwrap_or(UNKNOWN),
    };
    let severity = match finding.subject.severity {
        Severity::Unknown => "[\"<= critical\", unknown]".to_owned(),
        severity => format!("\"<= {severity}\""),
    };
    let print = finding.fingerprint.to_string();
    let expires = today.checked_add_days(LIFE).unwrap_or(today);
    let mut lines = vec![
        format!("  # {}", text::one_line(finding.title(), 200)),
        format!("  - id: accept-{}", print.get(..8).unwrap_or(&print)),
        "    match:".to_owned(),
        format!("      source: {}", quoted(&finding.source)),
        format!("      rule: {}", quoted(rule)),
        format!("      resource: {}", quoted(resource)),
        format!("      severity: {severity}"),
    ];
    // A wildcard in an id cannot be written otherwise, and makes the entry a wide one.
    if [rule, resource].iter().any(|text| text.contains(['*', '?'])) {
        lines.push("    max_findings: 1".to_owned());
    }
    lines.extend(gate.map(|gate| format!("    gates: [{}]", quoted(gate))));
    lines.extend([
        "    reason: \"TO REVIEW: why this is acceptable\"".to_owned(),
        "    owner: \"TO REVIEW: who answers for it\"".to_owned(),
        format!("    from: {today}"),
        format!("    expires: {expires}"),
    ]);
    lines.join("\n") + "\n"
}

/// A text in double quotes, as YAML reads it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
