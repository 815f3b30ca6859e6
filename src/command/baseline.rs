//! `compliance-gate baseline write`: load, decide, and keep what was there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;

use crate::acceptance::{Acceptance, Forgives, KnownFindings};
use crate::baseline::{Baseline, BaselineFault};
use crate::cli::BaselineArguments;
use crate::command::{Context, Usage, evaluate, print};
use crate::config::Config;
use crate::evaluate::{Ratcheted, gaps, policy_for_baselines, ratchet};
use crate::finding::Finding;
use crate::pipeline::{self, Collected};
use crate::policy::Organisation;
use crate::text;
use crate::verdict::Verdict;
use crate::workspace;

/// Where a baseline is written if neither a flag nor the policy names one.
const DEFAULT: &str = ".compliance-gate/baseline.jsonl";

/// The most bytes of a baseline.
const MOST_BYTES: u64 = 64 << 20;

/// Findings that are named where a baseline does not grow.
const NAMED: usize = 20;

pub(super) fn write(arguments: &BaselineArguments, context: &Context) -> Result<u8, Usage> {
    let now = Utc::now();
    let saved = match evaluate::load(&arguments.evidence, context) {
        Ok(saved) => saved,
        Err(code) => return Ok(code),
    };
    let mut config = evaluate::policies_for(&saved, &arguments.config, context)?
        .with_baselines_to_write()
        .resolve(evaluate::environment_for(&saved, &arguments.config))?;
    // What an organisation does not take is not written for it.
    config.organisation = config.organisation.filter(|one| one.terms.baseline.is_some());
    let evidence = &arguments.evidence;
    let collected = evaluate::collected(&config, saved.evidence, &saved.decided, evidence, now)?;
    // A baseline is of findings, whatever the run was about.
    let collected = Collected { artefacts: Vec::new(), ..collected };
    let path = path(arguments.file.as_deref(), &config)?;
    let today = now.date_naive();
    let organisation = config.organisation.clone().map(|organisation| Organisation {
        policy: policy_for_baselines(&organisation.policy, today),
        ..organisation
    });
    let policy = policy_for_baselines(&config.policy, today);
    let without = Config { policy, organisation, ..config.clone() };
    let decision = pipeline::decide(&without, &collected, now);
    let progress = context.progress();
    let gaps = gaps(&collected.evidence, &decision);
    if !gaps.is_empty() {
        for gap in gaps {
            progress.error(&text::one_line(&gap.message, 600));
        }
        progress.error("no baseline is written: the evidence is not complete");
        return Ok(Verdict::Inconclusive.exit_code());
    }
    let old = old(&path, &config)?;
    let environment = config.environment.as_deref();
    let new =
        ratchet(&decision, &collected.evidence, old.as_ref(), environment, arguments.allow_growth);
    if new.baseline.lines().next().is_none() && old.is_none() {
        print("no gate counts a finding, so there is nothing to write\n")?;
        return Ok(Verdict::Passed.exit_code());
    }
    replace(&path, &new.baseline)?;
    print(&summary(&path, &new, old.is_some(), arguments.allow_growth))?;
    for why in refused(&config, &new.baseline) {
        progress.note(&why);
    }
    Ok(match new.grown.is_empty() || arguments.allow_growth {
        true => Verdict::Passed.exit_code(),
        false => Verdict::Blocked.exit_code(),
    })
}

/// Why the organisation does not take a baseline, if it counts findings and does not.
fn refused(config: &Config, baseline: &Baseline) -> Vec<String> {
    let Some(organisation) = &config.organisation else { return Vec::new() };
    let entries = config.policy.accept.iter().filter_map(|entry| {
        let Forgives::Baseline(known) = &entry.forgives else { return None };
        let baseline = Some(Arc::new(baseline.clone()));
        let forgives = Forgives::Baseline(KnownFindings { baseline, ..known.clone() });
        let why = organisation.terms.failed_by(&Acceptance { forgives, ..entry.clone() })?;
        let id = &entry.grounds.id;
        Some(format!("the organisation does not take the baseline of acceptance `{id}`: {why}"))
    });
    entries.collect()
}

/// The file to write: that of the flag, else the one of the policy.
fn path(flag: Option<&Path>, config: &Config) -> Result<PathBuf, String> {
    if let Some(path) = flag {
        return Ok(path.to_owned());
    }
    let baselines = config.policy.accept.iter().filter_map(|entry| match &entry.forgives {
        Forgives::Baseline(known) if known.applies || known.baseline.is_none() => Some(&known.file),
        _ => None,
    });
    let mut files: Vec<_> = baselines.collect();
    files.dedup();
    match files.as_slice() {
        [] => Ok(DEFAULT.into()),
        [only] => {
            let here = Path::new(".").canonicalize().unwrap_or_default();
            Ok(only.strip_prefix(here).unwrap_or(only).to_owned())
        }
        _ => Err("the policy names several baselines; choose one with `--file`".to_owned()),
    }
}

/// The baseline that is there, if there is one. It must be of this environment and of these
/// platforms.
fn old(path: &Path, config: &Config) -> Result<Option<Baseline>, String> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let shown = path.display();
    let bytes = workspace::read(path, MOST_BYTES)
        .map_err(|error| format!("failed to read {shown}: {}", text::reason(&error)))?;
    let words = String::from_utf8(bytes).map_err(|_| format!("{shown} is not text in UTF-8"))?;
    let old = Baseline::parse(&words)
        .map_err(|BaselineFault { line, message }| format!("{shown}:{line}: {message}"))?;
    if old.header.environment != config.environment {
        let name = |name: &Option<String>| match name {
            Some(name) => format!("environment `{name}`"),
            None => "no environment".to_owned(),
        };
        return Err(format!(
            "{shown} is a baseline of {}, and this is {}; write another file with `--file`",
            name(&old.header.environment),
            name(&config.environment)
        ));
    }
    for (name, source) in &config.sources {
        let origin = source.connection().url.origin().ascii_serialization();
        if let Some(other) = old.header.sources.get(name).filter(|other| **other != origin) {
            return Err(format!(
                "{shown} is a baseline of {name} at {other}, and the policy asks {origin}; write \
                 another file with `--file`"
            ));
        }
    }
    Ok(Some(old))
}

/// Replaces the file at once, so that it is never half written.
fn replace(path: &Path, baseline: &Baseline) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        format!("failed to write {}: {}", path.display(), text::reason(&error))
    };
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    let mut out = std::io::BufWriter::new(std::fs::File::create(&new).map_err(failed)?);
    baseline.write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    std::fs::rename(&new, path).map_err(failed)
}

fn summary(path: &Path, new: &Ratcheted<'_>, had_one: bool, may_grow: bool) -> String {
    let findings: u64 = new.baseline.lines().map(|(_, line)| line.count).sum();
    let mut lines = vec![format!("{}: {}", path.display(), text::count(findings, "finding"))];
    if had_one {
        lines.push(format!("  {} fixed and taken out", text::thousands(new.removed)));
        if new.kept > 0 {
            lines.push(format!(
                "  {} kept that no gate counts: the rule was not evaluated in the account, or still \
                 fails",
                text::thousands(new.kept)
            ));
        }
    }
    if !new.grown.is_empty() {
        let count = text::count(new.grown.len() as u64, "finding");
        lines.push(match may_grow {
            true => format!("  {count} added"),
            false => format!(
                "  {count} refused, which the baseline did not have; `--allow-growth` adds them:"
            ),
        });
        if !may_grow {
            lines.extend(new.grown.iter().take(NAMED).map(|finding| one(finding)));
        }
        if !may_grow && new.grown.len() > NAMED {
            let more = (new.grown.len() - NAMED) as u64;
            lines.push(format!("    and {} more", text::thousands(more)));
        }
    }
    lines.join("\n") + "\n"
}

fn one(finding: &Finding) -> String {
    let severity = finding.subject.severity;
    let (rule, place) =
        (text::one_line(finding.rule_id(), 120), text::one_line(finding.place(), 300));
    format!("    {severity}: {}: {rule}: {place}", text::one_line(&finding.source, 80))
}
